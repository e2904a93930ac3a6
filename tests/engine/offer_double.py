"""A channel in memory that sells in private too: it loses answers, finds late, lapses. The truth of the test."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from syncd.core.terms import SECOND_US, Instant
from syncd.sdk.channel import Profile
from syncd.sdk.errors import AuthError, ProtocolError, RejectedError, TransientError
from syncd.sdk.features import Offer, OfferRequest, Withdrawal, Withdrawn
from tests.engine.double import Double

LINK = "https://one.example/invoices/secret-link"


@dataclass
class Private:
    """One private sale: its units are off the listing while it is `kept`."""

    offer_id: str
    request: OfferRequest
    made_at: Instant
    kept: bool = True
    open: bool = True
    order_id: str = ""


@dataclass
class Selling(Double):
    """A channel with private sales. `ends` are how the next calls to make one end; `deaf` loses answers by chance.

    `keeps` refuses to end any.
    """

    private: dict[str, Private] = field(default_factory=dict)
    ends: list[str] = field(default_factory=list)
    found_after_s: float = 60.0
    deaf: float = 0.0
    requests: list[OfferRequest] = field(default_factory=list)
    withdrawals: list[str] = field(default_factory=list)
    away: bool = False
    sells_privately: bool = True
    names_orders: bool = True
    keeps: bool = False

    @property
    def profile(self) -> Profile:
        return replace(super().profile, shows_negative=True)

    def one(self, key: str) -> Private | None:
        """Return the private sale with a key."""
        return next((made for made in self.private.values() if made.request.key == key), None)

    def links(self) -> list[str]:
        """Return the links of all that were ever made."""
        return [f"{LINK}/{offer_id}" for offer_id in self.private]

    # --- the channel ---

    async def make_offer(self, request: OfferRequest) -> Offer:
        await self._call()
        self.requests.append(request)
        end = self.ends.pop(0) if self.ends else "cut" if self.dice.happens(self.deaf) else "made"
        if end == "down" or self.away:
            raise TransientError("no connection", sent=False)
        if end == "auth":
            raise AuthError("no right to make draft orders")
        if end == "refused":
            raise RejectedError("the product is not published")
        if end == "lost":
            raise TransientError("timeout", sent=True)
        made = self._made(request)
        if end == "html":
            raise ProtocolError("a page of HTML")
        if end == "cut" or self.dice.happens(self.deaf):
            raise TransientError("reset", sent=True)
        return self._offer(made)

    def _made(self, request: OfferRequest) -> Private:
        offer_id = f"D{len(self.private) + 1}"
        made = self.private[offer_id] = Private(offer_id=offer_id, request=request, made_at=self.clock.now())
        self.set(request.ref, self.numbers[request.ref] - request.quantity, "private")
        self._later((request.until - self.clock.now()) / SECOND_US, lambda: self._free(made))
        return made

    def _offer(self, made: Private) -> Offer:
        return Offer(offer_id=made.offer_id, link=f"{LINK}/{made.offer_id}")

    def _free(self, made: Private) -> None:
        if made.kept:
            made.kept = False
            self.set(made.request.ref, self.numbers[made.request.ref] + made.request.quantity, "private")

    async def find_offer(self, key: str) -> Offer | None:
        await self._call()
        if self.away:
            raise TransientError("no connection", sent=False)
        made = self.one(key)
        if made is None or self.clock.now() < made.made_at + self.found_after_s * SECOND_US:
            return None
        return self._offer(made) if made.open or made.order_id else None

    async def withdraw_offer(self, offer_id: str) -> Withdrawn:
        await self._call()
        self.withdrawals.append(offer_id)
        if self.away:
            raise TransientError("no connection", sent=False)
        made = self.private[offer_id]
        if self.keeps:
            raise RejectedError("a draft of somebody else")
        if made.order_id:
            return Withdrawn(end=Withdrawal.BOUGHT, order_id=made.order_id if self.names_orders else "")
        if not made.open:
            return Withdrawn(end=Withdrawal.GONE)
        made.open = False
        self._free(made)
        if self.dice.happens(self.deaf):
            raise TransientError("reset", sent=True)
        return Withdrawn(end=Withdrawal.WITHDRAWN)

    # --- the world ---

    def pay(self, offer_id: str, *, quantity: int | None = None) -> str | None:
        """Let whoever has the link buy; None where nothing can be bought. A person may have changed how many."""
        made = self.private[offer_id]
        if not made.open or (not made.kept and self.numbers[made.request.ref] < made.request.quantity):
            return None
        units = made.request.quantity if quantity is None else quantity
        if not made.kept:
            self.set(made.request.ref, self.numbers[made.request.ref] - units, "shopper")
        elif units != made.request.quantity:
            self.set(made.request.ref, self.numbers[made.request.ref] + made.request.quantity - units, "private")
        made.open = made.kept = False
        made.order_id = self.order(made.request.ref, units, offer=made.request.key)
        return made.order_id
