"""Alerts to people: to the log always, by mail and to a chat where these are set up, each alert once on each route."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final, Protocol

import aiohttp

from syncd.core.terms import SECOND_US
from syncd.edges.letters import Letter, compose
from syncd.edges.mail import MailRoute
from syncd.log import logger
from syncd.sdk.channel import Clock
from syncd.sdk.errors import AuthError, ChannelError, RejectedError, TransientError
from syncd.sdk.secret import Secret
from syncd.settings import Settings
from syncd.store.alerts import SINK
from syncd.store.outbox import Waiting

WEBHOOK_S: Final = 15.0

MOST_AGE_US: Final = 24 * 3_600 * SECOND_US
"""A route that is down for longer misses what is older: yesterday's alerts would bury today's."""

MOST_RETRY_AFTER_S: Final = 3_600.0

_log = logger("alerts")


class Route(Protocol):
    """One way to people."""

    @property
    def name(self) -> str:
        """Return its name in the log."""

    async def send(self, letter: Letter) -> None:
        """Send; raises TransientError, AuthError or RejectedError, and for a letter of which part arrived nothing."""


class LogRoute:
    """Writes alerts to the log, where they are also without any other route."""

    name = "log"

    async def send(self, letter: Letter) -> None:
        """Log each alert as a line."""
        for item in letter.items:
            if item.over:
                _log.info("alert.cleared", kind=item.alert.kind, key=item.alert.key)
            else:
                _log.warning("alert.raised", kind=item.alert.kind, key=item.alert.key, text=item.alert.text)


class WebhookRoute:
    """Posts `{"text": ...}` as Slack, Mattermost and others take it (docs.slack.dev, incoming webhooks, 2026-11).

    The URL is a secret: whoever knows it can post.
    """

    name = "webhook"

    def __init__(self, *, url: Secret) -> None:
        self._url = url

    async def send(self, letter: Letter) -> None:
        """Post one message."""
        text = "\n".join((f"*{_escaped(letter.subject)}*", *(f"• {_escaped(line)}" for line in letter.lines)))
        try:
            async with asyncio.timeout(WEBHOOK_S), aiohttp.ClientSession() as session:
                url = self._url.reveal()
                async with session.post(url, json={"text": text}, allow_redirects=False) as response:
                    status, retry_after = response.status, response.headers.get("Retry-After", "")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            # Only the kind of error: its text may hold the URL.
            raise TransientError(f"the webhook cannot be reached: {type(error).__name__}") from None
        _judge(status, retry_after)


class AlertSink:
    """The sink `alerts`: one letter about all that waits, to each route that has not told it yet.

    What each route has told is remembered while the process lives, so that a chat that is down does not bring the
    same mail twice; after a restart a mail whose neighbour failed can come once more.
    """

    name = SINK

    def __init__(self, *, instance: str, language: str, routes: Sequence[Route], clock: Clock) -> None:
        self._instance = instance
        self._language = language
        self._routes = tuple(routes)
        self._clock = clock
        self._told: dict[str, frozenset[int]] = {}

    async def deliver(self, batch: Sequence[Waiting]) -> list[int]:
        """Tell every route; return the ids that all of them told. Raises the first failure when there are none."""
        failures = [failure for route in self._routes if (failure := await self._tell(route, batch)) is not None]
        told = [event.id for event in batch if all(event.id in self._told[route.name] for route in self._routes)]
        if not told and failures:
            raise failures[0]
        return told

    async def _tell(self, route: Route, batch: Sequence[Waiting]) -> ChannelError | None:
        """Send what `route` has not told yet, and return why that failed."""
        before = self._told.get(route.name, frozenset())
        fresh = [event for event in batch if event.id not in before]
        failure = await self._send(route, fresh) if fresh else None
        given_up = self._given_up(route, fresh) if failure is not None else fresh
        self._told[route.name] = (before & {event.id for event in batch}) | {event.id for event in given_up}
        return failure

    async def _send(self, route: Route, events: Sequence[Waiting]) -> ChannelError | None:
        try:
            await route.send(compose(events, instance=self._instance, language=self._language))
        except RejectedError as error:
            _log.error("alert.rejected", route=route.name, count=len(events), reason=str(error))
        except ChannelError as error:
            return error
        return None

    def _given_up(self, route: Route, events: Sequence[Waiting]) -> list[Waiting]:
        """Return what is too old to be news."""
        oldest = self._clock.now() - MOST_AGE_US
        old = [event for event in events if event.created_at < oldest]
        if old:
            _log.error("alert.given_up", route=route.name, count=len(old))
        return old


def alert_sink(settings: Settings, *, clock: Clock) -> AlertSink:
    """Make the sink that the settings describe. Raises ConfigError where they cannot be used."""
    alerts = settings.alerts
    routes: list[Route] = [LogRoute()]
    if alerts.smtp_url:
        routes.append(MailRoute(url=alerts.smtp_url, sender=alerts.mail_from, recipients=alerts.mail_to))
    if alerts.webhook_url:
        routes.append(WebhookRoute(url=alerts.webhook_url))
    daemon = settings.daemon
    return AlertSink(instance=daemon.instance, language=daemon.language, routes=routes, clock=clock)


def _judge(status: int, retry_after: str) -> None:
    """Raise what a webhook's answer means."""
    if status < 300:
        return
    if status == 429 or status >= 500:
        wait_s = min(float(retry_after), MOST_RETRY_AFTER_S) if retry_after.isdecimal() else None
        raise TransientError(f"the webhook answered {status}", retry_after_s=wait_s)
    if status in {400, 413}:
        raise RejectedError(f"the webhook answered {status}")
    raise AuthError(f"the webhook answered {status}; it was revoked or moved")


def _escaped(text: str) -> str:
    """Escape what Slack would read as a link or a call to all (docs.slack.dev, formatting, 2026-11)."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
