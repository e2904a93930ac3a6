"""SKUs, kits, policies, movements, balances and orders: the one truth about stock."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection, exists, func, insert, or_, select

from syncd.core.ledger import Posting, StoredLine, StoredOrder
from syncd.core.terms import (
    AccountId,
    FulfilmentStatus,
    Instant,
    Location,
    OrderLine,
    OrderSnapshot,
    PaymentStatus,
    ReturnStatus,
    Sku,
    SkuId,
)
from syncd.store.rows import (
    BalanceRow,
    KitRow,
    MovementRow,
    OrderLineRow,
    OrderRow,
    SkuRow,
    SuspectRow,
)
from syncd.store.rows_exposure import ClaimRow, DisplayRow, PolicyRow, SeasonRow
from syncd.store.skuwords import raise_version
from syncd.store.statements import Among, append, change, fetch_all, insert_new, listed, table, upsert

_SKU = table(SkuRow)
_KIT = table(KitRow)
_POLICY = table(PolicyRow)
_MOVEMENT = table(MovementRow)
_BALANCE = table(BalanceRow)
_ORDER = table(OrderRow)
_LINE = table(OrderLineRow)
_SUSPECT = table(SuspectRow)
_SEASON = table(SeasonRow)
_CLAIM = table(ClaimRow)
_SHOWN = table(DisplayRow)

_STATE = msgspec.json.Decoder(OrderLine)

_SKUS_BY_CODE = select(_SKU.c.id, _SKU.c.code, _SKU.c.opened_at).where(Among(_SKU.c.code, "codes"))
_SKUS_BY_ID = select(_SKU.c.id, _SKU.c.code, _SKU.c.opened_at).where(Among(_SKU.c.id, "ids"))
_KITS_TOUCHING = select(_KIT.c.kit_id).where(or_(Among(_KIT.c.kit_id, "ids"), Among(_KIT.c.component_id, "ids")))
_KITS = select(_KIT).where(Among(_KIT.c.kit_id, "ids")).order_by(_KIT.c.kit_id, _KIT.c.component_id)
_SHELVES = select(
    _BALANCE.c.sku_id, _BALANCE.c.location, _BALANCE.c.on_hand, _BALANCE.c.committed, _BALANCE.c.held
).where(Among(_BALANCE.c.sku_id, "ids"))
_ORDERS = select(
    _ORDER.c.id,
    _ORDER.c.account,
    _ORDER.c.remote_id,
    _ORDER.c.version,
    _ORDER.c.read_at,
    _ORDER.c.cancelled,
    _ORDER.c.ignored,
).where(Among(_ORDER.c.account, "accounts"), Among(_ORDER.c.remote_id, "ids"))
_ORDER_LINES = select(
    _LINE.c.order_id,
    _LINE.c.line_id,
    _LINE.c.sku_id,
    _LINE.c.location,
    _LINE.c.quantity,
    _LINE.c.cancelled,
    _LINE.c.shipped,
    _LINE.c.returned,
).where(Among(_LINE.c.order_id, "ids"))
_ORDER_IDS = select(_ORDER.c.account, _ORDER.c.remote_id, _ORDER.c.id).where(
    Among(_ORDER.c.account, "accounts"), Among(_ORDER.c.remote_id, "ids")
)
_PRESENT = select(
    exists(select(_KIT.c.kit_id)),
    exists(select(_POLICY.c.sku_id)),
    exists(select(_SUSPECT.c.id).where(_SUSPECT.c.closed_at.is_(None))),
    exists(select(_SEASON.c.sku_id)),
    exists(select(_CLAIM.c.listing_id)),
    exists(select(_SHOWN.c.listing_id)),
)

Kits = dict[SkuId, tuple[tuple[SkuId, int], ...]]


@dataclass(slots=True)
class Balance:
    """Units of one SKU at one location."""

    on_hand: int = 0
    committed: int = 0
    held: int = 0

    @property
    def available(self) -> int:
        """Return on hand less committed less held; may be negative."""
        return self.on_hand - self.committed - self.held


Shelf = dict[Location, Balance]


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownSku:
    """A SKU as the store knows it."""

    sku_id: SkuId
    code: Sku
    opened: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """Whether there are any of these at all: most shops have none.

    Kits, policies per SKU, open suspect sales, dated policies per SKU, listings with an allotment, and
    with more than a number.
    """

    kits: bool
    policies: bool
    suspects: bool
    seasons: bool
    claims: bool
    displays: bool


def present(conn: Connection) -> Present:
    """Say what there is, so that nobody looks for what cannot be found."""
    return Present(**dict(zip(Present.__slots__, map(bool, fetch_all(conn, _PRESENT, {})[0]), strict=True)))


def skus_by_code(conn: Connection, codes: Collection[str]) -> dict[Sku, KnownSku]:
    """Return the known SKUs among these codes."""
    if not codes:
        return {}
    rows = fetch_all(conn, _SKUS_BY_CODE, {"codes": listed(conn, codes)})
    return {code: KnownSku(sku_id=sku_id, code=code, opened=at is not None) for sku_id, code, at in rows}


def skus_by_id(conn: Connection, ids: Collection[SkuId]) -> dict[SkuId, KnownSku]:
    """Return these SKUs."""
    if not ids:
        return {}
    rows = fetch_all(conn, _SKUS_BY_ID, {"ids": listed(conn, ids)})
    return {sku_id: KnownSku(sku_id=sku_id, code=code, opened=at is not None) for sku_id, code, at in rows}


def sku_page(conn: Connection, *, after: int, limit: int) -> list[SkuId]:
    """Return the next SKUs by number."""
    query = select(_SKU.c.id).where(_SKU.c.id > after).order_by(_SKU.c.id).limit(limit)
    return [SkuId(sku_id) for sku_id in conn.execute(query).scalars()]


def add_skus(conn: Connection, titles: Mapping[str, str]) -> None:
    """Make SKUs known; one that is known keeps its title."""
    if titles:
        raise_version(conn)
    insert_new(conn, SkuRow, keys=("code",), values=[{"code": c, "title": t} for c, t in titles.items()])


def set_title(conn: Connection, titles: Mapping[SkuId, str]) -> None:
    """Set the titles of SKUs."""
    if titles:
        raise_version(conn)
        change(conn, SkuRow, "id", [{"k": k, "v_title": v} for k, v in titles.items()])


def open_skus(conn: Connection, ids: Collection[SkuId], *, now: Instant) -> None:
    """Note that these SKUs have an opening count."""
    if ids:
        change(conn, SkuRow, "id", [{"k": k, "v_opened_at": now} for k in ids])


def kits_touching(conn: Connection, ids: Collection[SkuId]) -> Kits:
    """Return every kit that is one of these SKUs or has one of them as a component."""
    return kits(conn, set(conn.execute(_KITS_TOUCHING, {"ids": listed(conn, ids)}).scalars()))


def kits(conn: Connection, kit_ids: Collection[int]) -> Kits:
    """Return the components of these kits."""
    found: dict[SkuId, list[tuple[SkuId, int]]] = {}
    for row in conn.execute(_KITS, {"ids": listed(conn, kit_ids)}).all() if kit_ids else ():
        found.setdefault(SkuId(row.kit_id), []).append((SkuId(row.component_id), row.quantity))
    return {kit: tuple(parts) for kit, parts in found.items()}


def set_kit(conn: Connection, kit_id: SkuId, parts: Iterable[tuple[SkuId, int]]) -> None:
    """Replace the components of a kit."""
    conn.execute(_KIT.delete().where(_KIT.c.kit_id == kit_id))
    rows = [{"kit_id": kit_id, "component_id": part, "quantity": quantity} for part, quantity in parts]
    if rows:
        conn.execute(insert(_KIT), rows)


def shelves(conn: Connection, ids: Collection[SkuId]) -> dict[SkuId, Shelf]:
    """Return the balances of these SKUs by location."""
    found: dict[SkuId, Shelf] = {sku_id: {} for sku_id in ids}
    for sku_id, location, on_hand, committed, held in (
        fetch_all(conn, _SHELVES, {"ids": listed(conn, ids)}) if ids else ()
    ):
        found[sku_id][location] = Balance(on_hand, committed, held)
    return found


def add_movements(conn: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Append movements. A (source, reference) that is there already is an IntegrityError: the caller's bug."""
    if rows:
        append(conn, MovementRow, rows)


def movement_values(
    posting: Posting, *, source: str, at: Instant, now: Instant, reason: str = "", actor: str = ""
) -> dict[str, Any]:
    """Return the row of a posting."""
    return {
        "source": source,
        "reference": posting.reference,
        "sku_id": posting.sku_id,
        "location": posting.location,
        "kind": posting.kind.value,
        "on_hand": posting.on_hand,
        "committed": posting.committed,
        "held": posting.held,
        "at": at,
        "recorded_at": now,
        "reason": reason,
        "actor": actor,
    }


def set_balances(conn: Connection, changed: Mapping[tuple[SkuId, Location], Balance]) -> None:
    """Write balances."""
    rows = [
        {"sku_id": k[0], "location": k[1], "on_hand": b.on_hand, "committed": b.committed, "held": b.held}
        for k, b in changed.items()
    ]
    upsert(conn, BalanceRow, keys=("sku_id", "location"), values=rows)


# --- orders ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownOrder:
    """A stored order with its row id."""

    row_id: int
    order: StoredOrder


def orders(conn: Connection, wanted: Collection[tuple[AccountId, str]]) -> dict[tuple[AccountId, str], KnownOrder]:
    """Return the stored orders among these (account, remote id), with their lines."""
    names, ids = {account for account, _ in wanted}, {remote_id for _, remote_id in wanted}
    values = {"accounts": listed(conn, sorted(names)), "ids": listed(conn, sorted(ids))}
    heads = fetch_all(conn, _ORDERS, values)
    lines = _lines(conn, [head[0] for head in heads]) if heads else {}
    return {
        (account, remote_id): KnownOrder(
            row_id=row_id,
            order=StoredOrder(
                version=version,
                read_at=read_at,
                cancelled=cancelled == 1,
                ignored=ignored == 1,
                lines=lines.get(row_id, {}),
            ),
        )
        for row_id, account, remote_id, version, read_at, cancelled, ignored in heads
    }


def _lines(conn: Connection, order_ids: Collection[int]) -> dict[int, dict[str, StoredLine]]:
    found: dict[int, dict[str, StoredLine]] = {}
    for order_id, line_id, sku_id, location, quantity, cancelled, shipped, returned in fetch_all(
        conn, _ORDER_LINES, {"ids": listed(conn, order_ids)}
    ):
        found.setdefault(order_id, {})[line_id] = StoredLine(
            line_id=line_id,
            sku_id=sku_id,
            location=location,
            quantity=quantity,
            cancelled=cancelled,
            shipped=shipped,
            returned=returned,
        )
    return found


def order_values(account: AccountId, order: OrderSnapshot, *, ignored: bool, now: Instant) -> dict[str, Any]:
    """Return the row of an order."""
    return {
        "account": account,
        "remote_id": order.order_id,
        "number": order.number,
        "version": order.version,
        "read_at": order.read_at,
        "ordered_at": order.ordered_at,
        "cancelled": order.cancelled,
        "closed": order.closed,
        "ignored": ignored,
        "payment": order.payment.value,
        "payment_raw": order.payment_raw,
        "fulfilment": order.fulfilment.value,
        "fulfilment_raw": order.fulfilment_raw,
        "returns": order.returns.value,
        "returns_raw": order.returns_raw,
        "amount": order.amount,
        "currency": order.currency,
        "recorded_at": now,
    }


def save_orders(conn: Connection, rows: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], int]:
    """Write orders; return the row id by (account, remote id)."""
    upsert(conn, OrderRow, keys=("account", "remote_id"), values=rows)
    names, ids = {row["account"] for row in rows}, {row["remote_id"] for row in rows}
    values = {"accounts": listed(conn, sorted(names)), "ids": listed(conn, sorted(ids))}
    return {(account, remote_id): row_id for account, remote_id, row_id in fetch_all(conn, _ORDER_IDS, values)}


def save_lines(conn: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write order lines."""
    upsert(conn, OrderLineRow, keys=("order_id", "line_id"), values=rows)


def quarantined(conn: Connection, account: AccountId, remote_ids: Collection[str], skus: Collection[str]) -> list[int]:
    """Return the row ids of orders that have lines in quarantine for these listings or channel SKUs."""
    c = _LINE.c
    found: set[int] = set()
    for column, names in ((c.remote_id, remote_ids), (c.remote_sku, skus)):
        query = select(c.order_id).where(c.account == account, c.sku_id.is_(None), Among(column, "names"))
        found.update(conn.execute(query, {"names": listed(conn, names)}).scalars() if names else ())
    return sorted(found)


def restate(conn: Connection, order_ids: Collection[int]) -> list[OrderSnapshot]:
    """Return stored orders as the snapshots that they were, as far as they are kept; ignored ones are left out."""
    lines: dict[int, list[OrderLine]] = {}
    ids = {"ids": listed(conn, order_ids)}
    for row in conn.execute(select(_LINE).where(Among(_LINE.c.order_id, "ids")), ids):
        lines.setdefault(row.order_id, []).append(_restated_line(row))
    query = select(_ORDER).where(Among(_ORDER.c.id, "ids"), _ORDER.c.ignored.is_(False))
    return [_restated(row, tuple(lines.get(row.id, ()))) for row in conn.execute(query, ids)]


def _restated_line(row: Any) -> OrderLine:
    kept = _STATE.decode(row.state) if row.state else None
    return OrderLine(
        take=None if kept is None else kept.take,
        gives=() if kept is None else kept.gives,
        remote_location="" if kept is None else kept.remote_location,
        line_id=row.line_id,
        remote_id=row.remote_id,
        remote_sku=row.remote_sku,
        quantity=row.quantity,
        cancelled=row.cancelled,
        shipped=row.shipped,
        returned=row.returned,
    )


def _restated(row: Any, lines: tuple[OrderLine, ...]) -> OrderSnapshot:
    return OrderSnapshot(
        order_id=row.remote_id,
        number=row.number,
        version=row.version,
        read_at=row.read_at,
        ordered_at=row.ordered_at,
        lines=lines,
        cancelled=row.cancelled,
        closed=row.closed,
        payment=PaymentStatus(row.payment),
        payment_raw=row.payment_raw,
        fulfilment=FulfilmentStatus(row.fulfilment),
        fulfilment_raw=row.fulfilment_raw,
        returns=ReturnStatus(row.returns),
        returns_raw=row.returns_raw,
        amount=row.amount,
        currency=row.currency,
    )


def has_open_lines(conn: Connection, sku_id: SkuId) -> bool:
    """Say whether an order line of this SKU is still to be shipped."""
    c = _LINE.c
    query = select(c.line_id).where(c.sku_id == sku_id, c.quantity > c.cancelled + c.shipped).limit(1)
    return conn.execute(query).first() is not None


def quarantine_size(conn: Connection) -> int:
    """Return how many order lines wait for a mapping."""
    query = select(func.count()).select_from(_LINE.join(_ORDER, _ORDER.c.id == _LINE.c.order_id))
    return int(conn.execute(query.where(_LINE.c.sku_id.is_(None), _ORDER.c.ignored.is_(False))).scalar_one())
