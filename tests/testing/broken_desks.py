"""Zendesk desks with one planted bug each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import msgspec

from adapters.zendesk import ADAPTER, webhooks, wire
from adapters.zendesk.desk import ZendeskDesk
from adapters.zendesk.settings import ZendeskSettings
from adapters.zendesk.simulator import make
from adapters.zendesk.writer import Writer
from syncd.sdk.channel import OutcomeKind, RawRequest
from syncd.sdk.desk import DeskContext, TicketOutcome
from syncd.sdk.errors import RejectedError, TransientError
from syncd.testing.desk_conformance import DeskKit

Method = Callable[..., Any]


async def forgets_nothing(_desk: Any, ticket_ids: Any) -> Any:
    """Tell tickets as deleted that stay."""
    return list(ticket_ids)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bug:
    """One bug: the methods of a desk that it replaces, or another writer."""

    methods: Mapping[str, Any]
    writer: type[Writer] = Writer
    settings: type[ZendeskSettings] = ZendeskSettings

    def kit(self) -> DeskKit:
        """Return a kit around the broken desk."""
        kind = type("Broken", (ZendeskDesk,), dict(self.methods))

        @asynccontextmanager
        async def opened(settings: ZendeskSettings, context: DeskContext) -> AsyncIterator[Any]:
            desk = kind(settings, context)
            desk._writer = self.writer(desk._api, settings, desk._setup, desk._reader, context.clock)
            yield desk

        return DeskKit(adapter=replace(ADAPTER, open=opened, settings=self.settings), make=make)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoudSettings(ZendeskSettings):
    """Settings that print their secrets."""

    def __repr__(self) -> str:
        return f"Settings({self.client_secret.reveal()})"


class Forgetful(Writer):
    """Looks at a ticket, but not at its markers nor at the time of its last change, and guards nothing."""

    def _end(self, change: Any, remote: Any) -> Any:  # type: ignore[override]  # the bug is in how it looks
        plain = None if remote is None else msgspec.structs.replace(remote, tags=[])
        return Writer._end(replace(change, version=None), plain)

    async def _send(self, rows: Any) -> Any:
        loose = [replace(row, body={key: row.body[key] for key in row.body if key != "safe_update"}) for row in rows]
        return await super()._send(loose)


class Replacing(Writer):
    """Replaces the tags of a ticket by its own."""

    async def _send(self, rows: Any) -> Any:
        bad = [replace(row, body={**row.body, "tags": row.body["additional_tags"]}) for row in rows]
        return await super()._send(bad)


class Eager(Writer):
    """Takes a job that was accepted for one that is over."""

    def _taken(self, rows: Any, answer: Any) -> Any:
        return [replace(end, kind=OutcomeKind.APPLIED) for end in super()._taken(rows, answer)]


class Trusting(Writer):
    """Takes a completed job for one whose rows all were made."""

    async def _ask(self, job: Any) -> None:
        before = len(self._ended)
        await super()._ask(job)
        self._ended[before:] = [replace(end, kind=OutcomeKind.APPLIED) for end in self._ended[before:]]


def after(name: str, change: Callable[[Any], Any]) -> dict[str, Method]:
    """Replace a method by one that changes its answer."""
    original = getattr(ZendeskDesk, name)

    async def changed(self: Any, *args: Any, **named: Any) -> Any:
        return change(await original(self, *args, **named))

    return {name: changed}


def instead(name: str, kind: type[Exception], then: Callable[[], Exception]) -> dict[str, Method]:
    """Replace an error of a method by another."""
    original = getattr(ZendeskDesk, name)

    async def changed(self: Any, *args: Any) -> Any:
        try:
            return await original(self, *args)
        except kind:
            raise then() from None

    return {name: changed}


def found_with(change: Callable[[Any], Any]) -> dict[str, Method]:
    """Replace what is found of each ticket."""
    return after("find", lambda tickets: [change(ticket) for ticket in tickets])


def pages_with(change: Callable[[Any], Any]) -> dict[str, Method]:
    """Replace each page of changes."""
    return after("changed", change)


def profile_with(**values: Any) -> dict[str, Any]:
    """Replace fields of the profile."""
    original: Any = ZendeskDesk.profile
    return {"profile": property(lambda self: replace(original.fget(self), **values))}


def updates_as(change: Callable[[Any], Any]) -> dict[str, Method]:
    """Replace every change that is made."""

    async def update(self: Any, changes: Any) -> Any:
        return await ZendeskDesk.update(self, [change(each) for each in changes])

    return {"update": update}


def creates_as(change: Callable[[Any], Any]) -> dict[str, Method]:
    """Replace every ticket that is opened."""

    async def create(self: Any, tickets: Any) -> Any:
        return await ZendeskDesk.create(self, [change(each) for each in tickets])

    return {"create": create}


def numbered(counter: count[int]) -> Callable[[Any], Any]:
    """Give each opening a key of its own."""
    return lambda wanted: replace(wanted, key=f"{wanted.key}-{next(counter)}")


def parsed_with(change: Callable[[Any], Any]) -> dict[str, Method]:
    """Replace what a webhook means."""
    return {"parse": lambda self, request: change(ZendeskDesk.parse(self, request))}


async def raises_for_a_row(self: Any, changes: Any) -> Any:
    ends = await ZendeskDesk.update(self, changes)
    if any(end.kind is OutcomeKind.REJECTED for end in ends):
        raise RejectedError("a row was refused")
    return ends


async def makes_half(self: Any, changes: Any) -> Any:
    ends = await ZendeskDesk.update(self, changes[:40])
    return [*ends, *(_applied(change) for change in changes[40:])]


async def claims_what_it_does_not_know(self: Any, changes: Any) -> Any:
    try:
        ends = await ZendeskDesk.update(self, changes)
    except TransientError:
        return [_applied(change) for change in changes]
    return [replace(end, kind=OutcomeKind.APPLIED) if end.kind is OutcomeKind.INDETERMINATE else end for end in ends]


async def says_that_it_was_sent(self: Any, changes: Any) -> Any:
    try:
        return await ZendeskDesk.update(self, changes)
    except TransientError as fault:
        fault.sent = True
        raise


async def refuses_nothing(self: Any, changes: Any) -> Any:
    if not changes:
        raise RejectedError("nothing given")
    return await ZendeskDesk.update(self, changes)


def timeless(self: Any, request: RawRequest) -> None:
    """Take the time of a webhook for now."""
    told = request.headers.get(webhooks.TIMESTAMP, "")
    now = wire.instant(told) if told else 0
    webhooks.verify(request, secret=self._rules.webhook_secret, now=now or 0)


def stumbles(self: Any, request: RawRequest) -> Any:
    body = msgspec.json.decode(request.body)
    return webhooks.parse(replace(request, body=msgspec.json.encode({**body, "id": body["id"]})))


async def plans_by_doing(self: Any, **given: Any) -> Any:
    return await ZendeskDesk.provision(self, **given)


async def only_plans(self: Any, **given: Any) -> Any:
    return await ZendeskDesk.plan(self, **given)


async def keeps_first_texts(self: Any, *, texts: Any, **given: Any) -> Any:
    first = self.__dict__.setdefault("first_texts", texts)
    return await ZendeskDesk.provision(self, texts=first, **given)


async def forgets_what_is_there(self: Any, *, language: Any, texts: Any, webhook_url: str) -> Any:
    """Rename everything at each set-up, so that nothing is known again."""
    number = self.__dict__["rounds"] = self.__dict__.get("rounds", 0) + 1

    class Other:
        def text(self, kind: Any, of: Any, values: Any) -> tuple[str, str]:
            subject, body = texts.text(kind, of, values)
            return subject, f"{body} {number}"

    return await ZendeskDesk.provision(self, language=language, texts=Other(), webhook_url=webhook_url)


def _applied(change: Any) -> TicketOutcome:
    return TicketOutcome(ticket_id=change.ticket_id, event=change.event, kind=OutcomeKind.APPLIED)
