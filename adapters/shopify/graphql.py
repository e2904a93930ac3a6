"""The GraphQL endpoint of one shop: token, budget, and what an answer says of both.

One bucket of points belongs to app and shop (2,000 points and 100 a second on the standard plans); every answer states
what is left of it (shopify.dev, API rate limits, 2026-10).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from adapters.shopify import wire
from adapters.shopify.documents import Document
from adapters.shopify.settings import ShopifySettings
from adapters.shopify.token import FixedToken, Tokens, granted_token
from syncd.sdk.channel import Context
from syncd.sdk.errors import AuthError, ChannelError, ProtocolError, RateLimited, TransientError
from syncd.sdk.http import Answer, Client, Timeouts
from syncd.sdk.limits import Budget

T = TypeVar("T")

USER_AGENT = "syncd"
SEED_POINTS = 2_000.0
SEED_POINTS_PER_S = 100.0
RESERVE = 0.3
"""The share of the bucket that reads leave to writes."""
MOST_READS = 4
"""Reads in flight at a time."""
TRIES = 3
MOST_VERSIONS = 10
READ_TIMEOUTS = Timeouts(connect_s=5.0, total_s=30.0, budget_s=60.0)
WRITE_TOTAL_S = 30.0
"""A write with its tries and its turns in the budget, once there is a token."""
WRITE_TIMEOUTS = Timeouts(connect_s=3.0, total_s=10.0, budget_s=2.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """How a request ended: its answer, or a `fault` where none was understood.

    `doubtful` says that it, or an earlier try of it, may have had an effect although this is not what came back.
    """

    reply: wire.Reply | None = None
    fault: ChannelError | None = None
    doubtful: bool = False


class GraphQL:
    """Sends documents. `versions` collects versions of the API that answered and were not asked for."""

    def __init__(self, settings: ShopifySettings, context: Context) -> None:
        self._path = f"/admin/api/{settings.api_version}/graphql.json"
        self._version = settings.api_version
        self.reads = self._client(settings, context, timeout=READ_TIMEOUTS)
        self._writes = self._client(settings, context, timeout=WRITE_TIMEOUTS)
        self.tokens: Tokens = (
            FixedToken(settings.access_token)
            if settings.access_token
            else granted_token(self._writes, settings=settings, clock=context.clock)
        )
        self._budget = Budget(
            f"shopify {context.account}",
            capacity=SEED_POINTS,
            rate_per_s=SEED_POINTS_PER_S,
            clock=context.clock,
            reserve=RESERVE,
        )
        self._reading = asyncio.Semaphore(MOST_READS)
        self._costs: dict[str, float] = {}
        self.versions: set[str] = set()

    @staticmethod
    def _client(settings: ShopifySettings, context: Context, *, timeout: Timeouts) -> Client:
        return Client(
            context.session,
            base_url=settings.url,
            clock=context.clock,
            random=context.random,
            timeout=timeout,
            tries=TRIES,
            user_agent=USER_AGENT,
        )

    def note_version(self, version: str) -> None:
        """Remember a version that answered although another one was asked for; the health check tells it."""
        if version != self._version and len(self.versions) < MOST_VERSIONS:
            self.versions.add(version[:20])

    def delay_s(self, document: Document) -> float:
        """Return seconds until this document would be sent at once."""
        return self._budget.delay_s(self._cost(document), urgent=True)

    async def ask(self, document: Document, variables: Mapping[str, Any], kind: type[T], *, urgent: bool = False) -> T:
        """Send a document that changes no stock and return its data; raises what any error in the answer means."""
        body = wire.request_body(document, variables)
        async with self._reading:
            ended = await self._exchange(self.reads, document, body, urgent=urgent)
        if ended.reply is None:
            raise ended.fault or ProtocolError("Shopify: no answer")
        fault = wire.failure(ended.reply)
        if fault is not None:
            raise fault
        return wire.data(ended.reply, kind)

    async def write(self, document: Document, variables: Mapping[str, Any], *, again: bool = True) -> Written:
        """Send a mutation that holds an idempotency key; the quick tries of the client are the very same bytes.

        One without a key is not tried `again`. Raises only while no try can have had an effect.
        """
        body = wire.request_body(document, variables)
        await self.tokens.token()  # whatever goes wrong here, nothing was sent
        try:
            async with asyncio.timeout(WRITE_TOTAL_S):
                ended = await self._exchange(self._writes, document, body, urgent=True, again=again)
        except TimeoutError:
            late = TransientError(f"Shopify: no answer within {WRITE_TOTAL_S:g} s")
            return Written(fault=late, doubtful=True)
        except ChannelError as fault:
            if is_harmless(fault):
                raise
            return Written(fault=fault, doubtful=True)
        if ended.fault is not None and not ended.doubtful:
            raise ended.fault
        return ended

    async def _exchange(
        self, client: Client, document: Document, body: bytes, *, urgent: bool, again: bool = True
    ) -> Written:
        """Send a request, and once more with a newer token where its token was refused."""
        token = await self.tokens.token()
        answer = await self._post(client, document, body, token=token, urgent=urgent, again=again)
        doubtful = answer.doubtful
        if answer.status == 401:
            try:
                token = await self.tokens.after(token)
                answer = await self._post(client, document, body, token=token, urgent=urgent, again=again)
            except ChannelError as fault:
                return Written(fault=fault, doubtful=doubtful or not is_harmless(fault))
            doubtful = doubtful or answer.doubtful
        return self._read(document, answer, doubtful=doubtful)

    def _read(self, document: Document, answer: Answer, *, doubtful: bool) -> Written:
        refusal = wire.refusal(answer.status, answer.body)
        if refusal is not None:
            return Written(fault=refusal, doubtful=doubtful)
        self.note_version(answer.headers.get("x-shopify-api-version", self._version))
        try:
            found = wire.reply(answer.body)
        except ProtocolError as unclear:
            return Written(fault=unclear, doubtful=True)
        self._learn(document, found)
        return Written(reply=found, doubtful=doubtful)

    async def _post(
        self, client: Client, document: Document, body: bytes, *, token: str, urgent: bool, again: bool
    ) -> Answer:
        return await client.request(
            "POST",
            self._path,
            headers={
                "Accept": "application/json",
                "Content-Type": "application/json",
                "X-Shopify-Access-Token": token,
            },
            body=body,
            idempotent=again,
            budget=self._budget,
            cost=self._cost(document),
            urgent=urgent,
            expect=wire.ANSWERED,
            content="text",
        )

    def _cost(self, document: Document) -> float:
        return self._costs.get(document.name, document.cost)

    def _learn(self, document: Document, found: wire.Reply) -> None:
        """Believe what the answer says of the price of this document and of the bucket."""
        cost = found.cost
        if cost.requested_query_cost is not None:
            self._costs[document.name] = cost.requested_query_cost
        status = cost.throttle_status
        if status is not None:
            self._budget.correct(
                available=status.currently_available,
                capacity=status.maximum_available,
                rate_per_s=status.restore_rate,
            )
        elif isinstance(wire.failure(found), RateLimited):
            self._budget.penalize(wire.wait_s(cost))


def is_harmless(fault: ChannelError) -> bool:
    """Tell whether a failed write had certainly no effect: it was not sent, or there is no token to send it with."""
    return isinstance(fault, AuthError) or (isinstance(fault, TransientError) and not fault.sent)
