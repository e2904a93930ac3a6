"""Listen to what syncd publishes by MQTT, as a shop's own systems would."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

import aiomqtt
import msgspec

from syncd.core.terms import SECOND_US, Instant

AGAIN_S: Final = 1.0
CONNECT_S: Final = 5.0


class _Data(msgspec.Struct, frozen=True):
    """What the demo needs of an event's own data."""

    account: str = ""
    order: str = ""


class _Event(msgspec.Struct, frozen=True):
    """A CloudEvent; everything else of it is left out."""

    time: datetime
    data: _Data = _Data()


class Events:
    """Counts events, and tells `known` when syncd decided on an order: account, number, instant."""

    def __init__(self, known: Callable[[str, str, Instant], object]) -> None:
        self._known = known
        self.count = 0

    async def listen(self, url: str, instance: str) -> None:
        """Listen until cancelled; a connection that goes is made again."""
        address = urlsplit(url)
        while True:
            try:
                async with aiomqtt.Client(address.hostname or "", address.port or 1883, timeout=CONNECT_S) as client:
                    await client.subscribe(f"syncd/{instance}/#")
                    async for message in client.messages:
                        self._take(str(message.topic), bytes(message.payload))
            except aiomqtt.MqttError:
                await asyncio.sleep(AGAIN_S)

    def _take(self, topic: str, payload: bytes) -> None:
        kind = topic.split("/", 2)[-1]
        if not kind.startswith(("event/", "state/")):
            return
        self.count += 1
        if kind == "event/sale":
            event = msgspec.json.decode(payload, type=_Event)
            at = round(event.time.timestamp() * SECOND_US)
            self._known(event.data.account, event.data.order, at)
