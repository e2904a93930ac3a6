"""Put a step of the rule into words: what is next for a listing, and what it waits for."""

from __future__ import annotations

from syncd.core.plan import Idle, Lane, Look, Send, Step, View, Wait
from syncd.engine.whys import Next
from syncd.store.listings import Listing
from syncd.store.views import lane_name, moment_or_none


def told_step(view: View, step: Step, listing: Listing) -> Next:
    """Tell a step; the lane is that which the engine itself derives."""
    lane, at = lane_name(listing.lane), moment_or_none(listing.due_at)
    match step:
        case Idle():
            return Next(step="idle", why=_why_idle(view), lane=lane, at=at)
        case Wait():
            return Next(step="wait", why=_why_wait(view, step), lane=lane, at=at)
        case Look():
            return Next(step="look", why=_why_look(view), lane=lane, at=at)
        case Send(quantity=quantity, expected=expected, delta=delta):
            why = "to_zero" if step.lane is Lane.ZERO else "fall" if step.lane is Lane.FALL else "raise"
            return Next(step="send", why=why, lane=lane, at=at, quantity=quantity, expected=expected, delta=delta)


def _why_idle(view: View) -> str:
    if view.vanished:
        return "vanished"
    if view.target is None:
        return "not_written"
    assert view.shown is not None, "what was never read is read first"  # noqa: S101  (our own invariant)
    if view.shown.high >= view.target:
        return "right"
    return "parked" if view.parked else "held" if view.held else "right"


def _why_wait(view: View, step: Wait) -> str:
    assert view.shown is not None, "what was never read is read first"  # noqa: S101  (our own invariant)
    assert view.target is not None, "without a target nothing waits"  # noqa: S101  (the same)
    if max(0, view.shown.high) >= view.target - view.margin:
        return "margin"
    if view.ceiling is not None and view.raise_at is not None and view.aim <= max(0, view.shown.high):
        return "gate"
    return "give" if view.gives_until is not None and step.at == view.gives_until else "damping"


def _why_look(view: View) -> str:
    if view.shown is None:
        return "never_read"
    if view.stale:
        return "stale"
    if view.last_open is not None:
        return "verify"
    return "wide"
