"""Run named loops until told to stop, then end them stage by stage, so that nothing under way is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum

import structlog

from syncd.sdk.errors import TransientError

RESTART_S = 1.0
"""How long a loop rests after the store could not take a write (a full disk, a lost database)."""

_log = structlog.get_logger("syncd.loops")


class Stage(IntEnum):
    """In which order loops end: who brings facts in, who sends, who decides, who tells."""

    EDGES = 0
    READERS = 1
    DISPATCH = 2
    INGEST = 3
    RELAY = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """A task that runs until its event is set. One that returns before is a failure."""

    name: str
    stage: Stage
    run: Callable[[asyncio.Event], Awaitable[None]]


async def run_loops(loops: Sequence[Loop], *, stop: asyncio.Event, drain_s: float) -> None:
    """Run all loops; after `stop` end the stages in order, within `drain_s` in all.

    Raises what a loop raises, as an exception group: then all others are cancelled.
    """
    ends = {stage: asyncio.Event() for stage in Stage}
    async with asyncio.TaskGroup() as group:
        tasks = {loop.name: group.create_task(_guard(loop, ends[loop.stage]), name=loop.name) for loop in loops}
        await stop.wait()
        for stage in Stage:
            ends[stage].set()
            mine = [tasks[loop.name] for loop in loops if loop.stage is stage]
            await _drain(mine, drain_s / len(Stage))


async def _drain(tasks: Sequence[asyncio.Task[None]], seconds: float) -> None:
    if not tasks:
        return
    _, late = await asyncio.wait(tasks, timeout=seconds)
    for task in late:
        _log.warning("loop.cut", loop=task.get_name(), after_s=round(seconds, 1))
        task.cancel()


async def _guard(loop: Loop, stop: asyncio.Event) -> None:
    resting = False
    while True:
        try:
            await loop.run(stop)
        except TransientError as error:
            if not resting:
                _log.error("loop.resting", loop=loop.name, reason=str(error))
            resting = True
            if stop.is_set():
                return
            await asyncio.sleep(RESTART_S)
            continue
        if not stop.is_set():
            raise AssertionError(f"the loop {loop.name} ended before it was told to")
        return
