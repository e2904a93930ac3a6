"""The door before all APIs: ESA keys and their life, functions in use, media types, rates, maintenance.

Shapes and codes: RMS WEB SERVICE, 共通エラー (`Results`, ES04-01, ES04-03) as public clients recorded them, 2020 to
2026; a key past its end answers 401 GA0001 (measured by a licence watcher, 2026-08).
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Final

from adapters.rakuten.simulated.reply import Reply, fault, gateway
from adapters.rakuten.simulated.times import DAY_US, SECOND_US, instant, jst, plain_time
from adapters.rakuten.simulated.world import World
from syncd.sdk.channel import Instant

RATES: Final = {
    "license.expiryDate.get": 5.0,
    "inventories.variants.get": 1.0,
    "inventories.variants.upsert": 1.0,
    "inventories.variants.delete": 1.0,
    "inventories.bulk.get": 5.0,
    "inventories.bulk.get.range": 5.0,
    "inventories.bulk.upsert": 1.0,
    "inventories.variant-lists.get": 5.0,
    "itemapi_2.0.items.search": 5.0,
    "itemapi_2.0.items.get": 5.0,
    "itemapi_2.0.items.patch": 20.0,
    "items.inventory-related-settings.get": 1.0,
    "items.inventory-related-settings.update": 1.0,
}
"""Calls per second (RMS overview pages as copied in 2026-02); what is missing here is an order or inquiry function."""
LEAST_BURST: Final = 2.0
DOWN_FOR_MAINTENANCE: Final = ("inventories.", "rpay.", "purchaseItem.")

MAINTENANCE: Final = Reply(
    status=503, body="<html><head><title>RMS</title></head><body>ただいまメンテナンス中です。</body></html>"
)


@dataclass(slots=True, kw_only=True)
class License:
    """One licence key, good from `since` to its end."""

    key: str
    since: Instant
    ends: Instant


@dataclass(slots=True, kw_only=True)
class _Bucket:
    tokens: float
    at: Instant

    def take(self, now: Instant, *, rate: float, burst: float) -> bool:
        self.tokens = min(burst, self.tokens + (now - self.at) / SECOND_US * rate)
        self.at = now
        if self.tokens < 1.0:
            return False
        self.tokens -= 1.0
        return True


class Gateway:
    """Decides who may call what, and how often. `licenses` are all keys ever made, the oldest first."""

    def __init__(self, world: World, *, secret: str) -> None:
        self._world = world
        self._buckets: dict[str, _Bucket] = {}
        self.secret = secret
        self.licenses: list[License] = []

    def issue(self, key: str, *, after_s: float = 0.0) -> License:
        """Make a new key that works after a while; the one before ends at once or at its own time, by the knob."""
        now = self._world.now()
        if self.licenses and self._world.knobs.old_key_dies:
            self.licenses[-1].ends = min(self.licenses[-1].ends, now)
        last_day = jst(now + self._world.knobs.license_days * DAY_US)
        ends = instant(last_day.replace(hour=23, minute=59, second=59, microsecond=0))
        made = License(key=key, since=now + self._world.scaled_us(after_s), ends=ends)
        self.licenses.append(made)
        return made

    def expire(self) -> None:
        """Let the newest key end now."""
        self.licenses[-1].ends = self._world.now()

    def admit(self, function: str, *, authorization: str, media: str | None) -> Reply | None:
        """Return what keeps a call out, None where it may pass; `media` is the type of its body, None without one."""
        knobs = self._world.knobs
        if knobs.maintenance and function.startswith(DOWN_FOR_MAINTENANCE):
            return MAINTENANCE
        license = self._license(authorization)  # noqa: A001  (its name over there)
        if license is None or license.since > self._world.now():
            return gateway("ES04-01", "Un-Authorised", status=401)
        if license.ends <= self._world.now():
            return fault("GA0001", "Un-Authorised", status=401)
        if function not in knobs.functions:
            return gateway("ES04-01", "Un-Authorised", status=401)
        if media is not None and media.partition(";")[0].strip().lower() != "application/json":
            return gateway("ES04-03", "Unsupported Media Type", status=415)
        return None if self._paced(function) else Reply(status=429)

    def expiry(self, key: str) -> Reply:
        """Answer when a key ends; the text has no zone and means Japan."""
        found = next((known for known in self.licenses if known.key == key), None)
        if found is None:
            return fault("IE0002", "licenseKey is invalid")
        return Reply(body={"expiryDate": plain_time(found.ends)})

    def _license(self, authorization: str) -> License | None:
        scheme, _, coded = authorization.partition(" ")
        try:
            secret, _, key = base64.b64decode(coded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        if scheme != "ESA" or secret != self.secret:
            return None
        return next((known for known in self.licenses if known.key == key), None)

    def _paced(self, function: str) -> bool:
        published = RATES.get(function, self._world.knobs.order_rate)
        rate = published * self._world.knobs.rate_factor
        burst, now = max(LEAST_BURST, rate), self._world.now()
        bucket = self._buckets.setdefault(function, _Bucket(tokens=burst, at=now))
        return bucket.take(now, rate=rate, burst=burst)
