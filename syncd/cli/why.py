"""`syncd why`: from the units that there are to the number that each listing shows, step by step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Final

import typer
from rich.console import RenderableType

from syncd.cli.frame import Config, Json, Terminal, guarded, open_terminal
from syncd.cli.show import grid, interval, span, when
from syncd.cli.talk import Talk

CHANGES: Final = 5
"""Changes since the last certain number that are told of one listing, the last ones."""


@guarded
def why(
    *,
    sku: Annotated[str, typer.Argument(help="SKU.")],
    channel: Annotated[str, typer.Option("--channel", help="On this account only.")] = "",
    config: Config = None,
    json: Json = False,
) -> None:
    """Tell why each listing of a SKU shows its number, and what is next for it."""
    terminal = open_terminal(config, json=json)
    terminal.show(Talk(terminal).get("why", sku, account=channel), lambda found: _parts(terminal, found))


def _parts(terminal: Terminal, found: Mapping[str, Any]) -> Iterator[RenderableType]:
    yield terminal.say("why.sku", sku=found["sku"], available=found["available"])
    if not found["counted"]:
        yield terminal.say("obstacle.not_counted", detail="", until="")
    names = ("location", "on_hand", "committed", "held", "available")
    cells = ([_named(place), *(place[name] for name in names)] for place in found["places"])
    yield grid(terminal, "sku location >on_hand >committed >held >available", cells)
    for doubt in found["doubts"]:
        since, until = when(doubt["since"]), when(doubt["until"])
        yield terminal.say("why.doubt", account=doubt["account"], units=doubt["units"], since=since, until=until)
    if not found["listings"]:
        yield terminal.say("why.no_listing", sku=found["sku"])
    for listing in found["listings"]:
        yield ""
        yield from _listing(terminal, listing)


def _named(place: Mapping[str, Any]) -> str:
    return f"{place['per_kit']} x {place['sku']}" if place["per_kit"] > 1 else str(place["sku"])


def _listing(terminal: Terminal, one: Mapping[str, Any]) -> Iterator[str]:
    belief = one["belief"]
    name = one["remote_id"] + (f" @{one['remote_location']}" if one["remote_location"] else "")
    shows = interval(belief["low"], belief["high"]) or "?"
    target = "-" if one["target"] is None else one["target"]
    yield terminal.say("why.listing", account=one["account"], listing=name, target=target, shows=shows)
    if one["aim"] is not None:
        yield from _aim(terminal, one["aim"])
    yield from _belief(terminal, belief)
    if one["margin"] is not None and one["margin"]["units"]:
        margin = one["margin"]
        yield terminal.say(
            "why.margin",
            units=margin["units"],
            per_day=f"{margin['per_day']:.1f}",
            window=span(margin["window_s"]),
            until=when(margin["orders_known_until"]) or "-",
        )
    if one["next"] is not None:
        yield terminal.say("why.next", step=_step(terminal, one["next"]))
    if one["renewing"]:
        yield terminal.say("why.renewing")
    for found in one["obstacles"]:
        text = terminal.say(f"obstacle.{found['what']}", detail=found["detail"], until=when(found["until"]) or "-")
        yield terminal.say("why.obstacle", text=text.rstrip(" :："))


def _aim(terminal: Terminal, aim: Mapping[str, Any]) -> Iterator[str]:
    steps = [terminal.say("why.available", units=aim["available"], places=", ".join(aim["locations"]))]
    less = [what for what in ("kept_back", "capped", "elsewhere", "split") if aim[what]]
    steps += [terminal.say(f"why.{what}", units=aim[what]) for what in less]
    target = "-" if aim["target"] is None else aim["target"]
    yield terminal.say("why.steps", steps=" ".join(steps), target=target)
    yield terminal.say("why.policy", values=", ".join(_settings(terminal, aim["policy"])))
    if aim["exposure"] is not None:
        yield from _exposure(terminal, aim["exposure"])


def _exposure(terminal: Terminal, found: Mapping[str, Any]) -> Iterator[str]:
    limit = terminal.say("why.all") if found["limit"] is None else found["limit"]
    yield terminal.say(
        f"why.by_{found['rule']}",
        loss=found["loss"],
        lines=f"{found['lines_per_day']:.1f}",
        size=f"{found['units_per_line']:.1f}",
        share=f"{100 * found['share']:.0f}",
        limit=limit,
        ceiling="-" if found["ceiling"] is None else max(0, found["ceiling"]),
        unheard=found["unheard"],
    )
    if found["seasons"]:
        yield terminal.say("why.seasons", names=", ".join(found["seasons"]))
    for lag in found["lags"] if found["rule"] == "adaptive" else ():
        yield terminal.say(
            "why.lag",
            account=lag["account"],
            heard=span(lag["heard_s"]),
            heard_by=terminal.say(f"lag_ground.{lag['heard_by']}"),
            visible=span(lag["visible_s"]),
            visible_by=terminal.say(f"lag_ground.{lag['visible_by']}"),
        )
        measured = lag["heard_measured_s"], lag["visible_measured_s"]
        if any(value is not None for value in measured):
            heard, visible = ("-" if value is None else span(value) for value in measured)
            yield terminal.say("why.measured", heard=heard, visible=visible)


def _settings(terminal: Terminal, policy: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for setting in policy:
        value = "-" if setting["value"] is None else setting["value"]
        origin = terminal.say(f"policy_origin.{setting['origin']}")
        yield terminal.say(f"why.{setting['name']}", value=value, origin=origin)


def _belief(terminal: Terminal, belief: Mapping[str, Any]) -> Iterator[str]:
    if belief["base"] is None:
        return
    since, until = when(belief["base_from"]), when(belief["base_until"])
    yield terminal.say("why.base", units=belief["base"], since=since, until=until)
    for change in belief["changes"][-CHANGES:]:
        say = "why.maybe" if change["maybe"] else "why.change"
        units = f"{change['quantity']:+d}"
        yield terminal.say(say, units=units, since=when(change["since"]), until=when(change["until"]) or "?")
    for write in belief["open_writes"]:
        sent, until = when(write["sent_at"]), when(write["until"])
        yield terminal.say("why.open_write", units=write["quantity"], sent=sent, until=until)
    if belief["seen_at"] is not None:
        yield terminal.say("why.seen", units=belief["seen"], at=when(belief["seen_at"]))


def _step(terminal: Terminal, found: Mapping[str, Any]) -> str:
    """Return what is next in words: what, why, and when where it is not now."""
    text = terminal.say(f"next.{found['why']}", units=found["quantity"])
    return text if found["at"] is None else terminal.say("why.due", text=text, at=when(found["at"]))
