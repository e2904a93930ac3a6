"""Whether the units of orders are there: before a day is promised to a customer."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, select

from syncd.core.kits import explode
from syncd.core.ledger import StoredLine
from syncd.core.terms import UNPLACED, AccountId, Instant, Location, SkuId
from syncd.store import ledger
from syncd.store.rows import OrderRow
from syncd.store.statements import Among, listed, table

_ORDER = table(OrderRow)
_HEADS = select(_ORDER.c.remote_id, _ORDER.c.number, _ORDER.c.ordered_at, _ORDER.c.closed).where(
    Among(_ORDER.c.account, "accounts"), Among(_ORDER.c.remote_id, "ids")
)


class Lack(StrEnum):
    """Why the units of an order are not known to be there."""

    UNKNOWN = "unknown"
    """The ledger does not know the order yet."""
    OVER = "over"
    """Nothing is left to be shipped, or the order is none of ours."""
    UNMAPPED = "unmapped"
    """A line waits in quarantine."""
    UNCOUNTED = "uncounted"
    """A SKU has no opening count."""
    SHORT = "short"
    """More is promised than there is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How an order stands: `lack` None where all of its units are there. `sku` is the one that is meant."""

    order_id: str
    number: str = ""
    ordered_at: Instant = 0
    lack: Lack | None = None
    sku: str = ""


def coverage(conn: Connection, account: AccountId, order_ids: Collection[str]) -> dict[str, Coverage]:
    """Return for each of these orders whether its units are there, counting what it is promised itself."""
    known = ledger.orders(conn, [(account, order_id) for order_id in order_ids])
    values = {"accounts": listed(conn, [account]), "ids": listed(conn, order_ids)}
    heads = {row["remote_id"]: row for row in conn.execute(_HEADS, values).mappings()}
    lines = {order_id: list(found.order.lines.values()) for (_, order_id), found in known.items()}
    goods = _Goods(conn, [line for found in lines.values() for line in found])
    result: dict[str, Coverage] = {}
    for order_id in order_ids:
        found, head = known.get((account, order_id)), heads.get(order_id)
        if found is None or head is None:
            result[order_id] = Coverage(order_id=order_id, lack=Lack.UNKNOWN)
            continue
        over = found.order.cancelled or found.order.ignored or head["closed"]
        lack, sku = (Lack.OVER, "") if over else goods.lack_of(lines[order_id])
        result[order_id] = _stated(head, lack, sku)
    return result


def _stated(head: Mapping[Any, Any], lack: Lack | None, sku: str) -> Coverage:
    return Coverage(
        order_id=head["remote_id"], number=head["number"], ordered_at=head["ordered_at"], lack=lack, sku=sku
    )


class _Goods:
    """What is known of the SKUs of many lines, read at once."""

    def __init__(self, conn: Connection, lines: Collection[StoredLine]) -> None:
        ids = {line.sku_id for line in lines if line.sku_id is not None}
        self._kits = ledger.kits(conn, ids)
        ids |= {part for parts in self._kits.values() for part, _ in parts}
        self._skus = ledger.skus_by_id(conn, ids)
        self._shelves = ledger.shelves(conn, ids)

    def lack_of(self, lines: Collection[StoredLine]) -> tuple[Lack | None, str]:
        """Return what is missing for an order with these lines, and of which SKU."""
        waiting = [line for line in lines if line.quantity > line.cancelled + line.shipped]
        if not waiting:
            return Lack.OVER, ""
        if any(line.sku_id is None for line in waiting):
            return Lack.UNMAPPED, ""
        return next(self._lacks(waiting), (None, ""))

    def _lacks(self, lines: Collection[StoredLine]) -> Iterator[tuple[Lack, str]]:
        for line in lines:
            for sku_id, _ in explode(line.sku_id or SkuId(0), 1, self._kits):
                sku = self._skus.get(sku_id)
                if sku is None or not sku.opened:
                    yield Lack.UNCOUNTED, "" if sku is None else sku.code
                elif self._least(sku_id, line.location) < 0:
                    yield Lack.SHORT, sku.code

    def _least(self, sku_id: SkuId, location: Location) -> int:
        """Return what is available where the line is promised and in all: units promised nowhere lie anywhere."""
        shelf = self._shelves.get(sku_id, {})
        total = sum(balance.available for balance in shelf.values())
        here = shelf.get(location)
        return total if location == UNPLACED or here is None else min(total, here.available)
