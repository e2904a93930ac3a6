"""Seasons and campaigns: dated changes of what channels may show, which end by themselves."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from syncd.core.terms import Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Season:
    """A change of policy from `since` up to `until`, on these accounts (empty: on all).

    A field of None changes nothing. `demand` is how many times the usual demand is expected while it lasts.
    """

    name: str
    since: Instant
    until: Instant
    accounts: tuple[str, ...] = ()
    demand: float | None = None
    exposure: str | None = None
    loss: int | None = None
    safety_stock: int | None = None
    safety_percent: int | None = None
    cap: int | None = None
    share: int | None = None
    priority: str | None = None
    priority_units: int | None = None
    preorder: bool | None = None
    hide: bool | None = None
    purchase_limit: int | None = None

    def holds(self, account: str, now: Instant) -> bool:
        """Say whether it changes what this account may show now."""
        return self.since <= now < self.until and (not self.accounts or account in self.accounts)


def in_force(seasons: Iterable[Season], *, account: str, now: Instant) -> list[Season]:
    """Return the seasons that hold now, the one that began last at the end: it wins."""
    return sorted((x for x in seasons if x.holds(account, now)), key=lambda x: (x.since, x.name))


def next_turn(seasons: Iterable[Season], *, now: Instant) -> Instant | None:
    """Return when the next of them begins or ends after `now`, None where all is over."""
    return min((at for season in seasons for at in (season.since, season.until) if at > now), default=None)


def expected_demand(seasons: Collection[Season], *, now: Instant) -> float:
    """Return how many times the usual demand of the whole shop is expected now; of several the most counts."""
    return max((x.demand for x in seasons if x.demand is not None and x.since <= now < x.until), default=1.0)
