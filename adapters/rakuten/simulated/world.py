"""What the simulated shop stands in: time, chance, an agenda of what is to come, and the knobs that turn it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

from adapters.rakuten.simulated.times import SECOND_US
from syncd.sdk.channel import Clock, Instant

Delay: TypeAlias = tuple[float, float]
"""Seconds, of which one value between the two is drawn."""
Action: TypeAlias = Callable[[Instant], object]

FUNCTIONS: Final = (
    "license.expiryDate.get",
    "inventories.variants.get",
    "inventories.variants.upsert",
    "inventories.variants.delete",
    "inventories.bulk.get",
    "inventories.bulk.get.range",
    "inventories.bulk.upsert",
    "inventories.variant-lists.get",
    "rpay.order.searchOrder",
    "rpay.order.getOrder",
    "rpay.order.confirmOrder",
    "rpay.order.cancelOrder",
    "rpay.order.cancelOrderAfterShipping",
    "purchaseItem.searchOrderItem",
    "purchaseItem.getOrderItem",
    "itemapi_2.0.items.search",
    "items.inventory-related-settings.get",
    "items.inventory-related-settings.update",
    "inquirymngapi.inquiries.get",
    "inquirymngapi.counts.get",
    "inquirymngapi.inquiry.get",
    "inquirymngapi.reply.post",
    "inquirymngapi.inquiries.patch.read",
    "inquirymngapi.inquiries.patch.complete/incomplete",
)
"""The functions set to 利用中 in a new shop; items.get and items.patch are not, they cost extra."""


class Chance(Protocol):
    """A repeatable source of randomness."""

    def between(self, low: float, high: float) -> float:
        """Return a number in [low, high)."""

    def happens(self, chance: float) -> bool:
        """Say yes with this chance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Knobs:
    """What can be turned at the simulated shop; names in `_s` are ranges of seconds of which one is drawn.

    Who may call: `functions` are those set to 利用中; `rate_factor` is how much more than the published rate is let
    through, `order_rate` the calls per second of each order function, for which none is published; `license_days` a new
    key's life; `old_key_dies` at once when a new one is made, otherwise at its own end; `maintenance` answers 503 for
    orders and stock while shoppers still buy.

    Writes: `effect_s` until an accepted one shows; `write_time_s` until it is answered; `writes_dropped` answers 204
    and does nothing; `conflicts` and `broken` are the shares answered 409 CE0001 and 500 X0000 without an effect;
    `atomic` says whether one bad row keeps the others from being done; `rule_paths` whether IE0117 and IE0500 say
    which row it was; `migrated` whether the shop has gone over to SKUs.

    Reads: `read_lag_s` how old stock answers are; `search_lag_s` until the order search tells a change of an order;
    `catalogue_lag_s` until the item search tells a new or deleted page.

    Orders: `confirm_s` 100 to 200, `processing_s` 200 to 300, `settle_s` 500 to 600 and again to 700,
    `cancel_pending_s` 800 to 900 for a buyer's cancel, `cancel_settle_s` for one by the API, `edit_settle_s` from 400
    back, `restore_s` from 900 until units are for sale again; `split_packages` is the share of orders of several goods
    that go out in two packages, `split_units` the share of which the units of one SKU are divided over two.
    """

    functions: tuple[str, ...] = FUNCTIONS
    rate_factor: float = 1.1
    order_rate: float = 5.0
    license_days: int = 90
    old_key_dies: bool = True
    maintenance: bool = False
    effect_s: Delay = (0.0, 0.0)
    write_time_s: float = 0.0
    writes_dropped: bool = False
    conflicts: float = 0.0
    broken: float = 0.0
    atomic: bool = True
    rule_paths: bool = False
    migrated: bool = True
    read_lag_s: Delay = (0.0, 0.0)
    search_lag_s: Delay = (0.0, 30.0)
    catalogue_lag_s: Delay = (3_600.0, 86_400.0)
    confirm_s: Delay = (1_800.0, 3_600.0)
    processing_s: Delay = (60.0, 1_800.0)
    settle_s: Delay = (86_400.0, 172_800.0)
    cancel_pending_s: Delay = (0.0, 0.0)
    cancel_settle_s: Delay = (60.0, 600.0)
    edit_settle_s: Delay = (60.0, 600.0)
    restore_s: Delay = (0.0, 60.0)
    split_packages: float = 0.25
    split_units: float = 0.0
    notify_delay_s: Delay = (0.0, 3.0)


class World:
    """The shop's time and chance. `scale` multiplies every delay; `schedule` lets something happen at a time."""

    def __init__(
        self,
        *,
        clock: Clock,
        random: Chance,
        schedule: Callable[[Instant, Action], None],
        scale: Callable[[], float],
    ) -> None:
        self._clock = clock
        self._schedule = schedule
        self._scale = scale
        self.random = random
        self.knobs = Knobs()

    def now(self) -> Instant:
        """Return the time."""
        return self._clock.now()

    def scaled_us(self, seconds: float) -> int:
        """Return a delay in microseconds."""
        return round(seconds * self._scale() * SECOND_US)

    def drawn_us(self, delay: Delay) -> int:
        """Draw a delay, in microseconds; one without any width draws no number."""
        return self.scaled_us(delay[0] if delay[0] == delay[1] else self.random.between(*delay))

    def later(self, delay: Delay, action: Action, *, at: Instant | None = None) -> int:
        """Let something happen a while after `at` (now, where it is not given); return when."""
        due = (self.now() if at is None else at) + self.drawn_us(delay)
        self._schedule(due, action)
        return due
