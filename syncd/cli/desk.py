"""`syncd desk` and `syncd messages`: desks, their set-up, and what waits for a person before it is sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import typer
from rich.console import RenderableType

from syncd.cli.frame import USAGE, Config, Failure, Json, Limit, Terminal, Yes, guarded, open_terminal
from syncd.cli.show import grid, when
from syncd.cli.talk import Talk
from syncd.cli.upload import tell

desk = typer.Typer(help="Desks: where people who wait are answered.", no_args_is_help=True)
messages = typer.Typer(help="What is to be sent to customers.", no_args_is_help=True)

Event = Annotated[str, typer.Option("--event", help="All of this event.")]
Ids = Annotated[list[int] | None, typer.Argument(help="Numbers, as the list shows them.", show_default=False)]


@desk.command(name="status")
@guarded
def show_desks(*, config: Config = None, json: Json = False) -> None:
    """Show the desks: whether sending is released, whether they answer, and what is on its way."""
    terminal = open_terminal(config, json=json)
    found = Talk(terminal).get("desks")["rows"]
    terminal.show(found, lambda rows: [_desks(terminal, rows)])


def _desks(terminal: Terminal, rows: Iterable[Mapping[str, Any]]) -> RenderableType:
    cells = (
        [
            row["name"],
            row["state"],
            when(row["read_at"]),
            row["tickets"]["open"],
            row["tickets"]["joined"],
            row["tickets"]["agent"],
            row["changes"].get("waiting", 0),
            row["changes"].get("held", 0),
            row["changes"].get("unsure", 0),
            row["down_reason"],
        ]
        for row in rows
    )
    return grid(terminal, "desk state read_at >open >joined >agent >waiting >held >unsure down", cells)


@desk.command()
@guarded
def provision(
    *,
    name: Annotated[str, typer.Argument(help="The desk.")],
    apply: Annotated[bool, typer.Option("--apply", help="Do it; left out: the plan alone.")] = False,
    language: Annotated[str, typer.Option("--language", help="ja or en; left out: the one of the settings.")] = "",
    yes: Yes = False,
    config: Config = None,
    json: Json = False,
) -> None:
    """Set up fields, rules and views at a desk, after a plan; repeatable, and nothing of the shop's own is touched."""
    terminal = open_terminal(config, json=json)
    talk = Talk(terminal)
    plan = talk.get("desks", name, "plan", language=language)
    if not (apply and json):
        terminal.show(plan["rows"], lambda rows: [_steps(terminal, rows)])
    if not apply:
        return
    terminal.ask(terminal.say("desk.ask_provision", name=name), yes=yes)
    done = talk.post("desks", name, "provision", body={"language": language})
    terminal.show(done["rows"], lambda rows: [_steps(terminal, rows), terminal.say("desk.provisioned", name=name)])


def _steps(terminal: Terminal, rows: Iterable[Mapping[str, Any]]) -> RenderableType:
    return grid(terminal, "step what title detail", ([r["kind"], r["what"], r["title"], r["detail"]] for r in rows))


@messages.command(name="list")
@guarded
def show_messages(
    *,
    state: Annotated[str, typer.Option("--state", help="held, waiting, unsure, indeterminate, rejected, ...")] = "",
    event: Event = "",
    limit: Limit = 50,
    config: Config = None,
    json: Json = False,
) -> None:
    """Show what is on its way to desks, or waits for a person."""
    terminal = open_terminal(config, json=json)
    rows = list(Talk(terminal).pages("messages", limit=limit, state=state, event=event))
    names = ("id", "desk", "message", "state", "sku", "order_number", "event", "reason")
    heads = "number desk message state sku order event reason"
    terminal.show(rows, lambda found: [grid(terminal, heads, ([row[n] for n in names] for row in found))])


@messages.command()
@guarded
def release(*, ids: Ids = None, event: Event = "", config: Config = None, json: Json = False) -> None:
    """Send what is held."""
    _decide(open_terminal(config, json=json), "release", ids, event)


@messages.command()
@guarded
def refuse(*, ids: Ids = None, event: Event = "", config: Config = None, json: Json = False) -> None:
    """Drop what is held."""
    _decide(open_terminal(config, json=json), "refuse", ids, event)


def _decide(terminal: Terminal, word: str, ids: list[int] | None, event: str) -> None:
    if bool(ids) == bool(event):
        raise Failure(USAGE, terminal.say("messages.which"))
    answer = Talk(terminal).post("messages", word, body={"ids": ids or None, "event": event})
    tell(terminal, answer, f"messages.{word}")
