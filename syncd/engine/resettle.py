"""Changed settings change targets: found at start, computed anew in small pieces, held for a person when it is much."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog
from sqlalchemy import Connection

from syncd.core import brake
from syncd.core.facts import AccountState
from syncd.core.terms import AccountId, Location, SkuId
from syncd.engine.planning import Planner
from syncd.engine.plant import Plant
from syncd.engine.upkeep import settings_mark
from syncd.engine.work import Work
from syncd.store import accounts, alerts, ledger, listings

PIECE = 100
"""SKUs whose listings are moved in one transaction."""

_log = structlog.get_logger("syncd.resettle")


async def run_resettle(plant: Plant, stop: asyncio.Event) -> None:
    """Bring targets in line with the settings of this start, once."""
    await plant.ready.wait()
    planner = Planner(plant)
    changed = [name for name in plant.roster if await _is_changed(plant, name)]
    if changed:
        await _place_all(plant, stop)
        await _weigh(plant, planner, changed, stop)
        await planner.run(stop, survey=False)
        if not stop.is_set():
            for name in changed:
                await plant.store.write(lambda c, n=name: accounts.set_note(c, _note(n), settings_mark(plant, n)))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
    await stop.wait()


def _note(name: AccountId) -> str:
    return f"settings:{name}"


async def _is_changed(plant: Plant, name: AccountId) -> bool:
    return await plant.store.read(lambda conn: accounts.note(conn, _note(name))) != settings_mark(plant, name)


async def _weigh(plant: Plant, planner: Planner, names: Sequence[AccountId], stop: asyncio.Event) -> None:
    """Pause accounts on which the new settings would take too many listings to zero, or raise too many."""
    total, found = await planner.survey(stop)
    for name in names:
        mine = [change for account, change in found if account == name]
        trip = brake.check(mine, listings=total, rule=plant.house.brake)
        if trip is not None:
            reason = (
                f"new settings would take {trip.to_zero} listings to zero and raise {trip.raised}, of {trip.listings}"
            )
            await plant.store.write(lambda conn, n=name, r=reason: _pause(conn, plant, n, r))  # type: ignore[misc]  # mypy cannot infer a lambda with defaults


def _pause(conn: Connection, plant: Plant, name: AccountId, reason: str) -> None:
    known = accounts.accounts(conn).get(name)
    if known is None or known.state is not AccountState.LIVE:
        return
    now = plant.clock.now()
    accounts.set_account(conn, name, {"state": AccountState.PAUSED.value, "reason": reason, "since": now})
    values = {"cause": f"settings of {name}"}
    alerts.raise_alert(conn, kind="brake", key=f"settings:{name}", text=reason, values=values, now=now)
    _log.warning("brake.held", account=name, cause="settings", reason=reason)


async def _place_all(plant: Plant, stop: asyncio.Event) -> None:
    """Move listings to where the settings now say that they sell from; their targets follow with all others."""
    mapped = any(account.rules.location_map for account in plant.roster.values())
    if not mapped and not await plant.store.read(listings.any_placed):
        return
    after: SkuId | None = SkuId(0)
    while after is not None and not stop.is_set():
        begin = after
        after = await plant.store.write(lambda conn, b=begin: _place_piece(conn, plant, b))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        await asyncio.sleep(0)


def _place_piece(conn: Connection, plant: Plant, after: SkuId) -> SkuId | None:
    ids = ledger.sku_page(conn, after=after, limit=PIECE)
    if not ids:
        return None
    work = Work(conn, house=plant.house, now=plant.clock.now())
    _place(work, ids)
    work.flush()
    return ids[-1]


def _place(work: Work, ids: Sequence[SkuId]) -> None:
    """Move listings to where the settings now say that they sell from."""
    for listing in work.keep(listings.of_skus(work.conn, ids)):
        rules = work.house.rules.get(listing.account)
        place = Location("") if rules is None else rules.location_map.get(listing.ref.remote_location, Location(""))
        if listing.location != place:
            listing.location, listing.changed = place, True
