"""`syncd why` and `syncd postmortem` on the command line and over the network."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

import aiohttp
import pytest

from syncd.core.facts import AccountFact, AccountState, PolicyFact, PolicyRow
from syncd.core.terms import SECOND_US, AccountId, Sku
from syncd.engine.why import explain
from syncd.web.api import control_app, control_socket, public_app
from tests.cli.conftest import Shell
from tests.web.rig import TOKEN, Rig, running, served


@pytest.fixture
async def told(shell: Shell) -> AsyncIterator[Rig]:
    """Give a daemon with its explanations on the socket of the shell's settings."""
    async with running(shell.folder) as made:
        app = control_app(made.plant, explain=partial(explain, made.plant))
        async with served(app, sock=control_socket(made.plant.settings.daemon.socket_path)):
            yield made


async def fill(rig: Rig) -> None:
    """Sell A and a kit of it on two channels, two units too many."""
    await rig.know("A", KIT={"A": 2})
    await rig.catalogue("shop", ("s1", "A"), ("s2", "KIT"))
    await rig.catalogue("mall", ("m1", "A"))
    await rig.see("shop", s1=9, s2=4)
    await rig.count(A=9)
    await rig.tell(AccountFact(account=AccountId("shop"), state=AccountState.LIVE))
    await rig.tell(AccountFact(account=AccountId("mall"), state=AccountState.PAUSED, reason="holiday"))
    row = PolicyRow(sku=Sku("A"), account=AccountId("shop"), safety_stock=2)
    await rig.tell(PolicyFact(rows=(row,), forced=True))


async def oversell(rig: Rig) -> None:
    """Let two orders cross."""
    rig.clock.instant += 100 * SECOND_US
    await rig.order("shop", "S-1", ("s2", "KIT", 4))
    await rig.order("mall", "M-1", ("m1", "A", 2), ordered_at=rig.clock.instant + 5 * SECOND_US)
    rig.clock.instant += 60 * SECOND_US


async def test_each_step_to_a_number_is_told(told: Rig, shell: Shell) -> None:
    """The way from the shelf to the target is told in words, with where each value comes from and what is next."""
    await fill(told)
    ended = await shell.run("why", "A")
    assert ended.code == 0, ended
    assert "A: 9 available." in ended.out
    assert "shop s1: should show 7, is believed to show 9" in ended.out
    assert "target: 9 available at main - 2 kept back = 7" in ended.out
    assert "safety stock 2 (this SKU on this channel), 0 % kept back (settings), cap - (settings)" in ended.out
    assert "next: write 7 now; due 20" in ended.out
    assert "! its channel is paused: holiday" in ended.out
    assert "m1: should show 9, is believed to show ?" in ended.out
    assert "mall m1" not in (await shell.run("why", "A", "--channel", "shop")).out
    kit = (await shell.run("why", "KIT")).out
    assert "2 x A" in kit
    assert "shop s2: should show 4, is believed to show 4" in kit


async def test_an_explanation_is_json_on_request(told: Rig, shell: Shell) -> None:
    """With --json the explanation is one value, with the stored target and the steps to it."""
    await fill(told)
    found = await shell.json("why", "A", "--channel", "shop")
    (one,) = found["listings"]
    assert (one["target"], one["lane"], one["renewing"]) == (7, "fall", False)
    assert {name: one["aim"][name] for name in ("available", "kept_back", "capped", "elsewhere")} == {
        "available": 9,
        "kept_back": 2,
        "capped": 0,
        "elsewhere": 0,
    }
    ended = await shell.run("why", "NO", "--json")
    assert (ended.code, ended.json["error"]["message"]) == (1, "unknown SKU: NO")
    assert (await shell.run("why", "A", "--channel", "nowhere")).code == 1


async def test_an_oversell_is_told_for_people(told: Rig, shell: Shell) -> None:
    """The timeline marks what is below zero, names the order that lost, its cause, and the setting that helps."""
    await fill(told)
    assert "A was never oversold in this time." in (await shell.run("postmortem", "A")).out
    await oversell(told)
    out = (await shell.run("postmortem", "A")).out
    assert "-1 !" in out
    assert "mall M-1 lacks 1 of its 2" in out
    assert "cause: the orders crossed" in out
    assert "shop S-1 had sold 8" in out
    assert "`syncd policy set A --channel mall --safety-stock 8`" in out
    assert "earlier readings are not kept" in out
    found = await shell.json("postmortem", "M-1", "--since", "2026-01-01T00:00:00+00:00")
    assert found["order"] == "mall/o-M-1"
    assert found["skus"][0]["advice"]["safety_stock"] == [{"account": "mall", "sku": "A", "units": 8}]


async def test_all_is_told_in_japanese(told: Rig, shell: Shell) -> None:
    """Both commands speak Japanese where the settings say so."""
    await fill(told)
    await oversell(told)
    shell.config.write_text('[daemon]\ndata_dir = "."\nlanguage = "ja"\n', encoding="utf-8")
    assert "安全在庫 2" in (await shell.run("why", "A")).out
    assert "注文の行き違い" in (await shell.run("postmortem", "A")).out


async def test_explanations_need_the_token(told: Rig) -> None:
    """Over the network both are answered with the token only, and without an explainer one is told so."""
    await fill(told)
    app = public_app(told.plant, explain=partial(explain, told.plant))
    async with served(app) as url, aiohttp.ClientSession() as session:
        for path in ("why/A", "postmortem/A"):
            async with session.get(f"{url}/api/v1/{path}") as answer:
                assert answer.status == 401
            async with session.get(f"{url}/api/v1/{path}", headers={"Authorization": f"Bearer {TOKEN}"}) as answer:
                assert answer.status == 200
    async with served(public_app(told.plant)) as url, aiohttp.ClientSession() as session:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with session.get(f"{url}/api/v1/why/A", headers=headers) as answer:
            assert answer.status == 501


async def test_another_rule_is_tried_for_people(told: Rig, shell: Shell) -> None:
    """Both rules stand side by side, with the lags that were taken; a rule that is none is refused."""
    await fill(told)
    await oversell(told)
    out = (await shell.run("whatif", "--days", "3", "--policy", "fixed 8")).out
    assert "present rule" in out
    assert "refused though in stock" in out
    assert "a sale is heard of within" in out
    found = await shell.json("whatif", "--policy", "fixed 8")
    assert found["present"]["demand"] == found["other"]["demand"] > 0
    assert (await shell.run("whatif", "--policy", "magic")).code == 1
