"""What is old and ended goes, a little at a time; what somebody still needs stays."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, text
from sqlmodel import SQLModel

from syncd.store.driver import writer_engine
from syncd.store.retention import Prunable, prune
from syncd.store.rows import (
    BalanceRow,
    BrakeRow,
    DriftRow,
    InboxRow,
    MetaRow,
    MovementRow,
    OrderRow,
    OutboxRow,
    ParkedRow,
    SuspectRow,
    WriteRow,
)
from syncd.store.rows_waiting import EscalationRow, InboundRow, TicketRow
from syncd.store.schema import migrate
from tests.store.planting import plant

OLD, BEFORE, NEW = 100, 1_000, 5_000


def fact(number: int, at: int) -> InboxRow:
    return InboxRow(id=number, kind="hint", source="s", body=b"", received_at=at)


def event(number: int, ended: int | None) -> OutboxRow:
    return OutboxRow(id=number, sink="mqtt", key="k", type="t", body=b"", created_at=OLD, delivered_at=ended)


def write(number: int, *, is_open: bool, at: int) -> WriteRow:
    names = {"account": "shop", "key": str(number), "mode": "absolute", "state": "applied"}
    return WriteRow(id=number, listing_id=1, quantity=0, target=0, lane=0, open=is_open, intended_at=at, **names)


def suspect(number: int, ended: int | None) -> SuspectRow:
    units = {"quantity": 1, "remaining": 0}
    return SuspectRow(
        id=number, account="shop", listing_id=1, sku_id=1, location="", since=OLD, until=OLD, closed_at=ended, **units
    )


def drift(number: int, ended: int | None) -> DriftRow:
    numbers = {"seen": 0, "expected_low": 0, "expected_high": 0}
    return DriftRow(id=number, account="shop", listing_id=1, state="adopted", at=OLD, ended_at=ended, **numbers)


def held(inbox_id: int, state: str) -> BrakeRow:
    return BrakeRow(inbox_id=inbox_id, cause="", to_zero=0, raised=0, listings=0, state=state, at=OLD)


def ids(conn: Connection, name: str) -> list[int]:
    return list(conn.execute(text(f'SELECT id FROM "{name}" ORDER BY id')).scalars())


@pytest.fixture
def conn(store_url: str, clock: Any) -> Iterator[Connection]:
    migrate(store_url, backup_dir=None, clock=clock)
    with writer_engine(store_url).begin() as conn:
        yield conn


def fill_inbox(conn: Connection, ages: list[int], *, decided: int) -> None:
    plant(conn, *(fact(number, at) for number, at in enumerate(ages, start=1)))
    plant(conn, MetaRow(name="decided", value=str(decided)))


def test_old_decided_facts_go(conn: Connection) -> None:
    """Facts go once they are decided and old; a fact that waits stays, however old."""
    fill_inbox(conn, [OLD, OLD, OLD, NEW, OLD], decided=4)
    assert prune(conn, before=BEFORE, limit=100) == 3
    assert ids(conn, "inbox") == [4, 5]


def test_nothing_is_decided_before_the_first_decision(conn: Connection) -> None:
    """A store that has decided nothing yet loses nothing."""
    plant(conn, fact(1, OLD))
    assert prune(conn, before=BEFORE, limit=100) == 0


def test_facts_that_a_person_has_to_look_at_stay(conn: Connection) -> None:
    """Parked facts and those that the brake holds stay; those that the brake let go do not."""
    fill_inbox(conn, [OLD] * 4, decided=4)
    plant(conn, ParkedRow(inbox_id=1, reason="why", at=OLD), held(2, "held"), held(3, "released"))
    assert prune(conn, before=BEFORE, limit=100) == 2
    assert ids(conn, "inbox") == [1, 2]


@pytest.mark.parametrize("name", ["outbox", "suspect", "drift"])
def test_what_has_ended_goes(conn: Connection, name: str) -> None:
    """Delivered events, closed suspect sales and ended drift go by the time they ended; the others stay."""
    row: Callable[[int, int | None], SQLModel] = {"outbox": event, "suspect": suspect, "drift": drift}[name]
    plant(conn, *(row(number, ended) for number, ended in enumerate([OLD, None, NEW, OLD], start=1)))
    assert prune(conn, before=BEFORE, limit=100) == 2
    assert ids(conn, name) == [2, 3]


def test_closed_writes_go(conn: Connection) -> None:
    """Writes go once they are closed and old."""
    plant(conn, write(1, is_open=True, at=OLD), write(2, is_open=False, at=OLD), write(3, is_open=False, at=NEW))
    assert prune(conn, before=BEFORE, limit=100) == 1
    assert ids(conn, "write") == [1, 3]


def test_messages_and_escalations_stay_as_long_as_their_ticket_lives(conn: Connection) -> None:
    """When customers wrote, and that a ticket was for a person, goes a while after the ticket was closed."""
    rows: list[SQLModel] = []
    for number, status in ((1, "open"), (2, "closed"), (3, "gone")):
        rows.append(TicketRow(id=number, desk="d", ticket_id=str(number), status=status, read_at=OLD))
        rows.append(InboundRow(id=number, ticket_row=number, at=OLD, heard_at=OLD))
        told = {"ticket_row": number, "reasons": "legal", "priority": "urgent", "since": OLD}
        rows.append(EscalationRow(id=number, released_at=None if number == 3 else OLD, **told))
    plant(conn, *rows)
    prune(conn, before=BEFORE, limit=10)
    assert (ids(conn, "inbound"), ids(conn, "escalation")) == ([1], [1, 3])


def test_a_call_deletes_no_more_than_its_limit(conn: Connection) -> None:
    """Calls with a limit delete everything step by step, over all tables, and end with nothing."""
    fill_inbox(conn, [OLD] * 5, decided=5)
    plant(conn, *(event(number, OLD) for number in range(1, 6)))
    assert [prune(conn, before=BEFORE, limit=4) for _ in range(4)] == [4, 4, 2, 0]


def test_one_kind_can_go_before_another(conn: Connection) -> None:
    """Each kind has an age of its own: only what is named goes."""
    fill_inbox(conn, [OLD], decided=1)
    plant(conn, event(1, OLD))
    assert prune(conn, before=BEFORE, limit=100, what={Prunable.EVENTS}) == 1
    assert (ids(conn, "inbox"), ids(conn, "outbox")) == ([1], [])


def test_the_ledger_is_never_touched(conn: Connection) -> None:
    """No rule names movements, balances or orders, whatever their age."""
    one = {"on_hand": 1, "committed": 0, "held": 0}
    once = {"source": "s", "reference": "r", "kind": "count", "at": OLD, "recorded_at": OLD}
    plant(conn, MovementRow(sku_id=1, location="", **once, **one), BalanceRow(sku_id=1, location="", **one))
    moments = {"read_at": OLD, "ordered_at": OLD, "recorded_at": OLD}
    plant(conn, OrderRow(account="shop", remote_id="1", number="1", closed=True, **moments))
    assert prune(conn, before=BEFORE, limit=100) == 0
