"""One open Zendesk account: the four methods of a desk, and its features."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from adapters.zendesk import health, webhooks
from adapters.zendesk.api import Api
from adapters.zendesk.fields import Setup
from adapters.zendesk.opener import MOST_OPENED, Opener
from adapters.zendesk.provision import Provisioner
from adapters.zendesk.reader import MOST_SHOWN, Reader
from adapters.zendesk.rules_there import RulesThere
from adapters.zendesk.settings import ZendeskSettings
from adapters.zendesk.writer import Writer
from syncd.sdk.channel import RawRequest
from syncd.sdk.desk import (
    DeskContext,
    DeskNotice,
    DeskProfile,
    Language,
    NewTicket,
    Step,
    TextSource,
    Ticket,
    TicketChange,
    TicketId,
    TicketOutcome,
    TicketPage,
)
from syncd.sdk.errors import ConfigError

RESEND_AFTER_S = 3.0
"""A change is guarded by what was read before it, so that it may be made again as soon as a look finds no marker."""


class ZendeskDesk:
    """An account of Zendesk Support. What it remembers is only a help: losing it costs reads."""

    def __init__(self, settings: ZendeskSettings, context: DeskContext) -> None:
        self._settings = settings
        self._clock = context.clock
        self._lexicon = context.lexicon
        api = Api(settings, context)
        self._api = api
        self._setup = Setup(api, settings, context.clock)
        self._rules = RulesThere(api, settings, context)
        self._reader = Reader(api, settings, self._setup, context.clock, context.lexicon)
        self._writer = Writer(api, settings, self._setup, self._reader, context.clock)
        self._opener = Opener(api, settings, self._setup, self._reader)

    async def load(self) -> None:
        """Take from the shelf which rules were there last; asks nobody else."""
        await self._rules.load()

    @property
    def profile(self) -> DeskProfile:
        """Return what Zendesk can do; it owns the messages of those rules of syncd's that are switched on."""
        return DeskProfile(
            max_find=MOST_SHOWN,
            max_update=MOST_SHOWN,
            max_create=MOST_OPENED,
            owns=self._rules.owns,
            sends=True,
            certain=True,
            resend_after_s=RESEND_AFTER_S,
        )

    async def changed(self, cursor: str | None) -> TicketPage:
        """Read a page of tickets that changed; looks now and then which rules are there."""
        await self._rules.refresh()
        return await self._reader.changed(cursor)

    async def find(self, ticket_ids: Sequence[TicketId]) -> list[Ticket]:
        """Read these tickets as they are now."""
        return await self._reader.find(ticket_ids)

    async def update(self, changes: Sequence[TicketChange]) -> list[TicketOutcome]:
        """Make these changes in one job; their ends come late."""
        return await self._writer.update(changes)

    async def create(self, tickets: Sequence[NewTicket]) -> list[TicketOutcome]:
        """Open these tickets."""
        return await self._opener.create(tickets)

    # --- features ------------------------------------------------------------------------------------------------

    def update_delay_s(self) -> float:
        """Return after how many seconds an update would be taken."""
        return self._writer.update_delay_s()

    def late_due_s(self) -> float | None:
        """Return after how many seconds a job may be over; None where none runs."""
        return self._writer.late_due_s()

    async def late_outcomes(self) -> list[TicketOutcome]:
        """Return the ends of changes whose jobs are over."""
        return await self._writer.late_outcomes()

    def verify(self, request: RawRequest) -> None:
        """Raise `Forged` unless Zendesk signed these bytes within five minutes."""
        webhooks.verify(request, secret=self._rules.webhook_secret, now=self._clock.now())

    def parse(self, request: RawRequest) -> DeskNotice:
        """Say which ticket a verified event is about."""
        return webhooks.parse(request)

    async def plan(self, *, language: Language, texts: TextSource, webhook_url: str) -> list[Step]:
        """Say what a set-up would do."""
        return await self._provisioner(language, texts, webhook_url).plan()

    async def provision(self, *, language: Language, texts: TextSource, webhook_url: str) -> list[Step]:
        """Set up fields, form, triggers, automations, macros, views and webhook; repeatable."""
        done = await self._provisioner(language, texts, webhook_url).act()
        self._setup.forget()
        await self._rules.refresh(now=True)
        return done

    def _provisioner(self, language: Language, texts: TextSource, webhook_url: str) -> Provisioner:
        return Provisioner(
            self._api,
            self._settings,
            language=language,
            texts=texts,
            webhook_url=webhook_url,
            lexicon=self._lexicon,
        )

    async def check(self) -> list[str]:
        """Return what a person should mend; raises `AuthError` where the credentials are not accepted."""
        self._setup.forget()
        me = await health.whoami(self._api)
        fields = await self._setup.map()
        is_admin = await self._reader.try_export()
        await self._rules.refresh(now=True)
        return health.advice(settings=self._settings, role=me.role, is_admin=is_admin, fields=fields, rules=self._rules)


@asynccontextmanager
async def open_desk(settings: ZendeskSettings, context: DeskContext) -> AsyncIterator[ZendeskDesk]:
    """Open an account; nothing is sent before the first call. Raises `ConfigError` with every problem."""
    problems = settings.problems()
    if problems:
        raise ConfigError(problems)
    desk = ZendeskDesk(settings, context)
    await desk.load()
    yield desk
