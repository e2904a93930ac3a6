"""Proofs of buyers, and what buyers asked for on the order page. No personal data."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, delete, or_, select

from syncd.core.terms import AccountId, Instant
from syncd.store.rows import OrderRow
from syncd.store.rows_orders import CancelWishRow, OrderProofRow
from syncd.store.statements import Among, insert_new, listed, table

_ORDER = table(OrderRow)
_PROOF = table(OrderProofRow)
_WISH = table(CancelWishRow)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unproved:
    """An order whose proofs were not asked for yet."""

    row: int
    order_id: str


def newest(conn: Connection, account: AccountId) -> int:
    """Return the highest row of an account's orders, 0 where it has none."""
    c = _ORDER.c
    found = conn.execute(select(c.id).where(c.account == account).order_by(c.id.desc()).limit(1)).scalar()
    return 0 if found is None else int(found)


def without_proofs(
    conn: Connection, account: AccountId, *, key_id: str, above: int, below: int, since: Instant, limit: int
) -> tuple[list[Unproved], int | None]:
    """Return orders between two rows, newest first, that have no proofs under a key, and where to go on below.

    None there: what is left is older than `since`, or nothing is left.
    """
    c = _ORDER.c
    query = select(c.id, c.remote_id, c.ordered_at).where(c.id < below, c.id > above, c.account == account)
    rows = conn.execute(query.order_by(c.id.desc()).limit(limit)).all()
    ids = {"ids": listed(conn, [row.id for row in rows])}
    proved = select(_PROOF.c.order_id).where(Among(_PROOF.c.order_id, "ids"), _PROOF.c.key_id == key_id)
    known = set(conn.execute(proved, ids).scalars()) if rows else set()
    fresh = [row for row in rows if row.ordered_at >= since]
    ended = len(rows) < limit or not fresh
    made = [Unproved(row=row.id, order_id=row.remote_id) for row in fresh if row.id not in known]
    return made, None if ended else int(rows[-1].id)


def save(conn: Connection, told: Mapping[int, Collection[str]], *, key_id: str, now: Instant) -> None:
    """Keep the proofs of orders by row; one without any is noted too, so that it is not asked for again."""
    if not told:
        return
    ids = {"ids": listed(conn, list(told))}
    conn.execute(delete(_PROOF).where(Among(_PROOF.c.order_id, "ids")), ids)
    rows = [
        {"order_id": row, "proof": proof, "key_id": key_id, "at": now}
        for row, proofs in told.items()
        for proof in {*proofs} - {""} or {""}
    ]
    insert_new(conn, OrderProofRow, keys=("order_id", "proof"), values=rows)


def forget(conn: Connection, *, before: Instant, limit: int) -> int:
    """Delete proofs that were made before an instant; return how many."""
    c = _PROOF.c
    old = select(c.order_id).where(c.at < before).order_by(c.at).limit(limit)
    return conn.execute(delete(_PROOF).where(c.order_id.in_(old), c.at < before)).rowcount


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An order that somebody may have meant, with its proofs."""

    row: int
    account: AccountId
    order_id: str
    proofs: frozenset[str]


def candidates(conn: Connection, numbers: Collection[str], *, limit: int) -> list[Candidate]:
    """Return orders that have one of these numbers and any proof; the same work whether there is one or not."""
    o, p = _ORDER.c, _PROOF.c
    accounts = select(o.account).distinct().scalar_subquery()
    by_number = Among(o.number, "numbers") & (o.number != o.remote_id)
    by_remote = o.account.in_(accounts) & Among(o.remote_id, "numbers")
    values = {"numbers": listed(conn, list(numbers))}
    rows = conn.execute(
        select(o.id, o.account, o.remote_id).where(or_(by_number, by_remote), ~o.ignored).limit(limit), values
    ).all()
    ids = {"ids": listed(conn, [row.id for row in rows])}
    proofs: dict[int, set[str]] = {}
    for row in conn.execute(select(p.order_id, p.proof).where(Among(p.order_id, "ids"), p.proof != ""), ids):
        proofs.setdefault(row.order_id, set()).add(row.proof)
    return [
        Candidate(
            row=row.id, account=AccountId(row.account), order_id=row.remote_id, proofs=frozenset(proofs.get(row.id, ()))
        )
        for row in rows
    ]


def by_row(conn: Connection, row: int) -> Candidate | None:
    """Return an order by its row; None where there is none."""
    o = _ORDER.c
    found = conn.execute(select(o.account, o.remote_id).where(o.id == row)).first()
    if found is None:
        return None
    return Candidate(row=row, account=AccountId(found.account), order_id=found.remote_id, proofs=frozenset())


def wish_cancel(conn: Connection, row: int, *, now: Instant) -> bool:
    """Note that a buyer asked to cancel; return False where that was noted before."""
    known = conn.execute(select(_WISH.c.order_id).where(_WISH.c.order_id == row)).first()
    if known is not None:
        return False
    insert_new(conn, CancelWishRow, keys=("order_id",), values=[{"order_id": row, "at": now}])
    return True
