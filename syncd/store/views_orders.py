"""Orders as people look at them. Read-only; there is no personal data in them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, CompoundSelect, Connection, Select, and_, func, or_, select, union

from syncd.core.carriers import link_of
from syncd.core.terms import FulfilmentStatus, Instant, PaymentStatus, ReturnStatus, SkuId
from syncd.store import ledger
from syncd.store.rows import BalanceRow, KitRow, OrderLineRow, OrderRow, SkuRow
from syncd.store.rows_orders import CancelWishRow, OrderDeliveryRow, ShipmentRow
from syncd.store.statements import Among, listed, table
from syncd.store.views import contains, moment, moment_or_none, some_short

_ORDER = table(OrderRow)
_LINE = table(OrderLineRow)
_SKU = table(SkuRow)
_KIT = table(KitRow)
_BALANCE = table(BalanceRow)
_DELIVERY = table(OrderDeliveryRow)
_SHIPMENT = table(ShipmentRow)
_WISH = table(CancelWishRow)

FLAGS: Final = ("open", "closed", "cancelled")
"""Words for the order as a whole. Open: not cancelled, not closed, and something is still to be shipped."""
WORDS: Final = frozenset(
    {*FLAGS, *(str(word) for words in (PaymentStatus, FulfilmentStatus, ReturnStatus) for word in words)}
)
"""Every word by which orders can be asked for: the flags and the unified status words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFilter:
    """Which orders are asked for. `words` all have to fit; `delayed` ones have units that the stock does not cover.

    `late` ones should have been shipped by now; of `cancel_asked` ones the buyer asked to cancel what was not sent.
    `carrier` is a key of `core.carriers`. `since` and `until` are of the order's own time; `until` is not in it.
    """

    account: str = ""
    words: Collection[str] = ()
    text: str = ""
    delayed: bool = False
    late: bool = False
    carrier: str = ""
    cancel_asked: bool = False
    since: Instant | None = None
    until: Instant | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderView:
    """An order. Units are sums over its lines; `unmapped` lines wait in quarantine. `row` is for the next page."""

    row: int
    account: str
    order_id: str
    number: str
    ordered_at: datetime
    read_at: datetime
    cancelled: bool
    closed: bool
    ignored: bool
    payment: str
    payment_raw: str
    fulfilment: str
    fulfilment_raw: str
    returns: str
    returns_raw: str
    amount: str
    currency: str
    units: int
    units_cancelled: int
    units_shipped: int
    unmapped: int
    delayed: bool
    ship_by: datetime | None
    deliver_by: datetime | None
    late: bool
    parcels: int
    carriers: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipmentView:
    """A parcel. `link` is where it may be followed, safe to be shown; `carrier` is a key of `core.carriers`."""

    shipment_id: str
    carrier: str
    carrier_raw: str
    number: str
    link: str
    shipped_at: datetime | None
    expected_at: datetime | None
    delivered_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderLineView:
    """A line of an order; `short` is set where the stock does not cover what is promised of its SKU."""

    line_id: str
    remote_id: str
    remote_sku: str
    sku: str | None
    location: str
    quantity: int
    cancelled: int
    shipped: int
    returned: int
    short: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderDetail:
    """An order with its lines and parcels; `cancel_asked_at` is when its buyer asked to cancel it."""

    order: OrderView
    lines: tuple[OrderLineView, ...]
    shipments: tuple[ShipmentView, ...]
    cancel_asked_at: datetime | None


_HEAD = (
    "account", "number", "cancelled", "closed", "ignored", "payment", "payment_raw", "fulfilment", "fulfilment_raw",
    "returns", "returns_raw", "amount", "currency",
)  # fmt: skip


def orders(
    conn: Connection, asked: OrderFilter, *, now: Instant, before: int | None = None, limit: int
) -> list[OrderView]:
    """Return orders, those first that were heard of last; `before` is the last row of the page before."""
    where = [*_conditions(asked, now=now), *([] if before is None else [_ORDER.c.id < before])]
    return _views(conn, select(_ORDER).where(*where).order_by(_ORDER.c.id.desc()).limit(limit), now=now)


def order_detail(conn: Connection, account: str, order_id: str, *, now: Instant) -> OrderDetail | None:
    """Return an order with its lines and parcels; None where it is not known."""
    c = _ORDER.c
    found = _views(conn, select(_ORDER).where(c.account == account, c.remote_id == order_id), now=now)
    if not found:
        return None
    row = found[0].row
    wished = conn.execute(select(_WISH.c.at).where(_WISH.c.order_id == row)).scalar()
    return OrderDetail(
        order=found[0],
        lines=_lines(conn, row),
        shipments=_shipments(conn, row),
        cancel_asked_at=moment_or_none(wished),
    )


def carriers(conn: Connection) -> list[str]:
    """Return the carriers that any parcel went with."""
    c = _SHIPMENT.c
    return [str(key) for key in conn.execute(select(c.carrier).where(c.carrier != "").distinct()).scalars()]


def _conditions(asked: OrderFilter, *, now: Instant) -> Iterator[ColumnElement[bool]]:
    c = _ORDER.c
    yield from (_fits(word) for word in asked.words)
    if asked.account:
        yield c.account == asked.account
    if asked.text:
        yield contains(asked.text, c.number)
    if asked.delayed:
        yield _delayed()
    if asked.late:
        yield _late(now)
    if asked.carrier:
        yield c.id.in_(select(_SHIPMENT.c.order_id).where(_SHIPMENT.c.carrier == asked.carrier))
    if asked.cancel_asked:
        yield and_(~c.cancelled, ~c.closed, c.id.in_(select(_WISH.c.order_id)))
    if asked.since is not None:
        yield c.ordered_at >= asked.since
    if asked.until is not None:
        yield c.ordered_at < asked.until


def _fits(word: str) -> ColumnElement[bool]:
    c = _ORDER.c
    status = or_(c.payment == word, c.fulfilment == word, c.returns == word)
    match word:
        case "open":
            return and_(~c.cancelled, ~c.closed, c.id.in_(_open_orders()))
        case "closed":
            return c.closed
        case "cancelled":
            return or_(c.cancelled, status)
        case _:
            return status


def _open_orders() -> Select[Any]:
    return select(_LINE.c.order_id).where(_LINE.c.quantity > _LINE.c.cancelled + _LINE.c.shipped)


def _delayed() -> ColumnElement[bool]:
    return and_(~_ORDER.c.ignored, _ORDER.c.id.in_(_open_orders().where(_LINE.c.sku_id.in_(_short()))))


def _late(now: Instant) -> ColumnElement[bool]:
    """Select orders with units that should have been shipped before now."""
    c, d = _ORDER.c, _DELIVERY.c
    overdue = select(d.order_id).where(d.ship_by < now)
    return and_(~c.ignored, ~c.cancelled, ~c.closed, c.id.in_(overdue), c.id.in_(_open_orders()))


def _short() -> CompoundSelect[Any]:
    """Select counted SKUs of which more is promised than there is, and kits that have one as a component."""
    b = _BALANCE.c
    short = select(b.sku_id).join(_SKU, _SKU.c.id == b.sku_id).where(_SKU.c.opened_at.is_not(None))
    short = short.where(b.sku_id.in_(some_short()))
    short = short.group_by(b.sku_id).having(func.sum(b.on_hand - b.committed - b.held) < 0)
    return union(short, select(_KIT.c.kit_id).where(_KIT.c.component_id.in_(short)))


def _views(conn: Connection, query: Select[Any], *, now: Instant) -> list[OrderView]:
    rows = conn.execute(query).mappings().all()
    ids = [row["id"] for row in rows]
    sums, dates, parcels = _sums(conn, ids), _dates(conn, ids), _parcels(conn, ids)
    return [
        OrderView(
            row=row["id"],
            order_id=row["remote_id"],
            ordered_at=moment(row["ordered_at"]),
            read_at=moment(row["read_at"]),
            **{name: row[name] for name in _HEAD},
            **(units := sums.get(row["id"]) or _NO_LINES),
            **_promise(row, units, dates.get(row["id"]), now=now),
            parcels=len(parcels.get(row["id"], ())),
            carriers=tuple(dict.fromkeys(name for name in parcels.get(row["id"], ()) if name)),
        )
        for row in rows
    ]


def _promise(row: Any, units: Mapping[str, int], dates: tuple[Any, Any] | None, *, now: Instant) -> dict[str, Any]:
    ship_by, deliver_by = dates or (None, None)
    waits = units["units"] > units["units_cancelled"] + units["units_shipped"]
    ended = row["ignored"] or row["cancelled"] or row["closed"]
    return {
        "ship_by": moment_or_none(ship_by),
        "deliver_by": moment_or_none(deliver_by),
        "late": ship_by is not None and ship_by < now and waits and not ended,
    }


def _dates(conn: Connection, ids: list[int]) -> dict[int, tuple[Any, Any]]:
    c = _DELIVERY.c
    query = select(c.order_id, c.ship_by, c.deliver_by).where(c.order_id.in_(ids))
    return {row[0]: (row[1], row[2]) for row in conn.execute(query)} if ids else {}


def _parcels(conn: Connection, ids: list[int]) -> dict[int, list[str]]:
    c = _SHIPMENT.c
    query = select(c.order_id, c.carrier).where(c.order_id.in_(ids)).order_by(c.order_id, c.shipment_id)
    found: dict[int, list[str]] = {}
    for order_id, carrier in conn.execute(query) if ids else ():
        found.setdefault(order_id, []).append(carrier)
    return found


def _shipments(conn: Connection, row_id: int) -> tuple[ShipmentView, ...]:
    c = _SHIPMENT.c
    names = ("shipment_id", "carrier", "carrier_raw", "number")
    query = select(_SHIPMENT).where(c.order_id == row_id).order_by(c.shipped_at, c.shipment_id)
    return tuple(
        ShipmentView(
            **{name: row[name] for name in names},
            shipped_at=moment_or_none(row["shipped_at"]),
            expected_at=moment_or_none(row["expected_at"]),
            delivered_at=moment_or_none(row["delivered_at"]),
            link=link_of(row["carrier"], number=row["number"], url=row["url"]),
        )
        for row in conn.execute(query).mappings()
    )


_NO_LINES: Final = {"units": 0, "units_cancelled": 0, "units_shipped": 0, "unmapped": 0, "delayed": False}


def _sums(conn: Connection, ids: list[int]) -> dict[int, dict[str, Any]]:
    c = _LINE.c
    query = select(c.order_id, c.sku_id, c.quantity, c.cancelled, c.shipped).where(c.order_id.in_(ids))
    rows = conn.execute(query).all() if ids else []
    waits = [row for row in rows if row.quantity > row.cancelled + row.shipped]
    short = _short_among(conn, {SkuId(row.sku_id) for row in waits if row.sku_id is not None})
    found: dict[int, dict[str, Any]] = {}
    for row in rows:
        sums = found.setdefault(int(row.order_id), dict(_NO_LINES))
        sums["units"] += row.quantity
        sums["units_cancelled"] += row.cancelled
        sums["units_shipped"] += row.shipped
        sums["unmapped"] += row.sku_id is None
    for row in waits:
        found[int(row.order_id)]["delayed"] |= row.sku_id in short
    return found


def _short_among(conn: Connection, ids: Collection[SkuId]) -> set[SkuId]:
    """Return those of these SKUs that are short, as `_short` has it; costs what these cost, however many are."""
    made = ledger.kits(conn, ids)
    wanted = {*ids, *(part for parts in made.values() for part, _ in parts)}
    b = _BALANCE.c
    query = select(b.sku_id).join(_SKU, _SKU.c.id == b.sku_id)
    query = query.where(_SKU.c.opened_at.is_not(None), Among(b.sku_id, "ids"))
    query = query.group_by(b.sku_id).having(func.sum(b.on_hand - b.committed - b.held) < 0)
    found = set(conn.execute(query, {"ids": listed(conn, sorted(wanted))}).scalars()) if wanted else set()
    return {one for one in ids if one in found or any(part in found for part, _ in made.get(one, ()))}


def _lines(conn: Connection, row_id: int) -> tuple[OrderLineView, ...]:
    c = _LINE.c
    names = ("line_id", "remote_id", "remote_sku", "location", "quantity", "cancelled", "shipped", "returned")
    query = select(*(c[name] for name in names), c.sku_id, _SKU.c.code).outerjoin(_SKU, _SKU.c.id == c.sku_id)
    rows = conn.execute(query.where(c.order_id == row_id).order_by(c.line_id)).mappings().all()
    waits = [row for row in rows if row["quantity"] > row["cancelled"] + row["shipped"]]
    short = _short_among(conn, {SkuId(row["sku_id"]) for row in waits if row["sku_id"] is not None})
    return tuple(
        OrderLineView(
            **{name: row[name] for name in names},
            sku=row["code"],
            short=row["quantity"] > row["cancelled"] + row["shipped"] and row["sku_id"] in short,
        )
        for row in rows
    )
