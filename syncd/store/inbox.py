"""The inbox: every fact, raw and durable, in the order in which it is decided."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
from sqlalchemy import Connection, bindparam, func, select

from syncd.core import facts, waitlist
from syncd.core.terms import Instant
from syncd.store.rows import InboxRow, MetaRow, ParkedRow
from syncd.store.statements import append, fetch_all, insert_new, insert_one, table, upsert

_INBOX = table(InboxRow)
_META = table(MetaRow)
_PARKED = table(ParkedRow)
_KINDS: dict[str, type[Any]] = {
    "order": facts.OrderFact,
    "scan": facts.ScanFact,
    "hint": facts.HintFact,
    "seen": facts.SeenFact,
    "outcome": facts.OutcomeFact,
    "catalogue": facts.CatalogueFact,
    "count": facts.CountFact,
    "move": facts.MoveFact,
    "sku": facts.SkuFact,
    "mapping": facts.MappingFact,
    "policy": facts.PolicyFact,
    "account": facts.AccountFact,
    "drift": facts.DriftFact,
    "brake": facts.BrakeFact,
    "wait": waitlist.WaitFact,
    "leave": waitlist.LeaveFact,
    "ticket": waitlist.TicketFact,
    "ticket_hint": waitlist.TicketHintFact,
    "ticket_outcome": waitlist.TicketOutcomeFact,
    "desk": waitlist.DeskFact,
    "arrival": waitlist.ArrivalFact,
    "hold": waitlist.HoldFact,
    "correction": waitlist.CorrectionFact,
    "message": waitlist.MessageFact,
    "offer": waitlist.OfferFact,
    "release": waitlist.ReleaseFact,
}
_NAMES = {kind: name for name, kind in _KINDS.items()}
_DECODERS = {name: msgspec.json.Decoder(kind) for name, kind in _KINDS.items()}
_ENCODER = msgspec.json.Encoder()
_DECIDED = "decided"
_DECIDED_IS = select(_META.c.value).where(_META.c.name == _DECIDED)
_WAITING = (
    select(_INBOX.c.id, _INBOX.c.kind, _INBOX.c.source, _INBOX.c.body, _INBOX.c.key.is_not(None))
    .where(_INBOX.c.id > bindparam("after"))
    .order_by(_INBOX.c.id)
    .limit(bindparam("most"))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A fact on its way in. `key` is the sender's own id of it, None where it has none."""

    fact: facts.Fact
    source: str
    key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A fact of the inbox. `keyed` says that its sender gave it an id: a channel's message has one, its feed none."""

    inbox_id: int
    source: str
    fact: facts.Fact
    keyed: bool = False


def put(conn: Connection, entries: Sequence[Entry], *, now: Instant) -> list[int | None]:
    """Insert facts in order; return their ids, None for one whose (source, key) is there already."""
    if all(entry.key is None for entry in entries):
        last = _put_all(conn, entries, now)
        return list(range(last - len(entries) + 1, last + 1))
    return [_put_one(conn, entry, now) for entry in entries]


def _put_all(conn: Connection, entries: Sequence[Entry], now: Instant) -> int:
    first, rest = entries[:-1], entries[-1]
    if first:
        append(conn, InboxRow, [_values(entry, now) for entry in first])
    return _put_new(conn, rest, now)


def _put_new(conn: Connection, entry: Entry, now: Instant) -> int:
    made = _put_one(conn, entry, now)
    if made is None:
        raise LookupError("a fact without a key cannot be there already")
    return made


def _put_one(conn: Connection, entry: Entry, now: Instant) -> int | None:
    return insert_one(conn, InboxRow, _values(entry, now))


def known(conn: Connection, source: str, key: str) -> int | None:
    """Return the id of the fact with this key, None where there is none."""
    query = select(_INBOX.c.id).where(_INBOX.c.source == source, _INBOX.c.key == key)
    return conn.execute(query).scalar()


def _values(entry: Entry, now: Instant) -> dict[str, Any]:
    return {
        "kind": _NAMES[type(entry.fact)],
        "source": entry.source,
        "key": entry.key,
        "body": _ENCODER.encode(entry.fact),
        "received_at": now,
    }


def decided(conn: Connection) -> int:
    """Return the id of the last fact that was decided, 0 when none was."""
    rows = fetch_all(conn, _DECIDED_IS, {})
    return int(rows[0][0]) if rows else 0


def set_decided(conn: Connection, inbox_id: int) -> None:
    """Say that everything up to this fact is decided."""
    upsert(conn, MetaRow, keys=("name",), values=[{"name": _DECIDED, "value": str(inbox_id)}])


def waiting(conn: Connection, *, after: int, limit: int) -> list[Received]:
    """Return the next facts in order."""
    return [_received(*row) for row in fetch_all(conn, _WAITING, {"after": after, "most": limit})]


def one(conn: Connection, inbox_id: int) -> Received:
    """Return one fact."""
    columns = (_INBOX.c.id, _INBOX.c.kind, _INBOX.c.source, _INBOX.c.body)
    row = conn.execute(select(*columns).where(_INBOX.c.id == inbox_id)).one()
    return _received(*row)


def _received(inbox_id: int, kind: str, source: str, body: bytes, keyed: int = 0) -> Received:
    return Received(inbox_id=inbox_id, source=source, fact=_DECODERS[kind].decode(body), keyed=bool(keyed))


def park(conn: Connection, inbox_id: int, *, reason: str, now: Instant) -> None:
    """Note that a fact was not applied, and why."""
    row = {"inbox_id": inbox_id, "reason": reason, "at": now}
    insert_new(conn, ParkedRow, keys=("inbox_id",), values=[row])


def release(conn: Connection, inbox_id: int, *, now: Instant) -> int:
    """Put a fact that was held into the inbox once more, marked as passed by a person; return its new id."""
    held = one(conn, inbox_id)
    fact: Any = replace(held.fact, forced=True)  # type: ignore[arg-type]  # only facts that have this mark are ever held
    return _put_new(conn, Entry(fact=fact, source=held.source, key=_released(inbox_id)), now)


def _released(inbox_id: int) -> str:
    return f"released:{inbox_id}"


def refused_after(conn: Connection, inbox_id: int) -> str | None:
    """Return why a fact was refused once the brake had released it; None where it was not, or is not decided yet."""
    source = conn.execute(select(_INBOX.c.source).where(_INBOX.c.id == inbox_id)).scalar()
    again = None if source is None else known(conn, source, _released(inbox_id))
    return None if again is None else parked(conn, again)


def parked(conn: Connection, inbox_id: int) -> str | None:
    """Return why a fact was not applied, None where it was or is not decided yet."""
    return conn.execute(select(_PARKED.c.reason).where(_PARKED.c.inbox_id == inbox_id)).scalar()


def newest(conn: Connection) -> int:
    """Return the id of the newest fact, 0 where there is none."""
    return int(conn.execute(select(func.max(_INBOX.c.id))).scalar() or 0)


def depth(conn: Connection) -> int:
    """Return how many facts wait (an upper bound: ids may have gaps)."""
    return max(0, newest(conn) - decided(conn))
