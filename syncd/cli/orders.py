"""`syncd orders` and `syncd ledger`: what was sold, and the proof that the numbers sum up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import typer
from rich.console import RenderableType

from syncd.cli.frame import FAILED, Config, Json, Limit, Terminal, guarded, open_terminal
from syncd.cli.show import grid, when
from syncd.cli.talk import Talk

ledger = typer.Typer(help="The ledger's own proof.", no_args_is_help=True)


@guarded
def orders(
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
    names = ("sku", "remote_sku", "remote_id", "location", "quantity", "shipped", "cancelled", "returned", "short")
    yield grid(
        terminal,
        "sku remote_sku listing location >quantity >shipped >cancelled >returned short",
        ([line[name] for name in names] for line in found["lines"]),
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
