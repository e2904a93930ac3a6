"""The kit of desks itself: every case catches a planted bug, so that none of them holds for nothing."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from pathlib import Path

import msgspec
import pytest

from adapters.zendesk.desk import ZendeskDesk
from syncd.sdk.desk import DeskNotice, EventId, StepKind, TicketStatus
from syncd.sdk.errors import AuthError, ProtocolError, RateLimited, TransientError
from syncd.testing.desk_conformance import desk_cases
from syncd.testing.loop import run_virtual
from syncd.testing.trade import CANARY_MAIL
from tests.testing.broken_desks import (
    Bug,
    Eager,
    Forgetful,
    LoudSettings,
    Replacing,
    Trusting,
    after,
    claims_what_it_does_not_know,
    creates_as,
    forgets_nothing,
    forgets_what_is_there,
    found_with,
    instead,
    keeps_first_texts,
    makes_half,
    numbered,
    only_plans,
    pages_with,
    parsed_with,
    plans_by_doing,
    profile_with,
    raises_for_a_row,
    refuses_nothing,
    says_that_it_was_sent,
    stumbles,
    timeless,
    updates_as,
)

PLANTED: dict[str, list[Bug]] = {
    "forget:a_deleted_ticket_leaves_nothing": [Bug(methods={"forget": forgets_nothing})],
    "create:what_cannot_be_opened_is_refused": [Bug(methods=profile_with(opens=False))],
    "reading:the_profile_is_sane": [Bug(methods=profile_with(max_update=0))],
    "reading:a_ticket_is_told_as_it_is": [
        Bug(methods=found_with(lambda ticket: replace(ticket, quantity=1))),
        Bug(methods=found_with(lambda ticket: replace(ticket, order_numbers=()))),
    ],
    "reading:what_customers_write_is_told_as_signs": [
        Bug(methods=found_with(lambda ticket: replace(ticket, inbound=()))),
        Bug(methods=found_with(lambda ticket: replace(ticket, inbound=ticket.inbound + ticket.inbound[:1]))),
    ],
    "reading:unknown_tickets_are_left_out": [Bug(methods=after("find", lambda tickets: tickets[:-1]))],
    "reading:open_tickets_come_first": [
        Bug(methods=pages_with(lambda page: replace(page, tickets=page.tickets if page.more else (), more=False))),
    ],
    "reading:a_change_is_told": [
        Bug(methods=pages_with(lambda page: replace(page, tickets=page.tickets[:1]))),
    ],
    "reading:a_deleted_ticket_is_gone": [
        Bug(methods=pages_with(lambda page: replace(
            page, tickets=tuple(each for each in page.tickets if each.status is not TicketStatus.GONE)))),
    ],
    "reading:no_personal_data_comes_along": [
        Bug(methods=found_with(lambda ticket: replace(ticket, order_number=CANARY_MAIL))),
    ],
    "update:a_change_is_made_whole": [
        Bug(methods=updates_as(lambda change: replace(change, expected=None))),
        Bug(methods=updates_as(lambda change: replace(change, note=""))),
    ],
    "update:a_letter_reaches_the_customer": [
        Bug(methods=updates_as(lambda change: replace(change, draft=False))),
        Bug(methods=updates_as(lambda change: replace(change, draft=True))),
    ],
    "update:a_mark_for_a_person_comes_and_goes": [
        Bug(methods=updates_as(lambda change: replace(change, escalated=None))),
        Bug(methods=updates_as(lambda change: replace(change, escalated=change.escalated or None))),
        Bug(methods=found_with(lambda ticket: replace(ticket, escalated=False))),
    ],
    "update:the_same_event_twice_is_one_change": [Bug(methods={}, writer=Forgetful)],
    "update:events_keep_their_names": [
        Bug(methods=found_with(lambda ticket: replace(
            ticket, markers=frozenset(EventId(event.lower()) for event in ticket.markers)))),
    ],
    "update:a_stale_change_is_not_made": [Bug(methods=updates_as(lambda change: replace(change, version=None)))],
    "update:a_closed_ticket_is_refused_alone": [
        Bug(methods={"update": raises_for_a_row}),
        Bug(methods=after("update", lambda ends: [replace(end, reason="no") for end in ends])),
    ],
    "update:as_many_as_it_says": [Bug(methods={"update": makes_half})],
    "update:what_is_the_shops_stays": [Bug(methods={}, writer=Replacing)],
    "update:nothing_given_nothing_done": [Bug(methods={"update": refuses_nothing})],
    "create:a_key_opens_one_ticket": [Bug(methods=creates_as(numbered(count())))],
    "create:a_task_is_sent_to_nobody": [Bug(methods=found_with(lambda ticket: replace(ticket, reachable=True)))],
    "create:a_closed_ticket_is_followed": [
        Bug(methods=creates_as(lambda wanted: replace(wanted, follow_up_of=None))),
    ],
    "trouble:a_cut_after_effect_is_not_denied": [Bug(methods={"update": claims_what_it_does_not_know})],
    "trouble:a_lost_look_is_no_change": [Bug(methods={"update": says_that_it_was_sent})],
    "trouble:any_mixture_tells_once": [
        Bug(methods={"update": claims_what_it_does_not_know}),
        Bug(methods={}, writer=Eager),
    ],
    "trouble:rows_that_fail_are_not_claimed": [Bug(methods={}, writer=Trusting)],
    "trouble:sent_twice_from_one_look_is_one": [Bug(methods={}, writer=Forgetful)],
    "trouble:a_limit_has_no_effect": [Bug(methods=instead("find", RateLimited, lambda: ProtocolError("429")))],
    "trouble:an_opening_that_is_lost_opens_once": [Bug(methods=creates_as(numbered(count())))],
    "trouble:servers_errors_pass_over": [Bug(methods=instead("find", TransientError, lambda: AuthError("500")))],
    "webhooks:genuine_ones_lead_to_the_ticket": [
        Bug(methods=parsed_with(lambda notice: replace(notice, ticket_ids=()))),
    ],
    "webhooks:forged_ones_are_refused": [Bug(methods={"verify": lambda *_: None})],
    "webhooks:old_ones_are_refused": [Bug(methods={"verify": timeless})],
    "webhooks:doubles_share_their_key": [
        Bug(methods=parsed_with(lambda notice: DeskNotice(dedupe_key=None, ticket_ids=notice.ticket_ids))),
    ],
    "webhooks:nonsense_is_not_understood": [Bug(methods={"parse": stumbles})],
    "provision:a_plan_changes_nothing": [Bug(methods={"plan": plans_by_doing})],
    "provision:twice_is_once": [Bug(methods={"provision": forgets_what_is_there})],
    "provision:the_shops_own_is_left_alone": [
        Bug(methods=after("provision", lambda steps: [each for each in steps if each.kind is not StepKind.FOREIGN])),
    ],
    "provision:new_texts_are_brought_up_to_date": [Bug(methods={"provision": keeps_first_texts})],
    "provision:afterwards_changes_work": [Bug(methods={"provision": only_plans})],
    "access:wrong_credentials_are_an_auth_error": [
        Bug(methods=instead("find", AuthError, lambda: TransientError("401"))),
        Bug(methods=instead("find", AuthError, lambda: AuthError("wrong-credential-0123456789abcdef"))),
    ],
    "access:settings_hide_their_secrets": [Bug(methods={}, settings=LoudSettings)],
    "access:it_comes_back_after_a_restart": [
        Bug(methods=found_with(lambda ticket: replace(ticket, markers=frozenset()))),
    ],
}  # fmt: skip

BUGS = [
    pytest.param(name, bug, id=f"{name}-{place}") for name, bugs in PLANTED.items() for place, bug in enumerate(bugs)
]


@pytest.mark.parametrize(("name", "bug"), BUGS)
def test_each_case_catches_its_bug(name: str, bug: Bug) -> None:
    """A case fails for a desk that has just the bug it is there for."""
    case = next(case for case in desk_cases() if case.name == name)
    with pytest.raises((AssertionError, KeyError, TypeError, msgspec.DecodeError)):
        run_virtual(lambda: case.run(bug.kit()))


def test_every_case_has_a_planted_bug() -> None:
    """No case is without a bug that it was seen to catch."""
    assert set(PLANTED) == {case.name for case in desk_cases()}


def test_cases_say_what_they_demand() -> None:
    """There are at least 20 cases with different names, and each has its demand as one sentence."""
    texts = [case.text for case in desk_cases()]
    assert len({case.name for case in desk_cases()}) == len(texts) >= 20
    assert all(text.endswith(".") for text in texts)


def test_the_kit_names_no_desk() -> None:
    """The kit asks for features and the profile, never for the name of a desk."""
    folder = Path(__file__).parents[2] / "syncd" / "testing" / "desk_cases"
    texts = [path.read_text(encoding="utf-8").lower() for path in folder.glob("*.py")]
    assert len(texts) > 4
    assert not [text for text in texts if "zendesk" in text]


def test_the_whole_desk_passes() -> None:
    """The desk in which bugs are planted has none of its own: the double changes nothing by itself."""
    case = next(case for case in desk_cases() if case.name == "update:a_letter_reaches_the_customer")
    run_virtual(lambda: case.run(Bug(methods={"find": ZendeskDesk.find}).kit()))
