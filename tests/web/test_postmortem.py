"""What a history says of an oversell: the moment, the orders, the cause, and what would have prevented it."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection, text

from syncd.core.facts import OutcomeFact, PolicyFact, PolicyRow
from syncd.core.plan import Lane
from syncd.core.terms import SECOND_US, AccountId, Outcome, OutcomeKind, Sku
from syncd.store import accounts, listings
from syncd.store import history as writes
from syncd.store.history import Intent
from syncd.store.views_history import resent_writes
from syncd.web.postmortem import postmortem
from tests.core.pasts import CASES, at
from tests.web.conftest import Api
from tests.web.rig import Rig


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
    assert told.advice.safety_stock == ()
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


async def test_the_rule_in_force_and_brakes_are_told(rig: Rig, api: Api) -> None:
    """Each channel's rule for the SKU is told, with rows of the SKU, and what the brake held in that time."""
    await sell_too_much(rig)
    assert await rig.tell(PolicyFact(rows=(PolicyRow(sku=Sku("A"), safety_stock=2),))) is None
    values = {"inbox_id": 1, "cause": "count from test", "to_zero": 30, "raised": 0, "listings": 40}
    await rig.plant.store.write(lambda conn: accounts.hold(conn, {**values, "at": rig.clock.instant}))
    _, told = await api.get("/postmortem/A")
    rules = told["skus"][0]["rules"]
    assert {(rule["account"], rule["safety_stock"]) for rule in rules} == {("shop", 2), ("mall", 2)}
    assert {(rule["exposure"], rule["loss"]) for rule in rules} == {("pool", 300)}
    (brake,) = (entry for entry in told["skus"][0]["entries"] if entry["what"] == "brake")
    assert (brake["state"], brake["detail"]) == ("held", "count from test: 30 to zero, 0 raised")
    assert brake["units"] is None


async def test_an_oversell_is_told_by_sku_and_by_order(rig: Rig, api: Api) -> None:
    """A SKU, a kit that holds it, and an order by number or id lead to the same incident."""
    await sell_too_much(rig)
    _, of_sku = await api.get("/postmortem/A")
    (incident,) = of_sku["skus"][0]["incidents"]
    (loser,) = incident["losers"]
    assert (loser["order"], loser["units"], loser["lost"], loser["left"], loser["cause"]) == ("M-1", 2, 1, 1, "lag")
    assert [(one["order"], one["units"]) for one in loser["crossed"]] == [("S-1", 2)]
    assert of_sku["skus"][0]["advice"]["safety_stock"] == [{"account": "mall", "sku": "A", "units": 2}]
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


async def test_the_advice_for_a_kit_is_of_the_kit(rig: Rig, api: Api) -> None:
    """An order of kits that lost is advised against by the kit's own safety stock, which its listing obeys."""
    await rig.know("A", KIT={"A": 2})
    await rig.catalogue("shop", ("s1", "A"))
    await rig.catalogue("mall", ("m2", "KIT"))
    await rig.count(A=4)
    rig.clock.instant += 100 * SECOND_US
    await rig.order("shop", "S-1", ("s1", "A", 3), ordered_at=rig.clock.instant)
    await rig.order("mall", "M-1", ("m2", "KIT", 2), ordered_at=rig.clock.instant + SECOND_US)
    _, told = await api.get("/postmortem/A")
    assert told["skus"][0]["advice"]["safety_stock"] == [{"account": "mall", "sku": "KIT", "units": 1}]


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
