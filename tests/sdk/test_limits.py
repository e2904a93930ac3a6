"""Rate budgets in virtual time: exact, fair, never overspent, and used to the full."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from syncd.sdk.errors import TransientError
from syncd.sdk.limits import IN_FLIGHT_S, MOST_PENALTY_S, MOST_WAITING, Budget, Window
from syncd.testing.loop import run_virtual, running

Scene = Callable[[], Coroutine[Any, Any, None]]


class ManualClock:
    """Time that a test sets."""

    def __init__(self) -> None:
        self.at_s = 50.0

    def now(self) -> int:
        return round(self.at_s * 1_000_000)

    def monotonic(self) -> float:
        return self.at_s


class Bucket:
    """The channel's own bucket, which is what must never be overdrawn."""

    def __init__(self, *, capacity: float, rate_per_s: float) -> None:
        self.capacity, self.rate_per_s, self.level = capacity, rate_per_s, capacity
        self.at_s = asyncio.get_running_loop().time()
        self.spent = 0.0
        self.least = capacity

    def charge(self, cost: float) -> float:
        now_s = asyncio.get_running_loop().time()
        self.level = min(self.capacity, self.level + (now_s - self.at_s) * self.rate_per_s)
        self.at_s = now_s
        self.level -= cost
        self.spent += cost
        self.least = min(self.least, self.level)
        return self.level


def test_a_full_bucket_gives_its_capacity_at_once_and_then_waits_exactly() -> None:
    """What fits is given at once, and after waiting `delay_s` the next take succeeds, not before."""
    clock = ManualClock()
    budget = Budget("b", capacity=10, rate_per_s=4, clock=clock)
    assert [budget.take_now(5) for _ in range(3)] == [True, True, False]
    assert budget.delay_s(5) == pytest.approx(1.25)
    clock.at_s += 1.2499
    assert not budget.take_now(5)
    clock.at_s += 0.0001
    assert budget.take_now(5)


@pytest.mark.parametrize("rate", [0.0167, 0.1, 1.0, 3.3, 100.0, 999.9])
@pytest.mark.parametrize("cost", [1.0, 0.1, 7.77])
def test_waiting_the_delay_is_enough_whatever_the_numbers(rate: float, cost: float) -> None:
    """Rounding never makes a take fail after its own delay."""
    clock = ManualClock()
    clock.at_s = 12_345_678.9
    budget = Budget("b", capacity=8, rate_per_s=rate, clock=clock)
    window = Window("w", calls=8, per_s=8 / rate, clock=clock)
    for limit in (budget, window):
        for _ in range(50):
            clock.at_s += limit.delay_s(cost)
            assert limit.take_now(cost)


def test_others_leave_the_reserve_to_urgent_takers() -> None:
    """A taker that is not urgent leaves the reserve, an urgent one may take it."""
    clock = ManualClock()
    for limit in (
        Budget("b", capacity=10, rate_per_s=1, clock=clock, reserve=0.3),
        Window("w", calls=10, per_s=10, clock=clock, reserve=0.3),
    ):
        assert limit.take_now(7, urgent=False)
        assert limit.delay_s(1, urgent=False) > 0
        assert not limit.take_now(1, urgent=False)
        assert limit.take_now(3, urgent=True)
        assert not limit.take_now(1, urgent=True)


def test_a_cost_above_the_capacity_is_taken_when_full_and_leaves_a_debt() -> None:
    """A cost that never fits does not wait for ever, and what it takes is paid back first."""
    clock = ManualClock()
    budget = Budget("b", capacity=10, rate_per_s=2, clock=clock, reserve=0.5)
    assert budget.take_now(30, urgent=False)
    assert budget.available == -20
    assert budget.delay_s(1) == pytest.approx(10.5)


def test_a_penalty_shuts_the_budget_and_empties_the_bucket() -> None:
    """Nothing is given before the penalty ends, and then what came back since."""
    clock = ManualClock()
    budget = Budget("b", capacity=10, rate_per_s=1, clock=clock)
    budget.penalize(4)
    budget.penalize(2)
    assert budget.delay_s(1) == pytest.approx(4)
    assert budget.delay_s(6) == pytest.approx(6)
    clock.at_s += 4
    assert budget.take_now(4)
    assert not budget.take_now(1)


def test_a_penalty_has_an_end() -> None:
    """A Retry-After of a year shuts the budget for an hour at most."""
    clock = ManualClock()
    window = Window("w", calls=1, per_s=1, clock=clock)
    window.penalize(365 * 86_400)
    window.penalize(-5)
    assert window.delay_s(1) == pytest.approx(MOST_PENALTY_S)


def test_a_refund_can_be_taken_again() -> None:
    """What a call did not cost is there again, up to the capacity."""
    clock = ManualClock()
    budget = Budget("b", capacity=10, rate_per_s=1, clock=clock)
    window = Window("w", calls=10, per_s=60, clock=clock)
    for limit in (budget, window):
        assert limit.take_now(8)
        limit.refund(6)
        assert limit.available == 8
        assert limit.take_now(8)
        limit.refund(100)
        assert limit.available == 10


def test_a_correction_takes_off_what_is_in_flight() -> None:
    """What the channel says is left, less the calls that it may not have counted yet, is what can be taken."""
    clock = ManualClock()
    budget = Budget("b", capacity=1_000, rate_per_s=50, clock=clock)
    assert all(budget.take_now(100) for _ in range(4))
    budget.done(100)
    assert budget.in_flight == 300
    budget.correct(available=900)
    assert budget.available == 600


def test_a_late_answer_does_not_bring_back_what_a_newer_one_counted() -> None:
    """An answer that overlapped with one counted after it is corrected by that one's cost too."""
    clock = ManualClock()
    budget = Budget("b", capacity=1_000, rate_per_s=1, clock=clock)
    assert budget.take_now(300)
    assert budget.take_now(301)
    budget.done(301)  # answered first, counted last: 399 are left
    budget.correct(available=399)
    budget.done(300)
    budget.correct(available=700)  # as it was before the other one was counted
    assert budget.available <= 399


def test_answers_one_after_the_other_are_believed_whole() -> None:
    """Without overlap the channel's own figure stands as it is, above ours too."""
    clock = ManualClock()
    budget = Budget("b", capacity=1_000, rate_per_s=1, clock=clock)
    for left in (990.0, 985.0, 999.0):
        assert budget.take_now(500)
        clock.at_s += 0.2
        budget.done(500)
        budget.correct(available=left)
        assert budget.available == left


def test_a_correction_may_change_size_and_rate_and_ignores_nonsense() -> None:
    """Size and refill follow the channel; zero, negative and endless figures are not believed."""
    clock = ManualClock()
    budget = Budget("b", capacity=1_000, rate_per_s=50, clock=clock)
    budget.correct(capacity=2_000, rate_per_s=100)
    budget.correct(capacity=0, rate_per_s=-1)
    budget.correct(available=float("nan"), capacity=float("inf"), rate_per_s=float("nan"))
    assert (budget.capacity, budget.rate_per_s, budget.available) == (2_000, 100, 1_000)
    budget.correct(available=5_000)
    assert budget.available == 2_000
    budget.correct(capacity=500)
    assert budget.available == 500


def test_a_call_that_never_ends_is_in_flight_for_a_while_only() -> None:
    """A forgotten `done` does not narrow the budget for ever."""
    clock = ManualClock()
    budget = Budget("b", capacity=10, rate_per_s=1, clock=clock)
    assert budget.take_now(4)
    clock.at_s += IN_FLIGHT_S
    assert budget.in_flight == 0
    budget.done(4)
    budget.correct(available=10)
    assert budget.available == 10


def test_a_window_never_holds_more_than_its_calls() -> None:
    """In no stretch of the window's length are more calls let through than it has."""
    clock = ManualClock()
    window = Window("w", calls=5, per_s=10, clock=clock)
    taken: list[float] = []
    for step in range(400):
        clock.at_s = 50.0 + step * 0.37
        if window.take_now(1):
            taken.append(clock.at_s)
    assert all(late - early >= 10 - 1e-5 for early, late in zip(taken, taken[5:], strict=False))
    assert len(taken) > 65


def test_a_window_tells_how_long_a_line_takes() -> None:
    """With more waiting than one window holds, the delay spans several windows."""

    async def scene() -> None:
        window = Window("w", calls=2, per_s=10, clock=running().clock)
        began = running().time()
        async with asyncio.TaskGroup() as group:
            for _ in range(7):
                group.create_task(window.take(1))
            await asyncio.sleep(0.001)
            delay_s = window.delay_s(1)
        assert running().time() - began == pytest.approx(30, abs=0.01)
        assert 20 <= delay_s <= 40

    run_virtual(scene)


@pytest.mark.parametrize(
    "make",
    [
        lambda clock: Budget("b", capacity=0, rate_per_s=1, clock=clock),
        lambda clock: Budget("b", capacity=1, rate_per_s=0, clock=clock),
        lambda clock: Budget("b", capacity=1, rate_per_s=1, clock=clock, reserve=1.0),
        lambda clock: Window("w", calls=0, per_s=1, clock=clock),
        lambda clock: Window("w", calls=1, per_s=1, clock=clock, margin_s=-1),
    ],
)
def test_impossible_budgets_are_refused(make: Callable[[ManualClock], object]) -> None:
    """A budget that could never give anything cannot be made."""
    with pytest.raises(ValueError, match=r"budget|window"):
        make(ManualClock())


def test_takers_are_served_in_order_urgent_ones_first() -> None:
    """Those who wait get their turn in the order they came, urgent ones before others that they did not pass often."""

    async def scene() -> None:
        budget = Budget("b", capacity=1, rate_per_s=1, clock=running().clock)
        served: list[str] = []

        async def taker(name: str, after_s: float, *, urgent: bool) -> None:
            await asyncio.sleep(after_s)
            await budget.take(1, urgent=urgent)
            served.append(name)

        await budget.take(1)
        async with asyncio.TaskGroup() as group:
            for number in range(4):
                group.create_task(taker(f"bulk {number}", 0.1 + number * 0.01, urgent=False))
                group.create_task(taker(f"now {number}", 0.5 + number * 0.6, urgent=True))
        assert served == ["now 0", "now 1", "now 2", "bulk 0", "now 3", "bulk 1", "bulk 2", "bulk 3"]

    run_virtual(scene)


@pytest.mark.parametrize("kind", ["budget", "window"])
def test_urgent_takers_that_never_end_leave_others_their_turn(kind: str) -> None:
    """Under urgent calls without a pause a call that is not urgent is one in four, and more come not first."""

    async def main() -> list[str]:
        clock = running().clock
        line = (
            Budget("b", capacity=4.0, rate_per_s=2.0, clock=clock, reserve=0.3)
            if kind == "budget"
            else Window("w", calls=2, per_s=1.0, clock=clock, reserve=0.5)
        )
        taken: list[str] = []

        async def take(name: str, *, urgent: bool) -> None:
            while len(taken) < 80:
                await line.take(1.0, urgent=urgent)
                taken.append(name)

        async with asyncio.TaskGroup() as group:
            for name in ("write", "write"):
                group.create_task(take(name, urgent=True))
            group.create_task(take("read", urgent=False))
        return taken

    taken = run_virtual(main)[20:76]
    assert 12 <= taken.count("read") <= 16
    assert max(len(run) for run in "".join(name[0] for name in taken).split("r")) <= 4


def test_a_taker_that_is_cancelled_takes_nothing_and_lets_the_next_one_go() -> None:
    """Who gives up while waiting leaves line and tokens as if never there."""

    async def scene() -> None:
        budget = Budget("b", capacity=10, rate_per_s=1, clock=running().clock)
        await budget.take(10)

        async def impatient() -> None:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(2):
                    await budget.take(9)

        began = running().time()
        async with asyncio.TaskGroup() as group:
            group.create_task(impatient())
            await asyncio.sleep(0.5)
            group.create_task(budget.take(3))
        assert running().time() - began == pytest.approx(3, abs=1e-3)
        assert budget.in_flight == 13

    run_virtual(scene)


def test_good_news_wakes_those_who_wait() -> None:
    """A correction upwards, or a refund, is used at once and not only after the old delay."""

    async def scene() -> None:
        budget = Budget("b", capacity=1_000, rate_per_s=1, clock=running().clock)
        await budget.take(1_000)
        began = running().time()
        async with asyncio.TaskGroup() as group:
            group.create_task(budget.take(500))
            await asyncio.sleep(5)
            budget.done(1_000)
            budget.correct(available=900)
        assert running().time() - began == pytest.approx(5, abs=1e-3)

    run_virtual(scene)


def test_a_line_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """When too many wait already, the next one is told so at once, as something to try later."""
    monkeypatch.setattr("syncd.sdk.limits.MOST_WAITING", 3)
    assert MOST_WAITING > 3

    async def scene() -> None:
        budget = Budget("b", capacity=1, rate_per_s=1, clock=running().clock)
        await budget.take(1)
        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(budget.take(1))
            await asyncio.sleep(0)
            await asyncio.sleep(0.001)
            with pytest.raises(TransientError, match="wait already") as told:
                await budget.take(1)
            assert not told.value.sent

    run_virtual(scene)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("costs", [(10.0, 20.0), (5.0, 60.0)])
def test_continuous_demand_uses_98_percent_and_never_overdraws(seed: int, costs: tuple[float, float]) -> None:
    """Eight takers over a slow network, corrected by every answer, use the bucket to 98 % and never overdraw it."""

    async def scene() -> None:
        loop = running()
        bucket = Bucket(capacity=400, rate_per_s=50)
        budget = Budget(
            "b", capacity=1_000, rate_per_s=100, clock=loop.clock, reserve=0.3
        )  # believes too much at first
        budget.correct(available=400, capacity=400, rate_per_s=50)
        ends_s = loop.time() + 400

        async def taker(*, urgent: bool) -> None:
            while loop.time() < ends_s:
                asked = loop.random.between(*costs)
                await budget.take(asked, urgent=urgent)
                await asyncio.sleep(loop.random.between(0.01, 0.4))
                left = bucket.charge(asked * loop.random.between(0.3, 1.0))
                await asyncio.sleep(loop.random.between(0.01, 0.4))
                budget.done(asked)
                budget.correct(available=left, capacity=400, rate_per_s=50)

        async with asyncio.TaskGroup() as group:
            for number in range(8):
                group.create_task(taker(urgent=number < 3))
        assert bucket.least >= 0
        assert bucket.spent / (400 + 50 * (loop.time() - ends_s + 400)) >= 0.98

    run_virtual(scene, seed=seed)


def test_a_bucket_without_answers_is_used_to_the_full() -> None:
    """Without any correction, continuous demand gets every token that the rate makes."""

    async def scene() -> None:
        loop = running()
        budget = Budget("b", capacity=40, rate_per_s=2, clock=loop.clock)
        window = Window("w", calls=100, per_s=60, clock=loop.clock)
        counts = {"b": 0, "w": 0}

        async def taker(limit: Budget | Window) -> None:
            while loop.time() < 1_000 + 3_600:
                await limit.take(1)
                counts[limit.name] += 1

        async with asyncio.TaskGroup() as group:
            for limit in (budget, window) * 3:
                group.create_task(taker(limit))
        assert 7_240 * 0.999 <= counts["b"] <= 7_240 + 3
        assert 6_100 * 0.98 <= counts["w"] <= 6_100 + 3

    run_virtual(scene)
