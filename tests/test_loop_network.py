"""The network of the virtual loop: streams, faults and HTTP in memory."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

from syncd.sdk.errors import TransientError
from syncd.sdk.http import Client
from syncd.testing.loop import Faults, VirtualConnector, run_virtual, running
from tests import loop_scenes as scenes


def trade(faults: Faults, **options: Any) -> Any:
    return run_virtual(scenes.an_hour_of_trade, faults=faults, **options)[0]


def test_latency_is_what_is_asked_for() -> None:
    """A call takes as long as its ways there and back."""

    async def scene() -> float:
        async with scenes.served(scenes.Shop()) as url, aiohttp.ClientSession(connector=VirtualConnector()) as session:
            began = running().time()
            await session.get(f"{url}/order")
            return running().time() - began

    assert run_virtual(scene, faults=Faults(latency_s=(2.0, 2.0))) == pytest.approx(3 * 2.0 + 0.05, abs=0.001)


def test_a_refused_connection_has_no_effect() -> None:
    """Refusals fail calls that never arrive."""
    shop = trade(Faults(refuse=1.0))
    assert shop.done == []
    assert set(shop.failed) == {"ClientConnectorError"}


def test_a_reset_may_come_before_or_after_the_effect() -> None:
    """Resets lose some calls on the way there and the answers of others on the way back."""
    shop = trade(Faults(reset=0.2))
    assert set(shop.told) < set(shop.done)
    assert {"ServerDisconnectedError", "ClientOSError"} & set(shop.failed)


def test_a_black_hole_tells_nobody() -> None:
    """In a black hole calls end by their own timeout, some of them after the effect."""
    shop = trade(Faults(black_hole=0.2))
    assert set(shop.failed) == {"TimeoutError"}
    assert set(shop.told) < set(shop.done)


def test_an_address_can_be_down() -> None:
    """An address that is down refuses, and answers again when it is up."""

    async def scene() -> list[str]:
        shop, network = scenes.Shop(), running().network
        async with (
            scenes.served(shop, "shop.example", 443),
            aiohttp.ClientSession(connector=VirtualConnector()) as session,
        ):
            network.down.add(("shop.example", 443))
            with pytest.raises(aiohttp.ClientConnectorError):
                await session.get("https://shop.example/order?id=1")
            network.down.clear()
            await session.get("https://SHOP.example/order?id=2")
        with pytest.raises(aiohttp.ClientConnectorError):
            await session_of_its_own("https://shop.example/order?id=3")
        done: list[str] = shop.done
        return done

    assert run_virtual(scene) == ["2"]


async def session_of_its_own(url: str) -> None:
    async with aiohttp.ClientSession(connector=VirtualConnector()) as session:
        await session.get(url)


def test_large_bodies_arrive_whole() -> None:
    """A body far above all buffers arrives whole, with senders that are paused on the way."""

    async def scene() -> int:
        shop = scenes.Shop()
        async with scenes.served(shop) as url, aiohttp.ClientSession(connector=VirtualConnector()) as session:
            await session.post(f"{url}/order", data=bytes(900_000))
        size: int = shop.body_bytes
        return size

    assert run_virtual(scene) == 900_000


class Echo(asyncio.Protocol):
    """Answers each piece, and notes what happens to it."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.notes.append(data.decode())

    def pause_writing(self) -> None:
        self.notes.append("pause")

    def resume_writing(self) -> None:
        self.notes.append("go on")

    def eof_received(self) -> None:
        self.notes.append("end")

    def connection_lost(self, exc: Exception | None) -> None:
        self.notes.append(f"lost {exc}")


async def joined() -> tuple[Echo, Echo]:
    """Open a stream between two protocols."""
    far = Echo()
    server = await running().create_server(lambda: far, "0.0.0.0", 7)
    _, near = await running().create_connection(Echo, "localhost", 7)
    server.close()
    await server.wait_closed()
    assert isinstance(near, Echo)
    return near, far


def test_streams_behave_as_streams() -> None:
    """Pieces come in order, an end comes after them, a paused reader gets them later, an abort is a reset."""

    async def scene() -> list[list[str]]:
        near, far = await joined()
        far.transport.pause_reading()
        for number in range(5):
            near.transport.write(b"%d" % number)
        near.transport.write_eof()
        await asyncio.sleep(5)
        assert far.notes == []
        far.transport.resume_reading()
        await asyncio.sleep(5)
        other, gone = await joined()
        other.transport.write(b"x" * 300_000)
        await asyncio.sleep(5)
        gone.transport.abort()
        other.transport.write(b"too late")
        await asyncio.sleep(5)
        other.transport.write(b"never")
        return [near.notes, far.notes, [note[:20] for note in other.notes], [note[:3] for note in gone.notes]]

    near, far, other, gone = run_virtual(scene)
    assert far == ["0", "1", "2", "3", "4", "end", "lost None"]
    assert near == ["end", "lost None"]
    assert other == ["pause", "go on", "lost [Errno 104] con"]
    assert gone == ["xxx", "los"]


def test_two_servers_cannot_share_an_address() -> None:
    """An address that is taken is refused, and free again when its server closes."""

    async def scene() -> None:
        first = await running().create_server(Echo, "127.0.0.1", 80)
        with pytest.raises(OSError, match="in use"):
            await running().create_server(Echo, "127.0.0.1", 80)
        first.close()
        assert not first.is_serving()
        await running().create_server(Echo, "127.0.0.1", 80)

    run_virtual(scene)


def test_our_client_works_in_it() -> None:
    """The HTTP client of adapters runs in the virtual network, its waits in virtual time."""

    async def scene() -> tuple[int, float]:
        loop, shop = running(), scenes.Shop()
        async with scenes.served(shop) as url, aiohttp.ClientSession(connector=VirtualConnector()) as session:
            client = Client(session, base_url=url, clock=loop.clock, random=loop.random, user_agent="t")
            loop.network.faults = Faults(refuse=1.0)
            began = loop.time()
            with pytest.raises(TransientError):
                await client.request("POST", "/order", idempotent=False)
            waited_s = loop.time() - began
            loop.network.faults = Faults()
            answer = await client.request("POST", "/order", idempotent=False)
        return answer.json()["stock"], waited_s

    stock, waited_s = run_virtual(scene)
    assert stock == 1
    assert 0.2 < waited_s < 2.0
