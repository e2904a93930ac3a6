"""What happened to a SKU: movements, the orders behind them, writes, doubts and alerts, as far as kept. Read-only.

Readings are not kept: a listing has its last one only. Ended writes, suspect sales and drift go by retention; what the
oldest kept write is, is told, so that nobody takes silence for calm.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from syncd.core.history import Braked, Drifted, History, Moved, Place, SoldLine, Suspected, Written, line_of
from syncd.core.terms import AccountId, Instant, SkuId
from syncd.store import backorders, ledger
from syncd.store.rows import (
    AlertRow,
    BrakeRow,
    DriftRow,
    ListingRow,
    MovementRow,
    OrderLineRow,
    OrderRow,
    SkuRow,
    SuspectRow,
    WriteRow,
)
from syncd.store.statements import chunks, table
from syncd.store.views_sku import WRITES_LOOKED_AT

_ALERT = table(AlertRow)
_BRAKE = table(BrakeRow)
_DRIFT = table(DriftRow)
_LINE = table(OrderLineRow)
_LISTING = table(ListingRow)
_MOVEMENT = table(MovementRow)
_ORDER = table(OrderRow)
_SKU = table(SkuRow)
_SUSPECT = table(SuspectRow)
_WRITE = table(WriteRow)

MOST_MOVEMENTS = 20_000
"""Most movements of one SKU that are looked at, the last ones."""
MOST_WRITES = 5_000
"""Most writes to its listings, the last ones."""
MOST_ROWS = 1_000
"""Most suspect sales and most foreign changes, the last ones."""
RESENT_LOOKED_AT = 5_000
"""Among so many of the last writes those are looked for that were sent again."""


def sku_histories(conn: Connection, code: str, *, since: Instant | None) -> list[History] | None:
    """Return what happened to a SKU, or to each component of a kit, from an instant on; None for an unknown SKU."""
    known = ledger.skus_by_code(conn, [code])
    if not known:
        return None
    (sku_id,) = (found.sku_id for found in known.values())
    return [_history(conn, part, since) for part in _parts(conn, [sku_id])]


def order_histories(
    conn: Connection, order: str, *, account: str, since: Instant | None
) -> tuple[list[str], list[History]]:
    """Return the (account/id) of the orders with this number or id, and what happened to the SKUs of the first.

    More than one order: nobody knows which is meant, and there are no histories.
    """
    c = _ORDER.c
    query = select(c.id, c.account, c.remote_id).where(or_(c.remote_id == order, c.number == order)).limit(10)
    rows = conn.execute(query.where(c.account == account) if account else query).all()
    if len(rows) != 1:
        return [f"{row.account}/{row.remote_id}" for row in rows], []
    lines = select(_LINE.c.sku_id).where(_LINE.c.order_id == rows[0].id, _LINE.c.sku_id.is_not(None)).distinct()
    ids = _parts(conn, sorted(conn.execute(lines).scalars()))
    return [f"{rows[0].account}/{rows[0].remote_id}"], [_history(conn, sku_id, since) for sku_id in ids]


def _parts(conn: Connection, ids: Collection[SkuId]) -> list[SkuId]:
    """Return SKUs with kits replaced by their components."""
    made = ledger.kits(conn, ids)
    return list(dict.fromkeys(part for sku_id in ids for part, _ in made.get(sku_id, ((sku_id, 1),))))


def _history(conn: Connection, sku_id: SkuId, since: Instant | None) -> History:
    codes = {kit: known.code for kit, known in ledger.skus_by_id(conn, _shown_by(conn, sku_id)).items()}
    listings = _listings(conn, codes)
    ids = [listing.id for listing in listings]
    movements, cut = _movements(conn, sku_id, since)
    writes, writes_since = _writes(conn, ids, since)
    oversold_at, over_at = _alert(conn, codes[sku_id])
    return History(
        sku=codes[sku_id],
        opened_at=conn.execute(select(_SKU.c.opened_at).where(_SKU.c.id == sku_id)).scalar_one(),
        before=_before(conn, sku_id, movements),
        movements=movements,
        cut=cut,
        sold=_sold(conn, sku_id, codes, movements),
        listings=listings,
        writes=writes,
        writes_since=writes_since,
        suspects=_suspects(conn, sku_id, since),
        drifts=_drifts(conn, ids, since),
        oversold_at=oversold_at,
        oversell_over_at=over_at,
        backorders=backorders.of_sku(conn, sku_id),
        brakes=_brakes(conn, since if since is not None else movements[0].recorded_at if movements else 0),
    )


def _brakes(conn: Connection, since: Instant) -> tuple[Braked, ...]:
    c = _BRAKE.c
    columns = (c.at, c.cause, c.to_zero, c.raised, c.state, c.ended_at)
    query = select(*columns).where(c.at >= since).order_by(c.id.desc()).limit(MOST_ROWS)
    return tuple(Braked(**row) for row in reversed(conn.execute(query).mappings().all()))


def _shown_by(conn: Connection, sku_id: SkuId) -> set[SkuId]:
    """Return the SKU and the kits that hold it."""
    return {sku_id, *ledger.kits_touching(conn, [sku_id])}


def _listings(conn: Connection, codes: Mapping[SkuId, str]) -> tuple[Place, ...]:
    c = _LISTING.c
    query = select(c.id, c.account, c.remote_id, c.sku_id, c.target, c.seen, c.seen_at).order_by(c.account, c.id)
    return tuple(
        Place(
            id=row.id,
            account=row.account,
            remote_id=row.remote_id,
            sku=codes[row.sku_id],
            target=row.target,
            seen=row.seen,
            seen_at=row.seen_at,
        )
        for row in conn.execute(query.where(c.sku_id.in_(list(codes))))
    )


def _movements(conn: Connection, sku_id: SkuId, since: Instant | None) -> tuple[tuple[Moved, ...], bool]:
    """Return the last movements in the order in which they were decided, and whether older ones were left out."""
    c = _MOVEMENT.c
    names = [c[name] for name in Moved.__dataclass_fields__]
    query = select(*names).where(c.sku_id == sku_id).order_by(c.id.desc()).limit(MOST_MOVEMENTS + 1)
    rows = conn.execute(query.where(c.recorded_at >= since) if since is not None else query).mappings().all()
    return tuple(Moved(**row) for row in reversed(rows[:MOST_MOVEMENTS])), len(rows) > MOST_MOVEMENTS


def _before(conn: Connection, sku_id: SkuId, movements: tuple[Moved, ...]) -> tuple[int, int, int]:
    c = _MOVEMENT.c
    sums = [func.coalesce(func.sum(column), 0) for column in (c.on_hand, c.committed, c.held)]
    query = select(*sums).where(c.sku_id == sku_id)
    row = conn.execute(query.where(c.id < movements[0].id) if movements else query).one()
    return int(row[0]), int(row[1]), int(row[2])


def _sold(
    conn: Connection, sku_id: SkuId, codes: Mapping[SkuId, str], movements: Iterable[Moved]
) -> dict[tuple[str, str], SoldLine]:
    """Return the lines behind movements, found by the ids of their orders: there is no index of lines by SKU."""
    wanted: dict[str, set[str]] = {}
    for move in movements:
        pieces = line_of(move.reference).split(":") if move.committed else []
        ids = wanted.setdefault(move.source, set())
        ids.update(":".join(pieces[:end]) for end in range(1, len(pieces)))
    made = ledger.kits(conn, codes)
    each = {kit: sum(quantity for part, quantity in parts if part == sku_id) for kit, parts in made.items()}
    found: dict[tuple[str, str], SoldLine] = {}
    for account, ids in wanted.items():
        for some in chunks(sorted(ids)):
            found.update(_sold_there(conn, codes, each, account=account, ids=some))
    return found


def _sold_there(
    conn: Connection, codes: Mapping[SkuId, str], each: Mapping[SkuId, int], *, account: str, ids: list[str]
) -> Iterator[tuple[tuple[str, str], SoldLine]]:
    c, o = _LINE.c, _ORDER.c
    columns = (o.remote_id.label("order_id"), o.number, o.ordered_at, c.line_id, c.remote_id, c.sku_id)
    query = select(*columns).join(_LINE, o.id == c.order_id).where(o.account == account, o.remote_id.in_(ids))
    for row in conn.execute(query.where(c.sku_id.in_(list(codes)))):
        line = SoldLine(
            account=account,
            order_id=row.order_id,
            number=row.number,
            line_id=row.line_id,
            remote_id=row.remote_id,
            sku=codes[row.sku_id],
            ordered_at=row.ordered_at,
            each=each.get(row.sku_id, 1),
        )
        yield (account, f"{row.order_id}:{row.line_id}"), line


def _writes(conn: Connection, ids: list[int], since: Instant | None) -> tuple[tuple[Written, ...], Instant | None]:
    c = _WRITE.c
    newest = int(conn.execute(select(func.max(c.id))).scalar() or 0)
    recent = c.id > newest - WRITES_LOOKED_AT
    first = conn.execute(select(c.id, c.intended_at).where(recent).order_by(c.id).limit(1)).first()
    wanted: ColumnElement[bool] = recent if since is None else and_(recent, c.intended_at >= since)
    columns = [c[name] for name in Written.__dataclass_fields__]
    query = select(*columns).where(wanted).order_by(c.id.desc()).limit(MOST_WRITES)
    rows = [row for some in chunks(ids) for row in conn.execute(query.where(c.listing_id.in_(some))).mappings()]
    made = sorted((Written(**row) for row in rows), key=lambda write: write.id)
    return tuple(made[-MOST_WRITES:]), None if first is None or first.id <= 1 else first.intended_at


def _suspects(conn: Connection, sku_id: SkuId, since: Instant | None) -> tuple[Suspected, ...]:
    c = _SUSPECT.c
    columns = [c[name] for name in Suspected.__dataclass_fields__]
    query = select(*columns).where(c.sku_id == sku_id).order_by(c.id.desc()).limit(MOST_ROWS)
    rows = conn.execute(query.where(c.until >= since) if since is not None else query).mappings().all()
    return tuple(Suspected(**row) for row in reversed(rows))


def _drifts(conn: Connection, ids: list[int], since: Instant | None) -> tuple[Drifted, ...]:
    c = _DRIFT.c
    columns = [c[name] for name in Drifted.__dataclass_fields__]
    query = select(*columns).order_by(c.id.desc()).limit(MOST_ROWS)
    query = query if since is None else query.where(c.at >= since)
    rows: list[Any] = [x for some in chunks(ids) for x in conn.execute(query.where(c.listing_id.in_(some))).mappings()]
    return tuple(sorted((Drifted(**row) for row in rows), key=lambda drift: drift.id))


def _alert(conn: Connection, code: str) -> tuple[Instant | None, Instant | None]:
    c = _ALERT.c
    row = conn.execute(select(c.raised_at, c.cleared_at).where(c.kind == "oversell", c.key == code)).first()
    return (None, None) if row is None else (row.raised_at, row.cleared_at)


def resent_writes(conn: Connection) -> dict[AccountId, int]:
    """Count by account, among the last writes, those that were accepted, not in effect when read, and sent again.

    That is: the next write to the same listing has the same number, or difference, and the same target, and no unit of
    the SKU (of a kit's components) moved between the two.
    """
    c = _WRITE.c
    newest = int(conn.execute(select(func.max(c.id))).scalar() or 0)
    columns = (c.id, c.account, c.listing_id, c.quantity, c.target, c.delta, c.state, c.intended_at)
    query = select(*columns).where(c.id > newest - RESENT_LOOKED_AT).order_by(c.listing_id, c.id)
    pairs = [(one, two) for one, two in pairwise(conn.execute(query).all()) if _repeats(one, two)]
    units = _units(conn, {one.listing_id for one, _ in pairs})
    found: Counter[AccountId] = Counter()
    for one, two in pairs:
        if not _moved_between(conn, units.get(one.listing_id, ()), one.intended_at, two.intended_at):
            found[AccountId(one.account)] += 1
    return dict(found)


def _repeats(one: Any, two: Any) -> bool:
    alike = all(getattr(one, name) == getattr(two, name) for name in ("listing_id", "quantity", "target", "delta"))
    return alike and one.state == "accepted"


def _units(conn: Connection, listing_ids: Collection[int]) -> dict[int, tuple[SkuId, ...]]:
    """Return the SKUs whose units these listings sell."""
    c = _LISTING.c
    rows = [
        (row.id, SkuId(row.sku_id))
        for some in chunks(listing_ids)
        for row in conn.execute(select(c.id, c.sku_id).where(c.id.in_(some), c.sku_id.is_not(None)))
    ]
    made = ledger.kits(conn, {sku_id for _, sku_id in rows})
    return {listing_id: tuple(part for part, _ in made.get(sku_id, ((sku_id, 1),))) for listing_id, sku_id in rows}


def _moved_between(conn: Connection, ids: Collection[SkuId], since: Instant, until: Instant) -> bool:
    c = _MOVEMENT.c
    query = select(c.id).where(c.sku_id.in_(list(ids)), c.recorded_at > since, c.recorded_at <= until).limit(1)
    return conn.execute(query).first() is not None
