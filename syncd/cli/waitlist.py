"""`syncd waitlist`, `tickets`, `arrivals` and `deliveries`: who waits, and what is to come for them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import typer
from rich.console import RenderableType

from syncd import tables
from syncd.cli.frame import Config, Json, Limit, Place, Reason, Terminal, Yes, guarded, open_terminal
from syncd.cli.show import grid, when
from syncd.cli.talk import Talk
from syncd.cli.upload import FileIn, SkipBad, Upload, rows_of, send, tell

waitlist = typer.Typer(help="Those who wait for goods, with or without an order.", no_args_is_help=True)
tickets = typer.Typer(help="Tickets of desks, as they were stated last.", no_args_is_help=True)
arrivals = typer.Typer(help="What suppliers will bring.", no_args_is_help=True)
deliveries = typer.Typer(help="Deliveries that somebody waited for.", no_args_is_help=True)

OfSku = Annotated[str, typer.Option("--sku", help="Of this SKU only.")]
Closed = Annotated[bool, typer.Option("--all", help="Those that are over too.")]
Ids = Annotated[list[int], typer.Argument(help="Numbers, as lists show them.")]


def show_entries(
    *,
    sku: OfSku = "",
    state: Annotated[str, typer.Option("--state", help="pending, restocked, shipped, cancelled or refunded.")] = "",
    closed: Closed = False,
    limit: Limit = 50,
    config: Config = None,
    json: Json = False,
) -> None:
    """Show those who wait, by number."""
    terminal = open_terminal(config, json=json)
    rows = list(Talk(terminal).pages("waitlist", limit=limit, sku=sku, state=state, closed=closed))
    names = ("id", "sku", "quantity", "lacks", "state", "account", "order_number", "expected", "promised", "offer")
    heads = "entry sku >quantity >lacks state account order expected promised offer since"
    terminal.show(
        rows,
        lambda found: [grid(terminal, heads, ([*(row[n] for n in names), when(row["since"])] for row in found))],
    )


def show_entry(
    *,
    entry: Annotated[int, typer.Argument(help="Number of the entry.")],
    config: Config = None,
    json: Json = False,
) -> None:
    """Show one entry with its tickets, and what was told when."""
    terminal = open_terminal(config, json=json)
    found = Talk(terminal).get("waitlist", str(entry))
    terminal.show(found, lambda told: _entry(terminal, told))


def _entry(terminal: Terminal, told: Mapping[str, Any]) -> Iterable[RenderableType]:
    for name, value in told.items():
        if name not in ("tickets", "told") and value not in ("", None):
            yield f"{name}: {value}"
    cells = ([t["desk"], t["ticket_id"], t["status"], t["state"], t["agent"]] for t in told["tickets"])
    yield grid(terminal, "desk ticket status state agent", cells)
    yield grid(terminal, "message route event", ([m["kind"], m["route"], m["event"]] for m in told["told"]))


def add_entry(
    *,
    sku: Annotated[str, typer.Argument(help="What is waited for.")],
    key: Annotated[str, typer.Argument(help="Your own id of it: a repeat changes nothing.")],
    quantity: Annotated[int, typer.Option("--quantity", min=1, max=1_000, help="Units.")] = 1,
    account: Annotated[str, typer.Option("--channel", help="Where they want to buy.")] = "",
    order: Annotated[str, typer.Option("--order", help="The order, by its number on any channel.")] = "",
    language: Annotated[str, typer.Option("--language", help="ja, en or zh.")] = "",
    config: Config = None,
    json: Json = False,
) -> None:
    """Let somebody wait for a SKU."""
    terminal = open_terminal(config, json=json)
    row = {"sku": sku, "key": key, "quantity": quantity, "account": account, "order_number": order}
    row |= {"language": language}
    rows = [{name: value for name, value in row.items() if value != ""}]
    answer = Talk(terminal).post("waitlist", body={"rows": rows})
    tell(terminal, answer, "waitlist.added", sku=sku)


def import_entries(
    *,
    file: FileIn,
    apply: Annotated[bool, typer.Option("--apply", help="Do it; left out: the plan alone.")] = False,
    skip_bad: SkipBad = False,
    yes: Yes = False,
    config: Config = None,
    json: Json = False,
) -> None:
    """Take those who wait from a file, after a plan: key,sku and, if wanted, quantity,account,order_number,language."""
    terminal = open_terminal(config, json=json)
    rows = [row.values for row in rows_of(terminal, file, tables.WAITING, skip_bad=skip_bad).rows]
    plan = _plan(Talk(terminal), rows)
    if not apply:
        terminal.show(plan, lambda found: _planned(terminal, found))
        return
    terminal.ask(terminal.say("waitlist.ask", count=len(rows)), yes=yes)
    upload = Upload(file=file, columns=tables.WAITING, path=("waitlist",), body={}, skip_bad=skip_bad)
    answer = send(terminal, upload)
    tell(terminal, answer, "waitlist.taken", count=answer["taken"])


def _plan(talk: Talk, rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return per SKU how many units are wanted, beside those that wait already and what is available."""
    units: Counter[str] = Counter()
    count: Counter[str] = Counter()
    for row in rows:
        units[row["sku"]] += row.get("quantity", 1)
        count[row["sku"]] += 1
    stock = {row["sku"]: row for row in talk.pages("stock")}
    return [
        {
            "sku": sku,
            "entries": count[sku],
            "units": units[sku],
            "available": stock[sku]["available"] if sku in stock else None,
            "known": sku in stock,
        }
        for sku in sorted(units)
    ]


def _planned(terminal: Terminal, plan: Iterable[Mapping[str, Any]]) -> Iterable[RenderableType]:
    names = ("sku", "entries", "units", "available", "known")
    yield grid(terminal, "sku >entries >units >available known", ([row[n] for n in names] for row in plan))
    yield terminal.say("waitlist.plan")


@waitlist.command()
@guarded
def leave(*, ids: Ids, reason: Reason = "", yes: Yes = False, config: Config = None, json: Json = False) -> None:
    """Let entries wait no more: they are neither served nor told."""
    terminal = open_terminal(config, json=json)
    terminal.ask(terminal.say("waitlist.ask_leave", count=len(ids)), yes=yes)
    answer = Talk(terminal).post("waitlist", "leave", body={"ids": ids, "reason": reason})
    tell(terminal, answer, "waitlist.left", count=len(ids))


waitlist.command(name="list")(guarded(show_entries))
waitlist.command(name="show")(guarded(show_entry))
waitlist.command(name="add")(guarded(add_entry))
waitlist.command(name="import")(guarded(import_entries))
tickets.command(name="add")(guarded(add_entry))
tickets.command(name="import")(guarded(import_entries))


@tickets.command(name="list")
@guarded
def show_tickets(
    *,
    desk: Annotated[str, typer.Option("--desk", help="Of this desk only.")] = "",
    agent: Annotated[bool, typer.Option("--agent", help="Only those that a person has to look at.")] = False,
    limit: Limit = 50,
    config: Config = None,
    json: Json = False,
) -> None:
    """Show tickets of all desks."""
    terminal = open_terminal(config, json=json)
    rows = list(Talk(terminal).pages("tickets", limit=limit, desk=desk, agent=agent))
    names = ("desk", "ticket_id", "status", "state", "sku", "order_number", "entry_id", "agent")
    heads = "desk ticket status state sku order entry agent"
    terminal.show(rows, lambda found: [grid(terminal, heads, ([row[n] for n in names] for row in found))])


@tickets.command(name="show")
@guarded
def show_ticket(
    *,
    desk: Annotated[str, typer.Argument(help="Its desk.")],
    ticket: Annotated[str, typer.Argument(help="Its id there.")],
    config: Config = None,
    json: Json = False,
) -> None:
    """Show one ticket."""
    terminal = open_terminal(config, json=json)
    found = Talk(terminal).get("tickets", desk, ticket)
    terminal.show(found, lambda told: (f"{name}: {value}" for name, value in told.items() if value not in ("", None)))


# --- what is to come ------------------------------------------------------------------------------------------------


@arrivals.command(name="list")
@guarded
def show_arrivals(
    *, sku: OfSku = "", closed: Closed = False, limit: Limit = 50, config: Config = None, json: Json = False
) -> None:
    """Show what suppliers will bring, and the day that may be promised."""
    terminal = open_terminal(config, json=json)
    rows = list(Talk(terminal).pages("arrivals", limit=limit, sku=sku, closed=closed))
    names = ("number", "sku", "location", "quantity", "received", "expected", "promised", "state")
    heads = "number sku location >quantity >received expected promised state"
    terminal.show(rows, lambda found: [grid(terminal, heads, ([row[n] for n in names] for row in found))])


@arrivals.command(name="set")
@guarded
def set_arrival(
    *,
    number: Annotated[str, typer.Argument(help="Number of the purchase order.")],
    sku: Annotated[str, typer.Argument(help="SKU.")],
    quantity: Annotated[int, typer.Argument(min=0, help="Units in all; 0 takes it back.")],
    expected: Annotated[str, typer.Option("--on", help="The supplier's day, as 2026-12-01; left out: not known.")] = "",
    location: Place = "",
    config: Config = None,
    json: Json = False,
) -> None:
    """State one line of a purchase order; the expected days of those who wait follow."""
    terminal = open_terminal(config, json=json)
    row = {"number": number, "sku": sku, "quantity": quantity, "expected": expected, "location": location}
    answer = Talk(terminal).post("arrivals", body={"rows": [row]})
    tell(terminal, answer, "arrivals.taken", count=1)


@arrivals.command(name="import")
@guarded
def import_arrivals(*, file: FileIn, skip_bad: SkipBad = False, config: Config = None, json: Json = False) -> None:
    """Take purchase orders from a file: number,sku,quantity and, if wanted, expected,location."""
    terminal = open_terminal(config, json=json)
    upload = Upload(file=file, columns=tables.ARRIVALS, path=("arrivals",), body={}, skip_bad=skip_bad)
    answer = send(terminal, upload)
    tell(terminal, answer, "arrivals.taken", count=answer["taken"])


@deliveries.command(name="list")
@guarded
def show_deliveries(*, limit: Limit = 20, config: Config = None, json: Json = False) -> None:
    """Show deliveries that somebody waited for, newest first."""
    terminal = open_terminal(config, json=json)
    rows = list(Talk(terminal).pages("deliveries", cursor="before", limit=limit))
    names = ("id", "sku", "location", "quantity", "remaining", "state", "event")
    heads = "delivery sku location >quantity >remaining state event at"
    terminal.show(
        rows, lambda found: [grid(terminal, heads, ([*(row[n] for n in names), when(row["at"])] for row in found))]
    )


@deliveries.command()
@guarded
def correct(
    *,
    delivery: Annotated[int, typer.Argument(help="Number of the delivery.")],
    quantity: Annotated[int, typer.Argument(min=0, help="Units that came in truth.")],
    reason: Reason = "",
    yes: Yes = False,
    config: Config = None,
    json: Json = False,
) -> None:
    """Correct a delivery: messages not yet sent are stopped, and an alert names who was told in vain."""
    terminal = open_terminal(config, json=json)
    terminal.ask(terminal.say("deliveries.ask", delivery=delivery, quantity=quantity), yes=yes)
    body = {"quantity": quantity, "reason": reason}
    answer = Talk(terminal).post("deliveries", str(delivery), "correct", body=body)
    tell(terminal, answer, "deliveries.corrected", delivery=delivery)
