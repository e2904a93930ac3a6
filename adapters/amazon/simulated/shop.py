"""The whole simulated Amazon in one place: goods, orders, feeds, reports, and time that passes when somebody looks."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

from adapters.amazon.simulated.access import Tokens
from adapters.amazon.simulated.documents import Documents
from adapters.amazon.simulated.goods import Entry, Goods, Listing
from adapters.amazon.simulated.knobs import Knobs, Range
from adapters.amazon.simulated.limits import Limits
from adapters.amazon.simulated.orders import Orders
from adapters.amazon.simulated.patches import Patch, patched, quantity_of
from adapters.amazon.simulated.times import SECOND_US
from syncd.sdk.channel import Clock, Instant
from syncd.testing.chance import SeededRandom
from syncd.testing.sales import Agenda
from syncd.testing.trade import Log

MARKETPLACE = "A1VC38T7YXB528"
SELLER = "A2SYNCDSIMULATED"
APPLICATION = "amzn1.sp.solution.00000000-0000-4000-8000-000000000001"


class Shop:
    """The seller's account on Amazon.co.jp. `scale` multiplies every delay."""

    marketplace = MARKETPLACE
    seller = SELLER

    def __init__(
        self,
        opening: Sequence[tuple[str, int]],
        *,
        clock: Clock,
        random: SeededRandom,
        log: Log,
        scale: Callable[[], float],
    ) -> None:
        self.clock = clock
        self.random = random
        self.knobs = Knobs()
        self.limits = Limits(clock, factor=lambda: self.knobs.rate_factor)
        self.tokens = Tokens(clock, lambda: random.bytes(16).hex())
        self.documents = Documents(clock, lambda: random.bytes(16).hex())
        self.agenda = Agenda()
        self.goods = Goods(opening, log, clock.now())
        self.on_plan: Callable[[int], None] = lambda _: None
        self._scale = scale
        self.orders = Orders(
            self.goods, self.agenda, knobs=lambda: self.knobs, draw=self.drawn_us, chance=random.happens
        )
        self.orders.on_plan = self._planned

    def _planned(self, delay_us: int) -> None:
        self.on_plan(delay_us)

    def settle(self) -> Instant:
        """Let everything happen that is due; return the time."""
        now = self.clock.now()
        self.agenda.settle(now)
        return now

    def drawn_us(self, delay: Range) -> int:
        """Draw a delay, in microseconds."""
        return round(self.random.between(*delay) * self._scale() * SECOND_US)

    def later(self, delay_us: int, action: Callable[[Instant], object]) -> None:
        """Let something happen after a delay, at once when it is 0."""
        self.agenda.add(self.settle() + delay_us, action)
        self.on_plan(delay_us)
        self.settle()

    def identity(self) -> str:
        """Return a new id in the form of a UUID."""
        text = self.random.bytes(16).hex()
        return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-8{text[17:20]}-{text[20:]}"

    # --- writing ---

    def submit(self, listing: Listing, patches: Sequence[Patch]) -> None:
        """Take valid patches: the submitted attributes change at once, the live quantity later.

        Patches of one SKU take effect in the order in which they came.
        """
        now = self.settle()
        listing.entries = patched(listing.entries, patches)
        listing.updated_at = now
        due = max(now + self.drawn_us(self.knobs.effect_s), listing.last_effect)
        listing.last_effect = due
        self.take_effect(listing, patches, delay_us=due - now)

    def submit_later(self, listing: Listing, patches: Sequence[Patch], entries: Sequence[Entry] | None = None) -> None:
        """Take what a feed brings: its effect comes when it comes, also after that of a patch which is newer."""
        self.settle()
        listing.entries = patched(listing.entries if entries is None else entries, patches)
        self.take_effect(listing, patches, delay_us=self.drawn_us(self.knobs.effect_s))

    def take_effect(self, listing: Listing, patches: Sequence[Patch], *, delay_us: int) -> None:
        """Plan the live effect of patches; some are lost, as the knob says."""
        quantity = quantity_of(patches)
        if quantity is None or self.random.happens(self.knobs.lost_writes):
            return
        self.later(delay_us, functools.partial(self._supply, listing.sku, quantity))

    def _supply(self, sku: str, quantity: int, at: Instant) -> None:
        listing = self.goods.find(sku)
        if listing is not None:
            self.goods.supply(listing, quantity, at=at)

    def delete(self, listing: Listing) -> None:
        """Delete an offer, after a while."""
        sku = listing.sku

        def gone(_: Instant) -> None:
            known = self.goods.find(sku)
            if known is not None:
                self.goods.remove(known)

        self.later(self.drawn_us(self.knobs.effect_s), gone)
