"""Webhooks that syncd sends, against a receiver that behaves in every way that receivers do."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import itertools
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from syncd.core.retry import RetryRule
from syncd.edges import outgoing
from syncd.edges.outgoing import MOST_AGE_US, TELL_AFTER_US, Outgoing, PublicOnly, is_public, key_bytes
from syncd.engine.relay import Relay
from syncd.sdk.errors import AuthError, TransientError
from syncd.sdk.secret import Secret
from syncd.settings import WebhookSettings
from syncd.store import alerts, outbox
from syncd.store.outbox import Event, Waiting
from syncd.store.schema import migrate
from syncd.store.session import Store
from syncd.testing.clock import ManualClock

SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
NOW = 1_790_000_000_000_000


@dataclass
class Receiver:
    """Notes what came, and answers as `answers` say, the last one for ever."""

    answers: list[Any] = field(default_factory=lambda: [200])
    came: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""
    released: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.came.append(({name.lower(): value for name, value in request.headers.items()}, body))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if callable(answer):
            found: web.StreamResponse = await answer(request)
            return found
        status, headers = answer if isinstance(answer, tuple) else (answer, {})
        return web.Response(status=status, headers=headers, text="<html>" if status == 200 else "")

    @property
    def data(self) -> list[Any]:
        """Return what the events said, in the order in which they came."""
        return [msgspec.json.decode(body)["data"] for _, body in self.came]


@asynccontextmanager
async def receiving(*answers: Any) -> AsyncIterator[Receiver]:
    receiver = Receiver(list(answers) or [200])
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", receiver.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    try:
        yield receiver
    finally:
        receiver.released.set()
        await runner.cleanup()


def endpoint(receiver: Receiver | str, clock: ManualClock | None = None, **changes: Any) -> Outgoing:
    url = receiver if isinstance(receiver, str) else receiver.url
    values = {"url": url, "secret": Secret(SECRET), "private": True, **changes}
    settings = WebhookSettings(name="books", **values)
    return Outgoing(settings=settings, instance="main", clock=clock or ManualClock(start=NOW))


AT_ONCE = RetryRule(first_s=0.01, factor=1.0, most_s=0.01, jitter=0.0)
_IDS = itertools.count(1)


def event(key: str = "A", kind: str = "sale", *, at: int = NOW, **data: Any) -> Waiting:
    return Waiting(id=next(_IDS), key=key, type=kind, body=msgspec.json.encode(data), created_at=at)


async def test_an_event_is_signed_as_the_standard_says() -> None:
    """The signature is HMAC-SHA256 over id, time and body, for each secret, and the body is one CloudEvent."""
    async with receiving() as receiver:
        sent = event(units=3)
        sink = endpoint(receiver, old_secret=Secret("the secret of last year, long"))
        assert await sink.deliver([sent]) == [sent.id]
    ((headers, body),) = receiver.came
    signed = f"{sent.event_id}.{NOW // 1_000_000}.".encode() + body
    keys = (b"k" * 32, b"the secret of last year, long")
    digests = [base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode() for key in keys]
    assert headers["webhook-signature"] == " ".join(f"v1,{digest}" for digest in digests)
    assert (headers["webhook-id"], headers["webhook-timestamp"]) == (sent.event_id, str(NOW // 1_000_000))
    told = msgspec.json.decode(body)
    assert (told["type"], told["id"], told["subject"], told["data"]) == (
        "syncd.sale.v1", sent.event_id, "A", {"units": 3})  # fmt: skip


async def test_only_events_that_are_wanted_go_out() -> None:
    """An endpoint gets the types that it names, as words with stars, and never the states of MQTT."""
    async with receiving() as receiver:
        batch = [event(kind="sale", n=1), event(kind="channel.down", n=2), event(kind="stockout", n=3),
                 event(kind=outbox.STATE, n=4)]  # fmt: skip
        sink = endpoint(receiver, events=("channel.*", "stockout"))
        assert sorted(await sink.deliver(batch)) == [one.id for one in batch]
    assert sorted(told["n"] for told in receiver.data) == [2, 3]


async def test_nothing_overtakes_what_did_not_arrive() -> None:
    """Behind an event that failed nothing of its key is sent; other keys go on."""
    first, second, other = event("A", n=1), event("A", n=2), event("B", n=3)
    async with receiving() as receiver:

        async def picky(request: web.Request) -> web.Response:
            return web.Response(status=500 if msgspec.json.decode(await request.read())["subject"] == "A" else 200)

        receiver.answers = [picky]
        sink = endpoint(receiver)
        assert await sink.deliver([first, second, other]) == [other.id]
        assert sorted(told["n"] for told in receiver.data) == [1, 3]
        receiver.answers = [200]
        assert await sink.deliver([first, second]) == [first.id, second.id]
    assert [told["n"] for told in receiver.data[-2:]] == [1, 2]


async def slow(request: web.Request) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError


async def cut(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.close()
    return web.Response()


async def endless(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse(status=200)
    await answer.prepare(request)
    for _ in range(1_000_000):
        await answer.write(b"x" * 65_536)
    return answer


@pytest.mark.parametrize(
    ("answer", "error", "wait_s"),
    [
        (500, TransientError, None),
        ((503, {"Retry-After": "7"}), TransientError, 7.0),
        ((429, {"Retry-After": "9999999"}), TransientError, 3_600.0),
        ((429, {"Retry-After": "soon"}), TransientError, None),
        (408, TransientError, None),
        (400, AuthError, None),
        ((302, {"Location": "/elsewhere"}), AuthError, None),
        ((307, {"Location": "http://127.0.0.1:1/"}), AuthError, None),
        (cut, TransientError, None),
        (slow, TransientError, None),
    ],
)
async def test_a_bad_answer_is_no_delivery(
    monkeypatch: pytest.MonkeyPatch, answer: Any, error: type[Exception], wait_s: float | None
) -> None:
    """Errors, redirects, cut and silent connections leave the event waiting, and the error says what comes next."""
    monkeypatch.setattr(outgoing, "POST_S", 0.2 if answer is slow else 5.0)
    async with receiving(answer) as receiver:
        with pytest.raises(error) as raised:
            await endpoint(receiver).deliver([event()])
        assert getattr(raised.value, "retry_after_s", None) == wait_s
        assert receiver.url not in str(raised.value)
        assert len(receiver.came) == 1


async def test_a_web_page_with_200_is_a_delivery_and_its_length_does_not_matter() -> None:
    """What an answer holds is never read, however long it is."""
    async with receiving(endless) as receiver:
        sent = event()
        async with asyncio.timeout(5):
            assert await endpoint(receiver).deliver([sent]) == [sent.id]


async def test_nobody_there_is_asked_a_few_times_only() -> None:
    """A receiver that is down is not tried for every event of a batch."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/"
    sink = endpoint(url)
    with pytest.raises(TransientError, match="cannot be reached"):
        await sink.deliver([event(f"K{n}") for n in range(500)])


async def test_one_that_is_gone_is_left_alone() -> None:
    """After 410 nothing more is sent until a restart, and a person is told at once."""
    async with receiving(410) as receiver:
        sink = endpoint(receiver)
        for _ in range(3):
            with pytest.raises(AuthError, match="410"):
                await sink.deliver([event()])
        assert len(receiver.came) == 1
        assert "410" in sink._lasting()


async def test_an_event_that_is_refused_for_days_is_given_up() -> None:
    """What was refused for three days no longer holds back what comes after it."""
    async with receiving(500, 200) as receiver:
        old, new = event(n=1, at=NOW - MOST_AGE_US), event(n=2)
        assert await endpoint(receiver).deliver([old, new]) == [old.id, new.id]
    assert [told["n"] for told in receiver.data] == [1, 2]


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2001:4860:4860::8888", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("192.168.0.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:8.8.8.8", True),
        ("a.example", False),
    ],
)
def test_which_addresses_are_public(address: str, public: bool) -> None:
    """Addresses of this machine, of local networks and of clouds' own services are not public, in whatever dress."""
    assert is_public(address) is public


class Names(AbstractResolver):
    """A resolver that a test fills."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses

    async def resolve(self, host: str, port: int = 0, family: Any = socket.AF_INET) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host=address, port=port, family=int(family), proto=0, flags=0)
            for address in self.addresses
        ]

    async def close(self) -> None: ...


async def test_a_name_that_leads_inside_is_not_followed() -> None:
    """Of the addresses of a name only public ones are used; where there are none nothing is sent."""
    found = await PublicOnly(Names("10.0.0.1", "8.8.8.8")).resolve("a.example")
    assert [entry["host"] for entry in found] == ["8.8.8.8"]
    with pytest.raises(OSError, match="not a public one"):
        await PublicOnly(Names("10.0.0.1")).resolve("a.example")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_private_address_needs_the_owners_word(host: str) -> None:
    """Without `private` neither an address nor a name of this machine gets anything."""
    async with receiving() as receiver:
        sink = endpoint(receiver.url.replace("127.0.0.1", host), private=False)
        with pytest.raises((AuthError, TransientError)):
            await sink.deliver([event()])
        assert receiver.came == []


def test_a_secret_is_base64_after_its_mark() -> None:
    """What stands behind `whsec_` is decoded; any other secret is its own bytes."""
    assert key_bytes(Secret(SECRET)) == b"k" * 32
    assert key_bytes(Secret("plain")) == b"plain"
    assert key_bytes(Secret("whsec_***")) == b"whsec_***"


@asynccontextmanager
async def stored(path: Path, clock: ManualClock) -> AsyncIterator[Store]:
    url = f"sqlite:///{path / 'syncd.db'}"
    migrate(url, backup_dir=None, clock=clock)
    async with Store.open(url, clock=clock) as store:
        yield store


async def test_the_relay_brings_every_event_once_the_receiver_is_back(tmp_path: Path) -> None:
    """Through errors and cuts every event arrives, in the order of its key, and is then delivered."""
    clock = ManualClock(start=NOW)
    async with stored(tmp_path, clock) as store, receiving(500, cut, 503, 200) as receiver:
        sink = endpoint(receiver, clock)
        events = [Event(sink=sink.name, key=key, type="sale", body=msgspec.json.encode({"n": n, "key": key}))
                  for n in range(5) for key in ("A", "B")]  # fmt: skip
        await store.write(lambda conn: outbox.put(conn, events, now=clock.now()))
        relay = Relay(store, sink=sink, clock=clock, random=lambda: 0.0, hint=asyncio.Event(), rule=AT_ONCE)
        stop = asyncio.Event()
        async with asyncio.timeout(20), asyncio.TaskGroup() as group:
            group.create_task(relay.run(stop))
            await until(lambda: _nothing_waits(store))
            stop.set()
    first: dict[tuple[str, int], int] = {}
    for place, told in enumerate(receiver.data):
        first.setdefault((told["key"], told["n"]), place)
    for key in ("A", "B"):
        places = [first[key, n] for n in range(5)]
        assert places == sorted(places)


async def _nothing_waits(store: Store) -> bool:
    return not await store.read(outbox.depth)


async def until(check: Callable[[], Awaitable[bool]]) -> None:
    while not await check():
        await asyncio.sleep(0.01)


async def test_a_person_is_told_of_an_endpoint_that_fails_for_long(tmp_path: Path) -> None:
    """An alert is raised after a quarter of an hour of failures, once, and cleared when events arrive again."""
    clock = ManualClock(start=NOW)
    async with stored(tmp_path, clock) as store, receiving(500) as receiver:
        sink = endpoint(receiver, clock)

        async def told() -> list[str]:
            await store.write(lambda conn: sink._tell(conn, sink._lasting(), clock.now()))
            return [f"{one.kind}/{one.key}" for one in await store.read(alerts.standing)]

        with pytest.raises(TransientError):
            await sink.deliver([event()])
        assert await told() == []
        clock.advance(TELL_AFTER_US / 1_000_000)
        assert await told() == ["webhook_out/books"]
        receiver.answers = [200]
        await sink.deliver([event()])
        assert await told() == []
