"""Keep the outlook true: how late each account is now, what demand was learned, and plan anew where that moved much."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

import structlog
from sqlalchemy import Connection

from syncd.core.facts import AccountState
from syncd.core.lag import KNOWLEDGE, Stage
from syncd.core.plan import Lane
from syncd.core.terms import SECOND_US, AccountId, Instant
from syncd.engine.channels import Account
from syncd.engine.demand import Book, Sold
from syncd.engine.outlook import Ground, Lag
from syncd.engine.planning import Planner
from syncd.engine.plant import Plant
from syncd.engine.timing import nap
from syncd.store import accounts, listings, seasons
from syncd.store import demand as store
from syncd.store.accounts import KnownAccount

LOOK_S: Final = 15.0
"""How often lags are looked at."""
SAVE_S: Final = 60.0
"""How often demand that was learned is written; a crash forgets what was learned since."""
SAVED: Final = 500
"""SKUs written in one transaction."""
SHARE: Final = 0.9
"""Lags are reckoned as so many sales and falls stay within."""
LOUD: Final = 1.5
"""By which factor a lag has to be another one before everything is planned anew."""
MOVED: Final = 1.6
"""The same for the pace of the whole shop."""
DEARER: Final = 1.1
"""By which factor an oversold unit has to be dearer before everything is planned anew."""
EVERY_S: Final = 3_600.0
"""How often everything is planned anew in any case: demand fades while nothing is sold."""
FLOOR_S: Final = 5.0
"""Lags that are both below this do not differ."""
PAST_ORDERS: Final = 20_000
"""From so many of the newest orders demand is learned where none was kept."""
PIECE: Final = 250
_FALLS: Final = (Lane.ZERO, Lane.FALL)
_SEASONS_NOTE: Final = "seasons"

_log = structlog.get_logger("syncd.exposure")


# --- demand over a restart ------------------------------------------------------------------------------------------


async def take_up_demand(plant: Plant) -> None:
    """Take up the demand of the last run, or learn it from the orders that there are."""
    book = plant.house.outlook.book
    shop = await plant.store.read(store.load_shop)
    book.skus = max(1, await plant.store.read(store.count_skus))
    if shop is None:
        await _learn(plant, book)
        return
    after = 0
    while found := await plant.store.read(lambda conn, a=after: store.load_page(conn, after=a, limit=PIECE * 8)):  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        book.restore(shop, found)
        after = found[-1].sku_id
    book.restore(shop, ())


async def _learn(plant: Plant, book: Book) -> None:
    """Learn from the orders of the ledger, oldest first."""
    after = await plant.store.read(lambda conn: store.newest_orders(conn, most=PAST_ORDERS))
    while found := await plant.store.read(lambda conn, a=after: store.past_lines(conn, after=a, limit=PIECE)):  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        orders: dict[int, list[store.PastLine]] = {}
        for line in found:
            orders.setdefault(line.order_id, []).append(line)
        for lines in orders.values():
            sold = tuple((line.sku_id, line.units, True) for line in lines)
            book.heard(Sold(account=lines[0].account, at=lines[0].at, lines=sold))
        after = max(found[-1].order_id, after + PIECE)


# --- lags now -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """What is seen of an account: when its feed was read last, since when its oldest fall waits, and its state."""

    scanned_at: Instant | None
    falling_since: Instant | None
    state: AccountState | None = None


def lag_now(
    account: Account, signs: Signs, *, usual: tuple[float, float], grounds: tuple[Ground, Ground], now: Instant
) -> Lag:
    """Return how late an account is now: as it usually is, or by how long it has been silent, slow or away."""
    heard_s, visible_s = usual
    heard_by, visible_by = grounds
    silent_s = 0.0 if signs.scanned_at is None else (now - signs.scanned_at) / SECOND_US
    if silent_s > max(2 * account.settings.poll_s, heard_s):
        heard_s, heard_by = silent_s, Ground.SILENT
    waited_s = 0.0 if signs.falling_since is None else (now - signs.falling_since) / SECOND_US
    if waited_s > max(FLOOR_S, visible_s):
        visible_s, visible_by = waited_s, Ground.WAITING
    pulse = account.pulse
    if pulse.down_since is not None:
        away_s = (now - pulse.down_since) / SECOND_US
        heard_s, heard_by = max(heard_s, away_s), Ground.DOWN
        visible_s, visible_by = max(visible_s, away_s), Ground.DOWN
    until = pulse.maintenance_until
    if until is not None:
        heard_by = visible_by = Ground.MAINTENANCE
        left_s = (until - now) / SECOND_US
        heard_s, visible_s = max(heard_s, left_s), max(visible_s, left_s)
    return Lag(heard_s=heard_s, visible_s=visible_s, heard_by=heard_by, visible_by=visible_by)


def _ground(measured_s: float | None) -> Ground:
    """Say where a usual lag comes from: while little was measured the channel's promise bounds it."""
    return Ground.PROMISED if measured_s is None else Ground.MEASURED


def is_other(before: Lag, found: Lag) -> bool:
    """Say whether a lag is so much another one that targets have to follow."""
    if before.away != found.away:
        return True
    pairs = ((before.heard_s, found.heard_s), (before.visible_s, found.visible_s))
    return any(max(a, b) > FLOOR_S and max(a, b) > LOUD * max(min(a, b), 0.001) for a, b in pairs)


def _is_apart(before: float, now: float) -> bool:
    return max(before, now) > DEARER * min(before, now)


class Lookout:
    """The loop. What it finds is planned anew by `Planner`, SKU by SKU."""

    def __init__(self, plant: Plant, planner: Planner) -> None:
        self._plant = plant
        self._planner = planner
        self._saved_s = 0.0
        self._planned_s = 0.0
        self._pace = 0.0
        self._cautions: dict[AccountId, float] = {}
        self._states: dict[AccountId, AccountState | None] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Look and keep until told to stop, then keep once more."""
        plant, clock = self._plant, self._plant.clock
        await plant.ready.wait()
        self._saved_s = self._planned_s = clock.monotonic()
        self._pace = self._pace_now()
        await self._seasons(stop)
        while not stop.is_set():
            await nap(await self._wait_s(), stop)
            if not stop.is_set():
                await self.look(stop)
            if stop.is_set() or clock.monotonic() - self._saved_s >= SAVE_S:
                await self.keep()

    async def _wait_s(self) -> float:
        """Return how long to rest: up to the next look, or the turn of a season."""
        now = self._plant.clock.now()
        turn = await self._plant.store.read(lambda conn: next_turn(conn, self._plant, now))
        return LOOK_S if turn is None else min(LOOK_S, max(0.01, (turn - now) / SECOND_US))

    async def look(self, stop: asyncio.Event) -> None:
        """Bring the lags up to date; plan anew what follows from them, from seasons and from the pace."""
        if await self._seasons(stop):
            return
        causes = [*await self._lags(), *self._turned_dear()]
        pace, at_s = self._pace_now(), self._plant.clock.monotonic()
        if pace > self._pace * MOVED or pace * MOVED < self._pace:
            causes.append("pace")
        if at_s - self._planned_s >= EVERY_S:
            causes.append("hour")
        if causes:
            await self._plan(", ".join(causes), stop)

    async def _plan(self, cause: str, stop: asyncio.Event) -> None:
        self._planned_s, self._pace = self._plant.clock.monotonic(), self._pace_now()
        changed = await self._planner.run(stop, survey=True)
        if changed:
            _log.info("exposure.planned", cause=cause, skus=changed)

    def _turned_dear(self) -> list[str]:
        """Return the accounts on which an oversold unit became much dearer or cheaper, for a limit is near."""
        now, before = dict(self._plant.house.cautions), self._cautions
        names = now.keys() | before.keys()
        turned = [name for name in names if _is_apart(before.get(name, 1.0), now.get(name, 1.0))]
        self._cautions = {**before, **{name: now.get(name, 1.0) for name in turned}}
        return sorted(turned)

    def _pace_now(self) -> float:
        book = self._plant.house.outlook.book
        return book.pace.per_s * book.factor(self._plant.clock.now())

    async def _lags(self) -> list[str]:
        """Take the lags as they are now where they changed much; return the accounts."""
        plant, now = self._plant, self._plant.clock.now()
        outlook, lags = plant.house.outlook, plant.house.lags
        signs = await plant.store.read(lambda conn: _signs(conn, plant, now))
        changed: dict[AccountId, Lag] = {}
        for name, account in plant.roster.items():
            usual = lags.knowledge_s(name, SHARE), lags.visible_s(name, SHARE)
            measured = lags.measured_s(name, KNOWLEDGE, SHARE), lags.measured_s(name, (Stage.FALL,), SHARE)
            grounds = _ground(measured[0]), _ground(measured[1])
            found = lag_now(account, signs[name], usual=usual, grounds=grounds, now=now)
            if is_other(outlook.lag(name), found):
                changed[name] = found
        states = {name: sign.state for name, sign in signs.items()}
        turned = {name for name, state in states.items() if self._states.get(name, state) != state}
        self._states = states
        if changed:
            outlook.set_lags(changed)
            for name, lag in changed.items():
                told = {"heard_s": round(lag.heard_s, 1), "visible_s": round(lag.visible_s, 1)}
                _log.info("exposure.lag", account=name, **told, by=lag.visible_by.value)
        return sorted(turned.union(changed))

    async def _seasons(self, stop: asyncio.Event) -> bool:
        """Plan anew what a season changes that began or ended since the last look, also while syncd was away."""
        plant, now = self._plant, self._plant.clock.now()
        since = int(await plant.store.read(lambda conn: accounts.note(conn, _SEASONS_NOTE)) or plant.started_at)
        turns = [at for at in plant.house.turns if since < at <= now]
        mine = await plant.store.read(lambda conn: seasons.turned(conn, since=since, now=now))
        if turns:
            plant.house.outlook.known.clear()
            await self._plan("season", stop)
        elif mine:
            await self._planner.replan(mine, stop)
            _log.info("exposure.planned", cause="season", skus=len(mine))
        if not stop.is_set() and (turns or mine or since == plant.started_at):
            await plant.store.write(lambda conn: accounts.set_note(conn, _SEASONS_NOTE, str(now)))
        return bool(turns)

    async def keep(self) -> None:
        """Write what was learned, in short transactions."""
        book = self._plant.house.outlook.book
        self._saved_s = self._plant.clock.monotonic()
        book.skus = max(1, await self._plant.store.read(store.count_skus))
        while book.changed:
            await self._plant.store.write(lambda conn: _keep(conn, book))


def _keep(conn: Connection, book: Book) -> None:
    kept = book.unsaved(SAVED)
    store.save(conn, book.shop(), kept)
    book.changed = len(kept) == SAVED


def _signs(conn: Connection, plant: Plant, now: Instant) -> dict[AccountId, Signs]:
    known, shadow = accounts.accounts(conn), plant.house.shadow
    return {name: signs_of(conn, name, known=known.get(name), shadow=shadow, now=now) for name in plant.roster}


def signs_of(conn: Connection, account: AccountId, *, known: KnownAccount | None, shadow: bool, now: Instant) -> Signs:
    """Return what is seen of an account in the store.

    A fall that nobody may send says nothing of the channel: one of an account that is not released, or in shadow mode.
    """
    feed = accounts.feed(conn, account, accounts.ORDERS)
    written = known is not None and known.state is AccountState.LIVE and not shadow
    falling = listings.next_due(conn, account, lanes=_FALLS) if written else None
    return Signs(
        scanned_at=None if feed is None else feed.scanned_at,
        falling_since=None if known is None or falling is None or falling >= now else max(falling, known.since),
        state=None if known is None else known.state,
    )


def next_turn(conn: Connection, plant: Plant, now: Instant) -> Instant | None:
    """Return when the next season begins or ends, of the settings or of a SKU."""
    of_settings = [at for at in plant.house.turns if at > now]
    of_skus = seasons.next_turn(conn, now=now)
    return min([*of_settings, *([] if of_skus is None else [of_skus])], default=None)
