"""Delete what nobody needs any more, a little at a time. The ledger, orders and balances are never touched."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sqlalchemy import Connection, text

from syncd.core.terms import Instant


class Prunable(StrEnum):
    """What is deleted when it is old."""

    FACTS = "facts"
    """Facts of the inbox that are decided, and neither parked, held by the brake, nor the address of one who waits."""
    WRITES = "writes"
    """Writes that cannot change anything any more, suspect sales that were closed, drift and private sales that ended,
    and of closed tickets when their customers wrote and that they were for a person."""
    EVENTS = "events"
    """Outbox rows that were delivered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    """Rows of `table` for which `done` holds may go once their `moment` is old enough."""

    what: Prunable
    table: str
    moment: str
    done: str


_RULES: Final = (
    _Rule(
        what=Prunable.FACTS,
        table="inbox",
        moment="received_at",
        done="""
          t.id <= COALESCE((SELECT CAST(value AS BIGINT) FROM meta WHERE name = 'decided'), 0)
          AND NOT EXISTS (SELECT 1 FROM parked AS p WHERE p.inbox_id = t.id)
          AND NOT EXISTS (SELECT 1 FROM brake AS b WHERE b.inbox_id = t.id AND b.state = 'held')
          AND NOT EXISTS (SELECT 1 FROM entry AS e WHERE e.contact_id = t.id AND e.closed_at IS NULL)
        """,
    ),
    _Rule(what=Prunable.WRITES, table='"write"', moment="intended_at", done="NOT t.open"),
    _Rule(what=Prunable.EVENTS, table="outbox", moment="delivered_at", done="t.delivered_at IS NOT NULL"),
    _Rule(what=Prunable.WRITES, table="suspect", moment="closed_at", done="t.closed_at IS NOT NULL"),
    _Rule(
        what=Prunable.WRITES,
        table="inbound",
        moment="heard_at",
        done="""
          NOT EXISTS (SELECT 1 FROM ticket AS k WHERE k.status NOT IN ('closed', 'gone') AND k.id = t.ticket_row)
        """,
    ),
    _Rule(
        what=Prunable.WRITES,
        table="escalation",
        moment="released_at",
        done="""
          t.released_at IS NOT NULL
          AND NOT EXISTS (SELECT 1 FROM entry AS w WHERE w.id = t.entry_id AND w.closed_at IS NULL)
          AND NOT EXISTS (SELECT 1 FROM ticket AS k WHERE k.status NOT IN ('closed', 'gone')
                          AND (k.id = t.ticket_row OR k.entry_id = t.entry_id))
        """,
    ),
    _Rule(what=Prunable.WRITES, table="private_offer", moment="ended_at", done="t.ended_at IS NOT NULL"),
    _Rule(what=Prunable.WRITES, table="drift", moment="ended_at", done="t.ended_at IS NOT NULL"),
)
_ALL: Final = frozenset(Prunable)


def prune(conn: Connection, *, before: Instant, limit: int, what: Collection[Prunable] = _ALL) -> int:
    """Delete at most `limit` rows that ended before an instant; return how many. Fewer than `limit`: none is left.

    Only the first `limit` ended rows of a table are looked at, by id, which is the order of their age but for small
    differences; so a call costs the same however large the table is.
    """
    deleted = 0
    for rule in _RULES:
        if rule.what in what and deleted < limit:
            deleted += _apply(conn, rule, before=before, limit=limit - deleted)
    return deleted


def _apply(conn: Connection, rule: _Rule, *, before: Instant, limit: int) -> int:
    # All parts of the statement are this module's own text.
    ended = f"SELECT t.id, t.{rule.moment} AS moment FROM {rule.table} AS t WHERE {rule.done} ORDER BY t.id LIMIT :most"  # noqa: S608
    old = f"SELECT e.id FROM ({ended}) AS e WHERE e.moment < :before"  # noqa: S608
    delete = text(f"DELETE FROM {rule.table} WHERE id IN ({old})")  # noqa: S608
    return conn.execute(delete, {"before": before, "most": limit}).rowcount
