"""Draw the board: in a terminal of 80 by 24 or larger, or as a line where nobody looks at a screen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from syncd.demo.board import Board, Good, Line, State
from syncd.demo.play import Sale
from syncd.demo.waiting import Wait

WIDE: Final = 118
"""Columns from which on there is room for the last sales, and for how channels are written and heard."""
ROOMY: Final = 90
"""Columns from which on it is told what each channel sold."""
GOODS_WIDTH: Final = 72
SCORE_WIDTH: Final = 37
FIXED_ROWS: Final = 3 + 3 + 8
"""Rows for everything but goods: the head, who waits, the frame and head of the goods, the two panels below."""
NOTHING: Final = "-"


def draw(board: Board, *, width: int, height: int, arrow: str = "→") -> RenderableType:
    """Return the screen."""
    rows = max(1, height - FIXED_ROWS)
    above: RenderableType = _panel(_goods(board, rows, arrow), f"units: there, shown ({arrow} should be shown)")
    if width >= WIDE:
        sales = _panel(_sales(board.sales, min(rows, max(1, len(board.goods)))), "last sales")
        above = _beside(above, sales, left=GOODS_WIDTH)
    title = "channels: from a sale to known, from known to visible" if width >= ROOMY else "channels"
    channels = _panel(_channels(board, width), title)
    score = _panel(_score(board), "the same shoppers, in units")
    return Group(_clock(board), _scene(board), _waiting(board), above, _beside(channels, score, right=SCORE_WIDTH))


def line(board: Board) -> str:
    """Return the board as one line."""
    down = ", ".join(channel.name for channel in board.channels if channel.state is State.DOWN)
    parts = [
        f"{clock(board.at_s)} {board.scene}",
        f"sold {board.ours.sold:.0f} (naive {board.naive.sold:.0f})",
        f"oversold {board.ours.oversold:.0f} (naive {board.naive.oversold:.0f})",
        f"lag {seconds(board.median_s)}, p99 {seconds(board.p99_s)}",
        f"{board.ours.writes:.0f} writes",
    ]
    if board.events is not None:
        parts.append(f"{board.events} MQTT events")
    if down:
        parts.append(f"down: {down}")
    if board.wait is not None and (steps := story(board.wait)):
        parts.append(f"{board.wait.sku}: {', '.join(steps)}")
    return "; ".join(parts)


def clock(at_s: float) -> str:
    """Return minutes and seconds."""
    whole = max(0, int(at_s))
    return f"{whole // 60:02}:{whole % 60:02}"


def seconds(value: float | None) -> str:
    """Return a lag as people read it."""
    if value is None:
        return NOTHING
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.1f} s"


def story(wait: Wait) -> list[str]:
    """Return what has happened to those who wait, step by step."""
    steps = []
    if wait.sold_out:
        steps.append("sold out")
    if wait.tickets:
        steps.append(f"{wait.tickets} tickets wait" if not wait.delivered else f"{wait.tickets} tickets waited")
    if wait.delivered:
        steps.append("truck came")
        took = "" if wait.moved_s is None else f" in {seconds(wait.moved_s)}"
        steps.append(f"{wait.moved} moved{took}")
    if wait.reopened_s is not None:
        steps.append(f"shown again after {seconds(wait.reopened_s)}")
    return steps


def _waiting(board: Board) -> Text:
    """Return the line of those who wait; the last step that was made stands out."""
    text = Text(no_wrap=True, overflow="ellipsis")
    wait = board.wait
    if wait is None:
        return text
    text.append(f" {wait.sku} ", style="bold")
    steps = story(wait)
    for place, step in enumerate(steps or ["sells its last units"]):
        text.append(" > " if place else " ", style="dim")
        text.append(step, style="bold" if place == len(steps) - 1 else "")
    return text


def _clock(board: Board) -> Text:
    until = "until Ctrl-C" if board.of_s is None else f"of {clock(board.of_s)}"
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append("syncd demo ", style="bold")
    text.append(f" {clock(board.at_s)} {until}")
    if board.pages:
        text.append("   pages ")
        text.append(board.pages, style="bold")
    text.append(f"   shop time x{board.factor}, syncd in real time")
    return text


def _scene(board: Board) -> Text:
    loud = "bold black on yellow" if "FLASH" in board.scene else "bold red" if "down" in board.scene else "bold"
    events = "no MQTT" if board.events is None else f"{board.events:,} MQTT events"
    lag = f"sale to all others {seconds(board.median_s)}, p99 {seconds(board.p99_s)}"
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(f" {board.scene} ", style=loud)
    text.append(f"  {lag}; {events}", style="dim")
    return text


def _panel(content: RenderableType, title: str) -> Panel:
    return Panel(content, title=title, title_align="left", box=box.ROUNDED, border_style="dim", padding=(0, 1))


def _beside(one: RenderableType, other: RenderableType, *, left: int | None = None, right: int | None = None) -> Table:
    """Put two panels side by side; the one without a width takes what is left."""
    pair = Table.grid(expand=True)
    for width in (left, right):
        pair.add_column(width=width, ratio=None if width else 1)
    pair.add_row(one, other)
    return pair


def _table(*columns: tuple[str, int]) -> Table:
    """Return a table of columns of these widths; one whose head begins with > is put right."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 1, 0, 0))
    for head, width in columns:
        right = head.startswith(">")
        table.add_column(Text(head.removeprefix(">")), justify="right" if right else "left", no_wrap=True, width=width)
    return table


def _goods(board: Board, rows: int, arrow: str) -> Table:
    names = [channel.name for channel in board.channels]
    table = _table(("SKU", 10), (">there", 6), *((f">{name}", 11) for name in names))
    shown = board.goods if len(board.goods) <= rows else board.goods[: rows - 1]
    for good in shown:
        there = Text(str(good.there), style="bold red" if good.there < 0 else "bold" if good.hot else "")
        cells = [_cell(good, name, arrow) for name in names]
        table.add_row(Text(good.sku, style="bold yellow" if good.hot else ""), there, *cells)
    if len(shown) < len(board.goods):
        table.add_row(Text(f"and {len(board.goods) - len(shown)} more", style="dim"))
    return table


def _cell(good: Good, name: str, arrow: str) -> Text:
    shows, should = good.cells.get(name, (0, None))
    if should is None:
        return Text(str(shows), style="dim")
    if shows == should:
        return Text(str(shows), style="green" if shows else "dim")
    return Text(f"{shows}{arrow}{should}", style="bold red" if shows > should else "yellow")


def _sales(sales: Sequence[Sale], rows: int) -> Table:
    table = _table(("at", 5), ("channel", 8), ("SKU", 9), (">units", 5), ("", 11))
    for sale in sales[:rows]:
        over = Text(f"{sale.over} oversold" if sale.over else "", style="bold red")
        cells = (clock(sale.at_s), sale.channel, sale.sku, str(sale.quantity))
        table.add_row(*map(Text, cells), over)
    return table


def _channels(board: Board, width: int) -> Table:
    columns = [("", 8), ("", 5), (">known", 7), (">visible", 7), (">writes", 7)]
    columns += [(">sold", 6)] if width >= ROOMY else []
    columns += [("written, heard", 27)] if width >= WIDE else []
    table = _table(*columns)
    for channel in board.channels:
        lags = (seconds(channel.known_s), seconds(channel.visible_s))
        numbers = (f"{channel.writes:,}", f"{channel.sold:,}")
        cells = [Text(channel.name), _state(channel), *map(Text, (*lags, *numbers, channel.how))]
        table.add_row(*cells[: len(columns)])
    return table


def _state(channel: Line) -> Text:
    match channel.state:
        case State.DOWN:
            return Text("DOWN", style="bold red")
        case State.FAILING:
            return Text("fails", style="yellow")
        case State.UP:
            return Text("up", style="green")


def _score(board: Board) -> Table:
    ours, naive = board.ours, board.naive
    table = _table(("", 16), (">syncd", 6), (">15 min", 7))
    oversold = (Text(_units(ours.oversold), style="bold green"), Text(_units(naive.oversold), style="bold red"))
    table.add_row(Text("oversold", style="bold"), *oversold)
    rows = (
        ("sold", ours.sold, naive.sold),
        ("sent away", ours.refused, naive.refused),
        ("  though there", ours.hidden, naive.hidden),
        ("numbers written", ours.writes, naive.writes),
    )
    for label, one, other in rows:
        table.add_row(label, _units(one), _units(other))
    return table


def _units(value: float) -> str:
    return f"{value:,.0f}"
