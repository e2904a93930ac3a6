"""Who may look at the pages, and which changes were meant."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from syncd.settings import Settings
from syncd.web.pages.guard import TRIES
from tests.web.looking import PASSWORD, Looker, hidden, looking, with_password
from tests.web.rig import Quiet, Rig, running, settings_of

TLS = {"Host": "stock.example.org", "X-Forwarded-Proto": "https"}
ORIGIN = {"Origin": "https://stock.example.org"}


@pytest.fixture
async def look(rig: Rig) -> AsyncIterator[Looker]:
    async with looking(rig) as found:
        yield found


def of(folder: Path, **changes: Any) -> Settings:
    return with_password(settings_of(folder, ["shop"]), hosts=("stock.example.org",), **changes)


async def test_every_page_is_sealed(look: Looker) -> None:
    """Each page forbids foreign scripts, frames, guesses of types and copies, and its cookie is no script's."""
    page = await look.get("/")
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "style-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert page.headers["Referrer-Policy"] == "same-origin"
    assert page.headers["Cache-Control"] == "no-store"
    assert re.fullmatch(r"syncd=[\w-]{43}; HttpOnly; Path=/; SameSite=Lax", page.headers["Set-Cookie"])
    assert not re.search(r"style=|<script>|onclick|http://|https://", page.text)


HOSTS: list[tuple[dict[str, str], int]] = [
    ({}, 200),
    ({"Host": "localhost:8377"}, 200),
    ({"Host": "LOCALHOST"}, 200),
    ({"Host": "[::1]:8377"}, 200),
    ({"Host": "evil.example"}, 421),
    ({"Host": "127.0.0.1.evil.example"}, 421),
    ({"Host": "localhost.evil.example:80"}, 421),
    ({"X-Forwarded-For": "203.0.113.9"}, 403),
    ({"Forwarded": "for=203.0.113.9"}, 403),
    ({"Via": "1.1 proxy"}, 403),
]


async def test_without_a_login_only_this_machine_is_answered(look: Looker) -> None:
    """A name that somebody pointed at this machine, and whatever came through a proxy, is refused."""
    for headers, status in HOSTS:
        for path in ("/", "/do/pause?account=shop"):
            assert (await look.get(path, **headers)).status == status, headers


async def test_without_a_login_an_open_port_shows_nothing(tmp_path: Path) -> None:
    """Where the server listens on the network and there is no login, the pages say what to set."""
    settings = settings_of(tmp_path, ["shop"])
    settings = replace(settings, http=replace(settings.http, listen="0.0.0.0:8377"))
    async with running(tmp_path, channels={"shop": Quiet()}, settings=settings) as rig, looking(rig) as look:
        page = await look.get("/")
        assert page.status == 403
        assert "user_header" in page.text
        assert "shop" not in page.text


@pytest.fixture
async def shut(tmp_path: Path) -> AsyncIterator[tuple[Rig, Looker]]:
    """Give pages behind a password and a TLS proxy."""
    async with running(tmp_path, channels={"shop": Quiet()}, settings=of(tmp_path)) as rig:
        async with looking(rig, **TLS) as look:
            yield rig, look


async def enter(look: Looker, password: str = PASSWORD) -> Any:
    """Log in as a browser does; the jar keeps Secure cookies from http, so they are sent by hand."""
    form = await look.get("/login")
    first = form.headers["Set-Cookie"].partition(";")[0]
    fields = {**hidden(form), "password": password}
    answer = await look.post("/login", fields, follow=False, Cookie=first, **ORIGIN)
    cookie = answer.headers.get("Set-Cookie", first).partition(";")[0]
    look.headers["Cookie"] = cookie
    return answer


async def test_a_login_opens_the_pages(shut: tuple[Rig, Looker]) -> None:
    """Without a login every page leads to it; after it they open, by a new cookie bound to the host and to TLS."""
    _, look = shut
    away = await look.get("/stock?q=tea", follow=False)
    assert (away.status, away.headers["Location"]) == (303, "/login?to=%2Fstock%3Fq%3Dtea")
    answer = await enter(look)
    assert (answer.status, answer.headers["Location"]) == (303, "/")
    parts = set(answer.headers["Set-Cookie"].split("; ")[1:])
    assert answer.headers["Set-Cookie"].startswith("__Host-syncd=")
    assert parts == {"HttpOnly", "Path=/", "SameSite=Lax", "Secure"}
    assert (await look.get("/stock")).status == 200


async def test_a_planted_cookie_is_worth_nothing(shut: tuple[Rig, Looker]) -> None:
    """The cookie from before the login does not open the pages after it."""
    _, look = shut
    before = (await look.get("/login")).headers["Set-Cookie"].partition(";")[0]
    await enter(look)
    look.headers["Cookie"] = before
    assert (await look.get("/", follow=False)).status == 303


async def test_a_login_ends(shut: tuple[Rig, Looker]) -> None:
    """Looking keeps it for hours; not looking, logging out, or a week end it."""
    rig, look = shut
    hour = 3_600_000_000
    await enter(look)
    for _ in range(3):
        rig.clock.instant += 11 * hour
        assert (await look.get("/", follow=False)).status == 200
    rig.clock.instant += 13 * hour
    assert (await look.get("/", follow=False)).status == 303
    look.headers.pop("Cookie")
    await enter(look)
    page = await look.get("/")
    token = re.search(r'name="token" value="([^"]+)"', page.text)
    assert token is not None
    await look.post("/logout", {"token": token[1]}, follow=False, **ORIGIN)
    assert (await look.get("/", follow=False)).status == 303
    look.headers.pop("Cookie")
    await enter(look)
    for _ in range(16):
        rig.clock.instant += 11 * hour
        await look.get("/", follow=False)
    assert (await look.get("/", follow=False)).status == 303


async def test_passwords_are_not_tried_on_and_on(shut: tuple[Rig, Looker]) -> None:
    """After a few wrong ones even the right one has to wait; others are not made to wait with them."""
    rig, look = shut
    look.headers["X-Forwarded-For"] = "203.0.113.9"
    for _ in range(TRIES):
        assert (await enter(look, "wrong password")).status == 401
        look.headers.pop("Cookie")
    refused = await enter(look)
    assert (refused.status, refused.headers["Retry-After"]) == (429, "300")
    look.headers.pop("Cookie")
    look.headers["X-Forwarded-For"] = "203.0.113.10"
    assert (await enter(look)).status == 303
    look.headers.pop("Cookie")
    look.headers["X-Forwarded-For"] = "203.0.113.9"
    rig.clock.instant += 301_000_000
    assert (await enter(look)).status == 303


async def test_who_is_not_logged_in_asks_only_so_often(tmp_path: Path) -> None:
    """An address that asks on and on without a login is told when to come again; others, and who is in, are served."""
    settings = of(tmp_path)
    settings = replace(settings, http=replace(settings.http, stranger_requests_per_minute=5))
    async with running(tmp_path, channels={"shop": Quiet()}, settings=settings) as rig:
        async with looking(rig, **TLS) as look:
            look.headers["X-Forwarded-For"] = "203.0.113.9"
            await enter(look)
            mine = look.headers.pop("Cookie")
            found = [await look.get("/stock", follow=False) for _ in range(6)]
            assert {one.status for one in found[:2]} == {303}
            assert found[-1].status == 429
            assert 1 <= int(found[-1].headers["Retry-After"]) <= 60
            assert "stock" not in found[-1].text
            assert (await look.get("/stock", Cookie=mine)).status == 200
            look.headers["X-Forwarded-For"] = "203.0.113.10"
            assert (await look.get("/stock", follow=False)).status == 303


async def test_a_password_never_crosses_in_the_clear(shut: tuple[Rig, Looker]) -> None:
    """A host of the network that is not reached by TLS gets no form to fill in."""
    _, look = shut
    page = await look.get("/login", **{"X-Forwarded-Proto": "http"})
    assert page.status == 403
    assert "https" in page.text
    assert 'type="password"' not in page.text


async def test_a_stranger_is_no_proxy(tmp_path: Path) -> None:
    """Headers of a peer that is not among the proxies are not believed."""
    settings = with_password(
        settings_of(tmp_path, ["shop"]), hosts=("stock.example.org",), user_header="X-User", proxies=("192.0.2.1",)
    )
    async with running(tmp_path, channels={"shop": Quiet()}, settings=settings) as rig:
        async with looking(rig, **TLS) as look:
            assert (await look.get("/", follow=False, **{"X-User": "owner"})).status == 403
            home = {"Host": "localhost", "X-User": "owner"}
            assert (await look.get("/", follow=False, **home)).status == 303


async def test_a_proxy_may_name_who_looks(tmp_path: Path) -> None:
    """A believed proxy opens the pages by its header, and who it names stands in the ledger."""
    settings = settings_of(tmp_path, ["shop"])
    pages = replace(settings.pages, user_header="X-Forwarded-User", hosts=("stock.example.org",))
    async with (
        running(tmp_path, channels={"shop": Quiet()}, settings=replace(settings, pages=pages)) as rig,
        looking(rig, **TLS) as look,
    ):
        assert (await look.get("/", follow=False)).status == 303
        assert 'type="password"' not in (await look.get("/login")).text
        look.headers["X-Forwarded-User"] = "hanako"
        page = await look.get("/do/pause?account=shop")
        cookie = page.headers["Set-Cookie"].partition(";")[0]
        fields = {**hidden(page), "reason": "holiday"}
        done = await look.post("/do/pause?account=shop", fields, follow=False, Cookie=cookie, **ORIGIN)
        assert done.headers["Location"] == "/?said=pause"


FORGED: list[tuple[dict[str, str], dict[str, str]]] = [
    ({"token": "x" * 43}, {}),
    ({"token": ""}, {}),
    ({}, {"Origin": "https://evil.example"}),
    ({}, {"Origin": "null"}),
    ({}, {"Origin": ""}),
    ({}, {"Sec-Fetch-Site": "cross-site"}),
    ({}, {"Sec-Fetch-Site": "same-site"}),
]


async def test_a_change_from_elsewhere_is_refused(look: Looker, rig: Rig) -> None:
    """Without the token of this visitor, or from another origin, nothing is changed."""
    form = hidden(await look.get("/do/pause?account=shop"))
    for fields, headers in FORGED:
        refused = await look.post("/do/pause?account=shop", {**form, **fields}, **headers)
        assert refused.status == 403
        assert re.search("[Nn]othing was changed", refused.text)
    assert "Paused" not in (await look.get("/")).text


async def test_a_token_is_one_visitors(look: Looker, rig: Rig) -> None:
    """The token of another visitor's form is refused."""
    form = hidden(await look.get("/do/pause?account=shop"))
    look.session.cookie_jar.clear()
    await look.get("/")
    assert (await look.post("/do/pause?account=shop", form)).status == 403


async def test_a_strange_body_is_refused(look: Looker) -> None:
    """A body that is too large, no form, or without a token is told so."""
    for body, status in ((b"x" * 20_000, 413), (b"\xff\xfe", 400), (b"token=a&token=b", 400), (b"", 403)):
        async with look.session.post(look.base + "/do/pause?account=shop", data=body) as answer:
            assert answer.status == status


async def test_pages_can_be_switched_off(tmp_path: Path) -> None:
    """Without pages there is nothing to find."""
    settings = settings_of(tmp_path, ["shop"])
    settings = replace(settings, pages=replace(settings.pages, enabled=False))
    async with running(tmp_path, channels={"shop": Quiet()}, settings=settings) as rig, looking(rig) as look:
        assert (await look.get("/")).status == 404
