"""Bulk operations: a query that Shopify runs by itself and whose answer is a file of JSON lines.

Facts (shopify.dev, bulk operations, 2026-10): five queries at a time per app and shop; the file is elsewhere, its
address is signed and gets no token; with `groupObjects: false` a child line names its parent by `__parentId` and may
come before or after it; there is no file where nothing was found.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

import msgspec

from adapters.shopify import wire
from adapters.shopify.documents import BULK_RUN, BULK_STATUS
from adapters.shopify.graphql import GraphQL
from syncd.sdk.channel import Clock, Instant
from syncd.sdk.errors import AuthError, ProtocolError, TransientError

FIRST_POLL_S = 2.0
POLL_GROWTH = 1.5
LONGEST_POLL_S = 60.0
LONGEST_RUN_S = 6 * 3_600.0
"""An operation that takes longer is given up; Shopify ends it by itself."""
BUSY_RETRY_S = 120.0
LINES_AT_ONCE = 200

_RUNNING = {"CREATED", "RUNNING"}


class Operation(msgspec.Struct, frozen=True, rename="camel"):
    """A bulk operation."""

    id: str
    status: str
    created_at: str
    error_code: str | None = None
    url: str | None = None


class RunPayload(msgspec.Struct, frozen=True, rename="camel"):
    """How starting an operation ended."""

    user_errors: list[wire.UserError]
    bulk_operation: Operation | None = None


class RunData(msgspec.Struct, frozen=True, rename="camel"):
    """Answer of SyncdBulkRun."""

    bulk_operation_run_query: RunPayload | None = None


class StatusData(msgspec.Struct, frozen=True, rename="camel"):
    """Answer of SyncdBulkStatus."""

    bulk_operation: Operation | None = None


class LevelLine(msgspec.Struct, frozen=True, rename="camel"):
    """A line of a level; its parent is the inventory item."""

    is_active: bool
    location: wire.Ref
    quantities: list[wire.Quantity]
    parent: str = msgspec.field(name="__parentId")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """An operation that was started. `asked_at` is not later than its start, on our clock and on Shopify's."""

    id: str
    asked_at: Instant


class Bulk:
    """Runs bulk operations and reads their files."""

    def __init__(self, graphql: GraphQL, clock: Clock) -> None:
        self._graphql = graphql
        self._clock = clock

    async def start(self, query: str) -> Job:
        """Start an operation; raises `TransientError` where all places for one are taken."""
        now = self._clock.now()
        answer = await self._graphql.ask(BULK_RUN, {"query": query}, RunData)
        payload = answer.bulk_operation_run_query
        if payload is None or payload.user_errors or payload.bulk_operation is None:
            raise _refused(payload)
        made = payload.bulk_operation
        return Job(id=made.id, asked_at=min(now, wire.instant(made.created_at)))

    async def look(self, job: Job) -> Operation | None:
        """Return the operation once it has ended well, None while it runs; raises what a bad end means."""
        answer = await self._graphql.ask(BULK_STATUS, {"id": job.id}, StatusData)
        found = answer.bulk_operation
        if found is None:
            raise TransientError("Shopify: the bulk operation is not there any more")
        if found.status in _RUNNING:
            return None
        if found.status != "COMPLETED":
            raise _ended(found)
        return found

    async def wait(self, job: Job) -> Operation:
        """Return the operation when it has ended well: polled after 2 s, then ever less often, at most for hours."""
        waited_s, poll_s = 0.0, FIRST_POLL_S
        while waited_s < LONGEST_RUN_S:
            await asyncio.sleep(poll_s)
            waited_s += poll_s
            poll_s = min(poll_s * POLL_GROWTH, LONGEST_POLL_S)
            if (found := await self.look(job)) is not None:
                return found
        raise TransientError(f"Shopify: a bulk operation did not end within {LONGEST_RUN_S / 3600:.0f} hours")

    async def lines(self, operation: Operation) -> AsyncGenerator[bytes, None]:
        """Read the file of an operation line by line; nothing where there is no file."""
        if not operation.url:
            return
        lines = self._graphql.reads.stream_lines(operation.url)
        count = 0
        try:
            async for line in lines:
                yield line
                count += 1
                if count % LINES_AT_ONCE == 0:
                    await asyncio.sleep(0)  # lines that are here already must not hold up everybody else
        finally:
            if isinstance(lines, AsyncGenerator):
                await lines.aclose()

    async def levels(self, operation: Operation) -> AsyncGenerator[LevelLine, None]:
        """Read the levels out of the file of BULK_LEVELS, in any order of lines and in little memory."""
        async with aclosing(self.lines(operation)) as lines:
            async for line in lines:
                if b'"__parentId"' in line:
                    yield wire.shape(line, LevelLine)


def _refused(payload: RunPayload | None) -> ProtocolError | TransientError:
    errors = payload.user_errors if payload else []
    if any(error.code in {"OPERATION_IN_PROGRESS", "LIMIT_REACHED"} for error in errors):
        return TransientError("Shopify: other bulk operations are running", retry_after_s=BUSY_RETRY_S, sent=False)
    return ProtocolError(f"Shopify: a bulk operation was refused: {wire.said(errors)}")


def _ended(found: Operation) -> AuthError | TransientError:
    if found.error_code == "ACCESS_DENIED":
        return AuthError("Shopify: access denied for a bulk operation")
    return TransientError(f"Shopify: a bulk operation ended as {found.status} {found.error_code or ''}".rstrip())
