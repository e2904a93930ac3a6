"""Closes and opens item pages by their status: on sale (取引可能) or waiting (取引待機).

Facts (QAPI guide for Japan, ItemsBasic.EditGoodsStatus, 2026): `Status` is 1 waiting, 2 on sale, 3 ended; an end cannot
be taken back and is never sent here. The status is that of an item with all its option rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from adapters.qoo10 import goods
from adapters.qoo10.api import EDIT_STATUS, Api
from syncd.sdk.channel import Outcome, OutcomeKind
from syncd.sdk.errors import ChannelError, RejectedError
from syncd.sdk.features import PageWish

WAITING: Final = "1"
ON_SALE: Final = "2"
ROW: Final = "an option row has no page of its own: at Qoo10 only the whole item can be closed"


class Pages:
    """The pages of one shop."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def show(self, wishes: Sequence[PageWish]) -> list[Outcome]:
        """Close or open items, one call each; what comes after a fault of the whole channel is UNSENT."""
        outcomes: list[Outcome] = []
        fault: ChannelError | None = None
        for wish in wishes:
            if fault is not None:
                outcomes.append(Outcome(key=wish.key, kind=OutcomeKind.UNSENT, reason=str(fault)[:200]))
                continue
            outcome, fault = await self._show(wish)
            outcomes.append(outcome)
        return outcomes

    async def _show(self, wish: PageWish) -> tuple[Outcome, ChannelError | None]:
        """Return how one page ended, and the fault that ends the round."""
        item, key = goods.target(wish.ref) or ("", "")
        if key or not item:
            reason = ROW if key else "not an item of Qoo10"
            return Outcome(key=wish.key, kind=OutcomeKind.REJECTED, reason=reason), None
        status = ON_SALE if wish.visible else WAITING
        written = await self._api.write(EDIT_STATUS, {"ItemCode": item, "SellerCode": "", "Status": status})
        fault = written.fault
        if fault is None:
            return Outcome(key=wish.key, kind=OutcomeKind.APPLIED), None
        if written.doubtful:
            kind = OutcomeKind.INDETERMINATE
        else:
            kind = OutcomeKind.REJECTED if isinstance(fault, RejectedError) else OutcomeKind.UNSENT
        ends = None if isinstance(fault, RejectedError) else fault
        return Outcome(key=wish.key, kind=kind, reason=str(fault)[:200]), ends
