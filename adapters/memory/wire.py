"""What a memory shop says over HTTP, and what that means: pure, nothing here waits.

The adapter reads these shapes strictly and leaves out what it does not need (the buyer); the simulator writes them.
Times are microseconds UTC. All quantities of a line are cumulative.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from syncd.sdk.channel import (
    Delivery,
    FulfilmentStatus,
    Give,
    Instant,
    ListingInfo,
    ListingRef,
    OrderLine,
    OrderSnapshot,
    Outcome,
    OutcomeKind,
    PaymentStatus,
    Seen,
    Shipment,
    Span,
    Write,
)
from syncd.sdk.errors import ProtocolError

SIGNATURE = "x-memory-signature"
ORDER_TOPIC = "order"


class Place(msgspec.Struct, frozen=True):
    """A listing."""

    id: str
    location: str = ""


class RemoteGive(msgspec.Struct, frozen=True):
    """A restore; `at` is None while it may still come, `since` is when it became possible."""

    id: str
    quantity: int
    since: Instant
    at: Instant | None


class RemoteLine(msgspec.Struct, frozen=True):
    """One line of an order."""

    id: str
    listing: Place
    sku: str
    quantity: int
    cancelled: int
    shipped: int
    gives: list[RemoteGive]


class RemoteParcel(msgspec.Struct, frozen=True):
    """A parcel of an order."""

    id: str
    carrier: str
    number: str


class RemoteOrder(msgspec.Struct, frozen=True):
    """An order. `at` is when it was bought, cut to multiples of `precision_us`; `revision` may be None.

    `offer` is the key of the private sale that it comes of.
    """

    id: str
    number: str
    revision: int | None
    at: Instant
    precision_us: int
    lines: list[RemoteLine]
    cancelled: bool
    closed: bool
    parcels: list[RemoteParcel] = []
    offer: str = ""


class OrdersAnswer(msgspec.Struct, frozen=True):
    """`GET /orders`."""

    orders: list[RemoteOrder]
    cursor: str
    more: bool
    complete_until: Instant | None


class FetchRequest(msgspec.Struct, frozen=True):
    """`POST /orders/fetch`."""

    ids: list[str]


class FetchAnswer(msgspec.Struct, frozen=True):
    """Its answer; unknown ids are left out."""

    orders: list[RemoteOrder]


class RemoteListing(msgspec.Struct, frozen=True):
    """One listing of the catalogue."""

    listing: Place
    sku: str
    title: str
    active: bool
    managed: bool


class ListingsAnswer(msgspec.Struct, frozen=True):
    """`GET /listings`."""

    listings: list[RemoteListing]
    cursor: str | None


class Display(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a listing is to show beside its number; a field that is left out stays. `limit` and `day` null: none."""

    listing: Place
    visible: bool | msgspec.UnsetType = msgspec.UNSET
    limit: int | msgspec.UnsetType | None = msgspec.UNSET
    day: str | msgspec.UnsetType | None = msgspec.UNSET


class DisplayRequest(msgspec.Struct, frozen=True):
    """`POST /display`."""

    rows: list[Display]


class DisplayAnswer(msgspec.Struct, frozen=True):
    """Its answer: per row whether there is such a listing."""

    known: list[bool]


class SeenRequest(msgspec.Struct, frozen=True):
    """`POST /seen`."""

    listings: list[Place]


class Reading(msgspec.Struct, frozen=True):
    """What a listing shows; `quantity` is None where there is no such listing."""

    listing: Place
    quantity: int | None
    active: bool


class SeenAnswer(msgspec.Struct, frozen=True):
    """The readings, in the order asked for."""

    readings: list[Reading]


class PushRow(msgspec.Struct, frozen=True):
    """One write. `delta` adds; without it `quantity` is set, where `expected` is None or shown."""

    key: str
    listing: Place
    quantity: int
    expected: int | None = None
    delta: int | None = None


class PushRequest(msgspec.Struct, frozen=True):
    """`POST /push`. A key that was taken before is answered as it was then, and not applied again."""

    rows: list[PushRow]


class PushResult(msgspec.Struct, frozen=True):
    """How a row ended."""

    key: str
    result: Literal["applied", "accepted", "stale", "rejected"]
    reason: str = ""


class PushAnswer(msgspec.Struct, frozen=True):
    """The results."""

    results: list[PushResult]


class OfferRow(msgspec.Struct, frozen=True):
    """`POST /offers`: a private sale; a key that was taken before is answered as it was then."""

    key: str
    listing: Place
    quantity: int
    until: Instant


class RemoteOffer(msgspec.Struct, frozen=True):
    """A private sale; `link` is a secret of the customer."""

    id: str
    link: str

    def __repr__(self) -> str:
        """Show it without its link."""
        return f"RemoteOffer(id={self.id!r})"


class OfferAnswer(msgspec.Struct, frozen=True):
    """Its answer, and that of `GET /offers`; `refused` says why there is none."""

    offer: RemoteOffer | None
    refused: str = ""


class WithdrawRequest(msgspec.Struct, frozen=True):
    """`POST /offers/withdraw`."""

    id: str


class WithdrawAnswer(msgspec.Struct, frozen=True):
    """Its answer; `order_id` where somebody has bought."""

    end: Literal["withdrawn", "gone", "bought"]
    order_id: str = ""


class Subscription(msgspec.Struct, frozen=True):
    """`POST /webhooks`."""

    url: str
    topics: list[str]


class SubscriptionAnswer(msgspec.Struct, frozen=True):
    """The topics that were not delivered to that address before."""

    created: list[str]


class HealthAnswer(msgspec.Struct, frozen=True):
    """`GET /health`."""

    problems: list[str]


class Event(msgspec.Struct, frozen=True):
    """The body of a webhook: whole orders, or only their ids."""

    id: str
    topic: str
    orders: list[RemoteOrder] = []
    order_ids: list[str] = []


def place(ref: ListingRef) -> Place:
    """Name a listing as the shop does."""
    return Place(id=ref.remote_id, location=ref.remote_location)


def ref(listing: Place) -> ListingRef:
    """Name a listing as syncd does."""
    return ListingRef(remote_id=listing.id, remote_location=listing.location)


def snapshot(order: RemoteOrder, *, read_at: Instant, fresh: bool = False) -> OrderSnapshot:
    """Return an order as syncd states it."""
    taken = Span(earliest=order.at, latest=order.at + order.precision_us)
    return OrderSnapshot(
        order_id=order.id,
        number=order.number,
        version=order.revision,
        read_at=read_at,
        ordered_at=order.at,
        lines=tuple(_line(line, taken, order.precision_us) for line in order.lines),
        cancelled=order.cancelled,
        closed=order.closed,
        fresh=fresh,
        payment=PaymentStatus.PAID,
        payment_raw="paid",
        fulfilment=_fulfilment(order),
        fulfilment_raw="closed" if order.closed else "open",
        offer=order.offer,
        delivery=Delivery(
            shipments=tuple(
                Shipment(shipment_id=parcel.id, carrier=parcel.carrier, number=parcel.number)
                for parcel in order.parcels
            )
        ),
    )


def _line(line: RemoteLine, taken: Span, precision_us: int) -> OrderLine:
    return OrderLine(
        line_id=line.id,
        remote_id=line.listing.id,
        remote_sku=line.sku,
        remote_location=line.listing.location,
        quantity=line.quantity,
        cancelled=line.cancelled,
        shipped=line.shipped,
        take=taken,
        gives=tuple(_give(give, precision_us) for give in line.gives),
    )


def _give(give: RemoteGive, precision_us: int) -> Give:
    if give.at is None:
        span = Span(earliest=give.since, latest=None)
    else:
        span = Span(earliest=give.at, latest=give.at + precision_us)
    return Give(give_id=give.id, quantity=give.quantity, span=span)


def _fulfilment(order: RemoteOrder) -> FulfilmentStatus:
    shipped = sum(line.shipped for line in order.lines)
    if order.cancelled:
        return FulfilmentStatus.CANCELLED
    if not shipped:
        return FulfilmentStatus.UNFULFILLED
    return FulfilmentStatus.FULFILLED if order.closed else FulfilmentStatus.PARTIALLY_FULFILLED


def listing_info(listing: RemoteListing) -> ListingInfo:
    """Return a listing as syncd states it."""
    return ListingInfo(
        ref=ref(listing.listing),
        sku=listing.sku,
        title=listing.title,
        active=listing.active,
        managed=listing.managed,
    )


def readings(
    refs: Sequence[ListingRef], answered: Iterable[Reading], *, asked_at: Instant, answered_at: Instant
) -> list[Seen]:
    """Return one reading per ref, in order; what was not answered is not there."""
    found = {ref(reading.listing): reading for reading in answered}
    return [
        Seen(
            ref=asked,
            quantity=found[asked].quantity if asked in found else None,
            asked_at=asked_at,
            answered_at=answered_at,
            active=asked in found and found[asked].active,
        )
        for asked in refs
    ]


def rows(writes: Sequence[Write]) -> PushRequest:
    """Return writes as the shop takes them."""
    return PushRequest(
        rows=[
            PushRow(
                key=write.key,
                listing=place(write.ref),
                quantity=write.quantity,
                expected=write.expected,
                delta=write.delta,
            )
            for write in writes
        ]
    )


def outcomes(writes: Sequence[Write], results: Iterable[PushResult]) -> list[Outcome]:
    """Return one outcome per write, in order; of what was not answered nothing is known."""
    found = {result.key: result for result in results}
    return [
        Outcome(key=write.key, kind=OutcomeKind(found[write.key].result), reason=found[write.key].reason)
        if write.key in found
        else Outcome(key=write.key, kind=OutcomeKind.INDETERMINATE, reason="not in the answer")
        for write in writes
    ]


def unknown(writes: Sequence[Write], reason: str) -> list[Outcome]:
    """Return the outcomes of a push whose answer is lost."""
    return [Outcome(key=write.key, kind=OutcomeKind.INDETERMINATE, reason=reason) for write in writes]


def signature(secret: str, body: bytes) -> str:
    """Return the hex HMAC-SHA256 of the raw body."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def displayed(keys: Sequence[str], known: Sequence[bool]) -> list[Outcome]:
    """Return how each row of `POST /display` ended; a listing that is not there is refused."""
    if len(keys) != len(known):
        raise ProtocolError("an answer with another number of rows")
    gone = (OutcomeKind.REJECTED, "unknown listing")
    ends = [(OutcomeKind.APPLIED, "") if there else gone for there in known]
    return [Outcome(key=key, kind=kind, reason=reason) for key, (kind, reason) in zip(keys, ends, strict=True)]
