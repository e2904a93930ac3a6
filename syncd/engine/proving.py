"""Ask a channel for proofs of the buyers of its orders, so that the order page can know them without keeping them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import Connection

from syncd.core.proofs import Seal
from syncd.engine.channels import Account
from syncd.engine.plant import Plant
from syncd.engine.rules import DAY_US
from syncd.engine.sideline import Sideline
from syncd.engine.timing import nap
from syncd.sdk.features import Proofs
from syncd.store import proofs

LOOK_S: Final = 15.0
"""Between two looks for new orders."""
CALL_S: Final = 60.0
AT_ONCE: Final = 50
KEPT_US: Final = 180 * DAY_US
"""For so long after it was made a proof is kept, and orders older than that are not asked for."""
FORGET_ROWS: Final = 200
FORGET_S: Final = 3_600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Walk:
    """From `newest` down to `above`; `below` is where it goes on."""

    above: int
    below: int
    newest: int


class Proving:
    """The loop of one account: new orders first, then the older ones, down to those that nobody asks about."""

    def __init__(self, plant: Plant, account: Account, channel: Proofs) -> None:
        self._plant = plant
        self._account = account
        self._channel = channel
        self._seal = Seal(key=plant.proof_key, account=account.name)
        self._line = Sideline(account=account, name="proofs", random=plant.random)
        self._top = 0
        """No order above this row was looked at, but in the walk."""
        self._walk: _Walk | None = None
        self._forget_at = 0.0

    async def run(self, stop: asyncio.Event) -> None:
        """Ask until told to stop."""
        await self._plant.ready.wait()
        while not stop.is_set():
            more = await self.step(stop)
            await self._forget()
            await nap(self._line.wait_s or (0.05 if more else LOOK_S), stop)

    async def step(self, stop: asyncio.Event) -> bool:
        """Ask for one page of orders; return whether more may wait."""
        store, name = self._plant.store, self._account.name
        if self._walk is None:
            newest = await store.read(lambda conn: proofs.newest(conn, name))
            if newest <= self._top:
                return False
            self._walk = _Walk(above=self._top, below=newest + 1, newest=newest)
        walk, since = self._walk, self._plant.clock.now() - KEPT_US
        found, further = await store.read(
            lambda conn: proofs.without_proofs(
                conn, name, key_id=self._seal.key_id, above=walk.above, below=walk.below, since=since, limit=AT_ONCE
            )
        )
        if found and not await self._ask(found, stop):
            return False
        if further is None:
            self._top, self._walk = walk.newest, None
        else:
            self._walk = replace(walk, below=further)
        return True

    async def _ask(self, found: list[proofs.Unproved], stop: asyncio.Event) -> bool:
        ids = [order.order_id for order in found]
        answer = await self._line.ask(lambda: self._channel.proofs(ids, self._seal), within_s=CALL_S, stop=stop)
        if answer is None:
            return False
        told = {order.row: answer.value.get(order.order_id, ()) for order in found}
        now, key_id = self._plant.clock.now(), self._seal.key_id

        def keep(conn: Connection) -> None:
            proofs.save(conn, told, key_id=key_id, now=now)

        await self._plant.store.write(keep)
        return True

    async def _forget(self) -> None:
        if self._plant.clock.monotonic() < self._forget_at:
            return
        before = self._plant.clock.now() - KEPT_US
        gone = await self._plant.store.write(lambda conn: proofs.forget(conn, before=before, limit=FORGET_ROWS))
        if gone < FORGET_ROWS:
            self._forget_at = self._plant.clock.monotonic() + FORGET_S
