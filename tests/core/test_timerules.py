"""Time rules as tables: when each is due, what stops it, who owns it, and that quiet hours are kept."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest

from syncd.core.terms import SECOND_US
from syncd.core.tickets import MessageKind, TicketState, TicketStatus
from syncd.core.timerules import MESSAGES, Case, Due, Limits, Quiet, Rule, Told, due, plan, planned

HOUR = 3_600 * SECOND_US
DAY = 24 * HOUR
T = 20_000 * DAY
"""A midnight, UTC."""
RULES = Limits()

PENDING = Case(since=T, state=TicketState.PENDING, status=TicketStatus.OPEN)
ASKED = replace(PENDING, status=TicketStatus.WAITING, asked_at=T)
CANCELLED = replace(PENDING, state=TicketState.CANCELLED, cancelled_at=T, owed=True)
FIRST, SECOND, LAST = MessageKind.BUMP_FIRST, MessageKind.BUMP_SECOND, MessageKind.SOLVED_UNANSWERED


def told(*rows: tuple[MessageKind, int]) -> tuple[Told, ...]:
    return tuple(Told(kind=kind, at=at) for kind, at in rows)


def rules_at(case: Case, at: int, limits: Limits = RULES, quiet: Quiet | None = None) -> list[Rule]:
    return [one.rule for one in due(case, limits, quiet, now=at)]


CASES: list[tuple[str, Case, int, list[Rule]]] = [
    ("first contact waits for half its time", PENDING, T + 12 * HOUR - 1, []),
    ("first contact", PENDING, T + 12 * HOUR, [Rule.FIRST_CONTACT]),
    ("contact by an agent ends it", replace(PENDING, asked_at=T + HOUR), T + 13 * HOUR, []),
    ("a letter of ours ends it", replace(PENDING, told=told((MessageKind.EXPECTED, T))), T + 13 * HOUR, []),
    ("nothing to say once it is restocked", replace(PENDING, state=TicketState.RESTOCKED), T + DAY, []),
    ("refund is not called for early", CANCELLED, T + 36 * HOUR - 1, []),
    ("refund is called for", CANCELLED, T + 36 * HOUR, [Rule.REFUND_DUE]),
    ("refund is late", CANCELLED, T + 48 * HOUR, [Rule.REFUND_DUE, Rule.REFUND_LATE]),
    ("refunded stops it", replace(CANCELLED, state=TicketState.REFUNDED), T + 48 * HOUR, []),
    ("an agent stops it", replace(CANCELLED, status=TicketStatus.SOLVED), T + 48 * HOUR, []),
    ("nothing was paid", replace(CANCELLED, owed=False), T + 48 * HOUR, []),
    ("nobody knows since when", replace(CANCELLED, cancelled_at=None), T + 60 * DAY, []),
    ("six days are no silence", replace(PENDING, asked_at=T), T + 7 * DAY - 1, []),
    ("seven days are", replace(PENDING, asked_at=T), T + 7 * DAY, [Rule.SILENCE]),
    ("news before the order does not count", replace(PENDING, asked_at=T - 9 * DAY), T + DAY, []),
    ("solved or not", replace(PENDING, asked_at=T, status=TicketStatus.SOLVED), T + 7 * DAY, [Rule.SILENCE]),
    ("news count from the last", replace(PENDING, told=told((MessageKind.EXPECTED, T + DAY))), T + 7 * DAY, []),
    ("closed tickets are left alone", replace(PENDING, asked_at=T, status=TicketStatus.CLOSED), T + 9 * DAY, []),
    ("tickets that are gone too", replace(CANCELLED, status=TicketStatus.GONE), T + 9 * DAY, []),
    ("a question waits", ASKED, T + 48 * HOUR - 1, []),
    ("first reminder", ASKED, T + 48 * HOUR, [Rule.BUMP_FIRST]),
    ("no reminder of a message that is no question", replace(ASKED, status=TicketStatus.OPEN), T + 50 * HOUR, []),
    ("no reminder without ears", replace(ASKED, hears=False), T + 50 * HOUR, []),
    ("an answer ends it", replace(ASKED, replied_at=T + HOUR), T + 50 * HOUR, []),
    ("an earlier answer does not", replace(ASKED, replied_at=T - HOUR), T + 50 * HOUR, [Rule.BUMP_FIRST]),
    ("nobody asked", replace(ASKED, asked_at=None, told=told((LAST, T))), T + 3 * DAY, []),
    (
        "second reminder",
        replace(ASKED, asked_at=T + 2 * DAY, told=told((FIRST, T + 2 * DAY))),
        T + 4 * DAY,
        [Rule.BUMP_SECOND],
    ),
    (
        "the end",
        replace(ASKED, asked_at=T + 4 * DAY, told=told((FIRST, T + 2 * DAY), (SECOND, T + 4 * DAY))),
        T + 6 * DAY,
        [Rule.UNANSWERED],
    ),
    (
        "a new question after the end begins anew",
        replace(ASKED, asked_at=T + 8 * DAY, told=told((FIRST, T + DAY), (SECOND, T + 3 * DAY), (LAST, T + 5 * DAY))),
        T + 10 * DAY,
        [Rule.BUMP_FIRST],
    ),
    (
        "and so does one after an answer",
        replace(ASKED, asked_at=T + 4 * DAY, replied_at=T + 3 * DAY, told=told((FIRST, T + 2 * DAY))),
        T + 6 * DAY,
        [Rule.BUMP_FIRST],
    ),
    ("a week after a cancel", replace(CANCELLED, state=TicketState.REFUNDED), T + 7 * DAY, [Rule.FOLLOW_UP]),
    ("not before", replace(CANCELLED, state=TicketState.REFUNDED), T + 7 * DAY - 1, []),
    (
        "only once",
        replace(CANCELLED, owed=False, told=told((MessageKind.CANCEL_FOLLOW_UP, T + 7 * DAY))),
        T + 30 * DAY,
        [],
    ),
    ("not where the goods came after all", replace(CANCELLED, state=TicketState.SHIPPED), T + 8 * DAY, []),
]  # fmt: skip


@pytest.mark.parametrize(("case", "at", "wanted"), [row[1:] for row in CASES], ids=[row[0] for row in CASES])
def test_what_is_due(case: Case, at: int, wanted: list[Rule]) -> None:
    """Each rule is due at its time and not before, and what ends it ends it."""
    assert rules_at(case, at) == wanted


@pytest.mark.parametrize(
    ("field", "case", "at"),
    [
        ("first_contact_us", PENDING, T + 3 * DAY),
        ("refund_us", CANCELLED, T + 3 * DAY),
        ("silence_us", replace(PENDING, asked_at=T), T + 9 * DAY),
        ("bump_us", ASKED, T + 3 * DAY),
        ("follow_up_us", replace(CANCELLED, owed=False), T + 9 * DAY),
    ],
)
def test_each_rule_can_be_switched_off(field: str, case: Case, at: int) -> None:
    """A limit of zero switches its rule off and no other."""
    off: Any = {field: 0}
    assert rules_at(case, at) != []
    assert rules_at(case, at, Limits(**off)) == []


@pytest.mark.parametrize("rule", list(MESSAGES))
def test_what_the_desk_owns_is_never_ours(rule: Rule) -> None:
    """A message that the desk sends by its own rules is due on no case at all; tasks stay ours."""
    owns = frozenset({MESSAGES[rule]})
    cases = [row[1] for row in CASES]
    assert any(one.rule is rule for case in cases for one in plan(case, RULES))
    assert not any(one.rule is rule for case in cases for one in plan(replace(case, owns=owns), RULES))


def test_nobody_gets_two_letters_at_once() -> None:
    """Where a reminder and a silence are due together one letter goes, and the same rule has the same anchor."""
    case = replace(ASKED, asked_at=T)
    found = due(case, RULES, None, now=T + 9 * DAY)
    assert [one.rule for one in found] == [Rule.BUMP_FIRST]
    later = due(case, RULES, None, now=T + 12 * DAY)
    assert [one.anchor for one in later] == [one.anchor for one in found] == [T]


TOKYO = Quiet(start_s=21 * 3_600, end_s=8 * 3_600, offset_s=9 * 3_600)
"""From 12:00 to 23:00 UTC."""


@pytest.mark.parametrize(
    ("at", "quiet", "after", "before"),
    [
        (T + 12 * HOUR - 1, False, T + 12 * HOUR - 1, T + 12 * HOUR - 1),
        (T + 12 * HOUR, True, T + 23 * HOUR, T + 12 * HOUR - HOUR),
        (T + 20 * HOUR, True, T + 23 * HOUR, T + 12 * HOUR - HOUR),
        (T + 23 * HOUR - 1, True, T + 23 * HOUR, T + 12 * HOUR - HOUR),
        (T + 23 * HOUR, False, T + 23 * HOUR, T + 23 * HOUR),
        (T + 24 * HOUR, False, T + 24 * HOUR, T + 24 * HOUR),
    ],
)
def test_quiet_goes_over_midnight(at: int, quiet: bool, after: int, before: int) -> None:
    """Quiet hours are a part of the local day, its end not included, whatever the zone."""
    assert (TOKYO.holds(at), TOKYO.after(at), TOKYO.before(at)) == (quiet, after, before)


def test_quiet_within_a_day_and_none_at_all() -> None:
    """A part within a day is understood, and equal ends are never quiet."""
    lunch = Quiet(start_s=12 * 3_600, end_s=13 * 3_600)
    assert [lunch.holds(T + hour * HOUR) for hour in (11, 12, 13)] == [False, True, False]
    assert not any(Quiet(start_s=0, end_s=0).holds(T + hour * HOUR) for hour in range(24))
    with pytest.raises(AssertionError):
        Quiet(start_s=-1, end_s=0)
    with pytest.raises(AssertionError):
        Quiet(start_s=0, end_s=86_400)


def test_nothing_goes_out_in_quiet_hours_but_tasks_do() -> None:
    """A letter waits for the morning; what an agent has to do is told at night too."""
    case = replace(PENDING, asked_at=T - 7 * DAY + 13 * HOUR, since=T - 30 * DAY)
    assert rules_at(case, T + 22 * HOUR, quiet=TOKYO) == []
    assert rules_at(case, T + 23 * HOUR, quiet=TOKYO) == [Rule.SILENCE]
    case = replace(CANCELLED, cancelled_at=T - 23 * HOUR)
    assert rules_at(case, T + 13 * HOUR, quiet=TOKYO) == [Rule.REFUND_DUE]


@pytest.mark.parametrize("hour", range(24))
@pytest.mark.parametrize("length", [0, 6, 11, 16])
def test_first_contact_is_kept_whatever_the_quiet_hours(hour: int, length: int) -> None:
    """An order of any hour has its first contact within 24 hours and outside of quiet hours."""
    quiet = Quiet(start_s=0, end_s=length * 3_600)
    case = replace(PENDING, since=T + hour * HOUR)
    sent = next(at for at in range(case.since, case.since + 3 * DAY, HOUR // 4) if rules_at(case, at, quiet=quiet))
    assert not quiet.holds(sent)
    assert sent <= case.since + 24 * HOUR


def test_a_promise_that_only_the_night_could_keep_goes_out_before_it() -> None:
    """Where the end of quiet hours would be too late, the letter goes before they begin; without a promise it waits."""
    promised = Due(rule=Rule.FIRST_CONTACT, anchor=T, at=T + 13 * HOUR, by=T + 20 * HOUR)
    assert planned(promised, TOKYO) == T + 12 * HOUR - HOUR
    assert planned(replace(promised, by=T + 24 * HOUR), TOKYO) == T + 23 * HOUR
    assert planned(replace(promised, by=None), TOKYO) == T + 23 * HOUR


def test_a_wait_of_months_is_told_week_by_week_and_never_twice() -> None:
    """Looked at every quarter of an hour for sixty days, each letter goes once, a week apart, and never at night."""
    case, sent = PENDING, []
    for at in range(T, T + 60 * DAY, HOUR // 4):
        for one in due(case, RULES, TOKYO, now=at):
            assert one.message is not None
            sent.append((one.rule, one.anchor, at))
            case = replace(case, told=(*case.told, Told(kind=one.message, at=at)), asked_at=at)
    assert len({(rule, anchor) for rule, anchor, _ in sent}) == len(sent)
    assert [rule for rule, _, _ in sent] == [Rule.FIRST_CONTACT] + [Rule.SILENCE] * (len(sent) - 1)
    assert 8 <= len(sent) <= 9
    assert not any(TOKYO.holds(at) for _, _, at in sent)
    assert min(later[2] - first[2] for first, later in itertools.pairwise(sent)) >= 7 * DAY
