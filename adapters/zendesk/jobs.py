"""Jobs: what Zendesk works on after an update of many, and how each of its rows ended. Pure.

Source: Zendesk, Job Statuses, 2026: a job that is completed may have failed rows; its data live for an hour or for a
hundred jobs (community 4408867925914). A clash of a guarded row is told as 409 of the whole call, or in the row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from adapters.zendesk.wire import Row
from syncd.sdk.channel import OutcomeKind
from syncd.sdk.desk import TicketChange, TicketOutcome
from syncd.sdk.secret import sample

RUNNING: Final = frozenset({"queued", "working"})
FIRST_POLL_S: Final = 1.0
LAST_POLL_S: Final = 30.0
GIVEN_UP_S: Final = 3_600.0
"""A job that still runs then is no longer asked for: its rows are looked up."""
CLOSED: Final = "closed"
GONE: Final = "gone"
_CLASH: Final = ("updateconflict", "safe update", "outdated")
_PASSING: Final = ("databaseconflict", "database conflict", "timeout", "timed out", "try again")
_CLOSED: Final = ("closed",)
_GONE: Final = ("recordnotfound", "not found", "not exist")


class Result(msgspec.Struct, frozen=True):
    """How one row ended; texts may be of any kind."""

    id: int | None = None
    index: int | None = None
    success: bool | None = None
    status: Any = None
    error: Any = None
    errors: Any = None
    details: Any = None


class JobStatus(msgspec.Struct, frozen=True):
    """What a job says of itself."""

    id: str
    status: str
    results: Any = None


class JobAnswer(msgspec.Struct, frozen=True):
    """The answer of an update of many, and of a look at a job."""

    job_status: JobStatus


@dataclass(slots=True, eq=False, kw_only=True)
class Job:
    """One job of ours that is not over: its rows, and when to ask for it again."""

    job_id: str
    rows: Sequence[Row]
    sent_at_s: float
    wait_s: float = FIRST_POLL_S
    ask_at_s: float = 0.0

    def put_off(self, now_s: float) -> None:
        """Ask again later: after 1, 2, 4 ... 30 seconds."""
        self.ask_at_s = now_s + self.wait_s
        self.wait_s = min(self.wait_s * 2.0, LAST_POLL_S)

    def is_given_up(self, now_s: float) -> bool:
        """Say whether it takes too long."""
        return now_s - self.sent_at_s > GIVEN_UP_S


def results(status: JobStatus) -> list[Result]:
    """Return the rows of a job that is over; none where they are of no known shape."""
    rows = status.results if isinstance(status.results, list) else []
    found = []
    for row in rows:
        try:
            found.append(msgspec.convert(row, Result))
        except msgspec.ValidationError:
            continue
    return found


def told(rows: Sequence[Row], found: Sequence[Result]) -> Mapping[int, Result]:
    """Return the result of each row by its place; by its index, or where there is none by its ticket."""
    by_ticket = {row.body["id"]: place for place, row in enumerate(rows)}
    places: dict[int, Result] = {}
    for result in found:
        place = by_ticket.get(result.id, -1) if result.index is None else result.index
        if 0 <= place < len(rows) and result.id in (None, rows[place].body["id"]):
            places[place] = result
    return places


def judged(row: Row, result: Result) -> TicketOutcome | None:
    """Return how a row ended; None where its result says neither that it was made nor why not."""
    if result.success is True or (result.success is None and result.status == "Updated"):
        return outcome(row.change, OutcomeKind.APPLIED)
    said = " ".join(_flat(part) for part in (result.error, result.errors, result.details))
    if not said.strip():
        return None
    return refused(row.change, said)


def refused(change: TicketChange, said: str) -> TicketOutcome:
    """Return what Zendesk's words about a row that was not made mean."""
    low = said.lower()
    if any(word in low for word in _CLASH):
        return outcome(change, OutcomeKind.STALE, "the ticket changed meanwhile")
    if any(word in low for word in _PASSING):
        return outcome(change, OutcomeKind.UNSENT, "Zendesk was busy with this ticket")
    if any(word in low for word in _GONE):
        return outcome(change, OutcomeKind.REJECTED, GONE)
    if any(word in low for word in _CLOSED):
        return outcome(change, OutcomeKind.REJECTED, CLOSED)
    return outcome(change, OutcomeKind.REJECTED, sample(said))


def outcome(change: TicketChange, kind: OutcomeKind, reason: str = "", *, version: int | None = None) -> TicketOutcome:
    """Return the end of a change."""
    return TicketOutcome(ticket_id=change.ticket_id, event=change.event, kind=kind, reason=reason, version=version)


def _flat(value: Any) -> str:
    """Return the texts in a value of any shape."""
    match value:
        case str():
            return value
        case dict():
            return " ".join(_flat(part) for part in value.values())
        case list():
            return " ".join(_flat(part) for part in value)
        case _:
            return ""
