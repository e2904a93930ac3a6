"""The door for facts under a rush: many senders at once, repeats, a full store, a fact that is bad."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from syncd.clock import SystemClock
from syncd.core.facts import HintFact
from syncd.core.terms import AccountId
from syncd.engine.intake import Intake
from syncd.store import inbox
from syncd.store.inbox import Entry
from syncd.store.session import Store, StoreFull
from tests.engine.world import make_schema

SENDERS = 200


@pytest.fixture
async def intake(tmp_path: Path) -> AsyncIterator[Intake]:
    url = f"sqlite:///{tmp_path / 'a.db'}"
    make_schema(url)
    async with Store.open(url, clock=SystemClock()) as store:
        yield Intake(store, clock=SystemClock())


def entries(*keys: str | None) -> list[Entry]:
    fact = HintFact(account=AccountId("shop"), order_ids=("1",))
    return [Entry(fact=fact, source="shop", key=key) for key in keys]


async def at_once(intake: Intake, *rushes: list[Entry]) -> list[Any]:
    """Put from several senders at once; return what each got: ids, or its error."""

    async def send(rush: list[Entry]) -> Any:
        try:
            return await intake.put_entries(rush)
        except Exception as error:  # noqa: BLE001  (the test looks at it)
            return error

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(send(rush)) for rush in rushes]
    return [task.result() for task in tasks]


async def keys_of(intake: Intake, ids: list[int]) -> list[str | None]:
    """Return the keys under which facts were stored."""
    rows = await intake._store.read(lambda conn: conn.exec_driver_sql("SELECT id, key FROM inbox").all())
    found = {row[0]: row[1] for row in rows}
    return [found[one] for one in ids]


async def test_every_sender_gets_the_id_of_its_own_fact(intake: Intake) -> None:
    """Facts that come together are each stored once, and each sender is told the id of its own."""
    got = await at_once(intake, *(entries(f"a{n}", f"b{n}") for n in range(SENDERS)))
    for number, ids in enumerate(got):
        assert await keys_of(intake, ids) == [f"a{number}", f"b{number}"]


async def test_a_repeat_in_the_same_rush_is_stored_once(intake: Intake) -> None:
    """Of senders with one key the first is given an id and all others None."""
    got = await at_once(intake, *(entries("same") for _ in range(SENDERS)))
    assert sum(ids != [None] for ids in got) == 1
    assert await intake.put_entries(entries("same", "new", None, "new")) == [None, 2, 3, None]


async def test_a_full_store_is_told_to_everybody(intake: Intake, monkeypatch: pytest.MonkeyPatch) -> None:
    """While nothing can be stored every sender is told so, and afterwards the same facts are taken."""

    def full(*_: object, **__: object) -> list[int | None]:
        raise StoreFull("no room")

    with monkeypatch.context() as patch:
        patch.setattr(inbox, "put", full)
        got = await at_once(intake, *(entries(f"k{n}") for n in range(20)))
        assert [type(error) for error in got] == [StoreFull] * 20
    assert all(isinstance(ids, list) for ids in await at_once(intake, *(entries(f"k{n}") for n in range(20))))


async def test_a_bad_fact_fails_alone(intake: Intake) -> None:
    """A fact that cannot be stored costs only its own sender."""
    bad = [Entry(fact=object(), source="shop", key="bad")]  # type: ignore[arg-type]  # what an adapter may get wrong
    got = await at_once(intake, *(entries(f"k{n}") for n in range(5)), bad, *(entries(f"m{n}") for n in range(5)))
    assert [isinstance(ids, list) for ids in got] == [True] * 5 + [False] + [True] * 5


async def test_a_sender_that_gives_up_takes_nobody_with_it(intake: Intake) -> None:
    """A sender that is cancelled while its fact is on the way costs no other sender its own."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(intake.put_entries(entries(f"k{n}"))) for n in range(20)]
        await asyncio.sleep(0)
        tasks[0].cancel()
    got = [task.result() for task in tasks[1:]]
    assert [await keys_of(intake, ids) for ids in got] == [[f"k{n}"] for n in range(1, 20)]
