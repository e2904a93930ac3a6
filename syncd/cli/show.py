"""Tables, times and numbers as people read them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from rich.table import Table

from syncd.cli.frame import Terminal

_MINUTE: Final = 60.0
_HOUR: Final = 3_600.0
_DAY: Final = 86_400.0


def grid(terminal: Terminal, heads: str, rows: Iterable[Iterable[Any]]) -> Table:
    """Return a table; `heads` are names of headings with spaces between, a `>` before one puts its column right."""
    table = Table(header_style="bold", box=None, pad_edge=False)
    for head in heads.split():
        name = head.removeprefix(">")
        table.add_column(terminal.say(f"head.{name}"), justify="right" if head != name else "left", overflow="fold")
    for row in rows:
        table.add_row(*(cell(value) for value in row))
    return table


def cell(value: Any) -> str:
    """Return a value as text: nothing as a dash, yes as a mark."""
    match value:
        case None:
            return "-"
        case True:
            return "x"
        case False:
            return ""
        case float():
            return f"{value:.1f}"
        case _:
            return str(value)


def when(text: str | None) -> str | None:
    """Return a time in the zone of the machine."""
    if text is None:
        return None
    return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def span(seconds: float | None) -> str | None:
    """Return a duration in the unit that fits."""
    if seconds is None:
        return None
    for unit, length in (("d", _DAY), ("h", _HOUR), ("min", _MINUTE)):
        if seconds >= length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.1f} s"


def interval(low: int | None, high: int | None) -> str | None:
    """Return what a listing is believed to show."""
    if low is None or high is None:
        return None
    return str(low) if low == high else f"{low}-{high}"
