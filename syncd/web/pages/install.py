"""Put the pages into the application that listens on the network."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from syncd.clock import SystemRandom
from syncd.web.api_why import Explain
from syncd.web.pages.deeds import do_deed, show_deed
from syncd.web.pages.doors import log_in, log_out, show_login
from syncd.web.pages.figures import Figures
from syncd.web.pages.frame import STREAM, Ask, Frame, Page, serve_asset
from syncd.web.pages.goods import Good
from syncd.web.pages.health import Health
from syncd.web.pages.incidents import Incidents
from syncd.web.pages.live import Live
from syncd.web.pages.now import Now
from syncd.web.pages.orders import Orders
from syncd.web.pages.stock import Stock
from syncd.web.pages.tokens import Tokens
from syncd.web.pages.waiting import Waiting
from syncd.web.plant import Plant
from syncd.web.status import Standings


def install_pages(
    app: web.Application,
    plant: Plant,
    *,
    explain: Explain | None = None,
    chance: Callable[[int], bytes] | None = None,
) -> None:
    """Add the pages, unless the settings switch them off; `explain` says why a listing shows its number."""
    if not plant.settings.pages.enabled:
        return
    frame = Frame(plant, chance=chance or SystemRandom().bytes)
    live, figures = Live(frame), Figures(frame)
    app.on_shutdown.append(live.close)
    app.on_cleanup.append(frame.close)
    app.add_routes([web.get("/orders.csv", frame.serving("orders", Orders(frame).export))])
    app.add_routes([web.get(page.path, _serving(frame, live, page)) for page in pages_of(frame, explain, figures)])
    app.add_routes([web.get("/figures.csv", frame.serving("figures", figures.export))])
    app.add_routes([web.get("/figures/{name}.{theme}.png", frame.serving("figures", figures.picture))])
    app.add_routes(
        [
            web.get("/do/{verb}", frame.serving("", lambda ask: show_deed(frame, ask))),
            web.post("/do/{verb}", frame.serving("", lambda ask: do_deed(frame, ask))),
            web.post("/tokens", frame.serving("health", Tokens(frame).make)),
            web.get("/language/{language}", frame.serving("", frame.choose_language, public=True)),
            web.get("/login", frame.serving("", lambda ask: show_login(frame, ask), public=True)),
            web.post("/login", frame.serving("", lambda ask: log_in(frame, ask), public=True)),
            web.post("/logout", frame.serving("", lambda ask: log_out(frame, ask), public=True)),
            web.get("/assets/{version}/{name}", serve_asset),
        ]
    )


def pages_of(frame: Frame, explain: Explain | None, figures: Figures) -> tuple[Page, ...]:
    """Return every page."""
    standings = Standings(frame.plant)
    orders, waiting, incidents = Orders(frame), Waiting(frame), Incidents(frame)
    return (
        Page(key="now", name="now", path="/", read=Now(frame, standings).read, restless=True,
             api=("/status", "/orders", "/drift", "/brake")),
        Page(key="stock", name="stock", path="/stock", read=Stock(frame).read, api=("/shelf",)),
        Page(key="stock", name="sku", path="/stock/{sku:.+}", read=Good(frame, explain).read,
             api=("/stock/{sku:.+}", "/why/{sku:.+}", "/postmortem/{name:.+}", "/policy/{sku:.+}")),
        Page(key="orders", name="orders", path="/orders", read=orders.read, api=("/orders", "/orders.csv")),
        Page(key="waiting", name="waiting", path="/waiting", read=waiting.read,
             api=("/lines", "/tickets", "/messages")),
        Page(key="waiting", name="line", path="/waiting/{sku:.+}", read=waiting.read_one,
             api=("/lines/{sku:.+}", "/waitlist", "/arrivals")),
        Page(key="incidents", name="incidents", path="/incidents", read=incidents.read,
             api=("/oversells", "/incidents")),
        Page(key="incidents", name="incident", path="/incidents/{sku:.+}", read=incidents.read_one,
             api=("/incidents", "/postmortem/{name:.+}")),
        Page(key="health", name="health", path="/health", read=Health(frame, standings).read, restless=True,
             api=("/account-health", "/status", "/drift", "/brake")),
        Page(key="health", name="tokens", path="/tokens", read=Tokens(frame).read, api=("/tokens",)),
        Page(key="figures", name="figures", path="/figures", read=figures.read, api=("/figures", "/figures.csv")),
        Page(key="orders", name="order", path="/orders/{account}/{order_id:.+}", read=orders.read_one,
             api=("/orders/{account}/{order_id:.+}",)),
    )  # fmt: skip


def _serving(frame: Frame, live: Live, page: Page) -> Callable[..., Awaitable[web.StreamResponse]]:
    """Return what serves a page: whole, or as a stream of its live part to whoever asks for events."""

    async def serve(ask: Ask) -> web.StreamResponse:
        if STREAM in ask.request.headers.get("Accept", ""):
            return await live.stream(ask, f"parts/{page.name}.html", page)
        return await frame.answer(ask, f"{page.name}.html", await page.read(ask))

    return frame.serving(page.key, serve)
