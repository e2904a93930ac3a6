"""Outbox, relay and a real broker that dies: nothing is lost, repeats are known by their id, order holds per SKU."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import create_engine
from sqlmodel import SQLModel
from structlog.testing import capture_logs

from syncd.clock import SystemClock
from syncd.edges.mqtt import Mqtt
from syncd.engine.relay import Relay
from syncd.sdk.errors import TransientError
from syncd.store import outbox
from syncd.store.outbox import Event, Waiting
from syncd.store.session import Store
from tests.edges.brokers import LONG_S, QUICK, Broker, Heard, Listener, connected, listening, make_mqtt

pytestmark = pytest.mark.real

SKUS = 5
PIECE = 20
SALES = "syncd/main/event/sale"


class Gate:
    """The broker as a sink that is used only while the listener hears: what nobody hears a broker may drop.

    It delivers in small pieces, so that kills fall into the middle of batches.
    """

    name = "mqtt"

    def __init__(self, mqtt: Mqtt, listener: Listener) -> None:
        self._mqtt = mqtt
        self._listener = listener

    async def deliver(self, batch: Sequence[Waiting]) -> list[int]:
        done: list[int] = []
        for start in range(0, len(batch), PIECE):
            piece = batch[start : start + PIECE]
            await self._listener.ready.wait()
            try:
                done += await self._mqtt.deliver(piece)
            except TransientError:
                if not done:
                    raise
            if len(done) < start + len(piece):
                break
        return done


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    engine = create_engine(f"sqlite:///{tmp_path}/syncd.db")
    SQLModel.metadata.create_all(engine)
    engine.dispose()
    async with Store.open(f"sqlite:///{tmp_path}/syncd.db", clock=SystemClock()) as opened:
        yield opened


async def queue(store: Store, numbers: range, kind: str = "sale") -> None:
    events = [
        Event(sink="mqtt", key=f"SKU-{n % SKUS}", type=kind, body=msgspec.json.encode({"sku": n % SKUS, "n": n}))
        for n in numbers
    ]
    await store.write(lambda conn: outbox.put(conn, events, now=1_700_000_000_000_000))


async def drained(store: Store) -> None:
    async with asyncio.timeout(LONG_S):
        while await store.read(outbox.depth):
            await asyncio.sleep(0.01)


@asynccontextmanager
async def relaying(store: Store, sink: Gate | Mqtt) -> AsyncIterator[asyncio.Event]:
    stop, hint = asyncio.Event(), asyncio.Event()
    relay = Relay(store, sink=sink, clock=SystemClock(), random=lambda: 0.5, hint=hint, rule=QUICK)
    async with asyncio.TaskGroup() as group:
        group.create_task(relay.run(stop))
        yield hint
        stop.set()


def check(heard: list[Heard], count: int) -> None:
    """All there, one id for one event, and in order per SKU where repeats do not count."""
    ids: defaultdict[int, set[str]] = defaultdict(set)
    order: defaultdict[int, list[int]] = defaultdict(list)
    for one in heard:
        number = one.json["n"]
        if not ids[number]:
            order[one.json["sku"]].append(number)
        ids[number].add(one.attributes["id"])
    assert sorted(ids) == list(range(count))
    assert [number for number, known in ids.items() if len(known) > 1] == []
    assert [sku for sku, numbers in order.items() if numbers != sorted(numbers)] == []


async def test_four_kills_of_the_broker_lose_nothing(broker: Broker, store: Store) -> None:
    """Over four kill -9 of the broker during 400 events each arrives, repeats have the same id, order holds per SKU."""
    mqtt = make_mqtt(broker.url)
    await queue(store, range(400))
    with capture_logs() as logs:
        async with listening(broker) as listener, connected(mqtt), relaying(store, Gate(mqtt, listener)):
            for kill in range(4):
                await listener.until(lambda heard, n=80 * (kill + 1): len(heard) >= n)  # type: ignore[misc]
                listener.ready.clear()
                broker.kill()
                broker.start()
            await drained(store)
            heard = await listener.several(SALES, 400)
    check(heard, 400)
    assert sum(line["event"] == "mqtt.up" for line in logs) > 1


async def test_what_waited_while_the_broker_was_down_arrives(broker: Broker, store: Store) -> None:
    """Two hundred events queued while the broker was down arrive in order when it is back; down is said once."""
    mqtt = make_mqtt(broker.url)
    async with listening(broker) as listener:
        listener.ready.clear()
        broker.kill()
        with capture_logs() as logs:
            async with connected(mqtt, up=False), relaying(store, Gate(mqtt, listener)) as hint:
                for start in range(0, 200, 50):
                    await queue(store, range(start, start + 50))
                    hint.set()
                    await asyncio.sleep(0.05)
                broker.start()
                await drained(store)
                heard = await listener.several(SALES, 200)
    check(heard, 200)
    assert len(heard) == 200
    assert [line["event"] for line in logs] == ["mqtt.down", "mqtt.up"]


async def test_only_the_newest_state_of_a_long_outage_is_sent(broker: Broker, store: Store) -> None:
    """Of the states that waited only the last one of each SKU goes out, and none waits any longer."""
    mqtt = make_mqtt(broker.url)
    await queue(store, range(200), kind="state")
    async with listening(broker) as listener, connected(mqtt), relaying(store, mqtt):
        await drained(store)
        for sku in range(SKUS):
            await listener.first(f"syncd/main/state/SKU-{sku}")
    assert sorted(one.json["n"] for one in listener.heard if "/state/" in one.topic) == [195, 196, 197, 198, 199]
