"""Figures over days: what was sold, cancelled, oversold and not sold because it was not shown. Read-only.

Each of these walks through much of a table. Whoever asks keeps the answer for a while.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, TypeAlias

from sqlalchemy import BigInteger, ColumnElement, Connection, case, cast, func, select

from syncd.core.ledger import MovementKind
from syncd.core.terms import SECOND_US, Instant
from syncd.store.figures import MILLI
from syncd.store.rows import BalanceRow, ListingRow, MovementRow, SkuRow
from syncd.store.rows_figures import HiddenSalesRow
from syncd.store.statements import table

_MOVEMENT = table(MovementRow)
_SKU = table(SkuRow)
_LISTING = table(ListingRow)
_BALANCE = table(BalanceRow)
_HIDDEN = table(HiddenSalesRow)

DAY_US: Final = 86_400 * SECOND_US
_BACK: Final = (MovementKind.RELEASE.value, MovementKind.PHANTOM.value)

Days: TypeAlias = Mapping[str, Mapping[int, int]]
"""Units by account and day; a day counts from 1970-01-01 in the shop's zone."""
Shares: TypeAlias = Mapping[str, Mapping[int, float]]
"""The same, of units that were reckoned and not counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """So many days up to and with today. `offset_us` is by how much the shop's clocks are ahead of UTC."""

    today: int
    days: int
    offset_us: int

    @property
    def first(self) -> int:
        """Return the first day."""
        return self.today - self.days + 1

    @property
    def since(self) -> Instant:
        """Return when the first day began."""
        return self.first * DAY_US - self.offset_us


@dataclass(frozen=True, slots=True, kw_only=True)
class Hidden:
    """What one account does not show. `listings` show nothing, `units` are kept back, though there is something."""

    listings: int
    units: int


def window_of(now: Instant, *, days: int, offset_us: int) -> Window:
    """Return the last days."""
    return Window(today=(now + offset_us) // DAY_US, days=days, offset_us=offset_us)


def first_since(conn: Connection, since: Instant) -> int:
    """Return the id of the first movement that was recorded at or after a moment: ids and times rise together."""
    c = _MOVEMENT.c
    low, high = 0, int(conn.execute(select(func.max(c.id))).scalar() or 0) + 1
    while low < high:
        middle = (low + high) // 2
        row = conn.execute(select(c.id, c.recorded_at).where(c.id >= middle).order_by(c.id).limit(1)).first()
        if row is None or row.recorded_at >= since:
            high = middle
        else:
            low = int(row.id) + 1
    return low


def sold(conn: Connection, window: Window) -> Days:
    """Return the units that were sold, by account and day of the sale."""
    return _units(conn, window, _MOVEMENT.c.kind == MovementKind.COMMIT.value, func.sum(_MOVEMENT.c.committed))


def cancelled(conn: Connection, window: Window) -> Days:
    """Return the units that were cancelled after they were promised, by account and day."""
    return _units(conn, window, _MOVEMENT.c.kind.in_(_BACK), func.sum(-_MOVEMENT.c.committed))


def _units(conn: Connection, window: Window, which: ColumnElement[bool], units: ColumnElement[int]) -> Days:
    c = _MOVEMENT.c
    day = _day(c.at, window)
    query = select(c.source, day.label("day"), units.label("units"))
    query = query.where(c.id >= first_since(conn, window.since), which).group_by(c.source, day)
    found: dict[str, dict[int, int]] = defaultdict(dict)
    for row in conn.execute(query):
        if window.first <= row.day <= window.today:
            found[row.source][int(row.day)] = int(row.units)
    return dict(found)


def _day(column: ColumnElement[int], window: Window) -> ColumnElement[int]:
    return cast((column + window.offset_us) // DAY_US, BigInteger)


def oversold(conn: Connection, window: Window) -> Days:
    """Return the units that were sold and not there, by account and day: of counted SKUs, as the ledger saw it then.

    What was available after a movement is what is available now, less all that moved since.
    """
    c, b = _MOVEMENT.c, _BALANCE.c
    now = select(b.sku_id, func.sum(b.on_hand - b.committed - b.held).label("units")).group_by(b.sku_id).subquery()
    change = c.on_hand - c.committed - c.held
    since = func.sum(change).over(partition_by=c.sku_id, order_by=c.id.desc(), rows=(None, -1))
    later = func.coalesce(since, 0).label("later")
    moves = select(c.source, c.sku_id, c.kind, c.committed, _day(c.recorded_at, window).label("day"), later)
    moved = moves.where(c.id >= first_since(conn, window.since)).subquery()
    left = now.c.units - moved.c.later
    over = case((-left < moved.c.committed, -left), else_=moved.c.committed)
    query = select(moved.c.source, moved.c.day, func.sum(over).label("units"))
    query = query.join(now, now.c.sku_id == moved.c.sku_id).join(_SKU, _SKU.c.id == moved.c.sku_id)
    query = query.where(moved.c.kind == MovementKind.COMMIT.value, left < 0, _SKU.c.opened_at.is_not(None))
    found: dict[str, dict[int, int]] = defaultdict(dict)
    for row in conn.execute(query.group_by(moved.c.source, moved.c.day)):
        found[row.source][int(row.day)] = int(row.units)
    return dict(found)


def hidden_sales(conn: Connection, window: Window) -> Shares:
    """Return the units that are reckoned not to have been sold because they were not shown, by account and day."""
    c = _HIDDEN.c
    day = _day(c.hour, window)
    query = select(c.account, day.label("day"), func.sum(c.milliunits).label("milliunits"))
    query = query.where(c.hour >= window.since).group_by(c.account, day).having(func.sum(c.milliunits) > 0)
    found: dict[str, dict[int, float]] = defaultdict(dict)
    for row in conn.execute(query):
        if row.day <= window.today:
            found[row.account][int(row.day)] = int(row.milliunits) / MILLI
    return dict(found)


def hidden(conn: Connection) -> dict[str, Hidden]:
    """Return what each account does not show now, of SKUs of their own; walks through all listings and balances."""
    c, b = _LISTING.c, _BALANCE.c
    units = func.sum(b.on_hand - b.committed - b.held)
    there = select(b.sku_id, units.label("units")).group_by(b.sku_id).having(units > 0).subquery()
    less = case((c.target < there.c.units, there.c.units - c.target), else_=0)
    none = case((c.target == 0, 1), else_=0)
    query = select(c.account, func.sum(none).label("listings"), func.sum(less).label("units"))
    query = query.join(there, there.c.sku_id == c.sku_id).where(c.target.is_not(None), c.vanished_at.is_(None))
    rows = conn.execute(query.group_by(c.account))
    return {row.account: Hidden(listings=int(row.listings), units=int(row.units)) for row in rows}


@dataclass(frozen=True, slots=True, kw_only=True)
class DayFigures:
    """One day of one account, in units. `hidden_sales` is an estimate (`core.hidden`)."""

    day: str
    account: str
    sold: int
    cancelled: int
    oversold: int
    hidden_sales: float


def day_figures(conn: Connection, window: Window) -> list[DayFigures]:
    """Return the figures of each day and account that has any, the first day first."""
    counted = {"sold": sold(conn, window), "cancelled": cancelled(conn, window), "oversold": oversold(conn, window)}
    reckoned = hidden_sales(conn, window)
    found = [
        (day, account) for days in (*counted.values(), reckoned) for account, units in days.items() for day in units
    ]
    return [
        DayFigures(
            day=date_of(day),
            account=account,
            hidden_sales=reckoned.get(account, {}).get(day, 0.0),
            **{name: days.get(account, {}).get(day, 0) for name, days in counted.items()},
        )
        for day, account in sorted(set(found))
    ]


def date_of(day: int) -> str:
    """Return a day as `YYYY-MM-DD`."""
    return (_FIRST_DAY + timedelta(days=day)).isoformat()


_FIRST_DAY: Final = date(1970, 1, 1)
