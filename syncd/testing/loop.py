"""A virtual event loop: the same code, tasks and HTTP as in production, an hour in a moment, equal for equal seeds.

Time stands still while anything is ready and jumps to the next timer when nothing is. Nothing real is waited for: the
network is in memory, executors run inline, signals are raised by the test. When everything waits for ever, it says who.
The order of task steps that are ready at one moment is shuffled by the seed, for asyncio promises none; callbacks keep
theirs, for asyncio promises it.

What makes a run repeatable beyond the seed: tasks and futures hash by their number (sets of them, as in TaskGroup, are
walked in an order that memory addresses do not decide), and garbage is collected at fixed steps. Code under test must
not walk sets of texts, read a real clock or start threads.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import functools
import gc
import hashlib
import itertools
import signal
import socket
from collections.abc import Callable, Coroutine, Generator, Iterator
from pathlib import Path
from typing import Any, NoReturn, TypeVar, cast

from syncd.core.terms import Instant
from syncd.sdk.loop_clock import LoopClock
from syncd.testing.chance import SeededRandom
from syncd.testing.connector import VirtualConnector
from syncd.testing.network import Faults, Network, VirtualServer, VirtualTransport

__all__ = [
    "START",
    "Crash",
    "Deadlock",
    "Faults",
    "Overrun",
    "VirtualConnector",
    "VirtualLoop",
    "run_virtual",
    "running",
]

T = TypeVar("T")

START: Instant = 1_790_812_800_000_000
"""2026-10-01 00:00:00 UTC, where virtual time begins."""
BEGAN_S = 1_000.0
"""The loop's own time at its start; small, so that a float keeps its microseconds over years."""
MOST_IDLE_STEPS = 1_000_000
"""Steps at one instant, after which the code is taken to go round in circles."""
MOST_EXECUTOR_S = 0.002
_RESOLUTION_S = 1e-6
_SWEEP_STEPS = 20_000  # young garbage is collected each so many steps
_FULL_SWEEPS = 50


class Deadlock(AssertionError):  # noqa: N818  (the name of what happened)
    """Everything waits, and nothing is scheduled that could wake it."""


class Overrun(AssertionError):  # noqa: N818  (the same)
    """The run took more virtual time than it may, or its time no longer passes."""


class Crash(BaseException):
    """The process died at this step. `wreck` keeps what was running alive.

    As long as it is held no `finally` of the dead tasks runs; hold it until what they left behind is judged.
    """

    def __init__(self, step: int, wreck: tuple[VirtualLoop, set[asyncio.Task[Any]]]) -> None:
        super().__init__(f"crash at step {step}")
        self.step = step
        self.wreck: tuple[VirtualLoop, set[asyncio.Task[Any]]] | None = wreck

    def bury(self) -> None:
        """Let go of what was running; its `finally` blocks run now, without a loop."""
        if self.wreck is not None:
            loop, tasks = self.wreck
            loop.drop(tasks)
            loop.close()
            self.wreck = None


class _Task(asyncio.Task[Any]):
    """A task that hashes by its number."""

    def __init__(self, coro: Coroutine[Any, Any, Any], *, number: int, **options: Any) -> None:
        self._number = number
        super().__init__(coro, **options)

    def __hash__(self) -> int:
        return self._number


class _Future(asyncio.Future[Any]):
    """A future that hashes by its number."""

    def __init__(self, *, number: int, loop: asyncio.AbstractEventLoop) -> None:
        self._number = number
        super().__init__(loop=loop)

    def __hash__(self) -> int:
        return self._number


class _Selector:
    """Stands where a loop waits for files: instead of waiting, it moves the time."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> tuple[()]:
        """Let the loop prepare its next step; `timeout` is None when nothing is scheduled."""
        self._loop.prepare(timeout)
        return ()

    def close(self) -> None:
        """Close nothing."""


class VirtualLoop(asyncio.BaseEventLoop):
    """An event loop in virtual time; one step runs one callback.

    `network` is where its servers and clients meet, `clock` what its code is given, `steps` how many were made,
    `crash_at` the step at which the process dies (`Crash` comes out of `run_until_complete`), `most_s` the virtual
    seconds it may take.
    """

    _ready: collections.deque[asyncio.Handle]
    _scheduled: list[asyncio.TimerHandle]
    _stopping: bool

    def __init__(
        self,
        seed: int = 0,
        *,
        start: Instant = START,
        faults: Faults | None = None,
        shuffle: bool = True,
        crash_at: int | None = None,
        most_s: float = 7 * 86_400.0,
    ) -> None:
        super().__init__()
        self._now_s = BEGAN_S
        self._selector = _Selector(self)
        self._clock_resolution = _RESOLUTION_S
        self._order = SeededRandom(seed * 3)
        self._shuffle = shuffle
        self._batch: collections.deque[asyncio.Handle] = collections.deque()  # ready, in the order chosen
        self._fresh: collections.deque[asyncio.Handle] = collections.deque()  # made ready by the batch
        self._numbers = itertools.count(1)
        self._signals: dict[int, Callable[[], object]] = {}
        self._trace = hashlib.sha256()
        self._idle_steps = 0
        self._ends_s = BEGAN_S + most_s
        self.steps = 0
        self.crash_at = crash_at
        self.random = SeededRandom(seed * 3 + 1)
        self.clock = LoopClock(self, start)
        self.network = Network(self, SeededRandom(seed * 3 + 2), self.tell, faults or Faults())
        self.set_task_factory(self._make_task)

    def time(self) -> float:
        """Return the virtual time in seconds."""
        return self._now_s

    def trace(self) -> str:
        """Return a fingerprint of everything that happened so far: two runs are equal when these are."""
        return self._trace.hexdigest()

    def tell(self, event: str) -> None:
        """Add something that happened to the trace."""
        self._trace.update(f"{self._now_s:.6f} {event}\n".encode())

    # --- one step -------------------------------------------------------------------------------------------------

    def prepare(self, timeout: float | None) -> None:
        """Choose the callback that runs next; where none is ready, move the time to the next timer."""
        self._count_step()
        self._fresh.extend(self._ready)
        self._ready.clear()
        if not self._batch and self._fresh:
            self._batch.extend(self._shuffled(list(self._fresh)))
            self._fresh.clear()
        if self._batch:
            self._ready.append(self._batch.popleft())
        elif timeout is None:
            raise Deadlock(f"nothing is scheduled, and these wait for ever:\n{self._waiting()}")
        elif timeout > 0.0:
            self._jump(self._scheduled[0].when())

    def _count_step(self) -> None:
        self.steps += 1
        self._idle_steps += 1
        if self.crash_at is not None and self.steps >= self.crash_at:
            self._die()
        if self._idle_steps > MOST_IDLE_STEPS:
            raise Overrun(f"{MOST_IDLE_STEPS} steps at {self._now_s:.6f} s, the time does not pass:\n{self._waiting()}")
        if self.steps % _SWEEP_STEPS == 0:
            gc.collect(1 if self.steps % (_SWEEP_STEPS * _FULL_SWEEPS) else 2)

    def _jump(self, to_s: float) -> None:
        if to_s > self._ends_s:
            raise Overrun(f"not over after {self._ends_s - BEGAN_S:g} virtual seconds:\n{self._waiting()}")
        self._now_s = to_s
        self._idle_steps = 0
        self.tell(f"step {self.steps}")

    def _shuffled(self, handles: list[asyncio.Handle]) -> list[asyncio.Handle]:
        """Bring the steps of different tasks into another order; everything else keeps its place."""
        places = [place for place, handle in enumerate(handles) if _is_task_step(handle)]
        if self._shuffle and len(places) > 1:
            steps = [handles[place] for place in places]
            self._order.shuffle(steps)
            for place, handle in zip(places, steps, strict=True):
                handles[place] = handle
            self.tell(f"order {[_number(handle) for handle in steps]}")
        return handles

    def _die(self) -> NoReturn:
        self.crash_at = None
        raise Crash(self.steps, (self, asyncio.all_tasks(self)))

    def _waiting(self) -> str:
        tasks = sorted(asyncio.all_tasks(self), key=hash)
        return "\n".join(f"  {task.get_name()} at {_place(task)}" for task in tasks) or "  no task at all"

    # --- the end --------------------------------------------------------------------------------------------------

    def finish(self) -> None:
        """Cancel what still runs, let it end, and close."""
        tasks = asyncio.all_tasks(self)
        for task in sorted(tasks, key=hash):
            task.cancel()
        try:
            self.run_until_complete(_ended(tasks))
            self.run_until_complete(self.shutdown_asyncgens())
        except Crash:
            raise
        except BaseException:
            self.bury()
            raise
        self.bury()

    def bury(self) -> None:
        """Close without letting anything run any more."""
        self.drop(asyncio.all_tasks(self))
        self.close()

    def drop(self, tasks: set[asyncio.Task[Any]]) -> None:
        """Close tasks that will never run again, without a word about it."""
        self.set_exception_handler(lambda *_: None)
        for task in sorted(tasks, key=hash):
            _silence(task)

    # --- what a loop has to offer ---------------------------------------------------------------------------------

    def create_future(self) -> asyncio.Future[Any]:
        """Make a future."""
        return _Future(number=next(self._numbers), loop=self)

    def _make_task(
        self,
        loop: asyncio.AbstractEventLoop,
        coro: Coroutine[Any, Any, Any] | Generator[Any, None, Any],
        **options: Any,
    ) -> _Task:
        return _Task(cast("Coroutine[Any, Any, Any]", coro), number=next(self._numbers), loop=loop, **options)

    def run_in_executor(
        self,
        executor: object,  # noqa: ARG002  (there is one thread only)
        func: Callable[..., T],
        *args: object,
    ) -> asyncio.Future[T]:
        """Call `func` in the loop's own thread, a moment later."""
        future = self.create_future()
        self.call_later(self.random.between(0.0, MOST_EXECUTOR_S), _run_into, future, func, args)
        return future

    async def getaddrinfo(self, host: Any, port: Any, **_: object) -> list[Any]:
        """Answer every name by itself: the network knows names."""
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port))]

    async def create_server(  # type: ignore[override]  # the part of the signature that a memory network has
        self,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        host: str | None = None,
        port: int | None = None,
        **_: object,
    ) -> VirtualServer:
        """Listen in the network."""
        return VirtualServer(self.network, self.network.listen(protocol_factory, host, port))

    async def create_connection(  # type: ignore[override]  # the same
        self, protocol_factory: Callable[[], asyncio.BaseProtocol], host: str = "", port: int = 0, **_: object
    ) -> tuple[VirtualTransport, asyncio.BaseProtocol]:
        """Connect in the network; TLS is not spoken there."""
        return await self.network.connect(protocol_factory, host, port)

    def add_signal_handler(self, sig: int, callback: Callable[..., object], *args: object) -> None:
        """Remember what a signal does."""
        self._signals[sig] = functools.partial(callback, *args)

    def remove_signal_handler(self, sig: int) -> bool:
        """Forget it."""
        return self._signals.pop(sig, None) is not None

    def raise_signal(self, sig: signal.Signals) -> None:
        """Do what this signal does; raises `KeyError` where nobody listens for it."""
        self.call_soon(self._signals[sig])

    def _process_events(self, event_list: object) -> None:
        """Process none: nothing real is waited for."""

    def _write_to_self(self) -> None:
        """Wake nobody: there is one thread."""


def running() -> VirtualLoop:
    """Return the virtual loop that runs this code."""
    loop = asyncio.get_running_loop()
    if not isinstance(loop, VirtualLoop):
        raise TypeError("this runs in a virtual loop only")
    return loop


def run_virtual(
    make: Callable[[], Coroutine[Any, Any, T]],
    *,
    seed: int = 0,
    start: Instant = START,
    faults: Faults | None = None,
    shuffle: bool = True,
    crash_at: int | None = None,
    most_s: float = 7 * 86_400.0,
) -> T:
    """Run `make()` to its end in a new virtual loop and return its result; see `VirtualLoop`.

    Code inside gets its clock by `running().clock`. Tasks left over are cancelled. Raises what the code raises, and
    `Deadlock`, `Overrun`, `Crash` (then nothing is tidied up: that is the point).
    """
    loop = VirtualLoop(seed, start=start, faults=faults, shuffle=shuffle, crash_at=crash_at, most_s=most_s)
    with _swept_by_steps():
        try:
            result = loop.run_until_complete(make())
        except Crash:
            raise
        except BaseException:
            with contextlib.suppress(AssertionError):  # the first deadlock tells more than the one of tidying up
                loop.finish()
            raise
        loop.finish()
        return result


@contextlib.contextmanager
def _swept_by_steps() -> Iterator[None]:
    """Leave garbage to the loop: when it is collected, and what its finalizers schedule, must not depend on memory."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


async def _ended(tasks: set[asyncio.Task[Any]]) -> None:
    if tasks:
        await asyncio.wait(tasks)


def _run_into(future: asyncio.Future[T], func: Callable[..., T], args: tuple[object, ...]) -> None:
    if future.done():
        return
    try:
        result = func(*args)
    except (KeyboardInterrupt, SystemExit, Crash):
        raise
    except BaseException as fault:  # noqa: BLE001  (it belongs to whoever awaits)
        future.set_exception(fault)
    else:
        future.set_result(result)


def _is_task_step(handle: asyncio.Handle) -> bool:
    callback = getattr(handle, "_callback", None)
    return isinstance(getattr(callback, "__self__", None), asyncio.Task)


def _number(handle: asyncio.Handle) -> int:
    task = getattr(getattr(handle, "_callback", None), "__self__", None)
    return hash(task) if isinstance(task, _Task) else 0


def _place(task: asyncio.Task[Any]) -> str:
    """Name the line that a task waits in: the innermost one outside asyncio, and what it calls there."""
    waits: Any = task.get_coro()
    place = innermost = "its start"
    while (frame := getattr(waits, "cr_frame", None)) is not None:
        innermost = f"{frame.f_code.co_qualname}"
        if Path(frame.f_code.co_filename).parent.name != "asyncio":
            place = f"{innermost} ({frame.f_code.co_filename}:{frame.f_lineno})"
        waits = waits.cr_await
    return f"{place} in {innermost}"


def _silence(task: asyncio.Task[Any]) -> None:
    task._log_destroy_pending = False  # type: ignore[attr-defined]  # noqa: SLF001  (asyncio's only way to say so)
    with contextlib.suppress(BaseException):  # its `finally` blocks may await, which nobody can do for them any more
        cast("Coroutine[Any, Any, Any]", task.get_coro()).close()
