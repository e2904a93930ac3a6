"""The pages in a real browser: each of them in both languages and themes, on a phone, by keyboard alone, and live."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

pytest.importorskip("playwright", reason="playwright is not installed")

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, expect

from syncd.core.brake import BrakeRule
from syncd.store.views_listings import brakes
from tests.real_servers import Missing, skip_or_fail
from tests.web import teashop
from tests.web.browser import KEPT_SHOTS, browsing, chromium, shoot, window
from tests.web.looking import Looker, looking
from tests.web.rig import Rig, running

pytestmark = pytest.mark.real

PAGES = {
    "now": "/",
    "stock": "/stock",
    "sku": "/stock/TEA-SEN-100",
    "orders": "/orders",
    "order": "/orders/amazon/o-A-20002",
    "waiting": "/waiting",
    "line": "/waiting/TEA-GEN-100",
    "incidents": "/incidents",
    "incident": "/incidents/POT-IRON",
    "health": "/health",
    "figures": "/figures",
    "count": "/do/count?sku=CUP-BLUE",
    "pause": "/do/pause?account=shopify",
    "cancel": "/do/order-cancel?account=shopify&id=o-S-30000",
    "letter": "/do/letters-release?id=1",
    "tokens": "/tokens",
    "empty": "/stock?q=nothing+fits",
    "trouble": "/stock/NO-SUCH-SKU",
}
AXE = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
MOST_SHOT_BYTES = 150_000


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    try:
        chromium()
    except Missing as missing:
        skip_or_fail(missing)
    async with browsing() as found:
        yield found


@pytest.fixture
async def shop(quick_path: Path) -> AsyncIterator[tuple[Rig, Looker]]:
    """Give a shop that trades, and where its pages are."""
    rule = BrakeRule(share=0.05, minimum=4, factor=10.0)
    async with running(quick_path, channels=teashop.channels(), rule=rule) as rig:
        await teashop.fill(rig)
        await teashop.sell(rig, "shopify", "S-30000", "TEA-HOJ-200", 2)
        async with looking(rig) as look:
            yield rig, look


def of_trouble(complaints: list[str], name: str) -> list[str]:
    """Return what the browser complains of, but for the answer 404 of the page that is none."""
    return [text for text in complaints if not (name == "trouble" and "404" in text)]


async def is_live(page: Page) -> None:
    await expect(page.locator("#pulse.on")).to_be_visible()


@pytest.mark.parametrize(("language", "scheme"), [("en-US", "light"), ("ja-JP", "dark")])
async def test_every_page_is_for_everybody(
    browser: Browser, shop: tuple[Rig, Looker], language: str, scheme: str
) -> None:
    """No page has a fault that axe knows, contrast included, and the browser has nothing to complain of."""
    _, look = shop
    async with window(browser, language=language, scheme=scheme) as (page, complaints):
        for name, path in PAGES.items():
            await page.goto(look.base + path)
            assert await page.get_attribute("html", "lang") == language[:2]
            await page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
            found = await Axe().run(page, options=AXE)
            assert found.violations_count == 0, f"{name}\n{found.generate_report()}"
            await page.evaluate("document.querySelectorAll('details').forEach(one => one.open = false)")
            if name == "figures":
                await page.evaluate("document.querySelectorAll('img').forEach(one => one.loading = 'eager')")
                await page.wait_for_load_state("networkidle")
            await shoot(page, f"{name}-{language[:2]}-{scheme}")
            assert of_trouble(complaints, name) == [], name


@pytest.mark.parametrize(("language", "scheme"), [("ja-JP", "light"), ("en-US", "dark")])
async def test_every_page_fits_a_phone(browser: Browser, shop: tuple[Rig, Looker], language: str, scheme: str) -> None:
    """On a phone nothing sticks out of a page; wide tables scroll by themselves."""
    _, look = shop
    async with window(browser, language=language, scheme=scheme, phone=True) as (page, _):
        for name, path in PAGES.items():
            await page.goto(look.base + path)
            width = await page.evaluate("document.documentElement.scrollWidth")
            await shoot(page, f"{name}-{language[:2]}-{scheme}-phone", whole=False)
            assert width <= 390, name


async def test_a_sale_appears_by_itself(browser: Browser, shop: tuple[Rig, Looker]) -> None:
    """A sale is seen on an open page without reloading, and whoever is on a link stays on it."""
    rig, look = shop
    async with window(browser) as (page, complaints):
        await page.goto(look.base + "/")
        await is_live(page)
        await page.evaluate("window.stayed = true")
        link = page.get_by_role("link", name="Pause shopify")
        await link.focus()
        await teashop.sell(rig, "shopify", "S-30001", "TEA-HOJ-200", 2)
        await expect(page.locator("#sale-shopify-o-S-30001")).to_contain_text("TEA-HOJ-200 ×2")
        await expect(link).to_be_focused()
        assert await page.evaluate("window.stayed")
        assert complaints == []


async def test_the_table_follows_a_sale(browser: Browser, shop: tuple[Rig, Looker]) -> None:
    """A number in the table of stock changes where it stands, and lights up."""
    rig, look = shop
    async with window(browser) as (page, _):
        await page.goto(look.base + "/stock?q=TRAY")
        await is_live(page)
        cell = page.locator("#sku-TRAY-OAK td").nth(3)
        await expect(cell).to_have_text("12")
        await teashop.sell(rig, "amazon", "A-30001", "TRAY-OAK", 5)
        await expect(cell).to_have_text("7")
        await expect(page.locator("#sku-TRAY-OAK .lit").first).to_be_attached()


async def test_a_count_is_edited_by_keyboard(browser: Browser, shop: tuple[Rig, Looker]) -> None:
    """From the search to the saved count nothing but the keyboard is needed."""
    _, look = shop
    async with window(browser) as (page, _):
        await page.goto(look.base + "/stock")
        await page.keyboard.press("Tab")
        await expect(page.locator(".skip")).to_be_focused()
        await page.keyboard.press("Enter")
        await page.keyboard.press("Tab")
        await expect(page.locator("#q")).to_be_focused()
        await page.keyboard.type("cup-blue")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**q=cup-blue**")
        await tab_to(page, page.get_by_role("link", name="CUP-BLUE"))
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/stock/CUP-BLUE")
        await tab_to(page, page.get_by_role("link", name="Edit the count"))
        await page.keyboard.press("Enter")
        await expect(page.get_by_label("On the shelf")).to_be_focused()
        await page.keyboard.type("40")
        await page.keyboard.press("Tab")
        await page.keyboard.type("found a box")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("status").filter(has_text="in the ledger")).to_be_visible()
        await expect(page.locator(".tile", has_text="On hand").locator(".figure")).to_have_text("40")
        await expect(page.locator("tbody tr").first).to_contain_text("found a box")


async def tab_to(page: Page, wanted: object) -> None:
    """Press Tab until something has the focus."""
    for _ in range(60):
        await page.keyboard.press("Tab")
        if await wanted.evaluate("node => node === document.activeElement"):  # type: ignore[attr-defined]
            return
    pytest.fail("it cannot be reached by Tab")


async def test_a_brake_is_released_by_keyboard(browser: Browser, shop: tuple[Rig, Looker]) -> None:
    """A change that the brake holds appears live, and is let through by keyboard."""
    rig, look = shop
    async with window(browser, language="ja-JP") as (page, _):
        await page.goto(look.base + "/")
        await is_live(page)
        held = await look.do("/do/count?sku=TEA-SEN-100", location="main", quantity="0", reason="none there")
        assert held.status == 200
        (brake,) = await rig.plant.store.read(brakes)
        await tab_to(page, page.locator(f"#brake-{brake.id} a").first)
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/do/brake-release**")
        await tab_to(page, page.get_by_role("button", name="反映する"))
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("status").filter(has_text="反映しました")).to_be_visible()
        assert await rig.plant.store.read(brakes) == []


async def test_the_language_is_switched(browser: Browser, shop: tuple[Rig, Looker]) -> None:
    """The switch in the corner changes the language of this page and of the next ones."""
    _, look = shop
    async with window(browser) as (page, _):
        await page.goto(look.base + "/stock?q=tea")
        await page.get_by_role("link", name="日本語").click()
        await expect(page.locator("h1")).to_have_text("在庫")
        assert page.url.endswith("/stock?q=tea")
        await page.get_by_role("link", name="受注").click()
        await expect(page.locator("h1")).to_have_text("受注")


async def test_pages_work_without_scripts(browser: Browser, shop: tuple[Rig, Looker]) -> None:
    """Without JavaScript the pages show the same, and what is done on them is done."""
    _, look = shop
    async with window(browser, java_script_enabled=False) as (page, _):
        await page.goto(look.base + "/")
        await page.get_by_role("link", name="Pause rakuten").click()
        await page.get_by_label("Reason (optional)").fill("stocktaking")
        await page.get_by_role("button", name="Pause").click()
        await expect(page.locator("#channel-rakuten")).to_contain_text("stocktaking")


async def test_a_lost_server_is_told_and_found_again(browser: Browser, shop: tuple[Rig, Looker]) -> None:
    """While the daemon is away the page says that it reconnects; once it is back it is live by itself."""
    _, look = shop
    async with window(browser) as (page, _):
        await page.goto(look.base + "/")
        await is_live(page)
        await page.context.set_offline(True)
        await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        await expect(page.locator("#pulse.lost")).to_be_visible()
        await page.context.set_offline(False)
        await is_live(page)


async def test_the_screenshots_of_the_readme_are_small(browser: Browser, shop: tuple[Rig, Looker]) -> None:
    """The two screenshots of the README are small, and are made here."""
    _, look = shop
    keep = os.environ.get("SYNCD_KEEP_SHOTS") == "1"
    folder = {"folder": KEPT_SHOTS} if keep else {}
    async with window(browser) as (page, _):
        await page.goto(look.base + "/")
        await is_live(page)
        first = await shoot(page, "now", whole=False, **folder)
    async with window(browser, language="ja-JP", scheme="dark") as (page, _):
        await page.goto(look.base + "/stock")
        await is_live(page)
        second = await shoot(page, "stock", whole=False, **folder)
    assert max(path.stat().st_size for path in (first, second)) < MOST_SHOT_BYTES
