"""The shop's own past as a trace, and rules by their names."""

from __future__ import annotations

import pytest

from syncd.core.exposure import Exposure, Policy
from syncd.core.hindsight import DELIVERY, Event, Lag
from syncd.core.terms import SECOND_US
from syncd.core.whatif import Moved, Named, Present, Stopped, compare, named, story

SINCE = 1_000 * SECOND_US
LAGS = (Lag(60.0, 60.0), Lag(60.0, 60.0))


def sale(at_s: float, units: int, channel: int, sku: int = 0) -> Moved:
    return Moved(sku=sku, at=SINCE + round(at_s * SECOND_US), units=-units, channel=channel, order=f"{at_s}")


PAST = [sale(5, 2, 0), Moved(sku=1, at=SINCE + 9 * SECOND_US, units=4), sale(3, 3, 1)]


def test_a_past_begins_with_what_was_there() -> None:
    """What is there now, less all that changed since, was there at first; later come sales and deliveries in order."""
    assert story(PAST, now_there={0: -1, 1: 4}, since=SINCE) == [
        Event(-1.0, 0, 4, DELIVERY),
        Event(-1.0, 1, 0, DELIVERY),
        Event(3.0, 0, 3, 1, "3"),
        Event(5.0, 0, 2, 0, "5"),
        Event(9.0, 1, 4, DELIVERY),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pool", Named(kind="pool")),
        (" even ", Named(kind="even")),
        ("fixed 3", Named(kind="fixed", number=3.0)),
        ("fixed 0", Named(kind="fixed", number=0.0)),
        ("percent 10", Named(kind="percent", number=10.0)),
        ("adaptive 30", Named(kind="adaptive", number=30.0)),
        ("batch 15", Named(kind="batch", number=15.0)),
        ("batch 1", Named(kind="batch", number=1.0)),
        *((text, None) for text in ("pool 3", "fixed", "fixed x", "fixed 1.5", "percent 101", "fixed -1", "batch 0")),
        *((text, None) for text in ("batch 1e-300", "batch 0.5")),
        *((text, None) for text in ("", "adaptive 0", "magic 3", "fixed nan", "fixed inf")),
    ],
)
def test_a_rule_is_read_by_its_name(text: str, expected: Named | None) -> None:
    """A name that is none, or has a number that cannot be, is no rule."""
    assert named(text) == expected


def test_two_rules_are_compared_on_one_past() -> None:
    """A buffer refuses the order that crossed another one, where the pool sells what is not there."""
    events = story([sale(3, 3, 1), sale(5, 2, 0)], now_there={0: -1}, since=SINCE)
    present = Present([{}, {0: Policy()}], [Policy(), Policy(safety_stock=9)])
    now, then = compare(events, skus=1, lags=LAGS, present=present, other=Named(kind="fixed", number=3.0))
    assert (now.sold, now.oversold, now.hidden) == (4, 1, 0)
    assert (then.sold, then.oversold, then.hidden) == (0, 0, 5)


def test_a_rule_in_force_that_learns_is_replayed_as_such() -> None:
    """A channel that goes by demand and lags shows no more than these allow, others go by their policy alone."""
    events = story([*PAST, sale(700, 1, 1, 1)], now_there={0: -3, 1: 3}, since=SINCE)
    adaptive = Policy(exposure=Exposure.ADAPTIVE, loss=1_000)
    present = Present([{}, {}], [adaptive, Policy()])
    assert present.loss == 1_000
    learned, _ = compare(events, skus=2, lags=LAGS, present=present, other=Named(kind="pool"))
    plain, _ = compare(events, skus=2, lags=LAGS, present=Present([{}, {}], [Policy()] * 2), other=Named(kind="pool"))
    assert learned.demand == plain.demand == 6
    assert learned.oversold <= plain.oversold


@pytest.mark.parametrize("kind", ["pool", "even", "percent 50", "adaptive 30", "batch 1"])
def test_every_rule_can_be_tried(kind: str) -> None:
    """Each named rule runs on a past with a delivery, and sells or hides what was asked for."""
    name = named(kind)
    assert name is not None
    events = story([*PAST, sale(700, 1, 1, 1)], now_there={0: 20, 1: 3}, since=SINCE)
    present = Present([{}, {}], [Policy(), Policy()])
    now, then = compare(events, skus=2, lags=LAGS, present=present, other=name)
    assert now.demand == then.demand == 6
    assert then.sold + then.oversold <= 6


def test_the_rule_in_force_knows_who_has_the_last_units() -> None:
    """The account of priority shows all, the others what is above the last units."""
    policy = Policy(priority="one", priority_units=5)
    assert list(Present([{}, {}], [policy, policy], accounts=("one", "two")).decide(0, 8)) == [8, 3]


def test_allotments_in_force_are_parts() -> None:
    """Where one channel of a SKU has a part of its own all have one, as large as its policy lets it be."""
    part, pool = Policy(exposure=Exposure.ALLOTMENT), Policy(cap=2)
    present = Present([{}, {7: part}], [pool, pool], accounts=("one", "two"))
    assert list(present.decide(7, 9)) == [2, 4]
    assert list(present.decide(8, 9)) == [2, 2]


def test_a_rule_of_single_skus_that_learns_counts() -> None:
    """The loss of a SKU's own policy is replayed where the settings of the shop do not go by demand."""
    row = {0: Policy(exposure=Exposure.ADAPTIVE, loss=2_500)}
    assert Present([row, row], [Policy(), Policy()]).loss == 2_500


def test_a_replay_ends_when_nobody_waits() -> None:
    """A replay looks at each event whether it is to go on."""
    events = story(PAST, now_there={0: 5, 1: 4}, since=SINCE)
    asked = iter([False, False, True])
    present = Present([{}, {}], [Policy(), Policy()])
    with pytest.raises(Stopped):
        compare(events, skus=2, lags=LAGS, present=present, other=Named(kind="pool"), stopped=lambda: next(asked))
