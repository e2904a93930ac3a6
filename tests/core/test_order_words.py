"""Words that look like order numbers: those of every channel are found, what is personal is not."""

from __future__ import annotations

import pytest

from syncd.core.order_words import MOST_WORDS, order_words

FOUND = [
    ("Where is 250-1234567-7654321?", ("250-1234567-7654321",)),
    ("注文番号：123456-20261120-0123456789 はいつ届きますか", ("123456-20261120-0123456789",)),
    ("My order #1001 and #1002, #1001 again", ("#1001", "#1002")),
    ("注文 ９９８８７７６６１ の件", ("998877661",)),
    ("250‐1234567‐7654321", ("250-1234567-7654321",)),
    ("order AB-1234-X.", ("AB-1234-X",)),
]
LEFT = [
    "I wait since 2026-11-02 and 2026-1-2",
    "〒123-4567 東京都",
    "電話 03-1234-5678, 090-1234-5678, 09012345678, +81-90-1234-5678, +819012345678",
    "taro12345@example.jp wrote, see https://example.jp/items/12345",
    "3 pieces, 120 yen, ABC",
    "",
]


@pytest.mark.parametrize(("text", "words"), FOUND)
def test_order_numbers_are_found(text: str, words: tuple[str, ...]) -> None:
    """The number of an order of any channel is found once, in plain letters."""
    assert order_words(text) == words


@pytest.mark.parametrize("text", LEFT)
def test_other_numbers_are_left(text: str) -> None:
    """A day, a telephone number, a postal code and an address are no orders."""
    assert order_words(text) == ()


def test_there_is_a_limit() -> None:
    """No more than twenty words are taken out of one text."""
    assert len(order_words(" ".join(f"#{number}" for number in range(1000, 2000)))) == MOST_WORDS
