"""The webhook edge: verified, parsed and committed before the channel gets its 200.

A webhook is only a hint that its channel could not do without: whatever is wrong with one, but forgery and a full
store, is answered 200 and the orders are read soon; a channel that gets other answers takes the subscription away
(Shopify after 8 of them: shopify.dev, webhooks, troubleshooting, 2026-11).
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

import structlog
from aiohttp import web

from syncd.core.terms import AccountId
from syncd.core.tickets import DeskId
from syncd.core.waitlist import TicketHintFact
from syncd.sdk.channel import Forged, Notice, RawRequest, Webhooks
from syncd.sdk.desk import DeskWebhooks
from syncd.sdk.errors import ProtocolError, TransientError
from syncd.sdk.features import WebhookAnswers
from syncd.store.hints import entries_of
from syncd.store.inbox import Entry

BODY_BYTES: Final = 2 * 1024 * 1024
"""The largest body of a webhook."""
BODY_S: Final = 4.0
"""Longest wait for a whole body; Shopify gives up after 5 s."""
COMMIT_S: Final = 30.0
"""Longest wait for the inbox."""
RETRY_AFTER_S: Final = 5
"""When a channel may try again while nothing can be stored."""

_NOBODY: Final = b"an account that is not there"
_log = structlog.get_logger("syncd.webhook")


class Intake(Protocol):
    """The door for facts."""

    async def put_entries(self, entries: Sequence[Entry]) -> list[int | None]:
        """Make facts durable, in order; None for one that was there already."""


class Account(Protocol):
    """An open account; `orders` is the hint to read its order feed."""

    @property
    def name(self) -> AccountId:
        """Return its name."""

    @property
    def channel(self) -> object:
        """Return its open channel."""

    @property
    def orders(self) -> asyncio.Event:
        """Return the hint."""


class OpenDesk(Protocol):
    """An open desk."""

    @property
    def name(self) -> DeskId:
        """Return its name."""

    @property
    def desk(self) -> object:
        """Return the desk itself."""


class Plant(Protocol):
    """The part of the running daemon that this edge needs."""

    @property
    def roster(self) -> Mapping[AccountId, Account]:
        """Return the open accounts."""

    @property
    def desks(self) -> Mapping[DeskId, OpenDesk]:
        """Return the open desks."""

    @property
    def intake(self) -> Intake:
        """Return the door."""


def routes(plant: Plant) -> list[web.RouteDef]:
    """Return the route `POST /webhooks/{account}`; the accounts and desks are open already."""
    return [web.post("/webhooks/{account}", _Edge(plant).take)]


class _Edge:
    def __init__(self, plant: Plant) -> None:
        self._intake = plant.intake
        self._accounts = {
            str(name): (account, account.channel)
            for name, account in plant.roster.items()
            if isinstance(account.channel, Webhooks)
        }
        self._desks = {
            str(name): (name, open_desk.desk)
            for name, open_desk in plant.desks.items()
            if isinstance(open_desk.desk, DeskWebhooks)
        }

    async def take(self, request: web.Request) -> web.Response:
        """Take one webhook: 200 once its facts are committed, also when they were there already."""
        try:
            async with asyncio.timeout(BODY_S):
                body = await _read(request)
        except TimeoutError:
            return await _cut(request, 408)
        if body is None:
            return _closing(413)
        headers = {name.lower(): value for name, value in request.headers.items()}
        raw = RawRequest(headers=headers, body=body, query=dict(request.query))
        name = request.match_info["account"]
        if (desk := self._desks.get(name)) is not None:
            return await self._take_from_desk(*desk, raw)
        found = self._accounts.get(name)
        if found is None:
            # The same work and the same answer as for a forged one: nobody learns which accounts there are.
            hmac.compare_digest(hmac.digest(_NOBODY, body, hashlib.sha256), b"")
            return web.Response(status=401)
        account, channel = found
        try:
            channel.verify(raw)
        except Forged as forged:
            return web.Response(status=forged.status)
        return _answer(channel, accepted=await self._commit(account, _notice(account, channel, raw)))

    async def _take_from_desk(self, name: DeskId, desk: DeskWebhooks, raw: RawRequest) -> web.Response:
        """Take a desk's webhook: what it says is read anew by its id, so one that is not understood costs only time."""
        try:
            desk.verify(raw)
        except Forged as forged:
            return web.Response(status=forged.status)
        try:
            notice = desk.parse(raw)
        except ProtocolError as error:
            _log.warning("webhook.unreadable", desk=name, reason=str(error), sample=error.sample)
            return web.Response()
        fact = TicketHintFact(desk=name, ticket_ids=notice.ticket_ids)
        stored = await self._put([Entry(fact=fact, source=name, key=notice.dedupe_key)] if notice.ticket_ids else [])
        return _answer(desk, accepted=stored)

    async def _commit(self, account: Account, notice: Notice | None) -> bool:
        """Store what a notice says; return False where nothing can be stored now."""
        if notice is None:
            account.orders.set()
            return True
        return await self._put(entries_of(account.name, notice))

    async def _put(self, entries: Sequence[Entry]) -> bool:
        try:
            async with asyncio.timeout(COMMIT_S):
                await self._intake.put_entries(entries)
        except (TransientError, TimeoutError):
            return False
        return True


def _answer(channel: object, *, accepted: bool) -> web.Response:
    """Return what a channel wants to read of its webhook: a status, and a body where it asks for one."""
    response = web.Response() if accepted else web.Response(status=503, headers={"Retry-After": str(RETRY_AFTER_S)})
    if isinstance(channel, WebhookAnswers):
        content_type, response.body = channel.answer(accepted)
        response.headers["Content-Type"] = content_type
    return response


async def _read(request: web.Request) -> bytes | None:
    """Return the raw body, None where it is too large."""
    if (request.content_length or 0) > BODY_BYTES:
        return None
    parts: list[bytes] = []
    size = 0
    async for part in request.content.iter_any():
        size += len(part)
        if size > BODY_BYTES:
            return None
        parts.append(part)
    return b"".join(parts)


def _closing(status: int) -> web.Response:
    """Answer a request whose body is not read to its end; the connection is of no use any more."""
    response = web.Response(status=status)
    response.force_close()
    return response


async def _cut(request: web.Request, status: int) -> web.Response:
    """Answer a request whose body does not come, and close the connection at once instead of waiting for the rest."""
    response = _closing(status)
    await response.prepare(request)
    await response.write_eof()
    if request.transport is not None:
        request.transport.close()
    return response


def _notice(account: Account, channel: Webhooks, raw: RawRequest) -> Notice | None:
    """Say what a webhook means, None where that is not understood."""
    try:
        notice = channel.parse(raw)
    except ProtocolError as error:
        _log.warning("webhook.unreadable", account=account.name, reason=str(error), sample=error.sample)
        return None
    except Exception as error:  # noqa: BLE001  (a fault of an adapter must not cost the subscription)
        _log.error("webhook.fault", account=account.name, fault=type(error).__name__)
        return None
    if notice.text:
        _log.warning("webhook.notice", account=account.name, text=notice.text, stop=notice.stop)
    return notice
