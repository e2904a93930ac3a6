"""Private sales for those who wait without an order: what is to be done for them, and how they stand."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Final

from sqlalchemy import Connection, Select, bindparam, exists, func, literal_column, select, update

from syncd.core.offers import MAKING, OfferState
from syncd.core.terms import AccountId, Instant, ListingRef, SkuId
from syncd.core.tickets import EventId
from syncd.store.rows import OrderLineRow, OrderRow
from syncd.store.rows_offers import OfferRow
from syncd.store.rows_waiting import HoldRow
from syncd.store.statements import Among, append, change, fetch_all, listed, table

_OFFER = table(OfferRow)
_HOLD = table(HoldRow)
_O, _H = _OFFER.c, _HOLD.c
# In the words of the partial index, without a parameter, so that it is used.
_STANDS = _O.state != literal_column("'ended'")
_MAKING: Final = tuple(state.value for state in MAKING)
_ASKED: Final = (OfferState.INTENDED.value, OfferState.UNKNOWN.value, OfferState.WITHDRAWING.value)


@dataclass(slots=True)
class Offer:
    """A private sale in the hands of a decision (`OfferRow`); its fields are in the order in which it is read."""

    id: int
    key: str
    account: AccountId
    entry_id: int
    event: EventId
    remote_id: str
    remote_location: str
    units: int
    state: OfferState
    due_at: Instant
    attempts: int
    created_at: Instant
    until: Instant | None
    sent_at: Instant | None
    answered_at: Instant | None
    ended_at: Instant | None
    cause: str
    offer_id: str
    link: str = field(repr=False)
    order_id: str
    reason: str

    @property
    def ref(self) -> ListingRef:
        """Return the listing of which it sells units."""
        return ListingRef(remote_id=self.remote_id, remote_location=self.remote_location)


_FIELDS = select(*(_O[one.name] for one in fields(Offer)))
_OFFERS = _FIELDS.order_by(_O.id)
_BY_KEY = _OFFERS.where(Among(_O.key, "keys"))
_BY_ENTRY = _OFFERS.where(Among(_O.entry_id, "ids"))
_DUE = (
    _FIELDS.where(_STANDS, _O.account == bindparam("account"), _O.due_at <= bindparam("now"))
    .where(_O.state != bindparam("open"))
    .order_by(_O.due_at, _O.id)
    .limit(bindparam("most"))
)
_LATE = _OFFERS.where(_STANDS, _O.state == bindparam("state"), _O.created_at <= bindparam("before")).limit(
    bindparam("most")
)
_LEAVING = (
    select(_H.sku_id, func.sum(_H.units))
    .join(_OFFER, _O.key == _H.reference)
    .where(Among(_H.sku_id, "ids"), _H.ended_at.is_(None), _STANDS, _O.cause != bindparam("none"))
    .group_by(_H.sku_id)
)
_SOLD_BY = select(
    exists(
        select(_O.id).where(
            _STANDS, _O.account == bindparam("account"), _O.remote_id == bindparam("remote_id"), _O.offer_id != ""
        )
    )
)


def add(conn: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add private sales: key, account, entry_id, event, remote_id, remote_location, units, created_at."""
    empty: dict[str, Any] = {"state": OfferState.WAITING.value, "attempts": 0, "until": None, "sent_at": None}
    empty |= dict.fromkeys(("answered_at", "ended_at"))
    empty |= dict.fromkeys(("cause", "offer_id", "link", "order_id", "reason"), "")
    append(conn, OfferRow, [{**empty, **row, "due_at": row["created_at"]} for row in rows])


def _load(conn: Connection, query: Select[Any], values: Mapping[str, Any]) -> list[Offer]:
    return _made_of(fetch_all(conn, query, values))


def _made_of(rows: Iterable[Sequence[Any]]) -> list[Offer]:
    found = [Offer(*row) for row in rows]
    for offer in found:
        offer.state = OfferState(offer.state)
    return found


def sells(conn: Connection, account: AccountId, remote_id: str) -> bool:
    """Say whether there is a private sale of a listing's units that somebody can buy, or could a moment ago."""
    return bool(fetch_all(conn, _SOLD_BY, {"account": account, "remote_id": remote_id})[0][0])


def by_keys(conn: Connection, keys: Collection[str]) -> dict[str, Offer]:
    """Return private sales by their keys."""
    found = _load(conn, _BY_KEY, {"keys": listed(conn, sorted(keys))}) if keys else []
    return {offer.key: offer for offer in found}


def of_entries(conn: Connection, entry_ids: Collection[int]) -> dict[int, Offer]:
    """Return the newest private sale of each of these entries."""
    found = _load(conn, _BY_ENTRY, {"ids": listed(conn, entry_ids)}) if entry_ids else []
    return {offer.entry_id: offer for offer in found}


def due(conn: Connection, account: AccountId, *, now: Instant, limit: int) -> list[Offer]:
    """Return the private sales of an account for which something is to be done now."""
    values = {"account": account, "now": now, "open": OfferState.OPEN.value, "most": limit}
    return _load(conn, _DUE, values)


def next_due(conn: Connection, account: AccountId) -> Instant | None:
    """Return when something is to be done next on an account, None where nothing is."""
    query = select(func.min(_O.due_at)).where(_STANDS, _O.account == account, _O.state != OfferState.OPEN.value)
    return conn.execute(query).scalar()


def late(conn: Connection, *, before: Instant, limit: int) -> list[Offer]:
    """Return private sales that were to be made by then and were not sent yet."""
    return _load(conn, _LATE, {"state": OfferState.WAITING.value, "before": before, "most": limit})


def abandoned(conn: Connection, *, known: Iterable[AccountId], before: Instant, limit: int) -> list[Offer]:
    """Return private sales on no known account that nobody asks about any more, and that were to end by then."""
    query = _OFFERS.where(_STANDS, _O.state.in_(_ASKED), _O.until <= before, _O.account.not_in(sorted(known)))
    return _made_of(conn.execute(query.limit(limit)))


def leaving(conn: Connection, sku_ids: Collection[SkuId]) -> dict[SkuId, int]:
    """Return the units of each SKU that are held for private sales which are not wanted any more."""
    found: dict[SkuId, int] = defaultdict(int)
    rows = fetch_all(conn, _LEAVING, {"ids": listed(conn, sku_ids), "none": ""}) if sku_ids else ()
    for sku_id, units in rows:
        found[SkuId(sku_id)] = int(units)
    return found


def is_making(conn: Connection, event: str) -> bool:
    """Say whether private sales of an event are still being made."""
    return conn.execute(select(_O.id).where(_O.event == event, _O.state.in_(_MAKING)).limit(1)).scalar() is not None


def links(conn: Connection, entry_ids: Collection[int]) -> dict[tuple[int, EventId], str]:
    """Return the links of open private sales by entry and event."""
    found = _load(conn, _BY_ENTRY, {"ids": listed(conn, entry_ids)}) if entry_ids else []
    return {(one.entry_id, one.event): one.link for one in found if one.state is OfferState.OPEN and one.link}


def save(conn: Connection, changed: Collection[Offer]) -> None:
    """Write what changes on private sales; one that is ended keeps no link."""
    rows = [
        {
            "k": offer.id,
            "v_state": offer.state.value,
            "v_due_at": offer.due_at,
            "v_attempts": offer.attempts,
            "v_until": offer.until,
            "v_sent_at": offer.sent_at,
            "v_answered_at": offer.answered_at,
            "v_ended_at": offer.ended_at,
            "v_cause": offer.cause,
            "v_offer_id": offer.offer_id,
            "v_link": "" if offer.state is OfferState.ENDED else offer.link,
            "v_order_id": offer.order_id,
            "v_reason": offer.reason[:200],
        }
        for offer in changed
    ]
    change(conn, OfferRow, "id", rows)


def recover(conn: Connection, account: AccountId) -> int:
    """Make what the last run sent without hearing the answer unknown; return how many there were."""
    mine = (_O.account == account, _O.state == OfferState.INTENDED.value, _STANDS)
    return conn.execute(update(_OFFER).where(*mine).values(state=OfferState.UNKNOWN.value)).rowcount


# --- holds that belong to them ---------------------------------------------------------------------------------------


def assign(conn: Connection, keys: Mapping[int, str]) -> None:
    """Let the open holds of entries belong to private sales, by entry: shown nowhere, and for as long as it takes."""
    for entry_id, key in keys.items():
        mine = (_H.entry_id == entry_id, _H.ended_at.is_(None))
        conn.execute(update(_HOLD).where(*mine).values(account="", reference=key, until=None))


def disband(conn: Connection, key: str, *, account: str, until: Instant) -> None:
    """Let the open holds of a private sale be shown by a channel, until a time."""
    mine = (_H.reference == key, _H.ended_at.is_(None))
    conn.execute(update(_HOLD).where(*mine).values(account=account, reference="", until=until))


def set_until(conn: Connection, key: str, until: Instant | None) -> None:
    """Set until when the units of a private sale are held; None: until it is ended."""
    conn.execute(update(_HOLD).where(_H.reference == key, _H.ended_at.is_(None)).values(until=until))


# --- orders that came of them ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class BoughtLine:
    """The line of an order that sold what a private sale offered."""

    order_row: int
    line_id: str
    number: str
    ordered_at: Instant


def bought_line(conn: Connection, offer: Offer, order_id: str) -> BoughtLine | None:
    """Return the line of an order that came of a private sale, None where the order is not known.

    A line in quarantine is none yet: it has committed nothing, and the units of the private sale stay held for it.
    """
    line, order = table(OrderLineRow).c, table(OrderRow).c
    query = select(order.id, line.line_id, order.number, order.ordered_at).join(
        table(OrderLineRow), line.order_id == order.id
    )
    query = query.where(order.account == offer.account, order.remote_id == order_id, ~order.ignored)
    query = query.where(line.remote_id == offer.remote_id, line.sku_id.is_not(None)).order_by(line.line_id).limit(1)
    row = conn.execute(query).one_or_none()
    return None if row is None else BoughtLine(order_row=row[0], line_id=row[1], number=row[2], ordered_at=row[3])
