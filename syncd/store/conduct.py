"""What the ledger knows of the shop's own cancels, and of orders that may become some."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, and_, func, or_, select

from syncd.core.conduct import DAY_US, Cancel, Past
from syncd.core.terms import AccountId, CancelledBy, Instant, OutcomeKind, SkuId
from syncd.store import backorders, ledger
from syncd.store.actions import ActionKind
from syncd.store.rows import AccountRow, BalanceRow, OrderActionRow, OrderLineRow, OrderRow, SkuRow
from syncd.store.rows_conduct import OrderCancelRow
from syncd.store.statements import Among, listed, table, upsert

_ACCOUNT = table(AccountRow)
_CANCEL = table(OrderCancelRow)
_ORDER = table(OrderRow)
_LINE = table(OrderLineRow)
_BALANCE = table(BalanceRow)
_SKU = table(SkuRow)
_ACTION = table(OrderActionRow)


class _Asked(msgspec.Struct, frozen=True):
    """Why the shop cancelled, of what was stored before it did (`sdk.features.CancelWish`)."""

    reason: str = ""


_ASKED: Final = msgspec.json.Decoder(_Asked)
MOST_SHORT: Final = 10_000
"""Most SKUs that are looked at for orders at risk."""
_SHIPPED: Final = ("fulfilled", "partially_fulfilled")
_TOOK_EFFECT: Final = (OutcomeKind.APPLIED.value, OutcomeKind.ACCEPTED.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCancel:
    """An order of which units are cancelled, as it was just stated."""

    account: AccountId
    remote_id: str
    ordered_at: Instant
    by: CancelledBy


def note(conn: Connection, found: Sequence[NewCancel], *, now: Instant) -> None:
    """Keep cancels: when they were heard of first, and whose doing they were as soon as that is known."""
    if not found:
        return
    c = _CANCEL.c
    names = listed(conn, sorted({one.remote_id for one in found}))
    rows = conn.execute(select(c.account, c.remote_id, c.at, c.by).where(Among(c.remote_id, "names")), {"names": names})
    known = {(row.account, row.remote_id): row for row in rows}
    values = []
    for one in found:
        before = known.get((one.account, one.remote_id))
        by = one.by if before is None or one.by is not CancelledBy.UNKNOWN else CancelledBy(before.by)
        values.append(
            {
                "account": one.account,
                "remote_id": one.remote_id,
                "ordered_at": one.ordered_at,
                "at": now if before is None else before.at,
                "by": by.value,
            }
        )
    upsert(conn, OrderCancelRow, keys=("account", "remote_id"), values=values)


def past(conn: Connection, account: AccountId, *, since: Instant, days: int, now: Instant) -> Past:
    """Return what is known of an account: its cancels since a moment, its orders of the last days, those at risk.

    What the shop cancelled by syncd is its own doing, also where the channel does not tell.
    """
    adopted_at = conn.execute(select(_ACCOUNT.c.adopted_at).where(_ACCOUNT.c.name == account)).scalar()
    return Past(
        since=adopted_at,
        cancels=_cancels(conn, account, since),
        orders=_per_day(conn, account, days=days, adopted_at=adopted_at or 0, now=now),
        shipped_at=_shipped_at(conn, account, since),
        at_risk=len(at_risk(conn).get(account, ())),
    )


def _cancels(conn: Connection, account: AccountId, since: Instant) -> list[Cancel]:
    c, a = _CANCEL.c, _ACTION.c
    mine = and_(a.account == c.account, a.remote_id == c.remote_id, a.kind == ActionKind.CANCEL.value)
    asked = select(a.body).where(mine, a.state.in_(_TOOK_EFFECT)).order_by(a.id.desc()).limit(1).scalar_subquery()
    query = select(c.at, c.ordered_at, c.by, asked.label("body")).where(c.account == account, c.at >= since)
    return [
        Cancel(at=row.at, ordered_at=row.ordered_at, by=_doing(CancelledBy(row.by), row.body))
        for row in conn.execute(query.order_by(c.at))
    ]


def _doing(told: CancelledBy, asked: bytes | None) -> CancelledBy:
    """Return whose doing a cancel was: what the channel tells, else what was asked for here."""
    if told is not CancelledBy.UNKNOWN or asked is None:
        return told
    return CancelledBy.BUYER if _ASKED.decode(asked).reason == "buyer" else CancelledBy.SELLER


def _per_day(conn: Connection, account: AccountId, *, days: int, adopted_at: Instant, now: Instant) -> tuple[int, ...]:
    """Count orders by day. Those that were closed when the shop was taken over count; ignored ones since are tests."""
    c = _ORDER.c
    counts = or_(c.ignored.is_(False), c.ordered_at < adopted_at)
    placed = (c.account == account, c.ordered_at > now - days * DAY_US, counts)
    found = Counter(max(0, (now - at) // DAY_US) for (at,) in conn.execute(select(c.ordered_at).where(*placed)))
    return tuple(found.get(day, 0) for day in range(days))


def _shipped_at(conn: Connection, account: AccountId, since: Instant) -> Instant | None:
    c = _ORDER.c
    query = select(func.max(c.ordered_at)).where(c.account == account, c.ordered_at >= since)
    return conn.execute(query.where(c.fulfilment.in_(_SHIPPED))).scalar()


def at_risk(conn: Connection) -> Mapping[AccountId, Collection[str]]:
    """Return open orders that cannot be served by what is there or owed, by account: of each SKU the latest ones.

    A SKU that was never counted says nothing. An order of a kit needs the units of its components.
    """
    missing = _missing(conn)
    made = ledger.kits_touching(conn, list(missing)) if missing else {}
    found: dict[AccountId, set[str]] = {}
    for line in _open_lines(conn, {*missing, *made}):
        for part, each in made.get(line.sku_id, ((line.sku_id, 1),)):
            if missing.get(part, 0) > 0:
                missing[part] -= each * line.open_units
                found.setdefault(AccountId(line.account), set()).add(line.remote_id)
    return found


def _missing(conn: Connection) -> dict[SkuId, int]:
    """Return how many promised units of counted SKUs are neither here nor owed from what is to come."""
    b = _BALANCE.c
    lacking = func.sum(b.committed) - func.sum(b.on_hand)
    query = select(b.sku_id, lacking.label("short")).join(_SKU, _SKU.c.id == b.sku_id)
    query = query.where(_SKU.c.opened_at.is_not(None)).group_by(b.sku_id)
    query = query.having(lacking > 0, func.sum(b.committed) > 0).limit(MOST_SHORT)
    short = {SkuId(row.sku_id): int(row.short) for row in conn.execute(query)}
    owed = backorders.owed(conn, list(short))
    return {sku_id: units - owed.get(sku_id, 0) for sku_id, units in short.items() if units > owed.get(sku_id, 0)}


def _open_lines(conn: Connection, sku_ids: Collection[SkuId]) -> Sequence[Any]:
    if not sku_ids:
        return ()
    c, o = _LINE.c, _ORDER.c
    open_units = (c.quantity - c.cancelled - c.shipped).label("open_units")
    query = (
        select(c.sku_id, open_units, o.account, o.remote_id)
        .join(_ORDER, o.id == c.order_id)
        .where(Among(c.sku_id, "ids"), c.quantity > c.cancelled + c.shipped, o.ignored.is_(False))
        .order_by(o.ordered_at.desc(), o.id.desc())
    )
    return conn.execute(query, {"ids": listed(conn, sorted(sku_ids))}).all()
