"""What the pages for customers share: language, frame, headers, forms, and how often somebody may ask."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final
from urllib.parse import parse_qsl

from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined

from syncd.settings.windows import read_zone
from syncd.web.orderpage.tries import Tries
from syncd.web.orderpage.words import LANGUAGES, NAMES, Language, language_of, text
from syncd.web.plant import Plant
from syncd.web.strangers import address_of

READ_S: Final = 10.0
MOST_BODY: Final = 4_096
MOST_FIELDS: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One request: its language, and whether it is shown in a frame of the shop's own page."""

    language: Language
    embed: bool


class Shell:
    """Draws pages. `base` is where they lie, `embed_in` the origins that may frame them."""

    def __init__(self, plant: Plant, *, base: str) -> None:
        self._plant = plant
        self._base = base
        self._embed_in = plant.settings.orderpage.embed_in
        self._zone = read_zone(plant.settings.pages.zone)
        self._templates = _templates()

    def visit(self, request: web.Request) -> Visit:
        """Return how somebody looks at the page."""
        header = request.headers.get("Accept-Language", "")
        language = language_of(request.query.get("lang", ""), header)
        return Visit(language=language, embed=request.query.get("embed") == "1")

    def is_too_often(self, request: web.Request, tries: Tries) -> bool:
        """Count a request of an address, and say whether it is one too many."""
        address = address_of(request, self._plant.settings.pages.proxies)
        full = tries.is_full(address)
        tries.note(address)
        return full

    def page(self, visit: Visit, name: str, *, status: int = 200, **values: Any) -> web.Response:
        """Return a page made of a template."""

        def say(key: str, **told: object) -> str:
            return text(key, visit.language, **told)

        given = {"here": self._base, "token": "", "note": "", **values}
        body = self._templates.get_template(name).render(
            say=say,
            day=lambda at: at.astimezone(self._zone).strftime("%Y-%m-%d"),
            base=self._base,
            language=visit.language,
            languages=[(code, NAMES[code]) for code in LANGUAGES],
            embed=visit.embed,
            shop=self._plant.settings.letters.name,
            **given,
        )
        return web.Response(text=body, content_type="text/html", status=status, headers=self._headers(visit))

    def _headers(self, visit: Visit) -> dict[str, str]:
        frames = " ".join(self._embed_in) if visit.embed else ""
        policy = (
            "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; "
            f"frame-ancestors {frames or _NOBODY}"
        )
        return {**_HEADERS, "Content-Security-Policy": policy, **({} if frames else {"X-Frame-Options": "DENY"})}

    async def style(self, _request: web.Request) -> web.Response:
        """Return the style of the pages."""
        headers = {"Cache-Control": "public, max-age=3600", "X-Content-Type-Options": "nosniff"}
        return web.Response(text=_style(), content_type="text/css", headers=headers)


async def fields_of(request: web.Request) -> dict[str, str]:
    """Return the fields of a small form; one that is too large or no form has none."""
    try:
        async with asyncio.timeout(READ_S):
            raw = await request.content.read(MOST_BODY + 1)
            while len(raw) <= MOST_BODY and not request.content.at_eof():
                raw += await request.content.read(MOST_BODY + 1)
    except TimeoutError:
        return {}
    if len(raw) > MOST_BODY:
        return {}
    try:
        return dict(parse_qsl(raw.decode("utf-8", "replace"), max_num_fields=MOST_FIELDS))
    except ValueError:
        return {}


_NOBODY: Final = "'none'"
_HEADERS: Final[Mapping[str, str]] = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("syncd.web.orderpage"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )


@cache
def _style() -> str:
    return files("syncd.web.orderpage").joinpath("static/style.css").read_text(encoding="utf-8")
