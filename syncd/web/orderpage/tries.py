"""How often somebody may try: counted by address and by order number, whether there is such an order or not."""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Collection

from aiohttp import web

from syncd.sdk.channel import Clock

BUCKETS = 1 << 16
"""Names are counted in so many buckets: nothing that anybody sends makes the memory grow, or a count be forgotten."""


class Tries:
    """At most `most` within `window_s`, per name."""

    def __init__(self, *, most: int, window_s: float, key: bytes, clock: Clock) -> None:
        self._most = most
        self._window_s = window_s
        self._key = key
        self._clock = clock
        self._times: dict[int, list[float]] = {}

    def is_full(self, name: str) -> bool:
        """Say whether one more would be too many."""
        return len(self._recent(self._bucket(name))) >= self._most

    def note(self, name: str) -> None:
        """Count one."""
        bucket = self._bucket(name)
        self._times[bucket] = [*self._recent(bucket), self._clock.monotonic()][-self._most :]

    def _recent(self, bucket: int) -> list[float]:
        since = self._clock.monotonic() - self._window_s
        return [at for at in self._times.get(bucket, ()) if at > since]

    def _bucket(self, name: str) -> int:
        # Keyed, so that nobody can choose a name that fills the bucket of another one.
        raw = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), key=self._key, digest_size=2).digest()
        return int.from_bytes(raw)


def address_of(request: web.Request, proxies: Collection[str]) -> str:
    """Return who asks: the peer, or whom a believed proxy names; of IPv6 the network, for one visitor has all of it."""
    peer = request.remote or ""
    if peer in proxies:
        peer = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip() or peer
    try:
        found = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:
        return "unknown"
    if found.version == 4:
        return str(found)
    mapped = found.ipv4_mapped
    return str(mapped) if mapped else str(ipaddress.ip_network((found, 64), strict=False))
