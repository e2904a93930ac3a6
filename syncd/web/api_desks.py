"""The API of a desk's set-up: the plan, and doing it."""

from __future__ import annotations

import asyncio
from typing import Final

import msgspec
from aiohttp import web

from syncd.core.tickets import DeskId, Language
from syncd.sdk.desk import Provisionable, Step
from syncd.sdk.errors import ChannelError
from syncd.web.api_facts import Said
from syncd.web.api_shape import Rows, Scope, shaped
from syncd.web.api_wire import Answer, Fault, Route, Service, body_of, query_of

PROVISION_S: Final = 300.0
"""Longest set-up of a desk."""


class Spoken(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """In which language; empty: the one of the settings."""

    language: Language | None = None


class SetUp(Said, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """In which language a desk is set up."""

    language: Language | None = None


@shaped(query=Spoken, answer=Rows[Step])
async def get_plan(service: Service, request: web.Request) -> Answer:
    """Say what a set-up of a desk would do; changes nothing."""
    asked = query_of(request, Spoken)
    return await _steps(service, request.match_info["desk"], asked.language, apply=False)


@shaped(body=SetUp, scope=Scope.ADMIN, answer=Rows[Step])
async def post_provision(service: Service, request: web.Request) -> Answer:
    """Set a desk up; repeatable, and nothing of the shop's own is touched."""
    body = await body_of(request, SetUp)
    return await _steps(service, request.match_info["desk"], body.language, apply=True)


async def _steps(service: Service, name: str, language: Language | None, *, apply: bool) -> Answer:
    plant = service.plant
    found = plant.desks.get(DeskId(name))
    if found is None:
        raise Fault(404, f"there is no desk {name}; see `syncd desk status`")
    desk = found.desk
    if not isinstance(desk, Provisionable):
        raise Fault(409, f"{name} needs no set-up")
    spoken = language or Language(plant.settings.waitlist.language)
    public = plant.settings.http.public_url.rstrip("/")
    url = f"{public}/webhooks/{name}" if public else ""
    work = desk.provision if apply else desk.plan
    try:
        async with asyncio.timeout(PROVISION_S):
            steps = await work(language=spoken, texts=plant.texts, webhook_url=url)
    except (ChannelError, TimeoutError) as error:
        raise Fault(503, f"{name} could not be set up: {type(error).__name__}: {error}") from None
    return Answer(body={"rows": steps})


ROUTES: Final[tuple[Route, ...]] = (
    ("GET", "/desks/{desk}/plan", get_plan),
    ("POST", "/desks/{desk}/provision", post_provision),
)
