"""`syncd policy`: what channels may show of a SKU."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal

import typer
from rich.console import RenderableType

from syncd import tables
from syncd.cli.frame import USAGE, Config, Failure, Force, Json, Terminal, guarded, open_terminal
from syncd.cli.show import grid, when
from syncd.cli.talk import Talk
from syncd.cli.upload import FileOption, SkipBad, Upload, send, tell

policy = typer.Typer(help="What channels may show of a SKU.", no_args_is_help=True)


@policy.command(name="set")
@guarded
def set_policy(
    *,
    sku: Annotated[str | None, typer.Argument(help="SKU.", show_default=False)] = None,
    file: FileOption = None,
    channel: Annotated[str, typer.Option("--channel", help="On this account only; left out: on all.")] = "",
    exposure: Annotated[
        Literal["pool", "allotment", "adaptive"] | None, typer.Option("--exposure", help="How units are shared.")
    ] = None,
    loss: Annotated[int | None, typer.Option("--loss", min=1, help="Sold units that an oversold one costs.")] = None,
    safety_stock: Annotated[int | None, typer.Option("--safety-stock", min=0, help="Units kept back.")] = None,
    safety_percent: Annotated[int | None, typer.Option("--safety-percent", min=0, max=100, help="Kept back.")] = None,
    cap: Annotated[int | None, typer.Option("--cap", min=0, help="The most that is shown.")] = None,
    share: Annotated[int | None, typer.Option("--share", min=0, max=100, help="The most, in percent.")] = None,
    priority: Annotated[str, typer.Option("--priority", help="Account that alone shows the last units.")] = "",
    priority_units: Annotated[int | None, typer.Option("--priority-units", min=0, help="How many these are.")] = None,
    preorder: Annotated[bool | None, typer.Option("--preorder/--no-preorder", help="Sell units on their way.")] = None,
    hide: Annotated[bool | None, typer.Option("--hide/--no-hide", help="Close the page at zero.")] = None,
    purchase_limit: Annotated[int | None, typer.Option("--purchase-limit", min=1, help="Units of one order.")] = None,
    season: Annotated[str, typer.Option("--season", help="Name of a season: with --from and --until.")] = "",
    since: Annotated[str, typer.Option("--from", help="When it begins: 2026-12-04, 2026-12-04T20:00+09:00")] = "",
    until: Annotated[str, typer.Option("--until", help="When it ends by itself; a day as a whole.")] = "",
    skip_bad: SkipBad = False,
    force: Force = False,
    config: Config = None,
    json: Json = False,
) -> None:
    """Set what may be shown, of one SKU or a file with the columns sku,[account] and those of the options.

    What is left out falls back to the settings. A season without any value is taken away, by its name alone too.
    """
    terminal = open_terminal(config, json=json)
    if file is not None and sku is None:
        body = {"force": force}
        upload = Upload(file=file, columns=tables.POLICIES, path=("policy",), body=body, skip_bad=skip_bad)
        answer = send(terminal, upload)
        tell(terminal, answer, "policy.set_many", count=answer["taken"])
        return
    if sku is None or file is not None:
        raise Failure(USAGE, terminal.say("policy.one_or_file"))
    if bool(since) != bool(until) or (since and not season):
        raise Failure(USAGE, terminal.say("policy.season"))
    given = {
        "account": channel, "exposure": exposure, "loss": loss, "safety_stock": safety_stock,
        "safety_percent": safety_percent, "cap": cap, "share": share, "priority": priority,
        "priority_units": priority_units, "preorder": preorder, "hide": hide, "purchase_limit": purchase_limit,
        "season": season, "since": since, "until": until,
    }  # fmt: skip
    row = {"sku": sku, **_filled(given.items())}
    answer = Talk(terminal).post("policy", body={"rows": [row], "force": force})
    tell(terminal, answer, "policy.set", sku=sku)


def _filled(items: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    return {name: value for name, value in items if value is not None and value != ""}


@policy.command(name="show")
@guarded
def show_policy(*, sku: Annotated[str, typer.Argument(help="SKU.")], config: Config = None, json: Json = False) -> None:
    """Show what was set for a SKU, and what is in force on each account."""
    terminal = open_terminal(config, json=json)
    terminal.show(Talk(terminal).get("policy", sku), lambda found: _parts(terminal, found))


def _parts(terminal: Terminal, found: Mapping[str, Any]) -> Iterator[RenderableType]:
    for title in ("own", "in_force"):
        rows = found[title]
        yield terminal.say(f"policy.{title}", sku=found["sku"], count=len(rows))
        if rows:
            yield grid(terminal, "account season from until policy", (_cells(terminal, row) for row in rows))


def _cells(terminal: Terminal, row: Mapping[str, Any]) -> list[str]:
    values = [f"{name} {value}" for name, value in row["values"].items() if value not in ("", False)]
    account = row["account"] or terminal.say("policy.everywhere")
    return [account, row["season"], when(row["since"]), when(row["until"]), ", ".join(values)]
