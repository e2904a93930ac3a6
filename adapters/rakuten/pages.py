"""Closes and opens pages (倉庫): hides an item with a single SKU, or one SKU of several, and shows it again.

Facts (RMS WEB SERVICE, items.get and items.patch, 2026): `hideItem` is the page, `variants.ID.hidden` one of its SKUs;
a patch leaves alone what it does not name; an item without stock control (`unlimitedInventoryFlag`) is refused unless
the patch ends that. Both functions belong to the paid 商品一括編集機能. Stock can be written while a page is closed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote

import msgspec

from adapters.rakuten.api import Function, Rms, is_open
from adapters.rakuten.goods import Item, Pair, pair_of
from syncd.sdk.channel import Outcome, OutcomeKind
from syncd.sdk.errors import AuthError, ChannelError, RejectedError
from syncd.sdk.features import PageWish

UNLIMITED: Final = "its stock is not limited (在庫設定なし): Rakuten changes its page only together with that"
NOT_THERE: Final = "Rakuten has no such SKU"
PAID: Final = "items.get and items.patch are refused: they need 商品一括編集機能, and 利用中 in 利用機能編集"


class Pages:
    """The pages of one shop."""

    def __init__(self, rms: Rms) -> None:
        self._rms = rms

    async def show(self, wishes: Sequence[PageWish]) -> list[Outcome]:
        """Close or open pages, one after the other; what comes after a fault of the whole channel is UNSENT."""
        outcomes: list[Outcome] = []
        fault: ChannelError | None = None
        for wish in wishes:
            if fault is not None:
                outcomes.append(_unsent(wish, fault))
                continue
            try:
                outcomes.append(await self._show(wish))
            except ChannelError as found:
                fault = found
                outcomes.append(_unsent(wish, found))
        return outcomes

    async def _show(self, wish: PageWish) -> Outcome:
        """Bring one page; raises only where nothing was changed."""
        pair = pair_of(wish.ref)
        item = None if pair is None else await self._rms.item(pair.number)
        if pair is None or item is None or pair.variant not in (item.variants or {}):
            return Outcome(key=wish.key, kind=OutcomeKind.REJECTED, reason=NOT_THERE)
        change = patch(item, pair, visible=wish.visible)
        if change is None:
            return Outcome(key=wish.key, kind=OutcomeKind.APPLIED)
        if item.unlimited_inventory_flag:
            return Outcome(key=wish.key, kind=OutcomeKind.REJECTED, reason=UNLIMITED)
        return await self._send(wish, pair, change)

    async def _send(self, wish: PageWish, pair: Pair, change: dict[str, Any]) -> Outcome:
        body = msgspec.json.encode(change)
        try:
            await self._rms.write(
                Function.ITEM_PATCH, body, tail=quote(pair.number, safe=""), repeatable=True, expect=(204,)
            )
        except RejectedError as refusal:
            return Outcome(key=wish.key, kind=OutcomeKind.REJECTED, reason=str(refusal)[:200])
        except ChannelError as found:
            if not is_open(found):
                raise
            return Outcome(key=wish.key, kind=OutcomeKind.INDETERMINATE, reason=str(found)[:200])
        return Outcome(key=wish.key, kind=OutcomeKind.APPLIED)


def patch(item: Item, pair: Pair, *, visible: bool) -> dict[str, Any] | None:
    """Return what brings a page to what is wished, None where it is so: the item of a single SKU, else the SKU."""
    variants = item.variants or {}
    if len(variants) == 1:
        return None if bool(item.hide_item) is not visible else {"hideItem": not visible}
    if bool(variants[pair.variant].hidden) is not visible:
        return None
    return {"variants": {pair.variant: {"hidden": not visible}}}


def _unsent(wish: PageWish, fault: ChannelError) -> Outcome:
    """Return that a page waits. Where the functions are refused, stock and orders may work all the same."""
    reason = PAID if isinstance(fault, AuthError) else str(fault)[:200]
    return Outcome(key=wish.key, kind=OutcomeKind.UNSENT, reason=reason)
