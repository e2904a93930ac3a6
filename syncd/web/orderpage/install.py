"""Put the pages for customers into the application that listens on the network, where the settings switch them on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

from syncd.clock import SystemRandom
from syncd.web.orderpage import signup
from syncd.web.orderpage.page import BASE, OrderPage
from syncd.web.orderpage.shell import Shell
from syncd.web.orderpage.signup import Post, SignUp
from syncd.web.plant import Plant


def install_order_page(
    app: web.Application, plant: Plant, *, rest: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> None:
    """Add the order page below `/order`, and the sign-up page below `/back`, each an application of its own."""
    settings = plant.settings.orderpage
    if not settings.enabled:
        return
    shell = Shell(plant, base=BASE)
    page = OrderPage(plant, shell, rest=rest)
    small = web.Application()
    small.add_routes(
        [
            web.get("", page.show),
            web.post("", page.look),
            web.post("/cancel", page.ask_cancel),
            web.get("/style.css", shell.style),
        ]
    )
    app.add_subapp(BASE, small)
    if settings.smtp_url:
        app.add_subapp(signup.BASE, _sign_up(plant, Post(settings.smtp_url, settings.mail_from)))


def _sign_up(plant: Plant, post: Post) -> web.Application:
    shell = Shell(plant, base=signup.BASE)
    page = SignUp(plant, shell, post=post, chance=SystemRandom().bytes)
    small = web.Application()
    small.add_routes(
        [
            web.get("/style.css", shell.style),
            web.get("/confirm", page.show_confirm),
            web.post("/confirm", page.confirm),
            web.get("/leave", page.show_leave),
            web.post("/leave", page.leave),
            web.get("/{sku:.+}", page.show),
            web.post("/{sku:.+}", page.take),
        ]
    )
    return small
