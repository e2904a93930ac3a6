"""What a person, or the engine on a person's settings, does to orders: ship-by dates and cancels.

Facts (QAPI guide for Japan, SetSellerCheckYN_V2 and SetCancelProcess, 2026): a line that is paid is confirmed with the
day by which it ships, which moves it on and tells the buyer; -10012 says that it was confirmed already. A cancel is of
a whole line; a blank reason stands for goods that are out of stock, which counts against the shop.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final

from adapters.qoo10 import feed, orders, wire
from adapters.qoo10.api import CANCEL, CONFIRM, Api, Written
from adapters.qoo10.order_reader import OrderReader
from adapters.qoo10.orders import Known
from adapters.qoo10.settings import Qoo10Settings
from adapters.qoo10.wire import Refused
from syncd.sdk.channel import Clock, Outcome, OutcomeKind
from syncd.sdk.errors import RejectedError, TransientError
from syncd.sdk.features import CancelReason, CancelWish, Undated

PREPARING = "1"
"""DelayType: the goods are being prepared (商品準備中)."""
REASONS: Final[Mapping[CancelReason, str]] = {
    CancelReason.OUT_OF_STOCK: "",
    CancelReason.BUYER: "1",
    CancelReason.ADDRESS: "2",
}


# --- deciding ----------------------------------------------------------------------------------------------------


def undated(lines: Sequence[Known], *, today: date) -> Undated | None:
    """Say whether a cart may be given a ship-by date: one line has none, or one whose day has passed."""
    left = [known.line for known in lines if known.open]
    late = [line.ship_by for line in left if line.status == orders.CONFIRMED and line.ship_by and line.ship_by < today]
    if not late and not any(line.status == orders.NEW for line in left):
        return None
    return Undated(order_id=lines[0].line.pack_no, delayed=bool(late), current=min(late, default=None))


def to_date(lines: Sequence[Known], *, today: date) -> list[tuple[str, bool]]:
    """Return the numbers of the lines of a cart to promise a day for, and whether each is late already."""
    return [
        (known.line.order_no, known.line.status == orders.CONFIRMED)
        for known in lines
        if known.open
        and (
            known.line.status == orders.NEW
            or (known.line.status == orders.CONFIRMED and known.line.ship_by is not None and known.line.ship_by < today)
        )
    ]


def refusal(wish: CancelWish, lines: Sequence[Known]) -> str:
    """Return why these lines cannot be cancelled as it is wished; `""` where they can."""
    by_number = {known.line.order_no: known for known in lines}
    if wish.reason not in REASONS:
        return "Qoo10 takes out of stock, buyer or address as reasons; cancel others in QSM"
    for wanted in wish.lines:
        known = by_number.get(wanted.line_id)
        if known is None:
            return "the order has no such line"
        if wanted.quantity != known.line.quantity:
            return "Qoo10 cancels whole lines only"
    if any(known.shipped for known in _wished(wish, lines)):
        return "it has been shipped"
    return "" if lines else "there is no such order"


def _wished(wish: CancelWish, lines: Sequence[Known]) -> list[Known]:
    """Return the lines that a wish is about; none named means all of them."""
    named = {line.line_id for line in wish.lines}
    return [known for known in lines if not named or known.line.order_no in named]


def _joined(key: str, ends: Sequence[Written]) -> Outcome:
    """Return one outcome of several calls: what is not known comes before what was refused."""
    faults = [end.fault for end in ends if end.fault is not None]
    if not faults:
        return Outcome(key=key, kind=OutcomeKind.ACCEPTED)
    reason = str(faults[0])
    if any(end.doubtful for end in ends):
        return Outcome(key=key, kind=OutcomeKind.INDETERMINATE, reason=reason)
    if all(isinstance(fault, RejectedError) for fault in faults):
        done = len(ends) - len(faults)
        more = f" ({done} of {len(ends)} lines are done)" if done else ""
        return Outcome(key=key, kind=OutcomeKind.REJECTED, reason=f"{reason}{more}")
    kind = OutcomeKind.UNSENT if len(faults) == len(ends) else OutcomeKind.INDETERMINATE
    return Outcome(key=key, kind=kind, reason=reason)


# --- acting ------------------------------------------------------------------------------------------------------


class Sales:
    """Acts on the orders of one shop."""

    def __init__(self, api: Api, *, reader: OrderReader, settings: Qoo10Settings, clock: Clock) -> None:
        self._api = api
        self._reader = reader
        self._settings = settings
        self._clock = clock

    async def undated(self) -> list[Undated]:
        """Read what is paid and not shipped, and return the orders without a date, or with one that has passed."""
        now = self._clock.now()
        found = await self._reader.read_packs(feed.waiting(now=now, settings=self._settings))
        today = wire.japan(now).date()
        asked = [undated(self._reader.book.known(pack_no), today=today) for pack_no in found]
        return [one for one in asked if one is not None]

    async def set_ship_date(self, order_id: str, day: date) -> Outcome:
        """Promise a day for every line of an order that waits for one."""
        lines = await self._lines(order_id)
        today = wire.japan(self._clock.now()).date()
        wanted = to_date(lines, today=today)
        if day < today or not wanted:
            reason = "the day has passed" if day < today else "no line of it waits for a ship-by date"
            return Outcome(key=order_id, kind=OutcomeKind.REJECTED, reason=reason)
        ends = []
        for order_no, late in wanted:
            ends.append(await self._promise(order_no, day, late=late))
            if isinstance(ends[-1].fault, TransientError):
                break
        return _joined(order_id, ends)

    async def _promise(self, order_no: str, day: date, *, late: bool) -> Written:
        written = await self._api.write(
            CONFIRM,
            {
                "OrderNo": order_no,
                "EstShipDt": day.strftime("%Y%m%d"),
                "DelayType": PREPARING if late else "",
                "DelayMemo": "",
            },
        )
        confirmed = isinstance(written.fault, Refused) and written.fault.code == wire.ALREADY_CONFIRMED
        return Written() if confirmed and not late else written

    async def cancel(self, wish: CancelWish) -> Outcome:
        """Cancel the lines that a person named; the cart is read first, as it is now."""
        lines = await self._lines(wish.order_id)
        if why_not := refusal(wish, lines):
            return Outcome(key=wish.key, kind=OutcomeKind.REJECTED, reason=why_not)
        left = [known for known in _wished(wish, lines) if known.open]
        if not left:
            return Outcome(key=wish.key, kind=OutcomeKind.APPLIED, reason="it is cancelled already")
        ends = []
        for known in left:
            fields = {"ContrNo": known.line.order_no, "CancelReason": REASONS[wish.reason], "SellerMemo": ""}
            ends.append(await self._api.write(CANCEL, fields))
            if wish.reason is CancelReason.OUT_OF_STOCK and (ends[-1].fault is None or ends[-1].doubtful):
                self._reader.book.learn_not_there(known.line.order_no)
            if isinstance(ends[-1].fault, TransientError):
                break
        return _joined(wish.key, ends)

    async def _lines(self, order_id: str) -> list[Known]:
        await self._reader.fetch([order_id])
        return self._reader.book.known(order_id)
