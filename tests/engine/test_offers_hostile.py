"""Private sales under lost answers, deaths and everything at once: each is told once, and no unit is promised twice."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest

from syncd.core.terms import SECOND_US
from syncd.core.tickets import DeskId
from syncd.core.waitlist import DeskFact, LeaveFact
from syncd.engine.rules import WaitRules
from syncd.sdk.channel import WriteMode
from syncd.store import waiting
from syncd.store.verify import verify
from syncd.testing.chance import SeededRandom
from syncd.testing.loop import run_virtual
from syncd.testing.loop import running as loop_running
from tests.engine.desk_double import DeskDouble
from tests.engine.double import Double, Rates
from tests.engine.offer_double import LINK, Selling
from tests.engine.test_offers import ONE, entries, numbers, receive, sign_up, standing, told
from tests.engine.world import World, running

HOLD_S = 900
RULES = WaitRules(private=frozenset({ONE}), hold_us=HOLD_S * SECOND_US)
HOSTILE = Rates(refused=0.1, cut=0.1, html=0.05, stale=0.1)
TURNS = 60

T = TypeVar("T")


class Died(Exception):  # noqa: N818  (what happened)
    """The daemon ended amid what it did."""


def _end(*, dies: bool) -> None:
    if dies:
        raise Died


class Town:
    """A shop whose daemon dies, and its customers, who buy by what their letters say."""

    def __init__(self, path: Path, seed: int) -> None:
        clock = loop_running().clock
        self.path = path
        self.dice = SeededRandom(seed)
        self.one = Selling(mode=WriteMode.COMPARE_AND_SET, clock=clock, dice=SeededRandom(seed + 1), lateness_s=5.0)
        self.two = Double(mode=WriteMode.COMPARE_AND_SET, clock=clock, dice=SeededRandom(seed + 2), lateness_s=5.0)
        self.desk = DeskDouble(clock=clock, dice=SeededRandom(seed + 3))
        self.one.list("A-1", 0)
        self.two.list("A-1", 0)
        self.world: World
        self.names = 0
        self.seen: Counter[str] = Counter()

    @asynccontextmanager
    async def open(self, *, dies: bool = False) -> AsyncIterator[World]:
        """Run the daemon; with `dies` it ends with no word to anybody."""
        doubles = {"one": self.one, "two": self.two}
        clock = loop_running().clock
        try:
            async with running(self.path, clock, doubles, desks={"desk": self.desk}, waiting=RULES) as self.world:
                yield self.world
                _end(dies=dies)
        except* Died:
            pass

    def hostile(self) -> None:
        """Let calls go wrong from now on."""
        self.one.rates = self.two.rates = HOSTILE
        self.one.deaf, self.desk.cut = 0.3, 0.1

    def kind(self) -> None:
        """Let everything work again."""
        self.one.rates = self.two.rates = Rates()
        self.one.deaf, self.desk.cut, self.one.away = 0.0, 0.0, False

    async def turn(self) -> None:
        """Let something happen."""
        chance = self.dice.between(0.0, 1.0)
        if chance < 0.25:
            self.names += 1
            await sign_up(self.world, f"p{self.names}", quantity=1 + self.names % 2)
        elif chance < 0.45:
            await receive(self.world, 1 + int(self.dice.between(0.0, 3.0)))
        elif chance < 0.70:
            self.pay()
        elif chance < 0.80:
            self.buy(self.one if self.dice.happens(0.5) else self.two)
        elif chance < 0.87:
            await self.leave()
        elif chance < 0.92:
            self.one.away = not self.one.away

    def one_of(self, found: Sequence[T]) -> T:
        """Return one of several, by chance."""
        return found[int(self.dice.between(0.0, len(found) - 0.001))]

    def pay(self) -> None:
        """Let somebody buy by the link of a letter."""
        known = re.findall(re.escape(LINK) + r"/(D\d+)", "\n".join(told(self.desk)))
        if known and self.one.pay(self.one_of(sorted(set(known)))) is not None:
            self.seen["paid"] += 1

    def buy(self, double: Double) -> None:
        ref = next(iter(double.numbers))
        if double.numbers[ref] > 0 and double.buy(ref, 1) is not None:
            self.seen["bought"] += 1

    async def leave(self) -> None:
        open_ = [entry.id for entry in await entries(self.world) if entry.closed_at is None]
        if open_:
            await self.world.say(LeaveFact(ids=(self.one_of(open_),)))

    async def live(self, turns: int) -> None:
        """Let things happen, a minute between them, so that channels are not sold out at the same moment."""
        for _ in range(turns):
            await self.turn()
            await asyncio.sleep(self.dice.between(40.0, 90.0))

    async def hold_true(self) -> None:
        """Hold what has to be true once everything is at rest."""
        world = self.world
        assert await world.plant.store.read(verify) == []
        shelf = await world.shelf("A-1")
        assert shelf.held == 0, "something is held for nobody"
        assert shelf.available >= 0, "a unit is promised twice"
        assert {name: max(0, number) for name, number in numbers(world).items()} == dict.fromkeys(
            ("one", "two"), shelf.available
        )
        assert {offer.state.value for offer in await standing(world)} <= {"ended"}
        assert [made.offer_id for made in self.one.private.values() if made.open and made.kept] == []
        self.hold_told_once()
        open_holds = await world.plant.store.read(lambda conn: waiting.next_hold_end(conn))
        assert open_holds is None

    def hold_told_once(self) -> None:
        """Hold that no letter has two links, that no link is in two, and that no key was made twice."""
        found = [re.findall(re.escape(LINK) + r"/D\d+", letter) for letter in self.letters()]
        links = [link for letter in found for link in letter]
        assert max(Counter(links).values(), default=1) == 1, "a link was told twice"
        assert all(len(letter) <= 1 for letter in found)
        keys = Counter(made.request.key for made in self.one.private.values())
        assert max(keys.values(), default=1) == 1, "a private sale was made twice"

    def letters(self) -> list[str]:
        """Return every letter as often as it was sent."""
        opened = [new.letter.body for new in self.desk.opened if new.letter is not None]
        others = [letter.body for _, letter in (*self.desk.letters, *self.desk.drafts)]
        return [*opened, *(body for body in others if body not in opened)]


def play(path: Path, seed: int, *, deaths: int) -> Town:
    """Let a town live with so many deaths of its daemon, then in peace; return it."""

    async def main() -> Town:
        town = Town(path / "a.db", seed)
        async with town.open(dies=bool(deaths)) as world:
            await asyncio.sleep(20)
            await world.say(DeskFact(desk=DeskId("desk"), live=True))
            await world.count(a_1=0)
            await world.go()
            town.hostile()
            await town.live(TURNS // (deaths + 1))
        for number in range(deaths):
            async with town.open(dies=number < deaths - 1) as world:
                await asyncio.sleep(town.dice.between(0.0, 5.0))
                await town.live(TURNS // (deaths + 1))
                if number == deaths - 1:
                    await rest(town)
        if not deaths:
            async with town.open():
                await rest(town)
        return town

    async def rest(town: Town) -> None:
        town.kind()
        for entry in await entries(town.world):
            if entry.closed_at is None and entry.order_row is None:
                await town.world.say(LeaveFact(ids=(entry.id,)))
                await asyncio.sleep(10)
        await asyncio.sleep(2 * HOLD_S + 2_400)
        await town.hold_true()

    found: Any = run_virtual(main, seed=seed)
    assert isinstance(found, Town)
    return found


@pytest.mark.parametrize("seed", range(2))
def test_faults_leave_everything_right(quick_path: Path, seed: int) -> None:
    """With answers lost and channels away everything is right at rest, and nobody is told twice."""
    assert play(quick_path, seed, deaths=0).one.private


@pytest.mark.parametrize("seed", range(10, 13))
def test_deaths_leave_everything_right(quick_path: Path, seed: int) -> None:
    """The same with a daemon that dies ten times amid what it does."""
    assert play(quick_path, seed, deaths=10).one.private


def test_customers_did_buy(quick_path: Path) -> None:
    """The towns are not empty: customers bought by their links, and others bought what was shown."""
    seen = play(quick_path, 3, deaths=0).seen
    assert min(seen["paid"], seen["bought"]) >= 1
