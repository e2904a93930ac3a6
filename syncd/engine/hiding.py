"""Keep, hour by hour, what it is reckoned to cost that channels show less than is there."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from syncd.core.hidden import hidden_sales
from syncd.core.terms import SECOND_US, AccountId, Instant
from syncd.engine.plant import Plant
from syncd.engine.rules import DAY_US
from syncd.engine.timing import nap
from syncd.store import figures, ledger
from syncd.store.figures import HOUR_US, Hiding

PIECE: Final = 500
"""SKUs looked at in one go: a few milliseconds."""
REST_S: Final = 0.02
DAY_S: Final = 86_400.0


class HiddenWatch:
    """The loop. Whatever stands when an hour ends stands for the hour; hours in which syncd was away have no figure."""

    def __init__(self, plant: Plant) -> None:
        self._plant = plant

    async def run(self, stop: asyncio.Event) -> None:
        """Look at the turn of every hour until told to stop."""
        clock = self._plant.clock
        await self._plant.ready.wait()
        while not stop.is_set():
            turn = (clock.now() // HOUR_US + 1) * HOUR_US
            await nap(max(0.01, (turn - clock.now()) / SECOND_US), stop)
            if not stop.is_set() and clock.now() >= turn:
                await self.step(turn - HOUR_US, stop)

    async def step(self, hour: Instant, stop: asyncio.Event) -> None:
        """Look at all SKUs, and keep what the hour cost; with it, hours go that are older than the settings say."""
        plant = self._plant
        lost = dict.fromkeys(plant.roster, 0.0)
        after = 0
        while ids := await plant.store.read(lambda conn, a=after: ledger.sku_page(conn, after=a, limit=PIECE)):  # type: ignore[misc]  # mypy cannot infer a lambda with a default
            upto = ids[-1]
            for one in await plant.store.read(lambda conn, a=after, u=upto: figures.hidings(conn, after=a, upto=u)):  # type: ignore[misc]  # the same
                for account, units in self._cost(one).items():
                    lost[account] = lost.get(account, 0.0) + units
            after = upto
            await nap(REST_S, stop)
            if stop.is_set():
                return
        oldest = plant.clock.now() - plant.settings.retention.figures_days * DAY_US
        await plant.store.write(lambda conn: figures.keep_hidden(conn, hour, lost))
        await plant.store.write(lambda conn: figures.forget_hidden(conn, before=oldest))

    def _cost(self, one: Hiding) -> Mapping[AccountId, float]:
        """Return what an hour of this costs: the 24th part of a day of it."""
        book, accounts = self._plant.house.outlook.book, list(self._plant.roster)
        sizes = book.sized(one.sku_id)
        units = sum(size * chance for size, chance in enumerate(sizes, 1))
        a_day = book.lines_per_s(one.sku_id, self._plant.clock.now()) * units * DAY_S
        parts = dict(zip(accounts, book.shares(one.sku_id, accounts), strict=True))
        wanted = {str(account): a_day * part for account, part in parts.items()}
        shown = {str(account): units for account, units in one.shown.items()}
        day = hidden_sales(wanted, shown, there=one.there)
        return {AccountId(account): lost * HOUR_US / DAY_US for account, lost in day.items()}
