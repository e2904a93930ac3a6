"""The conformance kit itself: every case catches a planted bug, so that none of them holds for nothing."""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from syncd.sdk.channel import Delivery, ListingPage, Notice, OrderSnapshot, Shipment, WriteMode
from syncd.sdk.errors import AuthError, ProtocolError, TransientError
from syncd.sdk.features import Offer, Withdrawal, Withdrawn
from syncd.testing.conformance import NotApplicable, cases
from syncd.testing.loop import run_virtual
from syncd.testing.simulators import CANARY_MAIL, CANARY_NAME
from tests.testing.broken_channels import (
    LATE,
    SHORT_PAGES,
    Bug,
    LoudSettings,
    after,
    all_applied,
    always,
    changing_profile,
    instead,
    lines_with,
    listings_with,
    made_conditional,
    moving,
    narrow,
    offered_with,
    orders_with,
    parsed_with,
    printing,
    pushes_as,
    readings_with,
    refusing_nothing,
    rekeyed,
    renumbered,
    with_profile,
)
from tests.testing.broken_methods import (
    alone,
    believes_in_now,
    breaks_for_good,
    claims_all,
    claims_what_it_does_not_know,
    closes_the_session,
    denies_what_it_does_not_know,
    drops_among_open_orders,
    drops_on_page_two,
    fails_to_subscribe,
    fetches_what_the_feed_said,
    forgets_keys,
    goes,
    guesses_outcomes,
    keeps_the_page,
    leaves_a_task,
    never_ends,
    offers_and_denies,
    offers_until_it_answers,
    patient,
    pushes_half,
    raises_for_a_row,
    raises_what_it_does_not_know,
    reads_half_in_bulk,
    reads_zero_in_trouble,
    refuses_the_same,
    remembers_first_readings,
    skips_after_a_failure,
    skips_changes,
    skips_open_orders,
    strict_for_all,
    stumbles,
    subscribes_ever_anew,
    tells_and_keeps,
    tries_again_by_itself,
    trusting,
    unauthorized_without,
    wants_them_all,
    writes_on_reading,
)

HOUR_US = 3_600_000_000
DELTA = WriteMode.DELTA

UNNUMBERED = Shipment(shipment_id="1", carrier="Yamato")


def unnumbered(order: OrderSnapshot) -> OrderSnapshot:
    """Lose the numbers of the parcels that there are."""
    told = order.delivery
    return order if told is None else replace(order, delivery=Delivery(shipments=(UNNUMBERED,) * len(told.shipments)))


PLANTED: dict[str, list[Bug]] = {
    "profile:limits_are_sane": [Bug(methods=with_profile(max_push=0)), Bug(methods=with_profile(staleness_s=math.inf))],
    "profile:it_stays_as_it_is": [Bug(methods=changing_profile())],
    "profile:opening_changes_nothing": [Bug(methods={"listings": writes_on_reading})],
    "listings:every_listing_comes": [Bug(methods=listings_with(lambda rows: rows[:-1]))],
    "listings:none_comes_twice": [Bug(methods=listings_with(lambda rows: rows + rows[:1]))],
    "listings:ids_are_stable": [Bug(methods=listings_with(moving(count())))],
    "listings:skus_are_exact": [
        Bug(methods=listings_with(lambda rows: tuple(replace(row, sku=row.sku.lower()) for row in rows)))
    ],
    "listings:hidden_ones_are_included": [
        Bug(methods=listings_with(lambda rows: tuple(row for row in rows if row.active))),
        Bug(methods=listings_with(lambda rows: tuple(replace(row, active=True) for row in rows))),
    ],
    "listings:untracked_ones_are_flagged": [
        Bug(methods=listings_with(lambda rows: tuple(replace(row, managed=True) for row in rows)))
    ],
    "feed:a_new_order_appears": [Bug(methods=after("orders", lambda page: replace(page, orders=())))],
    "feed:open_orders_come_without_a_cursor": [Bug(methods={"orders": skips_open_orders})],
    "feed:no_order_is_missing_over_pages": [Bug(methods={"orders": drops_on_page_two}, habits=SHORT_PAGES)],
    "feed:the_first_scan_is_whole": [Bug(methods={"orders": drops_among_open_orders}, habits=SHORT_PAGES)],
    "feed:the_same_cursor_brings_the_same": [Bug(methods={"orders": keeps_the_page})],
    "feed:the_cursor_goes_forward": [
        Bug(methods=after("orders", lambda page: page if page.more else replace(page, cursor="feed:0")))
    ],
    "feed:a_quiet_feed_ends": [Bug(methods={"orders": never_ends})],
    "feed:changes_during_paging_are_not_missed": [Bug(methods={"orders": skips_changes}, habits=SHORT_PAGES)],
    "feed:doubles_are_equal": [Bug(methods=orders_with(renumbered(count())))],
    "feed:versions_never_fall": [
        Bug(methods=orders_with(lambda order: replace(order, version=-(order.version or 0)))),
        Bug(methods=orders_with(lambda order: replace(order, version=None if order.cancelled else order.version))),
    ],
    "feed:complete_means_complete": [
        Bug(methods={"orders": believes_in_now}, habits=LATE),
        Bug(methods=after("orders", lambda page: replace(page, complete_until=None))),
    ],
    "orders:lines_have_the_quantities": [
        Bug(methods=orders_with(lambda order: replace(order, lines=order.lines[:1]))),
        Bug(methods=lines_with(quantity=1)),
        Bug(methods=lines_with(remote_id="another")),
    ],
    "orders:a_new_line_is_open": [Bug(methods=lines_with(cancelled=1)), Bug(methods=lines_with(shipped=1))],
    "orders:the_take_contains_the_sale": [
        Bug(methods=orders_with(narrow), habits=LATE),
        Bug(methods=lines_with(take=None)),
    ],
    "orders:the_order_time_is_true": [
        Bug(methods=orders_with(lambda order: replace(order, ordered_at=order.ordered_at - 9 * HOUR_US)))
    ],
    "orders:a_cancel_is_visible": [
        Bug(methods=orders_with(lambda order: replace(order, cancelled=False))),
        Bug(methods=lines_with(cancelled=0)),
    ],
    "orders:a_partial_cancel_is_visible": [
        Bug(methods=orders_with(lambda order: replace(order, cancelled=any(line.cancelled for line in order.lines)))),
        Bug(methods=lines_with(quantity=1)),
    ],
    "orders:a_shipment_is_visible": [Bug(methods=lines_with(shipped=0))],
    "orders:a_parcel_can_be_followed": [
        Bug(methods=orders_with(lambda order: replace(order, delivery=Delivery()))),
        Bug(methods=orders_with(lambda order: replace(order, delivery=Delivery(shipments=(UNNUMBERED,))))),
        Bug(methods=orders_with(unnumbered)),
    ],
    "orders:gives_are_what_the_shop_gave": [Bug(methods=lines_with(gives=()))],
    "orders:no_personal_data_comes_along": [
        Bug(methods=orders_with(lambda order: replace(order, fulfilment_raw=f"to {CANARY_MAIL}"))),
        Bug(methods=after("fetch", lambda orders: [replace(order, number=CANARY_NAME) for order in orders])),
    ],
    "fetch:it_is_fresh": [
        Bug(methods=after("fetch", lambda orders: [replace(order, fresh=False) for order in orders]))
    ],
    "fetch:unknown_ids_are_left_out": [Bug(methods={"fetch": wants_them_all})],
    "fetch:it_is_current": [Bug(methods={"fetch": fetches_what_the_feed_said, "orders": tells_and_keeps})],
    "fetch:it_takes_as_many_as_it_says": [Bug(methods=after("fetch", lambda orders: orders[:10]))],
    "fetch:nothing_asked_nothing_read": [Bug(methods=refusing_nothing("fetch"))],
    "seen:answers_are_in_order": [Bug(methods=after("seen", lambda seen: seen[::-1]))],
    "seen:they_are_true": [Bug(methods=readings_with(lambda seen: replace(seen, quantity=(seen.quantity or 0) + 1)))],
    "seen:a_sale_lowers_it": [
        Bug(methods={"seen": remembers_first_readings}),
    ],
    "seen:unknown_ones_have_no_number": [
        Bug(methods=readings_with(lambda seen: replace(seen, quantity=seen.quantity or 0))),
        Bug(methods=after("seen", lambda seen: [reading for reading in seen if reading.quantity is not None])),
    ],
    "seen:its_times_hold_the_reading": [Bug(methods=readings_with(lambda seen: replace(seen, asked_at=0)))],
    "seen:it_takes_as_many_as_it_says": [Bug(methods=after("seen", lambda seen: seen[:10]))],
    "seen:nothing_asked_nothing_read": [Bug(methods=refusing_nothing("seen"))],
    "seen:bulk_reads_everything_once": [Bug(methods={"seen_all": reads_half_in_bulk})],
    "push:it_is_applied_and_shown": [
        Bug(methods={"push": claims_all}),
        Bug(methods=pushes_as(lambda write: replace(write, quantity=write.quantity + 1))),
    ],
    "push:each_write_has_its_outcome": [Bug(methods=after("push", lambda outcomes: outcomes[::-1]))],
    "push:an_unknown_listing_is_rejected_alone": [Bug(methods={"push": raises_for_a_row})],
    "push:a_stale_write_changes_nothing": [Bug(methods=pushes_as(lambda write: replace(write, expected=None)))],
    "push:a_sale_makes_a_guarded_write_stale": [Bug(methods=pushes_as(lambda write: replace(write, expected=None)))],
    "push:a_delta_adds_to_what_is_shown": [
        Bug(methods=pushes_as(lambda write: replace(write, delta=None)), write_mode=DELTA)
    ],
    "push:a_delta_below_zero_changes_nothing": [
        Bug(methods=after("push", all_applied), write_mode=DELTA)
    ],
    "push:an_unconditional_write_overwrites": [Bug(methods=pushes_as(made_conditional))],
    "push:zero_is_always_written": [Bug(methods=pushes_as(made_conditional))],
    "push:a_large_number_is_written": [
        Bug(methods=pushes_as(lambda write: replace(write, quantity=min(write.quantity, 9_999))))
    ],
    "push:the_same_number_is_no_error": [Bug(methods={"push": refuses_the_same})],
    "push:one_key_is_applied_once": [Bug(methods={"push": forgets_keys})],
    "push:it_takes_as_many_as_it_says": [Bug(methods={"push": pushes_half})],
    "push:nothing_given_nothing_written": [Bug(methods=refusing_nothing("push"))],
    "trouble:a_cut_after_effect_is_not_denied": [Bug(methods={"push": denies_what_it_does_not_know})],
    "trouble:cuts_now_and_then_are_not_denied": [Bug(methods={"push": tries_again_by_itself})],
    "trouble:a_first_push_in_trouble_tells_the_truth": [Bug(methods={"push": raises_what_it_does_not_know})],
    "trouble:any_mixture_keeps_the_truth": [
        Bug(methods={"push": claims_what_it_does_not_know}),
    ],
    "trouble:a_limit_has_no_effect": [
        Bug(methods=instead("seen", TransientError, lambda: ProtocolError("429"))),
        Bug(methods={"push": guesses_outcomes}),
    ],
    "trouble:server_errors_pass_over": [
        Bug(methods=instead("seen", TransientError, list)),
        Bug(methods=instead("fetch", TransientError, lambda: AuthError("500"))),
    ],
    "trouble:a_web_page_is_not_an_answer": [
        Bug(methods=instead("listings", ProtocolError, lambda: ListingPage(listings=(), cursor=None))),
        Bug(methods={"push": claims_what_it_does_not_know}),
    ],
    "trouble:a_busy_server_passes_over": [Bug(methods=instead("orders", TransientError, lambda: ProtocolError("503")))],
    "trouble:nobody_there_means_not_sent": [
        Bug(methods={"push": guesses_outcomes}),
        Bug(methods=instead("seen", TransientError, lambda: TransientError("refused", sent=True))),
    ],
    "trouble:no_answer_is_waited_for_in_vain": [Bug(methods={"__init__": patient})],
    "trouble:it_recovers": [Bug(methods={"seen": breaks_for_good})],
    "trouble:slow_answers_are_right": [
        Bug(methods=readings_with(lambda seen: replace(seen, asked_at=seen.answered_at)))
    ],
    "trouble:readings_in_trouble_are_right_or_fail": [Bug(methods={"seen": reads_zero_in_trouble})],
    "trouble:the_feed_in_trouble_loses_nothing": [Bug(methods={"orders": skips_after_a_failure})],
    "display:what_is_closed_sells_nothing": [
        Bug(methods={"set_visible": claims_all}),
        Bug(methods=listings_with(lambda rows: [replace(listing, active=True) for listing in rows])),
    ],
    "display:a_limit_refuses_larger_orders": [Bug(methods={"set_purchase_limits": claims_all})],
    "display:each_wish_ends_alone": [
        Bug(methods={"set_purchase_limits": claims_all}),
        Bug(methods=after("set_preorder_days", lambda ends: ends[::-1])),
    ],
    "offers:it_takes_its_units_off_the_listing": [
        Bug(methods=offered_with(quantity=1), private_sales=True),
        Bug(methods=always("find_offer", None), private_sales=True),
    ],
    "offers:whoever_has_the_link_buys_it_once": [
        Bug(methods=orders_with(lambda order: replace(order, offer="")), private_sales=True),
        Bug(methods=after("fetch", lambda found: [replace(order, offer="one") for order in found]), private_sales=True),
        Bug(methods=always("withdraw_offer", Withdrawn(end=Withdrawal.WITHDRAWN)), private_sales=True),
    ],
    "offers:ended_it_gives_its_units_back": [
        Bug(methods=always("withdraw_offer", Withdrawn(end=Withdrawal.WITHDRAWN)), private_sales=True),
        Bug(methods=always("withdraw_offer", Withdrawn(end=Withdrawal.GONE)), private_sales=True),
    ],
    "offers:it_lapses_by_itself": [Bug(methods=offered_with(until=2**61), private_sales=True)],
    "offers:what_is_not_there_is_refused": [
        Bug(methods=always("make_offer", Offer(offer_id="P-1", link="https://x.example")), private_sales=True)
    ],
    "offers:lost_answers_make_each_at_most_once": [
        Bug(methods={"make_offer": offers_until_it_answers}, private_sales=True),
        Bug(methods={"make_offer": offers_and_denies}, private_sales=True),
    ],
    "webhooks:genuine_ones_are_accepted": [
        Bug(methods={"verify": strict_for_all}),
        Bug(methods={"subscribe": fails_to_subscribe}),
    ],
    "webhooks:they_lead_to_the_truth": [Bug(methods=parsed_with(lambda notice, _: Notice(catalogue=True)))],
    "webhooks:forged_ones_are_refused": [Bug(methods={"verify": trusting})],
    "webhooks:unsigned_ones_are_refused": [
        Bug(methods={"verify": unauthorized_without}),
        Bug(methods={"verify": trusting}),
    ],
    "webhooks:nonsense_is_not_understood": [Bug(methods={"parse": stumbles})],
    "webhooks:doubles_share_their_key": [
        Bug(methods=parsed_with(rekeyed(count())))
    ],
    "webhooks:subscribing_again_changes_nothing": [Bug(methods={"subscribe": subscribes_ever_anew})],
    "webhooks:no_personal_data_comes_along": [
        Bug(methods=parsed_with(lambda notice, request: replace(notice, text=request.body.decode())))
    ],
    "access:wrong_credentials_are_an_auth_error": [
        Bug(methods=instead("listings", AuthError, lambda: TransientError("401"))),
        Bug(methods=instead("seen", AuthError, lambda: AuthError("wrong-credential-0123456789abcdef"))),
    ],
    "access:settings_hide_their_secrets": [Bug(methods={}, settings=LoudSettings)],
    "access:errors_hide_secrets": [Bug(methods=printing("orders")), Bug(methods=printing("seen"))],
    "access:a_right_setup_is_healthy": [Bug(methods=after("check", lambda _: ["buy a new one"]))],
    "access:its_pace_is_a_time": [
        Bug(methods={"push_delay_s": lambda _: 1.0}),
        Bug(methods={"push_delay_s": lambda _: math.nan}),
    ],
    "access:closing_leaves_nothing_behind": [
        Bug(methods={"close": closes_the_session}),
        Bug(methods={"orders": leaves_a_task}),
    ],
    "access:two_accounts_do_not_meet": [Bug(methods={"__init__": alone, "close": goes})],
}  # fmt: skip

BUGS = [
    pytest.param(name, bug, id=f"{name}-{place}") for name, bugs in PLANTED.items() for place, bug in enumerate(bugs)
]


@pytest.mark.parametrize(("name", "bug"), BUGS)
def test_each_case_catches_its_bug(name: str, bug: Bug) -> None:
    """A case fails for an adapter that has just the bug it is there for."""
    case = next(case for case in cases() if case.name == name)
    with pytest.raises((AssertionError, IndexError)):
        run_virtual(lambda: case.run(bug.kit()))


def test_every_case_has_a_planted_bug() -> None:
    """No case is without a bug that it was seen to catch."""
    assert set(PLANTED) == {case.name for case in cases()}


def test_cases_say_what_they_demand() -> None:
    """There are more than 60 cases with different names, and each has its demand as one sentence."""
    texts = [case.text for case in cases()]
    assert len({case.name for case in cases()}) == len(texts) > 60
    assert all(text.endswith(".") for text in texts)


async def test_a_case_runs_without_pytest() -> None:
    """A case that does not apply raises a skip with its reason, which pytest understands."""
    case = next(case for case in cases() if case.name == "seen:bulk_reads_everything_once")
    with pytest.raises(NotApplicable, match="no bulk reading"):
        await case.run(Bug(methods={}).kit())


def test_cases_end() -> None:
    """A case that hangs is ended by its own limit."""
    case = next(case for case in cases() if case.name == "seen:nothing_asked_nothing_read")

    async def hangs(self, refs):
        await asyncio.Event().wait()

    with pytest.raises(AssertionError, match="TimeoutError"):
        run_virtual(lambda: case.run(Bug(methods={"seen": hangs}).kit()))


def test_the_kit_names_no_channel() -> None:
    """The kit asks for features and the profile, never for the name of a channel."""
    folder = Path(__file__).parents[2] / "syncd" / "testing"
    names = [path.name for path in Path(__file__).parents[2].joinpath("adapters").iterdir() if path.is_dir()]
    texts = {path.name: path.read_text().lower() for path in (folder / "cases").glob("*.py")}
    assert len(texts) > 8
    assert not [(file, name) for file, text in texts.items() for name in names if f'"{name}"' in text]
