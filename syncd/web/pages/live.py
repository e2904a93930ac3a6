"""Pages that stay true while they are open: server-sent events (WHATWG HTML, 9.2).

A stream holds nothing but a digest of what it sent last. It waits until something is decided, reads its page anew and
sends it where it has changed: what happened in between is not told, how it stands now is. So a slow browser costs no
memory, one that takes nothing for a while is cut off, and one that comes back with `Last-Event-ID` gets the state of
now, or nothing where it has that already.
"""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import suppress
from typing import Final
from weakref import WeakSet

import structlog
from aiohttp import hdrs, web

from syncd.sdk.errors import SyncdError
from syncd.web.api_wire import Fault
from syncd.web.pages.frame import HEADERS, Ask, Frame, Page, Read
from syncd.web.pages.guard import Refused

MOST_STREAMS: Final = 64
"""Open at once, over all visitors."""
LOOK_S: Final = 0.9
"""A stream looks up so often though nothing was decided."""
QUIET_S: Final = 10.0
"""A page is read anew so often though nothing was decided; one that tells of channels, whenever its stream looks up."""
REST_S: Final = 0.25
"""Between two readings, however much is decided, and REST_SHARE times as long as the last one took."""
REST_SHARE: Final = 3.0
MOST_REST_S: Final = 5.0
BEAT_S: Final = 15.0
"""Something is sent at least so often, so that whoever is gone is noticed."""
WRITE_S: Final = 10.0
"""A browser that takes nothing for so long is cut off."""
RETRY_MS: Final = 2_000
"""After so long a browser comes back."""
FULL_RETRY_S: Final = 10
_log = structlog.get_logger("syncd.pages")


class Live:
    """The streams of one daemon."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._tasks: WeakSet[asyncio.Task[object]] = WeakSet()
        self._open = 0

    @property
    def open(self) -> int:
        """Return how many streams are open."""
        return self._open

    async def close(self, _app: web.Application) -> None:
        """End all streams: a daemon that stops does not wait for browsers."""
        for task in list(self._tasks):
            task.cancel()

    async def stream(self, ask: Ask, template: str, page: Page) -> web.StreamResponse:
        """Send the live part of a page whenever it has changed, until the browser or the login is gone."""
        if self._open >= MOST_STREAMS:
            headers = {**HEADERS, hdrs.RETRY_AFTER: str(FULL_RETRY_S)}
            return web.Response(status=503, text="too many pages are open\n", headers=headers)
        made = web.StreamResponse(headers={**HEADERS, hdrs.CONTENT_TYPE: "text/event-stream; charset=utf-8"})
        made.headers["X-Accel-Buffering"] = "no"
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
        self._open += 1
        try:
            await made.prepare(ask.request)
            with suppress(TimeoutError, ConnectionError):
                await _write(made, f"retry: {RETRY_MS}\n\n")
                await self._follow(ask, template, page, made)
        except Exception as error:  # noqa: BLE001  (its head is sent: there is no other answer any more)
            _log.exception("page.fault", page=ask.page, fault=type(error).__name__)
        finally:
            self._open -= 1
        return made

    async def _follow(self, ask: Ask, template: str, page: Page, made: web.StreamResponse) -> None:
        clock, sent = self._frame.plant.clock, ask.request.headers.get("Last-Event-ID", "")
        decided, last = 0, clock.monotonic()
        while True:
            began = clock.monotonic()
            try:
                ask = self._frame.again(ask)
            except Refused:
                await _write(made, "event: over\ndata: \n\n")
                return
            told = await self._told(ask, template, page.read)
            if told is not None and (mark := _digest(told)) != sent:
                await _write(made, event(told, mark))
                sent, last = mark, clock.monotonic()
            elif clock.monotonic() - last >= BEAT_S:
                await _write(made, ": still there\n\n")
                last = clock.monotonic()
            rest_s = min(MOST_REST_S, max(REST_S, REST_SHARE * (clock.monotonic() - began)))
            decided = await self._news(decided, rest_s, LOOK_S if page.restless else QUIET_S)

    async def _told(self, ask: Ask, template: str, read: Read) -> str | None:
        """Return the live part as it is now, None where it cannot be read: it is tried anew soon."""
        try:
            return await self._frame.draw(template, ask, await read(ask))
        except (SyncdError, Fault, TimeoutError):
            return None

    async def _news(self, decided: int, rest_s: float, longest_s: float) -> int:
        """Rest, and wait for something new; return how far it is decided."""
        await asyncio.sleep(rest_s)
        with suppress(TimeoutError):
            async with asyncio.timeout(longest_s):
                return await self._frame.plant.intake.news(decided)
        return decided


def event(told: str, mark: str) -> str:
    """Return an event with a text of several lines."""
    lines = "".join(f"data: {line}\n" for line in told.splitlines())
    return f"id: {mark}\nevent: part\n{lines}\n"


async def _write(made: web.StreamResponse, text: str) -> None:
    async with asyncio.timeout(WRITE_S):
        await made.write(text.encode())


def _digest(told: str) -> str:
    return hashlib.sha256(told.encode()).hexdigest()[:16]
