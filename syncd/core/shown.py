"""What a listing is believed to show: a range, derived from the last base and what may have changed it since.

A base is a number that was shown at some instant of a span: a reading, or a confirmed write. An effect is a change that
happened, or may happen, in its own span: an own sale (negative), a restore (positive), a delta of ours. An open write
is an absolute write of ours of which nobody knows whether it took effect.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from syncd.core.terms import Instant, Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """A number that was shown at some instant from `since` to `until`."""

    value: int
    since: Instant
    until: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """A change of `quantity` units in `span`; `maybe` where it may have been on another listing instead."""

    quantity: int
    span: Span
    maybe: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenWrite:
    """An absolute write of `value`: it took or takes effect between `sent_at` and `until`, or never.

    `lost` says that its answer never came; otherwise the channel took it, or it is under way.
    """

    value: int
    sent_at: Instant
    until: Instant
    lost: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """The least and the most that a listing may show, and what it shows if nothing that is only possible happened."""

    low: int
    high: int
    likely: int

    @property
    def exact(self) -> bool:
        """Say whether there is only one number it can be."""
        return self.low == self.high


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Everything that says what a listing shows. `floor` is the least it can show, None where it may go below zero."""

    base: Base
    effects: Sequence[Effect] = ()
    writes: Sequence[OpenWrite] = ()
    floor: int | None = 0


def shown(history: History) -> Range:
    """Return what the listing may show now."""
    return _union(history, None)


def predicted(history: History, at: Span) -> Range:
    """Return what a reading may have answered that was true at some instant of `at` (whose latest is known)."""
    return _union(history, at)


def _union(history: History, at: Span | None) -> Range:
    ranges = [_from(base, history.effects, at) for base in _candidates(history, at)]
    found = Range(low=min(r.low for r in ranges), high=max(r.high for r in ranges), likely=ranges[0].likely)
    return _floored(found, history.floor)


def _candidates(history: History, at: Span | None) -> Iterable[Base]:
    """Yield the base, then every other number that may have been the last one set, with the span of its setting."""
    base = history.base
    yield base
    for write in history.writes:
        if write.until < base.since or (at is not None and at.latest is not None and write.sent_at > at.latest):
            continue
        yield Base(value=write.value, since=max(write.sent_at, base.since), until=max(write.until, base.since))


def _from(base: Base, effects: Iterable[Effect], at: Span | None) -> Range:
    low = high = likely = base.value
    for effect in effects:
        span = effect.span
        if (span.latest is not None and span.latest < base.since) or _after(span, at):
            continue
        if not effect.maybe and span.latest is not None and span.earliest > base.until and _before(span.latest, at):
            low += effect.quantity
            high += effect.quantity
            likely += effect.quantity
        elif effect.quantity < 0:
            low += effect.quantity
        else:
            high += effect.quantity
    return Range(low=low, high=high, likely=likely)


def _after(span: Span, at: Span | None) -> bool:
    return at is not None and at.latest is not None and span.earliest > at.latest


def _before(latest: Instant, at: Span | None) -> bool:
    return at is None or latest < at.earliest


def _floored(found: Range, floor: int | None) -> Range:
    if floor is None:
        return found
    return Range(low=max(floor, found.low), high=max(floor, found.high), likely=max(floor, found.likely))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A judged observation. At most one of `missing` and `surplus` is above zero.

    `missing`: units gone that nobody told of, a suspect sale in the span from `since` to `until`. `surplus`: units
    there that nobody told of: a restore not told, or a person.
    """

    base: Base
    missing: int
    surplus: int
    since: Instant
    until: Instant


def judge(history: History, *, value: int, at: Span) -> Reading | None:
    """Compare a reading with what was believed; None for a reading that is not certainly newer than the base."""
    assert at.latest is not None, "a reading has an end"
    if at.earliest < history.base.until:
        return None
    belief = predicted(history, at)
    return Reading(
        base=Base(value=value, since=at.earliest, until=at.latest),
        missing=max(0, belief.low - value),
        surplus=max(0, value - belief.high),
        since=history.base.since,
        until=at.latest,
    )


REWOUND_US = 3_600 * 1_000_000
"""How long before a reading a base is taken to have been true whose own time lies ahead."""


def rewound(history: History, at: Span) -> History:
    """Return a history whose base lies ahead of a reading, since the clock was set back, as one that it can follow.

    When the base was true is only known roughly then. What was noted by the clock as it was may have come at any time
    since.
    """
    assert at.latest is not None, "a reading has an end"
    latest = at.latest
    base = Base(value=history.base.value, since=at.earliest - REWOUND_US, until=at.earliest)
    between = Span(earliest=at.earliest, latest=latest)
    return replace(
        history,
        base=base,
        effects=[replace(x, span=between, maybe=True) if x.span.earliest > latest else x for x in history.effects],
        writes=[replace(x, sent_at=base.since, until=latest) if x.sent_at > latest else x for x in history.writes],
    )


def spent(effect: Effect, base: Base) -> bool:
    """Say whether an effect lies wholly before the base, so that it can be forgotten."""
    return effect.span.latest is not None and effect.span.latest < base.since


def gives_until(effects: Iterable[Effect], *, now: Instant) -> Instant | None:
    """Return until when a unit may still be given back: an instant after `now`, or None when nothing is outstanding.

    A give without an end counts as outstanding for one day: a channel that gives back later is drift.
    """
    ends = (
        effect.span.earliest + _ENDLESS_US if effect.span.latest is None else effect.span.latest
        for effect in effects
        if effect.quantity > 0
    )
    return max((end for end in ends if end > now), default=None)


_ENDLESS_US = 86_400 * 1_000_000
