"""What happens in the demo, and when: shoppers, a flash sale, a delivery, faults. Equal for equal seeds.

A shop hour takes a minute. The clock of the naive tool and the delays of the simulated channels are shortened as the
demand is; syncd itself runs in real time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain, count
from typing import Final, TypeAlias

from syncd.rehearsal import PARTS, SHARES, Part
from syncd.settings.policies import ExposureName
from syncd.testing.chance import SeededRandom
from syncd.testing.simulators import Faults, sku_name

FACTOR: Final = 60
"""How much faster than a real shop."""
ROUND_S: Final = 3_600.0 / FACTOR
"""How long a round takes, where there is time for a whole one."""
NAIVE_S: Final = 900.0 / FACTOR
"""The clock of the naive tool: 15 minutes of the shop."""

STEADY_PER_S: Final = 4.0
FLASH_PER_S: Final = 16.0
SCARCITY: Final = 4
"""How many times the stock is asked for in a flash sale."""
QUANTITIES: Final = (1, 1, 1, 1, 1, 1, 1, 1, 2, 3)
"""What shoppers want, each as likely."""
MEAN_QUANTITY: Final = sum(QUANTITIES) / len(QUANTITIES)
SPARE: Final = 1.5
"""How much of a good that is not on sale there is, against what will be asked for."""
MOST_HOT: Final = 4
CANCELS: Final = 0.06
CANCEL_S: Final = (1.0, 6.0)

KEPT_BACK: Final[Mapping[str, int]] = {"amazon": 3, "rakuten": 5, "qoo10": 5}
"""Units of a good of the flash sale that are kept back where sales are heard of late, with exposure "pool"."""

# Shares of a round.
FLASH: Final = (0.15, 0.50)
CUTS: Final = (0.30, 0.50)
OUTAGE: Final = (0.58, 0.74)
DELIVERY: Final = 0.66

# Those who wait: one good more, in the first round.
SELL_OUT: Final = (0.02, 0.30)
LOSS: Final = 0.35
"""When the last units of it turn out to be broken."""
BROKEN: Final = 3
FREE: Final = 9
"""How many units the truck brings beyond what is owed."""
WANTED: Final = 12
"""How many shoppers ask for it, one unit each."""
LEAST_ROUND_S: Final = 15.0
"""A shorter show has no time for them."""

CUT_RATE: Final = 0.25
CUT_CHANNELS: Final = ("amazon", "rakuten")
DOWN_CHANNEL: Final = "rakuten"

CALM: Final[Mapping[str, Faults]] = {
    "amazon": Faults(late_webhooks_s=1.0, lost_webhooks=0.02, double_webhooks=0.05),  # within a minute of the shop
    "rakuten": Faults(late_webhooks_s=0.1, lost_webhooks=0.02),
    "shopify": Faults(late_webhooks_s=0.1, lost_webhooks=0.02, double_webhooks=0.05),
    "qoo10": Faults(lost_webhooks=1.0),  # has none: its orders are polled
}
"""How each channel is on a good day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A shopper wants `quantity` units; who is served cancels after so long, or never."""

    at_s: float
    channel: str
    sku: str
    quantity: int
    cancel_after_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """Goods arrive."""

    at_s: float
    goods: Mapping[str, int] = field(hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Something begins or ends; `faults` are the channel's from now on, where one is named."""

    at_s: float
    text: str
    channel: str = ""
    faults: Faults | None = None


Happening: TypeAlias = Ask | Delivery | Scene


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """The demo's plan, round after round, times in seconds from its start. `skus` is how many goods there are."""

    skus: int
    seed: int
    round_s: float = ROUND_S
    exposure: ExposureName = "adaptive"

    @property
    def names(self) -> list[str]:
        """Return all goods, those of the flash sale first."""
        return [sku_name(number) for number in range(1, self.skus + 1)]

    @property
    def awaited(self) -> str:
        """Return the good that sells out and is waited for, one more than `skus`; empty in a show too short for it."""
        return sku_name(self.skus + 1) if self.round_s >= LEAST_ROUND_S else ""

    @property
    def goods(self) -> list[str]:
        """Return all goods, also the one that is waited for."""
        return [*self.names, self.awaited] if self.awaited else self.names

    @property
    def awaited_stock(self) -> int:
        """Return how much of the awaited good there is at the start."""
        return 2 * BROKEN

    @property
    def hot(self) -> list[str]:
        """Return the goods of the flash sale."""
        return [sku_name(number) for number in range(1, max(1, min(MOST_HOT, self.skus // 4)) + 1)]

    @property
    def hot_stock(self) -> int:
        """Return how much of each of them there is at the start."""
        wanted = FLASH_PER_S * (FLASH[1] - FLASH[0]) * self.round_s * MEAN_QUANTITY
        return max(1, round(wanted / len(self.hot) / SCARCITY))

    def opening(self) -> dict[str, int]:
        """Return what is there at the start."""
        return self.usual() | ({self.awaited: self.awaited_stock} if self.awaited else {})

    def usual(self) -> dict[str, int]:
        """Return what there is of the goods that nobody waits for, and what a delivery brings of them."""
        steady = STEADY_PER_S * self.round_s * MEAN_QUANTITY / self.skus
        return dict.fromkeys(self.names, math.ceil(steady * SPARE)) | dict.fromkeys(self.hot, self.hot_stock)

    def kept_back(self, channel: str, sku: str) -> int:
        """Return how many units of a good a channel never shows; only the pool needs such a fixed number."""
        kept = KEPT_BACK.get(channel, 0) if self.exposure == "pool" and sku in self.hot else 0
        return min(kept, self.hot_stock // 6)

    def heard(self, channel: str) -> str:
        """Say how sales of a channel are heard of."""
        calm = CALM[channel]
        return "polled" if calm.lost_webhooks == 1.0 else "late notices" if calm.late_webhooks_s >= 1.0 else "webhooks"

    def happenings(self) -> Iterator[Happening]:
        """Yield everything for ever, in order of time."""
        return chain.from_iterable(map(self._round, count()))

    def _round(self, number: int) -> list[Happening]:
        dice, begin = SeededRandom(self.seed * 1_000_003 + number), number * self.round_s
        flash = [begin + share * self.round_s for share in FLASH]
        steady = self._asks(dice, (begin, begin + self.round_s), per_s=STEADY_PER_S, among=self.names)
        hot = self._asks(dice, (flash[0], flash[1]), per_s=FLASH_PER_S, among=self.hot)
        return sorted(
            [*self._scenes(begin), self._delivery(begin), *steady, *hot, *self._last_units(number)],
            key=lambda happening: happening.at_s,
        )

    def _last_units(self, number: int) -> list[Ask]:
        """Return those who want the awaited good, by turns on all channels, in the first round."""
        if number or not self.awaited:
            return []
        begin_s, end_s = (share * self.round_s for share in SELL_OUT)
        names = list(SHARES)
        return [
            Ask(
                at_s=begin_s + (end_s - begin_s) * place / WANTED,
                channel=names[place % len(names)],
                sku=self.awaited,
                quantity=1,
            )
            for place in range(WANTED)
        ]

    def _asks(self, dice: SeededRandom, span: tuple[float, float], *, per_s: float, among: list[str]) -> list[Ask]:
        asks, at_s = [], span[0]
        while (at_s := at_s - math.log(1.0 - dice()) / per_s) < span[1]:
            asks.append(
                Ask(
                    at_s=at_s,
                    channel=_channel(dice()),
                    sku=among[int(dice.between(0, len(among)))],
                    quantity=QUANTITIES[int(dice.between(0, len(QUANTITIES)))],
                    cancel_after_s=dice.between(*CANCEL_S) if dice.happens(CANCELS) else None,
                )
            )
        return asks

    def _scenes(self, begin: float) -> list[Happening]:
        def scene(share: float, text: str, channel: str = "", faults: Faults | None = None) -> Scene:
            return Scene(at_s=begin + share * self.round_s, text=text, channel=channel, faults=faults)

        cut = {name: replace(CALM[name], cut_after_effect=CUT_RATE) for name in CUT_CHANNELS}
        down = replace(CALM[DOWN_CHANNEL], refuse=1.0)
        return [
            scene(0.0, "steady trade"),
            scene(FLASH[0], f"FLASH SALE on {len(self.hot)} SKUs, on all channels at once"),
            *(
                scene(CUTS[0], f"flash sale, and {' and '.join(cut)} hang up after writing", *pair)
                for pair in cut.items()
            ),
            *(scene(CUTS[1], "steady trade", name, CALM[name]) for name in cut),
            scene(OUTAGE[0], f"the API of {DOWN_CHANNEL} is down, its shop still sells", DOWN_CHANNEL, down),
            scene(OUTAGE[1], f"{DOWN_CHANNEL} is back", DOWN_CHANNEL, CALM[DOWN_CHANNEL]),
        ]

    def _delivery(self, begin: float) -> Delivery:
        return Delivery(at_s=begin + DELIVERY * self.round_s, goods=self.usual())


def _channel(draw: float) -> str:
    left = draw * sum(SHARES.values())
    for name, share in SHARES.items():
        left -= share
        if left < 0:
            return name
    return next(reversed(SHARES))


def parts() -> dict[str, Part]:
    """Return the channels of the rehearsal with their delays shortened as the demand is, and their limits raised."""
    return {
        name: replace(part, poll_s=1.0, time_scale=1 / FACTOR, knobs=_KNOBS[name], settings=_TOLD[name])
        for name, part in PARTS.items()
    }


_KNOBS: Final[Mapping[str, Mapping[str, object]]] = {
    "amazon": {"rate_factor": float(FACTOR)},
    "rakuten": {"rate_factor": float(FACTOR), "order_rate": 100.0},
    "shopify": {"plan": "plus"},
    "qoo10": {"calls_per_s": 600.0, "burst": 600.0},
}
"""Limits that go with the shortened delays."""
_TOLD: Final[Mapping[str, Mapping[str, object]]] = {
    "amazon": {"sweep_s": 3.0, "confirm_s": 2.0},
    "rakuten": {"pushes_per_s": 5.0},
    "shopify": {},
    "qoo10": {
        "visibility_s": 11,
        "calls_per_s": 20.0,
        "order_overlap_s": 10.0,
        "changes_s": 10.0,
        "restore_s": 2.0,
    },
}
"""What the adapters are told of them."""
