"""`syncd stock`: what there is, and what people and deliveries change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import RenderableType

from syncd import tables
from syncd.cli.frame import USAGE, Config, Failure, Force, Json, Limit, Place, Reason, Terminal, guarded, open_terminal
from syncd.cli.show import grid, interval, when
from syncd.cli.talk import Talk
from syncd.cli.upload import FileOption, SkipBad, Upload, send, tell

app = typer.Typer(help="Stock: show, count, receive, adjust.", no_args_is_help=True)

Sku = Annotated[str | None, typer.Argument(help="SKU.", show_default=False)]
RequestId = Annotated[str, typer.Option("--request-id", help="The same id a second time changes nothing.")]
COUNTED = "on_hand or available"


@app.command()
@guarded
def show(
    *,
    sku: Annotated[str | None, typer.Argument(help="One SKU with all that is known of it.", show_default=False)] = None,
    text: Annotated[str, typer.Option("--text", help="Only SKUs with this in code or title.")] = "",
    prefix: Annotated[str, typer.Option("--prefix", help="Only SKUs that begin so.")] = "",
    limit: Limit = 100,
    config: Config = None,
    json: Json = False,
) -> None:
    """Show stock: all SKUs, or one with its listings, movements and writes."""
    terminal = open_terminal(config, json=json)
    talk = Talk(terminal)
    if sku is not None:
        terminal.show(talk.get("stock", sku), lambda found: _detail(terminal, found))
        return
    rows = list(talk.pages("stock", text=text, prefix=prefix, limit=limit))
    terminal.show(rows, lambda found: [_stock_grid(terminal, found)])


def _stock_grid(terminal: Terminal, rows: Iterable[Mapping[str, Any]]) -> RenderableType:
    names = ("sku", "title", "on_hand", "committed", "held", "available", "opened", "kit")
    return grid(
        terminal,
        "sku title >on_hand >committed >held >available opened kit",
        ([row[name] for name in names] for row in rows),
    )


def _detail(terminal: Terminal, found: Mapping[str, Any]) -> Iterable[RenderableType]:
    yield _stock_grid(terminal, [found["stock"]])
    if found["components"]:
        yield terminal.say(
            "stock.made_of", parts=", ".join(f"{p['quantity']} x {p['sku']}" for p in found["components"])
        )
    if found["part_of"]:
        yield terminal.say("stock.part_of", kits=", ".join(found["part_of"]))
    places = ([row[n] for n in ("location", "on_hand", "committed", "held", "available")] for row in found["places"])
    yield grid(terminal, "location >on_hand >committed >held >available", places)
    yield listing_grid(terminal, found["listings"])
    moves = (
        [when(m["at"]), m["kind"], m["location"], m["on_hand"], m["committed"], m["held"], m["source"], m["reason"]]
        for m in found["movements"]
    )
    yield grid(terminal, "at kind location >on_hand >committed >held source reason", moves)
    writes = (
        [when(w["intended_at"]), w["account"], w["remote_id"], w["quantity"], w["lane"], w["state"], w["reason"]]
        for w in found["writes"]
    )
    yield grid(terminal, "at account listing >quantity lane state reason", writes)


def listing_grid(terminal: Terminal, rows: Iterable[Mapping[str, Any]]) -> RenderableType:
    """Return a table of listings."""
    return grid(
        terminal,
        "account listing location sku >target >shows >seen seen_at lane held parked",
        (
            [
                row["account"],
                row["remote_id"] + (f" @{row['remote_location']}" if row["remote_location"] else ""),
                row["location"],
                row["sku"],
                row["target"],
                interval(row["low"], row["high"]),
                row["seen"],
                when(row["seen_at"]),
                row["lane"],
                row["held"],
                row["parked"],
            ]
            for row in rows
        ),
    )


# `set` is a word of Python, and the command's name.
@app.command(name="set")
@guarded
def set_count(
    *,
    sku: Sku = None,
    quantity: Annotated[int | None, typer.Argument(help="Units that were counted.", min=0, show_default=False)] = None,
    file: FileOption = None,
    counted: Annotated[str, typer.Option("--counted", help=f"What was counted: {COUNTED}.")] = "on_hand",
    at: Annotated[str, typer.Option("--at", help="When it was counted, as 2026-11-22T18:00:00+09:00; else now.")] = "",
    location: Place = "",
    reason: Reason = "",
    request_id: RequestId = "",
    skip_bad: SkipBad = False,
    force: Force = False,
    config: Config = None,
    json: Json = False,
) -> None:
    """Enter a count of one SKU, or of a file: sku,quantity (location,counted,counted_at)."""
    terminal = open_terminal(config, json=json)
    beside = {"counted": counted, "counted_at": at, "location": location, "reason": reason, "force": force}
    body = {**beside, "request_id": request_id}
    if file is not None and sku is None:
        upload = Upload(file=file, columns=tables.COUNTS, path=("stock", "count"), body=body, skip_bad=skip_bad)
        answer = send(terminal, upload)
        tell(terminal, answer, "stock.counted_many", count=answer["taken"])
        return
    _one_or_file(terminal, sku, quantity, file)
    rows = [{"sku": sku, "quantity": quantity}]
    answer = Talk(terminal).post("stock", "count", body={**body, "rows": rows})
    tell(terminal, answer, "stock.counted", sku=sku, quantity=quantity)


def _one_or_file(terminal: Terminal, sku: str | None, quantity: int | None, file: Path | None) -> None:
    if sku is None or quantity is None or file is not None:
        raise Failure(USAGE, terminal.say("stock.one_or_file"))


@app.command()
@guarded
def receive(
    *,
    sku: Sku = None,
    quantity: Annotated[int | None, typer.Argument(help="Units that came in.", min=1, show_default=False)] = None,
    file: FileOption = None,
    location: Place = "",
    reason: Reason = "",
    request_id: RequestId = "",
    skip_bad: SkipBad = False,
    force: Force = False,
    config: Config = None,
    json: Json = False,
) -> None:
    """Enter a delivery of one SKU, or of a file: sku,quantity (location)."""
    body = {"move": "receive", "location": location, "reason": reason, "request_id": request_id, "force": force}
    _move(open_terminal(config, json=json), body, sku=sku, quantity=quantity, file=file, skip_bad=skip_bad)


@app.command(context_settings={"ignore_unknown_options": True})
@guarded
def adjust(
    *,
    sku: Sku = None,
    quantity: Annotated[
        int | None, typer.Argument(help="Units to add; a negative number takes away.", show_default=False)
    ] = None,
    file: FileOption = None,
    damaged: Annotated[bool, typer.Option("--damaged", help="The units broke or were lost.")] = False,
    location: Place = "",
    reason: Reason = "",
    request_id: RequestId = "",
    skip_bad: SkipBad = False,
    force: Force = False,
    config: Config = None,
    json: Json = False,
) -> None:
    """Correct the stock of one SKU by a difference, or of a file: sku,quantity (location)."""
    move = "damage" if damaged else "adjust"
    body = {"move": move, "location": location, "reason": reason, "request_id": request_id, "force": force}
    _move(open_terminal(config, json=json), body, sku=sku, quantity=quantity, file=file, skip_bad=skip_bad)


def _move(
    terminal: Terminal,
    body: Mapping[str, Any],
    *,
    sku: str | None,
    quantity: int | None,
    file: Path | None,
    skip_bad: bool,
) -> None:
    if file is not None and sku is None:
        upload = Upload(file=file, columns=tables.MOVES, path=("stock", "move"), body=body, skip_bad=skip_bad)
        answer = send(terminal, upload)
        tell(terminal, answer, "stock.moved_many", count=answer["taken"])
        return
    _one_or_file(terminal, sku, quantity, file)
    answer = Talk(terminal).post("stock", "move", body={**body, "rows": [{"sku": sku, "quantity": quantity}]})
    tell(terminal, answer, "stock.moved", sku=sku, quantity=f"{quantity:+d}")
