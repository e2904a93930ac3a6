"""Send changes to one desk: the intent stored first, each ticket's changes in order, and no unknown end guessed."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import structlog
from sqlalchemy import Connection

from syncd.core.terms import SECOND_US, Instant, OutcomeKind
from syncd.core.tickets import (
    Contact,
    EventId,
    NewTicket,
    Ticket,
    TicketChange,
    TicketId,
    TicketOutcome,
    TicketStatus,
)
from syncd.core.waitlist import ChangeEnd, TicketOutcomeFact
from syncd.engine.channels import CALL_S, guarded
from syncd.engine.desks import OpenDesk
from syncd.engine.drafting import Drafting, contacts
from syncd.engine.endings import CLOSED, GONE
from syncd.engine.intake import Intake
from syncd.engine.linking import About
from syncd.engine.quiet import QuietOf
from syncd.engine.timing import nap
from syncd.sdk.channel import Clock
from syncd.sdk.desk import LateTicketOutcomes, PacedDesk
from syncd.sdk.errors import ChannelError, ProtocolError, RejectedError, TransientError
from syncd.store import changes, escalations, offers, tickets, waiting
from syncd.store.changes import Change, ChangeKind, ChangeState
from syncd.store.session import Store
from syncd.store.tickets import KnownTicket

IDLE_S: Final = 30.0
"""Longest rest: a hint that got lost costs this much time."""
AGAIN_S: Final = 5.0
"""After how long a change is sent again that was certainly not made; it doubles."""
MOST_AWAITED: Final = 1_000
"""Most changes among which late ends are looked for."""
_log = structlog.get_logger("syncd.sending")
_FROZEN: Final = {TicketStatus.CLOSED: CLOSED, TicketStatus.GONE: GONE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Changes to be sent or looked up, with the tickets that they are of and those who left an address.

    `held_back` are the numbers of those whose letter a person has to send.
    """

    changes: tuple[Change, ...]
    tickets: Mapping[int, KnownTicket]
    contacts: Mapping[int, Contact]
    about: Mapping[int, About]
    held_back: frozenset[int] = frozenset()

    def about_of(self, change: Change) -> About | None:
        """Return whom a change is about, None where no entry belongs to it."""
        return None if change.entry_id is None else self.about.get(change.entry_id)

    def ticket_of(self, change: Change) -> KnownTicket | None:
        """Return the ticket that a change is of."""
        return None if change.ticket_row is None else self.tickets.get(change.ticket_row)

    def name_of(self, change: Change) -> TicketId:
        """Return the id of the ticket that a change is of, empty where there is none."""
        ticket = self.ticket_of(change)
        return TicketId("") if ticket is None else ticket.ticket_id


class Sending:
    """The only one who changes tickets at a desk."""

    def __init__(
        self,
        open_desk: OpenDesk,
        *,
        store: Store,
        intake: Intake,
        clock: Clock,
        drafting: Drafting,
        quiet: QuietOf = lambda _language, _now: None,
    ) -> None:
        self._open = open_desk
        self._store = store
        self._intake = intake
        self._clock = clock
        self._drafting = drafting
        self._quiet = quiet

    async def run(self, stop: asyncio.Event) -> None:
        """Send until told to stop; a batch under way is finished."""
        self._open.pulse.ending = stop
        while not stop.is_set():
            self._open.writes.clear()
            done = await guarded(self._open, self.step)
            if not done:
                await nap(await self._rest_s(), self._open.writes, stop)

    async def step(self) -> int:
        """Do one round: late ends, what is to be looked up, then updates, then openings; return how many ended."""
        known = (await self._store.read(tickets.desks)).get(self._open.name)
        if known is None:
            return 0
        done = await self._hear_late() + await self._look_up()
        if known.live:
            done += 0 if self._held_s() else await self._update()
            done += await self._create()
        return done

    def _held_s(self) -> float:
        """Return how long the desk takes no updates, as it knows itself."""
        desk = self._open.desk
        return desk.update_delay_s() if isinstance(desk, PacedDesk) else 0.0

    async def _rest_s(self) -> float:
        due = await self._store.read(lambda conn: changes.next_due(conn, self._open.name))
        late = self._open.desk.late_due_s() if isinstance(self._open.desk, LateTicketOutcomes) else None
        waits = [IDLE_S]
        if due is not None:
            waits.append(max(self._held_s() or 1.0, (due - self._clock.now()) / SECOND_US))
        if late is not None:
            waits.append(max(0.1, late))
        return min(waits)

    async def _waiting(self, kind: ChangeKind, limit: int) -> Batch:
        name, now = self._open.name, self._clock.now()
        return await self._store.read(lambda c: _batch(c, changes.due(c, name, kind=kind, now=now, limit=limit)))

    async def _unknown(self, kind: ChangeKind, limit: int, *, due_at: Instant) -> Batch:
        name = self._open.name
        return await self._store.read(
            lambda c: _batch(c, changes.unknown(c, name, kind=kind, due_at=due_at, limit=limit))
        )

    # --- sending ---

    async def _update(self) -> int:
        batch, asleep = await self._awake(await self._waiting(ChangeKind.UPDATE, self._open.desk.profile.max_update))
        ready: list[tuple[Change, TicketChange]] = []
        ends: list[ChangeEnd] = []
        for change in batch.changes:
            ticket = batch.ticket_of(change)
            frozen = GONE if ticket is None else _FROZEN.get(ticket.status, "")
            if ticket is None or frozen:
                ends.append(rejected(change, frozen, batch.name_of(change)))
                continue
            try:
                held_back, about = change.id in batch.held_back, batch.about_of(change)
                ready.append((change, self._drafting.update(change, ticket, about, held_back=held_back)))
            except RejectedError as error:
                ends.append(rejected(change, str(error), ticket.ticket_id))
        if ready:
            await self._intend([change for change, _ in ready], batch.held_back)
            outcomes = {(one.ticket_id, one.event): one for one in await self._call([one for _, one in ready])}
            ends += [end_of(change, outcomes.get((one.ticket_id, one.event)), one.ticket_id) for change, one in ready]
        await self._put(ends)
        return len(ends) + asleep

    async def _awake(self, batch: Batch) -> tuple[Batch, int]:
        """Let what would reach somebody in quiet hours wait for their end; return the rest, and how many wait."""
        now, later = self._clock.now(), {}
        for change in batch.changes:
            contact = None if change.entry_id is None else batch.contacts.get(change.entry_id)
            reaches = change.id not in batch.held_back  # a draft is read by nobody at night
            if reaches and self._drafting.reaches(change, batch.ticket_of(change), contact):
                quiet = self._quiet(self._drafting.language_of(change.content), now)
                if quiet is not None and quiet.holds(now):
                    later[change.id] = quiet.after(now)
        if later:
            await self._store.write(lambda conn: changes.postpone(conn, later))
            _log.info("letters.quiet", desk=self._open.name, count=len(later))
        return replace(batch, changes=tuple(one for one in batch.changes if one.id not in later)), len(later)

    async def _call(self, ready: Sequence[TicketChange]) -> list[TicketOutcome]:
        try:
            async with asyncio.timeout(CALL_S):
                return await self._open.desk.update(ready)
        except (ChannelError, TimeoutError) as error:
            kind, reason = self._failed(error)
            return [TicketOutcome(ticket_id=x.ticket_id, event=x.event, kind=kind, reason=reason) for x in ready]

    async def _create(self) -> int:
        batch, asleep = await self._awake(await self._waiting(ChangeKind.CREATE, self._open.desk.profile.max_create))
        ready: list[tuple[Change, NewTicket]] = []
        ends: list[ChangeEnd] = []
        for change in batch.changes:
            contact = None if change.entry_id is None else batch.contacts.get(change.entry_id)
            try:
                held_back, about = change.id in batch.held_back, batch.about_of(change)
                ready.append((change, self._drafting.opening(change, contact, about, held_back=held_back)))
            except RejectedError as error:
                ends.append(rejected(change, str(error), TicketId("")))
        if ready:
            await self._intend([change for change, _ in ready], batch.held_back)
            outcomes = await self._open_tickets([one for _, one in ready])
            ends += [end_of(change, one, TicketId("")) for (change, _), one in zip(ready, outcomes, strict=True)]
        await self._put(ends)
        return len(ends) + asleep

    async def _open_tickets(self, ready: Sequence[NewTicket]) -> list[TicketOutcome | None]:
        try:
            async with asyncio.timeout(CALL_S):
                outcomes: list[TicketOutcome | None] = [*await self._open.desk.create(ready)]
        except (ChannelError, TimeoutError) as error:
            kind, reason = self._failed(error)
            nobody = TicketId("")
            return [TicketOutcome(ticket_id=nobody, event=x.event, kind=kind, reason=reason) for x in ready]
        return [*outcomes, *([None] * len(ready))][: len(ready)]

    def _failed(self, error: ChannelError | TimeoutError) -> tuple[OutcomeKind, str]:
        """Take the failure of a whole call; return what it means for its rows."""
        fault = error if isinstance(error, ChannelError) else TransientError(f"no answer within {CALL_S:.0f} s")
        self._open.pulse.failed(fault)
        unknown = isinstance(fault, ProtocolError) or (isinstance(fault, TransientError) and fault.sent)
        kind = OutcomeKind.INDETERMINATE if unknown else OutcomeKind.UNSENT
        return kind, f"{type(fault).__name__}: {fault}"[:200]

    async def _intend(self, ready: Sequence[Change], held_back: frozenset[int]) -> None:
        ids, now = [change.id for change in ready], self._clock.now()
        await self._store.write(lambda conn: changes.intend(conn, ids, drafted=held_back, now=now))

    async def _put(self, ends: Sequence[ChangeEnd]) -> None:
        if ends:
            unknown = any(end.kind in (OutcomeKind.INDETERMINATE, OutcomeKind.ACCEPTED) for end in ends)
            again_s = max(AGAIN_S, self._open.desk.profile.resend_after_s) if unknown else AGAIN_S
            fact = TicketOutcomeFact(desk=self._open.name, ends=tuple(ends), again_s=again_s)
            # Decided before the next round: what is to be sent then is asked of the tables.
            receipt = await self._intake.put_one(fact, source=self._open.name, key=None)
            await self._intake.settle(receipt.inbox_id)

    # --- ends that are not known ---

    async def _hear_late(self) -> int:
        desk = self._open.desk
        if not isinstance(desk, LateTicketOutcomes) or desk.late_due_s() is None:
            return 0
        async with asyncio.timeout(CALL_S):
            outcomes = await desk.late_outcomes()
        if not outcomes:
            return 0
        batch = await self._unknown(ChangeKind.UPDATE, MOST_AWAITED, due_at=_LATER)
        awaited = {(batch.name_of(change), change.event): change for change in batch.changes}
        told = [one for one in outcomes if (one.ticket_id, one.event) in awaited]
        await self._put([end_of(awaited[one.ticket_id, one.event], one, one.ticket_id) for one in told])
        return len(told)

    async def _look_up(self) -> int:
        """Look at tickets whose change has an unknown end: the marker of its event tells."""
        now, profile = self._clock.now(), self._open.desk.profile
        openings = await self._unknown(ChangeKind.CREATE, profile.max_create, due_at=now)
        ends = [self._reopened(change) for change in openings.changes]
        batch = await self._unknown(ChangeKind.UPDATE, profile.max_find, due_at=now)
        names = sorted({name for change in batch.changes if (name := batch.name_of(change))})
        if names:
            async with asyncio.timeout(CALL_S):
                found = {ticket.ticket_id: ticket for ticket in await self._open.desk.find(names)}
            ends += [self._looked(change, batch.name_of(change), found) for change in batch.changes]
        await self._put(ends)
        return len(ends)

    def _reopened(self, change: Change) -> ChangeEnd:
        """Say how an opening of unknown end goes on: a key that is there already answers its ticket."""
        return ChangeEnd(key=change.key, ticket_id=TicketId(""), kind=OutcomeKind.UNSENT, reason="asked for again")

    def _looked(self, change: Change, name: TicketId, found: Mapping[TicketId, Ticket]) -> ChangeEnd:
        ticket = found.get(name)
        if ticket is None:
            return rejected(change, GONE, name)
        if change.event in ticket.markers:
            return ChangeEnd(key=change.key, ticket_id=name, kind=OutcomeKind.APPLIED, version=ticket.version)
        went = change.message and not change.drafted and not self._drafting.owns(change)
        if went and not self._open.desk.profile.certain:
            kind, reason = OutcomeKind.INDETERMINATE, "the letter may have gone"
            return ChangeEnd(key=change.key, ticket_id=name, kind=kind, reason=reason, final=True)
        return ChangeEnd(key=change.key, ticket_id=name, kind=OutcomeKind.UNSENT, reason="its marker is not there")


_LATER: Final = 2**62


def _batch(conn: Connection, found: Sequence[Change]) -> Batch:
    rows = {change.ticket_row for change in found if change.ticket_row is not None}
    entries = {change.entry_id for change in _openings(found) if change.entry_id is not None}
    letters = {change.id: (change.entry_id, change.ticket_row) for change in found if change.message}
    persons = escalations.held_back(conn, set(letters.values()))
    return Batch(
        changes=tuple(found),
        tickets=tickets.by_id(conn, rows),
        contacts=contacts(conn, entries) if entries else {},
        held_back=frozenset(number for number, subject in letters.items() if subject in persons),
        about=_about(conn, {change.entry_id for change in found if change.entry_id is not None}),
    )


def _about(conn: Connection, entry_ids: Collection[int]) -> dict[int, About]:
    known = waiting.entries(conn, entry_ids)
    orders = tickets.order_ids(conn, {entry.order_row for entry in known.values() if entry.order_row is not None})
    links: dict[int, dict[EventId, str]] = {}
    for (number, event), link in offers.links(conn, entry_ids).items():
        links.setdefault(number, {})[event] = link
    return {
        number: About(entry=entry, order_id=orders.get(entry.order_row or 0, ""), links=links.get(number, {}))
        for number, entry in known.items()
    }


def _openings(found: Iterable[Change]) -> list[Change]:
    return [change for change in found if change.kind is ChangeKind.CREATE and change.state is ChangeState.WAITING]


def rejected(change: Change, reason: str, ticket_id: TicketId) -> ChangeEnd:
    """Return the end of a change that was not even sent."""
    return ChangeEnd(key=change.key, ticket_id=ticket_id, kind=OutcomeKind.REJECTED, reason=reason)


def end_of(change: Change, outcome: TicketOutcome | None, ticket_id: TicketId) -> ChangeEnd:
    """Return the end of a change by its outcome; what an adapter forgot is not known."""
    if outcome is None:
        reason = "the adapter gave no outcome"
        return ChangeEnd(key=change.key, ticket_id=ticket_id, kind=OutcomeKind.INDETERMINATE, reason=reason)
    return ChangeEnd(
        key=change.key,
        ticket_id=outcome.ticket_id or ticket_id,
        kind=outcome.kind,
        reason=outcome.reason,
        version=outcome.version,
    )
