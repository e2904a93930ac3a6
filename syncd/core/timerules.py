"""What is due by the clock for somebody who waits: first contact, refund, silence, reminders, a follow-up.

Each message has one owner: what the desk sends by rules of its own is never due here. Each is due once: `anchor` is the
moment that it is counted from, and the same rule with the same anchor is the same message for ever. Solving a ticket
never ends the wait.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from syncd.core.terms import SECOND_US, Instant
from syncd.core.tickets import MessageKind, TicketState, TicketStatus

DAY_S: Final = 86_400
LEAD_S: Final = 3_600
"""What cannot wait for the end of quiet hours goes out so long before they begin."""
WARN_PART: Final = 4
"""A refund is called for when no more than one part of so many of its time is left."""


class Rule(StrEnum):
    """Which rule makes something due."""

    FIRST_CONTACT = "first_contact"
    REFUND_DUE = "refund_due"
    REFUND_LATE = "refund_late"
    SILENCE = "silence"
    BUMP_FIRST = "bump_first"
    BUMP_SECOND = "bump_second"
    UNANSWERED = "unanswered"
    FOLLOW_UP = "follow_up"


MESSAGES: Final = {
    Rule.FIRST_CONTACT: MessageKind.ACKNOWLEDGED,
    Rule.SILENCE: MessageKind.STILL_WAITING,
    Rule.BUMP_FIRST: MessageKind.BUMP_FIRST,
    Rule.BUMP_SECOND: MessageKind.BUMP_SECOND,
    Rule.UNANSWERED: MessageKind.SOLVED_UNANSWERED,
    Rule.FOLLOW_UP: MessageKind.CANCEL_FOLLOW_UP,
}
"""The letters of the rules; a refund is an agent's task and has none."""

_CHAIN: Final = (MessageKind.BUMP_FIRST, MessageKind.BUMP_SECOND, MessageKind.SOLVED_UNANSWERED)
_ENDED: Final = frozenset({TicketStatus.CLOSED, TicketStatus.GONE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long each may take, in microseconds; 0 switches a rule off.

    `first_contact_us` from the order, `refund_us` from the confirmed cancel, `silence_us` from the last news, `bump_us`
    from a question to each of its reminders and to its end, `follow_up_us` from the cancel.
    """

    first_contact_us: int = 24 * 3_600 * SECOND_US
    refund_us: int = 48 * 3_600 * SECOND_US
    silence_us: int = 7 * DAY_S * SECOND_US
    bump_us: int = 48 * 3_600 * SECOND_US
    follow_up_us: int = 7 * DAY_S * SECOND_US


@dataclass(frozen=True, slots=True, kw_only=True)
class Quiet:
    """A part of every local day in which nothing goes to customers: from `start_s` to `end_s` of the day.

    It may go over midnight; equal ends are no quiet at all. `offset_s` is what the local clock is ahead of UTC.
    """

    start_s: int
    end_s: int
    offset_s: int = 0

    def __post_init__(self) -> None:
        """Hold the ends to a day."""
        assert 0 <= self.start_s < DAY_S, "a time of day"
        assert 0 <= self.end_s < DAY_S, "a time of day"

    def holds(self, at: Instant) -> bool:
        """Say whether it is quiet at a moment."""
        return self._into(at) < self._length_s * SECOND_US

    def after(self, at: Instant) -> Instant:
        """Return the first moment from `at` on at which it is not quiet."""
        return at - self._into(at) + self._length_s * SECOND_US if self.holds(at) else at

    def before(self, at: Instant) -> Instant:
        """Return `at`, or where it is quiet then a moment early enough before that began to be acted on."""
        return at - self._into(at) - LEAD_S * SECOND_US if self.holds(at) else at

    @property
    def _length_s(self) -> int:
        return (self.end_s - self.start_s) % DAY_S

    def _into(self, at: Instant) -> int:
        """Return how long ago, in microseconds, quiet began last."""
        return (at + (self.offset_s - self.start_s) * SECOND_US) % (DAY_S * SECOND_US)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Something that the customer was told."""

    kind: MessageKind
    at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Somebody who waits, with the ticket at which they are told.

    `since` is the time of the order, or of the wish. `told` is what they were told by us, oldest first. `asked_at` and
    `replied_at` are the desk's: when somebody of the shop wrote last, and the customer. WAITING as status says that the
    customer's answer is awaited. `cancelled_at` is when the cancel was confirmed, `owed` that money is to be returned.
    `hears` and `owns` are the desk's (`sdk.desk.DeskProfile`).
    """

    since: Instant
    state: TicketState
    status: TicketStatus
    told: tuple[Told, ...] = ()
    asked_at: Instant | None = None
    replied_at: Instant | None = None
    cancelled_at: Instant | None = None
    owed: bool = False
    hears: bool = True
    owns: frozenset[MessageKind] = frozenset()

    @property
    def last_news(self) -> Instant | None:
        """Return when the customer heard of the shop last."""
        known = [told.at for told in self.told] + ([] if self.asked_at is None else [self.asked_at])
        return max(known, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """What a rule wants: from `at` on, and by `by` where that is promised. `message` None: a task for an agent."""

    rule: Rule
    anchor: Instant
    at: Instant
    by: Instant | None = None

    @property
    def message(self) -> MessageKind | None:
        """Return the letter that it is."""
        return MESSAGES.get(self.rule)


def due(case: Case, limits: Limits, quiet: Quiet | None, *, now: Instant) -> list[Due]:
    """Return what is to be done now, at most one letter among it: the next look finds the next one."""
    found = [due for due in plan(case, limits) if _is_now(due, quiet, now)]
    tasks = [due for due in found if due.message is None]
    return tasks + [due for due in found if due.message is not None][:1]


def plan(case: Case, limits: Limits) -> list[Due]:
    """Return everything that will be due if nothing happens before, in the order of the rules."""
    if case.status in _ENDED:
        return []
    found = [*_first(case, limits), *_refund(case, limits), *_question(case, limits), *_quietness(case, limits)]
    found += _follow_up(case, limits)
    return [due for due in found if due.message is None or due.message not in case.owns]


def _is_now(due: Due, quiet: Quiet | None, now: Instant) -> bool:
    if due.message is None or quiet is None:
        return due.at <= now
    return planned(due, quiet) <= now and not quiet.holds(now)


def planned(due: Due, quiet: Quiet) -> Instant:
    """Return when a letter goes out: not in quiet hours, and before them where they would break a promise."""
    late = quiet.after(due.at)
    return late if due.by is None or late <= due.by else min(late, quiet.before(due.by))


def _first(case: Case, limits: Limits) -> Iterator[Due]:
    """First contact: a net under what is sent at once anyway, so it waits for half of its time."""
    if limits.first_contact_us and case.state is TicketState.PENDING and case.last_news is None:
        by = case.since + limits.first_contact_us
        yield Due(rule=Rule.FIRST_CONTACT, anchor=case.since, at=case.since + limits.first_contact_us // 2, by=by)


def _refund(case: Case, limits: Limits) -> Iterator[Due]:
    """Refund: stopped by the refund itself, or by an agent who solves the ticket."""
    stopped = case.state is not TicketState.CANCELLED or case.status is TicketStatus.SOLVED or not case.owed
    if stopped or case.cancelled_at is None or not limits.refund_us:
        return
    by = case.cancelled_at + limits.refund_us
    yield Due(rule=Rule.REFUND_DUE, anchor=case.cancelled_at, at=by - limits.refund_us // WARN_PART, by=by)
    yield Due(rule=Rule.REFUND_LATE, anchor=case.cancelled_at, at=by)


def _question(case: Case, limits: Limits) -> Iterator[Due]:
    """Remind of a question twice and then end it; without ears nobody is reminded."""
    asked = case.asked_at
    if not (limits.bump_us and case.hears and case.status is TicketStatus.WAITING) or asked is None:
        return
    if case.replied_at is not None and case.replied_at >= asked:
        return
    chain = _chain(case)
    if not chain:
        yield Due(rule=Rule.BUMP_FIRST, anchor=asked, at=asked + limits.bump_us)
    elif chain[-1].kind is MessageKind.BUMP_FIRST:
        yield Due(rule=Rule.BUMP_SECOND, anchor=chain[-1].at, at=chain[-1].at + limits.bump_us)
    else:
        yield Due(rule=Rule.UNANSWERED, anchor=chain[-1].at, at=chain[-1].at + limits.bump_us)


def _chain(case: Case) -> list[Told]:
    """Return the reminders of the present question: since the customer's last words, and since the last one ended."""
    since = -1 if case.replied_at is None else case.replied_at
    chain = [told for told in case.told if told.kind in _CHAIN and told.at > since]
    ends = [place for place, told in enumerate(chain) if told.kind is MessageKind.SOLVED_UNANSWERED]
    return chain[ends[-1] + 1 :] if ends else chain


def _quietness(case: Case, limits: Limits) -> Iterator[Due]:
    """Break a silence while the goods are awaited; solved or not, who waits is told."""
    news = case.last_news
    if limits.silence_us and case.state is TicketState.PENDING and news is not None:
        last = max(news, case.since)
        yield Due(rule=Rule.SILENCE, anchor=last, at=last + limits.silence_us)


def _follow_up(case: Case, limits: Limits) -> Iterator[Due]:
    """Ask after a cancel whether everything is in order, once."""
    if not limits.follow_up_us or case.cancelled_at is None:
        return
    asked = any(told.kind is MessageKind.CANCEL_FOLLOW_UP for told in case.told)
    if case.state in {TicketState.CANCELLED, TicketState.REFUNDED} and not asked:
        yield Due(rule=Rule.FOLLOW_UP, anchor=case.cancelled_at, at=case.cancelled_at + limits.follow_up_us)
