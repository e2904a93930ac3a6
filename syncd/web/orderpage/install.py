"""Put the order page into the application that listens on the network, where the settings switch it on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

from syncd.web.orderpage.page import BASE, OrderPage
from syncd.web.plant import Plant


def install_order_page(
    app: web.Application, plant: Plant, *, rest: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> None:
    """Add the page below `/order`, as an application of its own."""
    if not plant.settings.orderpage.enabled:
        return
    page = OrderPage(plant, rest=rest)
    small = web.Application()
    small.add_routes(
        [
            web.get("", page.show),
            web.post("", page.look),
            web.post("/cancel", page.ask_cancel),
            web.get("/style.css", page.style),
        ]
    )
    app.add_subapp(BASE, small)
