"""Run the demo from its first line to its exit code."""

from __future__ import annotations

import asyncio
import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.live import Live

from syncd import log
from syncd.demo.board import Board, board
from syncd.demo.play import Play
from syncd.demo.rest import Rest, come_to_rest
from syncd.demo.script import FACTOR, ROUND_S, Script
from syncd.demo.stage import Stage, open_stage
from syncd.demo.standing import Standing, standing
from syncd.demo.summary import as_line, figures, tell
from syncd.demo.view import draw, line
from syncd.demo.waiting import Wait, Waiting, open_desk
from syncd.engine.timing import nap
from syncd.machine import real
from syncd.sdk.channel import Adapter
from syncd.sdk.errors import ConfigError, Problem
from syncd.settings.adapters import Installed
from syncd.settings.policies import ExposureName

EXIT_WRONG: Final = 1
EXIT_INTERRUPTED: Final = 130
FRAME_S: Final = 0.25
LINE_S: Final = 2.0
OPEN_S: Final = 30.0
"""How long the channels may take to show the first count."""
MOST_SKUS: Final = 200
LOG: Final = "syncd.log"


def run_demo(
    seconds: float | None = None,
    skus: int = 12,
    seed: int = 1,
    *,
    exposure: ExposureName = "adaptive",
    as_json: bool = False,
    keep: bool = False,
) -> int:
    """Show syncd at work until Ctrl-C, or for so many seconds of trade, and print what came of it.

    Returns 0 when in the end every channel shows its target and the ledger sums, 1 otherwise, 130 when it was ended
    before the doors opened; raises ConfigError for a wrong number of SKUs. On a terminal it draws, elsewhere it prints
    a line now and then; with `as_json` it prints one object and nothing else. What the daemon logged and stored is
    deleted, unless `keep` or something was wrong.
    """
    if not 1 <= skus <= MOST_SKUS:
        raise ConfigError([Problem(place="--skus", message=f"is {skus}", remedy=f"a number from 1 to {MOST_SKUS}")])
    folder = Path(tempfile.mkdtemp(prefix="syncd-demo-"))
    code = EXIT_WRONG
    try:
        with (folder / LOG).open("w", encoding="utf-8") as stream:
            log.configure(form="json", level="info", stream=stream)
            round_s = min(seconds or ROUND_S, ROUND_S)
            show = _Show(Script(skus=skus, seed=seed, round_s=round_s, exposure=exposure), seconds=seconds)
            code = _run(show, folder, as_json=as_json)
    finally:
        _tidy(folder, keep=keep or code == EXIT_WRONG, quiet=as_json)
    return code


def _run(show: _Show, folder: Path, *, as_json: bool) -> int:
    console = Console(highlight=False, emoji=False, markup=False, quiet=as_json)
    try:
        with asyncio.Runner() as runner:
            ended = runner.run(show.run(console, folder, adapters=Installed()))
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BaseExceptionGroup as group:
        problems = group.subgroup(ConfigError)
        raise _first(problems) if problems is not None else group from None
    if ended is None:
        console.print("ended before the doors opened")
        return EXIT_INTERRUPTED
    if as_json:
        script = show.script
        told: dict[str, object] = {"seconds": show.seconds, "skus": script.skus, "seed": script.seed}
        told |= {"factor": FACTOR, "exposure": script.exposure}
        sys.stdout.write(as_line(ended.figures, told))
    else:
        tell(console, ended.figures, ended.rest, ended.wait, factor=FACTOR, broker=ended.broker)
    return 0 if ended.rest.right else EXIT_WRONG


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _tidy(folder: Path, *, keep: bool, quiet: bool) -> None:
    if not keep:
        shutil.rmtree(folder, ignore_errors=True)
    elif not quiet:
        sys.stdout.write(f"log and ledger of the daemon: {folder}\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How it ended."""

    figures: Mapping[str, float]
    rest: Rest
    wait: Wait | None
    broker: bool


@dataclass(slots=True)
class _Show:
    """One run. The first Ctrl-C closes the doors, a second one ends the wait for rest."""

    script: Script
    seconds: float | None = field(kw_only=True)
    _closing: asyncio.Event = field(default_factory=asyncio.Event)
    _leaving: asyncio.Event = field(default_factory=asyncio.Event)
    _over: asyncio.Event = field(default_factory=asyncio.Event)
    _standing: Standing | None = None
    _waiting: Waiting | None = None

    async def run(self, console: Console, folder: Path, *, adapters: Mapping[str, Adapter]) -> Ended | None:
        """Set the scene, play, come to rest; None when it was ended before the doors opened."""
        script = self.script
        machine = real()
        async with open_desk(seed=script.seed, clock=machine.clock) as (desk, more):
            opened = open_stage(
                adapters=adapters,
                skus=len(script.goods),
                seed=script.seed,
                folder=folder,
                machine=machine,
                exposure=script.exposure,
                more=more,
            )
            async with opened as stage:
                return await self._show(stage, Waiting(stage, script, desk), console)

    async def _show(self, stage: Stage, waiting: Waiting, console: Console) -> Ended | None:
        self._listen()
        self._waiting = waiting
        play = Play(stage, self.script)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._look(play), name="look")
            group.create_task(self._tell(play, console), name="screen")
            try:
                return await self._acts(play, waiting)
            finally:
                self._over.set()

    async def _acts(self, play: Play, waiting: Waiting) -> Ended | None:
        await self._open(play)
        if self._closing.is_set():
            return None
        await waiting.open()
        closed = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(waiting.run(play, closed), name="waiting")
            await play.run(self._closing, seconds=self.seconds)
            closed.set()
        play.scene = "closed: waiting until everything is at rest"
        rest = await come_to_rest(play, self._leaving)
        wait = waiting.wait
        broker = play.stage.events is not None
        return Ended(figures=figures(play, rest, wait), rest=rest, wait=wait, broker=broker)

    async def _open(self, play: Play) -> None:
        """Adopt the shop as a person would: read what is there, count, release; then wait until it shows."""
        stage, script = play.stage, self.script
        play.scene = "onboarding: reading four catalogues"
        await stage.catalogues(len(script.goods), self._closing)
        if self._closing.is_set():
            return
        play.scene = "onboarding: first count"
        await stage.count(script.opening())
        kept = {(name, sku): script.kept_back(name, sku) for name in stage.simulators for sku in script.hot}
        if any(kept.values()):
            await stage.keep_back(kept)
        play.scene = "onboarding: released, wrong numbers are corrected"
        await stage.release()
        began = stage.plant.clock.monotonic()
        while stage.plant.clock.monotonic() - began < OPEN_S and not self._closing.is_set():
            if not play.astray((await stage.plant.store.read(standing)).targets):
                break
            await nap(FRAME_S, self._closing)

    def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._interrupt)

    def _interrupt(self) -> None:
        (self._leaving if self._closing.is_set() else self._closing).set()

    async def _look(self, play: Play) -> None:
        """Keep what the screen tells fresh, however few shoppers there are."""
        while not self._over.is_set():
            play.look()
            self._standing = await play.stage.plant.store.read(standing)
            await nap(FRAME_S, self._over)

    def _board(self, play: Play) -> Board:
        wait = None if self._waiting is None else self._waiting.wait
        return board(play, self._standing, wait, seconds=self.seconds)

    async def _tell(self, play: Play, console: Console) -> None:
        if console.quiet:
            return
        if console.is_terminal:
            await self._paint(play, console)
            return
        after = f"pages: {self._board(play).pages}"
        while not self._over.is_set():
            console.print(line(self._board(play)), soft_wrap=True)
            if after:
                console.print(after, soft_wrap=True)
            after = ""
            await nap(LINE_S, self._over)

    async def _paint(self, play: Play, console: Console) -> None:
        with Live(
            console=console, screen=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False
        ) as live:
            while not self._over.is_set():
                (width, height), arrow = console.size, "->" if console.options.ascii_only else "→"
                live.update(draw(self._board(play), width=width, height=height, arrow=arrow), refresh=True)
                await nap(FRAME_S, self._over)
