"""The settings of the inquiries of one Rakuten shop."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from adapters.rakuten.settings import BASE_URL
from syncd.sdk.address import address_problems
from syncd.sdk.errors import Problem
from syncd.sdk.secret import Secret

_UNSET = Secret("")


@dataclass(frozen=True, slots=True, kw_only=True)
class InquirySettings:
    """What `[desks.NAME.settings]` says of the inquiries of a Rakuten shop.

    `service_secret` and `license_key` are the two keys of RMS WEB SERVICE, the same as the channel's. `days` is how old
    an inquiry may be that is still looked at, by the time when it was asked first. `base_url` is for simulators.
    """

    service_secret: Secret = _UNSET
    license_key: Secret = _UNSET
    days: Annotated[int, Meta(ge=1, le=180)] = 60
    base_url: str = ""

    @property
    def url(self) -> str:
        """Return where the API is, without a slash at the end."""
        return (self.base_url or BASE_URL).rstrip("/")

    def problems(self) -> list[Problem]:
        """Return everything that keeps these settings from being used."""
        return [*self._problems(), *address_problems("base_url", self.base_url)]

    def _problems(self) -> Iterator[Problem]:
        remedy = "RMS, 店舗様向け情報・サービス, WEB APIサービス, 利用機能編集"
        for name, key in (("service_secret", self.service_secret), ("license_key", self.license_key)):
            if not key:
                yield Problem(place=f"settings.{name}", message="is missing", remedy=remedy)
