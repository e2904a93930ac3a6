"""How long it takes until a sale is known, and until the other channels' numbers have fallen by it."""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from syncd.core.terms import SECOND_US, Instant

KEPT: Final = 50_000
"""Lags kept of each kind; the oldest leave first."""
RECENT: Final = 200
MOST_OPEN: Final = 20_000
"""Sales followed at a time; the oldest are no longer followed."""


def quantile(values: Iterable[float], share: float) -> float | None:
    """Return the smallest value that `share` of them do not exceed; None where there are none."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None


def _kept() -> deque[float]:
    return deque(maxlen=KEPT)


@dataclass(slots=True, kw_only=True)
class Series:
    """The lags of one channel, in seconds.

    `known`: from a sale there until syncd has decided on it. `visible`: from the decision on a sale elsewhere until
    this channel shows it. `total`: both, from a sale elsewhere until this channel shows it.
    """

    known: deque[float] = field(default_factory=_kept)
    visible: deque[float] = field(default_factory=_kept)
    total: deque[float] = field(default_factory=_kept)


@dataclass(slots=True, eq=False, kw_only=True)
class _Sale:
    at: Instant
    channel: str
    sku: str
    known_at: Instant | None = None
    waits: dict[str, int] = field(default_factory=dict)
    shown_at: dict[str, Instant] = field(default_factory=dict)


class Lags:
    """Follows sales. A wait that touches a time in which a channel is down counts apart, in `delayed`.

    Whichever channel that is: what it sells unheard is missing in the numbers of all others.
    """

    def __init__(self, channels: Iterable[str]) -> None:
        self.series = {channel: Series() for channel in channels}
        self.delayed = _kept()
        self._open: OrderedDict[tuple[str, str], _Sale] = OrderedDict()
        self._waiting: dict[tuple[str, str], deque[_Sale]] = {}
        self._down_since: dict[str, Instant] = {}
        self._up_at: Instant = 0

    def sold(self, channel: str, order: str, sku: str, *, at: Instant, should: int, shown: Mapping[str, int]) -> None:
        """Follow a sale: every other channel that shows more than `should` is to fall to it."""
        sale = _Sale(at=at, channel=channel, sku=sku)
        self._open[channel, order] = sale
        if len(self._open) > MOST_OPEN:
            self._open.popitem(last=False)
        for other, number in shown.items():
            if other != channel and number > should:
                sale.waits[other] = should
                self._waiting.setdefault((other, sku), deque(maxlen=MOST_OPEN)).append(sale)

    def known(self, channel: str, order: str, *, at: Instant) -> None:
        """Note when syncd decided on an order."""
        sale = self._open.pop((channel, order), None)
        if sale is None or sale.known_at is not None:
            return
        sale.known_at = at
        if not self._troubled(sale.at):
            self.series[channel].known.append(max(0, at - sale.at) / SECOND_US)
        for other, shown_at in sale.shown_at.items():
            self._note_visible(sale, other, shown_at)

    def shows(self, channel: str, sku: str, number: int, *, at: Instant, ours: bool) -> None:
        """Note what a channel shows from now on, and whether syncd wrote it: an own sale there ends no wait of ours."""
        waiting = self._waiting.get((channel, sku))
        if not waiting:
            return
        still = deque((sale for sale in waiting if sale.waits[channel] < number), maxlen=MOST_OPEN)
        for sale in waiting:
            if sale.waits[channel] >= number and ours:
                self._shown(sale, channel, at)
        self._waiting[channel, sku] = still

    def raised(self, sku: str, quantity: int) -> None:
        """Note that units came: whoever is to fall may show so many more."""
        for (channel, waited), sales in self._waiting.items():
            if waited == sku:
                for sale in sales:
                    sale.waits[channel] += quantity

    def down(self, channel: str, *, at: Instant, is_down: bool) -> None:
        """Note whether a channel can be reached."""
        if is_down:
            self._down_since.setdefault(channel, at)
        elif channel in self._down_since:
            del self._down_since[channel]
            self._up_at = at

    def is_down(self, channel: str) -> bool:
        """Say whether a channel was down when it was last asked."""
        return channel in self._down_since

    def _shown(self, sale: _Sale, channel: str, at: Instant) -> None:
        total_s = max(0, at - sale.at) / SECOND_US
        if self._troubled(sale.at):
            self.delayed.append(total_s)
            return
        self.series[channel].total.append(total_s)
        sale.shown_at[channel] = at
        if sale.known_at is not None:
            self._note_visible(sale, channel, at)

    def _note_visible(self, sale: _Sale, channel: str, at: Instant) -> None:
        if sale.known_at is not None and at >= sale.known_at:
            self.series[channel].visible.append((at - sale.known_at) / SECOND_US)

    def _troubled(self, since: Instant) -> bool:
        return bool(self._down_since) or self._up_at >= since

    def totals(self) -> list[float]:
        """Return all lags from a sale to another channel's number, in seconds."""
        return [value for series in self.series.values() for value in series.total]

    def recent_totals(self) -> list[float]:
        """Return the last of them."""
        return [value for series in self.series.values() for value in recent(series.total)]


def recent(values: deque[float]) -> list[float]:
    """Return the last lags."""
    return list(islice(reversed(values), RECENT))
