"""Every question of the API on SQLite and on PostgreSQL: the same shop, the same answers."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from syncd.core.terms import PaymentStatus
from syncd.web.api import control_app, control_socket
from tests.real_servers import Missing, Postgres, postgres, skip_or_fail
from tests.web.conftest import Api
from tests.web.rig import Rig, running, served, settings_of


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    try:
        with postgres() as found:
            yield found
    except Missing as missing:
        skip_or_fail(missing)


@pytest.fixture
def postgres_url(server: Postgres) -> Iterator[str]:
    with server.database(f"syncd_{secrets.token_hex(6)}") as url:
        yield url


@pytest.fixture(params=["", pytest.param("postgres", marks=pytest.mark.real)], ids=["sqlite", "postgres"])
async def shop(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[Rig, Api]]:
    """Give a shop whose store is one or the other."""
    settings = settings_of(tmp_path, ["shop", "mall"])
    if request.param:
        url = str(request.getfixturevalue("postgres_url"))
        settings = replace(settings, daemon=replace(settings.daemon, database_url=url))
    async with running(tmp_path, settings=settings) as rig:
        path = rig.plant.settings.daemon.socket_path
        connector = aiohttp.UnixConnector(str(path))
        app, sock = control_app(rig.plant), control_socket(path)
        async with served(app, sock=sock), aiohttp.ClientSession(connector=connector) as session:
            yield rig, Api(session, "http://syncd")


async def fill(rig: Rig, api: Api) -> None:
    """Let something of everything be there."""
    await rig.know("A", "B%", "棚", KIT={"A": 2})
    await rig.catalogue("shop", ("r1", "A"), ("r2", "B%"), ("r3", ""), ("r4", "KIT"))
    await rig.catalogue("mall", ("m1", "a"), ("m2", "A"))
    await rig.see("shop", r1=3, r2=1)
    await rig.count(A=5, **{"B%": 0})
    for name in ("shop", "mall"):
        await api.post(f"/accounts/{name}/go", {})
    await api.post("/policy", {"rows": [{"sku": "A", "safety_stock": 1}]})
    await rig.order("shop", "S-1", ("r1", "A", 2), payment=PaymentStatus.PAID)
    await rig.order("shop", "S-2", ("r2", "B%", 1), ("r4", "KIT", 1))
    await rig.order("mall", "M-1", ("m9", "ZZ", 1))
    rig.clock.instant += 60_000_000
    await rig.see("shop", r1=9)


async def rows(api: Api, path: str, key: str, **query: str) -> list[Any]:
    status, found = await api.get(path, **query)
    assert status == 200, found
    return [row[key] for row in found["rows"]]


async def test_questions_have_the_same_answers(shop: tuple[Rig, Api]) -> None:
    """Pages, filters, sums, plans and proofs answer alike whatever the store is."""
    rig, api = shop
    await fill(rig, api)
    assert sorted(await rows(api, "/stock", "sku")) == ["A", "B%", "KIT", "a", "棚"]
    assert await rows(api, "/stock", "sku", prefix="B") == ["B%"]
    assert await rows(api, "/stock", "sku", text="%") == ["B%"]
    assert await rows(api, "/skus", "components", text="kit") == [[{"sku": "A", "quantity": 2}]]
    found = (await api.get("/stock/A"))[1]
    assert (found["stock"]["available"], found["part_of"], len(found["movements"])) == (1, ["KIT"], 3)
    assert await rows(api, "/listings", "remote_id", unmapped="true") == ["r3"]
    assert await rows(api, "/listings", "remote_id", held="true") == ["r1"]
    assert await rows(api, "/listings/matches", "sku", apply="case") == ["A"]
    assert await rows(api, "/orders", "number", status="open") == ["M-1", "S-2", "S-1"]
    assert await rows(api, "/orders", "number", delayed="true") == ["S-2"]
    assert await rows(api, "/orders", "number", status="paid", text="s-") == ["S-1"]
    assert await rows(api, "/drift", "seen") == [9]
    assert (await api.get("/brake"))[1] == {"rows": []}
    assert (await api.get("/orders/shop/o-S-2"))[1]["order"]["units"] == 2
    assert (await api.get("/ledger/verify"))[1]["ok"] is True
    release = (await api.get("/accounts/shop/go"))[1]
    assert (release["listings"], release["unmapped"], release["falls"]) == (4, 1, 2)
    plan = (await api.get("/adopt", believe="shop"))[1]
    assert plan["origins"] == {"opened": 2, "none": 2, "kit": 1}


async def test_sums_are_the_same(shop: tuple[Rig, Api]) -> None:
    """The status and the metrics sum up alike whatever the store is."""
    rig, api = shop
    await fill(rig, api)
    told = (await api.get("/status"))[1]
    assert (told["oversold_units"], told["quarantine"]) == (1, 1)
    account = next(row for row in told["accounts"] if row["name"] == "shop")
    assert (account["drift_pending"], account["listings"]["held"], account["listings"]["listings"]) == (1, 1, 4)
    async with api.session.get("http://syncd/metrics") as answer:
        text = await answer.text()
    assert 'syncd_drift{account="shop",state="pending"} 1' in text
    assert "syncd_oversold_units 1" in text
