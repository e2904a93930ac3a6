"""Plan all listings anew, in pieces that hold nobody up: after settings, seasons, lags or the pace have changed.

Nearly all SKUs are plain: one listing for each account, no kit, nothing in doubt. Their targets are computed from a few
columns and written only where they changed. What is not plain goes the way of every decision (`engine.targets`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Final

from sqlalchemy import Connection

from syncd.core.brake import Change
from syncd.core.terms import AccountId, Instant, SkuId
from syncd.engine.plain import Alike, Piece, examine
from syncd.engine.plant import Plant
from syncd.engine.replan import replan
from syncd.engine.rules import House
from syncd.engine.targets import retarget
from syncd.engine.work import Hint, Work
from syncd.store import planning as store
from syncd.store.session import Turn

FIRST_SKUS: Final = 60
"""SKUs of the first piece; the next ones follow how long it took."""
LEAST_SKUS: Final = 60
SURVEYED: Final = 250
"""SKUs that are looked through beside the writer at a time."""
MOST_SKUS: Final = 1_000
AIM_S: Final = 0.012
"""How long a piece should hold the writer."""
BUSY_AIM_S: Final = 0.007
"""The same while others wait for it."""
SLOW_SKUS: Final = 20
"""SKUs that are not plain, in one transaction."""
FULL: Final = 0.2
"""Where so much of a piece changed, the next one is not looked through beforehand."""


class Planner:
    """Plans for one daemon; one run at a time."""

    def __init__(self, plant: Plant) -> None:
        self._plant = plant
        self._running = asyncio.Lock()
        self._alike = Alike()

    async def run(self, stop: asyncio.Event, *, survey: bool) -> int:
        """Plan every SKU anew; return how many pieces' worth of SKUs had a change.

        `survey`: look each piece through beside the writer first, so that what does not change costs it nothing.
        """
        async with self._running:
            return await self._run(stop, survey=survey)

    async def _run(self, stop: asyncio.Event, *, survey: bool) -> int:
        self._alike = Alike()
        plant, after, seen_to, size, changed, full = self._plant, SkuId(0), SkuId(0), FIRST_SKUS, 0, not survey
        kits = await plant.store.read(store.in_kits)
        while not stop.is_set():
            begin, most = after, size
            if not full and after >= seen_to:
                seen = await plant.store.read(lambda conn: self._examine(conn, begin, SURVEYED, kits))  # noqa: B023  (awaited here)
                if seen.last is None:
                    break
                seen_to = seen.last
                if not seen.aimed:
                    after = seen.last
                    changed += await self._slowly(await self._differing(seen.slow), stop)
                    continue
            piece = await plant.store.write(lambda conn: self._take(conn, begin, most, kits), turn=Turn.PATIENT)  # noqa: B023  (awaited here)
            if piece.last is None:
                break
            after, size = piece.last, next_size(piece.skus, piece.seconds)
            changed += len(piece.moves)
            changed += await self._slowly(piece.slow if full else await self._differing(piece.slow), stop)
            full = not survey or len(piece.moves) > FULL * piece.skus
            self._wake()
            await asyncio.sleep(0)
        return changed

    async def replan(self, ids: Sequence[SkuId], stop: asyncio.Event) -> int:
        """Plan these SKUs anew, the way of every decision."""
        async with self._running:
            changed = await self._slowly(ids, stop)
            self._wake()
            return changed

    async def survey(self, house: House, stop: asyncio.Event) -> list[tuple[AccountId, Change]]:
        """Return every change that planning anew by the rules of this house would make; writes nothing."""
        plant, after, alike = self._plant, SkuId(0), Alike()
        kits = await plant.store.read(store.in_kits)
        changes: list[tuple[AccountId, Change]] = []

        def survey_piece(conn: Connection, begin: SkuId) -> Piece:
            work = Work(conn, house=house, now=self._now())
            return examine(work, after=begin, most=MOST_SKUS, kits=kits, alike=alike)

        while not stop.is_set():
            begin = after
            piece = await plant.store.read(lambda conn: survey_piece(conn, begin))  # noqa: B023  (awaited here)
            if piece.last is None:
                break
            after = piece.last
            changes += ((name, Change(before=before, after=aim)) for name, before, aim in piece.moves)
            for start in range(0, len(piece.slow), SLOW_SKUS):
                ids = piece.slow[start : start + SLOW_SKUS]
                changes += await plant.store.read(lambda conn: changes_of(conn, house, ids, self._now()))  # noqa: B023  (the same)
        return changes

    def _wake(self) -> None:
        for account in self._plant.roster.values():
            account.wake(Hint.WRITE)

    def _now(self) -> Instant:
        return self._plant.clock.now()

    async def _differing(self, ids: Sequence[SkuId]) -> list[SkuId]:
        """Return those of some SKUs of which planning anew would change something."""
        found: list[SkuId] = []
        for start in range(0, len(ids), SLOW_SKUS):
            part = ids[start : start + SLOW_SKUS]
            if await self._plant.store.read(lambda conn: changes_of(conn, self._plant.house, part, self._now())):  # noqa: B023  (awaited here)
                found += part
        return found

    async def _slowly(self, ids: Sequence[SkuId], stop: asyncio.Event) -> int:
        changed = 0
        for start in range(0, len(ids), SLOW_SKUS):
            if stop.is_set():
                break
            part = ids[start : start + SLOW_SKUS]
            work = partial(take_slow, house=self._plant.house, ids=part, now=self._now())
            changed += await self._plant.store.write(work, turn=Turn.PATIENT)
        return changed

    # --- in a transaction ---

    def _examine(self, conn: Connection, after: SkuId, most: int, kits: set[SkuId]) -> Piece:
        work = Work(conn, house=self._plant.house, now=self._now())
        return examine(work, after=after, most=most, kits=kits, alike=self._alike)

    def _take(self, conn: Connection, after: SkuId, most: int, kits: set[SkuId]) -> Piece:
        clock = self._plant.clock
        started = clock.monotonic()
        aim_s = BUSY_AIM_S if self._plant.store.stats.queue_depth else AIM_S
        until = started + aim_s
        work = Work(conn, house=self._plant.house, now=clock.now())
        enough = lambda: clock.monotonic() >= until  # noqa: E731  (a name for one comparison)
        piece = examine(work, after=after, most=most, kits=kits, alike=self._alike, enough=enough)
        store.save(conn, piece.aimed)
        piece.seconds = clock.monotonic() - started
        return piece


def next_size(size: int, seconds: float) -> int:
    """Return how many SKUs the next piece should have."""
    if seconds > AIM_S:
        return max(LEAST_SKUS, int(size * max(0.3, AIM_S / seconds)))
    return min(MOST_SKUS, size + size // 8 + 1)


def take_slow(conn: Connection, *, house: House, ids: Sequence[SkuId], now: Instant) -> int:
    """Plan a few SKUs anew the way of every decision; return how many listings got another target."""
    work = Work(conn, house=house, now=now)
    _touch(work, ids)
    retarget(work)
    changed = sum(work.targets_before[x.id] != x.target for x in work.listings.values())
    work.touched.clear()
    replan(work)
    work.flush()
    return changed


def changes_of(conn: Connection, house: House, ids: Sequence[SkuId], now: Instant) -> list[tuple[AccountId, Change]]:
    """Return what planning a few SKUs anew would change."""
    work = Work(conn, house=house, now=now)
    _touch(work, ids)
    retarget(work)
    found = []
    for listing in work.listings.values():
        before = work.targets_before[listing.id]
        if before != listing.target:
            change = Change(before=before, after=listing.target or 0, shows=listing.high)
            found.append((listing.account, change))
    # What is to stand beside a number is a change, too, but none of the number.
    found += ((one.account, Change(before=0, after=0)) for one in work.displays.values())
    return found


def _touch(work: Work, ids: Iterable[SkuId]) -> None:
    ids = list(ids)
    work.load_skus(ids)
    work.load_shelves(ids)
    for sku_id in ids:
        work.touch(sku_id)
