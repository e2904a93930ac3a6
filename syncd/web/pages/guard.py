"""Who may look at the pages, and what proves that a change was meant.

Without a login the pages answer this machine only: the peer, the address listened on and the name in `Host` are all
its own (a name that somebody else points at 127.0.0.1 is refused), and no proxy has put its mark on the request.
With a login they answer the names in the settings, over TLS, which a believed proxy ends. A change needs a token bound
to the visitor's cookie, and the `Origin` of these very pages.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web

from syncd.core.terms import SECOND_US, Instant
from syncd.sdk.address import LOOPBACK
from syncd.sdk.channel import Clock
from syncd.settings import Settings
from syncd.web.strangers import address_of

COOKIE: Final = "__Host-syncd"
PLAIN_COOKIE: Final = "syncd"
"""On plain http, which stays on this machine; browsers keep `__Host-` cookies for TLS."""
MOST_SESSIONS: Final = 256
LONGEST_US: Final = 7 * 86_400 * SECOND_US
"""A login ends after so long, however often somebody looks."""
TRIES: Final = 5
"""Wrong passwords of one address within WINDOW_US, after which it has to wait."""
ALL_TRIES: Final = 40
"""Wrong passwords of all addresses within WINDOW_US."""
MOST_ADDRESSES: Final = 1_024
WINDOW_US: Final = 300 * SECOND_US
_MARKS: Final = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP", "Via")
_ID_BYTES: Final = 32
_ID_CHARACTERS: Final = 43
MOST_USER: Final = 64
"""Characters of a name that a proxy gives."""


class Refused(Exception):  # noqa: N818  (an answer, not a fault of ours)
    """The pages do not answer this request; `reason` is a key of the words, `retry_after_s` when it may come again."""

    def __init__(self, status: int, reason: str, *, retry_after_s: float = 0.0) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Who asks. `id` is the cookie's secret, `fresh`: it has to be set; `name` is empty before a login."""

    id: str
    fresh: bool
    secure: bool
    name: str


@dataclass(slots=True, kw_only=True)
class Session:
    """A login."""

    began: Instant
    last: Instant


class Guard:
    """Knows the visitors. One per daemon; logins end with it."""

    def __init__(self, settings: Settings, *, clock: Clock, chance: Callable[[int], bytes]) -> None:
        self._pages = settings.pages
        self._clock = clock
        self._chance = chance
        self._key = chance(_ID_BYTES)
        self._at_home = settings.http.address[0] in LOOPBACK
        self._password = _digest(settings.pages.password.reveal()) if settings.pages.password else None
        self._hosts = _hosts(settings)
        self._sessions: dict[str, Session] = {}
        self._failed: dict[str, list[Instant]] = {}

    @property
    def asks(self) -> bool:
        """Return whether there is a password to log in with."""
        return self._password is not None

    @property
    def open(self) -> bool:
        """Return whether everybody on this machine may look."""
        return self._password is None and not self._pages.user_header

    def visitor(self, request: web.Request, *, looks: bool = True) -> Visitor:
        """Return who asks; raises Refused where the pages do not answer at all.

        `looks`: a person does, which keeps a login; a page that is merely open does not.
        """
        host = _name(request.headers.get("Host", ""))
        if self.open:
            self._check_home(request, host)
        elif host not in self._hosts:
            raise Refused(421, "refused.host")
        secure = request.secure or self._told(request, "X-Forwarded-Proto") == "https"
        if not secure and host not in LOOPBACK:
            raise Refused(403, "refused.plain")
        given = request.cookies.get(COOKIE if secure else PLAIN_COOKIE, "")
        known = len(given) == _ID_CHARACTERS and given.isascii()
        found = given if known else self._new_id()
        return Visitor(id=found, fresh=not known, secure=secure, name=self._user(request, found, looks=looks))

    def _check_home(self, request: web.Request, host: str) -> None:
        if not self._at_home or _peer(request) not in LOOPBACK:
            raise Refused(403, "refused.no_login")
        if host not in LOOPBACK:
            raise Refused(421, "refused.host")
        if any(mark in request.headers for mark in _MARKS):
            raise Refused(403, "refused.no_login")

    def _told(self, request: web.Request, header: str) -> str:
        """Return what a believed proxy says in a header, empty where none does."""
        return request.headers.get(header, "").strip() if _peer(request) in self._pages.proxies else ""

    def _user(self, request: web.Request, visitor_id: str, *, looks: bool) -> str:
        if self.open:
            return "pages"
        if self._pages.user_header and (told := self._told(request, self._pages.user_header)):
            return "".join(c for c in told if c.isprintable())[:MOST_USER]
        return "pages" if self._in_session(visitor_id, looks=looks) else ""

    def _in_session(self, visitor_id: str, *, looks: bool) -> bool:
        key, now = _digest(visitor_id), self._clock.now()
        found = self._sessions.get(key)
        if found is None:
            return False
        if now - found.last > self._pages.session_h * 3_600 * SECOND_US or now - found.began > LONGEST_US:
            del self._sessions[key]
            return False
        found.last = now if looks else found.last
        return True

    def _new_id(self) -> str:
        return urlsafe_b64encode(self._chance(_ID_BYTES)).decode().rstrip("=")

    # --- logging in ---

    def log_in(self, request: web.Request, visitor: Visitor, password: str) -> Visitor | None:
        """Return the visitor with a new id where the password is right, None where not; raises Refused after too many.

        The id changes with the login, so that one which somebody else planted is worth nothing.
        """
        address, now = self._whence(request), self._clock.now()
        self._check_tries(address, now)
        if self._password is None or not hmac.compare_digest(_digest(password), self._password):
            self._failed.setdefault(address, []).append(now)
            return None
        self._failed.pop(address, None)
        self.log_out(visitor)
        while len(self._sessions) >= MOST_SESSIONS:
            del self._sessions[min(self._sessions, key=lambda key: self._sessions[key].last)]
        made = self._new_id()
        self._sessions[_digest(made)] = Session(began=now, last=now)
        return Visitor(id=made, fresh=True, secure=visitor.secure, name="pages")

    def _whence(self, request: web.Request) -> str:
        """Return from where somebody tries: as a believed proxy tells it, else the peer."""
        return address_of(request, self._pages.proxies)

    def _check_tries(self, address: str, now: Instant) -> None:
        recent = {who: [at for at in tries if now - at < WINDOW_US] for who, tries in self._failed.items()}
        self._failed = {who: tries for who, tries in recent.items() if tries}
        everywhere = sum(len(tries) for tries in self._failed.values())
        crowded = len(self._failed) >= MOST_ADDRESSES or everywhere >= ALL_TRIES
        if crowded or len(self._failed.get(address, ())) >= TRIES:
            raise Refused(429, "refused.tries", retry_after_s=WINDOW_US / SECOND_US)

    def log_out(self, visitor: Visitor) -> None:
        """End the login of a visitor."""
        self._sessions.pop(_digest(visitor.id), None)

    # --- what proves that a change was meant ---

    def token(self, visitor: Visitor) -> str:
        """Return what a form of this visitor carries."""
        made = hmac.digest(self._key, b"form:" + visitor.id.encode(), "sha256")
        return urlsafe_b64encode(made).decode().rstrip("=")

    def check_meant(self, request: web.Request, visitor: Visitor, token: str) -> None:
        """Raise Refused unless a form of these pages sent the request."""
        if visitor.fresh or not hmac.compare_digest(token.encode(), self.token(visitor).encode()):
            raise Refused(403, "refused.form")
        origin = urlsplit(request.headers.get("Origin", ""))
        scheme = "https" if visitor.secure else "http"
        if (origin.scheme, origin.netloc) != (scheme, request.headers.get("Host", "")):
            raise Refused(403, "refused.origin")
        if request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
            raise Refused(403, "refused.origin")


def _hosts(settings: Settings) -> frozenset[str]:
    public = urlsplit(settings.http.public_url).hostname
    named = (*settings.pages.hosts, settings.http.address[0], *((public,) if public else ()))
    return LOOPBACK | {_name(host) for host in named}


def _name(host: str) -> str:
    """Return the name in a `Host` header, without port and brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    name, _, port = host.rpartition(":")
    return (name if name and port.isdigit() else host).lower().rstrip(".")


def _peer(request: web.Request) -> str:
    """Return the address that is connected: never one that a header tells."""
    found = request.remote or ""
    return found.removeprefix("::ffff:")


def _digest(value: str) -> str:
    return hashlib.sha256(value.encode("utf-8", "surrogateescape")).hexdigest()
