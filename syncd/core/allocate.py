"""Split one number over several places."""

from __future__ import annotations

from collections.abc import Sequence


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
