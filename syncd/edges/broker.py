"""One connection to an MQTT broker. The only file that knows aiomqtt (2.5) and the paho client inside it.

Facts from outside: MQTT 5.0 (docs.oasis-open.org/mqtt/mqtt/v5.0, 2019-03-07), section numbers where they are used.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import aiomqtt
from aiomqtt.exceptions import MqttConnectError
from paho.mqtt.client import MQTT_CLEAN_START_FIRST_ONLY
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from syncd.edges.cloudevents import Message
from syncd.sdk.errors import AuthError, ChannelError, ProtocolError, TransientError
from syncd.sdk.secret import Secret, redact

KEEPALIVE_S: Final = 30

WINDOW: Final = 200
"""Most messages under way to the broker; fewer where it says so (Receive Maximum, 3.2.2.3.3)."""

INCOMING: Final = 100
"""Most messages that came in at QoS 1 and are not acked: the broker keeps the others."""

QUEUED: Final = 1_000
"""Most messages at QoS 0 that wait here; more are dropped, which QoS 0 allows."""

MOST_PACKET_BYTES: Final = 1_048_576

SESSION_S: Final = 7 * 86_400
"""How long the broker keeps messages for us while we are away."""

REFUSED: Final = 0x80
"""Reason codes from here on are failures (2.4)."""

LOST: Final = -1
"""In place of a reason code: the connection went before the broker answered."""

_NO_LOGIN: Final = frozenset({0x86, 0x87, 0x8C})
_NOT_AUTHORIZED: Final = 0x87
_BAD_VERSION: Final = 0x84

_silent = logging.getLogger("syncd.mqtt.paho")
_silent.setLevel(logging.CRITICAL + 1)  # what matters of it is an error here, without payloads


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """Where to connect and as whom. `five` is MQTT 5, else 3.1.1. `tls` None is without TLS.

    The broker says `offline` on `will_topic`, retained, when the connection is cut.
    """

    host: str
    port: int
    client_id: str
    username: str
    password: Secret
    five: bool
    tls: ssl.SSLContext | None
    will_topic: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """A message that came in; `mid` and `qos` are for the ack. The last two are of MQTT 5, empty without."""

    topic: str
    payload: bytes
    mid: int
    qos: int
    response_topic: str
    correlation: bytes


class _Queue(asyncio.Queue[aiomqtt.Message]):
    """Holds what came in. What is at QoS 1 is never dropped: the broker's window bounds it, for we have not acked."""

    def put_nowait(self, item: aiomqtt.Message) -> None:
        if item.qos == 0 and self.qsize() >= QUEUED:
            raise asyncio.QueueFull
        super().put_nowait(item)


class Connection:
    """One connection; never used again after it is lost: a used client says "connected" to a broker that refused it.

    It reaches past aiomqtt's public face, for aiomqtt 2 acks before we have committed, does not tell that a broker
    refused a message, and leaves publishers waiting when the connection goes. The paho client inside does better.

    `failure` is set once the connection is lost or given up. `known` says that the broker remembered our session.
    """

    def __init__(self, login: Login) -> None:
        self._five = login.five
        self._loop = asyncio.get_running_loop()
        self._client = _client(login)
        self._paho = self._client._client  # noqa: SLF001
        self._paho.manual_ack_set(on=True)
        self._paho.on_socket_register_write = self._on_want_write
        self._paho.on_publish = self._on_publish
        self._paho.on_connect = self._on_connect
        self._paho.on_disconnect = self._on_disconnect
        self._unconfirmed: dict[int, asyncio.Future[int]] = {}
        self._window = asyncio.Semaphore(WINDOW)
        self.failure: ChannelError | None = None
        self.known = False

    async def open(self) -> None:
        """Connect; raises what the broker's answer means."""
        failure = await self._connect() or self.failure
        if failure is not None:
            raise failure
        self._client._disconnected.add_done_callback(self._on_disconnected)  # noqa: SLF001

    async def _connect(self) -> ChannelError | None:
        """Return the failure instead of raising it: raised here it would hold the socket of a failed TLS handshake."""
        try:
            await self._client.__aenter__()
        except aiomqtt.MqttError as error:
            return _meaning(error)
        except UnicodeError:
            return TransientError("the broker's name cannot be resolved", sent=False)
        return None

    def _on_connect(self, client: Any, userdata: Any, flags: Any, reason: Any, properties: Any = None) -> None:
        """Note what the broker says of itself: whether it remembers our session, and how much it takes at once."""
        self.known = flags.session_present
        self._window = asyncio.Semaphore(min(WINDOW, getattr(properties, "ReceiveMaximum", WINDOW)))
        self._client._on_connect(client, userdata, flags, reason, properties)  # noqa: SLF001

    def _on_disconnect(self, client: Any, userdata: Any, flags: Any, reason: Any, properties: Any = None) -> None:
        """Notice at once a connection that ends before or at the broker's first answer; aiomqtt would wait it out."""
        connected = self._client._connected  # noqa: SLF001
        if not connected.done():
            connected.set_exception(aiomqtt.MqttError("closed before the broker answered"))
        self._client._on_disconnect(client, userdata, flags, reason, properties)  # noqa: SLF001
        if self._client._disconnected.done():  # noqa: SLF001
            # Later, for paho holds a lock here that closing a socket needs.
            self._loop.call_soon(self._on_disconnected, self._client._disconnected)  # noqa: SLF001

    def _on_want_write(self, _client: Any, _userdata: Any, sock: Any) -> None:
        """Write once the socket has room. aiomqtt's own way may ask for a socket that was closed in between."""
        self._loop.call_soon_threadsafe(self._add_writer, sock)

    def _add_writer(self, sock: Any) -> None:
        if sock.fileno() >= 0 and self._paho.want_write():
            self._loop.add_writer(sock.fileno(), self._write)

    def _write(self) -> None:
        try:
            self._paho.loop_write()
        except OSError as error:
            self.fail(TransientError(f"the connection to the broker is lost: {redact(str(error))}"))

    def _on_disconnected(self, disconnected: asyncio.Future[None]) -> None:
        reason = None if disconnected.cancelled() else disconnected.exception()
        self.fail(TransientError(f"the connection to the broker is lost: {redact(str(reason or 'closed'))}"))

    def _on_publish(self, _client: Any, _userdata: Any, mid: int, reason: Any, _properties: Any) -> None:
        future = self._unconfirmed.pop(mid, None)
        if future is not None:
            self._confirm(future, _value(reason))

    def _confirm(self, future: asyncio.Future[int], code: int) -> None:
        self._window.release()
        if not future.done():
            future.set_result(code)

    async def send(self, message: Message) -> asyncio.Future[int]:
        """Send at QoS 1 once the window has room; the future gets the broker's reason code, or `LOST`."""
        await self._window.acquire()
        if self.failure is not None:
            self._window.release()
            raise self.failure
        properties = _publish_properties(message) if self._five else None
        info = self._paho.publish(message.topic, message.payload, 1, message.retain, properties)
        future = self._unconfirmed[info.mid] = self._loop.create_future()
        if info.rc != 0:
            self.fail(TransientError("the connection to the broker is lost"))
        return future

    def ack(self, message: Incoming) -> None:
        """Acknowledge a message that came in; on a lost connection nothing happens and it comes again."""
        if message.qos > 0 and self.failure is None:
            self._paho.ack(message.mid, message.qos)

    async def subscribe(self, topic: str) -> None:
        """Subscribe at QoS 1; raises AuthError where the broker does not let us."""
        try:
            codes = await self._client.subscribe(topic, qos=1)
        except aiomqtt.MqttError as error:
            raise self.failure or _meaning(error) from None
        if any(_value(code) >= REFUSED for code in codes):
            raise AuthError(f"the broker does not let us subscribe to {topic}")

    async def messages(self) -> AsyncGenerator[Incoming, None]:
        """Give what comes in until the connection is lost."""
        with contextlib.suppress(aiomqtt.MqttError):
            async for message in self._client.messages:
                yield _incoming(message)

    def fail(self, error: ChannelError) -> None:
        """Give the connection up for `error` and cut it; only the first failure counts.

        Cut and not closed: so the broker sends the will, and gives what we have not acked to the next connection.
        """
        if self.failure is not None:
            return
        self.failure = error
        self._paho.on_socket_open = _close  # a thread may still be connecting
        self._paho._sock_close()  # noqa: SLF001
        unconfirmed, self._unconfirmed = self._unconfirmed, {}
        for future in unconfirmed.values():
            self._confirm(future, LOST)
        if not self._client._disconnected.done():  # noqa: SLF001
            self._client._disconnected.set_result(None)  # noqa: SLF001

    async def leave(self) -> None:
        """Say goodbye, so that the broker drops the will."""
        with contextlib.suppress(aiomqtt.MqttError):
            await self._client.__aexit__(None, None, None)


def refusal(code: int) -> ChannelError:
    """Return what it means that the broker refused a message with this reason code."""
    if code == _NOT_AUTHORIZED:
        return AuthError("the broker does not let us publish; its access list must allow syncd/<instance>/#")
    return TransientError(f"the broker refused a message with reason code 0x{code:02x}")


def arrived(sent: Mapping[int, asyncio.Future[int]]) -> tuple[list[int], list[int]]:
    """Return the keys that the broker confirmed, and the reason codes of those that it refused."""
    codes = {key: future.result() for key, future in sent.items()}
    return [key for key, code in codes.items() if 0 <= code < REFUSED], [c for c in codes.values() if c >= REFUSED]


def _client(login: Login) -> aiomqtt.Client:
    return aiomqtt.Client(
        login.host,
        login.port,
        username=login.username or None,
        password=login.password.reveal() or None,
        identifier=login.client_id,
        protocol=aiomqtt.ProtocolVersion.V5 if login.five else aiomqtt.ProtocolVersion.V311,
        clean_session=None if login.five else False,
        clean_start=False if login.five else MQTT_CLEAN_START_FIRST_ONLY,
        properties=_connect_properties() if login.five else None,
        will=aiomqtt.Will(login.will_topic, b"offline", qos=1, retain=True),
        keepalive=KEEPALIVE_S,
        tls_context=login.tls,
        queue_type=_Queue,
        max_inflight_messages=WINDOW,
        logger=_silent,
    )


def _meaning(error: aiomqtt.MqttError) -> ChannelError:
    """Return what a failed call means for us."""
    code = _value(error.rc) if isinstance(error, MqttConnectError) else 0
    if code in _NO_LOGIN:
        return AuthError(f"the broker refuses our login: {error}")
    if code == _BAD_VERSION:
        return ProtocolError('the broker does not speak this version of MQTT; most likely it needs protocol = "3.1.1"')
    if "timed out" in str(error):
        return TransientError('the broker does not answer; if it speaks MQTT 3.1.1 only, set protocol = "3.1.1"')
    return TransientError(redact(str(error)), sent=False)


def _value(reason: Any) -> int:
    """Return the number of a reason code; paho gives an object, a bare number, or none (MQTT 3.1.1)."""
    return int(getattr(reason, "value", reason) or 0)


def _incoming(message: aiomqtt.Message) -> Incoming:
    return Incoming(
        topic=str(message.topic),
        payload=message.payload,
        mid=message.mid,
        qos=message.qos,
        response_topic=getattr(message.properties, "ResponseTopic", ""),
        correlation=getattr(message.properties, "CorrelationData", b""),
    )


def _connect_properties() -> Properties:
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho has no types here
    properties.SessionExpiryInterval = SESSION_S
    properties.ReceiveMaximum = INCOMING
    properties.MaximumPacketSize = MOST_PACKET_BYTES
    return properties


def _publish_properties(message: Message) -> Properties:
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # the same
    if message.content_type:
        properties.ContentType = message.content_type
    if message.expiry_s is not None:
        properties.MessageExpiryInterval = message.expiry_s
    if message.properties:
        properties.UserProperty = list(message.properties)
    if message.correlation:
        properties.CorrelationData = message.correlation
    return properties


def _close(_client: Any, _userdata: Any, sock: Any) -> None:
    sock.close()
