"""Requests of those who have neither a token nor a login: how many an address may make, in memory that never grows."""

from __future__ import annotations

import hashlib
import ipaddress
from array import array
from collections.abc import Collection
from typing import Final

from aiohttp import web

from syncd.sdk.channel import Clock

PLACES: Final = 1 << 16
"""Addresses share so many places: nothing that anybody sends makes the memory grow, or a count be forgotten."""


class Strangers:
    """A bucket per address, which holds a minute's requests and fills evenly. Two addresses may share one."""

    def __init__(self, *, per_minute: int, key: bytes, clock: Clock) -> None:
        self._size = float(per_minute)
        self._key = key[:64]
        self._clock = clock
        self._began_s = clock.monotonic()
        self._taken = array("d", bytes(8 * PLACES))
        self._at_s = array("d", bytes(8 * PLACES))

    def wait_s(self, address: str) -> float:
        """Return 0, or how many seconds this address has to wait before it may ask again."""
        over = self._now_taken(self._place(address)) + 1.0 - self._size
        return 0.0 if over <= 1e-9 else over * 60.0 / self._size

    def take(self, address: str) -> float:
        """Count a request; return 0, or how many seconds to wait where it is one too many."""
        wait_s = self.wait_s(address)
        if not wait_s:
            place = self._place(address)
            self._taken[place] = self._now_taken(place) + 1.0
            self._at_s[place] = self._clock.monotonic() - self._began_s
        return wait_s

    def _now_taken(self, place: int) -> float:
        passed_s = self._clock.monotonic() - self._began_s - self._at_s[place]
        return max(0.0, self._taken[place] - passed_s * self._size / 60.0)

    def _place(self, address: str) -> int:
        # Keyed, so that nobody can choose an address that empties the bucket of another one.
        raw = hashlib.blake2b(address.encode("utf-8", "surrogatepass"), key=self._key, digest_size=2).digest()
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
