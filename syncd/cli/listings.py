"""`syncd listings`: what channels show, and which SKU each listing belongs to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Final

import typer
from rich.console import RenderableType

from syncd import tables
from syncd.cli.frame import Config, Force, Json, Limit, Terminal, Yes, guarded, open_terminal
from syncd.cli.goods import Encoding, FileOut, export
from syncd.cli.show import grid
from syncd.cli.stock import listing_grid
from syncd.cli.talk import Talk
from syncd.cli.upload import FileIn, SkipBad, Upload, send, tell

app = typer.Typer(help="Listings of channels and the SKUs they belong to.", no_args_is_help=True)

Channel = Annotated[str, typer.Option("--channel", help="Of this account only.")]
_LISTS: Final = frozenset({"rows", "suggestions"})
"""The counts that are not of a reason."""


@app.command(name="import")
@guarded
def import_mappings(
    *, file: FileIn, skip_bad: SkipBad = False, force: Force = False, config: Config = None, json: Json = False
) -> None:
    """Map listings to SKUs: account,remote_id,[remote_location],[sku]; an empty SKU takes the mapping away."""
    terminal = open_terminal(config, json=json)
    upload = Upload(
        file=file, columns=tables.MAPPINGS, path=("mappings",), body={"force": force}, skip_bad=skip_bad, make=_mapping
    )
    answer = send(terminal, upload)
    tell(terminal, answer, "listings.mapped", count=answer["taken"])


def _mapping(values: Mapping[str, Any]) -> dict[str, Any]:
    return {"sku": None, **values}


@app.command(name="export")
@guarded
def export_listings(
    *,
    file: FileOut = None,
    channel: Channel = "",
    encoding: Encoding = "utf-8",
    config: Config = None,
    json: Json = False,
) -> None:
    """Write all listings with their SKU and what they show; the file can be imported again."""
    terminal = open_terminal(config, json=json)
    rows = list(Talk(terminal).pages("listings", account=channel))
    export(terminal, rows, tables.MAPPINGS, file=file, encoding=encoding)


@app.command()
@guarded
def unmapped(*, channel: Channel = "", limit: Limit = 1_000, config: Config = None, json: Json = False) -> None:
    """Show listings that belong to no SKU: nothing is written to them, and their orders wait in quarantine."""
    terminal = open_terminal(config, json=json)
    rows = list(Talk(terminal).pages("listings", account=channel, unmapped=True, limit=limit))
    columns = ("account", "remote_id", "remote_location", "remote_sku", "title")
    heads = "account listing remote_location remote_sku title"
    terminal.show(rows, lambda found: [grid(terminal, heads, ([row[name] for name in columns] for row in found))])


@app.command()
@guarded
def match(
    *,
    channel: Channel = "",
    apply: Annotated[
        str, typer.Option("--apply", help="Rules whose suggestions are mapped too: case,width,blank,hyphen,option.")
    ] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, max=1_000, help="Most rows of each kind.")] = 100,
    yes: Yes = False,
    config: Config = None,
    json: Json = False,
) -> None:
    """Map listings whose own code is a SKU; suggest those that are alike, and tell what does not match and why.

    Nothing is mapped before you agree; a suggestion only where --apply names every rule that it needs.
    """
    terminal = open_terminal(config, json=json)
    talk = Talk(terminal)
    report = talk.get("listings", "matches", account=channel, apply=apply, limit=limit)
    rows = report["rows"]
    if not (json and yes and rows):
        terminal.show(report, lambda _: _report(terminal, report))
    if not rows or (json and not yes):
        return
    terminal.ask(terminal.say("listings.ask_match", count=len(rows)), yes=yes)
    names = ("account", "remote_id", "remote_location", "sku")
    answer = talk.post("mappings", body={"rows": [{name: row[name] for name in names} for row in rows]})
    tell(terminal, answer, "listings.mapped", count=len(rows))


def _report(terminal: Terminal, report: Mapping[str, Any]) -> Iterator[RenderableType]:
    """Yield what would be mapped, what is suggested, and what does not match; each with how many there are."""
    counts = report["counts"]
    for name in ("rows", "suggestions"):
        if report[name]:
            yield terminal.say(f"listings.{name}", count=counts[name])
            cells = ([*_listing(row), row["sku"], _rules(terminal, row["rules"])] for row in report[name])
            yield grid(terminal, "account listing remote_location remote_sku sku rule", cells)
            yield ""
    if report["misfits"]:
        yield terminal.say("listings.misfits")
        cells = (
            [terminal.say(f"misfit.{row['reason']}"), *_listing(row), row["sku"], ", ".join(row["others"])]
            for row in report["misfits"]
        )
        yield grid(terminal, "mismatch account listing remote_location remote_sku sku alike", cells)
        sums = (f"{terminal.say(f'misfit.{name}')}: {counts[name]}" for name in counts if name not in _LISTS)
        yield "; ".join(sums)
    if not report["rows"]:
        yield terminal.say("listings.no_matches")


def _listing(row: Mapping[str, Any]) -> list[str]:
    return [row[name] for name in ("account", "remote_id", "remote_location", "remote_sku")]


def _rules(terminal: Terminal, names: Iterable[str]) -> str:
    return ", ".join(f"{name} ({terminal.say(f'rule.{name}')})" for name in names)


@app.command()
@guarded
def refresh(
    *,
    channel: Annotated[str, typer.Argument(help="Account; left out: all.", show_default=False)] = "",
    config: Config = None,
    json: Json = False,
) -> None:
    """Read catalogues again soon."""
    terminal = open_terminal(config, json=json)
    answer = Talk(terminal).post("listings", "refresh", body={"account": channel})
    names = ", ".join(answer["refreshing"])
    terminal.show(answer, lambda _: [terminal.say("listings.refreshing", names=names)])


@app.command()
@guarded
def show(
    *,
    channel: Channel = "",
    text: Annotated[str, typer.Option("--text", help="Only with this in id, code or title.")] = "",
    parked: Annotated[bool, typer.Option("--parked", help="Only those that the channel refused.")] = False,
    held: Annotated[bool, typer.Option("--held", help="Only those that wait for a person.")] = False,
    vanished: Annotated[bool, typer.Option("--vanished", help="Only those that are gone.")] = False,
    limit: Limit = 100,
    config: Config = None,
    json: Json = False,
) -> None:
    """Show listings: what each should show, is believed to show and was seen to show."""
    terminal = open_terminal(config, json=json)
    asked: dict[str, Any] = {"account": channel, "text": text, "parked": parked, "held": held, "vanished": vanished}
    rows = list(Talk(terminal).pages("listings", limit=limit, **asked))
    terminal.show(rows, lambda found: [listing_grid(terminal, found)])
