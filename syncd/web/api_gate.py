"""The gate of the API on the network: who asks, what that one may do, how often, and whether it was asked before."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from aiohttp import web

from syncd.core.terms import SECOND_US, Instant
from syncd.sdk.channel import Clock
from syncd.sdk.secret import Secret
from syncd.store import api_answers, api_tokens
from syncd.store.api_answers import Kept
from syncd.web.api_shape import Scope, Shape
from syncd.web.api_wire import ACTOR, IDEMPOTENCY, RAW, Fault, fault_response, raw_of
from syncd.web.plant import Plant
from syncd.web.strangers import Strangers, address_of

Serve: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]

TOKEN: Final = re.compile(r"syncd_([a-z0-9]{12})_([A-Za-z0-9_-]{43})")
"""A token: its public part, by which it is found, and 256 bits that only its holder knows."""
API: Final = "api"
"""Under which answers are counted, by scope and class of status."""
SETTINGS_OWNER: Final = "settings"
"""Who asks with the one token of the settings file."""
NOTE_US: Final = 60 * SECOND_US
"""How exactly it is noted when a token was used last."""
MOST_RATES: Final = 10_000
"""Most tokens whose rate is remembered."""
AGAIN_S: Final = 1.0
KEY: Final = re.compile(r"[!-~]{1,255}")
UNKEPT: Final = frozenset({401, 403, 408, 409, 413, 429})
"""Answers that are no end of a request: a repeat is served anew. (409 may be that its twin is under way.)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks: the name of the token, and what it may do."""

    name: str
    scope: Scope


def digest_of(token: str) -> str:
    """Return what is kept of a token; it holds 256 random bits, so a plain hash cannot be turned round."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


class Rates:
    """A bucket per caller: it holds a minute's requests and fills evenly."""

    def __init__(self, *, per_minute: int, clock: Clock) -> None:
        self._size = float(per_minute)
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, name: str) -> float:
        """Count a request; return 0, or how many seconds to wait where it is one too many."""
        now = self._clock.monotonic()
        left, at = self._left.pop(name, (self._size, now))
        left = min(self._size, left + (now - at) * self._size / 60.0)
        fits = left >= 1.0
        self._left[name] = (left - 1.0 if fits else left, now)
        if len(self._left) > MOST_RATES:
            self._left.popitem(last=False)
        return 0.0 if fits else (1.0 - left) * 60.0 / self._size


class Gate:
    """Stands before every handler of the API on the network."""

    def __init__(self, plant: Plant) -> None:
        http = plant.settings.http
        self._plant = plant
        self._own = http.api_token
        self._rates = Rates(per_minute=http.requests_per_minute, clock=plant.clock)
        self._proxies = plant.settings.pages.proxies
        key, most = plant.uuid().encode(), http.stranger_requests_per_minute
        self._strangers = Strangers(per_minute=most, key=key, clock=plant.clock)
        self._under_way: set[tuple[str, str]] = set()
        self._noted: OrderedDict[str, Instant] = OrderedDict()

    def guard(self, method: str, shape: Shape, serve: Serve) -> Serve:
        """Put the gate before a handler."""
        wanted = shape.scope_of(method)

        async def guarded(request: web.Request) -> web.StreamResponse:
            try:
                answer = await self._admit(request, wanted, serve)
            except Fault as fault:
                answer = fault_response(fault, retry_after_s=fault.retry_after_s)
                if fault.status == web.HTTPUnauthorized.status_code:
                    answer.headers["WWW-Authenticate"] = 'Bearer realm="syncd"'
            self._plant.counts[API, wanted.value, f"{answer.status // 100}xx"] += 1
            return answer

        return guarded

    async def _admit(self, request: web.Request, wanted: Scope, serve: Serve) -> web.StreamResponse:
        caller = await self._caller(request)
        if wait_s := self._rates.take(caller.name):
            raise Fault(429, "too many requests with this token", retry_after_s=wait_s)
        if not caller.scope.allows(wanted):
            raise Fault(403, f"this needs a token with the scope {wanted}; this one has {caller.scope}")
        request[ACTOR] = f"token:{caller.name}"
        key = request.headers.get("Idempotency-Key")
        if request.method != "POST" or key is None:
            return await serve(request)
        return await self._once(request, caller, key, serve)

    # --- who asks ---

    async def _caller(self, request: web.Request) -> Caller:
        """Return who asks; raises Fault for whoever has no valid token.

        Once an address asked too often without one, the store is asked no more for it, but for tokens that were used
        since the start: behind one address there may be others.
        """
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        given = given.strip()
        if scheme.lower() != "bearer":
            given = ""
        if self._own and _same(given, self._own):
            return Caller(name=SETTINGS_OWNER, scope=Scope.ADMIN)
        address = address_of(request, self._proxies)
        parts = TOKEN.fullmatch(given)
        if parts is not None and (parts[1] in self._noted or not self._strangers.wait_s(address)):
            found = await self._known(given, parts[1])
            if found is not None:
                return found
        if wait_s := self._strangers.take(address):
            raise Fault(429, "too many requests without a valid token from this address", retry_after_s=wait_s)
        raise Fault(401, "this needs a token of the API, as `Authorization: Bearer TOKEN`")

    async def _known(self, given: str, public_id: str) -> Caller | None:
        found = await self._plant.store.read(lambda conn: api_tokens.by_id(conn, public_id))
        if found is None or not hmac.compare_digest(found.digest, digest_of(given)):
            return None
        await self._note(public_id, found.last_used_at)
        return Caller(name=found.name, scope=Scope(found.scope))

    async def _note(self, public_id: str, last: Instant | None) -> None:
        """Note that a token was used, at most once a minute."""
        now = self._plant.clock.now()
        known = self._noted.get(public_id, last)
        if known is not None and now - known < NOTE_US:
            self._noted.setdefault(public_id, known)
            return
        self._noted[public_id] = now
        if len(self._noted) > MOST_RATES:
            self._noted.popitem(last=False)
        await self._plant.store.write(lambda conn: api_tokens.used(conn, public_id, now=now))

    # --- once only ---

    async def _once(self, request: web.Request, caller: Caller, key: str, serve: Serve) -> web.StreamResponse:
        """Serve a request under its idempotency key: a repeat gets the first answer, and nothing is done again."""
        if KEY.fullmatch(key) is None:
            raise Fault(400, "an Idempotency-Key has 1 to 255 letters, digits and signs")
        place = (caller.name, key)
        if place in self._under_way:
            raise Fault(409, "a request with this Idempotency-Key is under way", retry_after_s=AGAIN_S)
        self._under_way.add(place)
        try:
            return await self._first_or_kept(request, caller, key, serve)
        finally:
            self._under_way.discard(place)

    async def _first_or_kept(self, request: web.Request, caller: Caller, key: str, serve: Serve) -> web.StreamResponse:
        raw, store, now = await raw_of(request), self._plant.store, self._plant.clock.now()
        mark = hashlib.sha256(b"\n".join((request.path_qs.encode(), raw))).hexdigest()
        kept = await store.read(lambda conn: api_answers.find(conn, caller.name, key, now=now))
        if kept is not None:
            return _repeated(kept, mark)
        request[RAW] = raw
        request[IDEMPOTENCY] = hashlib.sha256(f"{caller.name}\n{key}".encode()).hexdigest()
        answer = await serve(request)
        if isinstance(answer, web.Response) and _is_final(answer):
            made = Kept(fingerprint=mark, status=answer.status, body=bytes(answer.body or b""))  # type: ignore[arg-type]  # our own bodies are bytes
            async with asyncio.timeout(KEEP_S):
                await store.write(lambda conn: api_answers.keep(conn, caller.name, key, made, now=now))
        return answer


KEEP_S: Final = 30.0
"""Longest wait until an answer is kept."""


def _same(given: str, wanted: Secret) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), wanted.reveal().encode())


def _is_final(answer: web.Response) -> bool:
    return answer.status < 500 and answer.status not in UNKEPT and "X-Syncd-Unsettled" not in answer.headers


def _repeated(kept: Kept, mark: str) -> web.StreamResponse:
    if kept.fingerprint != mark:
        raise Fault(422, "this Idempotency-Key was used for another request; choose a new one")
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Idempotency-Replayed": "true"}
    return web.Response(body=kept.body, status=kept.status, content_type="application/json", headers=headers)
