"""How private sales stand, for people and programs, and never by which link they are bought."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import Connection

from syncd.core.offers import OfferState
from syncd.store import offers
from tests.web.conftest import Api
from tests.web.looking import Looker, looking
from tests.web.rig import Rig

LINK = "https://shop.example/invoices/secret"


@pytest.fixture
async def look(rig: Rig) -> AsyncIterator[Looker]:
    """Look at the pages of a rig."""
    async with looking(rig) as looker:
        yield looker


async def sell(rig: Rig, api: Api) -> None:
    """Let somebody wait who can buy in private."""
    await rig.know("TEA")
    await rig.catalogue("shop", ("r1", "TEA"))
    await rig.count(TEA=0)
    body = {"rows": [{"key": "a", "sku": "TEA", "account": "shop"}]}
    assert (await api.post("/waitlist", body))[0] == 200
    row = {"key": "k1", "account": "shop", "entry_id": 1, "event": "e1", "remote_id": "r1", "remote_location": ""}

    def plant(conn: Connection) -> None:
        offers.add(conn, [{**row, "units": 1, "created_at": rig.clock.instant}])
        offer = offers.by_keys(conn, ["k1"])["k1"]
        offer.state, offer.link, offer.reason = OfferState.OPEN, LINK, "it took a while"
        offer.until = rig.clock.instant + 3_600_000_000
        offers.save(conn, [offer])

    await rig.plant.store.write(plant)


async def test_programs_see_how_it_stands(rig: Rig, api: Api) -> None:
    """An entry tells the state of its private sale and what went wrong with it."""
    await sell(rig, api)
    _, found = await api.get("/waitlist")
    assert [(row["offer"], row["offer_reason"]) for row in found["rows"]] == [("open", "it took a while")]
    _, one = await api.get("/waitlist/1")
    assert one["offer"] == "open"
    assert LINK not in str(found) + str(one)


async def test_people_see_how_it_stands(rig: Rig, api: Api, look: Looker) -> None:
    """The page of a line has the private sales that are not ended."""
    await rig.know("POT")
    assert "Private sales" not in (await look.get("/waiting/POT")).text
    await sell(rig, api)
    page = (await look.get("/waiting/TEA")).text
    assert "Private sales" in page
    assert "can be bought" in page
    assert LINK not in page
