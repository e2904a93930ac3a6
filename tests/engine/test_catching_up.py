"""What the daemon does with the facts of its last run before anything else begins."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from syncd.core.facts import SkuFact, SkuRow
from syncd.core.terms import Sku
from syncd.engine.crew import catch_up
from syncd.engine.ingest import Ingest
from syncd.engine.intake import Intake
from syncd.store import inbox
from syncd.store.schema import migrate
from syncd.store.session import Store
from tests.web.rig import RigClock

LEFT = 5
MOST_STEPS = 50


class Pouring:
    """Decides a fact a step, and for each one another comes in."""

    def __init__(self, store: Store, intake: Intake) -> None:
        self._store = store
        self._intake = intake
        self.steps = 0

    async def step(self) -> int:
        self.steps += 1
        assert self.steps < MOST_STEPS, "it never ends"
        await pour(self._intake, 1)
        upto = await self._store.read(inbox.decided) + 1
        await self._store.write(lambda conn: inbox.set_decided(conn, upto))
        return 1


async def pour(intake: Intake, count: int) -> None:
    facts = [SkuFact(rows=(SkuRow(sku=Sku("TEA"), title="Tea"),)) for _ in range(count)]
    await intake.put(facts, source="test")


async def test_facts_that_go_on_coming_keep_nobody_from_beginning(tmp_path: Path) -> None:
    """What was there at the start is decided, what comes meanwhile is left to the loop."""
    clock = RigClock()
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    migrate(url, backup_dir=None, clock=clock)
    async with Store.open(url, clock=clock) as store:
        intake = Intake(store, clock=clock)
        await pour(intake, LEFT)
        ingest = Pouring(store, intake)
        await catch_up(cast("Any", SimpleNamespace(store=store, intake=intake)), cast("Ingest", ingest))
        assert ingest.steps == LEFT
        assert await intake.news(LEFT - 1) == LEFT
