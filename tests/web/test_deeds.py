"""What is done on the pages: cancels, letters, tokens; and that programs can do and read all of it too."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from syncd.core.facts import AccountFact, AccountState
from syncd.core.terms import AccountId, Outcome, OutcomeKind
from syncd.sdk.errors import TransientError
from syncd.store import actions, api_tokens
from syncd.store.changes import ChangeState
from syncd.web.api import api_routes
from syncd.web.api_gate import TOKEN as TOKEN_SHAPE
from syncd.web.api_gate import digest_of
from syncd.web.pages.deeds import DEEDS
from syncd.web.pages.figures import Figures
from syncd.web.pages.frame import Frame
from syncd.web.pages.install import install_pages, pages_of
from syncd.web.status import Standings
from tests.web.looking import Looker, hidden, looking
from tests.web.rig import Quiet, Rig, running
from tests.web.test_errands_api import Able
from tests.web.test_incidents_api import apologies, found, oversell, ticket_for, watch

UNDONE = {("POST", "/login"), ("POST", "/logout")}
"""What a program does with its token."""


def test_programs_do_and_read_what_the_pages_do_and_show(rig: Rig) -> None:
    """Each deed and each page names the routes of the API for it, and nothing is changed in any other way."""
    routes = api_routes(Standings(rig.plant), None)
    known = {(method, path) for method, path, _ in routes}
    for deed in DEEDS.values():
        assert deed.api in known, deed.verb
    frame = Frame(rig.plant, chance=lambda size: b"x" * size)
    for page in pages_of(frame, None, Figures(frame)):
        assert page.api, page.name
        assert {("GET", path) for path in page.api} <= known, page.name
    app = web.Application()
    install_pages(app, rig.plant)
    changing = {
        (route.method, route.resource.canonical)
        for route in app.router.routes()
        if route.resource is not None and route.method not in {"GET", "HEAD"}
    }
    assert changing - UNDONE == {("POST", "/do/{verb}"), ("POST", "/tokens")}
    assert ("POST", "/tokens") in known


# --- orders ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def able() -> Able:
    return Able()


@pytest.fixture
async def shop(tmp_path: Path, able: Able) -> AsyncIterator[tuple[Rig, Looker]]:
    """Give pages of a channel that cancels orders and of one that does not, with an order on each."""
    async with running(tmp_path, channels={"shop": able, "mall": Quiet()}) as made:
        await made.know("A")
        await made.order("shop", "S/1", ("r1", "A", 2), ("r1", "A", 1))
        await made.order("mall", "M-1", ("x", "A", 1))
        for name in ("shop", "mall"):
            await made.tell(AccountFact(account=AccountId(name), state=AccountState.LIVE))
        async with looking(made) as look:
            yield made, look


CANCEL = "/do/order-cancel?account=shop&id=o-S%2F1"


async def test_an_order_is_cancelled_on_its_page(shop: tuple[Rig, Looker], able: Able) -> None:
    """The page of an order leads to a question; the answer cancels it once, and the same form sends nothing again."""
    rig, look = shop
    page = await look.get("/orders/shop/o-S/1")
    assert 'href="/do/order-cancel?account=shop&amp;id=o-S%2F1"' in page.text
    asked = await look.get(CANCEL)
    assert "It cannot be undone" in asked.text
    assert able.wishes == []
    fields = {**hidden(asked), "why": "out_of_stock", "line-1": "", "line-2": ""}
    for _ in range(2):
        done = await look.post(CANCEL, fields)
        assert done.url == "/orders/shop/o-S/1?said=order-cancel"
        assert "The channel has cancelled the order." in done.text
    (wish,) = able.wishes
    assert (wish.order_id, wish.reason.value, wish.lines) == ("o-S/1", "out_of_stock", ())
    stored = await rig.plant.store.read(lambda conn: actions.by_key(conn, wish.key))
    assert stored is not None
    assert (stored.state, stored.actor) == ("applied", "pages")


async def test_units_of_a_line_are_cancelled_on_the_page(shop: tuple[Rig, Looker], able: Able) -> None:
    """Units may be named by line; too many, no reason and a foreign form are refused, and nothing is sent."""
    _, look = shop
    too_many = await look.do(CANCEL, **{"why": "buyer", "line-1": "3"})
    assert (too_many.status, "2 units that can be cancelled" in too_many.text) == (400, True)
    assert (await look.do(CANCEL, why="mood")).status == 400
    assert (await look.post(CANCEL, {**hidden(await look.get(CANCEL)), "why": "buyer", "token": "x"})).status == 403
    assert able.wishes == []
    assert (await look.do(CANCEL, **{"why": "buyer", "line-1": "1", "line-2": "0"})).status == 200
    assert [(line.line_id, line.quantity) for line in able.wishes[0].lines] == [("1", 1)]


async def test_a_cancel_of_which_nobody_knows_is_told_so(shop: tuple[Rig, Looker], able: Able) -> None:
    """An unknown end and a refusal are told as what they are."""
    _, look = shop
    able.end = TransientError("timeout", sent=True)
    assert "Nobody knows" in (await look.do(CANCEL, why="buyer")).text
    able.end = Outcome(key="", kind=OutcomeKind.REJECTED, reason="it has shipped")
    refused = await look.do(CANCEL, why="buyer")
    assert (refused.status, "it has shipped" in refused.text) == (409, True)


async def test_what_cannot_be_cancelled_is_not_offered(shop: tuple[Rig, Looker]) -> None:
    """A channel without the feature, an unknown order and an unknown channel lead nowhere."""
    _, look = shop
    assert "order-cancel" not in (await look.get("/orders/mall/o-M-1")).text
    assert (await look.get("/do/order-cancel?account=mall&id=o-M-1")).status == 409
    assert (await look.get("/do/order-cancel?account=shop&id=none")).status == 404
    assert (await look.get("/do/order-cancel?account=none&id=o-S%2F1")).status == 404


# --- letters --------------------------------------------------------------------------------------------------------


async def test_an_apology_is_released_on_the_page(rig: Rig) -> None:
    """An apology that waits stands on Waiting; releasing it asks first, and sends it on its way once."""
    await oversell(rig)
    await ticket_for(rig, "o-M-1")
    await watch(rig).step()
    (held,) = await apologies(rig, ChangeState.HELD)
    async with looking(rig) as look:
        page = (await look.get("/waiting")).text
        assert f'id="letter-{held.id}"' in page
        assert "Apology: orders crossed" in page
        path = f"/do/letters-release?id={held.id}"
        asked = await look.get(path)
        assert "M-1" in asked.text
        assert [one.id for one in await apologies(rig, ChangeState.HELD)] == [held.id]
        for _ in range(2):
            done = await look.post(path, hidden(asked))
            assert (done.status, done.url) == (200, "/waiting?said=letters-release")
        assert [one.id for one in await apologies(rig, ChangeState.WAITING)] == [held.id]
        assert f'id="letter-{held.id}"' not in done.text
        assert (await look.get(path)).status == 404


async def test_all_apologies_of_an_incident_are_dropped_at_once(rig: Rig) -> None:
    """The page of an incident sends or drops all that waits of it."""
    await oversell(rig)
    await ticket_for(rig, "o-M-1")
    await watch(rig).step()
    (view,) = await found(rig)
    async with looking(rig) as look:
        page = (await look.get("/incidents/A")).text
        assert "Send the apologies (1)" in page
        link = re.search(r'href="(/do/letters-refuse\?event=[^"]+)"', page)
        assert link is not None
        done = await look.do(link[1])
        assert done.url == "/incidents?said=letters-refuse"
        assert [one.event for one in await apologies(rig, ChangeState.REFUSED)] == [view.event]
        assert "letters-refuse" not in (await look.get("/incidents/A")).text


# --- tokens ---------------------------------------------------------------------------------------------------------


async def test_a_token_is_made_and_revoked_on_the_page(rig: Rig) -> None:
    """A token is shown once, and only its hash is kept; its name is given once; revoked, it opens nothing."""
    async with looking(rig) as look:
        fields = {**hidden(await look.get("/tokens")), "name": "till", "scope": "operate"}
        made = await look.post("/tokens", fields)
        assert made.status == 201
        (token,) = re.findall(r'value="(syncd_[^"]+)"', made.text)
        assert TOKEN_SHAPE.fullmatch(token)
        (kept,) = await rig.plant.store.read(api_tokens.all_of_them)
        assert (kept.name, kept.scope, kept.created_by, kept.digest) == ("till", "operate", "pages", digest_of(token))
        page = await look.get("/tokens")
        assert "till" in page.text
        assert token not in page.text
        assert (await look.post("/tokens", fields)).status == 409
        assert (await look.post("/tokens", {**fields, "name": "No Name"})).status == 400
        assert (await look.post("/tokens", {**fields, "name": "x", "token": "forged"})).status == 403
        done = await look.do("/do/token-revoke?name=till")
        assert done.url == "/tokens?said=token-revoke"
        assert await rig.plant.store.read(lambda conn: api_tokens.by_id(conn, kept.public_id)) is None
        assert (await look.get("/do/token-revoke?name=till")).status == 404
