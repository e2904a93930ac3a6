"""Private sales on both databases: what is due, whose holds they have, and what is left of them at the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import pytest
from sqlalchemy import Connection

from syncd.core.offers import OfferState
from syncd.core.terms import AccountId, SkuId
from syncd.core.tickets import EventId
from syncd.store import offers, waiting
from syncd.store.driver import writer_engine
from syncd.store.offers import BoughtLine, Offer
from syncd.store.rows import OrderLineRow, OrderRow
from syncd.store.rows_waiting import HoldRow
from syncd.store.schema import migrate
from tests.store.planting import plant

T = TypeVar("T")
Run = Callable[[Callable[[Connection], T]], T]
ONE, A = AccountId("one"), SkuId(1)
LINK = "https://one.example/secret"


@pytest.fixture
def run(store_url: str, clock: Any) -> Run[Any]:
    """Run a work in a transaction of a store."""
    migrate(store_url, backup_dir=None, clock=clock)
    engine = writer_engine(store_url)

    def work(func: Callable[[Connection], T]) -> T:
        with engine.begin() as connection:
            return func(connection)

    return work


def row(number: int, *, account: str = "one", at: int = 100) -> dict[str, Any]:
    return {
        "key": f"k{number}",
        "account": account,
        "entry_id": number,
        "event": f"e{number}",
        "remote_id": "r1",
        "remote_location": "",
        "units": 2,
        "created_at": at,
    }


def hold(number: int, *, units: int = 2) -> HoldRow:
    return HoldRow(entry_id=number, sku_id=A, location="main", account="one", units=units, since=1, until=50)


def stored(run: Run[Any], *numbers: int) -> list[Offer]:
    run(lambda conn: offers.add(conn, [row(number) for number in numbers]))
    found: dict[str, Offer] = run(lambda conn: offers.by_keys(conn, [f"k{number}" for number in numbers]))
    return [found[f"k{number}"] for number in numbers]


def due_by(run: Run[Any], now: int) -> list[str]:
    return [one.key for one in run(lambda conn: offers.due(conn, ONE, now=now, limit=9))]


def test_what_is_due_is_asked_for_by_account(run: Run[Any]) -> None:
    """Due are those that are not ended and not open, of one account, in the order of their time."""
    first, second, third = stored(run, 1, 2, 3)
    run(lambda conn: offers.add(conn, [row(4, account="two")]))
    first.due_at, second.state, third.due_at = 300, OfferState.OPEN, 200
    run(lambda conn: offers.save(conn, [first, second, third]))
    assert due_by(run, 199) == []
    assert due_by(run, 300) == ["k3", "k1"]
    assert run(lambda conn: offers.next_due(conn, ONE)) == 200
    assert [one.key for one in run(lambda conn: offers.late(conn, before=100, limit=9))] == ["k1", "k3", "k4"]


def test_one_that_is_ended_keeps_no_link(run: Run[Any]) -> None:
    """The link is there while it can be bought, by entry and event, and is forgotten at the end."""
    (offer,) = stored(run, 1)
    assert not run(lambda conn: offers.sells(conn, ONE, "r1"))
    offer.state, offer.link, offer.offer_id = OfferState.OPEN, LINK, "77"
    run(lambda conn: offers.save(conn, [offer]))
    assert run(lambda conn: offers.sells(conn, ONE, "r1"))
    assert not run(lambda conn: offers.sells(conn, ONE, "r2"))
    assert not run(lambda conn: offers.sells(conn, AccountId("two"), "r1"))
    assert run(lambda conn: offers.links(conn, [1, 2])) == {(1, EventId("e1")): LINK}
    assert LINK not in repr(offer)
    offer.state = OfferState.ENDED
    run(lambda conn: offers.save(conn, [offer]))
    assert run(lambda conn: offers.links(conn, [1])) == {}
    assert run(lambda conn: offers.of_entries(conn, [1]))[1].link == ""
    assert not run(lambda conn: offers.sells(conn, ONE, "r1"))


def test_what_the_last_run_sent_is_unknown(run: Run[Any]) -> None:
    """After a start only what was being sent is unknown, of that account alone."""
    first, second = stored(run, 1, 2)
    first.state = OfferState.INTENDED
    run(lambda conn: offers.save(conn, [first, second]))
    assert run(lambda conn: offers.recover(conn, AccountId("two"))) == 0
    assert run(lambda conn: offers.recover(conn, ONE)) == 1
    states = {key: one.state for key, one in run(lambda conn: offers.by_keys(conn, ["k1", "k2"])).items()}
    assert states == {"k1": OfferState.UNKNOWN, "k2": OfferState.WAITING}
    assert run(lambda conn: offers.is_making(conn, "e1"))
    assert not run(lambda conn: offers.is_making(conn, "e9"))


def test_holds_belong_to_it_until_it_is_disbanded(run: Run[Any]) -> None:
    """Its holds are shown nowhere, count as leaving once it is not wanted, and are a channel's when it is no more."""
    run(lambda conn: plant(conn, hold(1), hold(2)))
    (offer,) = stored(run, 1)
    run(lambda conn: offers.assign(conn, {1: "k1"}))
    assert run(lambda conn: offers.leaving(conn, [A])) == {}
    offer.cause = "left"
    run(lambda conn: offers.save(conn, [offer]))
    assert run(lambda conn: offers.leaving(conn, [A])) == {A: 2}
    run(lambda conn: offers.set_until(conn, "k1", None))
    (mine,) = run(lambda conn: waiting.holds_of(conn, [1]))
    assert (mine.account, mine.reference, mine.until) == ("", "k1", None)
    run(lambda conn: offers.disband(conn, "k1", account="one", until=77))
    (mine,) = run(lambda conn: waiting.holds_of(conn, [1]))
    (other,) = run(lambda conn: waiting.holds_of(conn, [2]))
    assert (mine.account, mine.reference, mine.until) == ("one", "", 77)
    assert (other.account, other.reference, other.until) == ("one", "", 50)


def test_the_line_that_was_bought_is_found(run: Run[Any]) -> None:
    """It is the line of the offered listing, in an order of the same account that counts."""
    order = OrderRow(account="one", remote_id="900", number="#1", read_at=1, ordered_at=1, recorded_at=1)
    other = OrderRow(account="one", remote_id="901", number="#2", read_at=1, ordered_at=1, recorded_at=1, ignored=True)
    unmapped = OrderRow(account="one", remote_id="903", number="#3", read_at=1, ordered_at=1, recorded_at=1)
    lines = [
        OrderLineRow(order_id=number, line_id=f"l{listing}", account="one", remote_id=listing, quantity=2, sku_id=sku)
        for number, sku in ((1, A), (2, A), (3, None))
        for listing in ("r0", "r1")
    ]
    run(lambda conn: plant(conn, order, other, unmapped, *lines))
    (offer,) = stored(run, 1)
    found = run(lambda conn: offers.bought_line(conn, offer, "900"))
    assert found == BoughtLine(order_row=1, line_id="lr1", number="#1", ordered_at=1)
    assert run(lambda conn: offers.bought_line(conn, offer, "901")) is None
    assert run(lambda conn: offers.bought_line(conn, offer, "902")) is None
    assert run(lambda conn: offers.bought_line(conn, offer, "903")) is None


def test_what_is_asked_about_no_more_is_found_by_its_time(run: Run[Any]) -> None:
    """Abandoned are those that were asked about, on accounts that nobody knows, once they were to be over."""
    found = stored(run, 1, 2, 3, 4)
    states = (OfferState.UNKNOWN, OfferState.WITHDRAWING, OfferState.OPEN, OfferState.WITHDRAWING)
    for offer, state in zip(found, states, strict=True):
        offer.state, offer.until = state, 500
    found[3].until = 501
    run(lambda conn: offers.save(conn, found))

    def abandoned(*known: str) -> list[str]:
        names = [AccountId(name) for name in known]
        rows = run(lambda conn: offers.abandoned(conn, known=names, before=500, limit=9))
        return [offer.key for offer in rows]

    assert abandoned() == ["k1", "k2"]
    assert abandoned("two") == ["k1", "k2"]
    assert abandoned("two", "one") == []
