"""The memory behind `@idempotent(key:)`.

Facts: a key is remembered for 24 hours from the original request; a repeat with the same parameters answers success
from the current state without a second effect; other parameters, or the same ones in another order, are a mismatch; a
repeat while the first is under way is refused for now; after a failed first attempt a new key is needed (error texts:
schema 2026-10; window and order of fields: quoted from shopify.dev, implementing idempotency). That a first attempt
with user errors counts as failed is not confirmed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from syncd.sdk.channel import Clock, Instant

WINDOW_US = 24 * 3_600 * 1_000_000


class Verdict(Enum):
    """What a key means for a request: a refusal's value is the text of its user error."""

    NEW = ""
    REPLAY = " "
    IDEMPOTENCY_CONCURRENT_REQUEST = "This request is currently in progress, please try again."
    IDEMPOTENCY_KEY_PARAMETER_MISMATCH = "The same idempotency key cannot be used with different operation parameters."
    IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED = (
        "A previous request with this idempotency key failed. Retry with a new idempotency key."
    )


@dataclass(slots=True, kw_only=True)
class _Attempt:
    fingerprint: str
    at: Instant
    busy_until: float
    replay: Callable[[], Any] | None = None


class Keys:
    """The keys of one app on one shop, oldest first."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._attempts: dict[str, _Attempt] = {}

    def begin(self, key: str, fingerprint: str, *, busy_s: float = 0.0) -> Verdict:
        """Judge a request; a new key is remembered, and is busy for so long."""
        self._forget()
        known = self._attempts.get(key)
        if known is None:
            busy_until = self._clock.monotonic() + busy_s
            self._attempts[key] = _Attempt(fingerprint=fingerprint, at=self._clock.now(), busy_until=busy_until)
            return Verdict.NEW
        if known.fingerprint != fingerprint:
            return Verdict.IDEMPOTENCY_KEY_PARAMETER_MISMATCH
        if self._clock.monotonic() < known.busy_until:
            return Verdict.IDEMPOTENCY_CONCURRENT_REQUEST
        return Verdict.IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED if known.replay is None else Verdict.REPLAY

    def succeed(self, key: str, replay: Callable[[], Any]) -> None:
        """Remember how a repeat is answered; without it the attempt counts as failed."""
        self._attempts[key].replay = replay

    def replay(self, key: str) -> Any:
        """Return the answer to a repeat."""
        replay = self._attempts[key].replay
        assert replay is not None, "judged before"  # noqa: S101  (begin said REPLAY)
        return replay()

    def _forget(self) -> None:
        oldest = self._clock.now() - WINDOW_US
        while self._attempts and next(iter(self._attempts.values())).at <= oldest:
            del self._attempts[next(iter(self._attempts))]
