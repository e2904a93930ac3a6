"""The shop's own past under another rule, by the API and on the command line."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable

import pytest

from syncd.core.facts import PolicyFact, PolicyRow
from syncd.core.terms import SECOND_US, Sku
from syncd.store import views_past
from syncd.web import api_whatif
from tests.web.conftest import Api
from tests.web.rig import Rig


async def trade(rig: Rig) -> None:
    """Sell three of three units on one channel, and two of them again on the other before it can know."""
    await rig.know("A")
    await rig.catalogue("shop", ("s1", "A"))
    await rig.catalogue("mall", ("m1", "A"))
    await rig.count(A=3)
    rig.clock.instant += 100 * SECOND_US
    await rig.order("shop", "S-1", ("s1", "A", 3))
    await rig.order("mall", "M-1", ("m1", "A", 2), ordered_at=rig.clock.instant + SECOND_US)
    rig.clock.instant += 60 * SECOND_US


@pytest.mark.parametrize("size", [1, 20_000])
async def test_another_rule_is_tried_on_the_past(
    rig: Rig, api: Api, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """The pool oversells what crossed, a buffer would have refused it; slices change nothing."""
    monkeypatch.setattr(views_past, "SLICE", size)
    await trade(rig)
    status, told = await api.get("/whatif?days=3&policy=fixed%202")
    assert (status, told["orders"], told["cut"]) == (200, 2, False)
    names = ("demand", "sold", "oversold", "hidden")
    assert [told["other"][name] for name in names] == [5, 0, 0, 5]
    assert told["present"]["demand"] == 5
    _, pool = await api.get("/whatif?days=3&policy=pool")
    assert [pool["other"][name] for name in names] == [5, 3, 2, 0]
    assert pool["other"]["oversold_rate"] == 0.4
    assert {lag["account"] for lag in told["lags"]} == set(rig.plant.roster)


async def test_a_policy_of_a_sku_is_part_of_the_present_rule(rig: Rig, api: Api) -> None:
    """A safety stock that was set for a SKU counts in the rule in force."""
    await trade(rig)
    rows = (PolicyRow(sku=Sku("A"), safety_stock=2),)
    assert await rig.tell(PolicyFact(rows=rows)) is None
    _, told = await api.get("/whatif?policy=pool")
    assert (told["present"]["oversold"], told["other"]["oversold"]) == (0, 2)


@pytest.mark.parametrize("query", ["policy=magic", "policy=batch%201e-300", "days=0", "days=367"])
async def test_what_is_no_rule_is_refused(rig: Rig, api: Api, query: str) -> None:
    """A rule that is none, or days that cannot be, are refused with what there is."""
    status, _ = await api.get(f"/whatif?{query}")
    assert status == 400


async def test_an_empty_past_has_nothing_to_tell(rig: Rig, api: Api) -> None:
    """A shop that sold nothing yet gets noughts, not an error."""
    status, told = await api.get("/whatif?policy=even")
    assert (status, told["present"]["demand"], told["other"]["oversold_rate"]) == (200, 0, 0.0)


async def test_the_present_rule_is_told_with_what_is_left_out(rig: Rig, api: Api) -> None:
    """The channel of priority sold what it really sold; seasons are named as left out."""
    await trade(rig)
    now = rig.clock.now()
    rows = (PolicyRow(sku=Sku("A"), priority="shop", priority_units=3),)
    assert await rig.tell(PolicyFact(rows=rows)) is None
    _, told = await api.get("/whatif?policy=pool")
    assert (told["present"]["sold"], told["present"]["oversold"], told["left_out"]) == (3, 0, [])
    rows = (PolicyRow(sku=Sku("A"), cap=1, season="s", since=now - SECOND_US, until=now + SECOND_US),)
    assert await rig.tell(PolicyFact(rows=rows)) is None
    _, told = await api.get("/whatif?policy=pool")
    assert told["left_out"] == ["seasons"]


async def test_a_replay_that_takes_too_long_ends(rig: Rig, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks is told so, and the thread that replays does not go on."""
    went_on = threading.Event()

    def replayed(*_: object, stopped: Callable[[], bool], **__: object) -> None:
        while not stopped():
            time.sleep(0.001)
        went_on.set()

    monkeypatch.setattr(api_whatif, "compare", replayed)
    monkeypatch.setattr(api_whatif, "WITHIN_S", 0.05)
    status, told = await api.get("/whatif?policy=pool")
    assert (status, "fewer days" in told["error"]["message"]) == (503, True)
    async with asyncio.timeout(5):
        while not went_on.is_set():
            await asyncio.sleep(0.01)
