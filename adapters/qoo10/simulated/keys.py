"""The API key of a shop and the seller authorisation keys (SAK) that are made with it.

Facts: a SAK is made by the API key with the login of QSM, lives a year, ends without a notice, and ends at once when
the password of QSM changes (QAPI guide, CreateCertificationKey; manuals of Japanese order management systems, 2026).
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import date

from adapters.qoo10.simulated.answers import Denied, Refused
from adapters.qoo10.simulated.times import DAY_US, today
from adapters.qoo10.simulated.world import World
from syncd.sdk.channel import Instant

USER = "simulated-shop"
NO_SUCH_API = -90001
NOT_AUTHORIZED = -90003
CHECK_KEY = -10000


@dataclass(slots=True, kw_only=True)
class Key:
    """One SAK; it is `void` since the password was changed, or another one took its place."""

    issued_at: Instant
    void: bool = False


class Keys:
    """Who may call."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._known: dict[str, Key] = {}
        self.password = f"password-{world.random.bytes(6).hex()}"
        self.api_key = f"api_{self._text(24)}"
        self.current = self.issue()

    def issue(self) -> str:
        """Make a new SAK."""
        if self._world.knobs.reissue_voids:
            self.void()
        self.current = f"S5bnbf{self._text(30)}_g_1_{self._text(24)}"
        self._known[self.current] = Key(issued_at=self._world.clock.now())
        return self.current

    def issued_on(self) -> date:
        """Return the day of the newest SAK."""
        return today(self._known[self.current].issued_at)

    def void(self) -> None:
        """End every SAK, as a new password does."""
        for key in self._known.values():
            key.void = True

    def end_api_key(self) -> None:
        """Let the API key end, as it does every year unless it is renewed: no new SAK can be made."""
        self.api_key = f"api_{self._text(24)}"

    def check(self, given: str, method: str) -> None:
        """Let a call pass; raises `Denied` for a key that is unknown, ended or not enough, `Refused` for a void one."""
        key, knobs = self._known.get(given), self._world.knobs
        if key is None:
            raise Denied(NO_SUCH_API)
        if key.void:
            raise Refused(CHECK_KEY)
        if self._world.clock.now() - key.issued_at >= knobs.key_days * DAY_US:
            raise Denied(knobs.expired_code)
        if method in knobs.forbidden:
            raise Denied(NOT_AUTHORIZED)

    def create(self, api_key: str, user: str, password: str) -> str:
        """Answer CreateCertificationKey; raises `Denied` for a wrong API key and `Refused` for a wrong login."""
        if api_key != self.api_key:
            raise Denied(NO_SUCH_API)
        if (user, password) != (USER, self.password):
            raise Refused(-10001)
        return self.issue()

    def _text(self, length: int) -> str:
        return base64.urlsafe_b64encode(self._world.random.bytes(length)).decode().rstrip("=")[:length]
