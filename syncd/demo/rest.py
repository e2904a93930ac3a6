"""Look whether all is right once it is quiet: every channel shows its target, the ledger is what really happened."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from syncd.demo.play import Play
from syncd.demo.standing import Standing, standing
from syncd.engine.timing import nap
from syncd.rehearsal import margins
from syncd.store.verify import verify

SETTLE_S: Final = 90.0
"""How long it may take after the last shopper."""
LOOK_S: Final = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """How it ended. `below` counts listings of absolute channels that stay below their target by their margin.

    `wrong` names listings that show something else, and SKUs that the ledger has wrong; `unbalanced` counts
    differences within the ledger.
    """

    seconds: float
    listings: int
    below: int
    busy: int
    wrong: tuple[str, ...]
    unbalanced: int

    @property
    def right(self) -> bool:
        """Say whether everything is as it should be."""
        return not self.wrong and not self.busy and self.unbalanced == 0


async def come_to_rest(play: Play, stop: asyncio.Event) -> Rest:
    """Wait until nothing is left to do and all is right, or until it took too long or is told to stop."""
    store, clock = play.stage.plant.store, play.stage.plant.clock
    began = clock.monotonic()
    while True:
        play.look()
        found = await store.read(standing)
        allowed = await store.read(partial(margins, plant=play.stage.plant))
        wrong, took_s = tuple(_wrong(play, found, allowed)), clock.monotonic() - began
        if (not wrong and not found.busy) or took_s > SETTLE_S or stop.is_set():
            break
        await nap(LOOK_S, stop)
    return Rest(
        seconds=took_s,
        listings=sum(len(shelf) for shelf in play.stage.watch.shown.values()),
        below=_below(play, found),
        busy=found.busy,
        wrong=wrong,
        unbalanced=len(await store.read(verify)),
    )


def _wrong(play: Play, found: Standing, allowed: Mapping[tuple[str, str], int]) -> Iterator[str]:
    for sku, there in play.books.there.items():
        if found.available.get(sku) != there:
            yield f"{sku}: {there} there, the ledger says {found.available.get(sku)}"
    for channel, shelf in play.stage.watch.shown.items():
        for sku, shows in shelf.items():
            target, most = found.targets.get(channel, {}).get(sku), play.most(channel, sku)
            if target is None or target > most or (target < most and play.script.exposure == "pool"):
                yield f"{channel} {sku}: may show {most}, its target is {target}"
            elif not max(0, target - allowed.get((channel, sku), 0)) <= shows <= target:
                yield f"{channel} {sku}: shows {shows}, should show {target}"


def _below(play: Play, found: Standing) -> int:
    return sum(
        shows != found.targets.get(channel, {}).get(sku)
        for channel, shelf in play.stage.watch.shown.items()
        for sku, shows in shelf.items()
    )
