"""The goods of one shop as they were read last. Losing it costs reads, nothing else."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from adapters.qoo10 import goods
from adapters.qoo10.goods import Detail, Item, Options
from adapters.qoo10.wire import japan
from syncd.sdk.channel import Instant

DETAIL_US = 6 * 3_600 * 1_000_000
"""How long the end of an item's sale is held to be what was read: a write sends it along."""


@dataclass(slots=True)
class _Known:
    seller_code: str = ""
    state: str = ""
    options: Options | None = None
    detail: Detail | None = None
    read_at: Instant = 0


class Shelf:
    """What is known of items."""

    def __init__(self) -> None:
        self._items: defaultdict[str, _Known] = defaultdict(_Known)

    def learn_item(self, item: Item) -> None:
        """Note an item of the catalogue."""
        known = self._items[item.code]
        known.seller_code, known.state = item.seller_code, item.state

    def learn_detail(self, code: str, detail: Detail, *, at: Instant) -> None:
        """Note the page of an item."""
        known = self._items[code]
        known.seller_code, known.state = detail.seller_code or known.seller_code, detail.state or known.state
        known.detail, known.read_at = detail, at

    def learn_options(self, code: str, options: Options) -> None:
        """Note the option rows of an item."""
        self._items[code].options = options

    def forget(self, code: str) -> None:
        """Let an item be read anew before it is written again: Qoo10 did not know it as we do."""
        self._items.pop(code, None)

    def detail(self, code: str, *, now: Instant) -> Detail | None:
        """Return the page of an item, unless it was read too long ago."""
        known = self._items.get(code)
        fresh = known is not None and now - known.read_at < DETAIL_US
        return known.detail if known is not None and fresh else None

    def options(self, code: str) -> Options | None:
        """Return the option rows of an item; None where they were not read yet."""
        known = self._items.get(code)
        return None if known is None else known.options

    def seller_code(self, code: str) -> str:
        """Return the shop's code of an item; `""` where it has none or is not known."""
        known = self._items.get(code)
        return "" if known is None else known.seller_code

    def is_active(self, code: str) -> bool:
        """Say whether an item can be bought; one that was not read is held to be so."""
        known = self._items.get(code)
        return known is None or known.state in ("", goods.ON_SALE)

    def uncoded(self) -> list[str]:
        """Return the items on sale with option rows that have no code of their own."""
        return [code for code, known in self._on_sale() if known.options is not None and known.options.uncoded]

    def ending(self, *, before: Instant) -> list[str]:
        """Return the items on sale whose sale ends before then, as far as their pages were read."""
        day = japan(before).date()
        return [
            code
            for code, known in self._on_sale()
            if known.detail is not None and known.detail.expires is not None and known.detail.expires < day
        ]

    def doubles(self) -> list[str]:
        """Return the SKUs that stand on more than one listing on sale."""
        counts: dict[str, int] = {}
        for code, known in self._on_sale():
            rows = [row.code for row in known.options.by_key.values()] if known.options is not None else []
            for option_code in rows or [""]:
                name = goods.sku(option_code, known.seller_code, code)
                counts[name] = counts.get(name, 0) + 1
        return sorted(name for name, count in counts.items() if count > 1)

    def _on_sale(self) -> Iterator[tuple[str, _Known]]:
        return ((code, known) for code, known in self._items.items() if known.state == goods.ON_SALE)
