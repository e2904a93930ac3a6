"""Time rules at work on SQLite and on PostgreSQL: each letter once, in its time, by its owner."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select, update

from syncd.core.terms import SECOND_US, PaymentStatus
from syncd.core.tickets import DeskId, MessageKind, TicketId, TicketState
from syncd.engine.timekeeping import PIECE, TimeKeeping
from syncd.sdk.desk import DeskProfile
from syncd.settings import TimeRules
from syncd.store import changes, tickets, waiting
from syncd.store.changes import Change, ChangeKind, ChangeState
from syncd.store.ledger import skus_by_code
from syncd.store.rows import OrderRow
from syncd.store.rows_waiting import EntryRow
from syncd.store.statements import table
from tests.real_servers import Missing, Postgres, postgres, skip_or_fail
from tests.web.rig import Rig, running, settings_of

HOUR = 3_600 * SECOND_US
DAY = 24 * HOUR
MORNING = 1_790_035_200_000_000
"""2026-09-22 08:20 in Tokyo, in the hours in which letters go out."""
DESK = DeskId("local")


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    try:
        with postgres() as found:
            yield found
    except Missing as missing:
        skip_or_fail(missing)


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Rig]:
    async with running(tmp_path) as rig:
        yield await opened(rig)


@pytest.fixture(params=["", pytest.param("postgres", marks=pytest.mark.real)], ids=["sqlite", "postgres"])
async def either(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rig]:
    """Give a shop whose store is one or the other."""
    settings = settings_of(tmp_path, ["shop", "mall"])
    if not request.param:
        async with running(tmp_path, settings=settings) as rig:
            yield await opened(rig)
        return
    with request.getfixturevalue("server").database(f"syncd_{secrets.token_hex(6)}") as url:
        settings = replace(settings, daemon=replace(settings.daemon, database_url=url))
        async with running(tmp_path, settings=settings) as rig:
            yield await opened(rig)


async def opened(rig: Rig) -> Rig:
    rig.clock.instant = MORNING
    await rig.know("A")
    return rig


async def wait_for(rig: Rig, number: int = 1, **more: Any) -> None:
    """Let somebody wait, with a ticket: keys of the entry and of the ticket may differ."""
    now = rig.clock.instant
    entry = {"state": "pending", "since": now, "language": "en", "closed_at": None}
    ticket: dict[str, Any] = {"status": "open", "asked_at": None, "replied_at": None, "reachable": True}
    entry |= {name: value for name, value in more.items() if name in entry}
    ticket |= {name: value for name, value in more.items() if name in ticket}

    def write(conn: Connection) -> None:
        (sku,) = skus_by_code(conn, ["A"]).values()  # type: ignore[list-item]  # a plain text
        values = {"source": "test", "key": f"k{number}", "sku_id": sku.sku_id, "quantity": 1}
        known = waiting.by_keys(conn, "test", [f"k{number}"])
        if known:
            waiting.save_entries(conn, [replace(known[f"k{number}"], **_kept(entry))])
        entry_id = known[f"k{number}"].id if known else waiting.add_entry(conn, {**values, **entry})
        row = {"desk": DESK, "ticket_id": f"L{number}", "entry_id": entry_id, "state": "pending", "sku": "A"}
        row |= {"quantity": 1, "order_number": "", "language": "en", "agent": "", "version": None, "read_at": now}
        tickets.save(conn, [{**row, "created_at": now, "follow_up_of": "", **ticket}])

    await rig.plant.store.write(write)


def _kept(entry: dict[str, Any]) -> dict[str, Any]:
    return {"state": TicketState(entry["state"]), "closed_at": entry["closed_at"]}


def keeper(rig: Rig, *, profile: DeskProfile | None = None, **rules: Any) -> TimeKeeping:
    rig.plant.settings = replace(rig.plant.settings, timerules=TimeRules(**rules))
    found = DeskProfile() if profile is None else profile
    return TimeKeeping(rig.plant, lambda: {DESK: found})


async def made(rig: Rig, *states: ChangeState) -> list[Change]:
    wanted = states or tuple(ChangeState)
    return await rig.plant.store.read(lambda conn: changes.page(conn, states=wanted, limit=1_000))


async def send(rig: Rig) -> None:
    """Let what waits be sent, as the desk's loop does, and be told by the desk."""
    now = rig.clock.instant

    def write(conn: Connection) -> None:
        for change in changes.page(conn, states=[ChangeState.WAITING], limit=1_000):
            end = changes.Ended(
                id=change.id, state=ChangeState.APPLIED, due_at=now, attempts=1, reason="", ended_at=now
            )
            changes.end(conn, [end])
            if change.message:
                row = {"key": change.key, "event": change.event, "kind": change.message, "language": "en"}
                row |= {"route": "desk", "entry_id": change.entry_id, "ticket_row": change.ticket_row, "at": now}
                changes.told(conn, [row])

    await rig.plant.store.write(write)


async def test_first_contact_is_made_once(either: Rig) -> None:
    """Somebody who waits unheard for half a day is told, whole, and not again however often it is looked."""
    await wait_for(either, since=MORNING - 13 * HOUR)
    await wait_for(either, number=2, since=MORNING - 11 * HOUR)
    loop = keeper(either)
    assert [await loop.step() for _ in range(3)] == [1, 0, 0]
    (change,) = await made(either)
    assert (change.message, change.desk, change.state) == ("acknowledged", DESK, ChangeState.WAITING)
    letter = either.plant.texts.letter(MessageKind(change.message), "en", change.content.values)  # type: ignore[arg-type]  # a StrEnum
    assert "Product:  A" in letter.body


async def test_nothing_goes_out_at_night(shop: Rig) -> None:
    """In quiet hours a letter waits for the morning, by the shop's zone or by that of the customer's language."""
    shop.clock.instant = MORNING + 14 * HOUR
    await wait_for(shop, since=MORNING)
    await wait_for(shop, number=2, state="cancelled", closed_at=MORNING - 2 * DAY, asked_at=MORNING)
    loop = keeper(shop)
    assert await loop.step() == 0
    shop.clock.instant = MORNING + DAY
    assert await loop.step() == 1
    other = keeper(shop, zones={"en": "America/New_York"})
    shop.clock.instant = MORNING + 8 * DAY + 6 * HOUR
    assert await other.step() == 0, "it is night in New York"
    assert await keeper(shop).step() == 1


@pytest.mark.parametrize(
    ("profile", "count"),
    [
        (DeskProfile(), 1),
        (DeskProfile(owns=frozenset({MessageKind.STILL_WAITING})), 0),
        (DeskProfile(sends=False), 0),
    ],
)
async def test_each_message_has_one_owner(shop: Rig, profile: DeskProfile, count: int) -> None:
    """What a desk sends by its own rules, or cannot send, is not due here."""
    await wait_for(shop, since=MORNING - 9 * DAY, asked_at=MORNING - 8 * DAY)
    assert await keeper(shop, profile=profile).step() == count


async def test_a_question_is_repeated_twice_and_closed(shop: Rig) -> None:
    """Two reminders at 48 hours and an end with a note; the wait goes on, and its silence is broken weeks later."""
    await wait_for(shop, status="waiting", asked_at=MORNING)
    loop = keeper(shop)
    told: list[tuple[str, str]] = []
    status = "waiting"
    for _ in range(8):
        shop.clock.instant += 2 * DAY
        await loop.step()
        fresh = await made(shop, ChangeState.WAITING)
        told += [(change.message, change.content.status) for change in fresh]
        await send(shop)
        if fresh:
            status = fresh[-1].content.status or status
            await wait_for(shop, status=status, asked_at=shop.clock.instant)
    assert told == [("bump_first", ""), ("bump_second", ""), ("solved_unanswered", "solved"), ("still_waiting", "")]
    (entry,) = (await shop.plant.store.read(lambda conn: waiting.by_keys(conn, "test", ["k1"]))).values()
    assert entry.closed_at is None


async def test_without_ears_nobody_is_reminded(shop: Rig) -> None:
    """A desk that hears no replies reminds nobody of a question."""
    await wait_for(shop, status="waiting", asked_at=MORNING)
    shop.clock.instant += 3 * DAY
    assert await keeper(shop, profile=DeskProfile(hears=False)).step() == 0


async def test_a_letter_on_its_way_keeps_others_back(shop: Rig) -> None:
    """While a letter waits, for the desk or for a person, or may have gone out, no other is made."""
    await wait_for(shop, since=MORNING - 13 * HOUR)
    loop = keeper(shop)
    assert await loop.step() == 1
    shop.clock.instant += 10 * DAY
    assert await loop.step() == 0
    await send(shop)
    shop.clock.instant += 7 * DAY
    assert await loop.step() == 1


async def test_a_refund_is_called_for_at_every_ticket(either: Rig) -> None:
    """A cancelled order that was paid has a task with a priority, also where the customer cannot be written to."""
    await either.catalogue("shop", ("s1", "A"))
    await either.count(A=1)
    await either.order("shop", "S-1", ("s1", "A", 1), payment=PaymentStatus.PAID)
    await wait_for(either, state="cancelled", closed_at=MORNING - 40 * HOUR, asked_at=MORNING, reachable=False)

    def join(conn: Connection) -> None:
        order = conn.execute(select(table(OrderRow).c.id)).scalar_one()
        mine = table(EntryRow).c.key == "k1"
        conn.execute(update(table(EntryRow)).where(mine).values(order_row=order))

    await either.plant.store.write(join)
    loop = keeper(either)
    assert [await loop.step(), await loop.step()] == [1, 0]
    either.clock.instant += 10 * HOUR
    assert await loop.step() == 1
    due, late = await made(either)
    assert (due.message, due.content.priority, late.content.priority) == ("", "high", "urgent")
    assert "refund" in due.content.note


async def test_one_of_several_tickets_is_told(shop: Rig) -> None:
    """Somebody with two tickets is told at the first that lives, and once."""
    await wait_for(shop, since=MORNING - 13 * HOUR)

    def second(conn: Connection) -> None:
        found = tickets.by_remote(conn, DESK, [TicketId("L1")])[TicketId("L1")]
        row = {"desk": DESK, "ticket_id": "L9", "entry_id": found.entry_id, "status": "open", "state": "pending"}
        row |= {"sku": "A", "quantity": 1, "order_number": "", "language": "en", "reachable": True, "agent": ""}
        row |= {"version": None, "read_at": MORNING, "asked_at": None, "replied_at": None, "created_at": MORNING}
        tickets.save(conn, [{**row, "follow_up_of": ""}])

    await shop.plant.store.write(second)
    loop = keeper(shop)
    assert [await loop.step(), await loop.step()] == [1, 0]


async def test_a_long_line_is_looked_at_in_pieces(shop: Rig) -> None:
    """More people than one piece holds are all looked at, each once."""
    for number in range(1, PIECE // 10 + 3):
        await wait_for(shop, number=number, since=MORNING - 13 * HOUR)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("syncd.engine.timekeeping.PIECE", 10)
        loop = keeper(shop)
        assert [await loop.step(), await loop.step()] == [PIECE // 10 + 2, 0]


async def test_rules_that_are_off_do_nothing(shop: Rig) -> None:
    """A limit of zero switches its rule off; without quiet hours letters go out at any time."""
    await wait_for(shop, since=MORNING - 13 * HOUR)
    assert await keeper(shop, first_contact_h=0).step() == 0
    shop.plant.settings = replace(shop.plant.settings, letters=replace(shop.plant.settings.letters, quiet=""))
    shop.clock.instant = MORNING + 16 * HOUR
    assert await keeper(shop).step() == 1


async def test_those_without_a_ticket_get_one_in_time(either: Rig) -> None:
    """Whom nobody told anything in half a day gets a ticket at the shop's desk, once, and not by night."""
    await wait_for(either, since=MORNING - 13 * HOUR)
    await either.plant.store.write(lambda conn: _lonely(conn, 30))
    loop = keeper(either, first_contact_h=24)
    assert await loop.step() == 1, "without a desk only the one with a ticket is told"
    either.plant.house = replace(either.plant.house, waiting=replace(either.plant.house.waiting, desk=DESK))
    either.clock.instant = MORNING + 14 * HOUR
    assert await loop.step() == 0, "it is night"
    either.clock.instant = MORNING + DAY
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("syncd.engine.timekeeping.PIECE", 7)
        assert [await loop.step(), await loop.step()] == [30, 0]
    opened = [change for change in await made(either) if change.kind is ChangeKind.CREATE]
    assert len({change.key for change in opened}) == 30
    assert {(change.desk, change.message, change.content.sku) for change in opened} == {(DESK, "acknowledged", "A")}


def _lonely(conn: Connection, count: int) -> None:
    (sku,) = skus_by_code(conn, ["A"]).values()  # type: ignore[list-item]  # a plain text
    for number in range(count):
        values = {"source": "alone", "key": f"a{number}", "sku_id": sku.sku_id, "quantity": 1, "state": "pending"}
        waiting.add_entry(conn, {**values, "since": MORNING - 13 * HOUR, "language": "ja"})
