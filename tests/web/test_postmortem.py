"""What a history says of an oversell: the moment, the orders, the cause, and what would have prevented it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import Connection, text

from syncd.core.facts import OutcomeFact
from syncd.core.plan import Lane
from syncd.core.terms import SECOND_US, AccountId, Outcome, OutcomeKind
from syncd.store import history as writes
from syncd.store import listings
from syncd.store.history import Intent
from syncd.store.views_history import Drifted, History, Moved, Place, SoldLine, Written, resent_writes
from syncd.web.crossings import incidents, smallest_safety_stock
from syncd.web.postmortem import postmortem
from tests.web.conftest import Api
from tests.web.rig import START, Rig

SHOP, MALL = 1, 2


def at(seconds: float) -> int:
    return START + round(seconds * SECOND_US)


def moved(number: int, kind: str, happened: float, known: float, **units: int) -> Moved:
    return Moved(
        id=number,
        at=at(happened),
        recorded_at=at(known),
        kind=kind,
        location="main",
        on_hand=units.get("on_hand", 0),
        committed=units.get("committed", 0),
        held=units.get("held", 0),
        source="test",
        reference=f"m{number}",
        reason="",
        actor="",
    )


def sold(number: int, account: str, units: int, happened: float, known: float) -> Moved:
    plain = moved(number, "commit", happened, known, committed=units)
    return replace(plain, source=account, reference=f"o{number}:1:commit:{units}@1")


def written(number: int, listing: int, units: int, sent: float, state: str = "applied", took: float = 1.0) -> Written:
    return Written(
        id=number,
        listing_id=listing,
        quantity=units,
        target=units,
        delta=None,
        mode="absolute",
        state=state,
        intended_at=at(sent),
        answered_at=at(sent + took),
        effect_until=at(sent + took),
        reason="",
    )


def story(*moves: Moved, writes: tuple[Written, ...] = (), drifts: tuple[Drifted, ...] = ()) -> History:
    """Return the history of a SKU on two channels that was counted at second 0."""
    lines = {
        (move.source, f"o{move.id}:1"): SoldLine(
            account=move.source,
            order_id=f"o{move.id}",
            number=f"#{move.id}",
            line_id="1",
            remote_id=f"at-{move.source}",
            sku="A",
            ordered_at=move.at,
        )
        for move in moves
        if move.committed
    }
    places = [
        Place(id=number, account=name, remote_id=f"at-{name}", sku="A", target=0, seen=0, seen_at=None)
        for number, name in ((SHOP, "shop"), (MALL, "mall"))
    ]
    return History(
        sku="A",
        opened_at=at(0),
        before=(0, 0, 0),
        movements=moves,
        cut=False,
        sold=lines,
        listings=tuple(places),
        writes=writes,
        writes_since=None,
        suspects=(),
        drifts=drifts,
        oversold_at=None,
        oversell_over_at=None,
    )


OPENING = moved(1, "opening", 0, 0, on_hand=3)
FOREIGN = Drifted(
    id=1, account="mall", listing_id=MALL, seen=2, expected_low=0, expected_high=0, state="enforced", at=at(90)
)
CASES: dict[str, tuple[History, str, list[str], dict[str, int]]] = {
    "orders crossed before the first was heard of": (
        story(OPENING, sold(2, "shop", 2, 100, 130), sold(3, "mall", 2, 110, 140)),
        "lag",
        ["#2"],
        {"mall": 2},
    ),
    "orders crossed before the write was in effect": (
        story(
            OPENING,
            sold(2, "shop", 2, 100, 101),
            sold(3, "mall", 2, 110, 140),
            writes=(written(1, MALL, 1, 101, "accepted", 60),),
        ),
        "lag",
        ["#2"],
        {"mall": 2},
    ),
    "a slow channel is a lag too": (
        story(
            OPENING,
            sold(2, "shop", 3, 100, 101),
            sold(3, "mall", 1, 500, 510),
            writes=(written(1, MALL, 0, 101, "accepted", 900),),
        ),
        "lag",
        ["#2"],
        {"mall": 3},
    ),
    "a write that was refused": (
        story(
            OPENING,
            sold(2, "shop", 2, 100, 101),
            sold(3, "mall", 2, 300, 310),
            writes=(written(1, MALL, 1, 101, "rejected"),),
        ),
        "write",
        ["#2"],
        {},
    ),
    "nothing was written": (
        story(OPENING, sold(2, "shop", 2, 100, 101), sold(3, "mall", 2, 300, 310)),
        "not_written",
        ["#2"],
        {},
    ),
    "a count was wrong": (
        story(
            OPENING,
            sold(2, "shop", 1, 100, 101),
            sold(3, "mall", 2, 300, 310),
            moved(4, "count", 400, 400, on_hand=-1),
            writes=(written(1, MALL, 2, 101),),
        ),
        "count",
        [],
        {},
    ),
    "somebody else wrote": (
        story(
            OPENING,
            sold(2, "shop", 3, 20, 21),
            sold(3, "mall", 1, 100, 101),
            writes=(written(1, MALL, 0, 21),),
            drifts=(FOREIGN,),
        ),
        "drift",
        [],
        {},
    ),
    "given back twice": (
        story(
            replace(OPENING, on_hand=1),
            sold(2, "mall", 2, 5, 6),
            replace(moved(3, "release", 10, 10, committed=-2), source="mall", reference="o2:1:release:2@2"),
            sold(4, "shop", 1, 20, 21),
            sold(5, "mall", 1, 100, 101),
            writes=(written(1, MALL, 0, 21),),
            drifts=(FOREIGN,),
        ),
        "restore",
        [],
        {},
    ),
    "nothing explains it": (
        story(
            OPENING,
            sold(2, "shop", 3, 20, 21),
            sold(3, "mall", 1, 100, 101),
            writes=(written(1, MALL, 0, 21),),
        ),
        "unknown",
        [],
        {},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_cause_is_found(name: str) -> None:
    """Each kind of oversell is told by its cause, with the orders that crossed and the safety stock that helps."""
    history, cause, crossed, stock = CASES[name]
    found = incidents(history)
    loser = found[-1].losers[0]
    assert (loser.cause, loser.sale.account) == (cause, "mall")
    assert [one.sale.line.number for one in loser.crossed if one.sale.line is not None] == crossed
    assert smallest_safety_stock(found[-1:]) == stock


def refused(stock: int, *, left: int, unheard: int, wanted: int) -> bool:
    """Say whether a channel that keeps so much back refuses an order that would be oversold."""
    return max(0, left + unheard - stock) < wanted


@pytest.mark.parametrize(("first", "second"), [(a, b) for a in range(1, 4) for b in range(1, 4) if a + b > 3])
def test_the_safety_stock_is_the_smallest(first: int, second: int) -> None:
    """The safety stock that is told would have refused the order, and one unit less would not."""
    found = incidents(story(OPENING, sold(2, "shop", first, 100, 130), sold(3, "mall", second, 110, 140)))
    stock = smallest_safety_stock(found)["mall"]
    given = {"left": 3 - first, "unheard": first, "wanted": second}
    assert refused(stock, **given)
    assert not refused(stock - 1, **given)


def test_what_is_decided_together_counts_together() -> None:
    """A suspect sale that gives way to its order is no incident, and its hold is when the sale was known."""
    hold = replace(moved(2, "hold", 105, 105, held=2), source="shop", reference="suspect:7")
    unhold = replace(moved(4, "unhold", 130, 130, held=-2), source="shop", reference="suspect:7:0")
    history = story(OPENING, hold, sold(3, "shop", 2, 100, 130), unhold)
    assert incidents(history) == []
    (first,) = incidents(story(OPENING, hold, sold(3, "shop", 2, 100, 130), unhold, sold(5, "mall", 2, 104, 140)))
    assert [one.sale.known_at for one in first.losers[0].crossed] == [at(105)]
    assert (first.began_at, first.short) == (at(140), 1)


def test_before_the_first_count_nothing_is_oversold() -> None:
    """Orders before the opening count are no incident, and an incident ends with the delivery that covers it."""
    early = sold(1, "shop", 2, -50, -40)
    assert incidents(story(early, moved(2, "opening", 0, 0, on_hand=3))) == []
    (found,) = incidents(story(OPENING, sold(2, "shop", 5, 9, 10), moved(3, "receive", 50, 50, on_hand=2)))
    assert (found.began_at, found.ended_at, found.short) == (at(10), at(50), 2)
    assert found.losers[0].lost == 2


def test_the_latest_orders_lose() -> None:
    """The units that are missing are missing to the orders that were placed last, whenever they were heard of."""
    late, last = sold(3, "mall", 2, 110, 200), sold(2, "shop", 2, 120, 130)
    (found,) = incidents(story(OPENING, last, late, sold(4, "shop", 1, 90, 210)))
    assert [(loser.sale.key[1], loser.lost) for loser in found.losers] == [("o2:1", 2)]


def test_the_timeline_is_in_order_and_says_what_it_lacks() -> None:
    """Entries come in the order in which they were known, with what was available after each; gaps are named."""
    history, *_ = CASES["a write that was refused"]
    told = postmortem(replace(history, writes_since=at(200), cut=True))
    assert [(entry.what, entry.available) for entry in told.entries] == [
        ("opening", 3),
        ("commit", 1),
        ("write", None),
        ("commit", -1),
    ]
    assert [entry.lag_s for entry in told.entries] == [None, 1.0, None, 10.0]
    assert set(told.missing) == {"readings", "writes", "movements"}
    assert told.advice is not None
    assert told.advice.writes
    assert told.advice.safety_stock == {}
    assert postmortem(history, account="shop").incidents == ()
    assert len(postmortem(history, since=at(250)).entries) == 1


# --- by the API -------------------------------------------------------------------------------------------------


async def sell_too_much(rig: Rig) -> None:
    await rig.know("A", "B", KIT={"A": 2})
    await rig.catalogue("shop", ("s1", "A"), ("s2", "KIT"))
    await rig.catalogue("mall", ("m1", "A"))
    await rig.count(A=3, B=1)
    rig.clock.instant += 100 * SECOND_US
    await rig.order("shop", "S-1", ("s2", "KIT", 1))
    await rig.order("mall", "M-1", ("m1", "A", 2), ordered_at=rig.clock.instant + 5 * SECOND_US)
    rig.clock.instant += 60 * SECOND_US


async def test_an_oversell_is_told_by_sku_and_by_order(rig: Rig, api: Api) -> None:
    """A SKU, a kit that holds it, and an order by number or id lead to the same incident."""
    await sell_too_much(rig)
    _, of_sku = await api.get("/postmortem/A")
    (incident,) = of_sku["skus"][0]["incidents"]
    (loser,) = incident["losers"]
    assert (loser["order"], loser["units"], loser["lost"], loser["left"], loser["cause"]) == ("M-1", 2, 1, 1, "lag")
    assert [(one["order"], one["units"]) for one in loser["crossed"]] == [("S-1", 2)]
    assert of_sku["skus"][0]["advice"]["safety_stock"] == {"mall": 2}
    assert [row["listing"] for row in of_sku["skus"][0]["listings"]] == ["m1", "s1", "s2"]
    sale = next(entry for entry in of_sku["skus"][0]["entries"] if entry["what"] == "commit")
    assert (sale["account"], sale["order"], sale["detail"], sale["units"]) == ("shop", "S-1", "KIT", -2)
    assert (await api.get("/postmortem/KIT"))[1]["skus"] == of_sku["skus"]
    for name in ("M-1", "o-M-1", "S-1"):
        _, told = await api.get(f"/postmortem/{name}")
        assert told["skus"] == of_sku["skus"]
        assert told["order"].endswith(name[-3:])
    calm = (await api.get("/postmortem/B"))[1]["skus"][0]
    assert (calm["incidents"], calm["advice"], calm["available"]) == ([], None, 1)


async def test_what_is_not_there_has_no_post_mortem(rig: Rig, api: Api) -> None:
    """An unknown name, an unknown account and an ambiguous order number are refused with a reason."""
    await sell_too_much(rig)
    await rig.order("shop", "M-1", ("s1", "A", 1), order_id="other")
    assert (await api.get("/postmortem/NOTHING"))[0] == 404
    assert (await api.get("/postmortem/A", account="nowhere"))[0] == 404
    status, told = await api.get("/postmortem/M-1")
    assert (status, "mall/o-M-1" in told["error"]["message"]) == (409, True)
    assert (await api.get("/postmortem/M-1", account="mall"))[1]["order"] == "mall/o-M-1"
    assert (await api.get("/postmortem/A", since="yesterday"))[0] == 400


async def test_a_write_is_in_the_timeline(rig: Rig, api: Api) -> None:
    """A write is told with its number and its end, and older ones that are gone are named as missing."""
    await sell_too_much(rig)
    await send(rig, "k1", OutcomeKind.ACCEPTED)
    entries = (await api.get("/postmortem/A"))[1]["skus"][0]["entries"]
    assert [(x["listing"], x["quantity"], x["state"]) for x in entries if x["what"] == "write"] == [
        ("m1", 0, "accepted")
    ]
    assert (await api.get("/postmortem/A"))[1]["skus"][0]["missing"] == ["readings"]
    await send(rig, "k2", OutcomeKind.APPLIED)
    await rig.plant.store.write(lambda conn: conn.execute(text('DELETE FROM "write" WHERE id = 1')))
    assert (await api.get("/postmortem/A"))[1]["skus"][0]["missing"] == ["readings", "writes"]


async def test_writes_that_were_sent_again_are_counted(rig: Rig) -> None:
    """An accepted write whose number is sent again, with no unit moved in between, had not taken effect."""
    await sell_too_much(rig)
    await send(rig, "k1", OutcomeKind.ACCEPTED)
    assert await rig.plant.store.read(resent_writes) == {}
    rig.clock.instant += 10 * SECOND_US
    await send(rig, "k2", OutcomeKind.ACCEPTED)
    assert await rig.plant.store.read(resent_writes) == {"mall": 1}
    rig.clock.instant += 10 * SECOND_US
    await rig.order("shop", "S-2", ("s1", "A", 1))
    rig.clock.instant += 10 * SECOND_US
    await send(rig, "k3", OutcomeKind.APPLIED)
    await send(rig, "k4", OutcomeKind.APPLIED)
    assert await rig.plant.store.read(resent_writes) == {"mall": 1}


async def send(rig: Rig, key: str, kind: OutcomeKind) -> None:
    """Send zero to the listing of the mall; it ends so."""
    now = rig.clock.instant
    await rig.plant.store.write(lambda conn: _intend(conn, key, now))
    rig.clock.instant = now + SECOND_US
    outcome = Outcome(key=key, kind=kind)
    fact = OutcomeFact(account=AccountId("mall"), sent_at=now, answered_at=now + SECOND_US, outcomes=(outcome,))
    assert await rig.tell(fact) is None


def _mall(conn: Connection) -> listings.Listing:
    return listings.by_remote(conn, AccountId("mall"), ["m1"])[0]


def _intend(conn: Connection, key: str, now: int) -> None:
    intent = Intent(
        listing_id=_mall(conn).id,
        account=AccountId("mall"),
        key=key,
        mode="absolute",
        quantity=0,
        expected=None,
        delta=None,
        target=0,
        lane=Lane.ZERO,
        intended_at=now,
        effect_until=now + 60 * SECOND_US,
    )
    writes.add_intents(conn, [intent])
