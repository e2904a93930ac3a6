"""Pages that stay true while they are open: what a stream sends, and that it holds nothing and ends."""

from __future__ import annotations

import asyncio
import gc
import re
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from syncd.web.pages import live
from syncd.web.pages.frame import Frame
from tests.web.looking import PASSWORD, Looker, hidden, looking, with_password
from tests.web.rig import Quiet, Rig, running, settings_of

STREAM = {"Accept": "text/event-stream"}
SOON_S = 20.0


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look up often: what a test waits for is there soon."""
    monkeypatch.setattr(live, "REST_S", 0.01)
    monkeypatch.setattr(live, "REST_SHARE", 0.0)
    monkeypatch.setattr(live, "LOOK_S", 0.05)
    monkeypatch.setattr(live, "BEAT_S", 0.05)


@pytest.fixture
async def look(rig: Rig) -> AsyncIterator[Looker]:
    async with looking(rig) as found:
        yield found


@dataclass(slots=True)
class Stream:
    """An open stream: events and comments as they come."""

    answer: aiohttp.ClientResponse

    async def next(self, kind: str = "event: ") -> str:
        """Return the next piece that has a line which begins so."""
        async with asyncio.timeout(SOON_S):
            while True:
                piece = (await self.answer.content.readuntil(b"\n\n")).decode()
                if re.search(f"^{kind}", piece, re.MULTILINE):
                    return piece

    async def until(self, text: str) -> str:
        """Return the next event that holds a text."""
        while text not in (piece := await self.next()):
            pass
        return piece


def mark_of(piece: str) -> str:
    """Return the id of an event."""
    (mark,) = re.findall(r"^id: (\w+)$", piece, re.MULTILINE)
    return str(mark)


def streams_of(look: Looker) -> live.Live:
    """Return the streams of the pages that are looked at."""
    return next(one.__self__ for one in look.app.on_shutdown if isinstance(getattr(one, "__self__", None), live.Live))


async def none_is_open(look: Looker) -> None:
    async with asyncio.timeout(SOON_S):
        while streams_of(look).open:
            await asyncio.sleep(0.01)


@asynccontextmanager
async def following(look: Looker, path: str, **headers: str) -> AsyncIterator[Stream]:
    async with look.session.get(look.base + path, headers={**STREAM, **look.headers, **headers}) as answer:
        assert answer.status == 200
        assert answer.content_type == "text/event-stream"
        yield Stream(answer)


async def test_a_stream_tells_what_changes(rig: Rig, look: Looker) -> None:
    """An open page gets its live part at once, and again once something in it has changed."""
    await rig.know("TEA")
    await rig.count(TEA=5)
    async with following(look, "/stock") as stream:
        first = await stream.next()
        assert 'id="sku-TEA"' in first
        assert "<html" not in first
        await rig.order("shop", "1", ("s1", "TEA", 2))
        again = await stream.until(">2</td>")
    assert mark_of(first) != mark_of(again)


async def test_who_comes_back_is_told_what_is_new(rig: Rig, look: Looker) -> None:
    """With `Last-Event-ID` of what is still so nothing is sent but a sign of life; what is so no more is sent."""
    await rig.know("TEA")
    async with following(look, "/stock") as stream:
        mark = mark_of(await stream.next())
    async with following(look, "/stock", **{"Last-Event-ID": mark}) as stream:
        assert (await stream.next("(event|:)")).startswith(": still there")
        await rig.count(TEA=5)
        assert "event: part" in await stream.next("event")


async def test_streams_end_and_leave_nothing(rig: Rig, look: Looker) -> None:
    """Browsers that go away are noticed, and their places are free again."""
    for _ in range(5):
        async with following(look, "/") as stream:
            await stream.next()
            assert streams_of(look).open > 0
    await none_is_open(look)


async def test_only_so_many_streams_are_open(rig: Rig, look: Looker, monkeypatch: pytest.MonkeyPatch) -> None:
    """One more than there may be is told to come later, and comes in once another has gone."""
    monkeypatch.setattr(live, "MOST_STREAMS", 1)
    async with following(look, "/") as stream:
        await stream.next()
        async with look.session.get(look.base + "/", headers=STREAM) as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (503, "10")
        assert (await look.get("/")).status == 200
    await none_is_open(look)
    async with following(look, "/") as stream:
        await stream.next()


async def test_who_takes_nothing_is_cut_off(rig: Rig, look: Looker, monkeypatch: pytest.MonkeyPatch) -> None:
    """A browser that reads nothing loses its stream instead of filling the memory."""
    monkeypatch.setattr(live, "WRITE_S", 0.05)
    drawn: list[int] = []

    async def draw(*_: Any) -> str:
        drawn.append(1)
        return f"{len(drawn)} {'x' * 8_000_000}"

    monkeypatch.setattr(Frame, "draw", draw)
    _, writer = await asyncio.open_connection("127.0.0.1", int(look.base.rpartition(":")[2]))
    writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n")
    async with asyncio.timeout(SOON_S):
        while not drawn:
            await asyncio.sleep(0.01)
    await none_is_open(look)
    assert len(drawn) < 5
    writer.close()


async def test_a_stream_ends_with_its_login(tmp_path: Path) -> None:
    """When a login ends, its open pages are told so and send nothing more."""
    channels = {"shop": Quiet()}
    async with running(tmp_path, channels=channels, settings=with_password(settings_of(tmp_path, ["shop"]))) as rig:
        async with looking(rig) as look:
            await look.post("/login", {**hidden(await look.get("/login")), "password": PASSWORD})
            async with following(look, "/") as stream:
                await stream.next()
                token = re.search(r'name="token" value="([^"]+)"', (await look.get("/")).text)
                assert token is not None
                await look.post("/logout", {"token": token[1]})
                assert "event: over" in await stream.next("event: over")
                async with asyncio.timeout(SOON_S):
                    assert await stream.answer.content.read() == b""


async def test_an_open_page_keeps_no_login(tmp_path: Path) -> None:
    """A page that nobody looks at does not keep its login beyond its hours."""
    settings = with_password(settings_of(tmp_path, ["shop"]), session_h=1.0)
    async with running(tmp_path, channels={"shop": Quiet()}, settings=settings) as rig, looking(rig) as look:
        await look.post("/login", {**hidden(await look.get("/login")), "password": PASSWORD})
        async with following(look, "/") as stream:
            await stream.next()
            rig.clock.instant += 1_800_000_000
            await rig.know("TEA")
            await stream.next("(event|:)")
            rig.clock.instant += 1_801_000_000
            assert "event: over" in await stream.next("event: over")


async def test_a_daemon_that_stops_does_not_wait_for_browsers(rig: Rig) -> None:
    """Open pages are let go at once when the server ends."""
    async with aiohttp.ClientSession() as session:
        async with looking(rig) as look:
            answer = await session.get(look.base + "/", headers=STREAM)
            await Stream(answer).next()
        with pytest.raises(aiohttp.ClientError):
            async with asyncio.timeout(SOON_S):
                await answer.content.read()


async def test_a_page_left_open_for_a_day_keeps_nothing(rig: Rig, look: Looker) -> None:
    """Over a day of sales an open page tells each one, and neither memory nor tasks grow with them."""
    await rig.know("TEA", *(f"TEA-{number:03}" for number in range(49)))
    await rig.count(TEA=100_000)
    async with following(look, "/stock") as stream:
        await stream.next()
        await told(rig, stream, 0, WARM)
        gc.collect()
        tracemalloc.start()
        tasks, before = len(asyncio.all_tasks()), tracemalloc.get_traced_memory()[0]
        try:
            await told(rig, stream, WARM, EVENTS)
            gc.collect()
            after = tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()
        assert len(asyncio.all_tasks()) < tasks + EVENTS / 4
        assert after - before < MOST_GROWN, f"{after - before} bytes"
        assert streams_of(look).open == 1


WARM, EVENTS = 8, 48
"""Sales before and while memory is watched: one in each half hour."""
MOST_GROWN = 500_000
"""Bytes that all these events may leave behind; if each were held, they would be more than 1,000,000."""


async def told(rig: Rig, stream: Stream, first: int, count: int) -> None:
    """Sell one unit after the other, half an hour apart, and wait until the open page has each."""
    for number in range(first, first + count):
        rig.clock.instant += 1_800_000_000
        await rig.order("shop", f"d{number}", ("s1", "TEA", 1))
        await stream.until(f">{number + 1}</td>")
