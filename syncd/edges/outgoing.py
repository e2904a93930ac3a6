"""Webhooks that syncd sends: each event once or more, in order per key, signed as standardwebhooks.com says (2026).

A receiver tells repeats by `webhook-id`, and a forgery by `webhook-signature`: HMAC-SHA256 of `id.timestamp.body`.
A redirect is never followed, an answer's body never read. An address that is not public is not sent to unless the
settings say `private`: a name that suddenly leads into the shop's own network must not become a way into it.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import ipaddress
import socket
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Final
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from sqlalchemy import Connection

from syncd.core.terms import SECOND_US, Instant
from syncd.edges.cloudevents import structured
from syncd.log import logger
from syncd.sdk.channel import Clock
from syncd.sdk.errors import AuthError, ChannelError, TransientError
from syncd.sdk.secret import Secret
from syncd.settings import WebhookSettings
from syncd.store import alerts
from syncd.store.outbox import STATE, Waiting
from syncd.store.session import Store

PREFIX: Final = "webhook."
"""Before the name of an endpoint, in the name of its sink."""
POST_S: Final = 10.0
"""Longest wait for the answer to one event."""
ROUND_S: Final = 60.0
"""No event is begun later than this in one delivery: the relay gives it two minutes."""
AT_ONCE: Final = 8
MOST_FAILURES: Final = 3
"""Failures in a row after which a delivery ends: who is away is not asked for every event."""
MOST_AGE_US: Final = 3 * 86_400 * SECOND_US
"""An event that was refused for so long is given up, so that it does not hold back what comes after it."""
TELL_AFTER_US: Final = 900 * SECOND_US
"""For how long an endpoint has to fail before a person is told; one that is gone is told at once."""
MOST_RETRY_AFTER_S: Final = 3_600.0
WATCH_S: Final = 15.0
GONE: Final = 410

_log = logger("webhook")


def sink_name(name: str) -> str:
    """Return the name by which an endpoint's events stand in the outbox."""
    return PREFIX + name


def key_bytes(secret: Secret) -> bytes:
    """Return the key of a secret: what follows `whsec_` is base64, anything else is taken as it is."""
    text = secret.reveal()
    if not text.startswith("whsec_"):
        return text.encode()
    try:
        return base64.b64decode(text.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        return text.encode()


def signatures(secrets: Sequence[Secret], *, event_id: str, at_s: int, body: bytes) -> str:
    """Return the header by which a receiver knows that a message is ours: one signature per secret."""
    signed = f"{event_id}.{at_s}.".encode() + body
    digests = (hmac.new(key_bytes(secret), signed, hashlib.sha256).digest() for secret in secrets if secret)
    return " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)


def is_public(address: str) -> bool:
    """Say whether an IP address is one of the public network."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None) or found
    return mapped.is_global and not mapped.is_multicast


class PublicOnly(AbstractResolver):
    """Resolves names to public addresses only: checked where the connection is made, so that no name can change."""

    def __init__(self, inner: AbstractResolver) -> None:
        self._inner = inner

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the public addresses; raises OSError where there is none."""
        found = [entry for entry in await self._inner.resolve(host, port, family) if is_public(entry["host"])]
        if not found:
            raise OSError(None, "its address is not a public one")
        return found

    async def close(self) -> None:
        """Close the resolver behind it."""
        await self._inner.close()


@dataclass(slots=True, kw_only=True)
class _Round:
    """One delivery: events by key, what arrived, and why something did not."""

    lanes: deque[deque[Waiting]]
    ends_at: float
    done: list[int] = field(default_factory=list)
    failures: int = 0
    failure: ChannelError | None = None


class Outgoing:
    """The sink of one endpoint."""

    def __init__(self, *, settings: WebhookSettings, instance: str, clock: Clock) -> None:
        self.name = sink_name(settings.name)
        self._settings = settings
        self._instance = instance
        self._clock = clock
        self._gone = False
        self._failing_since: Instant | None = None
        self._reason = ""

    async def deliver(self, batch: Sequence[Waiting]) -> list[int]:
        """Post what the endpoint wants; return the ids that are done with. Raises the failure when there are none."""
        if self._gone:
            raise AuthError("the endpoint said that it is gone (410); syncd asks it again after a restart")
        lanes: defaultdict[str, deque[Waiting]] = defaultdict(deque)
        for event in batch:
            if self._wants(event):
                lanes[event.key].append(event)
        done = [event.id for event in batch if not self._wants(event)]
        if lanes:
            found = _Round(lanes=deque(lanes.values()), ends_at=self._clock.monotonic() + ROUND_S)
            await self._round(found)
            self._note(found)
            if found.failure is not None and not found.done and not done:
                raise found.failure
            done += found.done
        return done

    def _wants(self, event: Waiting) -> bool:
        if event.type == STATE:
            return False
        return not self._settings.events or any(fnmatchcase(event.type, form) for form in self._settings.events)

    async def _round(self, found: _Round) -> None:
        async with aiohttp.ClientSession(connector=self._connector()) as session, asyncio.TaskGroup() as group:
            for number in range(min(AT_ONCE, len(found.lanes))):
                group.create_task(self._work(session, found), name=f"{self.name}.{number}")

    def _connector(self) -> aiohttp.TCPConnector:
        if self._settings.private:
            return aiohttp.TCPConnector(limit=AT_ONCE)
        return aiohttp.TCPConnector(limit=AT_ONCE, resolver=PublicOnly(aiohttp.DefaultResolver()))

    async def _work(self, session: aiohttp.ClientSession, found: _Round) -> None:
        """Post lane after lane; within a lane one event after the other, and nothing behind one that did not arrive."""
        while found.lanes and found.failures < MOST_FAILURES and not self._gone:
            lane = found.lanes.popleft()
            while lane and self._clock.monotonic() < found.ends_at and not self._gone:
                if not await self._arrives(session, lane[0], found):
                    break
                found.done.append(lane.popleft().id)

    async def _arrives(self, session: aiohttp.ClientSession, event: Waiting, found: _Round) -> bool:
        try:
            await self._post(session, event)
        except ChannelError as error:
            found.failures += 1
            found.failure = error
            return self._given_up(event, error)
        found.failures = 0
        return True

    def _given_up(self, event: Waiting, error: ChannelError) -> bool:
        if self._clock.now() - event.created_at < MOST_AGE_US:
            return False
        _log.error("webhook.given_up", endpoint=self.name, event_id=event.event_id, reason=str(error))
        return True

    async def _post(self, session: aiohttp.ClientSession, event: Waiting) -> None:
        settings, body = self._settings, structured(event, instance=self._instance)
        if not settings.private and _is_private_literal(settings.url):
            raise AuthError("its address is not a public one; write private = true if that is meant")
        at_s = self._clock.now() // SECOND_US
        secrets = (settings.secret, settings.old_secret)
        headers = {
            "Content-Type": "application/cloudevents+json; charset=utf-8",
            "User-Agent": "syncd",
            "webhook-id": event.event_id,
            "webhook-timestamp": str(at_s),
            "webhook-signature": signatures(secrets, event_id=event.event_id, at_s=at_s, body=body),
        }
        try:
            async with (
                asyncio.timeout(POST_S),
                session.post(settings.url, data=body, headers=headers, allow_redirects=False) as answer,
            ):
                status, retry_after = answer.status, answer.headers.get("Retry-After", "")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            # Only the kind of error: its text may hold the address.
            raise TransientError(f"it cannot be reached: {type(error).__name__}") from None
        self._gone = self._gone or status == GONE
        _judge(status, retry_after)

    # --- telling people ---

    def _note(self, found: _Round) -> None:
        if found.failure is None or found.done:
            self._failing_since, self._reason = None, ""
        else:
            self._failing_since = self._failing_since or self._clock.now()
            self._reason = str(found.failure)

    async def watch(self, store: Store, stop: asyncio.Event) -> None:
        """Tell a person while the endpoint fails for long, or is gone; once it takes events again, that it is over."""
        while not stop.is_set():
            reason, now = self._lasting(), self._clock.now()
            await store.write(lambda conn, r=reason, n=now: self._tell(conn, r, n))  # type: ignore[misc]  # mypy cannot infer a lambda with defaults
            try:
                async with asyncio.timeout(WATCH_S):
                    await stop.wait()
            except TimeoutError:
                continue

    def _lasting(self) -> str:
        since = self._failing_since
        lasts = since is not None and self._clock.now() - since >= TELL_AFTER_US
        return self._reason if lasts or self._gone else ""

    def _tell(self, conn: Connection, reason: str, now: Instant) -> None:
        name = self.name.removeprefix(PREFIX)
        if not reason:
            alerts.clear_alert(conn, kind="webhook_out", key=name, now=now)
            return
        values = {"endpoint": name, "reason": reason}
        text = f"endpoint {name}: {reason}"
        alerts.raise_alert(conn, kind="webhook_out", key=name, text=text, values=values, now=now)


def _is_private_literal(url: str) -> bool:
    """Say whether an address names an IP that is not public; a name is judged when it is resolved."""
    host = urlsplit(url).hostname or ""
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return not is_public(host)


def _judge(status: int, retry_after: str) -> None:
    """Raise what an answer means: anything but 2xx did not arrive."""
    if 200 <= status < 300:
        return
    if status == GONE:
        raise AuthError("the endpoint said that it is gone (410)")
    if 300 <= status < 400:
        raise AuthError(f"it answered {status}: a redirect is not followed; name the new address in the settings")
    if status in (408, 429) or status >= 500:
        wait_s = min(float(retry_after), MOST_RETRY_AFTER_S) if retry_after.isdecimal() else None
        raise TransientError(f"it answered {status}", retry_after_s=wait_s)
    raise AuthError(f"it answered {status}")
