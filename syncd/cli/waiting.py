"""`syncd drift`, `syncd brake` and `syncd alerts`: what waits for a person's word."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from syncd.cli.frame import USAGE, Config, Failure, Json, Terminal, guarded, open_terminal
from syncd.cli.show import grid, interval, when
from syncd.cli.talk import Talk
from syncd.cli.upload import tell

drift = typer.Typer(help="Numbers that somebody changed at a channel.", no_args_is_help=True)
brake = typer.Typer(help="Changes that the brake holds.", no_args_is_help=True)
alerts = typer.Typer(help="Alerts by mail and webhook.", no_args_is_help=True)

Ids = Annotated[list[int] | None, typer.Argument(help="Numbers as `list` tells them.", show_default=False)]
Every = Annotated[bool, typer.Option("--all", help="All that wait.")]


# `list` would hide the type of that name.
@drift.command(name="list")
@guarded
def list_drift(*, config: Config = None, json: Json = False) -> None:
    """Show hand edits that wait: accept them as stock, or have them overwritten."""
    terminal = open_terminal(config, json=json)
    rows = Talk(terminal).get("drift")["rows"]
    cells = [
        [row["id"], when(row["at"]), row["account"], row["remote_id"], row["sku"], row["seen"], _expected(row)]
        for row in rows
    ]
    terminal.show(rows, lambda _: [grid(terminal, ">id at account listing sku >seen expected", cells)])


def _expected(row: Any) -> str | None:
    return interval(row["expected_low"], row["expected_high"])


@drift.command()
@guarded
def accept(*, ids: Ids = None, every: Every = False, config: Config = None, json: Json = False) -> None:
    """Take hand edits as the truth of stock."""
    _decide(open_terminal(config, json=json), ("drift", "accept"), ids, every=every)


@drift.command()
@guarded
def overwrite(*, ids: Ids = None, every: Every = False, config: Config = None, json: Json = False) -> None:
    """Write our numbers over hand edits."""
    _decide(open_terminal(config, json=json), ("drift", "overwrite"), ids, every=every)


@brake.command(name="list")
@guarded
def list_brake(*, config: Config = None, json: Json = False) -> None:
    """Show what the brake holds, and what caused it."""
    terminal = open_terminal(config, json=json)
    rows = Talk(terminal).get("brake")["rows"]
    names = ("id", "at", "cause", "to_zero", "raised", "listings")
    cells = [[when(row[name]) if name == "at" else row[name] for name in names] for row in rows]
    terminal.show(rows, lambda _: [grid(terminal, ">id at cause >to_zero >raises >listings", cells)])


@brake.command()
@guarded
def release(*, ids: Ids = None, every: Every = False, config: Config = None, json: Json = False) -> None:
    """Let held changes take effect."""
    _decide(open_terminal(config, json=json), ("brake", "release"), ids, every=every)


@brake.command()
@guarded
def refuse(*, ids: Ids = None, every: Every = False, config: Config = None, json: Json = False) -> None:
    """Drop held changes."""
    _decide(open_terminal(config, json=json), ("brake", "refuse"), ids, every=every)


def _decide(terminal: Terminal, path: tuple[str, str], ids: list[int] | None, *, every: bool) -> None:
    if bool(ids) == every:
        raise Failure(USAGE, terminal.say("waiting.which"))
    answer = Talk(terminal).post(*path, body={"all": True} if every else {"ids": ids})
    tell(terminal, answer, f"{path[0]}.{path[1]}")


@alerts.command(name="test")
@guarded
def send_test(*, config: Config = None, json: Json = False) -> None:
    """Send an alert that says it is a test, by mail and webhook as they are set."""
    terminal = open_terminal(config, json=json)
    answer = Talk(terminal).post("alerts", "test", body={})
    terminal.show(answer, lambda _: [terminal.say("alerts.sent", ways=", ".join(answer["ways"]))])
