"""The API of what would have been: the shop's own past under the rule in force, and under another."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from typing import Any, Final

import msgspec
from aiohttp import web
from sqlalchemy import Connection

from syncd.core.exposure import Exposure, overlay
from syncd.core.hindsight import Lag, Tally
from syncd.core.terms import SECOND_US, AccountId, Instant, SkuId
from syncd.core.whatif import RULES, Moved, Named, Present, compare, named, story
from syncd.store import ledger, policies, seasons
from syncd.store.views import moment
from syncd.store.views_past import Now, now_of, slice_of
from syncd.web.api_shape import shaped
from syncd.web.api_wire import Answer, Fault, Route, Service, query_of
from syncd.web.plant import Plant

MOST_DAYS: Final = 366
MOST_MOVES: Final = 500_000
"""Most movements of one look back, the last ones: each takes some ten microseconds per rule."""
WITHIN_S: Final = 300.0
SHARE: Final = 0.95
"""Lags are taken as long as this share of them stays below."""
DAY_US: Final = 86_400 * SECOND_US


class WhatIfQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of how many days, and under which other rule."""

    days: int = 30
    policy: str = "adaptive 100"


@shaped(query=WhatIfQuery)
async def get_whatif(service: Service, request: web.Request) -> Answer:
    """Return what the rule in force and another one would have sold, oversold and hidden of what the shop sold.

    `left_out` names what there is in this shop and is not replayed, `allotments`, `seasons`, `preorder` or `kits`:
    parts of their own are even ones, policies without their seasons hold all the time, units on their way are not sold
    early, and kits are replayed as their components.

    `hidden` are units that were really bought and that the rule would have refused though they were there. Shoppers who
    were refused left no trace, so the present rule looks a little better than it is.
    """
    plant, asked = service.plant, query_of(request, WhatIfQuery)
    other = named(asked.policy)
    if other is None:
        raise Fault(400, f"no rule is called {asked.policy!r}; there are: {', '.join(RULES)}")
    if not 1 <= asked.days <= MOST_DAYS:
        raise Fault(400, f"days is 1 to {MOST_DAYS}")
    if not plant.roster:
        raise Fault(409, "no channel is enabled")
    since = plant.clock.now() - asked.days * DAY_US
    try:
        async with asyncio.timeout(WITHIN_S):
            return Answer(body=await _look_back(plant, since, asked.policy, other))
    except TimeoutError:
        raise Fault(503, f"the replay took longer than {WITHIN_S:.0f} s; ask for fewer days") from None


async def _look_back(plant: Plant, since: Instant, policy: str, other: Named) -> dict[str, Any]:
    names = list(plant.roster)
    now = await plant.store.read(now_of)
    moves, cut = await _moves(plant, now, since, names)
    begin = min((move.at for move in moves), default=since) if cut else since
    skus = {move.sku for move in moves}
    present = await plant.store.read(lambda conn: _present(conn, plant, names, skus))
    left_out = await plant.store.read(lambda conn: list(_left_out(conn, plant, present, skus, begin)))
    lags = [_lag(plant, name) for name in names]
    ended = threading.Event()
    work = partial(_compare, moves, now, begin, lags, present, other, ended.is_set)
    try:
        found = await asyncio.get_running_loop().run_in_executor(None, work)
    finally:
        # A thread is not cancelled with whoever waits for it; one that went on would hold the daemon back at its end.
        ended.set()
    return {
        "since": moment(begin),
        "policy": policy,
        "cut": cut,
        "left_out": left_out,
        "lags": [
            {"account": name, "heard_s": lag.heard_s, "visible_s": lag.visible_s}
            for name, lag in zip(names, lags, strict=True)
        ],
        "orders": len({(move.channel, move.order) for move in moves if move.order}),
        "present": _rates(found[0]),
        "other": _rates(found[1]),
    }


async def _moves(plant: Plant, now: Now, since: Instant, names: Sequence[AccountId]) -> tuple[list[Moved], bool]:
    """Read the past in slices, newest first; say whether older ones were left out."""
    moves: list[Moved] = []
    upto: int | None = now.last_id
    while upto is not None and len(moves) < MOST_MOVES:
        read = partial(slice_of, upto_id=upto, since=since, accounts=names)
        piece = await plant.store.read(read)
        moves += piece.moves
        upto = piece.before_id
    return moves[:MOST_MOVES], upto is not None or len(moves) > MOST_MOVES


def _present(conn: Connection, plant: Plant, names: Sequence[AccountId], skus: set[int]) -> Present:
    """Return the rule in force: each channel's settings, and rows of single SKUs over them."""
    defaults = [plant.house.rules[name].policy for name in names]
    rows = policies.policies(conn, [SkuId(sku) for sku in sorted(skus)])
    own = [
        {int(sku): overlay(default, *(mine[k] for k in ("", name) if k in mine)) for sku, mine in rows.items()}
        for name, default in zip(names, defaults, strict=True)
    ]
    return Present(own, defaults, accounts=names)


def _left_out(conn: Connection, plant: Plant, present: Present, skus: Collection[int], begin: Instant) -> Iterator[str]:
    """Name what the shop has and a replay leaves out."""
    policies_there = [*present.defaults, *(policy for mine in present.policies for policy in mine.values())]
    ids, now = [SkuId(sku) for sku in sorted(skus)], plant.clock.now()
    dated = [*plant.house.seasons, *(x for mine in seasons.of_skus(conn, ids).values() for x in mine)]
    if any(policy.exposure is Exposure.ALLOTMENT for policy in policies_there):
        yield "allotments"
    if any(season.since < now and season.until > begin for season in dated):
        yield "seasons"
    if any(policy.preorder for policy in policies_there):
        yield "preorder"
    if ids and ledger.kits_touching(conn, ids):
        yield "kits"


def _lag(plant: Plant, name: AccountId) -> Lag:
    lags = plant.house.lags
    return Lag(heard_s=lags.knowledge_s(name, SHARE), visible_s=lags.visible_s(name, SHARE))


def _compare(
    moves: Sequence[Moved],
    now: Now,
    since: Instant,
    lags: Sequence[Lag],
    present: Present,
    other: Named,
    stopped: Callable[[], bool],
) -> tuple[Tally, Tally]:
    there = {int(sku): units for sku, units in now.there.items()}
    events = story(moves, now_there=there, since=since)
    skus = max((event.sku for event in events), default=0) + 1
    return compare(events, skus=skus, lags=lags, present=present, other=other, stopped=stopped)


def _rates(tally: Tally) -> dict[str, float]:
    """Return what came of a rule, and both rates, of what was asked for."""
    asked = max(1, tally.demand)
    told = {name: getattr(tally, name) for name in ("demand", "sold", "oversold", "hidden", "writes", "left")}
    return {**told, "oversold_rate": tally.oversold / asked, "hidden_rate": tally.hidden / asked}


ROUTES: Final[tuple[Route, ...]] = (("GET", "/whatif", get_whatif),)
