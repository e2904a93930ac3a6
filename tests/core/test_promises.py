"""Expected days and what is said of them."""

from __future__ import annotations

import pytest

from syncd.core.promises import Incoming, days_of_line, expected_day, is_soon, news, outlives
from syncd.core.terms import PaymentStatus
from syncd.core.tickets import MessageKind as M

SUPPLY = (
    Incoming(day="2026-12-01", units=3),
    Incoming(day="", units=50),
    Incoming(day="2026-12-09", units=2),
)


@pytest.mark.parametrize(
    ("upto", "day"), [(1, "2026-12-01"), (3, "2026-12-01"), (4, "2026-12-09"), (5, "2026-12-09"), (6, "")]
)
def test_the_day_is_the_one_on_which_enough_has_come(upto: int, day: str) -> None:
    """Arrivals serve the line in turn, and one without a day promises nothing."""
    assert expected_day(upto, SUPPLY) == day


def test_the_line_gets_its_days_in_order() -> None:
    """Everybody stands behind those ahead."""
    assert days_of_line(1, [1, 2, 9], SUPPLY) == ["2026-12-01", "2026-12-09", ""]
    assert days_of_line(0, [], SUPPLY) == []


@pytest.mark.parametrize(
    ("promised", "expected", "message"),
    [
        ("", "", None),
        ("", "2026-12-01", M.EXPECTED),
        ("2026-12-01", "2026-12-01", None),
        ("2026-12-01", "2026-12-02", M.SLIPPED),
        ("2026-12-02", "2026-12-01", None),
        ("2026-12-01", "", M.SLIPPED),
    ],
)
def test_a_first_day_and_a_slip_are_news(promised: str, expected: str, message: M | None) -> None:
    """A first day, a later one and one that was taken back are told; an earlier one is not."""
    assert news(promised=promised, expected=expected) is message


def test_a_day_is_announced_within_three_days() -> None:
    """The announcement comes at three days or less, and not after the day."""
    assert [days for days in range(-2, 6) if is_soon(days)] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("payment", "until", "holds"),
    [
        (PaymentStatus.AUTHORIZED, 110, True),
        (PaymentStatus.AUTHORIZED, 111, False),
        (PaymentStatus.PAID, 999, True),
    ],
)
def test_only_an_authorised_payment_can_end_too_early(payment: PaymentStatus, until: int, holds: bool) -> None:
    """An authorisation has to hold until the goods are there; what is paid stays paid."""
    assert outlives(payment, ordered_at=100, valid_us=10, needed_until=until) is holds
