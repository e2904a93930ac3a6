"""The virtual loop: time that jumps, equal runs for equal seeds, an end for every hang, a crash at every step."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from syncd.testing.loop import START, Crash, Deadlock, Overrun, VirtualConnector, run_virtual, running
from tests import loop_scenes as scenes

HERE = Path(__file__).resolve().parent


# --- time --------------------------------------------------------------------------------------------------------


def test_an_hour_takes_a_moment() -> None:
    """An hour of a web server and eight clients runs in well under a second, and every order is told."""
    began = time.perf_counter()
    shop, _ = run_virtual(scenes.an_hour_of_trade)
    assert time.perf_counter() - began < 1.5
    assert len(shop.done) == len(shop.told) > 400
    assert shop.failed == []


def test_the_clock_follows_the_virtual_time() -> None:
    """The clock starts where it is told and moves by what was slept, to the microsecond, over years."""

    async def scene() -> list[int]:
        clock = running().clock
        moments = [clock.now()]
        for delay_s in (0.000_001, 1.5, 365 * 86_400):
            await asyncio.sleep(delay_s)
            moments.append(clock.now() - START)
        return moments

    assert run_virtual(scene, most_s=1e9) == [START, 1, 1_500_001, 31_536_001_500_001]
    assert run_virtual(scene, start=5, most_s=1e9)[0] == 5


def test_results_and_failures_come_out() -> None:
    """What the code returns or raises is what the run returns or raises."""

    async def fails() -> None:
        await asyncio.sleep(5)
        raise LookupError("lost")

    with pytest.raises(LookupError, match="lost"):
        run_virtual(fails)


def test_timeouts_count_virtual_seconds() -> None:
    """A timeout ends a wait at its very moment."""

    async def scene() -> float:
        began = running().time()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3_600):
                await asyncio.Event().wait()
        return running().time() - began

    assert run_virtual(scene) == pytest.approx(3_600)


# --- hangs -------------------------------------------------------------------------------------------------------


def test_a_deadlock_is_named() -> None:
    """When everything waits for ever, the error names each task and the line it waits in."""

    async def waits(lock: asyncio.Lock) -> None:
        await lock.acquire()

    async def scene() -> None:
        lock = asyncio.Lock()
        await lock.acquire()
        async with asyncio.TaskGroup() as group:
            group.create_task(waits(lock), name="dispatch shopify")

    with pytest.raises(Deadlock, match=r"dispatch shopify at .*waits .*test_loop\.py:\d+.* in Lock\.acquire") as told:
        run_virtual(scene)
    assert "TaskGroup.__aexit__" in str(told.value)


def test_a_deadlock_while_tidying_up_is_not_endless() -> None:
    """A task that will not end even when cancelled does not hide the first error, nor hang the run."""

    async def stubborn() -> None:
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                continue

    async def scene() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(stubborn(), name="stubborn")
            await asyncio.sleep(1)
            raise LookupError("first")

    with pytest.raises(Deadlock, match="stubborn"):
        run_virtual(scene)


def test_a_run_has_a_longest_time() -> None:
    """Code that goes on for ever is ended after so many virtual seconds, with the names of what runs."""

    async def ticks() -> None:
        for _ in range(10_000):
            await asyncio.sleep(60)

    with pytest.raises(Overrun, match="86400 virtual seconds"):
        run_virtual(ticks, most_s=86_400)


def test_going_round_in_circles_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Code that spins without letting time pass is ended."""
    monkeypatch.setattr("syncd.testing.loop.MOST_IDLE_STEPS", 1_000)

    async def spins() -> None:
        for _ in range(10_000):
            await asyncio.sleep(0)

    with pytest.raises(Overrun, match="time does not pass"):
        run_virtual(spins)


def test_what_is_left_over_is_cancelled() -> None:
    """Tasks that still run at the end are cancelled and may tidy up."""
    ended = []

    async def background() -> None:
        try:
            await asyncio.sleep(1e6)
        finally:
            await asyncio.sleep(1)
            ended.append("tidy")

    async def scene() -> None:
        running().create_task(background())
        await asyncio.sleep(1)

    run_virtual(scene)
    assert ended == ["tidy"]


# --- repeatable --------------------------------------------------------------------------------------------------


def test_the_same_seed_is_the_same_run_in_another_process() -> None:
    """A rough hour of trade has one fingerprint per seed, whatever the process and its hash seed."""
    here = [run_virtual(scenes.an_hour_of_trade, seed=seed, faults=scenes.ROUGH)[1] for seed in (1, 2, 1)]
    assert here[0] == here[2]
    assert here[0] != here[1]
    for hash_seed in ("0", "77"):
        environ = os.environ | {"PYTHONHASHSEED": hash_seed}
        command = [sys.executable, str(HERE / "loop_scenes.py"), "1", "2"]
        there = subprocess.run(command, env=environ, capture_output=True, text=True, check=True, timeout=60)
        assert there.stdout.split() == here[:2]


def test_memory_addresses_decide_nothing() -> None:
    """Groups and sets of tasks are walked in one order per seed, wherever in memory the tasks lie."""
    kept: list[object] = []
    orders = []
    for size in (10, 999, 123):
        kept.append([bytearray(size) for _ in range(size)])
        orders.append(tuple(run_virtual(scenes.a_group_that_fails, shuffle=False)))
    assert len(set(orders)) == 1


async def order_of_steps() -> str:
    steps: list[str] = []

    async def walks(name: str) -> None:
        for _ in range(3):
            steps.append(name)
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        for name in "abcd":
            group.create_task(walks(name))
    return "".join(steps)


def test_the_order_of_task_steps_is_the_seeds() -> None:
    """Different seeds give different orders, one seed the same, and without shuffling it is as they came."""
    orders = [run_virtual(order_of_steps, seed=seed) for seed in range(20)]
    assert len(set(orders)) > 15
    assert orders == [run_virtual(order_of_steps, seed=seed) for seed in range(20)]
    assert run_virtual(order_of_steps, shuffle=False) == "abcd" * 3
    assert all(order.count(name) == 3 for order in orders for name in "abcd")


def test_a_lost_update_is_found_by_some_seed() -> None:
    """A read, a wait and a write back lose an update in some order of steps."""

    async def scene() -> int:
        stock = 0

        async def adds() -> None:
            nonlocal stock
            read = stock
            for _ in range(int(running().random() * 3)):
                await asyncio.sleep(0)
            stock = read + 1

        async with asyncio.TaskGroup() as group:
            for _ in range(2):
                group.create_task(adds())
        return stock

    assert {run_virtual(scene, seed=seed) for seed in range(30)} == {1, 2}


def test_callbacks_keep_their_order() -> None:
    """What asyncio promises stays: callbacks run in the order in which they were scheduled."""

    async def scene() -> list[int]:
        seen: list[int] = []
        for number in range(20):
            running().call_soon(seen.append, number)
        await asyncio.sleep(1)
        return seen

    assert all(run_virtual(scene, seed=seed) == list(range(20)) for seed in range(5))


# --- the rest of a loop ------------------------------------------------------------------------------------------


def test_executors_run_inline() -> None:
    """A function given to an executor runs in the loop's own thread, its result or failure comes back."""

    async def scene() -> tuple[int, bool]:
        loop = running()
        with pytest.raises(ZeroDivisionError):
            await loop.run_in_executor(None, lambda: 1 // 0)
        cancelled = loop.run_in_executor(None, pytest.fail, "a cancelled call is not made")
        cancelled.cancel()
        return await loop.run_in_executor(None, lambda: 7), loop.is_running()

    assert run_virtual(scene) == (7, True)


def test_signals_are_raised_by_the_test() -> None:
    """A handler runs when the test raises its signal, and not after it is taken away."""

    async def scene() -> list[str]:
        loop, heard = running(), list[str]()
        loop.add_signal_handler(signal.SIGTERM, heard.append, "term")
        loop.raise_signal(signal.SIGTERM)
        await asyncio.sleep(0.1)
        assert loop.remove_signal_handler(signal.SIGTERM)
        with pytest.raises(KeyError):
            loop.raise_signal(signal.SIGTERM)
        return heard

    assert run_virtual(scene) == ["term"]


async def test_the_virtual_connector_needs_the_virtual_loop() -> None:
    """In a real loop it is refused with a clear word."""
    with pytest.raises(TypeError, match="virtual loop"):
        VirtualConnector()


def test_a_crash_stops_in_the_middle() -> None:
    """At the given step the process is gone: no code of it runs any more, no `finally` either, until it is buried."""
    ran: list[str] = []

    async def scene() -> None:
        try:
            for number in range(10):
                await asyncio.sleep(1)
                ran.append(f"step {number}")
        finally:
            ran.append("finally")

    with pytest.raises(Crash) as told:
        run_virtual(scene, crash_at=12)
    assert told.value.step == 12
    assert ran
    assert "finally" not in ran
    ran.clear()
    told.value.bury()
    assert ran == ["finally"]


def lives(at: int, work: Callable[[dict[str, int]], Any]) -> dict[str, int] | None:
    """Run until the crash at a step; answers what was on the disk, None where the work had ended before."""
    disk: dict[str, int] = {}
    try:
        run_virtual(lambda: work(disk), crash_at=at)
    except Crash as crash:
        left = dict(disk)
        crash.bury()
        return left
    return None


def test_every_step_can_be_the_last() -> None:
    """Crashing at each step in turn finds the point between an answer and what it promised, and only there."""

    async def told_first(disk: dict[str, int]) -> None:
        for name in "abc":
            await asyncio.sleep(1)
            disk["told"] = disk.get("told", 0) + 1
            await asyncio.sleep(0)
            disk[name] = 1

    async def kept_first(disk: dict[str, int]) -> None:
        for name in "abc":
            await asyncio.sleep(1)
            disk[name] = 1
            await asyncio.sleep(0)
            disk["told"] = disk.get("told", 0) + 1

    def broken(work: Callable[[dict[str, int]], Any]) -> list[int]:
        points = []
        for at in range(1, 1_000):
            left = lives(at, work)
            if left is None:
                return points
            if left.get("told", 0) > len(left.keys() - {"told"}):
                points.append(at)
        raise AssertionError("the work does not end")

    assert len(broken(told_first)) >= 3
    assert broken(kept_first) == []
