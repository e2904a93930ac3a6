"""What a memory shop says, and what that means: tables, without a network."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import msgspec
import pytest

from adapters.memory import MemorySettings, wire
from adapters.memory.channel import Inprocess, MemoryChannel, open_channel
from adapters.memory.simulator import Habits, MemoryShop
from syncd.sdk.channel import (
    AccountId,
    Context,
    Forged,
    FulfilmentStatus,
    ListingRef,
    OutcomeKind,
    RawRequest,
    Span,
    Write,
    WriteMode,
)
from syncd.sdk.errors import ConfigError, ProtocolError
from syncd.sdk.secret import Secret
from syncd.testing.clock import ManualClock
from syncd.testing.loop import run_virtual, running

A = wire.Place(id="L-A")
REF = ListingRef(remote_id="L-A")


def line(**values: Any) -> wire.RemoteLine:
    usual: dict[str, Any] = {
        "id": "1",
        "listing": A,
        "sku": "A",
        "quantity": 3,
        "cancelled": 0,
        "shipped": 0,
        "gives": [],
    }
    return wire.RemoteLine(**usual | values)


def order(**values: Any) -> wire.RemoteOrder:
    usual: dict[str, Any] = {
        "id": "O-1",
        "number": "#1",
        "revision": 4,
        "at": 1_000,
        "precision_us": 500,
        "lines": [line()],
        "cancelled": False,
        "closed": False,
    }
    return wire.RemoteOrder(**usual | values)


def test_a_snapshot_says_what_the_shop_says() -> None:
    """An order keeps its numbers, version and times; the take is as wide as the shop's precision."""
    snapshot = wire.snapshot(order(), read_at=7, fresh=True)
    assert (snapshot.order_id, snapshot.number, snapshot.version, snapshot.read_at) == ("O-1", "#1", 4, 7)
    assert (snapshot.fresh, snapshot.cancelled, snapshot.closed) == (True, False, False)
    assert snapshot.lines[0].take == Span(earliest=1_000, latest=1_500)
    assert (snapshot.lines[0].remote_id, snapshot.lines[0].remote_sku, snapshot.lines[0].quantity) == ("L-A", "A", 3)


@pytest.mark.parametrize(
    ("values", "status"),
    [
        ({}, FulfilmentStatus.UNFULFILLED),
        ({"lines": [line(shipped=1)]}, FulfilmentStatus.PARTIALLY_FULFILLED),
        ({"lines": [line(shipped=3)], "closed": True}, FulfilmentStatus.FULFILLED),
        ({"lines": [line(cancelled=3)], "cancelled": True, "closed": True}, FulfilmentStatus.CANCELLED),
    ],
)
def test_fulfilment_follows_the_lines(values: dict[str, Any], status: FulfilmentStatus) -> None:
    """The unified status of an order follows from what was shipped and cancelled."""
    assert wire.snapshot(order(**values), read_at=0).fulfilment is status


@pytest.mark.parametrize(("at", "span"), [(None, Span(earliest=5, latest=None)), (9, Span(earliest=9, latest=509))])
def test_a_give_is_open_or_as_wide_as_the_precision(at: int | None, span: Span) -> None:
    """A restore that may still come has no end; one that came has the shop's precision."""
    give = wire.RemoteGive(id="g", quantity=2, since=5, at=at)
    snapshot = wire.snapshot(order(lines=[line(gives=[give])]), read_at=0)
    assert snapshot.lines[0].gives[0].span == span


def test_answers_are_matched_by_what_they_name() -> None:
    """Readings and outcomes come in the order that was asked for, whatever order they were answered in."""
    other = ListingRef(remote_id="L-B")
    answered = [wire.Reading(listing=A, quantity=3, active=True)]
    readings = wire.readings([other, REF], answered, asked_at=1, answered_at=2)
    assert [(reading.ref, reading.quantity, reading.active) for reading in readings] == [
        (other, None, False),
        (REF, 3, True),
    ]
    writes = [Write(key="a", ref=REF, quantity=1), Write(key="b", ref=other, quantity=2)]
    outcomes = wire.outcomes(writes, [wire.PushResult(key="b", result="stale", reason="sold")])
    assert [(outcome.key, outcome.kind) for outcome in outcomes] == [
        ("a", OutcomeKind.INDETERMINATE),
        ("b", OutcomeKind.STALE),
    ]


def test_a_buyer_is_left_out() -> None:
    """What the shop says of the buyer is not read at all."""
    told = msgspec.to_builtins(order()) | {"buyer": {"name": "Canary Person", "mail": "canary@example.jp"}}
    read = msgspec.json.decode(msgspec.json.encode(told), type=wire.RemoteOrder)
    assert b"anary" not in msgspec.json.encode(wire.snapshot(read, read_at=0))


# --- webhooks --------------------------------------------------------------------------------------------------------

SECRET = "memory-webhook-secret"
EVENT = wire.Event(id="E-1", topic="order", orders=[order(), order(id="O-2", revision=None)], order_ids=["O-3"])
BODY = msgspec.json.encode(EVENT)


async def with_channel(play: Callable[[MemoryChannel], Awaitable[None]], secret: str = SECRET) -> None:
    async with aiohttp.ClientSession() as session:
        context = Context(
            account=AccountId("a"), session=session, clock=ManualClock(), uuid=lambda: "k", random=lambda: 0.0
        )
        settings = MemorySettings(url="http://127.0.0.1:9", webhook_secret=Secret(secret))
        async with open_channel(settings, context) as channel:
            await play(channel)


@pytest.mark.parametrize(
    ("signature", "status"),
    [
        (wire.signature(SECRET, BODY), 0),
        (None, 400),
        ("", 400),
        (wire.signature("another", BODY), 401),
        (wire.signature(SECRET, BODY)[:-1], 401),
        (wire.signature(SECRET, BODY).upper(), 401),
        ("\u00e9", 401),
    ],
)
async def test_signatures(signature: str | None, status: int) -> None:
    """Only the right signature over the raw bytes is accepted."""

    async def play(channel: MemoryChannel) -> None:
        headers = {} if signature is None else {wire.SIGNATURE: signature}
        assert _verdict(channel, RawRequest(headers=headers, body=BODY)) == status

    await with_channel(play)


def _verdict(channel: MemoryChannel, request: RawRequest) -> int:
    """Return the status with which a request is refused, 0 when it is genuine."""
    try:
        channel.verify(request)
    except Forged as verdict:
        return verdict.status
    return 0


async def test_without_a_secret_nothing_is_genuine() -> None:
    """A channel without a webhook secret refuses even what an empty secret signed."""

    async def play(channel: MemoryChannel) -> None:
        with pytest.raises(Forged):
            channel.verify(RawRequest(headers={wire.SIGNATURE: wire.signature("", BODY)}, body=BODY))

    await with_channel(play, secret="")


async def test_a_webhook_without_revision_is_a_hint() -> None:
    """Whole orders with a revision are taken as they are; others are only named."""

    async def play(channel: MemoryChannel) -> None:
        notice = channel.parse(RawRequest(headers={}, body=BODY))
        assert [snapshot.order_id for snapshot in notice.orders] == ["O-1"]
        assert (notice.order_ids, notice.dedupe_key) == (("O-3", "O-2"), "E-1")
        with pytest.raises(ProtocolError):
            channel.parse(RawRequest(headers={}, body=b"{}"))

    await with_channel(play)


@pytest.mark.parametrize(
    ("values", "place"),
    [
        ({"url": "here"}, "settings.url"),
        ({"url": "ftp://here"}, "settings.url"),
        ({"url": "http://h", "write_mode": "sometimes"}, "settings.write_mode"),
    ],
)
async def test_settings_that_cannot_be_used(values: dict[str, Any], place: str) -> None:
    """Opening tells every problem of the settings."""
    settings = MemorySettings(**values)
    assert [problem.place for problem in settings.problems()] == [place]
    with pytest.raises(ConfigError, match=place):
        async with open_channel(settings, None):  # type: ignore[arg-type]
            pass


# --- in process ------------------------------------------------------------------------------------------------------


def test_the_shop_in_process() -> None:
    """Without a network the same shop is read and written by the same contract, in the time that its habits take."""

    async def play() -> None:
        clock = running().clock
        shop = MemoryShop(clock=clock, seed=2, habits=Habits(effect_s=(3.0, 3.0), feed_lateness_s=(60.0, 60.0)))
        shop.add("A", 10)
        channel = Inprocess(shop, clock, write_mode=WriteMode.DELTA, latency_s=0.2)
        cursor = (await channel.orders(None)).cursor
        receipt = shop.buy([("A", 2)])
        began = clock.now()
        outcomes = await channel.push([Write(key="k", ref=REF, quantity=13, delta=5)])
        assert outcomes[0].kind is OutcomeKind.APPLIED
        assert 3_200_000 <= clock.now() - began <= 3_300_000
        reading = (await channel.seen([REF]))[0]
        assert (reading.quantity, reading.answered_at - reading.asked_at) == (13, 200_000)
        assert (await channel.orders(cursor)).orders == ()
        assert (await channel.fetch([receipt.order_id]))[0].fresh
        assert [listing.sku for listing in (await channel.listings(None)).listings] == ["A"]
        assert channel.profile.effect_delay_s >= 4.0

    run_virtual(play)


def test_a_push_that_is_given_up_still_has_its_effect() -> None:
    """Whoever stops waiting for a slow write does not undo it."""

    async def play() -> None:
        clock = running().clock
        shop = MemoryShop(clock=clock, habits=Habits(effect_s=(10.0, 10.0)))
        shop.add("A", 10)
        channel = Inprocess(shop, clock)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.0):
                await channel.push([Write(key="k", ref=REF, quantity=3)])
        assert shop.quantity("A") == 10
        await asyncio.sleep(10.0)
        assert shop.quantity("A") == 3

    run_virtual(play)
