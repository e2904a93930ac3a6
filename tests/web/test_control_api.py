"""A person's word by the API: accounts, drift, the brake, alerts; and the status of it all."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from syncd.core.brake import BrakeRule
from syncd.core.facts import AccountState
from syncd.core.terms import AccountId
from syncd.sdk.errors import TransientError
from syncd.sdk.secret import Secret
from syncd.store import accounts, outbox
from syncd.web.api import control_app, control_socket
from tests.web.conftest import Api
from tests.web.rig import Rig, running, served


async def state_of(rig: Rig, name: str) -> AccountState:
    return (await rig.plant.store.read(accounts.accounts))[AccountId(name)].state


async def sell(rig: Rig) -> None:
    """Bring one SKU with 5 units to a listing of the shop that shows 3."""
    await rig.know("A")
    await rig.catalogue("shop", ("r1", "A"), ("r2", ""))
    await rig.see("shop", r1=3)
    await rig.count(A=5)


async def test_an_account_is_released_and_paused(rig: Rig, api: Api) -> None:
    """What going live would write is told before; then it is live, and paused with its reason."""
    await sell(rig)
    status, told = await api.get("/accounts/shop/go")
    assert status == 200
    assert (told["changes"], told["raises"], told["falls"], told["unmapped"]) == (1, 1, 0, 1)
    assert await state_of(rig, "shop") is AccountState.NEW
    assert (await api.post("/accounts/shop/go", {"actor": "me"}))[0] == 200
    assert await state_of(rig, "shop") is AccountState.LIVE
    assert (await api.post("/accounts/shop/pause", {"reason": "stocktaking"}))[0] == 200
    found = (await rig.plant.store.read(accounts.accounts))[AccountId("shop")]
    assert (found.state, found.reason) == (AccountState.PAUSED, "stocktaking")
    assert (await api.post("/accounts/nobody/go", {}))[0] == 404


async def test_drift_waits_for_a_word(rig: Rig, api: Api) -> None:
    """A hand edit waits while the shop is new, and accepting it makes it the stock."""
    await sell(rig)
    await api.post("/accounts/shop/go", {})
    rig.clock.instant += 10_000_000
    await rig.see("shop", r1=9)
    _, found = await api.get("/drift")
    (row,) = found["rows"]
    assert (row["account"], row["remote_id"], row["sku"], row["seen"]) == ("shop", "r1", "A", 9)
    assert (await api.post("/drift/accept", {}))[0] == 400
    assert (await api.post("/drift/accept", {"ids": [row["id"] + 1]}))[0] == 409
    assert (await api.post("/drift/accept", {"all": True, "actor": "me"}))[0] == 200
    assert (await api.get("/drift"))[1] == {"rows": []}
    assert (await api.get("/stock/A"))[1]["stock"]["on_hand"] == 11


async def test_overwritten_drift_moves_nothing(rig: Rig, api: Api) -> None:
    """A hand edit that is overwritten leaves the stock as it is."""
    await sell(rig)
    await api.post("/accounts/shop/go", {})
    rig.clock.instant += 10_000_000
    await rig.see("shop", r1=9)
    (row,) = (await api.get("/drift"))[1]["rows"]
    assert (await api.post("/drift/overwrite", {"ids": [row["id"]]}))[0] == 200
    assert (await api.get("/stock/A"))[1]["stock"]["on_hand"] == 5


@pytest.fixture
async def braked(tmp_path: Path) -> AsyncIterator[tuple[Rig, Api]]:
    """Give a live shop whose brake holds whatever takes a single listing to zero."""
    async with running(tmp_path, rule=BrakeRule(share=0.1, minimum=1)) as rig:
        path = rig.plant.settings.daemon.socket_path
        connector = aiohttp.UnixConnector(str(path))
        app, sock = control_app(rig.plant), control_socket(path)
        async with served(app, sock=sock), aiohttp.ClientSession(connector=connector) as session:
            api = Api(session, "http://syncd")
            await sell(rig)
            await api.post("/accounts/shop/go", {})
            yield rig, api


async def test_the_brake_holds_and_a_person_releases(braked: tuple[Rig, Api]) -> None:
    """A count that empties the shop is held; a repeat says so again, and after the release that it was applied."""
    _, api = braked
    body = {"rows": [{"sku": "A", "quantity": 0}], "request_id": "count-1"}
    status, told = await api.post("/stock/count", body)
    assert (status, told["held"], told["applied"]) == (202, True, False)
    assert "syncd brake release" in told["reason"]
    assert (await api.post("/stock/count", body))[0] == 202
    (row,) = (await api.get("/brake"))[1]["rows"]
    assert (row["id"], row["to_zero"]) == (told["brake_id"], 1)
    assert (await api.post("/brake/release", {"ids": [row["id"]]}))[0] == 200
    status, again = await api.post("/stock/count", body)
    assert (status, again["applied"], again["duplicate"]) == (200, True, True)
    assert (await api.get("/stock/A"))[1]["stock"]["on_hand"] == 0


async def test_a_release_that_is_refused_says_so(braked: tuple[Rig, Api]) -> None:
    """What is released and cannot be applied any more is no success, and neither is a release of nothing."""
    _, api = braked
    assert (await api.post("/stock/count", {"rows": [{"sku": "A", "quantity": 0}]}))[1]["held"]
    await api.post("/skus", {"rows": [{"sku": "P"}]})
    await api.post("/stock/count", {"rows": [{"sku": "A", "quantity": 0}], "force": True})
    kit = {"rows": [{"sku": "A", "components": [{"sku": "P", "quantity": 1}]}], "force": True}
    assert (await api.post("/skus", kit))[0] == 200
    status, told = await api.post("/brake/release", {"all": True})
    assert (status, "a kit has no stock of its own" in told["error"]["message"]) == (409, True)
    status, told = await api.post("/brake/release", {"all": True})
    assert (status, told["error"]["message"]) == (409, "the brake holds nothing")


async def test_a_person_refuses_what_the_brake_holds(braked: tuple[Rig, Api]) -> None:
    """A held change that is refused takes no effect, and whoever repeats it is told."""
    _, api = braked
    body = {"rows": [{"sku": "A", "quantity": 0}], "request_id": "count-1"}
    await api.post("/stock/count", body)
    assert (await api.post("/brake/refuse", {"all": True}))[0] == 200
    status, told = await api.post("/stock/count", body)
    assert (status, "refused" in told["error"]["message"]) == (409, True)
    assert (await api.get("/stock/A"))[1]["stock"]["on_hand"] == 5


async def test_force_passes_the_brake(braked: tuple[Rig, Api]) -> None:
    """A count that says so passes the brake."""
    _, api = braked
    assert (await api.post("/stock/count", {"rows": [{"sku": "A", "quantity": 0}], "force": True}))[0] == 200


async def test_the_status_tells_how_it_stands(rig: Rig, api: Api) -> None:
    """One answer holds the daemon, each account with what waits there, and what needs a person."""
    await sell(rig)
    await api.post("/accounts/shop/go", {})
    await rig.order("shop", "1", ("r9", "ZZ", 1))
    rig.plant.roster[AccountId("mall")].pulse.failures = 2
    rig.plant.roster[AccountId("mall")].pulse.failed(TransientError("no answer"))
    status, told = await api.get("/status")
    assert status == 200
    daemon = told["daemon"]
    assert (daemon["epoch"], daemon["ready"], daemon["shadow"], daemon["uptime_s"]) == (7, True, False, 60.0)
    shop, mall = (next(row for row in told["accounts"] if row["name"] == name) for name in ("shop", "mall"))
    assert (shop["state"], shop["feed_age_s"], shop["down_since"]) == ("live", None, None)
    assert shop["waiting"] == {"raise": 1, "read": 1}
    assert (shop["listings"]["listings"], shop["listings"]["unmapped"]) == (2, 1)
    assert (mall["state"], mall["down_reason"]) == ("new", "TransientError: no answer")
    assert [alert["kind"] for alert in told["alerts"]] == ["quarantine"]
    assert told["quarantine"] == 1


async def test_a_test_of_the_alerts_needs_a_way(rig: Rig, api: Api) -> None:
    """Without mail or webhook a test alert is refused; with one it waits for its relay."""
    assert (await api.post("/alerts/test", {}))[0] == 409
    settings = rig.plant.settings
    told = replace(settings.alerts, webhook_url=Secret("https://hooks.example.org/x"))
    rig.plant.settings = replace(settings, alerts=told)
    status, answer = await api.post("/alerts/test", {})
    assert (status, answer) == (202, {"ways": ["webhook"]})
    (event,) = await rig.plant.store.read(lambda c: outbox.waiting(c, "alerts", after_id=0, limit=10))
    assert b"test" in event.body
