"""How often somebody may try: counted by address and by order number, whether there is such an order or not."""

from __future__ import annotations

import hashlib

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
