"""Kits: what can be sold of them, what they are made of, which are refused."""

from __future__ import annotations

import pytest

from syncd.core.kits import available, cycle, explode
from syncd.core.terms import SkuId

A, B, C, KIT, OTHER = (SkuId(number) for number in (1, 2, 3, 9, 8))


@pytest.mark.parametrize(
    ("components", "expected"),
    [
        ([(10, 1), (7, 2)], 3),
        ([(10, 1)], 10),
        ([(1, 2), (50, 1)], 0),
        ([(0, 1), (5, 1)], 0),
        ([(-1, 2), (50, 1)], -1),
        ([(-4, 2)], -2),
        ([], 0),
    ],
)
def test_scarcest_component_decides(components: list[tuple[int, int]], expected: int) -> None:
    """A kit is as available as its scarcest component allows; a short component makes it short."""
    assert available(components) == expected


def test_component_of_no_units_stops() -> None:
    """A kit with no unit of a component is a bug and stops."""
    with pytest.raises(AssertionError):
        available([(5, 0)])


@pytest.mark.parametrize(
    ("sku_id", "quantity", "expected"),
    [(A, 3, ((A, 3),)), (KIT, 3, ((A, 6), (B, 3))), (KIT, -1, ((A, -2), (B, -1))), (OTHER, 2, ((OTHER, 2),))],
)
def test_explode_gives_components(sku_id: SkuId, quantity: int, expected: tuple[tuple[SkuId, int], ...]) -> None:
    """A kit becomes its components; any other SKU stays itself."""
    assert explode(sku_id, quantity, {KIT: ((A, 2), (B, 1)), OTHER: ()}) == expected


@pytest.mark.parametrize(
    ("kits", "expected"),
    [
        ({}, None),
        ({KIT: ((A, 1), (B, 2)), OTHER: ((A, 1),)}, None),
        ({KIT: ((A, 1), (KIT, 1))}, (KIT, KIT)),
        ({KIT: ((A, 1), (OTHER, 1)), OTHER: ((B, 1),)}, (KIT, OTHER)),
        ({KIT: ((OTHER, 1),), OTHER: ((KIT, 1),)}, (OTHER, KIT)),
        ({A: ((B, 1),), B: ((C, 1),), C: ((A, 1),)}, (A, B)),
    ],
)
def test_kit_of_kits_is_named(
    kits: dict[SkuId, tuple[tuple[SkuId, int], ...]], expected: tuple[SkuId, ...] | None
) -> None:
    """A kit that contains itself or another kit is named, with what it contains; the same one every time."""
    assert cycle(kits) == expected
