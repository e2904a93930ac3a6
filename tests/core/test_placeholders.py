"""What the text of each kind of letter is filled with."""

from __future__ import annotations

import pytest

from syncd.core.placeholders import BLOCKS, DAYS, PLACES, SHOP, Places, lacking
from syncd.core.tickets import MessageKind


@pytest.mark.parametrize("kind", list(MessageKind))
def test_places_fit_together(kind: MessageKind) -> None:
    """What a kind needs is not optional too, what its text has to tell is known, and the shop's words always are."""
    places = PLACES[kind]
    assert not places.needed & places.optional
    assert places.told <= places.needed | places.optional
    assert places.known >= SHOP
    assert "product" in places.needed


def test_the_block_of_goods_is_known_where_it_can_be_made() -> None:
    """Only a kind that has product and quantity has the block of goods."""
    assert "goods" in PLACES[MessageKind.LATE].known
    assert "goods" not in PLACES[MessageKind.SIGN_UP_CONFIRM].known
    assert Places(needed=frozenset({"product"})).known == {"product", *SHOP}


def test_special_values_are_used_somewhere() -> None:
    """Each day and each block of lines is a value of some kind, or the shop's."""
    known = frozenset().union(*(places.known for places in PLACES.values()))
    assert known >= DAYS | BLOCKS


@pytest.mark.parametrize(
    ("values", "missing"),
    [
        ({}, ["expected", "product", "quantity"]),
        ({"product": "Tea", "quantity": " ", "expected": "2026-12-01"}, ["quantity"]),
        ({"product": "Tea", "quantity": "1", "expected": "2026-12-01"}, []),
    ],
)
def test_lacking_values_are_named(values: dict[str, str], missing: list[str]) -> None:
    """What is needed and missing, or blank, is named."""
    assert lacking(MessageKind.EXPECTED, values) == missing
