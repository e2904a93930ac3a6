"""The demo's broker in the process: states, events and commands by MQTT 3.1.1."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import aiomqtt
import msgspec
import pytest

from syncd.testing.broker import embedded_broker
from tests.edges.brokers import LONG_S, Inbox, connected, event, make_mqtt


@asynccontextmanager
async def hearing(url: str, topic: str) -> AsyncIterator[Callable[[int], Awaitable[list[bytes]]]]:
    """Subscribe, then give a function that waits for so many payloads."""
    async with asyncio.timeout(LONG_S), client_of(url) as client:
        await client.subscribe(topic, qos=1)

        async def hear(count: int) -> list[bytes]:
            return [bytes((await anext(aiter(client.messages))).payload) for _ in range(count)]

        yield hear


def client_of(url: str) -> aiomqtt.Client:
    return aiomqtt.Client("127.0.0.1", urlsplit(url).port or 0)


async def test_the_embedded_broker_carries_what_the_demo_shows() -> None:
    """States are retained, events arrive whole and in order, and a command is committed and answered."""
    inbox = Inbox()
    async with embedded_broker() as url, connected(mqtt := make_mqtt(url, protocol="3.1.1"), inbox):
        async with hearing(url, "syncd/main/event/#") as events:
            await mqtt.deliver([event(number, body=b'{"n":1}') for number in range(1, 51)])
            ids = [msgspec.json.decode(payload)["id"] for payload in await events(50)]
        async with hearing(url, "syncd/main/out/r") as replies, client_of(url) as client:
            await client.publish("syncd/main/in/count", b'{"request_id":"r","sku":"A","quantity":1}', qos=1)
            assert await replies(1) == [b'{"request_id":"r","ok":true}']
        await mqtt.deliver([event(51, "A", "state", b'{"n":2}')])
        async with hearing(url, "syncd/main/state/A") as states:
            assert msgspec.json.decode((await states(1))[0])["data"] == {"n": 2}
    assert ids == [event(number).event_id for number in range(1, 51)]
    assert list(inbox.facts) == ["count/r"]


async def test_a_taken_port_is_an_os_error() -> None:
    """A port that is taken is named."""
    async with embedded_broker() as url:
        port = urlsplit(url).port or 0
        with pytest.raises(OSError, match=str(port)):
            async with embedded_broker(port):
                raise AssertionError("two brokers on one port")
