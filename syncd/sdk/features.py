"""Features that a channel may have beside the contract of `syncd.sdk.channel`; the engine asks for each by type.

An adapter has a feature when its channel object has the methods. Errors are those of `syncd.sdk.errors`, as everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Protocol, runtime_checkable

from syncd.core.proofs import ProofKind, Seal
from syncd.core.terms import Instant, ListingRef, Outcome
from syncd.sdk.channel import Notice, SubscriptionReport
from syncd.sdk.secret import Secret

__all__ = [
    "AccountHealth",
    "Batches",
    "CancelLine",
    "CancelReason",
    "CancelWish",
    "Cancels",
    "DayWish",
    "HealthFigure",
    "Inquiries",
    "Inquiry",
    "InquiryPage",
    "IssuedKey",
    "Key",
    "KeyExpiry",
    "KeyIssue",
    "LateOutcomes",
    "LimitWish",
    "Notices",
    "Offer",
    "OfferRequest",
    "PageWish",
    "PreorderDates",
    "PrivateSale",
    "ProofKind",
    "Proofs",
    "Provisions",
    "PurchaseLimit",
    "Received",
    "Seal",
    "SellerScreens",
    "ShipDates",
    "Undated",
    "Visibility",
    "WebhookAnswers",
    "Withdrawal",
    "Withdrawn",
]


# --- webhooks that want more than a status -------------------------------------------------------------------------


@runtime_checkable
class WebhookAnswers(Protocol):
    """The channel reads the body of the answer to its webhooks."""

    def answer(self, accepted: bool) -> tuple[str, bytes]:  # noqa: FBT001  (a value that is passed on, not a switch)
        """Return content type and body; `accepted` says that what the webhook told is stored."""


# --- a queue of hints --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One message of a queue. `receipt` ends it; it comes again when that is not done in time."""

    notice: Notice
    receipt: str


@runtime_checkable
class Notices(Protocol):
    """The channel's messages wait in a queue that is asked."""

    @property
    def notices_on(self) -> bool:
        """Say whether a queue is set up at all."""

    async def receive(self) -> list[Received]:
        """Wait up to 20 s for messages and return them; empty when none came.

        A message that cannot be understood comes as a Notice with only `text`, so that it is told and ended.
        """

    async def settle(self, receipts: Sequence[str]) -> None:
        """End these messages: what they said is stored. One that could not be ended comes again, which is harmless."""


@runtime_checkable
class Provisions(Protocol):
    """Something has to be set up once at the channel before its messages come: by a person's word, never by itself."""

    async def provision(self) -> SubscriptionReport:
        """Set up what is missing; safe to repeat."""


# --- writing more than one push at a time -------------------------------------------------------------------------


@runtime_checkable
class Batches(Protocol):
    """The channel has a second way of writing, for many rows at once."""

    def push_size(self, waiting: int) -> int:
        """Return how many rows the next push shall hold, while `waiting` rows wait that do not lead to zero.

        Above `profile.max_push` the push goes the second way; rows to zero are never put into such a push. The answer
        is chosen by the least time until all are done.
        """


@runtime_checkable
class LateOutcomes(Protocol):
    """The channel tells later how writes ended that it had only accepted."""

    async def late_outcomes(self) -> list[Outcome]:
        """Return the ends that are known by now and were not told yet; empty when nothing is.

        ACCEPTED says that the write may take effect for `effect_s` more, and not after that; REJECTED that it never
        will. It must not matter when an end is told twice, or never.
        """


# --- keys ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A credential that ends by itself. `name` is what the shop knows it by; `expires_at` None: not known."""

    name: str
    expires_at: Instant | None


@runtime_checkable
class KeyExpiry(Protocol):
    """The channel's keys end after a time."""

    async def keys(self) -> list[Key]:
        """Return every key with its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedKey:
    """A key that was just made."""

    key: Secret
    expires_at: Instant


@runtime_checkable
class KeyIssue(Protocol):
    """A person can have a new key made with a login that syncd does not keep."""

    async def issue_key(self, user: str, password: Secret) -> IssuedKey:
        """Have a new key made; the caller puts it where the settings read it."""


# --- cancelling: only ever by a person's word ---------------------------------------------------------------------


class CancelReason(StrEnum):
    """Why the shop cancels."""

    OUT_OF_STOCK = "out_of_stock"
    BUYER = "buyer"
    ADDRESS = "address"
    PRICE = "price"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelLine:
    """So many units of one line."""

    line_id: str
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelWish:
    """What to cancel; no lines means the whole order. `key` is the idempotency key, a UUID text."""

    key: str
    order_id: str
    reason: CancelReason
    lines: tuple[CancelLine, ...] = ()


@runtime_checkable
class Cancels(Protocol):
    """The channel lets the shop cancel an order. syncd never does so without a person's word."""

    async def cancel(self, wish: CancelWish) -> Outcome:
        """Cancel; `RejectedError` or a REJECTED outcome says why not (parts cannot be cancelled here, shipped)."""


# --- ship-by dates --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Undated:
    """An order that may be given a ship-by date now.

    `delayed` says that it has one which has passed. `current` is that date. `latest` is the last day that the channel
    takes, None where it names none.
    """

    order_id: str
    delayed: bool = False
    current: date | None = None
    latest: date | None = None


@runtime_checkable
class ShipDates(Protocol):
    """The shop promises a day by which it ships. Setting it tells the customer and cannot be undone."""

    async def undated(self) -> list[Undated]:
        """Return the orders that have no date yet, and those whose date has passed."""

    async def set_ship_date(self, order_id: str, day: date) -> Outcome:
        """Promise a day for a whole order; `day` is a day of the shop's calendar."""


# --- what customers ask, and how the channel judges the shop --------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Inquiry:
    """A customer's question, without its text or any personal data. `about` is the channel's own item code or `""`."""

    inquiry_id: str
    category: str
    asked_at: Instant
    about: str = ""
    title: str = ""
    order_number: str = ""
    url: str = ""
    answered: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class InquiryPage:
    """One page of open inquiries about stock. `cursor` None: that was all."""

    inquiries: tuple[Inquiry, ...]
    cursor: str | None


@runtime_checkable
class Inquiries(Protocol):
    """The channel has an inbox of questions; those about stock and restocking are told."""

    async def inquiries(self, cursor: str | None) -> InquiryPage:
        """Read a page of inquiries about stock that are not closed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthFigure:
    """One rate by which the channel judges the shop. `rate` and `limit` are shares, None where it names none."""

    name: str
    count: int
    total: int
    rate: float | None
    limit: float | None
    status: str = ""


@runtime_checkable
class AccountHealth(Protocol):
    """The channel reports how it judges the shop."""

    async def account_health(self) -> list[HealthFigure]:
        """Return the rates of the latest report; may take minutes."""


@runtime_checkable
class SellerScreens(Protocol):
    """It is known where a person of the shop finds an order in the channel's own screens, to write to its customer."""

    def order_screen(self, order_id: str, number: str) -> str:
        """Return the address of the order's screen; where that is not known for sure, of the screen that finds it.

        Empty where neither is known. It asks nobody, and holds no secret.
        """


# --- whose an order is --------------------------------------------------------------------------------------------


@runtime_checkable
class Proofs(Protocol):
    """The channel tells by what a buyer can prove that an order is his, and never who that is."""

    async def proofs(self, order_ids: Sequence[str], seal: Seal) -> Mapping[str, Sequence[str]]:
        """Return the proofs of these orders by id: `seal` of the mail and of the phone, each where it is known.

        Personal data lives within this call only: it is neither kept nor logged, nor part of an error.
        """


# --- what a listing shows beside its number -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitWish:
    """The most units of one order for a listing; `most` None: no limit. `key` is the idempotency key, a UUID text."""

    key: str
    ref: ListingRef
    most: int | None


@runtime_checkable
class PurchaseLimit(Protocol):
    """The channel can limit how many units one order may have."""

    async def set_purchase_limits(self, wishes: Sequence[LimitWish]) -> list[Outcome]:
        """Set limits; one outcome per wish, in order. The same again changes nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageWish:
    """Whether the page of a listing is to be seen."""

    key: str
    ref: ListingRef
    visible: bool


@runtime_checkable
class Visibility(Protocol):
    """The channel can close the page of a listing and open it again; its number and its address stay."""

    async def set_visible(self, wishes: Sequence[PageWish]) -> list[Outcome]:
        """Close or open pages; one outcome per wish, in order. The same again changes nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DayWish:
    """The day from which units of a listing leave that are sold before they are here; None: they are here."""

    key: str
    ref: ListingRef
    day: date | None


@runtime_checkable
class PreorderDates(Protocol):
    """The channel can show from which day a unit leaves that is sold before it is here."""

    async def set_preorder_days(self, wishes: Sequence[DayWish]) -> list[Outcome]:
        """Show days; one outcome per wish, in order. The same again changes nothing."""


# --- selling in private -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferRequest:
    """A private sale to be made: `quantity` units of the offer that `ref` shows, kept by the channel until `until`.

    `key` is ours: up to 20 small letters and digits, unique for ever, and the same when it is asked for again. Orders
    that come of it state it as their `offer`.
    """

    key: str
    ref: ListingRef
    quantity: int
    until: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A private sale that is there. `link` is where it is bought: a secret of the customer, in no log and no error."""

    offer_id: str
    link: str = field(repr=False)


class Withdrawal(StrEnum):
    """How a private sale ended."""

    WITHDRAWN = "withdrawn"
    """It is ended by this call: nobody can buy it any more, and its units are back on the listing."""
    GONE = "gone"
    """It was not there any more, and nobody bought it."""
    BOUGHT = "bought"
    """Somebody has bought it: it stays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawn:
    """The end of a private sale; `order_id` is the order that came of it, where it was bought and the channel tells."""

    end: Withdrawal
    order_id: str = ""


@runtime_checkable
class PrivateSale(Protocol):
    """The channel sells units to somebody who has a link, while nobody else sees them.

    Making one takes its units off what the listing shows, below zero where it shows too little (so its profile
    `shows_negative`). Whoever buys takes nothing more off it; ended or lapsed, it puts them back. No name, mail or
    address is given to the channel.
    """

    @property
    def sells_privately(self) -> bool:
        """Say whether the shop wants it, and the channel is set up for it; asked once, as the channel is opened."""

    async def make_offer(self, request: OfferRequest) -> Offer:
        """Make a private sale. Nothing is tried twice: a `TransientError` that was `sent` leaves it open whether it is.

        Raises `RejectedError` where it is refused for good.
        """

    async def find_offer(self, key: str) -> Offer | None:
        """Look for the private sale with this key, bought or not; None where it is not found, which may be too soon."""

    async def withdraw_offer(self, offer_id: str) -> Withdrawn:
        """End a private sale unless it is bought; safe to repeat."""
