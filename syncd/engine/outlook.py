"""What is expected: the demand of every SKU, and how late each account hears and shows. Exposure is decided by both.

Written on the writer's thread and by the lookout loop only; others read.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from syncd.core.terms import AccountId, Instant
from syncd.engine.demand import Book
from syncd.settings import Settings
from syncd.settings.windows import moment_of, read_zone

MOST_KEPT: Final = 50_000
"""Decisions that are remembered; when there are more, all are forgotten."""


class Ground(StrEnum):
    """Where a lag comes from."""

    PROMISED = "promised"
    """The channel's profile: little was measured yet."""
    MEASURED = "measured"
    SILENT = "silent"
    """Its order feed was not read for longer than usual."""
    WAITING = "waiting"
    """A fall waits there for longer than usual: it is throttled or has much to write."""
    DOWN = "down"
    MAINTENANCE = "maintenance"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lag:
    """How late an account is: until we hear of a sale there, and until a fall shows there."""

    heard_s: float
    visible_s: float
    heard_by: Ground = Ground.PROMISED
    visible_by: Ground = Ground.PROMISED

    @property
    def away(self) -> bool:
        """Say whether nothing can be written there now."""
        return self.visible_by in (Ground.DOWN, Ground.MAINTENANCE)


class Outlook:
    """Demand and lags, as exposure uses them. `version` counts how often the lags changed."""

    def __init__(self, *, book: Book | None = None) -> None:
        self.book = Book() if book is None else book
        self.version = 0
        self.known: dict[tuple[object, ...], tuple[int, ...]] = {}
        self._lags: dict[AccountId, Lag] = {}
        self._longest_s = 0.0

    def expect(self, account: AccountId, *, knowledge_s: float, visible_s: float) -> None:
        """Take what a channel promises: what holds until something else is known."""
        if account not in self._lags:
            self.set_lags({account: Lag(heard_s=knowledge_s, visible_s=visible_s)})

    def set_lags(self, lags: dict[AccountId, Lag]) -> None:
        """Take other lags of some accounts."""
        self._lags = {**self._lags, **lags}
        self._longest_s = max(x.heard_s for x in self._lags.values()) + max(x.visible_s for x in self._lags.values())
        self.version += 1
        self.known.clear()

    def lag(self, account: AccountId) -> Lag:
        """Return the lag of an account; one that nobody expected has none."""
        return self._lags.get(account, _NONE)

    @property
    def longest_s(self) -> float:
        """Return the longest time from a sale until the slowest account shows it."""
        return self._longest_s

    def accounts(self) -> Iterable[AccountId]:
        """Return the accounts that are known."""
        return self._lags


_NONE: Final = Lag(heard_s=0.0, visible_s=0.0)


def outlook_of(settings: Settings, *, now: Instant) -> Outlook:
    """Return the outlook of a shop that nothing is known of yet; its days are those of the zone in `[policy]`."""
    offset = moment_of(now).astimezone(read_zone(settings.policy.zone)).utcoffset()
    return Outlook(book=Book(offset_us=0 if offset is None else offset // timedelta(microseconds=1)))
