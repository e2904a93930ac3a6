"""`syncd postmortem`: the timeline of a SKU or an order, and why more was sold than there was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer
from rich.console import RenderableType

from syncd.cli.frame import Config, Json, Terminal, guarded, open_terminal
from syncd.cli.show import grid, span, when
from syncd.cli.talk import Talk


@guarded
def postmortem(
    *,
    name: Annotated[str, typer.Argument(metavar="ORDER|SKU", help="A SKU, or the number or id of an order.")],
    channel: Annotated[str, typer.Option("--channel", help="Of this account only; of an order: where it is.")] = "",
    since: Annotated[str, typer.Option("--since", help="From this time on, as 2026-11-22T18:00:00+09:00.")] = "",
    config: Config = None,
    json: Json = False,
) -> None:
    """Tell what happened to the units of a SKU or an order: sales, lags, writes, and what an oversell came from."""
    terminal = open_terminal(config, json=json)
    told = Talk(terminal).get("postmortem", name, account=channel, since=since)
    terminal.show(told, lambda found: _parts(terminal, found))


def _parts(terminal: Terminal, found: Mapping[str, Any]) -> Iterator[RenderableType]:
    for number, one in enumerate(found["skus"]):
        if number:
            yield ""
        yield terminal.say("postmortem.sku", sku=one["sku"], available=one["available"])
        if one["entries"]:
            yield _timeline(terminal, one["entries"])
        if not one["incidents"]:
            yield terminal.say("postmortem.calm" if one["counted"] else "postmortem.not_counted", sku=one["sku"])
        for incident in one["incidents"]:
            yield ""
            yield from _incident(terminal, incident)
        for rule in one["rules"]:
            values = {"units": rule["safety_stock"], "percent": rule["safety_percent"], "cap": rule["cap"]}
            cap = "-" if rule["cap"] is None else rule["cap"]
            exposure = f"{rule['exposure']} {rule['loss']}" if rule["exposure"] == "adaptive" else rule["exposure"]
            told = {**values, "cap": cap, "exposure": exposure}
            yield terminal.say("postmortem.rule", account=rule["account"], **told)
        if one["advice"] is not None:
            yield ""
            yield from _advice(terminal, one)
        yield from _lacking(terminal, one)


def _timeline(terminal: Terminal, entries: list[Mapping[str, Any]]) -> RenderableType:
    cells = (
        [
            when(one["at"]),
            terminal.say(f"event.{one['what']}"),
            one["account"],
            one["order"],
            one["listing"],
            None if one["units"] is None else f"{one['units']:+d}",
            _available(one),
            span(one["lag_s"]),
            _detail(terminal, one),
        ]
        for one in entries
    )
    return grid(terminal, "at event account order listing >units >available >lag detail", cells)


def _available(one: Mapping[str, Any]) -> str | None:
    """Return what was available after an entry; less than nothing is marked."""
    units = one["available"]
    return None if units is None else f"{units} !" if units < 0 else str(units)


def _detail(terminal: Terminal, one: Mapping[str, Any]) -> str:
    match one["what"]:
        case "write":
            text = terminal.say("postmortem.sent", units=one["quantity"], state=terminal.say(f"outcome.{one['state']}"))
        case "brake":
            return f"{one['detail']} ({one['state']})"
        case "drift":
            return terminal.say("postmortem.drift", seen=one["quantity"], expected=one["detail"])
        case _:
            return str(one["detail"])
    return f"{text} {one['detail']}".rstrip()


def _incident(terminal: Terminal, incident: Mapping[str, Any]) -> Iterator[str]:
    lasts = incident["ended_at"] is None
    say = "postmortem.lasts" if lasts else "postmortem.over"
    yield terminal.say(say, began=when(incident["began_at"]), ended=when(incident["ended_at"]), units=incident["short"])
    if not incident["losers"]:
        yield terminal.say("postmortem.nobody", by=terminal.say(f"event.{incident['by']}"))
    for loser in incident["losers"]:
        yield from _loser(terminal, loser)
    if incident["served"]:
        yield terminal.say("postmortem.served", incident=incident["record"])
    for order in incident["served"]:
        yield from _loser(terminal, order)


def _loser(terminal: Terminal, loser: Mapping[str, Any]) -> Iterator[str]:
    if loser["cause"] == "chosen":
        names = ("account", "order", "lost", "units")
        yield terminal.say("postmortem.chosen", **{name: loser[name] for name in names}, at=when(loser["ordered_at"]))
        return
    yield terminal.say(
        "postmortem.loser",
        account=loser["account"],
        order=loser["order"],
        lost=loser["lost"],
        units=loser["units"],
        at=when(loser["ordered_at"]),
        left=max(0, loser["left"]),
    )
    yield terminal.say("postmortem.cause", cause=terminal.say(f"cause.{loser['cause']}"))
    for crossed in loser["crossed"]:
        yield _crossed(terminal, crossed)
    for move in loser["lowered"]:
        event = terminal.say(f"event.{move['what']}")
        yield terminal.say("postmortem.lowered", event=event, units=move["units"], at=when(move["at"]))
    for drift in loser["drifts"]:
        values = {"seen": drift["quantity"], "expected": drift["detail"], "at": when(drift["at"])}
        yield terminal.say("postmortem.foreign", **values)
    if loser["showed"] is not None:
        showed = loser["showed"]
        at = when(showed["in_effect_at"])
        yield terminal.say("postmortem.showed", account=loser["account"], units=showed["quantity"], at=at)


def _crossed(terminal: Terminal, crossed: Mapping[str, Any]) -> str:
    told = terminal.say(
        "postmortem.crossed",
        account=crossed["account"],
        order=crossed["order"],
        units=crossed["units"],
        at=when(crossed["ordered_at"]),
        heard=span(crossed["heard_s"]),
    )
    if crossed["shown_s"] is not None:
        return told + terminal.say("postmortem.shown", shown=span(crossed["shown_s"]))
    write = crossed["write"]
    if write is None:
        return told + terminal.say("postmortem.never_sent")
    state = terminal.say(f"outcome.{write['state']}")
    values = {"units": write["quantity"], "at": when(write["sent_at"]), "state": state, "reason": write["reason"]}
    return told + terminal.say("postmortem.in_vain", **values)


def _advice(terminal: Terminal, one: Mapping[str, Any]) -> Iterator[str]:
    advice = one["advice"]
    yield terminal.say("postmortem.advice")
    for stock in advice["safety_stock"]:
        yield terminal.say("postmortem.safety_stock", account=stock["account"], units=stock["units"], sku=stock["sku"])
    if advice["safety_stock"]:
        yield terminal.say("postmortem.whatif", units=max(stock["units"] for stock in advice["safety_stock"]))
    for what in ("counts", "writes", "others"):
        if advice[what]:
            yield terminal.say(f"postmortem.{what}", sku=one["sku"])
    if not advice["safety_stock"] and not any(advice[what] for what in ("counts", "writes", "others")):
        yield terminal.say("postmortem.no_advice")


def _lacking(terminal: Terminal, one: Mapping[str, Any]) -> Iterator[str]:
    yield ""
    for listing in one["listings"]:
        if listing["seen_at"] is not None:
            name, at = listing["listing"], when(listing["seen_at"])
            yield terminal.say(
                "postmortem.read", account=listing["account"], listing=name, units=listing["seen"], at=at
            )
    since = when(one["writes_since"]) or "-"
    for what in one["missing"]:
        yield terminal.say(f"lacking.{what}", since=since)
