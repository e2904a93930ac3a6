"""Compute the projections anew from what they are made of, and tell every difference.

Balances come from movements; what is committed comes from the lines of orders. Sums are made by the database; only
differences leave it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, text

from syncd.core.terms import UNPLACED, Location, Sku

REPORTED = 1_000
"""Most differences of one kind that are told."""


class Kind(StrEnum):
    """What does not agree."""

    ON_HAND = "on_hand"
    """A balance with the sum of its movements, as the next two."""
    COMMITTED = "committed"
    HELD = "held"
    PROMISED = "promised"
    """What is committed of a SKU at all locations, with the outstanding units of all orders."""
    WRITE = "write"
    """An open write belongs to a listing that is not there; `expected` and `found` are 1 and 0 listings."""
    ORDER_LINE = "order_line"
    """An order line names a SKU that is not there; `expected` and `found` are 1 and 0 SKUs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Discrepancy:
    """One difference. `expected` is what the sources say, `found` what is stored, in units.

    `sku` is the SKU's code, empty where none is known. `subject` names what else is concerned: an order line, a write.
    """

    kind: Kind
    sku: Sku
    location: Location = UNPLACED
    expected: int
    found: int
    subject: str = ""

    def __str__(self) -> str:
        place = f" at {self.location}" if self.location else ""
        subject = f" ({self.subject})" if self.subject else ""
        return f"{self.kind} of {self.sku or 'an unknown SKU'}{place}: {self.found}, expected {self.expected}{subject}"


# Both sides are grouped together, so that a balance without movements and movements without a balance show up too.
_BALANCES = """
SELECT s.code AS sku, d.* FROM (
  SELECT sku_id, location,
         SUM(m_on_hand) AS m_on_hand, SUM(m_committed) AS m_committed, SUM(m_held) AS m_held,
         SUM(b_on_hand) AS b_on_hand, SUM(b_committed) AS b_committed, SUM(b_held) AS b_held
  FROM (
    SELECT sku_id, location, SUM(on_hand) AS m_on_hand, SUM(committed) AS m_committed, SUM(held) AS m_held,
           0 AS b_on_hand, 0 AS b_committed, 0 AS b_held
    FROM movement GROUP BY sku_id, location
    UNION ALL
    SELECT sku_id, location, 0, 0, 0, on_hand, committed, held FROM balance
  ) AS sides
  GROUP BY sku_id, location
  HAVING SUM(m_on_hand) <> SUM(b_on_hand) OR SUM(m_committed) <> SUM(b_committed) OR SUM(m_held) <> SUM(b_held)
) AS d LEFT JOIN sku AS s ON s.id = d.sku_id
ORDER BY d.sku_id, d.location LIMIT :most
"""
_PROMISED = """
SELECT s.code AS sku, d.expected, d.found FROM (
  SELECT sku_id, SUM(expected) AS expected, SUM(found) AS found
  FROM (
    SELECT COALESCE(k.component_id, l.sku_id) AS sku_id,
           (l.quantity - l.cancelled - l.shipped) * COALESCE(k.quantity, 1) AS expected, 0 AS found
    FROM order_line AS l
    JOIN orders AS o ON o.id = l.order_id
    LEFT JOIN kit AS k ON k.kit_id = l.sku_id
    WHERE l.sku_id IS NOT NULL AND NOT o.ignored AND l.quantity > l.cancelled + l.shipped
    UNION ALL
    SELECT sku_id, 0, committed FROM balance
  ) AS sides
  GROUP BY sku_id HAVING SUM(expected) <> SUM(found)
) AS d LEFT JOIN sku AS s ON s.id = d.sku_id
ORDER BY d.sku_id LIMIT :most
"""
_WRITES = """
SELECT w.account, w.listing_id, w.key FROM "write" AS w
WHERE w.open AND NOT EXISTS (SELECT 1 FROM listing AS l WHERE l.id = w.listing_id)
ORDER BY w.id LIMIT :most
"""
_LINES = """
SELECT l.account, l.order_id, l.line_id, l.remote_sku FROM order_line AS l
WHERE l.sku_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM sku AS s WHERE s.id = l.sku_id)
ORDER BY l.order_id, l.line_id LIMIT :most
"""


def verify(conn: Connection) -> list[Discrepancy]:
    """Return what does not agree, at most REPORTED rows of each check; empty when all is well. Changes nothing."""
    return [*_balances(conn), *_promised(conn), *_writes(conn), *_lines(conn)]


def _rows(conn: Connection, query: str) -> Iterator[Any]:
    yield from conn.execute(text(query), {"most": REPORTED})


def _balances(conn: Connection) -> Iterator[Discrepancy]:
    for row in _rows(conn, _BALANCES):
        pairs = (
            (Kind.ON_HAND, row.m_on_hand, row.b_on_hand),
            (Kind.COMMITTED, row.m_committed, row.b_committed),
            (Kind.HELD, row.m_held, row.b_held),
        )
        for kind, expected, found in pairs:
            if expected != found:
                yield Discrepancy(
                    kind=kind,
                    sku=Sku(row.sku or ""),
                    location=Location(row.location),
                    expected=int(expected),
                    found=int(found),
                )


def _promised(conn: Connection) -> Iterator[Discrepancy]:
    for row in _rows(conn, _PROMISED):
        yield Discrepancy(kind=Kind.PROMISED, sku=Sku(row.sku or ""), expected=int(row.expected), found=int(row.found))


def _writes(conn: Connection) -> Iterator[Discrepancy]:
    for row in _rows(conn, _WRITES):
        subject = f"write {row.key} of {row.account} to listing {row.listing_id}"
        yield Discrepancy(kind=Kind.WRITE, sku=Sku(""), expected=1, found=0, subject=subject)


def _lines(conn: Connection) -> Iterator[Discrepancy]:
    for row in _rows(conn, _LINES):
        subject = f"line {row.line_id} of order {row.order_id} of {row.account}"
        yield Discrepancy(kind=Kind.ORDER_LINE, sku=Sku(row.remote_sku), expected=1, found=0, subject=subject)
