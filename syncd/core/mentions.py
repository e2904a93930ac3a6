"""Order numbers in the words of a ticket: which order is meant, or whether a person has to look."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from syncd.core.terms import Sku

MOST_WORDS: Final = 20
"""Words of one ticket that are looked at."""
LEAST_LETTERS: Final = 4
"""Shorter words are no order numbers: a year, a size, a quantity of three digits."""

_WIDE: Final = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20, 0x2010: 0x2D, 0x2212: 0x2D}


def spellings(word: str) -> tuple[str, ...]:
    """Return what an order number may be stored as, given how it was typed: full-width, with or without its hash."""
    plain = word.translate(_WIDE).strip().strip("#.,:;()[]\"'")
    if len(plain) < LEAST_LETTERS or not any(letter.isdigit() for letter in plain):
        return ()
    return (plain, f"#{plain}")


def wanted(words: Iterable[str]) -> list[str]:
    """Return every spelling to look for, of the first words."""
    found: dict[str, None] = {}
    for word in list(words)[:MOST_WORDS]:
        found.update(dict.fromkeys(spellings(word)))
    return list(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mentioned:
    """An order that a word may mean: its row, and the SKUs of its lines with the units that are to be shipped."""

    order_row: int
    account: str
    number: str
    lines: tuple[tuple[str, Sku, int], ...]
    """(line id, SKU, outstanding units) of the lines whose SKU is known."""


class Doubt(StrEnum):
    """Why a person has to look."""

    SEVERAL_ORDERS = "several_orders"
    SEVERAL_LINES = "several_lines"
    SEVERAL_GOODS = "several_goods"


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What a ticket is about: one line of one order, or a doubt, or (both None) nothing that we know."""

    order: Mentioned | None = None
    line_id: str = ""
    doubt: Doubt | None = None


_NOTHING: Final = Meaning()


def meaning(words: Iterable[str], found: Mapping[str, Collection[Mentioned]], *, sku: Sku | None) -> Meaning:
    """Say which order line a ticket means; `found` are orders by number, `sku` the one that the ticket names.

    Of several orders or lines one that is still to be shipped and is of that SKU wins, if it is the only one.
    """
    orders = {order.order_row: order for word in words for name in spellings(word) for order in found.get(name, ())}
    if not orders:
        return _NOTHING
    if len(orders) > 1:
        fitting = [order for order in orders.values() if sku is not None and _lines(order, sku)]
        if len(fitting) != 1:
            return Meaning(doubt=Doubt.SEVERAL_ORDERS)
        orders = {fitting[0].order_row: fitting[0]}
    (order,) = orders.values()
    lines = _lines(order, sku)
    if len(lines) == 1:
        return Meaning(order=order, line_id=lines[0])
    return Meaning(order=order, doubt=Doubt.SEVERAL_LINES)


def _lines(order: Mentioned, sku: Sku | None) -> list[str]:
    """Return the lines that may be meant: those of the SKU, of them those still to be shipped where there are any."""
    mine = [line for line in order.lines if sku is None or line[1] == sku]
    still = [line for line in mine if line[2] > 0]
    return [line_id for line_id, _, _ in still or mine]
