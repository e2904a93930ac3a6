"""The settings of one Qoo10 shop."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from syncd.sdk.address import address_problems
from syncd.sdk.errors import Problem
from syncd.sdk.secret import Secret

ADDRESS = "https://api.qoo10.jp"
MOST_CALLS_PER_S = 1_000.0
MOST_VISIBILITY_S = 7_200.0
MOST_OVERLAP_S = 86_400.0
MOST_RESCAN_DAYS = 90
"""A search reaches back 90 days at most (QAPI result code -10003)."""

_UNSET = Secret("")


@dataclass(frozen=True, slots=True, kw_only=True)
class Qoo10Settings:
    """What `[channels.NAME.settings]` says of a Qoo10 shop.

    `key` is the seller authorisation key, which ends a year after the day `key_issued_on` (yyyy-mm-dd) and whenever the
    password of QSM is changed. `api_key` is only needed to have a new one made; until then `key` may be left out.
    `calls_per_s` bounds all calls of this shop together. `visibility_s` is how long a changed number may take to show.
    `ship_dates` lets syncd promise ship-by dates. A scan of orders looks back `order_overlap_s` behind the one before;
    shipments, returns and claims in progress are read every `changes_s`, everything of the last `rescan_days` every
    `rescan_s`. `restore_s` is for how long after a cancel is complete Qoo10 may put its units back by itself: so long
    nothing is raised there. `returns_sellable` says that returned goods may be sold again without being counted.
    `cancel_limit_percent` is the rate of own cancels that the shop must not reach; Qoo10 publishes none, 0 is none.
    `base_url` is for simulators.
    """

    key: Secret = _UNSET
    key_issued_on: str = ""
    api_key: Secret = _UNSET
    base_url: str = ""
    calls_per_s: float = 2.0
    visibility_s: float = 600.0
    ship_dates: bool = False
    order_overlap_s: float = 600.0
    changes_s: float = 300.0
    rescan_s: float = 21_600.0
    rescan_days: int = 30
    restore_s: float = 86_400.0
    returns_sellable: bool = False
    cancel_limit_percent: float = 0.0

    @property
    def url(self) -> str:
        """Return where the API is, without a slash at the end."""
        return (self.base_url or ADDRESS).rstrip("/")

    @property
    def cancel_limit(self) -> float | None:
        """Return the limit of own cancels as a share; None where there is none."""
        return self.cancel_limit_percent / 100 or None

    @property
    def issued_on(self) -> date | None:
        """Return the day on which the key was made; None where it is not told, or is no day."""
        try:
            return date.fromisoformat(self.key_issued_on)
        except ValueError:
            return None

    def problems(self) -> list[Problem]:
        """Return everything that keeps these settings from being used."""
        return [*self._text_problems(), *self._number_problems()]

    def _text_problems(self) -> Iterator[Problem]:
        yield from address_problems("base_url", self.base_url)
        if not self.key and not self.api_key:
            yield Problem(
                place="settings.key",
                message="is missing",
                remedy="set api_key and run `syncd key issue`, which makes it",
            )
        if self.key_issued_on and self.issued_on is None:
            yield Problem(
                place="settings.key_issued_on",
                message=f"{self.key_issued_on[:20]!r} is not a day",
                remedy="the day on which the key was made, as yyyy-mm-dd",
            )

    def _number_problems(self) -> Iterator[Problem]:
        for name, least, most, usual in (
            ("calls_per_s", 0.1, MOST_CALLS_PER_S, "2.0"),
            ("visibility_s", 0.0, MOST_VISIBILITY_S, "600"),
            ("order_overlap_s", 0.0, MOST_OVERLAP_S, "600"),
            ("changes_s", 10.0, 86_400.0, "300"),
            ("rescan_s", 60.0, 7 * 86_400.0, "21600"),
            ("restore_s", 0.0, 30 * 86_400.0, "86400"),
            ("cancel_limit_percent", 0.0, 100.0, "0"),
            ("rescan_days", 1, MOST_RESCAN_DAYS - 1, "30"),
        ):
            if not least <= getattr(self, name) <= most:
                yield Problem(place=f"settings.{name}", message=f"is not between {least:g} and {most:g}", remedy=usual)
