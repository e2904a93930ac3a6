"""What a channel can do more: each story runs the whole engine on a virtual loop."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import text

from syncd.core.facts import AccountState, OutcomeFact
from syncd.core.terms import AccountId, Outcome, OutcomeKind, WriteMode
from syncd.sdk.channel import Notice
from syncd.sdk.features import HealthFigure, Key
from syncd.settings.windows import moment_of
from syncd.store import accounts, inbox, outbox
from syncd.store.alerts import SINK
from syncd.store.session import StoreFull
from syncd.testing.chance import SeededRandom
from syncd.testing.loop import run_virtual
from syncd.testing.loop import running as loop_running
from tests.engine.features import DAY_US, Judging, Keyed, Queued, Telling, standing, tell
from tests.engine.world import World, running

ONE = AccountId("one")


async def told(world: World, sink: str, kind: str) -> list[str]:
    """Return the bodies of the events of a sink, oldest first."""
    query = text("SELECT body FROM outbox WHERE sink = :sink AND type = :kind ORDER BY id")
    rows = await world.plant.store.read(lambda conn: conn.execute(query, {"sink": sink, "kind": kind}).all())
    return [bytes(row[0]).decode() for row in rows]


async def state(world: World) -> accounts.KnownAccount:
    return (await world.plant.store.read(accounts.accounts))[ONE]


# --- a queue --------------------------------------------------------------------------------------------------------


def test_a_message_brings_its_order_before_the_feed_does(quick_path: Path) -> None:
    """An order that a message names is fetched and committed at once, and the message is ended."""

    async def story(world: World, double: Queued) -> None:
        await world.count(a_1=7)
        name = double.buy(next(iter(double.numbers)), 2)
        assert name is not None
        double.placed[name].told_at = 2**62  # the feed does not tell it
        double.message(Notice(dedupe_key="m1", order_ids=(name,)))
        await asyncio.sleep(25)
        assert (double.settled, double.waiting) == (["r1"], [])
        assert (await world.shelf("A-1")).committed == 2

    tell(quick_path, Queued, story)


def test_a_message_that_cannot_be_ended_changes_nothing_twice(quick_path: Path) -> None:
    """A message that comes again is known by its key; it is stored before it is ended, and once."""

    async def story(world: World, double: Queued) -> None:
        double.deaf = True
        double.message(Notice(dedupe_key="m1", catalogue=True))
        await asyncio.sleep(100)
        assert double.received > 3
        found = await world.plant.store.read(lambda conn: inbox.known(conn, "one", "m1"))
        assert found is not None
        double.deaf = False
        await asyncio.sleep(700)
        assert double.settled == ["r1"]
        count = text("SELECT count(*) FROM inbox WHERE key LIKE 'm1%'")
        assert await world.plant.store.read(lambda conn: conn.execute(count).scalar()) == 1

    tell(quick_path, Queued, story)


def test_nothing_is_ended_that_was_not_stored(quick_path: Path) -> None:
    """While the inbox takes nothing, messages stay in the queue."""

    async def story(world: World, double: Queued) -> None:
        real = world.plant.intake.put_entries

        async def full(entries: Any) -> list[int | None]:
            raise StoreFull("the disk is full")

        world.plant.intake.put_entries = full  # type: ignore[method-assign]
        double.message(Notice(dedupe_key="m1", catalogue=True))
        await asyncio.sleep(60)
        assert (double.settled, double.received > 1) == ([], True)
        world.plant.intake.put_entries = real  # type: ignore[method-assign]
        await asyncio.sleep(30)
        assert double.settled == ["r1"]

    tell(quick_path, Queued, story)


def test_a_word_from_the_channel_is_told_and_a_stop_pauses(quick_path: Path) -> None:
    """A text reaches people once, and one that says stop pauses the account."""

    async def story(world: World, double: Queued) -> None:
        await world.go()
        double.message(Notice(text="a role was taken away", stop=True))
        await asyncio.sleep(30)
        assert (await state(world)).state is AccountState.PAUSED
        (letter,) = [body for body in await told(world, SINK, "raised") if '"notice"' in body]
        assert "a role was taken away" in letter
        assert double.settled == ["r1"]

    tell(quick_path, Queued, story)


def test_a_queue_that_is_away_stops_no_write(quick_path: Path) -> None:
    """Writes go on while the queue is away; a person is told once, and once that it is back."""

    async def story(world: World, double: Queued) -> None:
        double.away = True
        await world.count(a_1=3)
        await world.go()
        await asyncio.sleep(120)
        assert list(double.numbers.values()) == [3]
        assert world.plant.roster[ONE].pulse.down_since is None
        assert ("webhook_lost", "one/queue") in await standing(world)
        double.away = False
        await asyncio.sleep(700)
        assert ("webhook_lost", "one/queue") not in await standing(world)

    tell(quick_path, Queued, story)


def test_a_queue_that_is_not_set_up_is_not_asked(quick_path: Path) -> None:
    """Without a queue nobody asks; once there is one, it is."""

    async def story(world: World, double: Queued) -> None:
        double.notices_on = False
        await asyncio.sleep(30)
        double.message(Notice(catalogue=True))
        before = double.received
        await asyncio.sleep(200)
        assert double.received == before == 0
        double.notices_on = True
        await asyncio.sleep(90)
        assert double.settled == ["r1"]

    tell(quick_path, Queued, story)


# --- late ends ------------------------------------------------------------------------------------------------------


def test_late_ends_become_facts_in_pieces(quick_path: Path) -> None:
    """Ends that are told later go into the inbox, at most 50 in one fact, with the time at which they were told."""

    async def story(world: World, double: Telling) -> None:
        double.ends = [Outcome(key=f"k{number}", kind=OutcomeKind.REJECTED) for number in range(120)]
        began = world.plant.clock.now()
        await asyncio.sleep(20)
        found = await world.plant.store.read(lambda conn: inbox.waiting(conn, after=0, limit=1_000))
        facts = [received.fact for received in found if isinstance(received.fact, OutcomeFact)]
        assert [len(fact.outcomes) for fact in facts] == [50, 50, 20]
        assert {fact.sent_at == fact.answered_at >= began for fact in facts} == {True}

    tell(quick_path, Telling, story)


# --- keys -----------------------------------------------------------------------------------------------------------


def test_each_level_of_a_key_is_told_once(quick_path: Path) -> None:
    """A key is told at 14, 7, 3 and 1 days and at its end, and its renewal clears that."""

    async def story(world: World, double: Keyed) -> None:
        account, texts = world.plant.roster[ONE], []
        for quarters in range(64, -2, -1):  # a day in four steps
            ends = world.plant.clock.now() + quarters * DAY_US // 4
            account.keys = (Key(name="licence key", expires_at=ends), Key(name="other", expires_at=None))
            await asyncio.sleep(61)
            texts += [line for (kind, _), line in (await standing(world)).items() if kind.startswith("key")]
        assert list(dict.fromkeys(texts)) == [
            f"account one, licence key expires within {days} days" for days in (14, 7, 3, 1)
        ] + ["account one, licence key has expired"]
        raised = [body for body in await told(world, SINK, "raised") if '"key_' in body]
        assert len(raised) == 5

    tell(quick_path, Keyed, story)


def test_a_key_that_has_expired_makes_the_channel_down(quick_path: Path) -> None:
    """At the end of its key a channel is down; it is asked once a minute whether it was renewed."""

    async def story(world: World, double: Keyed) -> None:
        pulse, reasons = world.plant.roster[ONE].pulse, []
        pulse.report = lambda _, reason: reasons.append(reason)
        double.held = [Key(name="licence key", expires_at=world.plant.clock.now() + 100_000_000)]
        world.plant.roster[ONE].keys = tuple(double.held)
        await asyncio.sleep(200)
        assert reasons[0] == "AuthError: licence key has expired"
        assert ("key_expired", "one/licence key") in await standing(world)
        asked = double.asked
        await asyncio.sleep(300)
        assert 4 <= double.asked - asked <= 6
        double.held = [Key(name="licence key", expires_at=world.plant.clock.now() + 60 * DAY_US)]
        await asyncio.sleep(120)
        assert await standing(world) == {}
        assert pulse.down_since is None

    tell(quick_path, Keyed, story)


# --- account health -------------------------------------------------------------------------------------------------


def test_a_rate_near_its_limit_is_warned_of(quick_path: Path) -> None:
    """Above 60 % of a limit a person is warned, once; below that the warning ends; it is asked every 6 hours."""
    calm = HealthFigure(name="late shipment", count=1, total=100, rate=0.01, limit=0.04)

    async def story(world: World, double: Judging) -> None:
        assert double.asked == 1
        double.figures = [calm, replace(calm, name="cancels", rate=0.025), replace(calm, name="points", rate=None)]
        await asyncio.sleep(6 * 3_600)
        assert double.asked == 2
        assert list(await standing(world)) == [("account_health", "one/cancels")]
        double.silent = True
        await asyncio.sleep(6 * 3_600)
        found = world.plant.roster[ONE].judgement
        assert found is not None
        assert (len(found.figures), found.reason) == (3, "TransientError: no report")
        assert world.plant.roster[ONE].pulse.down_since is None
        double.silent, double.figures = False, [calm]
        await asyncio.sleep(3_600)
        assert await standing(world) == {}

    tell(quick_path, Judging, story, poll_s=3_600.0)


# --- maintenance ----------------------------------------------------------------------------------------------------


def window(start: int, seconds: int) -> str:
    begin, end = (moment_of(at).isoformat() for at in (start, start + seconds * 1_000_000))
    return f"{begin}/{end}"


def test_in_announced_maintenance_a_channel_is_left_alone(quick_path: Path) -> None:
    """While a window lasts nothing is asked or written; it is said once and is not down; after it the fall comes."""

    async def story(world: World, double: Queued) -> None:
        account = world.plant.roster[ONE]
        await world.count(a_1=7)
        await world.go()
        await asyncio.sleep(60)
        end = account.pulse.maintenance_until
        assert end is not None
        reports: list[str] = []
        account.pulse.report = lambda _, reason: reports.append(reason)
        calls = 0

        async def counted() -> None:
            nonlocal calls
            calls += 1

        double._call = counted  # type: ignore[method-assign]
        pushed = len(double.pushed)
        await world.count(a_1=0)
        await asyncio.sleep(200)
        assert (calls, len(double.pushed), list(double.numbers.values())) == (0, pushed, [7])
        known = await state(world)
        assert known.down_reason == f"maintenance until {moment_of(end).isoformat()}"
        await asyncio.sleep(200)
        assert account.pulse.maintenance_until is None
        assert list(double.numbers.values()) == [0]
        known = await state(world)
        assert (known.down_since, known.down_reason) == (None, "")
        events = await told(world, "mqtt", "channel.maintenance")
        assert [moment_of(end).isoformat() in body for body in events] == [True, False]
        assert reports == []
        assert await standing(world) == {}

    start = virtual_start()
    tell(quick_path, Queued, story, maintenance=(window(start + 30_000_000, 300),))


def virtual_start() -> int:
    """Return when a virtual loop starts."""

    async def main() -> int:
        return loop_running().clock.now()

    return run_virtual(main)


def test_a_stop_does_not_wait_for_the_end_of_maintenance(quick_path: Path) -> None:
    """Syncd ends at once in the middle of a long window, without asking the channel any more."""

    async def main() -> tuple[int, int]:
        clock = loop_running().clock
        double = Queued(mode=WriteMode.COMPARE_AND_SET, clock=clock, dice=SeededRandom(3))
        window_of = (window(clock.now() + 30_000_000, 36_000),)
        async with running(quick_path / "a.db", clock, {"one": double}, maintenance=window_of) as world:
            await asyncio.sleep(60)
            assert world.plant.roster[ONE].pulse.maintenance_until is not None
            calls: list[int] = []

            async def counted() -> None:
                calls.append(1)

            double._call = counted  # type: ignore[method-assign]
            before = clock.now()
        return clock.now() - before, len(calls)

    took_us, calls = run_virtual(main)
    assert took_us < 1_000_000
    assert calls == 0


def test_the_outbox_is_told_of_no_maintenance_without_a_window(quick_path: Path) -> None:
    """A channel without windows has no loop for them."""

    async def story(world: World, _: Queued) -> None:
        assert world.plant.roster[ONE].pulse.windows == ()
        assert await told(world, "mqtt", "channel.maintenance") == []
        assert "alerts" not in await world.plant.store.read(outbox.depth)

    tell(quick_path, Queued, story)
