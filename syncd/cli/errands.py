"""`syncd inquiries` and `syncd health`: what customers ask about stock, and how the channels judge the shop."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import typer
from rich.console import RenderableType

from syncd.cli.frame import FAILED, Config, Json, Terminal, guarded, open_terminal
from syncd.cli.show import grid, span, when
from syncd.cli.talk import Talk


@guarded
def inquiries(
    *,
    channel: Annotated[str, typer.Argument(help="Of this account only.", show_default=False)] = "",
    config: Config = None,
    json: Json = False,
) -> None:
    """Show open inquiries about stock, as the channels tell them now; without texts and names of customers."""
    terminal = open_terminal(config, json=json)
    told = Talk(terminal).get("inquiries", account=channel)
    terminal.show(told, lambda found: _inquiries(terminal, found))
    if told["failed"]:
        raise typer.Exit(FAILED)


def _inquiries(terminal: Terminal, found: Mapping[str, Any]) -> Iterable[RenderableType]:
    if not found["asked"]:
        yield terminal.say("inquiries.nobody")
    elif found["rows"]:
        names = ("category", "order_number", "about", "title", "url")
        cells = (
            [row["inquiry_id"], when(row["asked_at"]), row["account"], *(row[name] for name in names), row["answered"]]
            for row in found["rows"]
        )
        yield grid(terminal, "inquiry at account category order about title url answered", cells)
    elif not found["failed"]:
        yield terminal.say("inquiries.none")
    for account, reason in found["failed"].items():
        yield terminal.say("inquiries.failed", account=account, reason=reason)


@guarded
def health(*, config: Config = None, json: Json = False) -> None:
    """Show how each channel judges the shop, asked every 6 hours, and how your own cancels stand by its rules."""
    terminal = open_terminal(config, json=json)
    told = Talk(terminal).get("account-health")
    terminal.show(told, lambda found: _health(terminal, found))


def _health(terminal: Terminal, found: Mapping[str, Any]) -> Iterable[RenderableType]:
    if found["accounts"] or not found["rules"]:
        yield from _judgements(terminal, found["accounts"])
    if found["rules"]:
        cells = (
            [
                row["account"],
                row["name"],
                row["count"],
                row["unknown"],
                row["total"],
                *(_figure(row[name], rate=row["rate"]) for name in ("value", "forecast", "limit")),
                terminal.say(f"conduct.{'young' if row['young'] else row['level']}"),
            ]
            for row in found["rules"]
        )
        yield grid(terminal, "account figure >cancels >unknown >total >value >forecast >limit status", cells)
        yield terminal.say("conduct.explained")


def _figure(value: float | None, *, rate: bool) -> str | None:
    if value is None:
        return None
    return percent(value) if rate else f"{value:g}"


def _judgements(terminal: Terminal, accounts: Iterable[Mapping[str, Any]]) -> Iterable[RenderableType]:
    found = list(accounts)
    if not found:
        yield terminal.say("account_health.nobody")
        return
    cells = (
        [
            row["account"],
            figure["name"],
            figure["count"],
            figure["total"],
            percent(figure["rate"]),
            percent(figure["limit"]),
            figure["status"],
            span(row["age_s"]),
        ]
        for row in found
        for figure in row["figures"]
    )
    yield grid(terminal, "account figure >number >total >rate >limit status >age", cells)
    for row in found:
        if row["reason"]:
            yield terminal.say("account_health.failed", account=row["account"], reason=row["reason"])
        elif row["asked_at"] is None:
            yield terminal.say("account_health.waiting", account=row["account"])


def percent(share: float | None) -> str | None:
    """Return a share as percent."""
    return None if share is None else f"{100 * share:.2f} %"
