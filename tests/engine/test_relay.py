"""The relay on a virtual loop: at least once, in order per key, whatever its sink does."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection
from sqlmodel import SQLModel
from structlog.testing import capture_logs

from syncd.engine.relay import BATCH, POLL_S, REFUSED_S, RULE, Relay, board, land
from syncd.sdk.errors import AuthError, TransientError
from syncd.store import outbox
from syncd.store.driver import StoreFull, writer_engine
from syncd.store.outbox import Event, Waiting
from syncd.store.session import Store
from syncd.testing.chance import SeededRandom
from syncd.testing.loop import run_virtual
from syncd.testing.loop import running as virtual


def waiting(number: int, key: str = "A", kind: str = "sale") -> Waiting:
    return Waiting(id=number, key=key, type=kind, body=b"{}", created_at=0)


# --- what is decided ----------------------------------------------------------------------------------------------

BOARDING = [
    ([(1, "A", "sale"), (2, "B", "sale")], set(), [1, 2], {}),
    ([(1, "A", "state"), (2, "A", "state"), (3, "A", "state")], set(), [3], {3: (1, 2)}),
    ([(1, "A", "state"), (2, "A", "sale"), (3, "A", "state")], set(), [2, 3], {3: (1,)}),
    ([(1, "A", "state"), (2, "B", "state"), (3, "A", "state")], set(), [2, 3], {2: (), 3: (1,)}),
    ([(1, "A", "sale"), (2, "B", "sale"), (3, "A", "state")], {"A"}, [2], {}),
    ([], set(), [], {}),
]


@pytest.mark.parametrize(("page", "blocked", "sent", "covers"), BOARDING)
def test_of_states_only_the_newest_is_sent(page: list[Any], blocked: set[str], sent: list[int], covers: Any) -> None:
    """A newer state stands for the older ones of its key, and nothing of a blocked key goes out."""
    flight = board([waiting(*row) for row in page], blocked=blocked)
    assert ([event.id for event in flight.events], dict(flight.covers)) == (sent, covers)


LANDING = [
    ([1, 2, 3, 4], (1, 2, 3, 4), set()),
    ([], (), {"A", "B"}),
    ([2, 3, 4], (2, 4), {"A"}),
    ([1, 3, 4], (1, 3), {"B"}),
    ([4, 1], (1,), {"A", "B"}),
    ([1, 2, 3, 4, 99], (1, 2, 3, 4), set()),
]


@pytest.mark.parametrize(("delivered", "done", "blocked"), LANDING)
def test_behind_a_failed_event_nothing_of_its_key_counts(
    delivered: list[int], done: tuple[int, ...], blocked: set[str]
) -> None:
    """Only what arrived with everything before it of its key is done; the keys of the others wait."""
    flight = board([waiting(1), waiting(2, "B"), waiting(3), waiting(4, "B")], blocked=())
    landing = land(flight, delivered=delivered)
    assert (landing.done, landing.blocked) == (done, blocked)


def test_an_older_state_is_done_with_the_one_that_covers_it() -> None:
    """Older states are done when the newest arrived, and not before."""
    flight = board([waiting(1, kind="state"), waiting(2), waiting(3, kind="state")], blocked=())
    assert land(flight, delivered=[2, 3]).done == (2, 1, 3)
    assert land(flight, delivered=[3]).done == ()


# --- the loop -----------------------------------------------------------------------------------------------------


@dataclass
class Receiver:
    """A sink that `judge`s each batch, and notes at which second it got what."""

    judge: Callable[[Sequence[Waiting]], Awaitable[Sequence[int]]]
    name: str = "mqtt"
    calls: int = 0
    got: list[tuple[float, Waiting]] = field(default_factory=list)

    async def deliver(self, batch: Sequence[Waiting]) -> Sequence[int]:
        self.calls += 1
        ids = await self.judge(batch)
        now = asyncio.get_running_loop().time()
        self.got += [(now, event) for event in batch if event.id in ids]
        return ids

    @property
    def keys(self) -> list[str]:
        return [event.key for _, event in self.got]


async def takes_all(batch: Sequence[Waiting]) -> list[int]:
    return [event.id for event in batch]


class Bench:
    """A relay that runs on a fresh store."""

    def __init__(self, store: Store, sink: Receiver) -> None:
        self.store = store
        self.sink = sink
        self.hint = asyncio.Event()
        self.stop = asyncio.Event()
        self.began_s = asyncio.get_running_loop().time()
        self.relay = Relay(store, sink=sink, clock=virtual().clock, random=SeededRandom(1), hint=self.hint, rule=RULE)

    async def put(self, *keys: str, kind: str = "sale", hint: bool = True) -> None:
        events = [Event(sink="mqtt", key=key, type=kind, body=b"{}") for key in keys]
        now = virtual().clock.now()
        await self.store.write(lambda conn: outbox.put(conn, events, now=now))
        if hint:
            self.hint.set()

    async def left(self) -> int:
        return (await self.store.read(outbox.depth)).get("mqtt", (0, 0))[0]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    engine = writer_engine(f"sqlite:///{tmp_path}/syncd.db")
    with engine.begin() as conn:
        SQLModel.metadata.create_all(conn)
    engine.dispose()
    return tmp_path / "syncd.db"


@asynccontextmanager
async def bench(path: Path, judge: Callable[[Sequence[Waiting]], Awaitable[Sequence[int]]]) -> AsyncIterator[Bench]:
    async with Store.open(f"sqlite:///{path}", clock=virtual().clock, inline=True) as store:
        made = Bench(store, Receiver(judge))
        async with asyncio.TaskGroup() as group:
            group.create_task(made.relay.run(made.stop))
            yield made
            made.stop.set()


def test_events_go_at_a_hint_and_without_one_a_little_later(path: Path) -> None:
    """A hint delivers at once, a lost hint costs no more than the poll, and delivered events do not come again."""

    async def scene() -> list[float]:
        async with bench(path, takes_all) as b:
            await asyncio.sleep(1)
            await b.put("A")
            await asyncio.sleep(1)
            await b.put("B", hint=False)
            await asyncio.sleep(100)
            assert (b.sink.keys, await b.left()) == (["A", "B"], 0)
            return [at - b.began_s for at, _ in b.sink.got]

    hinted, polled = run_virtual(scene)
    assert hinted == pytest.approx(1, abs=0.01)
    assert 2 < polled <= 2 + POLL_S


def test_a_sink_that_is_down_for_an_hour_loses_nothing(path: Path) -> None:
    """After an hour without the sink everything arrives in order within a minute, and its fall is said once."""
    up = False

    async def judge(batch: Sequence[Waiting]) -> list[int]:
        if not up:
            raise TransientError("nobody there")
        return [event.id for event in batch]

    async def scene() -> None:
        nonlocal up
        async with bench(path, judge) as b:
            for number in range(60):
                await b.put(f"SKU-{number % 7}")
                for _ in range(60):
                    b.hint.set()
                    await asyncio.sleep(1)
            assert (b.sink.got, b.relay.trouble) == ([], "nobody there")
            assert b.sink.calls < 3_600 / (RULE.most_s * 0.5) + 20, "hints must not wear the sink down"
            up = True
            await asyncio.sleep(60)
            ids = [event.id for _, event in b.sink.got]
            assert (ids, await b.left(), b.relay.trouble) == (sorted(ids), 0, "")
            assert len(ids) == 60

    with capture_logs() as logs:
        run_virtual(scene)
    assert [line["event"] for line in logs] == ["relay.down", "relay.up"]


def test_a_key_that_fails_holds_only_itself(path: Path) -> None:
    """While one key is not taken the others go on, also those behind a whole page of it; later it comes in order."""
    healed = False

    async def judge(batch: Sequence[Waiting]) -> list[int]:
        return [event.id for event in batch if healed or event.key != "bad"]

    async def scene() -> None:
        nonlocal healed
        async with bench(path, judge) as b:
            await b.put(*["bad"] * (BATCH + 10), "good")
            await asyncio.sleep(5)
            await b.put("late")
            await asyncio.sleep(60)
            assert (b.sink.keys, await b.left()) == (["good", "late"], BATCH + 10)
            healed = True
            await asyncio.sleep(60)
            ids = [event.id for _, event in b.sink.got if event.key == "bad"]
            assert (len(ids), ids) == (BATCH + 10, sorted(ids))

    run_virtual(scene)


def test_a_refusal_waits_for_a_person(path: Path) -> None:
    """A sink that refuses our rights is asked once a minute and complained of once."""

    async def judge(_batch: Sequence[Waiting]) -> list[int]:
        raise AuthError("who are you")

    async def scene() -> int:
        async with bench(path, judge) as b:
            await b.put("A")
            await asyncio.sleep(10 * REFUSED_S + 1)
            return b.sink.calls

    with capture_logs() as logs:
        assert run_virtual(scene) == 11
    assert [(line["event"], line["failure"]) for line in logs] == [("relay.down", "AuthError")]


def test_a_sink_that_hangs_is_given_up(path: Path) -> None:
    """A delivery without an end is ended and tried again."""
    hang = True

    async def judge(batch: Sequence[Waiting]) -> list[int]:
        if hang:
            await asyncio.Event().wait()
        return [event.id for event in batch]

    async def scene() -> None:
        nonlocal hang
        async with bench(path, judge) as b:
            await b.put("A")
            await asyncio.sleep(130)
            hang = False
            await asyncio.sleep(200)
            assert b.sink.keys == ["A"]

    run_virtual(scene)


def test_what_could_not_be_marked_comes_again_with_its_id(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the disk full a delivered event is delivered again later, under the same id."""
    full = True
    mark = outbox.mark_delivered

    def marking(conn: Connection, ids: Sequence[int], *, now: int) -> None:
        if full:
            raise StoreFull("no room")
        mark(conn, ids, now=now)

    async def scene() -> list[str]:
        nonlocal full
        async with bench(path, takes_all) as b:
            await b.put("A")
            await asyncio.sleep(0.5)
            full = False
            await asyncio.sleep(60)
            assert await b.left() == 0
            return [event.event_id for _, event in b.sink.got]

    monkeypatch.setattr(outbox, "mark_delivered", marking)
    first, second = run_virtual(scene)
    assert first == second


@pytest.mark.parametrize("works", [True, False])
def test_the_relay_ends_at_once(path: Path, *, works: bool) -> None:
    """A stop ends the relay while it rests, whether its sink works or is down."""

    async def judge(batch: Sequence[Waiting]) -> list[int]:
        if not works:
            raise TransientError("down")
        return [event.id for event in batch]

    async def scene() -> float:
        async with bench(path, judge) as b:
            await b.put("A")
            await asyncio.sleep(100)
            stopped_s = asyncio.get_running_loop().time()
        return asyncio.get_running_loop().time() - stopped_s

    assert run_virtual(scene) < 0.01


@pytest.mark.parametrize("seed", range(8))
def test_a_moody_sink_gets_everything_in_order(path: Path, seed: int) -> None:
    """Whatever a sink drops and refuses, it gets every event and each key's last state, first arrivals in order."""
    dice = SeededRandom(seed)
    sent: list[tuple[str, str]] = []

    async def judge(batch: Sequence[Waiting]) -> list[int]:
        if dice() < 0.3:
            raise TransientError("not now")
        sick = {event.key for event in batch if dice() < 0.05}
        return [event.id for event in batch if event.key not in sick]

    async def scene() -> None:
        async with bench(path, judge) as b:
            for number in range(100):
                sent.append((f"K{number % 5}", "state" if dice() < 0.5 else "sale"))
                await b.put(sent[-1][0], kind=sent[-1][1], hint=dice() < 0.8)
                await asyncio.sleep(dice())
            await asyncio.sleep(1_200)
            assert await b.left() == 0
            check(sent, [event for _, event in b.sink.got])

    run_virtual(scene, seed=seed)


def check(sent: Sequence[tuple[str, str]], got: Sequence[Waiting]) -> None:
    order: defaultdict[str, list[int]] = defaultdict(list)
    for event in got:
        if event.id not in order[event.key]:
            order[event.key].append(event.id)
    assert [key for key, ids in order.items() if ids != sorted(ids)] == []
    arrived = {event.id for event in got}
    assert [n for n, (_, kind) in enumerate(sent, start=1) if kind == "sale" and n not in arrived] == []
    newest = {key: n for n, (key, kind) in enumerate(sent, start=1) if kind == "state"}
    assert {event.key: event.id for event in got if event.type == "state"} == newest
