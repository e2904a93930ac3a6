"""`syncd tickets escalated`, `release` and `figures`: who needs a person, and how tickets went."""

from __future__ import annotations

import csv
import sys
from typing import Annotated, Any

import typer

from syncd.cli import waitlist
from syncd.cli.frame import Config, Json, Limit, Reason, guarded, open_terminal
from syncd.cli.show import grid, when
from syncd.cli.talk import Talk
from syncd.cli.upload import tell
from syncd.cli.waitlist import Ids, OfSku

app = waitlist.tickets
"""The commands of tickets; `syncd.cli.waitlist` has the others."""


@app.command(name="escalated")
@guarded
def show_escalated(
    *,
    reason: Annotated[str, typer.Option("--reason", help="legal, anger, amount, repeat or desk.")] = "",
    released: Annotated[bool, typer.Option("--all", help="Those that were released too.")] = False,
    limit: Limit = 50,
    config: Config = None,
    json: Json = False,
) -> None:
    """Show tickets that are for a person: no letter goes to their customers by itself."""
    terminal = open_terminal(config, json=json)
    rows = list(Talk(terminal).pages("escalations", limit=limit, reason=reason, released=released))
    names = ("id", "priority", "reasons", "desk", "ticket_id", "sku", "order_number", "entry_id", "since", "actor")
    heads = ">id priority reasons desk ticket sku order entry since released_by"
    cells = ([_cell(name, row[name]) for name in names] for row in rows)
    terminal.show(rows, lambda _: [grid(terminal, heads, cells)])


def _cell(name: str, value: Any) -> Any:
    if name == "reasons":
        return ", ".join(value)
    return when(value) if name == "since" else value


@app.command(name="release")
@guarded
def release(*, ids: Ids, reason: Reason = "", config: Config = None, json: Json = False) -> None:
    """Let letters go out by themselves again, by numbers of `escalated`: a person has taken care."""
    terminal = open_terminal(config, json=json)
    answer = Talk(terminal).post("escalations", "release", body={"ids": ids, "reason": reason})
    tell(terminal, answer, "tickets.released", count=len(ids))


@app.command(name="figures")
@guarded
def figures(
    *,
    days: Annotated[int, typer.Option("--days", min=1, max=400, help="Days up to today.")] = 30,
    by: Annotated[str, typer.Option("--by", help="day or week.")] = "day",
    sku: OfSku = "",
    as_csv: Annotated[bool, typer.Option("--csv", help="As CSV.")] = False,
    config: Config = None,
    json: Json = False,
) -> None:
    """Show how many waited, were served and left, time to solve, ratings, and cancels within 48 h after solving."""
    terminal = open_terminal(config, json=json)
    told = Talk(terminal).get("tickets", "figures", days=days, by=by, sku=sku)
    names = ("since", "sku", "opened", "moved", "shipped", "cancelled", "refunded", "left", "waiting", "solved",
             "solve_median_h", "solve_p90_h", "good", "bad", "unrated", "cancelled_after_solving")  # fmt: skip
    if as_csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(names)
        writer.writerows([row[name] for name in names] for row in told["rows"])
        return
    heads = "from sku" + "".join(f" >{name}" for name in names[2:-1]) + " >cancelled_48h"
    cells = ([row[name] if row[name] is not None else "–" for name in names] for row in told["rows"])
    terminal.show(told, lambda _: [grid(terminal, heads, cells)])
