"""Split one number over several places: rooms of one channel, or allotments of listings that share units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


def split(total: int, rooms: Sequence[int]) -> tuple[int, ...]:
    """Return the parts of `total`, one for each room, in the order of the rooms.

    The locations of one channel split one target: each part is at most its room (a room below zero is none), and the
    sum is `total` or all there is, whichever is less. What has to be kept back is taken from the largest rooms first,
    down to one common level, so that small places keep what they have and none falls to zero before the others are
    low. Units that cannot be shared evenly go to the earlier rooms.
    """
    parts = [0] * len(rooms)
    left = max(0, total)
    smallest_first = sorted(range(len(rooms)), key=lambda position: rooms[position])
    for served, position in enumerate(smallest_first):
        level, odd = divmod(left, len(rooms) - served)
        if rooms[position] > level:
            for rank, open_position in enumerate(sorted(smallest_first[served:])):
                parts[open_position] = level + (rank < odd)
            break
        parts[position] = max(0, rooms[position])
        left -= parts[position]
    return tuple(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand:
    """A listing that takes part in an allotment.

    `weight` is its part of the demand (any unit). `shows` is what it may show now, `most` the most that it may be
    given. `room`: it and all that have no more room are given together no more than that, None for all that is there;
    it is less where more is kept back. `fixed`: it cannot be written now, so it keeps what it may still show.
    `costly`: lowering it hides more than what it is lowered by (an absolute write goes to zero), so others are asked
    first.
    """

    weight: float
    shows: int
    most: int
    room: int | None = None
    fixed: bool = False
    costly: bool = False


Bounds = Sequence[tuple[frozenset[int], int]]
"""Places with what they are given together at most, the narrowest first; each holds all before it."""


def allot(available: int, stands: Sequence[Stand]) -> tuple[int, ...]:
    """Return disjoint parts of what is available, one for each listing, in their order; never more in all.

    Parts stay where they are as far as they can: an own sale consumes the part of its own listing, and nothing else is
    written. Units that nobody has go to those that are shortest of their part of the demand. Units move from one to
    another only when a listing has run down to less than half of what is its due.
    """
    units = left = max(0, available)
    kept = [max(0, min(x.shows, x.most)) for x in stands]
    for place, x in enumerate(stands):
        if x.fixed:
            kept[place] = min(max(0, x.shows), left)
            left -= kept[place]
    bounds = _bounds(units, stands)
    due = _dues(left, stands, bounds, kept)
    for places, most in bounds:
        _cut(kept, due, stands, places=places, excess=sum(kept[place] for place in places) - most)
    _give(kept, due, bounds, free=units - sum(kept))
    poor = [place for place in due if 2 * kept[place] < due[place]]
    if poor:
        _move(kept, due, stands, bounds=bounds, poor=poor)
    return tuple(kept)


def _bounds(units: int, stands: Sequence[Stand]) -> Bounds:
    rooms = [units if x.room is None else max(0, min(units, x.room)) for x in stands]
    return [
        (frozenset(place for place, mine in enumerate(rooms) if mine <= room), room) for room in sorted({units, *rooms})
    ]


def _space(parts: Sequence[int], place: int, bounds: Bounds, *, giver: int | None = None) -> int:
    """Return how many units more a listing may be given, where `giver` gives them: what both are in stays full."""
    left = [
        most - sum(parts[one] for one in places) for places, most in bounds if place in places and giver not in places
    ]
    return max(0, min(left, default=max(most for _, most in bounds)))


def _dues(units: int, stands: Sequence[Stand], bounds: Bounds, kept: Sequence[int]) -> dict[int, int]:
    """Return the parts by weight of all that can be written; where many are bounded together, these share that."""
    mosts = {place: x.most for place, x in enumerate(stands) if not x.fixed}
    for places, room in bounds:
        mine = [place for place in mosts if place in places]
        most = max(0, room - sum(kept[place] for place in places if place not in mosts))
        if sum(_by_weight(units, stands, mosts)[place] for place in mine) > most:
            mosts |= _by_weight(most, stands, {place: mosts[place] for place in mine})
    return _by_weight(units, stands, mosts)


def _by_weight(units: int, stands: Sequence[Stand], mosts: Mapping[int, int]) -> dict[int, int]:
    """Return parts by weight, whole units, each at most what is given for it; what does not fit goes to the others."""
    parts = dict.fromkeys(mosts, 0)
    left = units
    open_ = [place for place, most in mosts.items() if most > 0]
    while left and open_:
        whole = sum(stands[place].weight for place in open_)
        even = 1.0 / len(open_)
        exact = {p: left * (stands[p].weight / whole if whole > 0 else even) for p in open_}
        for place in open_:
            parts[place] += min(int(exact[place]), mosts[place] - parts[place])
        left = units - sum(parts.values())
        by_rest = sorted(open_, key=lambda p: (-(exact[p] - int(exact[p])), -stands[p].weight, p))
        for place in by_rest:
            if left and parts[place] < mosts[place]:
                parts[place] += 1
                left -= 1
        open_ = [place for place in open_ if parts[place] < mosts[place]]
    return parts


def _cut(
    kept: list[int], due: Mapping[int, int], stands: Sequence[Stand], *, places: frozenset[int], excess: int
) -> None:
    """Take units away that are not there, from those that have most beyond their due; cheap ones first."""
    mine = (place for place in due if place in places)
    order = sorted(mine, key=lambda place: (stands[place].costly, due[place] - kept[place], place))
    for down_to_due in (True, False):
        for place in order:
            spare = kept[place] - (due[place] if down_to_due else 0)
            taken = min(max(0, excess), max(0, spare))
            kept[place] -= taken
            excess -= taken


def _give(kept: list[int], due: Mapping[int, int], bounds: Bounds, *, free: int) -> None:
    for place in sorted(due, key=lambda place: (kept[place] - due[place], place)):
        given = min(max(0, free), max(0, due[place] - kept[place]), _space(kept, place, bounds))
        kept[place] += given
        free -= given


def _move(
    kept: list[int], due: Mapping[int, int], stands: Sequence[Stand], *, bounds: Bounds, poor: Sequence[int]
) -> None:
    """Let those that have more than their due give it to those that have run down."""
    order = sorted(due, key=lambda place: (stands[place].costly, due[place] - kept[place], place))
    for place in poor:
        for giver in order:
            spare = max(0, kept[giver] - due[giver])
            given = min(spare, due[place] - kept[place], _space(kept, place, bounds, giver=giver))
            if given > 0:
                kept[giver] -= given
                kept[place] += given
