"""Watch what the channels show: every change of a number, as their own logs tell it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from syncd.core.terms import Instant, ListingRef
from syncd.demo.lags import Lags
from syncd.testing.simulators import Applied, By, Simulator


class Watch:
    """A mirror of all channels. `shown` is per channel and SKU; `writes` counts what syncd changed."""

    def __init__(self, simulators: Mapping[str, Simulator], lags: Lags) -> None:
        self._simulators = simulators
        self._lags = lags
        self._places: dict[str, dict[ListingRef, str]] = {}
        self._read: dict[str, int] = {}
        self.shown: dict[str, dict[str, int]] = {}
        self.writes: Counter[str] = Counter()
        self._raised: dict[str, Instant] = {}
        for name, simulator in simulators.items():
            self._read[name] = len(simulator.log)
            self._places[name] = {place.ref: place.sku for place in simulator.shown()}
            self.shown[name] = {place.sku: place.quantity for place in simulator.shown()}

    def turn(self) -> None:
        """Take in everything that changed."""
        for name, simulator in self._simulators.items():
            simulator.settle()
            if len(simulator.log) > self._read[name]:
                for change in simulator.log.after(self._read[name]):
                    self._take(name, change)
                self._read[name] = len(simulator.log)

    def _take(self, channel: str, change: Applied) -> None:
        sku = self._places[channel].get(change.ref)
        if sku is None:
            return
        ours = change.by is By.API
        self.shown[channel][sku] = change.after
        self.writes[channel] += ours
        if ours and change.after > change.before:
            self._raised.setdefault(sku, change.at)
        self._lags.shows(channel, sku, change.after, at=change.at, ours=ours)

    def forget_raise(self, sku: str) -> None:
        """Look for the next raise of a SKU."""
        self.turn()
        self._raised.pop(sku, None)

    def raised_at(self, sku: str) -> Instant | None:
        """Return when syncd first let a channel show more of a SKU; None where it did not."""
        return self._raised.get(sku)

    def of(self, sku: str) -> dict[str, int]:
        """Return what each channel shows of a SKU."""
        return {channel: shelf.get(sku, 0) for channel, shelf in self.shown.items()}
