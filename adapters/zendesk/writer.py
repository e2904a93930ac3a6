"""Changing tickets: up to a hundred in one call, each guarded, each made once.

Every change is preceded by a fresh look. A ticket that bears the event already is left alone; of the others each row
is guarded by the time of the ticket's last change (`safe_update`), so that of two rows made from one look only the
first can have an effect, however late Zendesk works on either. That is why a change of unknown end may be made again
once a look finds no marker. The guard knows seconds only: what says something to somebody is not sent before the
second of the last change is over.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, TypeAlias

from adapters.zendesk import jobs, names, wire
from adapters.zendesk.api import TOO_MANY_JOBS, Api, Kind, decode, verdict
from adapters.zendesk.fields import Setup
from adapters.zendesk.jobs import Job, outcome
from adapters.zendesk.reader import Look, Reader
from adapters.zendesk.settings import ZendeskSettings
from adapters.zendesk.wire import Row
from syncd.sdk.channel import Clock, OutcomeKind
from syncd.sdk.desk import EventId, TicketChange, TicketId, TicketOutcome
from syncd.sdk.errors import ChannelError, NoTurn, ProtocolError, TransientError
from syncd.sdk.http import Answer

MOST_JOBS: Final = 3
"""Jobs of ours at a time; Zendesk allows an account 30, its people's among them."""
LEAST_WAIT_S: Final = 0.1
"""A job's end is still to be told even where it may be asked for at once."""
BUSY_S: Final = 15.0
"""How long to wait where the account's jobs are all taken."""
MOST_CHANGES: Final = 30
"""Changes of one ticket by one user within ten minutes; people's at the screen count too."""
CHANGES_S: Final = 600.0
_Name: TypeAlias = tuple[TicketId, EventId]
_REFUSALS: Final = (400, 409, 413, 422, 429)


@dataclass(slots=True, kw_only=True)
class _Batch:
    """What becomes of the changes of one call, in their order: an end, or None where its row is still to be sent."""

    changes: Sequence[TicketChange]
    ends: list[TicketOutcome | None]
    rows: dict[int, Row]

    def whole(self, sent: Sequence[TicketOutcome]) -> list[TicketOutcome]:
        """Return all ends, with those of the rows that were sent put in their places."""
        ends = list(self.ends)
        for place, end in zip(self.rows, sent, strict=True):
            ends[place] = end
        return [end for end in ends if end is not None]


class Writer:
    """Changes tickets of one account, and learns how its jobs end."""

    def __init__(self, api: Api, settings: ZendeskSettings, setup: Setup, reader: Reader, clock: Clock) -> None:
        self._api = api
        self._settings = settings
        self._setup = setup
        self._reader = reader
        self._clock = clock
        self._jobs: list[Job] = []
        self._ended: list[TicketOutcome] = []
        self._sent: dict[int, deque[float]] = {}
        self._alone: set[_Name] = set()

    async def update(self, changes: Sequence[TicketChange]) -> list[TicketOutcome]:
        """Make changes; ACCEPTED ones end in `late_outcomes`. Raises `NoTurn` while three jobs of ours run."""
        awaited = {_name(row.change) for job in self._jobs for row in job.rows}
        new = [change for change in changes if _name(change) not in awaited]
        ends = {(end.ticket_id, end.event): end for end in await self._made(new)} if new else {}
        # What a job of ours has already is not sent again: its end is still to come.
        return [ends.get(_name(change)) or outcome(change, OutcomeKind.ACCEPTED) for change in changes]

    async def _made(self, changes: Sequence[TicketChange]) -> list[TicketOutcome]:
        if len(self._jobs) >= MOST_JOBS:
            raise NoTurn(f"Zendesk works on {MOST_JOBS} jobs of ours", retry_after_s=self.late_due_s() or 0.0)
        try:
            fields = await self._setup.whole()
            look = await self._look(changes)
        except TransientError as fault:
            fault.sent = False  # it was only a look: nothing of the change was sent
            raise
        batch = self._judged(changes, look, fields)
        self._single_out(batch)
        return batch.whole(await self._send(list(batch.rows.values())))

    async def _look(self, changes: Sequence[TicketChange]) -> Look:
        wanted = [int(change.ticket_id) for change in changes if change.ticket_id.isdecimal()]
        return await self._reader.look(wanted, urgent=True) if wanted else Look(tickets={}, read_at=0, settled_until=0)

    def _judged(self, changes: Sequence[TicketChange], look: Look, fields: wire.FieldMap) -> _Batch:
        batch = _Batch(changes=changes, ends=[], rows={})
        for place, change in enumerate(changes):
            remote = look.tickets.get(int(change.ticket_id)) if change.ticket_id.isdecimal() else None
            end = self._end(change, remote)
            if end is None and remote is not None:
                row = wire.row(change, remote, fields, self._settings)
                end = self._not_yet(row, remote, look)
                if end is None:
                    batch.rows[place] = row
            batch.ends.append(end)
        return batch

    def _single_out(self, batch: _Batch) -> None:
        """Where rows of a refused batch are among these, send the first of them alone, and let the others wait."""
        first = next((place for place, row in batch.rows.items() if _name(row.change) in self._alone), None)
        if first is None:
            return
        self._alone.discard(_name(batch.rows[first].change))
        for place in set(batch.rows) - {first}:
            row = batch.rows.pop(place)
            batch.ends[place] = outcome(row.change, OutcomeKind.UNSENT, "behind a row that is sent alone")

    @staticmethod
    def _end(change: TicketChange, remote: wire.RemoteTicket | None) -> TicketOutcome | None:
        """Return the end that a change has already; None where it is to be made."""
        if remote is None:
            return outcome(change, OutcomeKind.REJECTED, jobs.GONE)
        version = wire.instant(remote.updated_at)
        if names.event_tag(change.event) in remote.tags:
            return outcome(change, OutcomeKind.APPLIED, version=version)
        if remote.status == wire.CLOSED:
            return outcome(change, OutcomeKind.REJECTED, jobs.CLOSED, version=version)
        if change.version is not None and change.version != version:
            return outcome(change, OutcomeKind.STALE, "the ticket is another by now", version=version)
        reason = wire.unwritable(change, remote)
        return outcome(change, OutcomeKind.REJECTED, reason, version=version) if reason else None

    def _not_yet(self, row: Row, remote: wire.RemoteTicket, look: Look) -> TicketOutcome | None:
        """Return why a row must wait; None where it may be sent."""
        if row.has_comment and (wire.instant(remote.updated_at) or 0) >= look.settled_until:
            return outcome(row.change, OutcomeKind.UNSENT, "the ticket changed in this very second")
        if self._used_up(remote.id):
            reason = f"{MOST_CHANGES} changes of this ticket in ten minutes"
            return outcome(row.change, OutcomeKind.UNSENT, reason)
        return None

    def _used_up(self, ticket_id: int) -> bool:
        sent = self._sent.get(ticket_id)
        if sent is None:
            return False
        while sent and sent[0] <= self._clock.monotonic() - CHANGES_S:
            sent.popleft()
        if not sent:
            del self._sent[ticket_id]
        return len(sent) >= MOST_CHANGES

    # --- sending ---------------------------------------------------------------------------------------------------

    async def _send(self, rows: Sequence[Row]) -> list[TicketOutcome]:
        """Send rows as one job; raises only where nothing can have had an effect."""
        if not rows:
            return []
        try:
            answer = await self._api.call(
                "PUT",
                "/tickets/update_many",
                json={"tickets": [row.body for row in rows]},
                kind=Kind.UPDATE,
                urgent=True,
                expect=(200, *_REFUSALS),
            )
        except ChannelError as fault:
            if not _may_have_worked(fault):
                raise
            return [outcome(row.change, OutcomeKind.INDETERMINATE, "the answer was lost") for row in rows]
        if answer.status != HTTPStatus.OK:
            return self._refused(rows, answer)
        self._count(rows)
        return self._taken(rows, answer)

    def _refused(self, rows: Sequence[Row], answer: Answer) -> list[TicketOutcome]:
        """Return the ends of rows that were refused together; raises `NoTurn` where the account's jobs are taken.

        Nothing tells which row a batch was refused for: from then on each of them is sent alone.
        """
        said = verdict(answer)
        if said.word == TOO_MANY_JOBS:
            raise NoTurn("Zendesk has too many jobs of this account", retry_after_s=BUSY_S)
        if answer.status == HTTPStatus.CONFLICT or len(rows) == 1:
            return [jobs.refused(row.change, said.text or str(answer.status)) for row in rows]
        self._alone |= {_name(row.change) for row in rows}
        return [outcome(row.change, OutcomeKind.UNSENT, "its batch was refused") for row in rows]

    def _taken(self, rows: Sequence[Row], answer: Answer) -> list[TicketOutcome]:
        try:
            status = decode(answer, jobs.JobAnswer).job_status
        except ProtocolError:
            return [outcome(row.change, OutcomeKind.INDETERMINATE, "the answer was not understood") for row in rows]
        now_s = self._clock.monotonic()
        job = Job(job_id=status.id, rows=rows, sent_at_s=now_s)
        job.put_off(now_s)
        self._jobs.append(job)
        return [outcome(row.change, OutcomeKind.ACCEPTED) for row in rows]

    def _count(self, rows: Sequence[Row]) -> None:
        now_s = self._clock.monotonic()
        for row in rows:
            self._sent.setdefault(row.body["id"], deque(maxlen=MOST_CHANGES)).append(now_s)
        if len(self._sent) > 10_000:
            for ticket_id in list(self._sent):
                self._used_up(ticket_id)

    def update_delay_s(self) -> float:
        """Return seconds until an update may be sent: until a job of ours may be over, or until there is a turn."""
        if len(self._jobs) >= MOST_JOBS:
            return max(self.late_due_s() or 0.0, LEAST_WAIT_S)
        return self._api.delay_s(Kind.UPDATE)

    # --- late ends -------------------------------------------------------------------------------------------------

    def late_due_s(self) -> float | None:
        """Return after how many seconds a job is to be asked for; None without one."""
        if self._ended:
            return 0.0
        if not self._jobs:
            return None
        return max(min(job.ask_at_s for job in self._jobs) - self._clock.monotonic(), 0.0)

    async def late_outcomes(self) -> list[TicketOutcome]:
        """Ask for the jobs that are due, and return the ends of those that are over."""
        for job in list(self._jobs):
            if job.ask_at_s <= self._clock.monotonic():
                await self._ask(job)
        ended, self._ended = self._ended, []
        return ended

    async def _ask(self, job: Job) -> None:
        answer = await self._api.call("GET", f"/job_statuses/{job.job_id}", expect=(200, 404), urgent=True)
        status = decode(answer, jobs.JobAnswer).job_status if answer.status == HTTPStatus.OK else None
        now_s = self._clock.monotonic()
        if status is not None and status.status in jobs.RUNNING and not job.is_given_up(now_s):
            job.put_off(now_s)
            return
        over = status is not None and status.status not in jobs.RUNNING
        found = jobs.told(job.rows, jobs.results(status)) if status is not None and over else {}
        ends = {place: end for place, result in found.items() if (end := jobs.judged(job.rows[place], result))}
        left = [row for place, row in enumerate(job.rows) if place not in ends]
        looked = await self._looked_up(left, over=over) if left else []
        self._jobs.remove(job)
        self._ended += [*ends.values(), *looked]

    async def _looked_up(self, rows: Sequence[Row], *, over: bool) -> list[TicketOutcome]:
        """Decide rows of which the job tells nothing by their tickets; `over` says that it can do nothing any more."""
        look = await self._reader.look([row.body["id"] for row in rows], urgent=True)
        return [self._by_look(row, look.tickets.get(row.body["id"]), over=over) for row in rows]

    @staticmethod
    def _by_look(row: Row, remote: wire.RemoteTicket | None, *, over: bool) -> TicketOutcome:
        if remote is None:
            return outcome(row.change, OutcomeKind.REJECTED, jobs.GONE)
        version = wire.instant(remote.updated_at)
        if names.event_tag(row.change.event) in remote.tags:
            return outcome(row.change, OutcomeKind.APPLIED, version=version)
        if over:
            return outcome(row.change, OutcomeKind.UNSENT, "the job ended without it", version=version)
        return outcome(row.change, OutcomeKind.INDETERMINATE, "the job's data are gone", version=version)


def _name(change: TicketChange) -> _Name:
    """Return what makes a change the same one when it comes again."""
    return change.ticket_id, change.event


def _may_have_worked(fault: ChannelError) -> bool:
    return isinstance(fault, ProtocolError) or (isinstance(fault, TransientError) and fault.sent)
