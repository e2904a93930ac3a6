"""Oversells that last become incidents, on SQLite and on PostgreSQL, and are told and closed by the API."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest
from sqlalchemy import Connection

from syncd.core.terms import SECOND_US
from syncd.core.tickets import DeskId, MessageKind, TicketId
from syncd.engine.incidents import HELD, IncidentWatch
from syncd.settings import Incidents
from syncd.store import changes, incidents, outbox, tickets, views_incidents, waiting
from syncd.store.changes import Change, ChangeState
from syncd.store.incidents import order_rows
from tests.real_servers import Missing, Postgres, postgres, skip_or_fail
from tests.web.conftest import Api
from tests.web.looking import looking
from tests.web.rig import Rig, running, settings_of


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
        yield rig


@pytest.fixture(params=["", pytest.param("postgres", marks=pytest.mark.real)], ids=["sqlite", "postgres"])
async def either(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rig]:
    """Give a shop whose store is one or the other."""
    settings = settings_of(tmp_path, ["shop", "mall"])
    if not request.param:
        async with running(tmp_path, settings=settings) as rig:
            yield rig
        return
    with request.getfixturevalue("server").database(f"syncd_{secrets.token_hex(6)}") as url:
        settings = replace(settings, daemon=replace(settings.daemon, database_url=url))
        async with running(tmp_path, settings=settings) as rig:
            yield rig


async def oversell(rig: Rig) -> None:
    """Sell the last units twice: a kit at the shop, then two at the mall."""
    await rig.know("A", "B", "C", KIT={"A": 2})
    await rig.catalogue("shop", ("s1", "A"), ("s2", "KIT"))
    await rig.catalogue("mall", ("m1", "A"))
    await rig.count(A=3, B=5, C=0)
    rig.clock.instant += 100 * SECOND_US
    await rig.order("shop", "S-1", ("s2", "KIT", 1))
    await rig.order("mall", "M-1", ("m1", "A", 2), ordered_at=rig.clock.instant + 5 * SECOND_US, amount="4200")
    rig.clock.instant += 300 * SECOND_US


def watch(rig: Rig, **changes: Any) -> IncidentWatch:
    rig.plant.settings = replace(rig.plant.settings, incidents=Incidents(**changes))
    rig.plant.house = replace(rig.plant.house, sinks=frozenset({"mqtt"}))
    return IncidentWatch(rig.plant)


async def found(rig: Rig) -> list[views_incidents.IncidentView]:
    return await rig.plant.store.read(views_incidents.incidents)


async def ticket_for(rig: Rig, order_id: str) -> int:
    """Let the customer of an order have an entry and a ticket."""
    now = rig.clock.instant

    def write(conn: Connection) -> int:
        orders = incidents.open_orders(conn, incidents.dips(conn, before=now, limit=9)[0].sku_id)
        mine = [order for order in orders if order.order_id == order_id]
        (row,) = order_rows(conn, mine)
        known = [entry.id for entry in waiting.of_orders(conn, [row]) if entry.closed_at is None]
        sku_id = incidents.dips(conn, before=now, limit=9)[0].sku_id
        values = {"source": "order", "key": f"{order_id}:1", "sku_id": sku_id, "quantity": 2, "order_row": row}
        values |= {"line_id": "1", "order_number": "M-1", "state": "pending", "since": now, "language": "en"}
        entry_id = known[0] if known else waiting.add_entry(conn, values)
        assert entry_id is not None
        ticket = {"desk": "local", "ticket_id": "L1", "entry_id": entry_id, "status": "open", "state": "pending"}
        ticket |= {"sku": "A", "quantity": 2, "order_number": "M-1", "language": "en", "reachable": True, "agent": ""}
        ticket |= {"version": None, "read_at": now, "asked_at": None, "replied_at": None, "created_at": now}
        tickets.save(conn, [ticket | {"follow_up_of": ""}])
        return tickets.by_remote(conn, DeskId("local"), [TicketId("L1")])[TicketId("L1")].id

    return await rig.plant.store.write(write)


async def apologies(rig: Rig, state: ChangeState) -> list[Change]:
    page = await rig.plant.store.read(lambda conn: changes.page(conn, states=[state]))
    return [change for change in page if change.message.startswith("oversold")]


async def test_an_oversell_that_lasts_becomes_one_incident(either: Rig) -> None:
    """After it lasted a while it is opened once, with its cause, who loses, the rule that helps, and an event."""
    await oversell(either)
    loop = watch(either)
    assert [await loop.step() for _ in range(3)] == [1, 0, 0]
    (view,) = await found(either)
    assert (view.sku, view.state, view.cause, view.short) == ("A", "lasting", "crossed", 1)
    assert [(one.account, one.order, one.lost, one.units, one.told) for one in view.losers] == [
        ("mall", "M-1", 1, 2, "untold")
    ]
    assert [(x.lesson, x.account, x.value, x.sku) for x in view.prevention] == [("safety_stock", "mall", 2, "A")]
    events = await either.plant.store.read(lambda conn: outbox.waiting(conn, "mqtt", after_id=0, limit=99))
    told = [msgspec.json.decode(event.body) for event in events if event.type == "incident"]
    assert told == [{"incident": view.id, "sku": "A", "cause": "crossed", "short": 1}]


async def test_what_settles_by_itself_is_none(shop: Rig) -> None:
    """Before it has lasted, or switched off, nothing is opened; what is covered meanwhile is never opened."""
    await oversell(shop)
    assert await watch(shop, settle_s=3_600.0).step() == 0
    assert await watch(shop, enabled=False).step() == 0
    await shop.count(A=9)
    assert await watch(shop).step() == 0
    assert await found(shop) == []


async def test_an_incident_is_covered_and_the_next_dip_is_another(either: Rig) -> None:
    """Units that come in cover an incident; when more is sold than there is again, that is a new one."""
    await oversell(either)
    loop = watch(either)
    await loop.step()
    either.clock.instant += SECOND_US
    await either.count(A=4)
    await loop.step()
    assert [(one.state, one.short) for one in await found(either)] == [("covered", 1)]
    either.clock.instant += SECOND_US
    await either.order("mall", "M-2", ("m1", "A", 2))
    either.clock.instant += 300 * SECOND_US
    assert await loop.step() == 1
    assert [one.state for one in await found(either)] == ["lasting", "covered"]


async def test_a_wrong_count_is_told_as_one(shop: Rig) -> None:
    """Units that a count did not find again are a matter of counting, for the customer and for the record."""
    await shop.know("A")
    await shop.catalogue("shop", ("s1", "A"))
    await shop.count(A=3)
    await shop.order("shop", "S-1", ("s1", "A", 3))
    shop.clock.instant += 600 * SECOND_US
    await shop.count(A=2)
    shop.clock.instant += 600 * SECOND_US
    assert await watch(shop).step() == 1
    (view,) = await found(shop)
    assert (view.cause, [one.lesson for one in view.prevention]) == ("count", ["count"])


@pytest.mark.parametrize(("automatic", "state"), [((), ChangeState.HELD), (("crossed",), ChangeState.WAITING)])
async def test_an_apology_waits_for_a_person_or_goes_by_rule(
    shop: Rig, automatic: tuple[Literal["crossed"], ...], state: ChangeState
) -> None:
    """The losing order's ticket gets one apology, whole, by its cause; without a rule for it it is held."""
    await oversell(shop)
    ticket = await ticket_for(shop, "o-M-1")
    await shop.plant.store.write(lambda conn: incidents.set_alternatives(conn, _offers(conn)))
    loop = watch(shop, automatic=automatic)
    assert [await loop.step(), await loop.step()] == [1, 0]
    (change,) = await apologies(shop, state)
    (view,) = await found(shop)
    assert (change.ticket_row, change.message, change.content.priority) == (ticket, "oversold_crossed", "high")
    assert change.content.values["alternatives"] == "- B (same size)"
    assert (change.content.values["quantity"], view.losers[0].told) == ("1", "sent" if automatic else "drafted")
    assert change.reason == ("" if automatic else HELD)
    letter = shop.plant.texts.letter(MessageKind(change.message), "en", change.content.values)  # type: ignore[arg-type]  # a StrEnum
    assert "M-1" in letter.body
    assert [(one.sku, one.available) for one in view.alternatives] == [("B", 5)]


async def test_who_has_no_ticket_is_a_task_for_an_agent(shop: Rig) -> None:
    """Without a ticket and an address the apology is a draft in a task at the shop's desk, whatever the rule says."""
    await oversell(shop)
    shop.plant.house = replace(shop.plant.house, waiting=replace(shop.plant.house.waiting, desk=DeskId("local")))
    assert await watch(shop, automatic=("crossed",)).step() == 1
    (change,) = await apologies(shop, ChangeState.WAITING)
    (view,) = await found(shop)
    assert (change.kind.value, change.desk, change.content.order_number) == ("create", "local", "M-1")
    assert [one.told for one in view.losers] == ["drafted"]


def _offers(conn: Connection) -> dict[Any, Any]:
    ids = {code: known.sku_id for code, known in incidents.ledger.skus_by_code(conn, ["A", "B", "C"]).items()}
    return {ids["A"]: [(ids["C"], "none there"), (ids["B"], "same size")]}  # type: ignore[index]  # plain texts


# --- by the API -------------------------------------------------------------------------------------------------


async def test_incidents_are_listed_shown_and_closed(rig: Rig, api: Api) -> None:
    """Incidents are found by state and SKU, one is told whole, and closing drops what waited for a person."""
    await oversell(rig)
    await ticket_for(rig, "o-M-1")
    await watch(rig).step()
    status, page = await api.get("/incidents", state="lasting", sku="A")
    number = page["rows"][0]["id"]
    assert (status, page["next"], [row["cause"] for row in page["rows"]]) == (200, None, ["crossed"])
    assert (await api.get(f"/incidents/{number}"))[1]["losers"][0]["told"] == "drafted"
    assert len(await apologies(rig, ChangeState.HELD)) == 1
    status, closed = await api.post(f"/incidents/{number}/close", {"reason": "called them", "actor": "mika"})
    assert (status, closed) == (200, {"closed": number})
    assert await apologies(rig, ChangeState.HELD) == []
    assert [one.reason for one in await apologies(rig, ChangeState.REFUSED)] == ["the incident was closed"]
    assert (await api.post(f"/incidents/{number}/close", {}))[0] == 404
    shown = (await api.get("/incidents", state="closed"))[1]["rows"][0]
    assert (shown["state"], shown["reason"], shown["actor"]) == ("closed", "called them", "mika")
    assert (await api.get("/incidents", state="open"))[1]["rows"] == []
    assert (await api.get(f"/incidents/{'9' * 30}"))[0] == 404
    assert (await api.get("/incidents", before=str(number)))[1]["rows"] == []


async def test_a_record_and_the_post_mortem_name_the_same_orders(rig: Rig, api: Api) -> None:
    """Who goes without is the record's word, by the shop's rule too; who took the units and is served is told apart."""
    await rig.know("A")
    await rig.catalogue("shop", ("s1", "A"))
    await rig.catalogue("mall", ("m1", "A"))
    await rig.count(A=4)
    rig.clock.instant += 100 * SECOND_US
    await rig.order("shop", "S-1", ("s1", "A", 2), amount="100")
    at = rig.clock.instant + 5 * SECOND_US
    await rig.order("mall", "M-1", ("m1", "A", 3), ordered_at=at, amount="900")
    rig.clock.instant += 600 * SECOND_US
    before = (await api.get("/postmortem/A"))[1]["skus"][0]["incidents"][0]
    assert ([one["order"] for one in before["losers"]], before["served"], before["record"]) == (["M-1"], [], None)
    assert await watch(rig, losers="smallest").step() == 1
    (view,) = await found(rig)
    (told,) = (await api.get("/postmortem/A"))[1]["skus"][0]["incidents"]
    assert told["record"] == view.id
    named = [(one.account, one.order_id, one.lost, one.units) for one in view.losers]
    assert [(one["account"], one["order_id"], one["lost"], one["units"]) for one in told["losers"]] == named
    assert [(one["order"], one["cause"]) for one in told["losers"]] == [("S-1", "chosen")]
    assert [(one["order"], one["cause"]) for one in told["served"]] == [("M-1", "lag")]
    for account in ("shop", "mall"):
        assert len((await api.get("/postmortem/A", account=account))[1]["skus"][0]["incidents"]) == 1
    async with looking(rig) as look:
        page = (await look.get("/incidents/A")).text
    assert page.count("goes without by the shop&#39;s rule") == 1
    assert "Took what was not there, and is served all the same" in page


async def test_orders_of_one_moment_lose_in_one_order(rig: Rig, api: Api) -> None:
    """Of orders that were placed at the same moment record and post-mortem both take the one that was heard of last."""
    await rig.know("A")
    await rig.count(A=3)
    for account, number in (("mall", "R-9"), ("shop", "A-1"), ("mall", "M-5")):
        await rig.order(account, number, ("x", "A", 2), ordered_at=rig.clock.instant)
    rig.clock.instant += 600 * SECOND_US
    assert await watch(rig).step() == 1
    (view,) = await found(rig)
    (told,) = (await api.get("/postmortem/A"))[1]["skus"][0]["incidents"]
    assert [(one.order, one.lost) for one in view.losers] == [("M-5", 2), ("A-1", 1)]
    assert [(one["order"], one["lost"], one["cause"]) for one in told["losers"]] == [
        ("M-5", 2, "lag"),
        ("A-1", 1, "lag"),
    ]
    assert told["served"] == []


async def test_a_record_keeps_what_is_known_of_its_orders(rig: Rig, api: Api) -> None:
    """An order that loses by its own doing is told with its cause, once, and nobody is served in its stead."""
    await oversell(rig)
    await watch(rig).step()
    (told,) = (await api.get("/postmortem/A"))[1]["skus"][0]["incidents"]
    assert [(one["order"], one["lost"], one["cause"]) for one in told["losers"]] == [("M-1", 1, "lag")]
    assert told["served"] == []


async def test_alternatives_are_set_anew_and_checked(rig: Rig, api: Api) -> None:
    """Rows replace what their SKUs had; unknown SKUs, a SKU instead of itself and repeats are told by number."""
    await rig.know("A", "B", "C")
    rows = [{"sku": "A", "alternative": "B", "note": "red"}, {"sku": "B", "alternative": "A"}]
    assert await api.post("/alternatives", {"rows": rows}) == (200, {"taken": 2})
    assert (await api.post("/alternatives", {"rows": [{"sku": "A", "alternative": "C"}]}))[0] == 200
    told = (await api.get("/alternatives"))[1]["rows"]
    assert [(row["sku"], row["alternative"]) for row in told] == [("A", "C"), ("B", "A")]
    assert (await api.get("/alternatives", sku="B"))[1]["rows"] == [{"sku": "B", "alternative": "A", "note": ""}]
    bad = [{"sku": "A", "alternative": "Z"}, {"sku": "A", "alternative": "A"}, *[{"sku": "B", "alternative": "C"}] * 2]
    status, answer = await api.post("/alternatives", {"rows": bad})
    assert (status, len(answer["error"]["problems"])) == (400, 3)
