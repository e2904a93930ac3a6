"""Put the pages into the application that listens on the network."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from syncd.clock import SystemRandom
from syncd.web.pages.deeds import do_deed, show_deed
from syncd.web.pages.doors import log_in, log_out, show_login
from syncd.web.pages.frame import Ask, Frame, Read, serve_asset
from syncd.web.pages.live import Live
from syncd.web.pages.now import Now
from syncd.web.pages.stock import Stock
from syncd.web.plant import Plant
from syncd.web.status import Standings

STREAM: Final = "text/event-stream"


def install_pages(
    app: web.Application,
    plant: Plant,
    *,
    chance: Callable[[int], bytes] | None = None,
) -> Frame | None:
    """Add the pages, unless the settings switch them off."""
    if not plant.settings.pages.enabled:
        return None
    frame = Frame(plant, chance=chance or SystemRandom().bytes)
    live = Live(frame)
    app.on_shutdown.append(live.close)
    app.on_cleanup.append(frame.close)
    standings = Standings(plant)
    pages: tuple[tuple[str, str, Read], ...] = (
        ("now", "/", Now(frame, standings).read),
        ("stock", "/stock", Stock(frame).read),
    )
    app.add_routes([web.get(path, _page(frame, live, page, read)) for page, path, read in pages])
    app.add_routes(
        [
            web.get("/language/{language}", frame.serving("", frame.choose_language, public=True)),
            web.get("/do/{verb}", frame.serving("", lambda ask: show_deed(frame, ask))),
            web.post("/do/{verb}", frame.serving("", lambda ask: do_deed(frame, ask))),
            web.get("/login", frame.serving("", lambda ask: show_login(frame, ask), public=True)),
            web.post("/login", frame.serving("", lambda ask: log_in(frame, ask), public=True)),
            web.post("/logout", frame.serving("", lambda ask: log_out(frame, ask), public=True)),
            web.get("/assets/{version}/{name}", serve_asset),
        ]
    )
    return frame


def _page(frame: Frame, live: Live, page: str, read: Read) -> Callable[..., Awaitable[web.StreamResponse]]:
    """Return what serves a page: whole, or as a stream of its live part to whoever asks for events."""

    async def serve(ask: Ask) -> web.StreamResponse:
        if STREAM in ask.request.headers.get("Accept", ""):
            return await live.stream(ask, f"parts/{page}.html", read)
        return await frame.answer(ask, f"{page}.html", await read(ask))

    return frame.serving(page, serve)
