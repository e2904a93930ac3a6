"""What is done to orders at a channel, on both databases: stored before it is sent, settled after."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import pytest
from sqlalchemy import Connection, func, select

from syncd.core.terms import AccountId, OutcomeKind
from syncd.store import actions
from syncd.store.actions import ActionKind
from syncd.store.driver import writer_engine
from syncd.store.rows import OrderActionRow
from syncd.store.schema import migrate
from syncd.store.statements import table

T = TypeVar("T")
Run = Callable[[Callable[[Connection], T]], T]
ONE, TWO = AccountId("one"), AccountId("two")


@pytest.fixture
def run(store_url: str, clock: Any) -> Run[Any]:
    """Run a work in a transaction of a store."""
    migrate(store_url, backup_dir=None, clock=clock)
    engine = writer_engine(store_url)

    def work(func: Callable[[Connection], T]) -> T:
        with engine.begin() as connection:
            return func(connection)

    return work


def intend(
    run: Run[Any], key: str, *, order: str = "o1", kind: ActionKind = ActionKind.SHIP_DATE, now: int = 1
) -> bool:
    return bool(
        run(
            lambda conn: actions.intend(
                conn, account=ONE, remote_id=order, kind=kind, key=key, body=b"{}", actor="a", now=1
            )
        )
    )


def end(run: Run[Any], key: str, state: OutcomeKind) -> None:
    run(lambda conn: actions.end(conn, key, state=state, reason="x" * 500, now=9))


def test_a_key_is_stored_once(run: Run[Any]) -> None:
    """The first action with a key counts; a second one changes nothing and says so."""
    assert intend(run, "k1")
    assert not intend(run, "k1", order="o2")
    found = run(lambda conn: actions.by_key(conn, "k1"))
    assert (found.remote_id, found.state, found.unsettled, found.ended_at) == ("o1", "intended", True, None)
    assert run(lambda conn: actions.by_key(conn, "k2")) is None


def test_the_newest_of_each_order_is_found(run: Run[Any]) -> None:
    """Of several actions of one kind on an order the newest is told, apart from other kinds and accounts."""
    intend(run, "k1")
    end(run, "k1", OutcomeKind.APPLIED)
    intend(run, "k2")
    intend(run, "k3", order="o2")
    intend(run, "k4", kind=ActionKind.CANCEL)
    found = run(lambda conn: actions.latest(conn, ONE, ActionKind.SHIP_DATE, ["o1", "o2", "o3"]))
    assert {order: action.key for order, action in found.items()} == {"o1": "k2", "o2": "k3"}
    assert run(lambda conn: actions.latest(conn, TWO, ActionKind.SHIP_DATE, ["o1"])) == {}
    assert run(lambda conn: actions.latest(conn, ONE, ActionKind.SHIP_DATE, [])) == {}


def test_what_was_not_sent_is_forgotten_by_the_next_try(run: Run[Any]) -> None:
    """A thousand tries of an outage leave one row; what had an end stays."""
    intend(run, "k0")
    end(run, "k0", OutcomeKind.APPLIED)
    for number in range(1, 20):
        intend(run, f"k{number}")
        end(run, f"k{number}", OutcomeKind.UNSENT)
    count = select(func.count()).select_from(table(OrderActionRow))
    assert run(lambda conn: conn.execute(count).scalar()) == 2


def test_recovery_makes_open_ones_indeterminate(run: Run[Any]) -> None:
    """What the last run sent without hearing the answer is not known; what has an end keeps it."""
    intend(run, "k1")
    intend(run, "k2", order="o2", kind=ActionKind.CANCEL)
    end(run, "k2", OutcomeKind.REJECTED)
    assert [action.key for action in run(lambda conn: actions.recover(conn, ONE, now=7))] == ["k1"]
    assert run(lambda conn: actions.recover(conn, ONE, now=8)) == []
    (left,) = run(lambda conn: actions.unsettled(conn, ONE))
    assert (left.key, left.state, left.ended_at) == ("k1", "indeterminate", 7)
    assert run(lambda conn: actions.unsettled(conn, ONE, ActionKind.CANCEL)) == []
    assert len(run(lambda conn: actions.by_key(conn, "k2")).reason) == 200
