"""How the demo ended: figures for machines, a table for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

import msgspec
from rich.console import Console
from rich.table import Table

from syncd.demo.books import Books
from syncd.demo.lags import quantile
from syncd.demo.naive import CLOCKS
from syncd.demo.play import Play
from syncd.demo.rest import Rest
from syncd.demo.script import BROKEN
from syncd.demo.view import seconds
from syncd.demo.waiting import Wait

ROWS: Final = (
    ("wanted", "demand"),
    ("sold", "sold"),
    ("oversold: sold, and not there", "oversold"),
    ("sent away", "refused"),
    ("sent away, though there", "hidden"),
    ("cancelled", "cancelled"),
    ("left to sell at the end", "left"),
    ("numbers written", "writes"),
)
MOST_WRONG: Final = 10


def figures(play: Play, rest: Rest, wait: Wait | None) -> dict[str, float]:
    """Return what came of it: units, milliseconds, counts; those of the naive tool begin with `naive_`."""
    totals, lags = play.stage.lags.totals(), play.stage.lags
    known = [value for series in lags.series.values() for value in series.known]
    ours = _of(play.books, sum(play.stage.watch.writes.values()))
    return {
        "seconds": round(play.now_s, 1),
        **ours,
        **{f"naive_{name}": value for name, value in play.naive.mean().items()},
        "known_p50_ms": _ms(known, 0.5),
        "lag_p50_ms": _ms(totals, 0.5),
        "lag_p99_ms": _ms(totals, 0.99),
        "lags": len(totals),
        "delayed": len(lags.delayed),
        "mqtt_events": 0 if play.stage.events is None else play.stage.events.count,
        "settle_s": round(rest.seconds, 1),
        "listings": rest.listings,
        "below_target": rest.below,
        "wrong": len(rest.wrong),
        "unbalanced": rest.unbalanced,
        "right": int(rest.right),
        **_waited(wait),
    }


def _waited(wait: Wait | None) -> dict[str, float]:
    """Return the figures of those who wait; none where the show had no time for them, or ended before."""
    if wait is None or wait.moved_s is None or wait.reopened_s is None:
        return {}
    seconds_ = {"moved_s": round(wait.moved_s, 2), "reopened_s": round(wait.reopened_s, 2)}
    return {"tickets": wait.tickets, "tickets_moved": wait.moved, **seconds_}


def _of(books: Books, writes: int) -> dict[str, int]:
    counted = {name: value for name, value in asdict(books).items() if name != "there"}
    return {**counted, "left": books.left, "writes": writes}


def _ms(lags: list[float], share: float) -> float:
    return round((quantile(lags, share) or 0.0) * 1000, 1)


def as_line(found: Mapping[str, float], settings: Mapping[str, Any]) -> str:
    """Return the figures as one JSON object on a line."""
    return msgspec.json.encode({"name": "demo", "figures": found, "settings": settings}).decode() + "\n"


def tell(
    console: Console, found: Mapping[str, float], rest: Rest, wait: Wait | None, *, factor: int, broker: bool
) -> None:
    """Print the summary."""
    table = Table(title="the same shoppers, two tools", title_justify="left", box=None, pad_edge=False)
    for head, justify in (
        ("units", "left"),
        ("syncd", "right"),
        (f"15-minute sync (mean of {CLOCKS} clocks)", "right"),
    ):
        table.add_column(head, justify=justify)  # type: ignore[arg-type]  # both are what rich takes
    for label, name in ROWS:
        table.add_row(label, f"{found[name]:,.0f}", f"{found[f'naive_{name}']:,.0f}")
    console.print()
    console.print(table)
    console.print()
    for told in _told(found, rest, wait, factor=factor, broker=broker):
        console.print(told)


def _told(found: Mapping[str, float], rest: Rest, wait: Wait | None, *, factor: int, broker: bool) -> list[str]:
    lag = f"{seconds(found['lag_p50_ms'] / 1000)}, p99 {seconds(found['lag_p99_ms'] / 1000)}"
    told = [f"from a sale to the other channels' numbers: median {lag}"]
    if found["delayed"]:
        told.append(f"  ({found['delayed']:,.0f} more while a channel was down)")
    if wait is not None:
        told += _story(wait)
    told += [
        f"demand, channels' delays and the 15 minutes ran x{factor}; syncd ran in real time",
        f"at rest after {rest.seconds:.1f} s: {_shows(rest)}",
        f"ledger: {'sums' if rest.unbalanced == 0 else f'{rest.unbalanced} differences'}",
        f"MQTT: {found['mqtt_events']:,.0f} events" if broker else "MQTT: no broker, amqtt is missing (syncd[demo])",
    ]
    return [*told, *(f"WRONG {text}" for text in rest.wrong[:MOST_WRONG])]


def _story(wait: Wait) -> list[str]:
    """Tell of those who waited, in two lines."""
    begin = f"{wait.sku} sold out, and {BROKEN} units were broken: {wait.tickets} tickets opened;"
    if wait.moved_s is None:
        return [begin, f"  the truck {'came' if wait.delivered else 'had not come'} when the doors closed"]
    opened = "" if wait.reopened_s is None else f", the first channel showed it again after {seconds(wait.reopened_s)}"
    return [begin, f"  a truck came: {wait.moved} tickets moved within {seconds(wait.moved_s)}{opened}"]


def _shows(rest: Rest) -> str:
    if rest.wrong or rest.busy:
        return f"NOT every channel shows its target ({len(rest.wrong)} wrong, {rest.busy} under way)"
    margin = f", {rest.below} of them less by the margin of absolute writes" if rest.below else ""
    return f"all {rest.listings} listings show their target{margin}"
