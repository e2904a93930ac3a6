"""What the text of each kind of letter may be filled with: what those who send owe to those who write texts.

A value that is needed is never empty; one that is optional may be, and a text has to read well without it. Days are
given as 2026-12-01 (`hold_until` with a time, 2026-12-01T18:00+09:00), amounts as decimal text with a `currency`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from syncd.core.tickets import MessageKind

SHOP: Final = frozenset({"shop_name", "shop_signature", "shop_phone", "shop_hours", "shop_url"})
"""The shop's own words; every text may use them."""

GOODS: Final = frozenset({"product", "quantity", "order_number"})
"""What the block `goods` is made of."""

DAYS: Final = frozenset({"expected", "previous", "hold_until"})
"""Values that are days, or a moment, and are told in the words of the language."""

BLOCKS: Final = frozenset({"alternatives", "shop_signature"})
"""Values that may have several lines."""

PAYMENTS: Final = ("card", "bank", "konbini", "cod", "points", "")
"""How an order was paid: `payment`; empty where nobody knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """What a kind of letter is filled with. `told` are those that its text has to use."""

    needed: frozenset[str]
    optional: frozenset[str] = frozenset()
    told: frozenset[str] = frozenset()

    @property
    def known(self) -> frozenset[str]:
        """Return every name that a text of this kind may use."""
        return self.needed | self.optional | SHOP | ({"goods"} if self.needed >= {"product", "quantity"} else set())


def _goods(*optional: str, needed: tuple[str, ...] = (), told: tuple[str, ...] = ()) -> Places:
    return Places(
        needed=frozenset({"product", "quantity", *needed}),
        optional=frozenset({"order_number", *optional}),
        told=frozenset(told),
    )


_APOLOGY: Final = _goods("expected", "previous", "alternatives", "amount")

PLACES: Final[Mapping[MessageKind, Places]] = MappingProxyType({
    MessageKind.ACKNOWLEDGED: _goods("expected", "leave_url"),
    MessageKind.RESTOCKED: _goods("buy_url", "hold_until", "leave_url", told=("buy_url",)),
    MessageKind.EXPECTED: _goods("leave_url", needed=("expected",), told=("expected",)),
    MessageKind.SLIPPED: _goods("expected", "previous", "leave_url", told=("expected",)),
    MessageKind.DUE_SOON: _goods("leave_url", needed=("expected",), told=("expected",)),
    MessageKind.STILL_WAITING: _goods("expected", "leave_url"),
    MessageKind.ALTERNATIVE: _goods("expected", needed=("alternatives",), told=("alternatives",)),
    MessageKind.CANCELLED: _goods("amount", "payment"),
    MessageKind.REFUNDED: _goods("amount", "payment"),
    MessageKind.OVERSOLD_CROSSED: _APOLOGY,
    MessageKind.OVERSOLD_DAMAGED: _APOLOGY,
    MessageKind.OVERSOLD_LATE_SUPPLIER: _APOLOGY,
    MessageKind.LATE: _goods("expected", "previous"),
    MessageKind.LATE_AND_OUT: _APOLOGY,
    MessageKind.PHONE_SCRIPT: _goods("expected", "alternatives", "amount"),
    MessageKind.BUMP_FIRST: _goods(),
    MessageKind.BUMP_SECOND: _goods(),
    MessageKind.SOLVED_UNANSWERED: _goods(),
    MessageKind.CANCEL_FOLLOW_UP: _goods(),
    MessageKind.SIGN_UP_CONFIRM: Places(
        needed=frozenset({"product", "confirm_url"}), optional=frozenset({"leave_url"}), told=frozenset({"confirm_url"})
    ),
})  # fmt: skip


def lacking(kind: MessageKind, values: Mapping[str, str]) -> list[str]:
    """Return the names of needed values that are missing or empty."""
    return sorted(name for name in PLACES[kind].needed if not values.get(name, "").strip())
