"""Figures by the API: the same days as on the page, as JSON and as a file."""

from __future__ import annotations

from aiohttp.test_utils import TestClient, TestServer

from syncd.core.terms import AccountId
from syncd.store.figures import keep_hidden
from syncd.web.api import public_app
from tests.web.rig import START, TOKEN, Rig

WAITS = {"day": "2026-09-21", "began": 1, "ended": 0}
DAY = {"day": "2026-09-21", "account": "shop", "sold": 3, "cancelled": 0, "oversold": 1, "hidden_sales": 1.5}


async def test_figures_come_by_day_and_account(rig: Rig) -> None:
    """Sold, cancelled, oversold and hidden units stand in a row per day and account, in JSON and in the file."""
    await rig.know("A")
    await rig.count(A=2)
    await rig.order("shop", "1", ("s1", "A", 3))
    await rig.plant.store.write(lambda conn: keep_hidden(conn, START, {AccountId("shop"): 1.5}))
    head = {"Authorization": f"Bearer {TOKEN}"}
    async with TestClient(TestServer(public_app(rig.plant))) as client:
        async with client.get("/api/v1/figures?days=2", headers=head) as answer:
            assert answer.status == 200
            assert await answer.json() == {"rows": [DAY], "tickets": [WAITS], "hidden_now": {}}
        async with client.get("/api/v1/figures.csv", headers=head) as answer:
            assert answer.content_type == "text/csv"
            lines = (await answer.read()).decode("utf-8-sig").splitlines()
        assert lines == [",".join(DAY), ",".join(str(value) for value in DAY.values())]
        async with client.get("/api/v1/figures?days=0", headers=head) as answer:
            assert answer.status == 400
        async with client.get("/api/v1/figures.csv") as answer:
            assert answer.status == 401
