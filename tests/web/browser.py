"""A real browser for tests: the system's Chromium, headless, driven by Playwright."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page, async_playwright

from tests.real_servers import Missing

SHOTS = Path(__file__).resolve().parents[2] / "var" / "shots"
"""Where screenshots of test runs are kept; git does not take them."""
KEPT_SHOTS = Path(__file__).resolve().parent / "shots"
"""Where those are that the README shows; written when SYNCD_KEEP_SHOTS=1."""
DESK = {"width": 1280, "height": 860}
PHONE = {"width": 390, "height": 844}
WINDOW_S = 180.0
"""Longest time that a window is open: a browser that hangs fails its test."""
WAIT_MS = 20_000
"""Longest wait for something to appear; how soon it does is what benchmarks are for."""


def chromium() -> str:
    """Return the system's browser; raises Missing where there is none."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    raise Missing("install chromium, and fonts-noto-cjk for Japanese")


@asynccontextmanager
async def browsing() -> AsyncIterator[Browser]:
    """Run the browser until the block ends."""
    path = chromium()
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def window(
    browser: Browser, *, language: str = "en-US", scheme: Any = "light", phone: bool = False, **more: Any
) -> AsyncIterator[tuple[Page, list[str]]]:
    """Open a window; answer its page and what the browser complains of."""
    size: Any = PHONE if phone else DESK
    context = await browser.new_context(locale=language, color_scheme=scheme, viewport=size, **more)
    context.set_default_timeout(WAIT_MS)
    page = await context.new_page()
    complaints: list[str] = []
    page.on(
        "console", lambda message: complaints.append(message.text) if message.type in {"error", "warning"} else None
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    try:
        async with asyncio.timeout(WINDOW_S):
            yield page, complaints
    finally:
        await context.close()


async def shoot(page: Page, name: str, *, folder: Path = SHOTS, whole: bool = True) -> Path:
    """Keep a screenshot."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.png"
    await page.screenshot(path=path, full_page=whole, animations="disabled")
    return path
