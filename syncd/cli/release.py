"""`syncd adopt`, `go` and `pause`: how a shop that already trades is taken over, and written to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import RenderableType

from syncd import tables
from syncd.cli.frame import (
    USAGE,
    Config,
    Failure,
    Force,
    Json,
    Limit,
    Place,
    Reason,
    Terminal,
    Yes,
    guarded,
    open_terminal,
)
from syncd.cli.show import grid
from syncd.cli.talk import Talk
from syncd.cli.upload import SkipBad, rows_of, tell


@guarded
def adopt(
    *,
    counts: Annotated[
        Path | None,
        typer.Option(
            "--counts",
            help="Opening stock from a file: sku,quantity and, if wanted, location,counted,counted_at.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    believe: Annotated[
        str, typer.Option("--from", help="Opening stock from what this account shows and promised.")
    ] = "",
    counted: Annotated[str, typer.Option("--counted", help="What was counted: on_hand or available.")] = "on_hand",
    location: Place = "",
    skip_bad: SkipBad = False,
    apply: Annotated[bool, typer.Option("--apply", help="Enter the opening stock; no channel is written to.")] = False,
    limit: Limit = 40,
    yes: Yes = False,
    force: Force = False,
    config: Config = None,
    json: Json = False,
) -> None:
    """Plan how the shop is taken over: opening stock, every mismatch, and what would be written where."""
    terminal = open_terminal(config, json=json)
    rows: list[Mapping[str, Any]] = []
    if counts is not None:
        table = rows_of(terminal, counts, tables.COUNTS, skip_bad=skip_bad)
        rows = [row.values for row in table.rows]
    body: dict[str, Any] = {"believe": believe, "rows": rows, "counted": counted, "location": location, "limit": limit}
    talk = Talk(terminal)
    plan = talk.post("adopt", body=body)
    if not apply:
        terminal.show(plan, lambda found: _plan(terminal, found))
        return
    if not json:
        terminal.show(plan, lambda found: _plan(terminal, found))
    totals = plan["totals"]
    terminal.ask(terminal.say("adopt.ask", count=totals["openings"], units=totals["units"]), yes=yes)
    answer = talk.post("adopt", body={**body, "apply": True, "force": force})
    tell(terminal, answer, "adopt.applied", count=totals["openings"])


def _plan(terminal: Terminal, plan: Mapping[str, Any]) -> Iterable[RenderableType]:
    if plan["skus"]:
        yield grid(
            terminal,
            "sku opening origin >committed >available_after shows would_show",
            (_sku_cells(terminal, row) for row in plan["skus"]),
        )
    if plan["mismatches"]:
        names = ("kind", "sku", "account", "remote_id", "text")
        cells = ([_kind(terminal, row["kind"]), *(row[n] for n in names[1:])] for row in plan["mismatches"])
        yield grid(terminal, "mismatch sku account listing detail", cells)
    counts = sorted(plan["mismatch_counts"].items())
    yield grid(terminal, "mismatch >number", ([_kind(terminal, kind), count] for kind, count in counts))
    yield terminal.say("adopt.totals", **plan["totals"])
    if not plan["totals"]["openings"]:
        yield terminal.say("adopt.no_source")
    elif plan["shadow"]:
        yield terminal.say("adopt.shadow")
    else:
        yield terminal.say("adopt.next")


def _kind(terminal: Terminal, kind: str) -> str:
    return terminal.say(f"mismatch.{kind}")


def _sku_cells(terminal: Terminal, row: Mapping[str, Any]) -> list[Any]:
    opening = ", ".join(f"{part['quantity']} @{part['location']}" for part in row["opening"])
    shows = ", ".join(f"{x['account']} {'?' if x['shows'] is None else x['shows']}" for x in row["listings"])
    would = ", ".join(f"{x['account']} {x['would_show']}" for x in row["listings"] if x["would_show"] is not None)
    origin = terminal.say(f"origin.{row['origin']}")
    return [row["sku"], opening, origin, row["committed"], row["available_after"], shows, would]


Names = Annotated[list[str] | None, typer.Argument(help="Accounts.", show_default=False)]


@guarded
def go(
    *,
    channels: Names = None,
    every: Annotated[bool, typer.Option("--all", help="All accounts.")] = False,
    yes: Yes = False,
    config: Config = None,
    json: Json = False,
) -> None:
    """Release accounts: from now on syncd writes to them. Tells how many listings will change, and asks."""
    terminal = open_terminal(config, json=json)
    talk = Talk(terminal)
    channels, desks = _apart(talk, channels)
    for desk in desks:
        terminal.ask(terminal.say("go.ask_desk", name=desk), yes=yes)
        answer = talk.post("desks", desk, "go", body={})
        terminal.show({"desk": desk, **answer}, lambda _, n=desk: [terminal.say("go.desk_done", name=n)])  # type: ignore[misc]  # mypy cannot infer a lambda with a default
    if desks and not channels:
        return
    names = _names(terminal, talk, channels, every=every)
    previews = [talk.get("accounts", name, "go") for name in names]
    if not json:
        terminal.show(previews, lambda found: _previews(terminal, found))
    changes = sum(preview["changes"] for preview in previews)
    terminal.ask(terminal.say("go.ask", names=", ".join(names), count=changes), yes=yes)
    answers = {name: talk.post("accounts", name, "go", body={}) for name in names}
    told = [{"account": name, "preview": p, **answers[name]} for name, p in zip(names, previews, strict=True)]
    terminal.show(told, lambda _: [terminal.say("go.done", names=", ".join(names))])


def _previews(terminal: Terminal, previews: Iterable[Mapping[str, Any]]) -> Iterable[RenderableType]:
    names = ("account", "listings", "changes", "raises", "falls", "to_zero", "unopened", "unmapped", "unread")
    heads = "account >listings >changes >raises >falls >to_zero >unopened >unmapped >unread"
    found = list(previews)
    yield grid(terminal, heads, ([row[name] for name in names] for row in found))
    if any(row["shadow"] for row in found):
        yield terminal.say("go.shadow")


def _apart(talk: Talk, names: list[str] | None) -> tuple[list[str], list[str]]:
    """Part the names that were given into channels and desks."""
    if not names:
        return [], []
    known = {row["name"] for row in talk.get("desks")["rows"]}
    return [name for name in names if name not in known], [name for name in dict.fromkeys(names) if name in known]


def _names(terminal: Terminal, talk: Talk, channels: list[str] | None, *, every: bool) -> list[str]:
    if bool(channels) == every:
        raise Failure(USAGE, terminal.say("go.which"))
    if channels:
        return list(dict.fromkeys(channels))
    return [row["name"] for row in talk.get("status")["accounts"] if row["state"] != "closed"]


@guarded
def pause(
    *,
    channels: Names = None,
    every: Annotated[bool, typer.Option("--all", help="All accounts.")] = False,
    reason: Reason = "",
    config: Config = None,
    json: Json = False,
) -> None:
    """Pause accounts: syncd reads them on and writes nothing there."""
    terminal = open_terminal(config, json=json)
    talk = Talk(terminal)
    channels, desks = _apart(talk, channels)
    told = [{"desk": n, **talk.post("desks", n, "pause", body={"reason": reason})} for n in desks]
    names = [] if desks and not channels else _names(terminal, talk, channels, every=every)
    told += [{"account": n, **talk.post("accounts", n, "pause", body={"reason": reason})} for n in names]
    names = [*desks, *names]
    terminal.show(told, lambda _: [terminal.say("pause.done", names=", ".join(names))])
