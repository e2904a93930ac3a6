"""Log in and out."""

from __future__ import annotations

from dataclasses import replace

from aiohttp import web

from syncd.web.pages.frame import Ask, Frame, inside


async def show_login(frame: Frame, ask: Ask) -> web.StreamResponse:
    """Return the form, or send on whoever is logged in."""
    if ask.visitor.name:
        return frame.move(inside(ask.query("to")), ask)
    return await _form(frame, ask, to=inside(ask.query("to")), status=200)


async def log_in(frame: Frame, ask: Ask) -> web.StreamResponse:
    """Take a password; raises Refused after too many wrong ones."""
    fields = await frame.form(ask)
    to = inside(fields.get("to", ""))
    visitor = frame.guard.log_in(ask.request, ask.visitor, fields.get("password", ""))
    if visitor is None:
        return await _form(frame, ask, to=to, status=401)
    return frame.move(to, replace(ask, visitor=visitor))


async def log_out(frame: Frame, ask: Ask) -> web.StreamResponse:
    """End the login."""
    await frame.form(ask)
    frame.guard.log_out(ask.visitor)
    return frame.move("/login", ask)


async def _form(frame: Frame, ask: Ask, *, to: str, status: int) -> web.Response:
    values = {"to": to, "wrong": status != 200, "asks": frame.guard.asks}
    return await frame.answer(ask, "login.html", values, status=status)
