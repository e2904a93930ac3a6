"""Order numbers in the words of a ticket."""

from __future__ import annotations

import pytest

from syncd.core.mentions import Doubt, Mentioned, meaning, spellings, wanted
from syncd.core.terms import Sku

TEA, CUP = Sku("TEA-100"), Sku("CUP-1")


def order(row: int, *lines: tuple[str, Sku, int]) -> Mentioned:
    return Mentioned(order_row=row, account="a", number=f"n{row}", lines=lines)


@pytest.mark.parametrize(
    ("word", "plain"),
    [
        ("#1001", "1001"),
        ("１００１", "1001"),
        ("503-1234567-1234567", "503-1234567-1234567"),
        ("５０３－１２", "503-12"),
        ("(1001).", "1001"),
        ("123", None),
        ("hello", None),
        ("", None),
    ],
)
def test_an_order_number_is_known_however_it_was_typed(word: str, plain: str | None) -> None:
    """Width, hash and punctuation do not matter; short words and words without a digit are no numbers."""
    assert spellings(word) == (() if plain is None else (plain, f"#{plain}"))


def test_only_the_first_words_are_looked_for() -> None:
    """A ticket full of numbers costs no more than one with twenty."""
    assert wanted(["1001", "#1001", "abc"]) == ["1001", "#1001"]
    assert len(wanted(str(10_000 + number) for number in range(99))) == 40


@pytest.mark.parametrize(
    ("found", "sku", "row", "line", "doubt"),
    [
        ({}, None, None, "", None),
        ({"#1001": [order(1, ("x", TEA, 1))]}, None, 1, "x", None),
        ({"1001": [order(1, ("x", TEA, 1), ("y", CUP, 0))]}, None, 1, "x", None),
        ({"1001": [order(1, ("x", TEA, 0))]}, None, 1, "x", None),
        ({"1001": [order(1, ("x", TEA, 1), ("y", CUP, 1))]}, None, 1, "", Doubt.SEVERAL_LINES),
        ({"1001": [order(1, ("x", TEA, 1), ("y", CUP, 1))]}, CUP, 1, "y", None),
        ({"1001": [order(1, ("x", TEA, 1))], "#1001": [order(2, ("z", CUP, 1))]}, None, None, "", Doubt.SEVERAL_ORDERS),
        ({"1001": [order(1, ("x", TEA, 1))], "#1001": [order(2, ("z", CUP, 1))]}, CUP, 2, "z", None),
        ({"1001": [order(1, ("x", TEA, 1)), order(2, ("z", TEA, 1))]}, TEA, None, "", Doubt.SEVERAL_ORDERS),
        ({"1001": [order(1)]}, None, 1, "", Doubt.SEVERAL_LINES),
    ],
)
def test_a_ticket_means_one_line_or_a_person_looks(
    found: dict[str, list[Mentioned]], sku: Sku | None, row: int | None, line: str, doubt: Doubt | None
) -> None:
    """The only line that fits is meant; where several fit nobody guesses."""
    told = meaning(["1001"], found, sku=sku)
    assert (told.order and told.order.order_row, told.line_id, told.doubt) == (row, line, doubt)
