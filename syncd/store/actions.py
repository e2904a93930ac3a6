"""What the shop does to orders at a channel, each stored before it is sent: cancels and ship-by dates."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, Select, delete, func, select, update

from syncd.core.terms import AccountId, Instant, OutcomeKind
from syncd.store.rows import OrderActionRow
from syncd.store.statements import Among, insert_one, listed, table

_ACTION = table(OrderActionRow)

INTENDED: Final = "intended"
"""Stored, and its end not known to this process; every other state is an `OutcomeKind`."""
UNSETTLED: Final = (INTENDED, OutcomeKind.INDETERMINATE.value)


class ActionKind(StrEnum):
    """What is done."""

    CANCEL = "cancel"
    SHIP_DATE = "ship_date"


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One thing that was done, or is about to be. `body` is what was asked for (JSON)."""

    id: int
    account: AccountId
    remote_id: str
    kind: ActionKind
    key: str
    body: bytes
    state: str
    intended_at: Instant
    ended_at: Instant | None
    reason: str
    actor: str

    @property
    def unsettled(self) -> bool:
        """Say whether nobody knows if it took effect."""
        return self.state in UNSETTLED


def intend(
    conn: Connection,
    *,
    account: AccountId,
    remote_id: str,
    kind: ActionKind,
    key: str,
    body: bytes,
    actor: str,
    now: Instant,
) -> bool:
    """Store what is about to be done; return False where this key is there already: then nothing changes.

    Earlier tries on the order that were certainly not sent are forgotten: a long outage would leave thousands.
    """
    c = _ACTION.c
    unsent = (c.account == account, c.kind == kind.value, c.remote_id == remote_id)
    conn.execute(delete(_ACTION).where(*unsent, c.state == OutcomeKind.UNSENT.value, c.key != key))
    row: dict[str, Any] = {"account": account, "remote_id": remote_id, "kind": kind.value, "key": key, "body": body}
    row |= {"state": INTENDED, "intended_at": now, "ended_at": None, "reason": "", "actor": actor}
    return insert_one(conn, OrderActionRow, row) is not None


def end(conn: Connection, key: str, *, state: OutcomeKind, reason: str, now: Instant) -> None:
    """Store how one ended."""
    values = {"state": state.value, "reason": reason[:200], "ended_at": now}
    conn.execute(update(_ACTION).where(_ACTION.c.key == key).values(**values))


def by_key(conn: Connection, key: str) -> Action | None:
    """Return the action with this key, None where there is none."""
    return next(iter(_load(conn, select(_ACTION).where(_ACTION.c.key == key))), None)


def latest(conn: Connection, account: AccountId, kind: ActionKind, remote_ids: Collection[str]) -> dict[str, Action]:
    """Return the newest action of this kind on each of these orders."""
    c = _ACTION.c
    newest = select(func.max(c.id)).where(c.account == account, c.kind == kind.value, Among(c.remote_id, "ids"))
    query = select(_ACTION).where(c.id.in_(newest.group_by(c.remote_id)))
    found = _load(conn, query, {"ids": listed(conn, remote_ids)}) if remote_ids else []
    return {action.remote_id: action for action in found}


def unsettled(conn: Connection, account: AccountId, kind: ActionKind | None = None) -> list[Action]:
    """Return the actions on an account whose end is not known."""
    query = select(_ACTION).where(_ACTION.c.account == account, _ACTION.c.state.in_(UNSETTLED)).order_by(_ACTION.c.id)
    return _load(conn, query if kind is None else query.where(_ACTION.c.kind == kind.value))


def recover(conn: Connection, account: AccountId, *, now: Instant) -> list[Action]:
    """Make what the last run sent without hearing the answer indeterminate; return it."""
    found = [action for action in unsettled(conn, account) if action.state == INTENDED]
    for action in found:
        end(conn, action.key, state=OutcomeKind.INDETERMINATE, reason="syncd ended before the answer came", now=now)
    return found


def _load(conn: Connection, query: Select[Any], values: dict[str, Any] | None = None) -> list[Action]:
    rows = conn.execute(query, values or {}).mappings()
    return [Action(**{**row, "kind": ActionKind(row["kind"])}) for row in rows]
