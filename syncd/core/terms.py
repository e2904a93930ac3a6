"""The words of syncd as frozen values: what every floor passes on, and nothing else.

Instants are `int`: microseconds since 1970-01-01 UTC. Durations carry their unit in the name (`_us`, `_s`).
Quantities are whole units (`int`). Identifiers that come from a channel are the channel's own text.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NewType, TypeAlias

Instant: TypeAlias = int
"""Microseconds since 1970-01-01 UTC."""

SECOND_US = 1_000_000

AccountId = NewType("AccountId", str)
"""The name of a channel account in the settings, for example `shopify`."""

Sku = NewType("Sku", str)
"""The shop's own stock keeping unit, compared exactly, case and width included."""

SkuId = NewType("SkuId", int)
"""The store's own number of a SKU."""

Location = NewType("Location", str)
"""The shop's own name of a stock location; `""` stands for "not known where"."""

UNPLACED = Location("")
"""Where units are committed whose location a channel does not tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """An interval of time in which something happened, both ends included.

    `latest` is None when it may still happen, or may never happen.
    """

    earliest: Instant
    latest: Instant | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListingRef:
    """Where a channel shows a number: its own id of the offer and, where it has them, of the location (else `""`)."""

    remote_id: str
    remote_location: str = ""


class WriteMode(StrEnum):
    """How a channel takes a new number."""

    COMPARE_AND_SET = "compare_and_set"
    DELTA = "delta"
    ABSOLUTE = "absolute"


class PaymentStatus(StrEnum):
    """Unified payment status of an order; the channel's own word is kept beside it."""

    UNKNOWN = "unknown"
    PENDING = "pending"
    AUTHORIZED = "authorized"
    PARTIALLY_PAID = "partially_paid"
    PAID = "paid"
    PARTIALLY_REFUNDED = "partially_refunded"
    REFUNDED = "refunded"
    VOIDED = "voided"


class FulfilmentStatus(StrEnum):
    """Unified fulfilment status of an order; the channel's own word is kept beside it."""

    UNKNOWN = "unknown"
    UNFULFILLED = "unfulfilled"
    ON_HOLD = "on_hold"
    PARTIALLY_FULFILLED = "partially_fulfilled"
    FULFILLED = "fulfilled"
    CANCELLED = "cancelled"


class ReturnStatus(StrEnum):
    """Unified return status of an order; the channel's own word is kept beside it."""

    NONE = "none"
    REQUESTED = "requested"
    IN_PROGRESS = "in_progress"
    RETURNED = "returned"
    UNKNOWN = "unknown"


class Comeback(StrEnum):
    """What a cancelled or returned unit is, once it is back."""

    SELLABLE = "sellable"
    DAMAGED = "damaged"
    PHANTOM = "phantom"
    """It was never there: a cancel for want of stock. The unit leaves the count."""


class CancelledBy(StrEnum):
    """Whose doing a cancel was, as the channel tells it."""

    UNKNOWN = "unknown"
    SELLER = "seller"
    """The shop's: it counts against it."""
    BUYER = "buyer"
    CHANNEL = "channel"


@dataclass(frozen=True, slots=True, kw_only=True)
class Give:
    """Units that a channel puts back on its own listing by itself, for example after a cancel.

    `give_id` is stable for one restore. `quantity` is that restore's own number of units, not cumulative.
    """

    give_id: str
    quantity: int
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderLine:
    """One line of an order as it is now. All quantities are cumulative and never fall but by a correction.

    `quantity` is what was ordered, cancelled units included. `cancelled` units will never ship; `cancelled_as` says
    whether their stock is free again, `cancelled_by` whose doing it was. `shipped` left the house. `returned` came
    back after shipping, `returned_as` says as what. `take` is when the channel took the units off its own listing; None
    while it has not and will not until something else happens (a payment). `gives` are the channel's own restores.
    """

    line_id: str
    remote_id: str
    remote_sku: str = ""
    remote_location: str = ""
    quantity: int
    cancelled: int = 0
    cancelled_as: Comeback = Comeback.SELLABLE
    cancelled_by: CancelledBy = CancelledBy.UNKNOWN
    shipped: int = 0
    returned: int = 0
    returned_as: Comeback = Comeback.SELLABLE
    take: Span | None = None
    gives: tuple[Give, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipment:
    """A parcel of an order. `carrier` is the channel's own word for who brings it, `url` its link for following it.

    `expected_at` is when it is expected to arrive. What is not told is empty or None.
    """

    shipment_id: str
    carrier: str = ""
    number: str = ""
    url: str = ""
    shipped_at: Instant | None = None
    expected_at: Instant | None = None
    delivered_at: Instant | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """How an order comes to its buyer: all its parcels, when it has to be shipped, when it was promised to arrive."""

    shipments: tuple[Shipment, ...] = ()
    ship_by: Instant | None = None
    deliver_by: Instant | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderSnapshot:
    """An order as a channel states it at one moment. No personal data.

    `version` orders snapshots of one order (a revision number, or the channel's `updated_at` as an instant); None
    where the channel has none, then `read_at`, the start of the read that brought it, orders them. `fresh` says that
    the order was read by id for its own sake (`Channel.fetch`): only such a snapshot reopens a cancelled order.
    `number` is what the customer and the shop see. `amount` is a decimal text in `currency` (ISO 4217). `delivery` is
    None where nothing is told of it: then what was told before stays. `offer` is the key of the private sale that it
    comes of (`syncd.sdk.features.PrivateSale`), empty for all others.
    """

    order_id: str
    number: str
    version: int | None
    read_at: Instant
    ordered_at: Instant
    lines: tuple[OrderLine, ...]
    cancelled: bool = False
    closed: bool = False
    fresh: bool = False
    test: bool = False
    payment: PaymentStatus = PaymentStatus.UNKNOWN
    payment_raw: str = ""
    fulfilment: FulfilmentStatus = FulfilmentStatus.UNKNOWN
    fulfilment_raw: str = ""
    returns: ReturnStatus = ReturnStatus.NONE
    returns_raw: str = ""
    amount: str = ""
    currency: str = ""
    delivery: Delivery | None = None
    offer: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a channel showed for one listing: `quantity` is None where the listing is not there any more.

    `asked_at` and `answered_at` are the start and the end of the read on syncd's clock. `active` is False where a
    number is kept that nobody can buy (a level that is not stocked, a closed page).
    """

    ref: ListingRef
    quantity: int | None
    asked_at: Instant
    answered_at: Instant
    active: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """One number to bring to a channel.

    `key` is the idempotency key of this intent, a UUID text; a new intent has a new one. `quantity` is the number to
    show. `expected` (compare-and-set) is what must be shown for the write to happen, None writes unconditionally.
    `delta` (delta mode) is the difference to apply; None there means an absolute write.
    """

    key: str
    ref: ListingRef
    quantity: int
    expected: int | None = None
    delta: int | None = None


class OutcomeKind(StrEnum):
    """How a write ended."""

    APPLIED = "applied"
    """In effect."""
    ACCEPTED = "accepted"
    """Taken by the channel, effect not confirmed: verify later."""
    STALE = "stale"
    """Not applied: it shows something else than expected. Read again."""
    REJECTED = "rejected"
    """Not applied and will not be: the row is parked and shown with its reason."""
    UNSENT = "unsent"
    """Certainly not applied, through no fault of the row (throttled, refused, a batch neighbour): send again."""
    INDETERMINATE = "indeterminate"
    """Not known. Read back, never guessed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The end of one write, in the order of the writes that were pushed. `reason` is short and holds no secret.

    `effect_s` of an accepted or unknown one is for how long it may still take effect, where that differs from the
    profile's `effect_delay_s`. `deferred` says of an unsent one that it only stood back behind others of its push: it
    is due again at once.
    """

    key: str
    kind: OutcomeKind
    reason: str = ""
    effect_s: float | None = None
    deferred: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ListingInfo:
    """One listing of a channel's catalogue. `managed` is False where the channel does not track its stock."""

    ref: ListingRef
    sku: str
    title: str = ""
    active: bool = True
    managed: bool = True
