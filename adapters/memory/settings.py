"""The settings of one memory shop."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

from msgspec import Meta

from syncd.sdk.channel import WriteMode
from syncd.sdk.errors import Problem
from syncd.sdk.secret import Secret

_UNSET = Secret("")

Seconds = Annotated[float, Meta(ge=0)]


@dataclass(frozen=True, slots=True, kw_only=True)
class MemorySettings:
    """What `[channels.NAME.settings]` says of a memory shop.

    `url` is where its simulator is served; `token` opens it, `webhook_secret` signs its webhooks. `write_mode` is how
    numbers are written: compare_and_set, delta or absolute; it takes all of them. `staleness_s`, `effect_delay_s`,
    `visibility_delay_s` and `feed_lateness_s` say what the shop is like, as in `syncd.sdk.channel.Profile`.
    `feed_complete` is off where its feed does not say how far it is complete. `pushes_per_s` is its rate limit.
    `private_sales` lets syncd sell there in private to those who wait.
    """

    url: str
    token: Secret = _UNSET
    webhook_secret: Secret = _UNSET
    write_mode: str = WriteMode.COMPARE_AND_SET.value
    staleness_s: Seconds = 0.0
    effect_delay_s: Annotated[float, Meta(ge=1)] = 30.0
    visibility_delay_s: Seconds = 1.0
    feed_lateness_s: Seconds = 10.0
    feed_complete: bool = True
    pushes_per_s: Annotated[float, Meta(gt=0)] = 1_000.0
    private_sales: bool = False

    def problems(self) -> list[Problem]:
        """Return everything that keeps these settings from being used."""
        return list(self._problems())

    def _problems(self) -> Iterator[Problem]:
        url = urlsplit(self.url)
        if url.scheme not in ("http", "https") or not url.hostname:
            yield Problem(
                place="settings.url",
                message="is not an address of the form http://host:port",
                remedy="start one with `syncd simulate memory` and take the address that it prints",
            )
        modes = [mode.value for mode in WriteMode]
        if self.write_mode not in modes:
            yield Problem(place="settings.write_mode", message="is unknown", remedy=f"one of {', '.join(modes)}")
