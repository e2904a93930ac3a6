"""Commands over a real mosquitto: committed before they are acked, once each, answered whatever they hold."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import aiomqtt
import msgspec
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from structlog.testing import capture_logs

from syncd.core.facts import CountFact, Fact, MoveFact, StockMove
from syncd.core.terms import Location, Sku
from syncd.core.waitlist import ArrivalFact, ArrivalRow
from syncd.edges.broker import QUEUED, _Queue
from syncd.sdk.errors import RejectedError, TransientError
from tests.edges.brokers import Broker, Inbox, Receipt, command, connected, event, listening, make_mqtt

pytestmark = pytest.mark.real


def body(request_id: str = "r1", **more: Any) -> bytes:
    return msgspec.json.encode({"request_id": request_id, "sku": "A", "quantity": 3, **more})


async def test_each_command_becomes_its_fact(broker: Broker) -> None:
    """A movement, a count and a delivery are committed as facts of the source mqtt and answered."""
    inbox = Inbox()
    mqtt = make_mqtt(broker.url, home=Location("shop"))
    async with listening(broker) as listener, connected(mqtt, inbox):
        await command(broker, "movement", body("m", quantity=-2, kind="damage", reason="broken"))
        await command(broker, "count", body("c", location="attic"))
        await command(broker, "delivery", body("d"))
        replies = [(await listener.first(f"syncd/main/out/{name}")).json for name in "mcd"]
    assert replies == [{"request_id": name, "ok": True} for name in "mcd"]
    moved, counted, received = inbox.facts.values()
    assert isinstance(moved, MoveFact)
    assert (moved.source, moved.reference, moved.move, moved.reason) == (
        "mqtt",
        "movement/m",
        StockMove.DAMAGE,
        "broken",
    )
    assert (moved.rows[0].location, moved.rows[0].quantity) == ("shop", -2)
    assert isinstance(counted, CountFact)
    assert (counted.rows[0].location, counted.rows[0].quantity) == ("attic", 3)
    assert isinstance(received, MoveFact)
    assert (received.move, received.rows[0].quantity) == (StockMove.RECEIVE, 3)


async def test_an_arrival_states_a_line_of_a_purchase_order(broker: Broker) -> None:
    """An arrival is committed as what a supplier will bring, at the shop's location where it names none."""
    inbox = Inbox()
    order = msgspec.json.encode(
        {"request_id": "a", "number": "PO-7", "sku": "A", "quantity": 30, "expected": "2026-12-01", "actor": "erp"}
    )
    async with listening(broker) as listener, connected(make_mqtt(broker.url, home=Location("shop")), inbox):
        await command(broker, "arrival", order)
        await command(broker, "arrival", order)
        replies = [one.json for one in await listener.several("syncd/main/out/a", 2)]
    assert replies == [{"request_id": "a", "ok": True}] * 2
    row = ArrivalRow(number="PO-7", sku=Sku("A"), location=Location("shop"), quantity=30, expected="2026-12-01")
    assert inbox.facts == {"arrival/a": ArrivalFact(source="mqtt", rows=(row,), actor="erp")}


async def test_a_command_is_acked_only_after_its_commit(broker: Broker) -> None:
    """A command whose connection ends before its commit comes again on the next connection."""
    inbox = Inbox()
    inbox.works.clear()
    async with connected(make_mqtt(broker.url), inbox):
        await command(broker, "movement", body())
        await inbox.asked.wait()
    assert inbox.facts == {}
    inbox.works.set()
    async with listening(broker) as listener, connected(make_mqtt(broker.url), inbox):
        await listener.first("syncd/main/out/r1")
    async with listening(broker) as listener, connected(make_mqtt(broker.url), inbox):
        await command(broker, "movement", body("last"))
        await listener.first("syncd/main/out/last")
    assert (list(inbox.facts), inbox.tries) == (["movement/r1", "movement/last"], 3)


async def test_a_repeated_request_is_one_fact_with_the_same_reply(broker: Broker) -> None:
    """A request id that comes twice is committed once and answered twice alike."""
    inbox = Inbox()
    async with listening(broker) as listener, connected(make_mqtt(broker.url), inbox):
        await command(broker, "count", body())
        await command(broker, "count", body())
        first, second = await listener.several("syncd/main/out/r1", 2)
    assert first.payload == second.payload
    assert (len(inbox.facts), inbox.tries) == (1, 2)


BAD = [
    ("count", b"{", "invalid", "Input data was truncated"),
    ("count", b"", "invalid", "truncated"),
    ("count", b"\xff\xfe", "invalid", "JSON"),
    ("count", b'{"request_id":"../in/count","sku":"A","quantity":1}', "invalid", "request_id"),
    ("count", b'{"request_id":"r","sku":"A","quantity":1,"qty":1}', "r", "unknown field `qty`"),
    ("count", b'{"request_id":"r","sku":"A","quantity":-1}', "r", "$.quantity"),
    ("count", b'{"request_id":"r","sku":"A","quantity":1.5}', "r", "$.quantity"),
    ("count", b'{"request_id":"r","sku":"A","quantity":1e30}', "r", "$.quantity"),
    ("count", b'{"request_id":"r","sku":"A","quantity":true}', "r", "$.quantity"),
    ("count", b'{"request_id":"r","sku":"A","quantity":1,"quantity":2}', "invalid", "stands twice"),
    ("count", b'{"request_id":"r","sku":"","quantity":1}', "r", "$.sku"),
    ("count", b'{"request_id":"r","sku":"A","quantity":1,"at":"2020-01-01T00:00:00"}', "r", "timezone"),
    ("count", b'{"request_id":"r","sku":"A","quantity":1,"at":"2920-01-01T00:00:00Z"}', "r", "future"),
    ("movement", b'{"request_id":"r","sku":"A","quantity":0}', "r", "moves nothing"),
    ("delivery", b'{"request_id":"r","sku":"A","quantity":0}', "r", "$.quantity"),
    ("arrival", b'{"request_id":"r","sku":"A","quantity":1}', "r", "number"),
    ("arrival", b'{"request_id":"r","number":"","sku":"A","quantity":1}', "r", "$.number"),
    ("arrival", b'{"request_id":"r","number":"P","sku":"A","quantity":-1}', "r", "$.quantity"),
    ("arrival", b'{"request_id":"r","number":"P","sku":"A","quantity":1,"expected":"soon"}', "r", "$.expected"),
    ("arrival", b'{"request_id":"r","number":"P","sku":"A","quantity":1,"at":"2026-01-01T00:00:00Z"}', "r", "`at`"),
    ("wish", b'{"request_id":"r"}', "r", "unknown command"),
    ("count", b'{"request_id":"r","pad":"' + b"x" * 70_000 + b'"}', "invalid", "at most 65536"),
]


async def test_a_bad_command_is_answered_and_never_comes_again(broker: Broker) -> None:
    """Whatever is wrong with a command is told to its sender, nothing is committed, and it is acked."""
    inbox = Inbox()
    async with listening(broker) as listener, connected(make_mqtt(broker.url), inbox):
        for number, (name, payload, reply_to, reason) in enumerate(BAD):
            await command(broker, name, payload)
            await listener.until(lambda _, n=number: len(replies(listener.heard)) > n)  # type: ignore[misc]
            reply = replies(listener.heard)[number]
            assert reply.topic == f"syncd/main/out/{reply_to}", payload
            assert (reply.json["ok"], reply.json["request_id"]) == (False, "" if reply_to == "invalid" else "r")
            assert reason in reply.json["error"]
    async with listening(broker) as listener, connected(make_mqtt(broker.url), inbox):
        await command(broker, "count", body("last"))
        await listener.first("syncd/main/out/last")
    assert len(replies(listener.heard)) == 1
    assert list(inbox.facts) == ["count/last"]


def replies(heard: list[Any]) -> list[Any]:
    return [one for one in heard if "/out/" in one.topic]


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("erp/answers/7", "erp/answers/7"),
        ("syncd/main/out/elsewhere", "syncd/main/out/elsewhere"),
        ("syncd/main/in/count", "syncd/main/out/r1"),
        ("syncd/other/in/count", "syncd/main/out/r1"),
        ("syncd/main/state/A", "syncd/main/out/r1"),
        ("$SYS/broker", "syncd/main/out/r1"),
    ],
)
async def test_a_response_topic_is_honoured_but_never_our_own(broker: Broker, asked: str, answered: str) -> None:
    """The reply goes where an MQTT 5 request asks, with its correlation data, unless that would feed syncd itself."""
    properties = Properties(PacketTypes.PUBLISH)
    properties.ResponseTopic = asked
    properties.CorrelationData = b"\x00\x01"
    async with listening(broker) as listener, connected(make_mqtt(broker.url)):
        await command(broker, "count", body(), properties=properties)
        reply = await listener.first(answered)
    assert (reply.correlation, reply.json["ok"]) == (b"\x00\x01", True)


async def test_what_was_decided_is_in_the_reply(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reply says why a committed fact was not applied, and that it is pending when the decision takes long."""
    monkeypatch.setattr("syncd.edges.door.SETTLE_S", 0.05)

    async def settle(_receipt: Receipt) -> str:
        if inbox.tries == 1:
            return "unknown SKU A"
        await asyncio.Event().wait()
        return ""

    inbox = Inbox()
    async with listening(broker) as listener, connected(make_mqtt(broker.url), inbox, settle=settle):
        await command(broker, "count", body("one"))
        assert (await listener.first("syncd/main/out/one")).json["error"] == "unknown SKU A"
        await command(broker, "count", body("two"))
        reply = await listener.first("syncd/main/out/two")
    assert reply.json == {"request_id": "two", "ok": True, "pending": True}


async def test_replies_keep_the_order_of_their_commands(broker: Broker) -> None:
    """A command that is decided early is answered after those that came before it."""
    second = asyncio.Event()

    async def settle(receipt: Receipt) -> str:
        if receipt is receipts[0]:
            await second.wait()
        else:
            second.set()
        return ""

    async def intake(_fact: Fact, _source: str, _key: str) -> Receipt:
        receipts.append(Receipt(duplicate=False))
        return receipts[-1]

    receipts: list[Receipt] = []
    async with listening(broker) as listener, connected(make_mqtt(broker.url), intake, settle=settle):
        await command(broker, "count", body("one"))
        await command(broker, "count", body("two"))
        await listener.until(lambda heard: len(replies(heard)) == 2)
    assert [one.json["request_id"] for one in replies(listener.heard)] == ["one", "two"]


async def test_a_refused_fact_is_an_answer(broker: Broker) -> None:
    """A fact that the inbox will never take is answered with the reason."""

    async def refuse(_fact: Fact, _source: str, _key: str) -> Receipt:
        raise RejectedError("the count is held")

    async with listening(broker) as listener, connected(make_mqtt(broker.url), refuse):
        await command(broker, "count", body())
        assert (await listener.first("syncd/main/out/r1")).json["error"] == "the count is held"


async def test_commands_wait_while_nothing_can_be_committed(broker: Broker) -> None:
    """With the disk full commands wait unacked, events still go out, it is said once, and nothing is lost."""
    inbox, failures = Inbox(), 5

    async def intake(fact: Fact, source: str, key: str) -> Receipt:
        if inbox.tries < failures:
            inbox.tries += 1
            raise TransientError("the disk is full")
        return await inbox(fact, source, key)

    mqtt = make_mqtt(broker.url)
    with capture_logs() as logs:
        async with listening(broker) as listener, connected(mqtt, intake):
            for number in range(3):
                await command(broker, "count", body(f"r{number}"))
            assert await mqtt.deliver([event(1)]) == [1]
            for number in range(3):
                await listener.first(f"syncd/main/out/r{number}")
    assert len(inbox.facts) == 3
    assert [line["event"] for line in logs] == ["mqtt.up", "mqtt.commands_held", "mqtt.commands_taken"]


async def test_a_command_under_way_does_not_hold_up_the_next_connection(broker: Broker) -> None:
    """When the broker dies while a command cannot be committed, events flow again as soon as it is back."""
    inbox = Inbox()
    inbox.works.clear()
    mqtt = make_mqtt(broker.url)
    async with connected(mqtt, inbox):
        await command(broker, "count", body())
        await inbox.asked.wait()
        broker.kill()
        broker.start()
        with suppress(TransientError):  # the loss may not be noticed yet
            await mqtt.deliver([event(1)])
        assert await mqtt.deliver([event(1)]) == [1]


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
async def test_a_flood_of_commands_is_neither_dropped_nor_reordered(
    start_broker: Callable[..., Broker], protocol: str
) -> None:
    """Five hundred commands that come while nothing is committed are all committed and answered in their order."""
    broker = start_broker("max_queued_messages 10000", "max_inflight_messages 20")
    inbox = Inbox()
    inbox.works.clear()
    async with listening(broker) as listener, connected(make_mqtt(broker.url, protocol=protocol), inbox):
        async with aiomqtt.Client("127.0.0.1", broker.port) as client:
            for number in range(500):
                await client.publish("syncd/main/in/movement", body(f"r{number}"), qos=1)
        await inbox.asked.wait()
        inbox.works.set()
        await listener.first("syncd/main/out/r499")
    assert list(inbox.facts) == [f"movement/r{number}" for number in range(500)]
    assert [one.json["request_id"] for one in replies(listener.heard)] == [f"r{number}" for number in range(500)]


async def test_only_what_may_be_lost_is_dropped_from_a_full_queue() -> None:
    """A full queue of incoming messages drops those at QoS 0 and keeps those that somebody waits an ack for."""
    queue = _Queue()
    casual, earnest = (aiomqtt.Message("a", b"", qos, retain=False, mid=qos, properties=None) for qos in (0, 1))
    for _ in range(QUEUED):
        queue.put_nowait(casual)
    with pytest.raises(asyncio.QueueFull):
        queue.put_nowait(casual)
    queue.put_nowait(earnest)
    assert queue.qsize() == QUEUED + 1
