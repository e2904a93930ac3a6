"""The one rule of writing, case by case."""

from __future__ import annotations

from typing import Any

import pytest

from syncd.core.plan import (
    AGAIN_US,
    EASE_US,
    GATE_US,
    Idle,
    Lane,
    Look,
    Pace,
    Send,
    Step,
    View,
    Wait,
    decide,
    lane_of_certain,
)
from syncd.core.shown import OpenWrite, Range
from syncd.core.terms import WriteMode

CAS, DELTA, ABSOLUTE = WriteMode.COMPARE_AND_SET, WriteMode.DELTA, WriteMode.ABSOLUTE
PACE = Pace(visible_us=10, read_us=15, raise_us=5)
NOW = 1_000
OPEN = OpenWrite(value=4, sent_at=995, until=1_030)


def step(
    mode: WriteMode, target: int | None, low: int | None, high: int = 0, *, likely: int | None = None, **more: Any
) -> Step:
    known = None if low is None else Range(low=low, high=high, likely=high if likely is None else likely)
    return decide(View(mode=mode, target=target, shown=known, pace=PACE, **more), now=NOW)


@pytest.mark.parametrize("mode", list(WriteMode))
def test_what_is_right_is_left_alone(mode: WriteMode) -> None:
    """A listing at its target, one without a target, and one that is gone are not touched."""
    assert step(mode, 5, 5, 5) == Idle()
    assert step(mode, None, 5, 5) == Idle()
    assert step(mode, 2, 5, 5, vanished=True) == Idle()
    assert step(mode, 0, -3, -3) == Idle()


def test_what_was_never_read_is_read() -> None:
    """Nothing is written before the first reading, which a listing without a target gets, too."""
    assert step(CAS, 5, None) == Look(at=NOW)
    assert step(CAS, None, None) == Look(at=NOW)
    assert step(CAS, 5, None, vanished=True) == Idle()


@pytest.mark.parametrize("mode", list(WriteMode))
def test_what_the_channel_refused_still_falls(mode: WriteMode) -> None:
    """A listing whose number was refused is not raised, but falls like any other, to zero above all."""
    assert step(mode, 9, 5, 5, parked=True, raise_at=900) == Idle()
    assert step(mode, 4, 7, 7, parked=True) == step(mode, 4, 7, 7)
    assert step(mode, 0, 3, 3, parked=True) == Send(lane=Lane.ZERO, quantity=0)


@pytest.mark.parametrize(
    ("mode", "low", "expected"),
    [
        (CAS, 9, Send(lane=Lane.FALL, quantity=4, expected=9)),
        (CAS, 7, Send(lane=Lane.FALL, quantity=4, expected=9)),
        (DELTA, 9, Send(lane=Lane.FALL, quantity=4, delta=-5)),
        (DELTA, 7, Look(at=NOW)),
        (ABSOLUTE, 7, Send(lane=Lane.FALL, quantity=4)),
    ],
)
def test_falls(mode: WriteMode, low: int, expected: Step) -> None:
    """A number above its target falls at once; a delta needs to know the number."""
    assert step(mode, 4, low, 9) == expected


def test_a_number_that_somebody_seems_to_have_changed_is_read_again() -> None:
    """A hand edit that is doubted is neither overwritten nor believed before it was read a second time."""
    assert step(CAS, 0, 9, 9, doubted=True, read_at=NOW) == Look(at=NOW + PACE.read_us)


@pytest.mark.parametrize("mode", list(WriteMode))
def test_a_fall_to_zero_is_unconditional(mode: WriteMode) -> None:
    """Zero is sent without a condition, also when the number is not known, held, or a unit may come back."""
    sent = Send(lane=Lane.ZERO, quantity=0)
    assert step(mode, 0, 2, 9) == sent
    assert step(mode, 0, 9, 9, held=True, gives_until=NOW + 50, stale=True) == sent


def test_a_fall_that_was_sent_is_verified_before_it_is_sent_again() -> None:
    """The same number is read back once it can be seen; only then, or when it cannot be read, it is sent again."""
    sent = OpenWrite(value=4, sent_at=NOW - 5, until=NOW + 30)
    assert step(ABSOLUTE, 4, 4, 9, last_open=sent) == Look(at=NOW + 5)
    old = OpenWrite(value=4, sent_at=NOW - 12, until=NOW + 30)
    assert step(ABSOLUTE, 4, 4, 9, last_open=old, read_at=NOW - 20) == Look(at=NOW)
    assert step(ABSOLUTE, 4, 4, 9, last_open=old, read_at=NOW - 1) == Send(lane=Lane.FALL, quantity=4)
    unread = OpenWrite(value=0, sent_at=NOW - 20, until=NOW + 30)
    assert step(ABSOLUTE, 0, 0, 9, last_open=unread) == Send(lane=Lane.ZERO, quantity=0)
    other = OpenWrite(value=6, sent_at=NOW - 5, until=NOW + 30)
    assert step(ABSOLUTE, 4, 4, 9, last_open=other) == Send(lane=Lane.FALL, quantity=4)


def test_a_fall_whose_answer_was_lost_is_sent_again_where_it_shows_late() -> None:
    """An absolute fall without an answer does not wait until it could be read; one that was taken does."""
    slow = Pace(visible_us=60 * AGAIN_US, read_us=15, raise_us=5)

    def after(age: int, target: int, *, mode: WriteMode = ABSOLUTE, lost: bool = True) -> Step:
        sent = OpenWrite(value=target, sent_at=NOW - age, until=NOW + 30, lost=lost)
        known = Range(low=target, high=9, likely=9)
        return decide(View(mode=mode, target=target, shown=known, pace=slow, last_open=sent), now=NOW)

    assert after(AGAIN_US, 4) == Send(lane=Lane.FALL, quantity=4)
    assert after(AGAIN_US, 0) == Send(lane=Lane.ZERO, quantity=0)
    assert after(1, 4) == Wait(lane=Lane.FALL, at=NOW - 1 + AGAIN_US)
    assert after(1, 0) == Wait(lane=Lane.ZERO, at=NOW - 1 + AGAIN_US)
    assert after(AGAIN_US, 4, lost=False) == Look(at=NOW - AGAIN_US + slow.visible_us)
    assert after(AGAIN_US, 0, mode=DELTA) == Look(at=NOW - AGAIN_US + slow.visible_us)
    quick = OpenWrite(value=4, sent_at=NOW - 5, until=NOW + 30, lost=True)
    assert step(ABSOLUTE, 4, 4, 9, last_open=quick) == Look(at=NOW + 5)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (CAS, Send(lane=Lane.RAISE, quantity=9, expected=4)),
        (DELTA, Send(lane=Lane.RAISE, quantity=9, delta=5)),
        (ABSOLUTE, Send(lane=Lane.RAISE, quantity=9)),
    ],
)
def test_a_raise_waits_first(mode: WriteMode, expected: Step) -> None:
    """A raise is damped, then sent."""
    assert step(mode, 9, 4, 4) == Wait(lane=Lane.RAISE, at=NOW + 5)
    assert step(mode, 9, 4, 4, raise_at=NOW + 3) == Wait(lane=Lane.RAISE, at=NOW + 3)
    assert step(mode, 9, 4, 4, raise_at=NOW) == expected


def test_what_keeps_a_raise_back() -> None:
    """A held listing is not raised, nor one that a unit may come back to, nor one whose number is not known."""
    assert step(CAS, 9, 4, 4, raise_at=0, held=True) == Idle()
    assert step(CAS, 9, 4, 4, raise_at=0, gives_until=NOW + 50) == Wait(lane=Lane.RAISE, at=NOW + 50)
    assert step(CAS, 9, 4, 4, raise_at=0, gives_until=NOW) == Send(lane=Lane.RAISE, quantity=9, expected=4)
    assert step(CAS, 9, 3, 4, raise_at=0) == Look(at=NOW)
    assert step(ABSOLUTE, 9, 3, 4, raise_at=0) == Send(lane=Lane.RAISE, quantity=9)
    assert step(ABSOLUTE, 9, 3, 4, raise_at=0, last_open=OPEN, settled_at=1_030) == Look(at=NOW)


def test_an_absolute_write_leaves_a_margin() -> None:
    """Own sales that were not read yet are left out; a listing within the margin is looked at again in a while."""
    assert step(ABSOLUTE, 9, 12, 12, margin=2) == Send(lane=Lane.FALL, quantity=7)
    assert step(ABSOLUTE, 9, 7, 7, margin=2) == Wait(lane=Lane.RAISE, at=NOW + EASE_US)
    assert step(ABSOLUTE, 9, 7, 7, margin=2, held=True) == Idle()
    assert step(ABSOLUTE, 9, 9, 9, margin=2) == Idle()
    assert step(ABSOLUTE, 9, 6, 6, margin=2, raise_at=0) == Send(lane=Lane.RAISE, quantity=7)
    assert step(ABSOLUTE, 1, 5, 5, margin=2) == Send(lane=Lane.ZERO, quantity=0)


def test_a_wide_range_is_read_at_most_once_per_interval() -> None:
    """A range that is merely wide never writes; it is read again, not too often."""
    assert step(CAS, 9, 7, 9) == Look(at=NOW)
    assert step(CAS, 9, 7, 9, read_at=NOW - 5) == Look(at=NOW + 10)
    assert step(CAS, 9, 7, 9, read_at=NOW - 50) == Look(at=NOW)


def test_an_open_write_is_read_back_when_that_can_tell() -> None:
    """It is read once after it was sent, and once after its time has ended."""
    assert step(CAS, 4, 4, 4, last_open=OPEN, read_at=990, settled_at=1_030) == Look(at=NOW)
    assert step(CAS, 4, 4, 4, last_open=OPEN, read_at=998, settled_at=1_030) == Look(at=1_031)
    assert step(CAS, 4, 4, 4, last_open=OPEN, read_at=998, settled_at=999) == Look(at=NOW)
    assert step(CAS, 4, 4, 4, last_open=OPEN, read_at=998, settled_at=990) == Look(at=1_013)
    assert step(CAS, 4, 4, 4, last_open=OPEN, read_at=998) == Look(at=1_001)


def test_a_stale_write_asks_for_a_reading() -> None:
    """After a guarded write met another number, the listing is read before anything else but a fall to zero."""
    assert step(CAS, 4, 9, 9, stale=True) == Look(at=NOW)
    assert step(CAS, 0, 9, 9, stale=True) == Send(lane=Lane.ZERO, quantity=0)
    assert step(CAS, 0, 0, 0, stale=True) == Look(at=NOW)


def test_a_unit_that_may_come_back_is_no_reason_to_write_the_same_again() -> None:
    """A range that only a possible restore lifts above the target is read, not written, at zero, too."""
    assert step(ABSOLUTE, 4, 4, 5, likely=4) == Look(at=NOW)
    assert step(CAS, 0, 0, 1, likely=0) == Look(at=NOW)
    assert step(CAS, 4, 8, 9, likely=8) == Send(lane=Lane.FALL, quantity=4, expected=8)
    unknown = OpenWrite(value=9, sent_at=995, until=1_030)
    assert step(CAS, 4, 4, 9, likely=4, last_open=unknown) == Send(lane=Lane.FALL, quantity=4, expected=9)


@pytest.mark.parametrize("mode", list(WriteMode))
@pytest.mark.parametrize(("target", "value"), [(0, 0), (0, 3), (4, 4), (4, 9)])
def test_the_short_form_says_what_the_rule_says(mode: WriteMode, target: int, value: int) -> None:
    """For a listing that certainly shows no less than its target the short form and the whole rule agree."""
    long = step(mode, target, value, value)
    assert lane_of_certain(target=target, value=value) == (long.lane if isinstance(long, Send) else None)
    assert long == Idle() or isinstance(long, Send)


def test_the_short_form_is_only_for_what_is_certain() -> None:
    """A listing below its target is no matter for the short form."""
    with pytest.raises(AssertionError):
        lane_of_certain(target=5, value=4)


@pytest.mark.parametrize(
    ("mode", "ceiling", "expected"),
    [
        (CAS, 6, Send(lane=Lane.RAISE, quantity=6, expected=5)),
        (DELTA, 6, Send(lane=Lane.RAISE, quantity=6, delta=1)),
        (ABSOLUTE, 6, Send(lane=Lane.RAISE, quantity=6)),
        (CAS, 20, Send(lane=Lane.RAISE, quantity=9, expected=5)),
        (CAS, 5, Wait(lane=Lane.RAISE, at=NOW + GATE_US)),
        (ABSOLUTE, -3, Wait(lane=Lane.RAISE, at=NOW + GATE_US)),
    ],
)
def test_a_raise_goes_as_far_as_the_gate(mode: WriteMode, ceiling: int, expected: Step) -> None:
    """An allotment is raised within what the others leave; where that is nothing it waits."""
    assert step(mode, 9, 5, 5, raise_at=NOW, ceiling=ceiling) == expected


def test_a_closed_gate_says_when_to_look_again() -> None:
    """Where it is known when the feed passes what may be sold unheard, nobody looks before."""
    assert step(CAS, 9, 5, 5, raise_at=NOW, ceiling=5, ceiling_at=7_000) == Wait(lane=Lane.RAISE, at=7_000)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (CAS, Send(lane=Lane.FALL, quantity=4, expected=9)),
        (DELTA, Send(lane=Lane.FALL, quantity=4, delta=-5)),
        (ABSOLUTE, Send(lane=Lane.ZERO, quantity=0)),
    ],
)
def test_a_fall_passes_the_gate_but_puts_nothing_back(mode: WriteMode, expected: Step) -> None:
    """An absolute fall could put unread sales back, so beyond the gate it goes to zero."""
    assert step(mode, 4, 9, 9, ceiling=0) == expected
