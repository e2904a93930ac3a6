"""Past orders once more under a rule: what is sold, oversold and hidden, by hand-made traces."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pytest

from syncd.core.exposure import even_targets
from syncd.core.foresight import MOVED, Foresight
from syncd.core.hindsight import DELIVERY, Event, Lag, Plain, Tally, replay

LAGS = (Lag(60.0, 120.0), Lag(1.0, 1.0))
POOL = Plain(lambda available: (max(0, available),) * 2)


def opening(units: int, sku: int = 0) -> Event:
    """Return an opening stock."""
    return Event(-1.0, sku, units, DELIVERY)


def sale(at_s: float, units: int, channel: int, order: str = "a", sku: int = 0) -> Event:
    """Return a line that is asked for."""
    return Event(at_s, sku, units, channel, order)


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ((opening(5), sale(0, 3, 0), sale(10, 3, 1)), Tally(demand=6, sold=5, oversold=1)),
        ((opening(5), sale(0, 3, 0), sale(62, 3, 1)), Tally(demand=6, sold=3, left=2, writes=1)),
        ((opening(5), sale(0, 3, 1), sale(120, 3, 0)), Tally(demand=6, sold=5, oversold=1, writes=1)),
        ((opening(5), sale(0, 3, 1), sale(122, 3, 0)), Tally(demand=6, sold=3, left=2, writes=1)),
        ((opening(5), sale(0, 3, 0), sale(0, 3, 0)), Tally(demand=6, sold=3, left=2)),
        ((opening(5), sale(0, 9, 0)), Tally(demand=9, left=5)),
        ((sale(0, 1, 0), Event(1, 0, 4, DELIVERY), sale(3, 1, 1)), Tally(demand=2, sold=1, left=3, writes=2)),
        ((sale(0, 1, 1), Event(1, 0, 4, DELIVERY), sale(1.5, 1, 1)), Tally(demand=2, hidden=1, left=4, writes=2)),
        (
            (opening(1), sale(0, 1, 0), sale(0, 1, 1), Event(9, 0, 1, DELIVERY), sale(500, 1, 1)),
            Tally(demand=3, sold=1, oversold=1, writes=4),
        ),
    ],
)
def test_replay(events: Sequence[Event], expected: Tally) -> None:
    """Sales cross until they are heard of and the write is visible, and a delivery serves what was oversold first."""
    assert replay(events, skus=1, lags=LAGS, rule=POOL) == expected


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ((opening(5), sale(0, 3, 0), sale(900.5, 3, 1)), Tally(demand=6, sold=5, oversold=1, writes=2)),
        ((opening(5), sale(0, 3, 0), sale(902, 3, 1)), Tally(demand=6, sold=3, left=2, writes=2)),
        ((opening(5), sale(890, 3, 0), sale(1790, 3, 1)), Tally(demand=6, sold=5, oversold=1)),
        ((opening(2), Event(5, 0, 2, DELIVERY), sale(950, 4, 1)), Tally(demand=4, sold=4, writes=2)),
    ],
)
def test_batches(events: Sequence[Event], expected: Tally) -> None:
    """A batch writes by the clock what was heard before it."""
    found = replay(events, skus=1, lags=LAGS, rule=POOL, batch_s=900.0)
    assert found == expected


def test_batches_put_own_sales_back() -> None:
    """An absolute number overwrites what the listing took since, a difference does not."""
    events = (opening(9), sale(0, 1, 1), sale(890, 4, 0), sale(1100, 8, 0), sale(1100, 8, 0))
    assert replay(events, skus=1, lags=LAGS, rule=POOL, batch_s=900.0).oversold == 4
    assert replay(events, skus=1, lags=LAGS, rule=POOL).oversold == 0


def test_disjoint_parts_never_cross() -> None:
    """Even parts oversell nothing however close the sales come."""
    events = [opening(6)] + [sale(number / 10, 1, number % 2, str(number)) for number in range(20)]
    rule = Plain(lambda available: even_targets(available, 2))
    found = replay(events, skus=1, lags=LAGS, rule=rule)
    assert (found.sold, found.oversold, found.left) == (6, 0, 0)


class Asking(Plain):
    """A rule that has another SKU decided anew whenever one is sold."""

    def __init__(self) -> None:
        self.shown = 3
        super().__init__(lambda _: (self.shown, self.shown))

    def heard(self, event: Event, *, at_s: float, available: int) -> Iterable[int]:
        """Lower all and ask for the second SKU."""
        assert (event.sku, at_s, available) == (0, 1.0, 7)
        self.shown = 0
        return (1,)


def test_a_rule_may_have_other_skus_decided() -> None:
    """What a rule learns from one SKU is written for another at the same moment."""
    events = (opening(8), opening(5, sku=1), sale(0, 1, 1), sale(3, 3, 1, "b", sku=1))
    assert replay(events, skus=2, lags=LAGS, rule=Asking()) == Tally(demand=4, sold=1, hidden=3, writes=4, left=12)


def busy(orders: int) -> list[Event]:
    """Return a trace where one of two SKUs is on every order."""
    events = [opening(10 * orders), opening(4, sku=1)]
    for number in range(orders):
        events += [sale(10.0 * number, 1, number % 2, str(number))] * 2
    return events


def test_foresight_learns_demand() -> None:
    """A SKU that sells is known to be asked for more than one that does not, and every channel's part is known."""
    rule = Foresight(skus=2, lags=LAGS, loss=100.0)
    found = replay(busy(200), skus=2, lags=LAGS, rule=rule)
    assert found.sold == found.demand == 400
    assert rule.lines_per_s(0) == pytest.approx(0.2 * rule.pace.caution, rel=0.1)
    assert rule.lines_per_s(1) < 0.01 * rule.pace.caution
    assert rule.shares[0] == pytest.approx(rule.shares[1], abs=4)


def test_foresight_looks_at_all_now_and_then() -> None:
    """A SKU that nobody buys is decided anew when the shop's orders have told enough."""
    rule = Foresight(skus=2, lags=LAGS, loss=100.0)
    opened = Event(-1.0, 1, 4, DELIVERY)
    rule.arrived(opened, available=4)
    asked = []
    for event in busy(200)[2:]:
        asked += rule.heard(event, at_s=event.at_s, available=900)
        if event.order == "50":
            rule.decide(1, 4)
    assert 1 in asked
    assert rule.lines_per_s(1) < rule.decided[1] / MOVED


def test_foresight_oversells_less_than_a_pool() -> None:
    """Where two channels fight for the last units all the time, the adaptive rule lets fewer lines cross."""
    events = []
    for day in range(40):
        events.append(Event(1000.0 * day - 1, 0, 12, DELIVERY))
        events += [sale(1000.0 * day + 20.0 * number, 3, number % 2, f"{day}-{number}") for number in range(12)]
    pool = replay(events, skus=1, lags=LAGS, rule=POOL)
    found = replay(events, skus=1, lags=LAGS, rule=Foresight(skus=1, lags=LAGS, loss=100.0))
    strict = replay(events, skus=1, lags=LAGS, rule=Foresight(skus=1, lags=LAGS, loss=1e6))
    assert pool.oversold >= found.oversold >= strict.oversold
    assert pool.oversold > 2 * strict.oversold
