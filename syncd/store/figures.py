"""Figures that cannot be computed from the ledger afterwards: what is hidden now, and what that cost hour by hour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, delete, func, select

from syncd.core.terms import SECOND_US, AccountId, Instant, SkuId
from syncd.store.rows import BalanceRow, ListingRow
from syncd.store.rows_figures import HiddenSalesRow
from syncd.store.statements import table, upsert

HOUR_US: Final = 3_600 * SECOND_US
MILLI: Final = 1_000

_HIDDEN = table(HiddenSalesRow)
_LISTING = table(ListingRow)
_BALANCE = table(BalanceRow)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hiding:
    """A SKU of which `there` units may be sold, and what each account shows of it that shows less."""

    sku_id: SkuId
    there: int
    shown: Mapping[AccountId, int]


def hidings(conn: Connection, *, after: int, upto: int) -> list[Hiding]:
    """Return what is hidden of the SKUs in a range of numbers (`after` is not in it, `upto` is); kits are left out.

    An account shows what the listing of it that shows most is believed to show at most; one whose listings are all
    closed by a person, or were never read, hides nothing that is known.
    """
    c, b = _LISTING.c, _BALANCE.c
    units = func.sum(b.on_hand - b.committed - b.held)
    there = select(b.sku_id, units.label("there")).where(b.sku_id > after, b.sku_id <= upto)
    there_now = there.group_by(b.sku_id).having(units > 0).subquery()
    shown = func.max(c.high)
    query = select(c.sku_id, c.account, there_now.c.there, shown.label("shown"))
    query = query.join(there_now, there_now.c.sku_id == c.sku_id)
    query = query.where(c.high.is_not(None), c.active, c.vanished_at.is_(None))
    query = query.group_by(c.sku_id, c.account, there_now.c.there).having(shown < there_now.c.there)
    found: dict[SkuId, tuple[int, dict[AccountId, int]]] = {}
    for row in conn.execute(query):
        _, accounts = found.setdefault(SkuId(row.sku_id), (int(row.there), {}))
        accounts[AccountId(row.account)] = max(0, int(row.shown))
    return [Hiding(sku_id=sku_id, there=units, shown=accounts) for sku_id, (units, accounts) in found.items()]


def keep_hidden(conn: Connection, hour: Instant, units: Mapping[AccountId, float]) -> None:
    """Keep what hiding cost in an hour, by account; keeping it again changes it to the new numbers."""
    rows = [
        {"hour": hour, "account": account, "milliunits": round(lost * MILLI)} for account, lost in sorted(units.items())
    ]
    upsert(conn, HiddenSalesRow, keys=("hour", "account"), values=rows)


def forget_hidden(conn: Connection, *, before: Instant) -> int:
    """Delete the hours that began before an instant; return how many rows."""
    return conn.execute(delete(_HIDDEN).where(_HIDDEN.c.hour < before)).rowcount
