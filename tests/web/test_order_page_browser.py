"""The pages for customers in a real browser: a whole visit by keyboard, three languages, both colour schemes, axe."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, async_playwright

from syncd.core.proofs import ProofKind, Seal
from syncd.core.terms import AccountId, Delivery, Shipment
from syncd.settings import OrderPageSettings
from syncd.store import proofs
from syncd.web.orderpage import install
from tests.real_servers import Missing, skip_or_fail
from tests.web.rig import Rig, running, served, settings_of
from tests.web.test_sign_up import Postbox

pytestmark = pytest.mark.real
KEY = b"k" * 32
MUST = {"wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"}


@pytest.fixture
async def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[str, Rig]]:
    """Give a shop with one order that waits and one that was sent."""
    settings = settings_of(tmp_path, ["shop", "mall"])
    page = OrderPageSettings(enabled=True, tries_per_minute=1_000, smtp_url="smtp://127.0.0.1", mail_from="a@b.example")
    letters, http = replace(settings.letters, name="茶の店"), replace(settings.http, public_url="https://shop.example")
    monkeypatch.setattr(install, "Post", lambda *_: Postbox())
    async with running(tmp_path, settings=replace(settings, orderpage=page, letters=letters, http=http)) as rig:
        rig.plant.proof_key = KEY
        await rig.know("TEA-100")
        await rig.catalogue("shop", ("r1", "TEA-100"))
        await rig.count(**{"TEA-100": 3})
        now = rig.clock.now()
        sent = Delivery(
            shipments=(Shipment(shipment_id="1", carrier="佐川急便", number="1234-5678-9012", shipped_at=now),)
        )
        await rig.order("shop", "#1001", ("r1", "TEA-100", 1), delivery=Delivery(ship_by=now + 86_400_000_000))
        shipped = rig.snapshot("#1002", ("r1", "TEA-100", 1))
        lines = tuple(replace(line, shipped=1) for line in shipped.lines)
        await rig.order("shop", "#1002", lines=lines, delivery=sent)
        seal = Seal(key=KEY, account=AccountId("shop"))
        for number in ("#1001", "#1002"):
            (found,) = await rig.plant.store.read(lambda conn, n=number: proofs.candidates(conn, {n}, limit=2))
            told = {found.row: [seal(f"o-{number}", ProofKind.PHONE, "0012")]}
            await rig.plant.store.write(lambda conn, t=told: proofs.save(conn, t, key_id=seal.key_id, now=now))
        app = web.Application()
        install.install_order_page(app, rig.plant)
        async with served(app) as base:
            yield base, rig


@pytest.fixture
async def browser() -> AsyncIterator[Any]:
    """Give the system's Chromium."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        skip_or_fail(Missing("there is no Chromium here"))
    async with async_playwright() as playwright:
        made = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield made
        await made.close()


async def faults(page: Page) -> list[str]:
    """Return what axe finds wrong on a page."""
    found = await Axe().run(page, options={"runOnly": {"type": "tag", "values": sorted(MUST)}})
    return [f"{fault['id']}: {fault['nodes'][0]['html']}" for fault in found.response["violations"]]


async def test_a_visit_by_keyboard(site: tuple[str, Rig], browser: Any, tmp_path: Path) -> None:
    """A buyer comes from the form to the order and asks to cancel it, with nothing but the keyboard."""
    page = await browser.new_page(locale="en-GB", viewport={"width": 390, "height": 800}, bypass_csp=True)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if "favicon" not in str(message.location) else None)
    await page.goto(f"{site[0]}/order")
    assert await faults(page) == []
    await page.focus("#number")
    await page.keyboard.type("1001")
    await page.keyboard.press("Tab")
    await page.keyboard.type("0012")
    await page.keyboard.press("Enter")
    await page.wait_for_selector("text=Being prepared")
    assert await page.title() == "Order #1001 | 茶の店"
    assert await faults(page) == []
    await page.screenshot(path=tmp_path / "order.png")
    await page.focus("input[type=checkbox]")
    await page.keyboard.press("Space")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await page.wait_for_selector("text=We received your request")
    assert await faults(page) == []
    assert said == []


@pytest.mark.parametrize(("language", "words"), [("ja", "発送しました"), ("zh", "已发货"), ("en", "Sent")])
async def test_each_language_in_the_dark(site: tuple[str, Rig], browser: Any, language: str, words: str) -> None:
    """In every language, also on a dark screen, a sent order is told with its parcel, and axe finds nothing wrong."""
    page = await browser.new_page(color_scheme="dark", bypass_csp=True)
    await page.goto(f"{site[0]}/order?lang={language}")
    await page.fill("#number", "#1002")
    await page.fill("#proof", "0012")
    await page.click("button")
    await page.wait_for_selector(f"text={words}")
    link = await page.get_attribute("li a", "href")
    assert link == "https://k2k.sagawa-exp.co.jp/p/web/okurijosearch.do?okurijoNo=123456789012"
    assert await faults(page) == []
    wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide == 0


async def test_the_sign_up_page_is_as_good(site: tuple[str, Rig], browser: Any) -> None:
    """The form to be told of a restock works and is without faults."""
    page = await browser.new_page(locale="ja-JP", bypass_csp=True)
    await page.goto(f"{site[0]}/back/TEA-100")
    assert await faults(page) == []
    await page.fill("#mail", "hana@example.jp")
    await page.click("button")
    await page.wait_for_selector("text=確認のメールをお送りしました")
    assert await faults(page) == []
