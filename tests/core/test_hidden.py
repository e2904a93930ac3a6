"""What it costs that a channel shows less than is there."""

from __future__ import annotations

import math
import random

import pytest

from syncd.core.hidden import DENSE, hidden_sales, sellable


def counted(wanted: float, units: int) -> float:
    """Return the same from the definition: the mean of the smaller of what is wanted and what is there."""
    chances = [math.exp(place * math.log(wanted) - wanted - math.lgamma(place + 1)) for place in range(400)]
    return sum(chance * min(place, units) for place, chance in enumerate(chances))


@pytest.mark.parametrize("wanted", [0.01, 0.5, 3.0, 40.0, 120.0])
@pytest.mark.parametrize("units", [0, 1, 2, 7, 40, 119, 300])
def test_no_more_is_sold_than_is_for_sale(wanted: float, units: int) -> None:
    """What is sold is the mean of a Poisson number cut at what is for sale."""
    assert sellable(wanted, units) == pytest.approx(counted(wanted, units), abs=1e-9)


def test_great_numbers_cost_nothing_to_reckon() -> None:
    """Far above the mean all that is wanted is sold; of a great mean the spread does not count."""
    assert sellable(0.0, 5) == 0.0
    assert sellable(2.0, 10**9) == 2.0
    assert sellable(DENSE, 400) == 400.0
    assert sellable(10.0**6, 2 * 10**6) == 10.0**6


def test_what_is_shown_and_still_sells_is_not_hidden() -> None:
    """A channel at zero loses all that it could have sold; one that keeps a few back of many loses next to nothing."""
    lost = hidden_sales({"shop": 2.0, "mall": 2.0, "idle": 0.0}, {"shop": 0, "idle": 0}, there=50)
    assert lost == {"shop": pytest.approx(2.0)}
    lost = hidden_sales({"shop": 2.0}, {"shop": 40}, there=50)
    assert lost.get("shop", 0.0) < 1e-9
    assert hidden_sales({}, {"new": 0}, there=3) == {}


def test_units_are_not_hidden_twice() -> None:
    """Whatever is wanted on however many channels: together they lose no more than is there, and none less than 0."""
    dice = random.Random(5)
    for _ in range(300):
        there = dice.randrange(1, 30)
        names = [f"c{number}" for number in range(dice.randrange(1, 5))]
        wanted = {name: dice.choice((0.0, 0.1, 1.0, 9.0, 700.0)) for name in names}
        lost = hidden_sales(wanted, {name: dice.randrange(there) for name in names}, there=there)
        assert sum(lost.values()) <= there + 1e-9
        assert all(0 < units <= wanted[name] + 1e-9 for name, units in lost.items())
