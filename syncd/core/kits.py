"""Kits: goods that are made of other goods when they are sold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from syncd.core.terms import SkuId


def available(components: Iterable[tuple[int, int]]) -> int:
    """Return how many kits can be sold.

    `components` are pairs of (available units of the component, units per kit). The scarcest component decides. A
    component that is short makes the kit short: below zero the result is rounded down, away from zero. A kit without
    components cannot be sold: 0.
    """
    counts = []
    for units, per_kit in components:
        assert per_kit > 0, "a kit holds at least one unit of each component"
        counts.append(units // per_kit)
    return min(counts, default=0)


def explode(
    sku_id: SkuId, quantity: int, kits: Mapping[SkuId, tuple[tuple[SkuId, int], ...]]
) -> tuple[tuple[SkuId, int], ...]:
    """Return what `quantity` units of a SKU are made of, as pairs of (SKU, units): itself, unless it is a kit."""
    components = kits.get(sku_id)
    if not components:
        return ((sku_id, quantity),)
    return tuple((component_id, quantity * per_kit) for component_id, per_kit in components)


def cycle(kits: Mapping[SkuId, tuple[tuple[SkuId, int], ...]]) -> tuple[SkuId, ...] | None:
    """Return (kit, component) of a kit that contains itself or another kit, None when there is none.

    Kits of kits are refused: a sale moves the components of one level, and a balance of a kit does not exist. A chain
    of kits that closes on itself always has a kit in a kit, so this one look finds it too. Of several the lowest.
    """
    nested = [
        (kit_id, component_id)
        for kit_id, components in kits.items()
        for component_id, _ in components
        if component_id in kits
    ]
    return min(nested, default=None)
