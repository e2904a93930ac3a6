"""The connection to a real mosquitto: what goes out, status, logins, limits."""

from __future__ import annotations

import asyncio
import gc
import socket
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from syncd.core.terms import Location
from syncd.edges.mqtt import Mqtt
from syncd.sdk.errors import AuthError, ConfigError, TransientError
from syncd.sdk.secret import Secret
from tests.edges.brokers import LONG_S, Broker, Inbox, command, connected, event, listening, make_mqtt
from tests.edges.mail_server import self_signed

pytestmark = pytest.mark.real

STATUS = "syncd/main/status"


async def test_events_arrive_as_cloudevents_in_binary_mode(broker: Broker) -> None:
    """With MQTT 5 an event has its attributes as user properties, a stable id and an expiry of seven days."""
    mqtt = make_mqtt(broker.url)
    async with listening(broker) as listener, connected(mqtt):
        assert await mqtt.deliver([event(7, "棚/1", body=b'{"sku":"x"}')]) == [7]
        heard = await listener.first("syncd/main/event/sale")
        assert await mqtt.deliver([event(7, "棚/1", body=b'{"sku":"x"}')]) == [7]
        again = (await listener.several("syncd/main/event/sale", 2))[1]
    assert heard.json == {"sku": "x"}
    assert (heard.content_type, heard.expiry_s, heard.retain) == ("application/json", 7 * 86_400, False)
    assert heard.attributes == {
        "specversion": "1.0",
        "id": "018bcfe5-687b-71c8-8000-000000000007",
        "source": "urn:syncd:main",
        "type": "syncd.sale.v1",
        "subject": "棚/1",
        "time": "2023-11-14T22:13:20.123456Z",
    }
    assert again.attributes["id"] == heard.attributes["id"]


async def test_events_arrive_in_structured_mode_without_mqtt_5(broker: Broker) -> None:
    """With MQTT 3.1.1 an event is one JSON object that holds attributes and data."""
    mqtt = make_mqtt(broker.url, protocol="3.1.1")
    async with listening(broker) as listener, connected(mqtt):
        assert await mqtt.deliver([event(7, body=b'{"q":1}')]) == [7]
        heard = await listener.first("syncd/main/event/sale")
    assert heard.json["data"] == {"q": 1}
    assert heard.json["id"] == event(7).event_id


async def test_states_are_retained_until_they_are_taken_away(broker: Broker) -> None:
    """Whoever subscribes later hears the last state of a SKU, and nothing of one whose state was emptied."""
    mqtt = make_mqtt(broker.url)
    async with connected(mqtt):
        states = [event(1, "A/1", "state", b"1"), event(2, "A/1", "state", b"2"), event(3, "B", "state", b"3")]
        await mqtt.deliver([*states, event(4, "B", "state", b"")])
        async with listening(broker) as listener:
            heard = await listener.first("syncd/main/state/A%2F1")
            await mqtt.deliver([event(5, "end", "sale")])
            await listener.first("syncd/main/event/sale")
    assert (heard.payload, heard.retain) == (b"2", True)
    assert not [one for one in listener.heard if one.topic == "syncd/main/state/B"]


async def test_status_is_online_then_offline(broker: Broker) -> None:
    """The status says online after connecting and offline after an orderly stop, retained both times."""
    async with listening(broker) as listener:
        async with connected(make_mqtt(broker.url)):
            await listener.first(STATUS)
        said = await listener.several(STATUS, 2)
    assert [one.payload for one in said] == [b"online", b"offline"]
    async with listening(broker) as late:
        assert (await late.first(STATUS)).retain


async def test_a_killed_daemon_is_offline_and_its_command_comes_again(broker: Broker) -> None:
    """After kill -9 before the commit the broker says offline, and gives the command to the next connection."""
    arguments = [sys.executable, str(Path(__file__).with_name("mqtt_child.py")), broker.url]
    async with listening(broker) as listener:
        process = await asyncio.create_subprocess_exec(*arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        try:
            await listener.first(STATUS)
            await command(broker, "movement", b'{"request_id":"m1","sku":"A","quantity":-2}')
            assert process.stdout is not None
            async with asyncio.timeout(LONG_S):
                while await process.stdout.readline() != b"taken m1\n":
                    pass  # its log
        finally:
            process.kill()
            await process.wait()
        assert [one.payload for one in await listener.several(STATUS, 2)] == [b"online", b"offline"]
        inbox = Inbox()
        async with connected(make_mqtt(broker.url, home=Location("main")), inbox):
            await listener.first("syncd/main/out/m1")
    assert list(inbox.facts) == ["movement/m1"]


async def test_a_wrong_password_is_said_once(start_broker: Callable[..., Broker], tmp_path: Path) -> None:
    """A refused login is an AuthError for the relay, is logged once, and does not tell the password."""
    passwords = tmp_path / "passwords"
    passwords.touch(mode=0o600)
    broker = start_broker("allow_anonymous false", f"password_file {passwords}")
    mqtt = make_mqtt(broker.url, username="shop", password=Secret("open-sesame"))
    with capture_logs() as logs:
        async with connected(mqtt, up=False):
            await tried(mqtt, 4)
            with pytest.raises(AuthError) as raised:
                await mqtt.deliver([event(1)])
    assert [(line["event"], line["failure"]) for line in logs] == [("mqtt.down", "AuthError")]
    assert "open-sesame" not in f"{logs}{raised.value}"


async def tried(mqtt: Mqtt, attempts: int) -> None:
    async with asyncio.timeout(LONG_S):
        while mqtt._attempts < attempts:
            await asyncio.sleep(0.01)


async def test_events_that_the_broker_refuses_stay(start_broker: Callable[..., Broker], tmp_path: Path) -> None:
    """What the access list forbids is not taken for delivered; what it allows is."""
    rules = tmp_path / "acl"
    rules.write_text("topic readwrite syncd/main/status\ntopic readwrite syncd/main/in/#\ntopic syncd/main/state/#\n")
    rules.chmod(0o600)
    broker = start_broker(f"acl_file {rules}")
    mqtt = make_mqtt(broker.url)
    with capture_logs() as logs:
        async with connected(mqtt):
            assert await mqtt.deliver([event(1), event(2, kind="state"), event(3)]) == [2]
            with pytest.raises(AuthError, match="access list"):
                await mqtt.deliver([event(1), event(3)])
    assert [line["event"] for line in logs] == ["mqtt.up", "mqtt.refused"]


async def test_a_broker_that_takes_few_at_once_gets_few(start_broker: Callable[..., Broker]) -> None:
    """A small Receive Maximum slows a batch and does not break the connection."""
    broker = start_broker("max_inflight_messages 3")
    mqtt = make_mqtt(broker.url)
    with capture_logs() as logs:
        async with connected(mqtt):
            batch = [event(number) for number in range(1, 301)]
            assert await mqtt.deliver(batch) == [one.id for one in batch]
            assert mqtt._wire is not None
            assert mqtt._wire._window._value == 3
    assert [line["event"] for line in logs] == ["mqtt.up"]


async def test_a_topic_that_is_too_long_blocks_nothing(broker: Broker) -> None:
    """An event that no broker can take is dropped and logged, and the others go on."""
    mqtt = make_mqtt(broker.url)
    with capture_logs() as logs:
        async with listening(broker) as listener, connected(mqtt):
            assert await mqtt.deliver([event(1, "x" * 70_000, "state"), event(2)]) == [1, 2]
            await listener.first("syncd/main/event/sale")
    assert [line["event"] for line in logs] == ["mqtt.up", "mqtt.unsendable"]


async def test_a_broker_that_forgot_us_is_noticed(broker: Broker) -> None:
    """`forgotten` is set when the broker has no session of ours, and only then."""
    async with connected(mqtt := make_mqtt(broker.url)):
        await mqtt.deliver([event(1)])
        assert mqtt.forgotten.is_set()
    async with connected(mqtt := make_mqtt(broker.url)):
        await mqtt.deliver([event(1)])
        assert not mqtt.forgotten.is_set()
        broker.kill()
        broker.start()
        async with asyncio.timeout(LONG_S):
            await mqtt.forgotten.wait()


async def test_delivery_without_a_connection_waits_for_one(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    """A delivery fails when no connection comes in time, and goes through when one comes while it waits."""
    broker.kill()
    mqtt = make_mqtt(broker.url)
    monkeypatch.setattr("syncd.edges.mqtt.LINK_S", 0.05)
    async with connected(mqtt, up=False):
        with pytest.raises(TransientError):
            await mqtt.deliver([event(1)])
        monkeypatch.setattr("syncd.edges.mqtt.LINK_S", LONG_S)
        async with asyncio.TaskGroup() as group:
            delivery = group.create_task(mqtt.deliver([event(1)]))
            await tried(mqtt, mqtt._attempts + 1)
            broker.start()
        assert delivery.result() == [1]


async def test_tls_checks_the_certificate(start_broker: Callable[..., Broker], tmp_path: Path) -> None:
    """By mqtts:// events pass when the broker's certificate is trusted, and nothing is sent when it is not."""
    made = self_signed(tmp_path)
    port = free_port()
    start_broker(f"listener {port} 127.0.0.1", f"certfile {made.certificate}", f"keyfile {made.key}")
    url = f"mqtts://127.0.0.1:{port}"
    trusting = make_mqtt(url, tls=made.client)
    async with connected(trusting):
        assert await trusting.deliver([event(1)]) == [1]
    with capture_logs() as logs, warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", ResourceWarning
        )  # paho leaves the socket of a failed handshake to the collector
        async with connected(wary := make_mqtt(url), up=False):
            await tried(wary, 2)
        gc.collect()
    assert ["CERTIFICATE_VERIFY_FAILED" in line["reason"] for line in logs] == [True]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


NO_BROKERS = [
    (b"\x20\x02\x00\x01", "ProtocolError"),  # it does not know MQTT 5
    (b"", "TransientError"),
    (b"\x20\x03\x00\x00\x00", "TransientError"),  # welcome, and gone
    (b"\x20\x03\x00\x87\x00", "AuthError"),
    (b"HTTP/1.1 400 Bad Request\r\n", "TransientError"),
]


@pytest.mark.parametrize(("answer", "failure"), NO_BROKERS)
async def test_a_server_that_is_no_fitting_broker_is_said_once(
    answer: bytes, failure: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A broker without MQTT 5, one that hangs up and no broker at all are noticed at once, and said once."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    with capture_logs() as logs:
        async with server, connected(mqtt := make_mqtt(f"mqtt://127.0.0.1:{port_of(server)}"), up=False):
            began_s = asyncio.get_running_loop().time()
            await tried(mqtt, 10)
            assert asyncio.get_running_loop().time() - began_s < 5
    assert [(line["event"], line["failure"]) for line in logs] == [("mqtt.down", failure)]
    gc.collect()
    assert [record.getMessage() for record in caplog.records] == []


def port_of(server: asyncio.Server) -> int:
    return int(server.sockets[0].getsockname()[1])


@pytest.mark.parametrize("url", ["", "localhost", "http://x", "mqtt://", "mqtt://host:port", "mqtt://host:99999"])
async def test_an_address_that_is_none_is_a_settings_problem(url: str) -> None:
    """A URL that names no broker is refused with what to write instead."""
    with pytest.raises(ConfigError, match=r"mqtt\.url.*mqtt://host:1883"):
        make_mqtt(url)
