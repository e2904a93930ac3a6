"""Changes of tickets on both databases: what was sent without hearing the answer is looked up after a start."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from syncd.core.tickets import DeskId, EventId
from syncd.store import changes
from syncd.store.changes import ChangeKind, ChangeState, Content, Ended, NewChange
from syncd.store.session import Store

DESK, OTHER = DeskId("zendesk"), DeskId("local")
EVERY = tuple(ChangeState)


def new(number: int, *, desk: DeskId = DESK) -> NewChange:
    return NewChange(
        desk=desk,
        key=f"t{number}:truck",
        event=EventId("truck"),
        kind=ChangeKind.UPDATE,
        entry_id=None,
        ticket_row=number,
        message="restocked",
        content=Content(state="restocked", values={"product": "お茶"}),
    )


def states(conn: Connection) -> dict[str, ChangeState]:
    return {found.key: found.state for found in changes.page(conn, states=EVERY)}


async def test_what_was_intended_is_to_be_looked_up(store: Store, clock: Any) -> None:
    """After a start intents of this desk have an unknown end and are looked up at once; nothing else is touched."""
    now = clock.now()

    def scene(conn: Connection) -> tuple[int, int]:
        changes.add(conn, [new(1), new(2), new(3), new(4, desk=OTHER)], limit=10, now=now)
        first, second, _, other = (found.id for found in changes.page(conn, states=EVERY))
        changes.intend(conn, [first, second, other], now=now)
        ended = Ended(id=second, state=ChangeState.APPLIED, due_at=now, attempts=0, reason="", ended_at=now)
        changes.end(conn, [ended])
        return changes.recover(conn, DESK), changes.recover(conn, DESK)

    assert await store.write(scene) == (1, 0), "the second time there is nothing left"
    assert await store.read(states) == {
        "t1:truck": ChangeState.INDETERMINATE,
        "t2:truck": ChangeState.APPLIED,
        "t3:truck": ChangeState.WAITING,
        "t4:truck": ChangeState.INTENDED,
    }
    unknown = await store.read(lambda c: changes.unknown(c, DESK, kind=ChangeKind.UPDATE, due_at=clock.now(), limit=9))
    assert [(found.key, found.content.values) for found in unknown] == [("t1:truck", {"product": "お茶"})]
    due = await store.read(lambda conn: changes.due(conn, DESK, kind=ChangeKind.UPDATE, now=clock.now(), limit=9))
    assert [found.key for found in due] == ["t3:truck"], "what may have been sent is not sent again by itself"
