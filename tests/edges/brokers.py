"""A broker that can be killed and brought back, a listener that hears everything, an inbox that keeps what comes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiomqtt
import msgspec

from syncd.clock import SystemClock
from syncd.core.facts import Fact
from syncd.core.retry import RetryRule
from syncd.edges.mqtt import Mqtt
from syncd.sdk.secret import Secret
from syncd.store.outbox import Waiting
from tests.real_servers import Mosquitto, mosquitto

LONG_S = 30.0
"""Longest wait of a test: its end is a failure, never a way to go on."""

QUICK = RetryRule(first_s=0.02, factor=1.0, most_s=0.02)


class Broker:
    """A mosquitto that keeps its port over a kill."""

    def __init__(self, lines: Sequence[str] = ()) -> None:
        # Without a window every message is on its way to its receiver before its sender hears that it was taken.
        self._lines = ("max_inflight_messages 0", *lines)
        self._stack = contextlib.ExitStack()
        self._server: Mosquitto | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self) -> None:
        self._server = self._stack.enter_context(mosquitto(self._lines, port=self.port or None))
        self.port = self._server.port

    def kill(self) -> None:
        """Kill -9."""
        assert self._server is not None
        self._server.process.kill()
        self._server.process.wait()
        self._stack.close()

    def close(self) -> None:
        self._stack.close()


@dataclass
class Heard:
    """A message that the listener got."""

    topic: str
    payload: bytes
    retain: bool
    content_type: str
    attributes: dict[str, str]
    correlation: bytes
    expiry_s: int | None

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.payload)


@dataclass
class Listener:
    """Hears everything on a broker. `ready` is set while its subscription stands; clear it before killing a broker."""

    port: int
    heard: list[Heard] = field(default_factory=list)
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def run(self) -> None:
        while True:
            with contextlib.suppress(aiomqtt.MqttError):
                await self._listen()
            self.ready.clear()
            await asyncio.sleep(0.02)

    async def _listen(self) -> None:
        async with aiomqtt.Client("127.0.0.1", self.port, protocol=aiomqtt.ProtocolVersion.V5) as client:
            # Not at QoS 1: when a broker dies, a client that acks drops what it has received and not read yet.
            await client.subscribe("#", qos=0)
            self.ready.set()
            async for message in client.messages:
                self.heard.append(_heard(message))
                async with self._news:
                    self._news.notify_all()

    async def until(self, enough: Callable[[list[Heard]], bool]) -> None:
        async with asyncio.timeout(LONG_S), self._news:
            await self._news.wait_for(lambda: enough(self.heard))

    async def first(self, topic: str) -> Heard:
        await self.until(lambda heard: any(one.topic == topic for one in heard))
        return next(one for one in self.heard if one.topic == topic)

    async def several(self, topic: str, count: int) -> list[Heard]:
        await self.until(lambda heard: sum(one.topic == topic for one in heard) >= count)
        return [one for one in self.heard if one.topic == topic]


def _heard(message: aiomqtt.Message) -> Heard:
    properties = message.properties
    return Heard(
        topic=str(message.topic),
        payload=bytes(message.payload),
        retain=message.retain,
        content_type=getattr(properties, "ContentType", ""),
        attributes=dict(getattr(properties, "UserProperty", [])),
        correlation=getattr(properties, "CorrelationData", b""),
        expiry_s=getattr(properties, "MessageExpiryInterval", None),
    )


@dataclass
class Receipt:
    duplicate: bool


@dataclass
class Inbox:
    """Takes facts as the real one does: once per key, and only while `works` is set."""

    facts: dict[str, Fact] = field(default_factory=dict)
    tries: int = 0
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    works: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.works.set()

    async def __call__(self, fact: Fact, source: str, key: str) -> Receipt:
        self.tries += 1
        self.asked.set()
        await self.works.wait()
        duplicate = key in self.facts
        self.facts.setdefault(key, fact)
        return Receipt(duplicate)


def make_mqtt(url: str, **changes: Any) -> Mqtt:
    values: dict[str, Any] = {
        "username": "",
        "password": Secret(""),
        "protocol": "5",
        "instance": "main",
        "clock": SystemClock(),
        "random": lambda: 0.5,
        "rule": QUICK,
    }
    return Mqtt(url=url, **(values | changes))


@contextlib.asynccontextmanager
async def running(work: Coroutine[Any, Any, None]) -> AsyncIterator[asyncio.Task[None]]:
    """Run beside the body and cancel at its end; an error of it is an error of the test."""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(work)
        yield task
        task.cancel()


@contextlib.asynccontextmanager
async def listening(broker: Broker) -> AsyncIterator[Listener]:
    """Hear everything on a broker from now on."""
    listener = Listener(broker.port)
    async with running(listener.run()):
        async with asyncio.timeout(LONG_S):
            await listener.ready.wait()
        yield listener


@contextlib.asynccontextmanager
async def connected(
    mqtt: Mqtt, intake: Callable[..., Any] | None = None, *, up: bool = True, **more: Any
) -> AsyncIterator[asyncio.Event]:
    """Run `mqtt` beside the body, which starts once there is a connection (`up`); it is stopped at the body's end."""
    stop = asyncio.Event()
    async with asyncio.timeout(2 * LONG_S), asyncio.TaskGroup() as group:
        task = group.create_task(mqtt.run(stop, intake=intake or Inbox(), **more))
        if up:
            await mqtt._linked.wait()
        yield stop
        stop.set()
        await task


def event(number: int, key: str = "A-1", kind: str = "sale", body: bytes = b"{}") -> Waiting:
    return Waiting(id=number, key=key, type=kind, body=body, created_at=1_700_000_000_123_456)


async def command(broker: Broker, name: str, body: bytes, **properties: Any) -> None:
    """Send a command as a shop's own system does."""
    async with aiomqtt.Client("127.0.0.1", broker.port, protocol=aiomqtt.ProtocolVersion.V5) as client:
        await client.publish(f"syncd/main/in/{name}", body, qos=1, **properties)
