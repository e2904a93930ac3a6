"""The one rule of writing (DESIGN, section 3): from what a listing shows and should show to what is done next."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

from syncd.core.shown import OpenWrite, Range
from syncd.core.terms import SECOND_US, Instant, WriteMode

EASE_US = 300 * SECOND_US
"""How soon a listing is looked at again that stays below its target by a margin: it shrinks while nothing sells."""
GATE_US = 10 * SECOND_US
"""How soon a raise is looked at again that the gate of allotments does not let through, where no moment is known."""
AGAIN_US = 10 * SECOND_US
"""How soon a fall is sent again whose answer was lost, where it would be read back only later than that."""


class Lane(IntEnum):
    """In which order work leaves: to zero first, then falls, then raises; `READ` is the audit's."""

    ZERO = 0
    FALL = 1
    RAISE = 2
    READ = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long things take on a channel, in microseconds.

    `visible_us`: from a write until it can be seen. `read_us`: at least that long between two readings made only
    because a range is wide. `raise_us`: damping of raises.
    """

    visible_us: int
    read_us: int
    raise_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A listing as the rule sees it.

    `target` is None while nothing may be written. `shown` is None while nothing was ever read: it is read all the same.
    `margin` is what own sales may have taken unread (absolute mode only, else 0). `held` blocks raises, so does
    `parked`: the channel refused a number. `vanished` blocks everything: there is nothing to write to. `gives_until` is
    until when a unit may still come back, `raise_at` when a raise that waits is due, `read_at` when it was last read,
    `last_open` the latest write whose outcome is not known (a delta: with the number it leads to), `settled_at` the
    instant after which a reading can tell whether open writes took effect. `stale` says that a guarded write met
    another number than believed since the last base. `doubted`: somebody seems to have changed the number where people
    count; it is read again before it is believed or overwritten. `ceiling` is the most that a write may set it to
    (`core.gate`; None outside of allotments) and `ceiling_at` when that is likely to rise.
    """

    mode: WriteMode
    target: int | None
    shown: Range | None
    pace: Pace
    margin: int = 0
    held: bool = False
    parked: bool = False
    vanished: bool = False
    gives_until: Instant | None = None
    raise_at: Instant | None = None
    read_at: Instant | None = None
    last_open: OpenWrite | None = None
    settled_at: Instant | None = None
    stale: bool = False
    doubted: bool = False
    ceiling: int | None = None
    ceiling_at: Instant | None = None

    @property
    def aim(self) -> int:
        """Return what a write may set it to: the target, less the margin, within the gate where it may add units.

        A fall is always let through; one that puts unread sales back, an absolute one, adds units.
        """
        assert self.target is not None, "without a target nothing is written"
        aim = max(0, self.target - self.margin)
        if self.ceiling is None or (self.mode is not WriteMode.ABSOLUTE and self._falls):
            return aim
        return max(0, min(aim, self.ceiling))

    @property
    def _falls(self) -> bool:
        assert self.shown is not None, "what was never read is not written"
        assert self.target is not None, "without a target nothing is written"
        return self.shown.high > self.target


@dataclass(frozen=True, slots=True, kw_only=True)
class Idle:
    """Nothing to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Decide again at `at`; the work is of `lane`."""

    lane: Lane
    at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Read the listing, not before `at`."""

    at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """Write now. `expected` and `delta` as in `core.terms.Write`."""

    lane: Lane
    quantity: int
    expected: int | None = None
    delta: int | None = None


Step: TypeAlias = Idle | Wait | Look | Send


def decide(view: View, *, now: Instant) -> Step:
    """Return what is next for a listing."""
    if view.vanished:
        return Idle()
    if view.shown is None:
        return Look(at=now)
    if view.target is None:
        return Idle()
    low, high = max(0, view.shown.low), max(0, view.shown.high)
    if view.doubted or (view.stale and (view.target > 0 or high == 0)):
        return _look(view, now)
    if high > view.target:
        return _fall(view, low, high, now)
    if view.parked:
        return Idle()
    if high < view.target - view.margin:
        return _raise(view, low, high, now)
    if low < high or view.last_open is not None:
        return _look(view, now)
    if high < view.target and not view.held:
        return Wait(lane=Lane.RAISE, at=now + EASE_US)
    return Idle()


def lane_of_certain(*, target: int, value: int) -> Lane | None:
    """Return the lane of a listing that certainly shows `value`, not less than its target; None: nothing to do.

    The short form of `decide` for what most listings are: nothing open, no margin, not parked, not stale.
    """
    assert value >= target >= 0, "only what is right or too high is certain"
    if value == target:
        return None
    return Lane.FALL if target else Lane.ZERO


def _fall(view: View, low: int, high: int, now: Instant) -> Step:
    value = view.aim
    lane = Lane.ZERO if value == 0 else Lane.FALL
    if view.last_open is not None and view.last_open.value == value:
        step = _verify(view, view.last_open, now)
        if step is not None:
            return step
    assert view.shown is not None
    # Only a unit that may come back lifts the range above the target: to write the same again would change nothing.
    if view.last_open is None and view.shown.likely <= value:
        return _look(view, now)
    if value == 0:
        return Send(lane=lane, quantity=0)
    return _send(view, lane, value, low, high, now)


def _verify(view: View, sent: OpenWrite, now: Instant) -> Look | Wait | None:
    """Read whether a write took effect before it is sent again; a channel that cannot be read delays it no further.

    An absolute number whose answer was lost is not waited for where it shows late: the same number twice does no harm,
    and each minute sells what is not there.
    """
    visible_at = sent.sent_at + view.pace.visible_us
    again_at = sent.sent_at + AGAIN_US
    if sent.lost and view.mode is WriteMode.ABSOLUTE and again_at < visible_at:
        return None if now >= again_at else Wait(lane=Lane.FALL if sent.value else Lane.ZERO, at=again_at)
    if now < visible_at:
        return Look(at=visible_at)
    read = view.read_at is not None and view.read_at >= visible_at
    return None if read or now >= visible_at + view.pace.visible_us else Look(at=now)


def _raise(view: View, low: int, high: int, now: Instant) -> Step:
    if view.held:
        return Idle()
    if view.gives_until is not None and view.gives_until > now:
        return Wait(lane=Lane.RAISE, at=view.gives_until)
    if view.last_open is not None or (low < high and view.mode is not WriteMode.ABSOLUTE):
        return _look(view, now)
    due = now + view.pace.raise_us if view.raise_at is None else view.raise_at
    if now < due:
        return Wait(lane=Lane.RAISE, at=due)
    if view.aim <= high:
        return Wait(lane=Lane.RAISE, at=now + GATE_US if view.ceiling_at is None else view.ceiling_at)
    return _send(view, Lane.RAISE, view.aim, low, high, now)


def _send(view: View, lane: Lane, value: int, low: int, high: int, now: Instant) -> Step:
    assert view.shown is not None
    if view.mode is WriteMode.ABSOLUTE:
        return Send(lane=lane, quantity=value)
    if view.mode is WriteMode.COMPARE_AND_SET:
        # The channel itself checks the number: if it does not show this one, the write is stale and we read.
        expected = view.shown.likely if view.last_open is None else view.shown.high
        return Send(lane=lane, quantity=value, expected=expected)
    if low < high or view.last_open is not None:
        return _look(view, now)
    return Send(lane=lane, quantity=value, delta=value - view.shown.high)


def _look(view: View, now: Instant) -> Look:
    """Read as soon as it can tell something: not twice within the interval unless the last read came too early."""
    if view.read_at is None:
        return Look(at=now)
    soonest = view.read_at + view.pace.read_us
    if view.last_open is None:
        return Look(at=max(now, soonest))
    if view.read_at < view.last_open.sent_at:
        return Look(at=now)
    settled = view.settled_at if view.settled_at is not None else now
    return Look(at=max(now, settled + 1 if view.read_at <= settled else soonest))
