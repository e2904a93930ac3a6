"""Values to show a text with: an order that nobody made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from syncd.core.placeholders import PLACES
from syncd.core.tickets import Language, MessageKind

SHOP_NAMES: Final[Mapping[Language, str]] = {
    Language.JA: "みどり茶舗",
    Language.EN: "Midori Tea",
    Language.ZH: "绿茶铺",
}
"""The shop's name in a preview where the settings have none."""

_GOODS: Final[Mapping[Language, Mapping[str, str]]] = {
    Language.JA: {"product": "煎茶 100g", "alternatives": "・煎茶 50g（TEA-50）\n・煎茶 200g（TEA-200）"},
    Language.EN: {"product": "Sencha 100 g", "alternatives": "- Sencha 50 g (TEA-50)\n- Sencha 200 g (TEA-200)"},
    Language.ZH: {"product": "煎茶 100克", "alternatives": "・煎茶 50克（TEA-50）\n・煎茶 200克（TEA-200）"},
}
_REST: Final[Mapping[str, str]] = {
    "quantity": "2",
    "order_number": "1001",
    "expected": "2026-12-14",
    "previous": "2026-12-07",
    "hold_until": "2026-12-16T18:00+09:00",
    "amount": "3240",
    "currency": "JPY",
    "payment": "card",
    "buy_url": "https://shop.example/buy/1001",
    "confirm_url": "https://shop.example/confirm/1001",
    "leave_url": "https://shop.example/leave/1001",
}


def sample(kind: MessageKind, language: Language, *, bare: bool = False) -> dict[str, str]:
    """Return values for a kind; `bare` has none of those that are optional."""
    values = {**_REST, **_GOODS[language]}
    if bare:
        return {name: values[name] for name in PLACES[kind].needed}
    return values
