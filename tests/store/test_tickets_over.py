"""Which tickets of a desk are deleted: those whose wait is over for long, and at which nothing is to be done."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection

from syncd.core.tickets import DeskId, TicketStatus
from syncd.store import tickets
from syncd.store.driver import writer_engine
from syncd.store.rows_waiting import ChangeRow, EntryRow, TicketRow
from syncd.store.schema import migrate
from tests.store.planting import plant

OLD, BEFORE, NEW = 100, 1_000, 5_000
DESK = DeskId("local")


@pytest.fixture
def conn(store_url: str, clock: Any) -> Iterator[Connection]:
    migrate(store_url, backup_dir=None, clock=clock)
    with writer_engine(store_url).begin() as conn:
        yield conn


def entry(number: int, closed_at: int | None) -> EntryRow:
    return EntryRow(
        id=number, source="s", key=str(number), sku_id=1, quantity=1, state="shipped", since=OLD, closed_at=closed_at
    )


def ticket(number: int, **more: Any) -> TicketRow:
    given = {"entry_id": number, "status": "open", "version": OLD, "read_at": OLD, **more}
    return TicketRow(id=number, desk=given.pop("desk", DESK), ticket_id=f"L{number}", **given)


def change(number: int, state: str) -> ChangeRow:
    return ChangeRow(
        id=number, desk=DESK, key=str(number), event="e", kind="update", ticket_row=number, body=b"", state=state,
        due_at=OLD, created_at=OLD,
    )  # fmt: skip


def over(conn: Connection, limit: int = 100) -> list[int]:
    return [found.id for found in tickets.over(conn, DESK, before=BEFORE, limit=limit)]


def test_only_a_wait_that_is_long_over_counts(conn: Connection) -> None:
    """An open entry, one that closed lately and a ticket of another desk stay."""
    plant(conn, entry(1, OLD), entry(2, None), entry(3, NEW), entry(4, OLD), entry(5, OLD))
    plant(conn, *(ticket(number) for number in (1, 2, 3)), ticket(4, desk="other"), ticket(5))
    assert (over(conn), over(conn, limit=1)) == ([1, 5], [1])
    tickets.forget(conn, [1])
    assert over(conn) == [5]
    assert tickets.by_id(conn, [1])[1].status is TicketStatus.GONE


def test_who_wrote_since_and_what_is_under_way_keeps_a_ticket(conn: Connection) -> None:
    """A reply, a letter of the shop, a change of the ticket or a change that is to be sent keep it."""
    plant(conn, *(entry(number, OLD) for number in range(1, 8)))
    plant(conn, ticket(1, replied_at=NEW), ticket(2, asked_at=NEW), ticket(3, version=NEW), ticket(4, version=None))
    plant(conn, ticket(5), ticket(6), ticket(7))
    plant(conn, change(5, "waiting"), change(6, "held"), change(7, "applied"))
    assert over(conn) == [4, 7]


def test_a_ticket_of_nobody_goes_once_it_is_solved(conn: Connection) -> None:
    """A ticket that belongs to no entry stays while it is open."""
    plant(conn, *(ticket(n, entry_id=None, status=s) for n, s in enumerate(("open", "solved", "closed", "gone"), 1)))
    assert over(conn) == [2, 3]
