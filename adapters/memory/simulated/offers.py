"""Private sales of a memory shop: units off the shelf for whoever has the link, until a time."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count

from adapters.memory import wire
from syncd.sdk.channel import Instant
from syncd.testing.market import Market
from syncd.testing.shelf import Good
from syncd.testing.trade import By, Receipt, Refusal, Unknown


@dataclass(slots=True, eq=False, kw_only=True)
class PrivateOffer:
    """One private sale. `kept` says that its units are off the shelf."""

    offer_id: str
    key: str
    good: Good
    quantity: int
    until: Instant
    kept: bool = True
    order_id: str = ""

    def told(self) -> wire.RemoteOffer:
        """Return it as the shop states it."""
        link = f"https://memory.example/private/{self.offer_id}-canary-link"
        return wire.RemoteOffer(id=self.offer_id, link=link)


class PrivateOffers:
    """All private sales of a shop; a key makes one, however often it is asked for."""

    def __init__(self, shop: Market) -> None:
        self._shop = shop
        self._numbers = count(1)
        self._open: dict[str, PrivateOffer] = {}
        self._keys: dict[str, PrivateOffer] = {}

    def make(self, wish: wire.OfferRow) -> wire.OfferAnswer:
        """Make one, or say why not."""
        now = self._shop.settle()
        if wish.key in self._keys:
            return wire.OfferAnswer(offer=self._keys[wish.key].told())
        good = self._shop.shelf.find(wire.ref(wish.listing))
        if good is None or not good.managed or wish.quantity < 1 or wish.until <= now:
            return wire.OfferAnswer(offer=None, refused="no such listing, or nothing to keep")
        made = PrivateOffer(
            offer_id=f"P-{next(self._numbers)}", key=wish.key, good=good, quantity=wish.quantity, until=wish.until
        )
        self._open[made.offer_id] = self._keys[wish.key] = made
        self._shop.shelf.change(good, good.quantity - wish.quantity, By.SHOPPER, at=now)
        self._shop.later(wish.until - now, lambda at: self._free(made, at))
        return wire.OfferAnswer(offer=made.told())

    def find(self, key: str) -> wire.OfferAnswer:
        """Return the one with a key that is open or bought."""
        self._shop.settle()
        found = self._keys.get(key)
        there = found is not None and (found.offer_id in self._open or found.order_id)
        return wire.OfferAnswer(offer=found.told() if found is not None and there else None)

    def withdraw(self, offer_id: str) -> wire.WithdrawAnswer:
        """End one that is not bought."""
        now = self._shop.settle()
        found = next((one for one in self._keys.values() if one.offer_id == offer_id), None)
        if found is not None and found.order_id:
            return wire.WithdrawAnswer(end="bought", order_id=found.order_id)
        if found is None or self._open.pop(offer_id, None) is None:
            return wire.WithdrawAnswer(end="gone")
        self._free(found, now)
        return wire.WithdrawAnswer(end="withdrawn")

    def pay(self, offer_id: str) -> Receipt:
        """Let whoever has the link buy; one that lapsed sells what the shelf has."""
        now = self._shop.settle()
        found = self._open.get(offer_id)
        if found is None:
            raise Unknown(f"{offer_id}: no such private sale")
        if not found.kept:
            if found.good.quantity < found.quantity:
                raise Refusal(f"{offer_id}: its units are gone")
            self._shop.shelf.change(found.good, found.good.quantity - found.quantity, By.SHOPPER, at=now)
        found.kept = False
        del self._open[offer_id]
        order = self._shop.book([(found.good, found.quantity)], now, offer=found.key)
        found.order_id = order.order_id
        return order.receipt()

    def _free(self, offer: PrivateOffer, at: Instant) -> None:
        if offer.kept:
            offer.kept = False
            self._shop.shelf.change(offer.good, offer.good.quantity + offer.quantity, By.CANCEL, at=at)
