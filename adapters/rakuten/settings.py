"""The settings of one Rakuten Ichiba shop."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from syncd.sdk.address import address_problems
from syncd.sdk.errors import Problem
from syncd.sdk.secret import Secret

BASE_URL = "https://api.rms.rakuten.co.jp"
LEAST_WINDOW_S = 900.0
MOST_WINDOW_S = 86_400.0
MOST_RESCAN_DAYS = 62
"""One order search spans at most 63 days (RMS WEB SERVICE, searchOrder, 2026); a day is left for rounding."""
MOST_PUSHES_PER_S = 5.0

_SHOP = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_UNSET = Secret("")


@dataclass(frozen=True, slots=True, kw_only=True)
class RakutenSettings:
    """What `[channels.NAME.settings]` says of a Rakuten shop.

    `service_secret` and `license_key` are the two keys of RMS WEB SERVICE; the second one ends after three months.
    `license_expires_on` (yyyy-mm-dd) is only used where Rakuten itself does not tell the end. `shop_url` is the shop's
    name in `https://www.rakuten.co.jp/NAME/`. `notify_contract_id` and `notify_auth_key` belong to the system event
    notification service (システムイベント通知サービス); without them orders are heard of by polling.
    `order_window_s` is how far back every fifth minute's scan reads all orders, `rescan_days` how far back cancels are
    looked for every quarter of an hour. `pushes_per_s` is how many stock writes are sent a second. `base_url` is for
    simulators.
    """

    service_secret: Secret = _UNSET
    license_key: Secret = _UNSET
    license_expires_on: str = ""
    shop_url: str = ""
    base_url: str = ""
    notify_contract_id: str = ""
    notify_auth_key: Secret = _UNSET
    order_window_s: float = 7_200.0
    rescan_days: int = 3
    pushes_per_s: float = 1.0

    @property
    def url(self) -> str:
        """Return where the API is, without a slash at the end."""
        return (self.base_url or BASE_URL).rstrip("/")

    @property
    def expires_on(self) -> date | None:
        """Return the last day of the licence key as the settings say it."""
        return date.fromisoformat(self.license_expires_on) if self.license_expires_on else None

    def problems(self) -> list[Problem]:
        """Return everything that keeps these settings from being used."""
        return [*self._key_problems(), *self._address_problems(), *self._notify_problems(), *self._value_problems()]

    def _key_problems(self) -> Iterator[Problem]:
        remedy = "RMS, 店舗様向け情報・サービス, WEB APIサービス, 利用機能編集"
        if not self.service_secret:
            yield Problem(place="settings.service_secret", message="is missing", remedy=remedy)
        if not self.license_key:
            yield Problem(place="settings.license_key", message="is missing", remedy=remedy)
        if self.license_expires_on and not _is_date(self.license_expires_on):
            yield Problem(
                place="settings.license_expires_on",
                message="is not a day",
                remedy='write it as "2026-11-28", or leave it out: Rakuten tells it',
            )

    def _address_problems(self) -> Iterator[Problem]:
        yield from address_problems("base_url", self.base_url)
        if self.shop_url and not _SHOP.fullmatch(self.shop_url):
            yield Problem(
                place="settings.shop_url",
                message="is not a shop's name",
                remedy="take NAME from https://www.rakuten.co.jp/NAME/",
            )

    def _notify_problems(self) -> Iterator[Problem]:
        if bool(self.notify_contract_id) != bool(self.notify_auth_key):
            missing = "notify_auth_key" if self.notify_contract_id else "notify_contract_id"
            yield Problem(
                place=f"settings.{missing}",
                message="is missing beside the other one",
                remedy="give both values of the system event notification service, or neither",
            )
        if self.notify_contract_id and not self.shop_url:
            yield Problem(
                place="settings.shop_url",
                message="is needed to tell which shop a notification is for",
                remedy="take NAME from https://www.rakuten.co.jp/NAME/",
            )

    def _value_problems(self) -> Iterator[Problem]:
        bounds = (
            ("order_window_s", self.order_window_s, LEAST_WINDOW_S, MOST_WINDOW_S, "7200"),
            ("rescan_days", self.rescan_days, 1, MOST_RESCAN_DAYS, "3"),
            ("pushes_per_s", self.pushes_per_s, 0.1, MOST_PUSHES_PER_S, "1.0"),
        )
        for name, value, least, most, remedy in bounds:
            if not least <= value <= most:
                yield Problem(place=f"settings.{name}", message=f"is not between {least:g} and {most:g}", remedy=remedy)


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return len(text) == len("2026-11-28")
