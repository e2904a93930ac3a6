"""Changed settings change targets: found at start, computed anew in small pieces, held for a person when it is much.

Until it is known how much they change, released accounts go by the settings of the last run. Those of which the brake
holds the new ones go on by the old ones, whatever orders and deliveries come, until a person releases the new ones.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Final

import msgspec
from sqlalchemy import Connection

from syncd.core import brake
from syncd.core.brake import Change, Trip
from syncd.core.facts import AccountState
from syncd.core.terms import AccountId, Location, SkuId
from syncd.engine.deciding import hold_back
from syncd.engine.planning import Planner
from syncd.engine.plant import Plant
from syncd.engine.rules import House, Ruling
from syncd.engine.timing import nap
from syncd.engine.work import Work
from syncd.store import accounts, alerts, ledger, listings

PIECE: Final = 100
"""SKUs whose listings are moved in one transaction."""
WORD_S: Final = 2.0
"""How often it is looked whether a person has released settings that are held."""

_encode = msgspec.json.Encoder(order="sorted").encode
_decode = msgspec.json.Decoder(Ruling).decode


# --- the settings of this start and of the last run ----------------------------------------------------------------


def ruling_of(plant: Plant, name: AccountId) -> Ruling:
    """Return what the settings of this start say of an account."""
    rules = plant.roster[name].rules
    return Ruling(
        policy=rules.policy,
        seasons=tuple(x for x in plant.house.seasons if not x.accounts or name in x.accounts),
        locations=rules.locations,
        location_map=dict(rules.location_map),
    )


def house_by(plant: Plant, older: Mapping[AccountId, Ruling]) -> House:
    """Return the house by the settings of this start, but for accounts that go by older ones."""
    rules = {name: account.rules for name, account in plant.roster.items()}
    for name, old in older.items():
        rules[name] = replace(rules[name], policy=old.policy, locations=old.locations, location_map=old.location_map)
    return replace(plant.house, rules=rules, older=older)


async def take_up_settings(plant: Plant) -> None:
    """Have released accounts whose settings have changed go by those of the last run, before anything is decided."""
    older = await plant.store.read(lambda conn: _older(conn, plant))
    if older:
        plant.house = house_by(plant, older)


def _older(conn: Connection, plant: Plant) -> dict[AccountId, Ruling]:
    known = accounts.accounts(conn)
    live = [name for name in plant.roster if name in known and known[name].state is AccountState.LIVE]
    found = {name: _kept(conn, name) for name in live}
    return {name: old for name, old in found.items() if old is not None and old != ruling_of(plant, name)}


def _kept(conn: Connection, name: AccountId) -> Ruling | None:
    """Return the settings that an account went by last, None where they are not known."""
    try:
        return _decode(accounts.note(conn, _note(name)) or "")
    except msgspec.DecodeError:
        return None


def _keep(conn: Connection, plant: Plant, names: Collection[AccountId]) -> None:
    for name in names:
        accounts.set_note(conn, _note(name), settings_mark(plant, name))


def settings_mark(plant: Plant, name: AccountId) -> str:
    """Return what the settings of this start say of an account, as the text that is kept for the next start."""
    return _encode(ruling_of(plant, name)).decode()


def _note(name: AccountId) -> str:
    return f"settings:{name}"


# --- bringing targets in line ----------------------------------------------------------------------------------------


async def run_resettle(plant: Plant, stop: asyncio.Event) -> None:
    """Bring targets in line with the settings of this start, once; with those that are held when a person says so."""
    await plant.ready.wait()
    planner = Planner(plant)
    changed = await plant.store.read(lambda conn: [x for x in plant.roster if _kept(conn, x) != ruling_of(plant, x)])
    trips = await _weigh(plant, planner, stop) if plant.house.older else {}
    if not stop.is_set():
        held = await plant.store.write(lambda conn: _hold(conn, plant, trips))
        if changed:
            await _settle(plant, planner, [name for name in changed if name not in held], stop)
        await _attend(plant, planner, held, stop)
    await stop.wait()


async def _weigh(plant: Plant, planner: Planner, stop: asyncio.Event) -> dict[AccountId, Trip]:
    """Return the accounts on which the new settings would take too many listings to zero, or raise too many."""
    house = house_by(plant, {})
    await _place_all(plant, house, stop)
    changes: dict[AccountId, list[Change]] = {name: [] for name in plant.house.older}
    for name, change in await planner.survey(house, stop):
        if name in changes:
            changes[name].append(change)
    released = await plant.store.read(listings.released)
    mine = {name: released.get(name, 0) for name in changes}
    return brake.held(changes, listings=mine, rule=plant.house.brake)


def _hold(conn: Connection, plant: Plant, trips: Mapping[AccountId, Trip]) -> dict[AccountId, int]:
    """Hold the settings of these accounts and return the numbers; what an earlier start held stays, or is over."""
    held, now = {}, plant.clock.now()
    before = {row.cause: row for row in accounts.held(conn) if row.inbox_id == accounts.SETTINGS}
    for name, trip in trips.items():
        cause = f"settings of {name}"
        row = before.get(cause)
        if row is not None and (row.to_zero, row.raised, row.listings) == (trip.to_zero, trip.raised, trip.listings):
            held[name] = int(before.pop(cause).id)
        else:
            held[name] = hold_back(conn, trip, cause=cause, inbox_id=accounts.SETTINGS, now=now)
    for row in before.values():
        accounts.end_hold(conn, row.id, state="refused", actor="", now=now)
        alerts.clear_alert(conn, kind="brake", key=str(row.id), now=now)
    return held


async def _settle(plant: Plant, planner: Planner, names: Collection[AccountId], stop: asyncio.Event) -> None:
    """Let accounts go by the settings of this start."""
    plant.house = house_by(plant, {name: old for name, old in plant.house.older.items() if name not in names})
    await _place_all(plant, plant.house, stop)
    await planner.run(stop, survey=False)
    if not stop.is_set():
        await plant.store.write(lambda conn: _keep(conn, plant, names))


async def _attend(plant: Plant, planner: Planner, held: dict[AccountId, int], stop: asyncio.Event) -> None:
    """Wait for a person's word on settings that are held; refused ones are weighed again at the next start."""
    while held and not stop.is_set():
        await nap(WORD_S, stop)
        numbers = list(held.values())
        states = await plant.store.read(lambda conn: accounts.hold_states(conn, numbers))  # noqa: B023  (awaited here)
        ended = {name for name, number in held.items() if states.get(number) != "held"}
        released = [name for name in ended if states.get(held[name]) == "released"]
        if released:
            await _settle(plant, planner, released, stop)
        held = {name: number for name, number in held.items() if name not in ended}


async def _place_all(plant: Plant, house: House, stop: asyncio.Event) -> None:
    """Move listings to where the settings of a house say that they sell from; their targets follow with all others."""
    mapped = any(rules.location_map for rules in house.rules.values())
    if not mapped and not await plant.store.read(listings.any_placed):
        return
    after: SkuId | None = SkuId(0)
    while after is not None and not stop.is_set():
        begin = after
        after = await plant.store.write(lambda conn, b=begin: _place_piece(conn, plant, house, b))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        await asyncio.sleep(0)


def _place_piece(conn: Connection, plant: Plant, house: House, after: SkuId) -> SkuId | None:
    ids = ledger.sku_page(conn, after=after, limit=PIECE)
    if not ids:
        return None
    work = Work(conn, house=house, now=plant.clock.now())
    for listing in work.keep(listings.of_skus(conn, ids)):
        rules = house.rules.get(listing.account)
        place = Location("") if rules is None else rules.location_map.get(listing.ref.remote_location, Location(""))
        if listing.location != place:
            listing.location, listing.changed = place, True
    work.flush()
    return ids[-1]
