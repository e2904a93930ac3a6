"""Look at the pages without a browser: fetch them, fill in their forms, follow where they lead."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import aiohttp
from aiohttp import web

from syncd.engine.why import explain
from syncd.sdk.secret import Secret
from syncd.settings import Settings
from syncd.web.pages.install import install_pages
from tests.web.rig import Rig, served

PASSWORD = "a password of the pages"


def with_password(settings: Settings, **changes: Any) -> Settings:
    """Return settings whose pages have a login."""
    return replace(settings, pages=replace(settings.pages, password=Secret(PASSWORD), **changes))


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A page as it came."""

    status: int
    text: str
    headers: Mapping[str, str]
    url: str


@dataclass(slots=True, kw_only=True)
class Looker:
    """Somebody who looks at the pages, with a jar for their cookies."""

    session: aiohttp.ClientSession
    base: str
    app: web.Application
    headers: dict[str, str] = field(default_factory=dict)

    async def get(self, path: str, *, follow: bool = True, **headers: str) -> Seen:
        """Fetch a page."""
        given = {**self.headers, **headers}
        async with self.session.get(self.base + path, headers=given, allow_redirects=follow) as answer:
            return Seen(
                status=answer.status, text=await answer.text(), headers=answer.headers, url=str(answer.url.relative())
            )

    async def post(self, path: str, fields: Mapping[str, str], *, follow: bool = True, **headers: str) -> Seen:
        """Send a form from these pages."""
        given = {"Origin": self.base, **self.headers, **headers}
        url = self.base + path
        async with self.session.post(url, data=fields, headers=given, allow_redirects=follow) as answer:
            return Seen(
                status=answer.status, text=await answer.text(), headers=answer.headers, url=str(answer.url.relative())
            )

    async def do(self, path: str, **fields: str) -> Seen:
        """Open the page of a deed, fill its form in and send it."""
        return await self.post(path, {**hidden(await self.get(path)), **fields})


def hidden(page: Seen) -> dict[str, str]:
    """Return what the form of a page carries unseen; the one in the head of the page comes first and is left out."""
    form = page.text[page.text.rindex("<form") :]
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', form))


@asynccontextmanager
async def looking(rig: Rig, **headers: str) -> AsyncIterator[Looker]:
    """Serve the pages of a rig, and look at them."""
    app = web.Application()
    install_pages(app, rig.plant, explain=partial(explain, rig.plant))
    jar = aiohttp.CookieJar(unsafe=True)
    async with served(app) as base, aiohttp.ClientSession(cookie_jar=jar) as session:
        yield Looker(session=session, base=base, app=app, headers=headers)
