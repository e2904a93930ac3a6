"""What the screen tells, as plain values: made a few times a second, drawn by `view`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from syncd.core.terms import AccountId
from syncd.demo.books import Books
from syncd.demo.lags import quantile, recent
from syncd.demo.play import Play, Sale
from syncd.demo.script import FACTOR
from syncd.demo.standing import Standing
from syncd.demo.waiting import Wait
from syncd.engine.channels import Pulse


@dataclass(frozen=True, slots=True, kw_only=True)
class Good:
    """One SKU: what is there, and per channel what it shows and should show (None: not known yet)."""

    sku: str
    hot: bool
    there: int
    cells: Mapping[str, tuple[int, int | None]]


class State(StrEnum):
    """How a channel answers."""

    UP = "up"
    FAILING = "failing"
    DOWN = "down"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One channel. `how` says how it is written and heard; lags are medians of the last sales, in seconds."""

    name: str
    how: str
    state: State
    known_s: float | None
    visible_s: float | None
    sold: int
    writes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """What shoppers got from one tool, in units (of the naive one: means); `writes` are numbers that it changed."""

    sold: float = 0
    oversold: float = 0
    refused: float = 0
    hidden: float = 0
    writes: float = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """One moment. `of_s` is None where the demo runs until it is stopped, `events` where there is no broker.

    `pages` is where a browser finds the pages.
    """

    scene: str
    at_s: float
    of_s: float | None
    factor: int
    goods: tuple[Good, ...] = ()
    channels: tuple[Line, ...] = ()
    ours: Score = field(default_factory=Score)
    naive: Score = field(default_factory=Score)
    sales: tuple[Sale, ...] = ()
    median_s: float | None = None
    p99_s: float | None = None
    events: int | None = None
    pages: str = ""
    wait: Wait | None = None


def _ours(books: Books, writes: int) -> Score:
    return Score(sold=books.sold, oversold=books.oversold, refused=books.refused, hidden=books.hidden, writes=writes)


def _naive(mean: Mapping[str, float]) -> Score:
    return Score(**{name: mean[name] for name in ("sold", "oversold", "refused", "hidden", "writes")})


def board(play: Play, standing: Standing | None, wait: Wait | None, *, seconds: float | None) -> Board:
    """Return how the demo stands."""
    stage, totals = play.stage, play.stage.lags.recent_totals()
    return Board(
        scene=play.scene,
        at_s=play.now_s,
        of_s=seconds,
        factor=FACTOR,
        goods=tuple(_goods(play, standing)),
        channels=tuple(_line(play, name) for name in stage.simulators),
        ours=_ours(play.books, sum(stage.watch.writes.values())),
        naive=_naive(play.naive.mean()),
        sales=tuple(play.sales),
        median_s=quantile(totals, 0.5),
        p99_s=quantile(totals, 0.99),
        events=None if stage.events is None else stage.events.count,
        wait=wait,
        pages=f"http://{stage.plant.settings.http.listen}/",
    )


def _goods(play: Play, standing: Standing | None) -> list[Good]:
    hot = set(play.script.hot)
    targets = {} if standing is None else standing.targets
    return [
        Good(
            sku=sku,
            hot=sku in hot,
            there=play.books.there[sku],
            cells={name: (shows, targets.get(name, {}).get(sku)) for name, shows in play.stage.watch.of(sku).items()},
        )
        for sku in play.script.goods
    ]


def _line(play: Play, name: str) -> Line:
    stage, account = play.stage, play.stage.plant.roster[AccountId(name)]
    series = stage.lags.series[name]
    return Line(
        name=name,
        how=f"{account.channel.profile.write_mode.value.replace('_', '-')}, {play.script.heard(name)}",
        state=_state(account.pulse),
        known_s=quantile(recent(series.known), 0.5),
        visible_s=quantile(recent(series.visible), 0.5),
        sold=play.sold[name],
        writes=stage.watch.writes[name],
    )


def _state(pulse: Pulse) -> State:
    if pulse.down_since is not None:
        return State.DOWN
    return State.FAILING if pulse.failures else State.UP
