"""What all pages share: who may look, in which language, how a page is drawn, sent and kept alive.

A page is read twice in two forms from one pair of templates: whole (`stock.html`), and its live part alone
(`parts/stock.html`), which a stream of server-sent events sends again whenever it has changed.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import Any, Final, TypeAlias
from urllib.parse import quote, urlencode

import structlog
from aiohttp import hdrs, web
from jinja2 import Environment, PackageLoader, StrictUndefined

from syncd.sdk.errors import ProtocolError, SyncdError, TransientError
from syncd.settings.windows import read_zone
from syncd.store.views import moment
from syncd.web.api_wire import BODY_S, Fault, Service
from syncd.web.pages.forms import fields_of
from syncd.web.pages.guard import COOKIE, PLAIN_COOKIE, Guard, Refused, Visitor
from syncd.web.pages.words import LANGUAGES, NAMES, Speech, preferred, texts
from syncd.web.plant import Plant
from syncd.web.strangers import Strangers, address_of

READ_S: Final = 30.0
"""Longest wait for what the store knows."""
PAINTERS: Final = 2
"""Threads that draw pages and charts, so that the loop turns on."""
STREAM: Final = "text/event-stream"
"""What a page that is open asks for, so as to stay true."""
KEY_BYTES: Final = 32
MOST_FORM_BYTES: Final = 16_384
LANGUAGE_COOKIE: Final = "syncd-language"
LANGUAGE_S: Final = 365 * 86_400
NAV: Final = ("now", "stock", "orders", "waiting", "incidents", "health", "figures")
"""The pages in the order of the menu; each one is a key of the words, `PAGE.title`."""
HEADERS: Final[Mapping[str, str]] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_log = structlog.get_logger("syncd.pages")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One request for a page, by somebody who may look. `page` is a key of NAV."""

    request: web.Request
    visitor: Visitor
    speech: Speech
    page: str

    def query(self, name: str, default: str = "") -> str:
        """Return a parameter of the address."""
        return self.request.query.get(name, default)


Read: TypeAlias = Callable[[Ask], Awaitable[Mapping[str, Any]]]
"""Reads what a page shows: the values of its templates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page: its key in NAV, its path and what reads it.

    `name` is the name of its templates, `api` are the routes by which programs read what it shows. `restless`: it
    changes though nothing was decided.
    """

    key: str
    name: str
    path: str
    read: Read
    api: tuple[str, ...]
    restless: bool = False


Serve: TypeAlias = Callable[[Ask], Awaitable[web.StreamResponse]]


class Frame:
    """Draws pages. One per daemon."""

    def __init__(self, plant: Plant, *, chance: Callable[[int], bytes]) -> None:
        self.plant = plant
        self.service = Service(plant=plant, source="pages")
        self.chance = chance
        self.guard = Guard(plant.settings, clock=plant.clock, chance=chance)
        most = plant.settings.http.stranger_requests_per_minute
        self._strangers = Strangers(per_minute=most, key=chance(KEY_BYTES), clock=plant.clock)
        self._zone = read_zone(plant.settings.pages.zone)
        self._painters = ThreadPoolExecutor(PAINTERS, thread_name_prefix="syncd-painter")
        self._closed = False
        self._env = Environment(
            loader=PackageLoader(__package__ or ""),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._env.globals.update(nav=NAV, languages=NAMES, asset=asset_address, link=link)

    async def close(self, _app: web.Application) -> None:
        """End the threads."""
        self._closed = True
        self._painters.shutdown(wait=False, cancel_futures=True)

    async def paint(self, work: Callable[[], Any]) -> Any:
        """Run what computes for long beside the loop; raises TimeoutError, and ConnectionError once it stops."""
        if self._closed:
            raise ConnectionResetError("the daemon stops")
        async with asyncio.timeout(READ_S):
            return await asyncio.get_running_loop().run_in_executor(self._painters, work)

    async def draw(self, template: str, ask: Ask, values: Mapping[str, Any]) -> str:
        """Return a template filled in."""
        found = self._env.get_template(template)
        given = {**self._common(ask), **values}
        return str(await self.paint(lambda: found.render(given)))

    def _common(self, ask: Ask) -> dict[str, Any]:
        plant, speech = self.plant, ask.speech
        return {
            "t": speech.say,
            "word": speech.word,
            "n": speech.number,
            "value": speech.value,
            "money": speech.money,
            "lag": speech.lag,
            "ago": speech.ago,
            "clock": speech.clock,
            "full": speech.full,
            "language": speech.language,
            "page": ask.page,
            "here": ask.request.path_qs,
            "instance": plant.settings.daemon.instance,
            "ready": plant.ready.is_set(),
            "shadow": plant.house.shadow,
            "who": ask.visitor.name,
            "token": self.guard.token(ask.visitor),
            "said": self._said(ask),
            "may_leave": self.guard.asks and bool(ask.visitor.name),
        }

    def _said(self, ask: Ask) -> str:
        """Return what came of a change from which the browser was sent here."""
        key = f"said.{ask.query('said')}"
        return ask.speech.say(key) if key in texts() else ""

    async def answer(self, ask: Ask, template: str, values: Mapping[str, Any], *, status: int = 200) -> web.Response:
        """Return a page."""
        return self.html(await self.draw(template, ask, values), ask, status=status)

    def html(self, body: str, ask: Ask, *, status: int = 200) -> web.Response:
        """Return HTML with the headers and the cookie that every page has."""
        made = web.Response(text=body, status=status, content_type="text/html", charset="utf-8")
        return self.sealed(made, ask)

    def sealed(self, made: web.Response, ask: Ask) -> web.Response:
        """Return an answer with the headers of every page, and with the visitor's cookie where it is new."""
        made.headers.update(HEADERS)
        made.headers[hdrs.VARY] = "Cookie, Accept-Language"
        if ask.visitor.fresh:
            secure = ask.visitor.secure
            name = COOKIE if secure else PLAIN_COOKIE
            made.set_cookie(name, ask.visitor.id, path="/", secure=secure, httponly=True, samesite="Lax")
        return made

    def move(self, where: str, ask: Ask) -> web.Response:
        """Send the browser to another page by a GET."""
        return self.sealed(web.Response(status=303, headers={hdrs.LOCATION: where}), ask)

    def again(self, ask: Ask) -> Ask:
        """Return the request as one of now; raises Refused where its login has ended."""
        visitor = self.guard.visitor(ask.request, looks=False)
        if not visitor.name:
            raise Refused(401, "refused.login")
        return replace(ask, visitor=visitor, speech=replace(ask.speech, now=moment(self.plant.clock.now())))

    # --- serving ---

    def serving(self, page: str, serve: Serve, *, public: bool = False) -> Callable[..., Awaitable[web.StreamResponse]]:
        """Wrap what serves a page: who may not look is told so, and whatever goes wrong is a page too.

        `public` is served without a login.
        """

        async def handler(request: web.Request) -> web.StreamResponse:
            speech = self._speech(request)
            try:
                visitor = self.guard.visitor(request)
            except Refused as refused:
                if wait_s := self._stranger_waits(request):
                    return _later(wait_s)
                nobody = Visitor(id="", fresh=False, secure=request.secure, name="")
                ask = Ask(request=request, visitor=nobody, speech=speech, page="")
                return await self.trouble(ask, refused.status, speech.say(refused.reason))
            if not visitor.name and (wait_s := self._stranger_waits(request)):
                return _later(wait_s)
            ask = Ask(request=request, visitor=visitor, speech=speech, page=page)
            if not public and not visitor.name:
                return self.move(f"/login?{urlencode({'to': request.path_qs})}", ask)
            return await self._served(ask, serve)

        return handler

    def _stranger_waits(self, request: web.Request) -> float:
        """Count a request without a login; return 0, or how many seconds its address has to wait."""
        return self._strangers.take(address_of(request, self.plant.settings.pages.proxies))

    async def _served(self, ask: Ask, serve: Serve) -> web.StreamResponse:
        say = ask.speech.say
        try:
            return await serve(ask)
        except Refused as refused:
            told = await self.trouble(ask, refused.status, say(refused.reason))
            if refused.retry_after_s:
                told.headers[hdrs.RETRY_AFTER] = str(math.ceil(refused.retry_after_s))
            return told
        except Fault as fault:
            details = "; ".join(str(problem) for problem in fault.problems[:10])
            return await self.trouble(ask, fault.status, fault.message, details)
        except (TransientError, TimeoutError):
            return await self.trouble(ask, 503, say("trouble.busy"))
        except (SyncdError, ProtocolError) as error:
            return await self.trouble(ask, 500, say("trouble.fault"), type(error).__name__)
        except (asyncio.CancelledError, web.HTTPException, ConnectionError):
            raise
        except Exception as error:  # noqa: BLE001  (one bad page must not hide behind a closed connection)
            _log.exception("page.fault", page=ask.page, fault=type(error).__name__)
            return await self.trouble(ask, 500, say("trouble.fault"))

    async def trouble(self, ask: Ask, status: int, message: str, details: str = "") -> web.Response:
        """Return the page that says what is the matter."""
        values = {"status": status, "message": message, "details": details}
        return await self.answer(ask, "trouble.html", values, status=status)

    def _speech(self, request: web.Request) -> Speech:
        chosen = request.cookies.get(LANGUAGE_COOKIE, "")
        spoken = next((language for language in LANGUAGES if language == chosen), None)
        found = spoken or preferred(request.headers.get("Accept-Language", "")) or self.plant.settings.daemon.language
        return Speech(language=found, zone=self._zone, now=moment(self.plant.clock.now()))

    async def choose_language(self, ask: Ask) -> web.StreamResponse:
        """Keep a language, and go back to where the visitor was."""
        wanted = ask.request.match_info["language"]
        made = self.move(inside(ask.query("to")), ask)
        if wanted in LANGUAGES:
            secure = ask.visitor.secure
            made.set_cookie(LANGUAGE_COOKIE, wanted, max_age=LANGUAGE_S, path="/", secure=secure, samesite="Lax")
        return made

    async def form(self, ask: Ask) -> dict[str, str]:
        """Return the fields of a form that these pages sent; raises Refused for any other, Fault for one too large."""
        raw = b""
        async with asyncio.timeout(BODY_S):
            while not ask.request.content.at_eof():
                raw += await ask.request.content.read(MOST_FORM_BYTES)
                if len(raw) > MOST_FORM_BYTES:
                    raise Fault(413, ask.speech.say("refused.large"))
        fields = fields_of(raw)
        self.guard.check_meant(ask.request, ask.visitor, fields.pop("token", ""))
        return fields


def _later(wait_s: float) -> web.Response:
    """Return the answer to an address that asked too often: nothing is drawn for it."""
    headers = {**HEADERS, hdrs.RETRY_AFTER: str(max(1, math.ceil(wait_s)))}
    return web.Response(status=429, text="too many requests without a login\n", headers=headers)


def inside(where: str) -> str:
    """Return an address of these pages, `/` where it would lead out of them."""
    fine = where.startswith("/") and not where.startswith(("//", "/\\")) and where.isprintable()
    return where if fine and "\\" not in where else "/"


def link(path: str, **query: object) -> str:
    """Return an address with those parameters that say something."""
    given = {key: str(value) for key, value in query.items() if value not in ("", None, False)}
    return quote(path) + ("?" + urlencode(given) if given else "")


# --- what does not change -------------------------------------------------------------------------------------------

_KINDS: Final = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


def _read_assets() -> dict[str, tuple[bytes, str]]:
    found = {}
    for file in files(__package__).joinpath("static").iterdir():
        kind = _KINDS.get(file.name.rpartition(".")[2])
        if kind is not None:
            found[file.name] = (file.read_bytes(), kind)
    return found


ASSETS: Final = _read_assets()
VERSION: Final = hashlib.sha256(b"".join(body for _, (body, _) in sorted(ASSETS.items()))).hexdigest()[:12]


def asset_address(name: str) -> str:
    """Return where a browser finds an asset; the address changes with what is in there."""
    return f"/assets/{VERSION}/{name}"


async def serve_asset(request: web.Request) -> web.Response:
    """Return an asset, which a browser may keep for ever: nothing in it is anybody's."""
    found = ASSETS.get(request.match_info["name"])
    if found is None:
        raise web.HTTPNotFound
    body, kind = found
    made = web.Response(body=body, content_type=kind, charset="utf-8")
    made.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    made.headers["X-Content-Type-Options"] = "nosniff"
    made.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    return made
