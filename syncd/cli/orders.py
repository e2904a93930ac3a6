"""`syncd orders` and `syncd ledger`: what was sold, and the proof that the numbers sum up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import typer
from rich.console import RenderableType
from typer.core import TyperGroup

from syncd.cli.frame import FAILED, USAGE, Config, Failure, Json, Limit, Terminal, Yes, guarded, open_terminal
from syncd.cli.show import grid, when
from syncd.cli.talk import Talk
from syncd.sdk.features import CancelReason


class Listing(TyperGroup):
    """Commands of which `list` is the one that is meant where none is named: `syncd orders --delayed`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the name of the command where it is left out."""
        if not args or (args[0] not in self.commands and args[0] != "--help"):
            args = ["list", *args]
        return super().parse_args(ctx, args)


orders = typer.Typer(help="Orders of all channels.", cls=Listing)
ledger = typer.Typer(help="The ledger's own proof.", no_args_is_help=True)


# `list` would hide the type of that name.
@orders.command(name="list")
@guarded
def list_orders(
    *,
    account: Annotated[str, typer.Argument(help="Account of one order to show.", show_default=False)] = "",
    order_id: Annotated[str, typer.Argument(help="The channel's own id of that order.", show_default=False)] = "",
    channel: Annotated[str, typer.Option("--channel", help="Of this account only.")] = "",
    status: Annotated[str, typer.Option("--status", help="Words that all fit: open,paid,unfulfilled,...")] = "",
    delayed: Annotated[bool, typer.Option("--delayed", help="Only those that the stock does not cover.")] = False,
    text: Annotated[str, typer.Option("--text", help="Only with this in the number.")] = "",
    limit: Limit = 50,
    config: Config = None,
    json: Json = False,
) -> None:
    """Show orders of all channels, newest first; or one with its lines."""
    terminal = open_terminal(config, json=json)
    talk = Talk(terminal)
    if account and order_id:
        terminal.show(talk.get("orders", account, order_id), lambda found: _detail(terminal, found))
        return
    asked = {"account": channel or account, "status": status, "delayed": delayed, "text": text}
    rows = list(talk.pages("orders", cursor="before", limit=limit, **asked))
    terminal.show(rows, lambda found: [_order_grid(terminal, found)])


@orders.command()
@guarded
def cancel(
    *,
    channel: Annotated[str, typer.Argument(help="The account of the order.")],
    order: Annotated[str, typer.Argument(help="Its number, or the channel's own id of it.")],
    reason: Annotated[CancelReason, typer.Option("--reason", help="Why; the channel judges the shop by it.")],
    line: Annotated[
        list[str] | None, typer.Option("--line", help="Only this line and so many units, LINE=QTY; may be repeated.")
    ] = None,
    yes: Yes = False,
    config: Config = None,
    json: Json = False,
) -> None:
    """Cancel an order at its channel, or units of some of its lines. Asks first; nothing ever does it by itself."""
    terminal = open_terminal(config, json=json)
    talk = Talk(terminal)
    lines = [_line(terminal, text) for text in line or ()]
    order_id = _order_id(terminal, talk, channel, order)
    found = talk.get("orders", channel, order_id)
    if not json:
        terminal.show(found, lambda value: _detail(terminal, value))
    ask = "cancel.ask_lines" if lines else "cancel.ask"
    number = found["order"]["number"]
    terminal.ask(terminal.say(ask, order=number, channel=channel, reason=reason.value), yes=yes)
    body = {"reason": reason.value, "lines": lines}
    told = talk.post("orders", channel, order_id, "cancel", body=body)
    say = {
        "applied": terminal.say("cancel.applied", order=number),
        "accepted": terminal.say("cancel.accepted", order=number),
        "indeterminate": terminal.say("cancel.indeterminate", order=number, channel=channel, reason=told["reason"]),
    }
    terminal.show({"account": channel, "order": number, **told}, lambda _: [say[told["outcome"]]])
    if told["outcome"] == "indeterminate":
        raise typer.Exit(FAILED)


def _line(terminal: Terminal, text: str) -> dict[str, Any]:
    """Return a line of the body: `LINE=QTY`."""
    line_id, separator, quantity = text.rpartition("=")
    if not separator or not line_id or not quantity.isascii() or not quantity.isdigit() or int(quantity) < 1:
        raise Failure(USAGE, terminal.say("cancel.line", given=text))
    return {"line_id": line_id, "quantity": int(quantity)}


def _order_id(terminal: Terminal, talk: Talk, channel: str, order: str) -> str:
    """Return the channel's own id of an order that a person names by its number or by that id."""
    rows = list(talk.pages("orders", cursor="before", limit=50, account=channel, text=order))
    found = [row["order_id"] for row in rows if row["number"] == order]
    if len(found) > 1:
        raise Failure(FAILED, terminal.say("cancel.several", order=order, ids=", ".join(found)))
    return str(found[0]) if found else order


def _order_grid(terminal: Terminal, rows: Iterable[Mapping[str, Any]]) -> RenderableType:
    return grid(
        terminal,
        "account order order_id ordered_at payment fulfilment returns >units >shipped >cancelled >unmapped delayed",
        (
            [
                row["account"],
                row["number"],
                row["order_id"],
                when(row["ordered_at"]),
                row["payment"],
                "cancelled" if row["cancelled"] else row["fulfilment"],
                row["returns"],
                row["units"],
                row["units_shipped"],
                row["units_cancelled"],
                row["unmapped"],
                row["delayed"],
            ]
            for row in rows
        ),
    )


def _detail(terminal: Terminal, found: Mapping[str, Any]) -> Iterable[RenderableType]:
    yield _order_grid(terminal, [found["order"]])
    names = ("line_id", "sku", "remote_sku", "remote_id", "location", "quantity", "shipped", "cancelled", "returned")
    yield grid(
        terminal,
        "line sku remote_sku listing location >quantity >shipped >cancelled >returned short",
        ([line[name] for name in (*names, "short")] for line in found["lines"]),
    )


@ledger.command()
@guarded
def verify(*, config: Config = None, json: Json = False) -> None:
    """Compute all balances anew from the movements and tell every difference; works beside a running daemon."""
    from syncd.cli.files import verify_store  # noqa: PLC0415  (the database's libraries cost half a second)

    terminal = open_terminal(config, json=json)
    found = verify_store(terminal.daemon())
    told = {"ok": not found, "discrepancies": found}
    end = terminal.say("ledger.wrong" if found else "ledger.right", count=len(found))
    terminal.show(told, lambda _: [*map(str, found), end])
    if found:
        raise typer.Exit(FAILED)
