"""The hostile wrapper: each kind of trouble shows, none leaves the contract of a channel, and calm ends all of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from adapters.memory.channel import Inprocess, MemoryChannel
from adapters.memory.settings import MemorySettings
from adapters.memory.simulator import Habits, MemoryShop
from syncd.sdk.channel import AccountId, Context, Health, ListingRef, OutcomeKind, Webhooks, Write, WriteMode
from syncd.sdk.errors import ProtocolError, TransientError
from syncd.testing.chance import SeededRandom
from syncd.testing.clock import ManualClock
from syncd.testing.faults import MOST_S, Faults, Hostile, Hostility, Trouble, draw, merged
from syncd.testing.hostile import CALM
from syncd.testing.loop import VirtualConnector, run_virtual, running
from syncd.testing.simulators import sku_name

NONE = CALM
REFS = [ListingRef(remote_id=f"L-{sku_name(number)}") for number in range(1, 5)]
DENIED = {OutcomeKind.STALE, OutcomeKind.REJECTED, OutcomeKind.UNSENT}

Play = Callable[[MemoryShop, Hostile], Awaitable[None]]


def played(play: Play, *, seed: int = 1, habits: Habits = Habits(), **rates: float) -> None:  # noqa: B008  (frozen)
    """Play with a shop of four goods, twenty units each, behind a channel that is hostile in this way only."""

    async def run() -> None:
        clock = running().clock
        shop = MemoryShop(clock=clock, seed=seed, habits=habits)
        for number in range(1, 5):
            shop.add(sku_name(number), 20)
        channel = Inprocess(shop, clock, write_mode=WriteMode.COMPARE_AND_SET)
        await play(shop, Hostile(channel, seed=seed, hostility=replace(NONE, **rates)))

    run_virtual(run, seed=seed)


def writes(quantity: int, *, turn: int = 0) -> list[Write]:
    return [Write(key=f"{turn}-{ref.remote_id}", ref=ref, quantity=quantity) for ref in REFS]


def calls(channel: Hostile) -> list[Callable[[], Awaitable[Any]]]:
    return [
        lambda: channel.orders(None),
        lambda: channel.fetch(["O-1001"]),
        lambda: channel.listings(None),
        lambda: channel.seen(REFS),
        lambda: channel.push(writes(5)),
    ]


def test_calm_changes_nothing() -> None:
    """Without hostility the wrapper answers what the channel answers, in no time."""

    async def play(shop: MemoryShop, channel: Hostile) -> None:
        shop.buy([("SKU-00001", 1)])
        began_s = running().time()
        assert [order.number for order in (await channel.orders(None)).orders] == ["#1001"]
        assert [reading.quantity for reading in await channel.seen(REFS)] == [19, 20, 20, 20]
        assert {outcome.kind for outcome in await channel.push(writes(5))} == {OutcomeKind.APPLIED}
        assert channel.profile.write_mode is WriteMode.COMPARE_AND_SET
        assert running().time() == began_s

    played(play)


def test_lossy_has_no_effect_and_says_so() -> None:
    """A lost call raises that it was not sent, and nothing happened."""

    async def play(shop: MemoryShop, channel: Hostile) -> None:
        for call in calls(channel):
            with pytest.raises(TransientError) as caught:
                await call()
            assert caught.value.sent is False
        assert not len(shop.log)

    played(play, lossy=1.0)


def test_a_cut_loses_the_answer_only() -> None:
    """A cut push has its effect and is not known; a cut reading raises that it was sent."""

    async def play(shop: MemoryShop, channel: Hostile) -> None:
        for call in calls(channel)[:4]:
            with pytest.raises(TransientError) as caught:
                await call()
            assert caught.value.sent is True
        assert {outcome.kind for outcome in await channel.push(writes(5))} == {OutcomeKind.INDETERMINATE}
        assert [shown.quantity for shown in shop.shown()] == [5, 5, 5, 5]

    played(play, cut_after_effect=1.0)


def test_a_web_page_is_a_protocol_error() -> None:
    """A web page instead of an answer raises `ProtocolError` before any effect."""

    async def play(shop: MemoryShop, channel: Hostile) -> None:
        for call in calls(channel):
            with pytest.raises(ProtocolError):
                await call()
        assert not len(shop.log)

    played(play, html=1.0)


def test_doubles_are_within_the_contract() -> None:
    """Orders come twice and as they once were, pages come again, and the feed still ends."""

    async def play(shop: MemoryShop, channel: Hostile) -> None:
        receipt = shop.buy([("SKU-00001", 1)])
        first = await channel.orders(None)
        shop.cancel(receipt.order_id)
        told = [*first.orders]
        page = first
        for _ in range(20):
            page = await channel.orders(page.cursor)
            told += page.orders
        assert not page.more or page.complete_until is None
        assert len(told) > 3
        versions = [order.version or 0 for order in told]
        assert versions != sorted(versions)
        assert any(order.cancelled for order in told)

    played(play, doubled=1.0)


def test_pages_are_disordered() -> None:
    """Orders of a page change places, and all of them are there."""

    async def play(shop: MemoryShop, channel: Hostile) -> None:
        numbers = [shop.buy([("SKU-00001", 1)]).number for _ in range(10)]
        page = await channel.orders(None)
        assert [order.number for order in page.orders] != numbers
        assert sorted(order.number for order in page.orders) == numbers

    played(play, disordered=1.0)


@pytest.mark.parametrize("seed", range(10))
def test_stale_readings_are_as_old_as_the_profile_says(seed: int) -> None:
    """A stale reading is a number that was true within the staleness of the wrapper's own profile."""

    async def play(shop: MemoryShop, channel: Hostile) -> None:
        stale_us = round(channel.profile.staleness_s * 1_000_000)
        past: list[tuple[int, int]] = []
        old = 0
        for turn in range(200):
            shop.set_shown(REFS[0], turn)
            past.append((running().clock.now(), turn))
            await asyncio.sleep(0.7)
            reading = (await channel.seen(REFS[:1]))[0]
            true = {number for at, number in past if at >= reading.asked_at - stale_us - 700_000}
            assert reading.quantity in true
            old += reading.quantity != turn
        assert 20 < old < 180
        assert channel.profile.staleness_s == 10.0

    played(play, seed=seed, stale=0.5, stale_s=10.0)


def test_some_outcomes_are_not_known() -> None:
    """With partial trouble some writes are done and not known, some not done and not known, and no claim is wrong."""

    async def play(shop: MemoryShop, channel: Hostile) -> None:
        ends: set[tuple[OutcomeKind, bool]] = set()
        for turn in range(1, 30):
            before = {shown.ref: shown.quantity for shown in shop.shown()}
            batch = writes(100 + turn, turn=turn)
            outcomes = await channel.push(batch)
            assert [outcome.key for outcome in outcomes] == [write.key for write in batch]
            done = {shown.ref: shown.quantity != before[shown.ref] for shown in shop.shown()}
            ends |= {(outcome.kind, done[write.ref]) for outcome, write in zip(outcomes, batch, strict=True)}
        assert ends == {
            (OutcomeKind.APPLIED, True),
            (OutcomeKind.INDETERMINATE, True),
            (OutcomeKind.INDETERMINATE, False),
        }

    played(play, partial=0.7)


def test_slow_calls_take_their_time() -> None:
    """A slow call is late on both ways, and the profile leaves room for it."""

    async def play(shop: MemoryShop, channel: Hostile) -> None:
        began_s = running().time()
        for call in calls(channel):
            await call()
        took_s = running().time() - began_s
        assert 1.0 < took_s < 40.0
        assert channel.profile.effect_delay_s >= 9.0

    played(play, slow_s=4.0)


def test_calm_ends_all_faults() -> None:
    """After `calm` nothing goes wrong any more, and the profile stays as wide as it was."""

    async def play(shop: MemoryShop, channel: Hostile) -> None:
        wide = channel.profile
        channel.calm()
        for turn in range(20):
            assert {outcome.kind for outcome in await channel.push(writes(turn, turn=turn))} == {OutcomeKind.APPLIED}
            assert [reading.quantity for reading in await channel.seen(REFS)] == [turn] * 4
        assert channel.profile == wide
        assert channel.profile.staleness_s > 0.0

    played(play, lossy=0.9, cut_after_effect=0.9, partial=0.9, stale=0.9, slow_s=1.0)


@pytest.mark.parametrize("seed", range(25))
def test_nothing_is_claimed_that_is_not_true(seed: int) -> None:
    """Under all troubles at once no outcome is wrong, and no order is lost to whoever goes on from its cursor."""

    async def play(shop: MemoryShop, channel: Hostile) -> None:
        cursor = (await _until_it_works(lambda: channel.orders(None))).cursor
        wanted: set[str] = set()
        told: set[str] = set()
        for turn in range(1, 30):
            wanted.add(shop.buy([("SKU-00001", 1)]).number)
            batch = writes(50 + turn, turn=turn)
            await _judged(shop, channel, batch)
            page = await _until_it_works(lambda: channel.orders(cursor))  # noqa: B023  (called at once)
            told |= {order.number for order in page.orders}
            cursor = page.cursor
        channel.calm()
        await asyncio.sleep(100.0)
        told |= {order.number for order in (await channel.orders(cursor)).orders}
        assert told == wanted

    played(play, seed=seed, habits=Habits(feed_lateness_s=(0.0, 60.0)), **_everything())


def _everything() -> dict[str, float]:
    usual = Hostility()
    return {name: getattr(usual, name) for name in Hostility.__dataclass_fields__}


async def _judged(shop: MemoryShop, channel: Hostile, batch: list[Write]) -> None:
    before = {shown.ref: shown.quantity for shown in shop.shown()}
    try:
        outcomes = await channel.push(batch)
    except TransientError as fault:
        told = fault
        outcomes = []
    if not outcomes:
        assert told.sent is False
        assert {shown.ref: shown.quantity for shown in shop.shown()} == before
        return
    for outcome, write in zip(outcomes, batch, strict=True):
        done = shop.quantity(write.ref) == write.quantity
        assert outcome.kind not in DENIED or not done
        assert outcome.kind is not OutcomeKind.APPLIED or done


async def _until_it_works(call: Callable[[], Awaitable[Any]]) -> Any:
    for _ in range(50):
        try:
            return await call()
        except TransientError:
            await asyncio.sleep(1.0)
    raise AssertionError("it never works")


def test_equal_seeds_are_equally_hostile() -> None:
    """Two wrappers with one seed do the same things, and another seed does others."""
    runs: list[list[str]] = []

    async def play(shop: MemoryShop, channel: Hostile) -> None:
        kinds: list[str] = []
        for turn in range(20):
            try:
                kinds += [outcome.kind.value for outcome in await channel.push(writes(turn, turn=turn))]
            except TransientError:
                kinds.append("lost")
        runs.append(kinds)

    for seed in (1, 1, 2):
        played(play, seed=seed, lossy=0.3, partial=0.5)
    assert runs[0] == runs[1] != runs[2]


def test_features_are_passed_through() -> None:
    """A hostile channel has exactly the features of the one inside."""

    async def play(shop: MemoryShop, plain: Hostile) -> None:
        async with aiohttp.ClientSession(connector=VirtualConnector()) as session:
            clock = running().clock
            context = Context(
                account=AccountId("a"), session=session, clock=clock, uuid=lambda: "k", random=lambda: 0.0
            )
            hostile = Hostile(MemoryChannel(MemorySettings(url="http://127.0.0.1:9"), context), seed=1)
            assert isinstance(hostile, Webhooks)
            assert isinstance(hostile, Health)
        assert not isinstance(plain, Webhooks)

    played(play)


# --- faults of a remote ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [{"refuse": -0.1}, {"html": 1.1}, {"latency_s": MOST_S + 1}, {"latency_s": float("nan")}, {"too_many": True}],
)
def test_wrong_faults_are_named(wrong: dict[str, Any]) -> None:
    """A rate that is none is refused by its name."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Faults(**wrong)


def test_all_wrong_changes_are_told_at_once() -> None:
    """Unknown names and wrong values are told together, and nothing is changed."""
    with pytest.raises(ValueError, match="slow: no such fault") as caught:
        merged(Faults(refuse=0.5), {"slow": 1, "refuse": "often", "html": 2})
    assert len(str(caught.value).splitlines()) == 3


def test_troubles_are_drawn_by_their_rates() -> None:
    """Each trouble comes about as often as its rate says, and without rates there is none."""
    random = SeededRandom(5)
    assert {draw(Faults(), random) for _ in range(50)} == {Trouble.NONE}
    drawn = [draw(Faults(refuse=0.2, cut_after_effect=0.2, html=0.2), random) for _ in range(2_000)]
    for trouble, low, high in (
        (Trouble.DROPPED, 150, 250),
        (Trouble.UNAVAILABLE, 150, 250),
        (Trouble.HTML, 260, 380),
        (Trouble.CUT, 200, 320),
    ):
        assert low < drawn.count(trouble) < high, trouble


def test_a_clock_may_stand_behind_a_shop() -> None:
    """A shop needs no loop: it goes by the clock it is given."""
    clock = ManualClock()
    shop = MemoryShop(clock=clock, habits=Habits(effect_s=(5.0, 5.0), confirms=False))
    shop.add("A", 1)
    shop.later(0, lambda _: None)
    assert shop.quantity("A") == 1
