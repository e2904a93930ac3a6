"""Units that are sold before they are here: how many, and from which day they can leave."""

from __future__ import annotations

from collections.abc import Iterable

from syncd.core.promises import Incoming


def sellable(incoming: Iterable[Incoming], *, today: str) -> int:
    """Return how many units on their way may be sold before they are here: those with a day that is not over.

    When an overdue delivery comes nobody knows.
    """
    return sum(max(0, one.units) for one in incoming if one.day >= today)


def owed(short: int, *, sells: int, before: int, to_come: int) -> int:
    """Return how many of the units that are promised and not here are owed, and not oversold.

    `sells` units may be promised before they are here, 0 where no policy lets them. Of those that were owed `before`,
    as many stay owed as are still to come, also after a policy has ended.
    """
    return min(max(0, short), max(sells, min(before, to_come)))


def ready_day(available: int, incoming: Iterable[Incoming], *, today: str) -> str:
    """Return the day from which the next unit that is sold can leave; empty where one is here, or none is to come.

    `available` below zero are units that are promised from what is to come already, the earliest first.
    """
    owed = -available
    coming = [one for one in incoming if one.day >= today]
    for one in sorted(coming, key=lambda x: x.day) if owed >= 0 else ():
        if one.units > owed:
            return one.day
        owed -= max(0, one.units)
    return ""
