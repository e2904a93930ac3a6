"""`syncd incidents` and `syncd alternatives`: oversells that lasted, who lost by them, and what to offer instead."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import typer
from rich.console import RenderableType

from syncd import tables
from syncd.cli.frame import Config, Json, Limit, Reason, Terminal, guarded, open_terminal
from syncd.cli.show import grid, when
from syncd.cli.talk import Talk
from syncd.cli.upload import FileIn, SkipBad, Upload, send, tell

app = typer.Typer(help="Oversells that lasted: causes, losing orders, what would have helped.", no_args_is_help=True)
alternatives = typer.Typer(help="What may be offered instead of a SKU.", no_args_is_help=True)

Number = Annotated[int, typer.Argument(help="The incident.", min=1)]


@app.command(name="list")
@guarded
def listed(
    *,
    state: Annotated[str, typer.Option("--state", help="open, lasting or closed; left out: all.")] = "",
    sku: Annotated[str, typer.Option("--sku", help="Of this SKU only.")] = "",
    limit: Limit = 50,
    config: Config = None,
    json: Json = False,
) -> None:
    """List incidents, the latest first."""
    terminal = open_terminal(config, json=json)
    rows = Talk(terminal).get("incidents", state=state, sku=sku, limit=min(limit, 1_000))["rows"]
    terminal.show(rows, lambda found: _listed(terminal, found))


def _listed(terminal: Terminal, rows: Any) -> Iterator[RenderableType]:
    if not rows:
        yield terminal.say("incidents.none")
        return
    cells = (
        [
            row["id"],
            row["sku"],
            terminal.say(f"incidents.state.{row['state']}"),
            terminal.say(f"incidents.cause.{row['cause']}"),
            row["short"],
            len(row["losers"]),
            when(row["began_at"]),
        ]
        for row in rows
    )
    yield grid(terminal, "id sku state cause >short >losing began", cells)


@app.command()
@guarded
def show(*, number: Number, config: Config = None, json: Json = False) -> None:
    """Show one incident whole: its cause, the orders that lose, alternatives, and what would have prevented it."""
    terminal = open_terminal(config, json=json)
    found = Talk(terminal).get("incidents", str(number))
    terminal.show(found, lambda value: _shown(terminal, value))


def _shown(terminal: Terminal, told: Any) -> Iterator[RenderableType]:
    yield terminal.say(
        "incidents.head",
        number=told["id"],
        sku=told["sku"],
        short=told["short"],
        state=terminal.say(f"incidents.state.{told['state']}"),
        cause=terminal.say(f"incidents.cause.{told['cause']}"),
    )
    yield terminal.say("incidents.contact", until=when(told["contact_by"]))
    rows = (
        [
            row["account"],
            row["order"],
            row["lost"],
            row["units"],
            when(row["ordered_at"]),
            terminal.say(f"incidents.told.{row['told']}"),
        ]
        for row in told["losers"]
    )
    yield grid(terminal, "account order >lost >units ordered apology", rows)
    if told["alternatives"]:
        offered = ([row["sku"], row["title"], row["note"], row["available"]] for row in told["alternatives"])
        yield grid(terminal, "alternative title note >available", offered)
    for one in told["prevention"]:
        yield terminal.say(
            f"incidents.lesson.{one['lesson']}", account=one["account"], value=one["value"], sku=one["sku"]
        )
    if told["closed_at"]:
        yield terminal.say("incidents.closed_by", actor=told["actor"], reason=told["reason"])


@app.command()
@guarded
def close(*, number: Number, reason: Reason = "", config: Config = None, json: Json = False) -> None:
    """Close an incident; apologies that still wait for you are dropped with it."""
    terminal = open_terminal(config, json=json)
    answer = Talk(terminal).post("incidents", str(number), "close", body={"reason": reason})
    terminal.show(answer, lambda _: [terminal.say("incidents.closed", number=number)])


@alternatives.command(name="import")
@guarded
def import_alternatives(*, file: FileIn, skip_bad: SkipBad = False, config: Config = None, json: Json = False) -> None:
    """Set what may be offered: sku,alternative,[note], the best first; replaces what the named SKUs had."""
    terminal = open_terminal(config, json=json)
    upload = Upload(file=file, columns=tables.ALTERNATIVES, path=("alternatives",), body={}, skip_bad=skip_bad)
    answer = send(terminal, upload)
    tell(terminal, answer, "alternatives.taken", count=answer["taken"])


@alternatives.command(name="list")
@guarded
def list_alternatives(
    *,
    sku: Annotated[str, typer.Argument(help="Instead of this SKU; left out: of all.")] = "",
    config: Config = None,
    json: Json = False,
) -> None:
    """List what may be offered instead of what."""
    terminal = open_terminal(config, json=json)
    rows = Talk(terminal).get("alternatives", sku=sku)["rows"]
    names = ("sku", "alternative", "note")
    cells = ([row[name] for name in names] for row in rows)
    terminal.show(rows, lambda _: [grid(terminal, "sku alternative note", cells)])
