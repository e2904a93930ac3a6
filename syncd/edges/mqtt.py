"""MQTT: one connection that publishes events, states and status, and takes commands from a shop's own systems.

| topic | what | how |
|---|---|---|
| `syncd/<instance>/state/<sku>` | everything about a SKU | retained; an empty payload takes it away |
| `syncd/<instance>/event/<type>` | what happened | kept 7 days for a receiver that is away |
| `syncd/<instance>/status` | `online` or `offline` | retained; the broker says `offline` when we fall silent |
| `syncd/<instance>/in/<command>` | commands (`edges.commands`) | acknowledged only after the fact is committed |
| `syncd/<instance>/out/<request id>` | the answer (`edges.door`) | or on the response topic of an MQTT 5 request |

All at QoS 1. Events are CloudEvents (`edges.cloudevents`).
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from syncd.core.retry import RetryRule, delay_s
from syncd.core.terms import UNPLACED, Location
from syncd.edges.broker import INCOMING, REFUSED, Connection, Incoming, Login, arrived, refusal
from syncd.edges.cloudevents import MOST_TOPIC_BYTES, Message, Topics, event_message
from syncd.edges.door import Answer, Door, Intake, Settle
from syncd.log import logger
from syncd.sdk.channel import Clock
from syncd.sdk.errors import ChannelError, ConfigError, Problem, TransientError
from syncd.sdk.secret import Secret
from syncd.store.outbox import Waiting

SOURCE: Final = "mqtt"
"""What facts from here have as their source."""

CONNECT_S: Final = 45.0

PUBLISH_S: Final = 30.0
"""Longest wait for the broker to confirm one batch; a broker that takes longer is left."""

LINK_S: Final = 25.0
"""Longest wait of a delivery for a connection."""

LEAVE_S: Final = 5.0

MOST_RESPONSE_TOPIC: Final = 1_024

RULE: Final = RetryRule(first_s=1.0, factor=2.0, most_s=30.0, jitter=0.5)

_PORTS: Final = {"mqtt": 1883, "mqtts": 8883}

_log = logger("mqtt")


class Mqtt:
    """The broker as a sink of the relay, and as a door for commands. `run` keeps the connection; `deliver` uses it.

    `url` is mqtt://host:1883 or, with TLS, mqtts://host:8883 (`tls` None: the system's certificates, or those of
    $SSL_CERT_FILE). `protocol` is "5" or "3.1.1". `home` is the location of commands that name none.

    `forgotten` is set when the broker does not know our session: what it retained may be gone with it, so whoever
    clears it puts all states into the outbox again. `trouble` says why there is no connection, `""` while there is.

    Raises ConfigError for a URL that cannot be used.
    """

    name = "mqtt"

    def __init__(
        self,
        *,
        url: str,
        username: str,
        password: Secret,
        protocol: str,
        instance: str,
        clock: Clock,
        random: Callable[[], float],
        home: Location = UNPLACED,
        tls: ssl.SSLContext | None = None,
        rule: RetryRule = RULE,
    ) -> None:
        scheme, host, port = _address(url)
        self._topics = Topics(instance=instance)
        self._login = Login(
            host=host,
            port=port,
            client_id=f"syncd-{instance}",
            username=username,
            password=password,
            five=protocol == "5",
            tls=(tls or ssl.create_default_context()) if scheme == "mqtts" else None,
            will_topic=self._topics.status,
        )
        self._clock = clock
        self._random = random
        self._home = home
        self._rule = rule
        self._wire: Connection | None = None
        self._linked = asyncio.Event()
        self._failure: ChannelError | None = None
        self._attempts = 0
        self._holding = False
        self._refusing = False
        self.forgotten = asyncio.Event()
        self.trouble = "not connected yet"

    # --- the connection ---

    async def run(self, stop: asyncio.Event, *, intake: Intake[Any], settle: Settle[Any] | None = None) -> None:
        """Keep a connection until `stop` is set, and hand commands to `intake` (see `edges.door`)."""
        door = Door(source=SOURCE, intake=intake, settle=settle, clock=self._clock, home=self._home)
        try:
            while not stop.is_set():
                await self._attempt(stop, door)
        finally:
            self._linked.set()  # whoever waits for a connection now learns that there will be none

    async def _attempt(self, stop: asyncio.Event, door: Door) -> None:
        try:
            await self._connection(stop, door)
        except ChannelError as error:
            wait_s = self._down(error)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await stop.wait()

    async def _connection(self, stop: asyncio.Event, door: Door) -> None:
        """Live through one connection: return at `stop`, raise what ended it otherwise."""
        wire = Connection(self._login)
        try:
            await self._enter(wire)
            self._up(wire)
            await self._serve(wire, stop, door)
            if wire.failure is not None:
                raise wire.failure
            await self._leave(wire)
        finally:
            self._wire = None
            self._linked.clear()
            wire.fail(TransientError("the connection to the broker was closed"))

    async def _enter(self, wire: Connection) -> None:
        try:
            async with asyncio.timeout(CONNECT_S):
                await wire.open()
                await wire.subscribe(self._topics.command("+"))
                await self._say(wire, b"online")
        except TimeoutError:
            raise TransientError(f"no connection to the broker within {CONNECT_S:.0f} s") from None

    async def _leave(self, wire: Connection) -> None:
        """Say that we go; where that fails, the cut that follows makes the broker say it."""
        with contextlib.suppress(TimeoutError, ChannelError):
            async with asyncio.timeout(LEAVE_S):
                await self._say(wire, b"offline")
                await wire.leave()

    async def _say(self, wire: Connection, status: bytes) -> None:
        code = await (await wire.send(Message(topic=self._topics.status, payload=status, retain=True)))
        if wire.failure is not None:
            raise wire.failure
        if code >= REFUSED:
            raise refusal(code)

    def _up(self, wire: Connection) -> None:
        _log.info("mqtt.up", host=self._login.host, port=self._login.port)
        self._wire, self._failure, self._attempts, self.trouble = wire, None, 0, ""
        self._linked.set()
        if not wire.known:
            self.forgotten.set()

    def _down(self, error: ChannelError) -> float:
        """Say once that there is no connection for this kind of reason; return the seconds to wait."""
        if type(error) is not type(self._failure):
            _log.warning(
                "mqtt.down",
                host=self._login.host,
                port=self._login.port,
                failure=type(error).__name__,
                reason=str(error),
            )
        self._failure, self.trouble = error, str(error)
        self._attempts += 1
        retry_after_s = error.retry_after_s if isinstance(error, TransientError) else None
        return delay_s(self._attempts, rule=self._rule, retry_after_s=retry_after_s, draw=self._random())

    # --- out ---

    async def deliver(self, batch: Sequence[Waiting]) -> list[int]:
        """Publish in order and return the ids that the broker confirmed; raises as `engine.relay.Sink` says.

        What was under way when a connection went comes again on the next one, with the same id.
        """
        wire = await self._link()
        sent: dict[int, asyncio.Future[int]] = {}
        try:
            async with asyncio.timeout(PUBLISH_S):
                await self._publish(wire, batch, sent)
        except TimeoutError:
            wire.fail(TransientError(f"the broker did not confirm within {PUBLISH_S:.0f} s"))
        except ChannelError:
            pass  # the connection is lost: what arrived before that counts
        ids, refused = arrived(sent)
        if refused and not self._refusing:
            _log.warning("mqtt.refused", messages=len(refused), reason=str(refusal(refused[0])))
        self._refusing = bool(refused)
        if ids:
            return ids
        raise wire.failure or (refusal(refused[0]) if refused else TransientError("nothing was sent"))

    async def _link(self) -> Connection:
        """Return the connection, waiting for one unless a person must act first."""
        if self._failure is not None and not isinstance(self._failure, TransientError):
            raise self._failure
        if self._wire is not None and self._wire.failure is not None:
            self._linked.clear()  # it is ending, and the next one comes soon
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LINK_S):
                await self._linked.wait()
        if self._wire is None:
            raise self._failure or TransientError("no connection to the broker", sent=False)
        return self._wire

    async def _publish(self, wire: Connection, batch: Sequence[Waiting], sent: dict[int, asyncio.Future[int]]) -> None:
        for event in batch:
            message = event_message(event, topics=self._topics, binary=self._login.five)
            if len(message.topic.encode()) > MOST_TOPIC_BYTES:
                _log.error("mqtt.unsendable", event_id=event.event_id, type=event.type, reason="its topic is too long")
                sent[event.id] = _settled(0)
            else:
                sent[event.id] = await wire.send(message)
        if sent:
            await asyncio.wait(sent.values())

    # --- in ---

    async def _serve(self, wire: Connection, stop: asyncio.Event, door: Door) -> None:
        """Answer commands until `stop` is set or the connection is lost. What is not acked comes again."""
        async with asyncio.TaskGroup() as group:
            reader = group.create_task(self._read(wire, door), name="mqtt.read")
            stopper = group.create_task(stop.wait(), name="mqtt.stop")
            await asyncio.wait((reader, stopper), return_when=asyncio.FIRST_COMPLETED)
            reader.cancel()
            stopper.cancel()

    async def _read(self, wire: Connection, door: Door) -> None:
        """Start commands in the order in which they came; many are under way, so that they share commits."""
        slots = asyncio.Semaphore(INCOMING)
        under_way: set[asyncio.Task[None]] = set()
        before = asyncio.Event()
        before.set()
        async with asyncio.TaskGroup() as group, contextlib.aclosing(wire.messages()) as messages:
            async for message in messages:
                await slots.acquire()
                after = asyncio.Event()
                task = group.create_task(self._answer(wire, door, message, before=before, after=after))
                under_way.add(task)
                task.add_done_callback(under_way.discard)
                task.add_done_callback(lambda _task: slots.release())
                before = after
            # The connection is lost: nobody can be answered on it, and all of these come again on the next one.
            for task in under_way:
                task.cancel()

    async def _answer(
        self, wire: Connection, door: Door, message: Incoming, *, before: asyncio.Event, after: asyncio.Event
    ) -> None:
        """Commit, answer, ack; answers and acks go out in the order of the commands."""
        try:
            reply = await self._committed(wire, door, message)
            await before.wait()
            async with asyncio.timeout(PUBLISH_S):
                confirmed = await wire.send(reply)
                after.set()
                await confirmed
            wire.ack(message)
        except TimeoutError:
            wire.fail(TransientError(f"the broker did not confirm a reply within {PUBLISH_S:.0f} s"))
        except ChannelError as error:
            wire.fail(error)
        finally:
            after.set()

    async def _committed(self, wire: Connection, door: Door, message: Incoming) -> Message:
        """Bring a command through the door, however often that takes, and return the reply to it."""
        name = message.topic.rpartition("/")[2]
        attempts = 0
        while True:
            try:
                answer = await door.answer(name, message.payload)
            except (TransientError, TimeoutError) as error:
                if wire.failure is not None:
                    raise wire.failure from None
                attempts += 1
                self._hold(str(error) or "the ledger does not answer")
                await asyncio.sleep(delay_s(attempts, rule=self._rule, retry_after_s=None, draw=self._random()))
            else:
                self._hold("")
                return _reply(message, answer, topics=self._topics)

    def _hold(self, reason: str) -> None:
        """Say once that commands wait because they cannot be committed, and once that they go on."""
        if bool(reason) != self._holding:
            self._holding = bool(reason)
            if reason:
                _log.warning("mqtt.commands_held", reason=reason)
            else:
                _log.info("mqtt.commands_taken")


def _address(url: str) -> tuple[str, str, int]:
    """Return scheme, host and port of a broker's URL."""
    try:
        parts = urlsplit(url)
        if parts.scheme in _PORTS and parts.hostname:
            return parts.scheme, parts.hostname, parts.port or _PORTS[parts.scheme]
    except ValueError:
        pass  # a port that is no number
    problem = Problem(
        place="mqtt.url", message="not the address of a broker", remedy="write mqtt://host:1883 or mqtts://host:8883"
    )
    raise ConfigError([problem])


def _settled(code: int) -> asyncio.Future[int]:
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    future.set_result(code)
    return future


def _reply(message: Incoming, answer: Answer, *, topics: Topics) -> Message:
    """Return the reply to a request: to the response topic that it names, unless that would feed syncd itself."""
    asked = message.response_topic
    inside = asked.startswith("syncd/") and not asked.startswith(f"{topics.root}out/")
    fit = 0 < len(asked) <= MOST_RESPONSE_TOPIC and not asked.startswith("$") and not {"+", "#"} & set(asked)
    topic = asked if fit and not inside else topics.reply(answer.request_id)
    return Message(topic=topic, payload=answer.body, content_type="application/json", correlation=message.correlation)
