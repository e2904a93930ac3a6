"""Simulated remotes: an aiohttp server that speaks the real API of a channel, and a control API the same for all.

An adapter's simulator subclasses `Simulator`: `routes` are its real API, `settings` opens an adapter on it, and the
shop behind it (what it shows, who buys) is `shown`, `buy`, `cancel`, `ship`, `set_shown`. The base has the control API
(`syncd.testing.control`), the faults of the real API, webhooks and background work (`syncd.testing.courier`).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

from aiohttp import web

from syncd.core.terms import SECOND_US, ListingRef
from syncd.sdk.channel import Clock
from syncd.testing import control
from syncd.testing.courier import Courier, Delivery, Done, connector
from syncd.testing.faults import Faults
from syncd.testing.remotes import SimulatedRemote, serve
from syncd.testing.trade import (
    CANARY_MAIL,
    CANARY_NAME,
    CANARY_PHONE,
    Applied,
    By,
    Log,
    Receipt,
    ReceiptLine,
    Refusal,
    Shown,
    Unknown,
    Unsupported,
    opening_stock,
    sku_name,
    units,
)

__all__ = [
    "CANARY_MAIL",
    "CANARY_NAME",
    "CANARY_PHONE",
    "Applied",
    "By",
    "Courier",
    "Delivery",
    "Done",
    "Faults",
    "Log",
    "Receipt",
    "ReceiptLine",
    "Refusal",
    "Shown",
    "SimulatedRemote",
    "Simulator",
    "Unknown",
    "Unsupported",
    "connector",
    "opening_stock",
    "serve",
    "sku_name",
    "units",
]


class Simulator(SimulatedRemote):
    """The simulated remote of one channel account.

    `staleness_s` is how far a stale read may look back; `canaries` are in its orders. `signs` says that webhooks are
    signed: otherwise they hold no more than a shared key, and a change elsewhere cannot be told.
    """

    signs = True

    def __init__(self, *, seed: int, clock: Clock) -> None:
        super().__init__(seed=seed, clock=clock)
        self.staleness_s = 5.0
        self.log = Log(clock)

    def control_routes(self) -> list[web.RouteDef]:
        """Return the control API of a channel."""
        return control.routes(self)

    # --- what a channel's own simulator says ---

    @abstractmethod
    def shown(self) -> list[Shown]:
        """Return what every listing shows now."""

    @abstractmethod
    def buy(self, lines: Sequence[tuple[str, int]]) -> Receipt:
        """Sell (SKU, quantity) lines to a shopper: whole, or not at all.

        Raises `Refusal` when too little is shown, `Unknown` for a SKU that is not for sale.
        """

    @abstractmethod
    def cancel(self, order_id: str, *, quantity: int | None = None, restock: bool | None = None) -> Receipt:
        """Cancel units of an order that were not shipped: so many, lines in order, or all.

        `restock` says whether they are for sale again; None leaves it to the channel's own rule. Raises `Unknown`,
        `Refusal` when there is nothing to cancel, `Unsupported` where the channel cannot cancel in parts.
        """

    @abstractmethod
    def ship(self, order_id: str) -> Receipt:
        """Ship what is left of an order; raises `Unknown`, and `Refusal` when nothing is left."""

    @abstractmethod
    def set_shown(self, place: str | ListingRef, quantity: int) -> None:
        """Let a person edit the number of a SKU's first listing, or of a listing; raises `Unknown`."""

    def pay_offer(self, offer_id: str) -> Receipt:
        """Let whoever has the link of a private sale buy; raises `Unknown`, `Refusal`, `Unsupported` without any."""
        raise Unsupported(f"{offer_id}: nothing is sold in private here")

    def stock(self, sku: str, quantity: int) -> None:
        """Let a SKU show `quantity`; raises `Unknown`."""
        self.set_shown(sku, quantity)

    def hide(self, sku: str) -> None:
        """Take a SKU off sale without deleting it; raises `Unsupported` where the channel has no such thing."""
        raise Unsupported(f"{sku}: cannot be taken off sale here")

    def unmanage(self, sku: str) -> None:
        """Let the channel no longer track the stock of a SKU; raises `Unsupported` where it always does."""
        raise Unsupported(f"{sku}: stock is always tracked here")

    # --- what it can use ---

    def stale_us(self) -> int:
        """Draw how far back this read looks: 0, or up to `staleness_s` when it is a stale one."""
        if not self.random.happens(self.faults.stale_reads):
            return 0
        return round(self.random.between(0.0, self.staleness_s * self.time_scale) * SECOND_US)
