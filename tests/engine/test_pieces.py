"""Long work is cut by the time it takes, and short work costs no more rounds of the writer than it needs."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from syncd.core.exposure import Exposure, Policy
from syncd.core.facts import HintFact, OrderFact
from syncd.core.terms import AccountId, SkuId
from syncd.engine import attending, planning
from syncd.engine.ingest import Ingest
from syncd.engine.intake import Intake
from syncd.engine.outlook import Ground, Lag
from syncd.engine.plain import CHECKED, Alike, examine
from syncd.engine.planning import Planner
from syncd.engine.work import Work
from syncd.store.session import Store
from tests.bench import shop
from tests.bench.clocks import BenchClock
from tests.bench.planning import learn

SKUS = 3 * CHECKED


@pytest.fixture
async def store(tmp_path: Path) -> Any:
    made = await shop.new_store(tmp_path / "a.db", BenchClock(), skus=SKUS)
    async with made:
        yield made


@pytest.mark.parametrize("pieces", [attending, planning])
def test_pieces_follow_the_time_that_they_take(pieces: Any) -> None:
    """A piece that took too long is followed by a smaller one, a short one by a larger one, within the limits."""
    slow, quick = 2 * pieces.AIM_S, pieces.AIM_S / 2
    size = 200
    assert pieces.next_size(size, slow) == size // 2
    assert pieces.next_size(size, quick) > size
    for _ in range(50):
        size = pieces.next_size(size, 100 * slow)
    assert 0 < size == pieces.next_size(size, slow)
    for _ in range(100):
        size = pieces.next_size(size, quick)
    assert 200 < size == pieces.next_size(size, quick)


async def test_a_piece_of_planning_ends_by_the_clock(store: Store) -> None:
    """A piece whose time is over ends at the SKU that it has come to, and the next one begins behind that."""
    house = shop.house()

    def piece(conn: Any, after: int) -> Any:
        work = Work(conn, house=house, now=shop.START)
        return examine(work, after=SkuId(after), most=SKUS, kits=set(), alike=Alike(), enough=lambda: True)

    ends = [await store.read(lambda conn, a=after: piece(conn, a)) for after in (0, CHECKED, SKUS)]  # type: ignore[misc]
    assert [(one.last, one.skus) for one in ends] == [(CHECKED, CHECKED), (2 * CHECKED, CHECKED), (None, 0)]


async def test_pieces_aim_at_what_a_decision_aims_at(store: Store) -> None:
    """SKUs that were never sold are not alike while a channel is away that shows different numbers of them."""
    house = shop.house(policy=Policy(exposure=Exposure.ADAPTIVE))
    house.outlook.set_lags(
        {
            AccountId(name): Lag(
                heard_s=600, visible_s=600, visible_by=Ground.DOWN if name == "amazon" else Ground.MEASURED
            )
            for name in shop.ACCOUNTS
        }
    )
    learn(house, skus=2_000, seed=1)
    house.outlook.book.known.clear()
    await store.write(lambda conn: conn.exec_driver_sql("UPDATE balance SET on_hand = 6"))
    shown = "CASE WHEN account = 'amazon' AND sku_id % 2 = 1 THEN 1 ELSE 60 END"
    await store.write(
        lambda conn: conn.exec_driver_sql(f"UPDATE listing SET target = 60, base = 60, low = {shown}, high = {shown}")
    )

    def both(conn: Any) -> tuple[list[Any], list[Any]]:
        work = Work(conn, house=house, now=shop.START)
        piece = examine(work, after=SkuId(0), most=SKUS, kits=set(), alike=Alike())
        assert not piece.slow
        ids = [SkuId(number) for number in range(1, SKUS + 1)]
        decided = planning.changes_of(conn, house, ids, shop.START)
        return sorted((name, aim) for name, _, aim in piece.moves), sorted((name, x.after) for name, x in decided)

    quick, decided = await store.read(both)
    assert quick == decided
    assert len(set(quick)) > len(shop.ACCOUNTS), "both kinds of SKUs must aim at different numbers"


class Crawling(BenchClock):
    """A clock on which everything takes a second."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        self.seconds += 1.0
        return self.seconds


async def test_planning_reaches_every_sku_where_each_piece_takes_too_long(store: Store) -> None:
    """However slow the machine is, planning anew ends, and every listing has got its target."""
    await store.write(lambda conn: conn.exec_driver_sql("UPDATE balance SET on_hand = 7"))
    for survey in (False, True):
        await store.write(lambda conn: conn.exec_driver_sql("UPDATE listing SET target = 9, base = 9"))
        plant: Any = SimpleNamespace(store=store, clock=Crawling(), house=shop.house(), roster={})
        assert await Planner(plant).run(asyncio.Event(), survey=survey) == 4 * SKUS
        left = await store.read(lambda conn: conn.exec_driver_sql("SELECT min(target), max(target) FROM listing").all())
        assert left == [(7, 7)]


async def rounds(store: Store, fact: OrderFact | HintFact) -> int:
    """Let a fact be decided by the loop; return how many works of the writer that took."""
    clock, stop, house = BenchClock(), asyncio.Event(), shop.house()
    intake = Intake(store, clock=clock)
    ingest = Ingest(store, intake=intake, clock=clock, house=lambda: house, changed=lambda *_: None)
    async with asyncio.TaskGroup() as group:
        group.create_task(ingest.run(stop))
        await asyncio.sleep(0.2)  # it has found the inbox empty
        before = store.stats.works
        receipt = await intake.put_one(fact, source="bench", key=None)
        assert await intake.settle(receipt.inbox_id) is None
        await store.write(lambda _: None)  # behind what the loop may have asked for meanwhile
        found = store.stats.works - before
        stop.set()
    return found - 1


async def test_an_order_takes_two_works(store: Store) -> None:
    """An order is stored and decided, and nobody looks into the inbox again that was empty."""
    assert await rounds(store, next(shop.orders(skus=SKUS, lines=2, seed=1))) == 2
    # What may put facts into the inbox by itself is followed by a look.
    assert await rounds(store, HintFact(account=AccountId("amazon"), order_ids=("1",))) == 3
