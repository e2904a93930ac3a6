"""What changes a listing since its base: its own sales and restores, and our writes, open or ended."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, bindparam, delete, or_, select, update

from syncd.core.plan import Lane
from syncd.core.shown import Base, Effect, OpenWrite
from syncd.core.terms import AccountId, Instant, OutcomeKind, Span
from syncd.store.rows import EffectRow, WriteRow
from syncd.store.statements import Among, append, change, fetch_all, listed, run_many, table, upsert

_EFFECT = table(EffectRow)
_WRITE = table(WriteRow)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEffect:
    """An effect to keep under (listing, reference)."""

    listing_id: int
    reference: str
    effect: Effect


def add_effects(conn: Connection, effects: Sequence[NewEffect]) -> None:
    """Keep effects; a repeat takes the new span and quantity, for a channel may know more later."""
    rows = [
        {
            "listing_id": e.listing_id,
            "reference": e.reference,
            "quantity": e.effect.quantity,
            "earliest": e.effect.span.earliest,
            "latest": e.effect.span.latest,
            "maybe": e.effect.maybe,
        }
        for e in effects
    ]
    upsert(conn, EffectRow, keys=("listing_id", "reference"), values=rows)


def effects(conn: Connection, listing_ids: Collection[int]) -> dict[int, list[Effect]]:
    """Return the effects of these listings."""
    found: dict[int, list[Effect]] = {}
    if not listing_ids:
        return found
    for listing_id, quantity, earliest, latest, maybe in fetch_all(conn, _EFFECTS, {"ids": listed(conn, listing_ids)}):
        effect = Effect(quantity=quantity, span=Span(earliest=earliest, latest=latest), maybe=maybe == 1)
        found.setdefault(listing_id, []).append(effect)
    return found


_EFFECTS = select(
    _EFFECT.c.listing_id, _EFFECT.c.quantity, _EFFECT.c.earliest, _EFFECT.c.latest, _EFFECT.c.maybe
).where(Among(_EFFECT.c.listing_id, "ids"))
_OPEN_WRITES = select(
    _WRITE.c.listing_id,
    _WRITE.c.quantity,
    _WRITE.c.intended_at,
    _WRITE.c.effect_until,
    _WRITE.c.delta,
    _WRITE.c.state,
    _WRITE.c.expected,
).where(Among(_WRITE.c.listing_id, "ids"), _WRITE.c.open)


def forget_ahead(conn: Connection, listing_id: int, *, after: Instant) -> None:
    """Drop what our writes to a listing did by a clock that was ahead: a reading since then says what is shown."""
    e, w = _EFFECT.c, _WRITE.c
    mine = (e.listing_id == listing_id, e.earliest > after, e.reference.startswith("write:"))
    conn.execute(delete(_EFFECT).where(*mine))
    ended = (w.listing_id == listing_id, w.open, w.state != "intended", w.intended_at > after)
    conn.execute(update(_WRITE).where(*ended).values(open=False))


def forget_spent(conn: Connection, bases: Mapping[int, Base]) -> None:
    """Drop effects and close writes that lie wholly before the new base of their listing."""
    if not bases:
        return
    rows = [{"k": listing_id, "since": base.since} for listing_id, base in bases.items()]
    run_many(conn, _SPENT_EFFECTS, (), rows)
    run_many(conn, _SPENT_WRITES, (), rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsettled:
    """An open write: `write.value` is the number it leads to; `relative` for a delta (an effect stands for it).

    `flying` is that effect while the write is in flight; once it has an end, its effect is kept with all others.
    `guarded`: it checks or moves the number, so it puts nothing back that was sold.
    """

    write: OpenWrite
    relative: bool
    guarded: bool = False
    flying: Effect | None = None


def open_writes(conn: Connection, listing_ids: Collection[int]) -> dict[int, list[Unsettled]]:
    """Return the writes whose outcome is not known, by listing; one in flight counts."""
    found: dict[int, list[Unsettled]] = {}
    if not listing_ids:
        return found
    rows = fetch_all(conn, _OPEN_WRITES, {"ids": listed(conn, listing_ids)})
    for listing_id, quantity, intended_at, effect_until, delta, state, expected in rows:
        lost = state == OutcomeKind.INDETERMINATE
        write = OpenWrite(value=quantity, sent_at=intended_at, until=effect_until, lost=lost)
        flying = None
        if delta is not None and state == "intended":
            flying = Effect(quantity=delta, span=Span(earliest=intended_at, latest=effect_until), maybe=True)
        guarded = delta is not None or expected is not None
        one = Unsettled(write=write, relative=delta is not None, guarded=guarded, flying=flying)
        found.setdefault(listing_id, []).append(one)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """A write that is about to be sent."""

    listing_id: int
    account: AccountId
    key: str
    mode: str
    quantity: int
    expected: int | None
    delta: int | None
    target: int
    lane: Lane
    intended_at: Instant
    effect_until: Instant


def add_intents(conn: Connection, intents: Sequence[Intent]) -> None:
    """Persist writes before they are sent."""
    rows = [
        {
            "listing_id": i.listing_id,
            "account": i.account,
            "key": i.key,
            "mode": i.mode,
            "quantity": i.quantity,
            "expected": i.expected,
            "delta": i.delta,
            "target": i.target,
            "lane": int(i.lane),
            "state": "intended",
            "open": True,
            "intended_at": i.intended_at,
            "effect_until": i.effect_until,
            "reason": "",
        }
        for i in intents
    ]
    append(conn, WriteRow, rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A write that was sent and has no outcome yet."""

    id: int
    listing_id: int
    key: str
    quantity: int
    delta: int | None
    intended_at: Instant


def sent(conn: Connection, keys: Collection[str]) -> dict[str, Sent]:
    """Return the writes with these keys that have no outcome yet."""
    return _sent_by_key(conn, _SENT, keys)


def _sent_by_key(conn: Connection, query: Select[Any], keys: Collection[str]) -> dict[str, Sent]:
    rows = fetch_all(conn, query, {"keys": listed(conn, keys)}) if keys else ()
    return {
        key: Sent(id=row_id, listing_id=listing_id, key=key, quantity=quantity, delta=delta, intended_at=intended_at)
        for row_id, listing_id, key, quantity, delta, intended_at in rows
    }


_SENT = select(
    _WRITE.c.id, _WRITE.c.listing_id, _WRITE.c.key, _WRITE.c.quantity, _WRITE.c.delta, _WRITE.c.intended_at
).where(Among(_WRITE.c.key, "keys"), _WRITE.c.state == "intended")


def doubtful(conn: Connection, keys: Collection[str]) -> dict[str, Sent]:
    """Return the writes with these keys that were accepted, or whose end is not known, and that may still work."""
    return _sent_by_key(conn, _DOUBTFUL, keys)


_DOUBTFUL = select(
    _WRITE.c.id, _WRITE.c.listing_id, _WRITE.c.key, _WRITE.c.quantity, _WRITE.c.delta, _WRITE.c.intended_at
).where(
    Among(_WRITE.c.key, "keys"), _WRITE.c.open, or_(_WRITE.c.state == "accepted", _WRITE.c.state == "indeterminate")
)


def unanswered(conn: Connection, account: AccountId) -> list[Sent]:
    """Return the writes of an account that were sent by a run that did not live to hear the answer."""
    c = _WRITE.c
    columns = (c.id, c.listing_id, c.key, c.quantity, c.delta, c.intended_at)
    query = select(*columns).where(c.account == account, c.state == "intended", c.open)
    return [Sent(**row._mapping) for row in conn.execute(query)]  # noqa: SLF001  (public by its documentation)


def end_writes(conn: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Set the ends of writes: k, v_state, v_open, v_answered_at, v_effect_until, v_reason."""
    if rows:
        change(conn, WriteRow, "id", rows)


def _spent_effects() -> Any:
    c = _EFFECT.c
    return delete(_EFFECT).where(c.listing_id == bindparam("k"), c.latest < bindparam("since"))


def _spent_writes() -> Any:
    c = _WRITE.c
    known_end = c.effect_until < bindparam("since")
    mine = (c.listing_id == bindparam("k"), c.open, c.state != "intended", known_end)
    return update(_WRITE).where(*mine).values(open=False)


_SPENT_EFFECTS = _spent_effects()
_SPENT_WRITES = _spent_writes()


_WITH_EFFECTS = select(_EFFECT.c.listing_id).where(Among(_EFFECT.c.listing_id, "ids")).distinct()
_WITH_WRITES = select(_WRITE.c.listing_id).where(Among(_WRITE.c.listing_id, "ids"), _WRITE.c.open).distinct()


def with_history(conn: Connection, ids: Collection[int]) -> set[int]:
    """Return those of these listings that have effects or open writes."""
    values = {"ids": listed(conn, ids)}
    return {row[0] for query in (_WITH_EFFECTS, _WITH_WRITES) for row in fetch_all(conn, query, values)}
