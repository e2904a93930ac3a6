"""What happens to orders: shoppers buy, pay, cancel and send back; the shop confirms, ships and cancels."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import count

from adapters.qoo10.simulated.goods import Goods
from adapters.qoo10.simulated.sales import Claim, ClaimStatus, Line, Status
from adapters.qoo10.simulated.times import DAY_US, SECOND_US
from adapters.qoo10.simulated.world import World
from syncd.sdk.channel import Instant
from syncd.testing.shelf import Good
from syncd.testing.trade import By, Refusal, Unknown, units

FIRST_PACK, FIRST_ORDER = 112_233_445, 998_877_661
"""The same in every shop: a PackNo may be that of another shop's cart."""
BY_SELLER = "販売者取消"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A mail that Qoo10 sent to a customer: it cannot be taken back."""

    order_no: int
    about: str


@dataclass(slots=True, kw_only=True)
class Orders:
    """All orders. `mails` are those to customers; `seller_faults` counts cancels for want of stock."""

    world: World
    goods: Goods
    lines: dict[int, Line] = field(default_factory=dict)
    by_status: dict[Status, dict[int, Line]] = field(default_factory=lambda: {status: {} for status in Status})
    packs: dict[int, list[Line]] = field(default_factory=dict)
    claims: list[tuple[Line, Claim]] = field(default_factory=list)
    mails: list[Mail] = field(default_factory=list)
    seller_faults: int = 0
    _pack_numbers: count[int] = field(default_factory=lambda: count(FIRST_PACK))
    _order_numbers: count[int] = field(default_factory=lambda: count(FIRST_ORDER))

    # --- buying and paying ---

    def buy(self, wanted: Sequence[tuple[str, int]]) -> list[Line]:
        """Sell a cart, whole or not at all; raises `Refusal` when too little is shown, `Unknown`."""
        now, world = self.world.settle(), self.world
        taken = [(self._offer(sku, quantity), quantity) for sku, quantity in units(wanted).items()]
        pack = next(self._pack_numbers)
        told_at = now + world.drawn_us(world.knobs.feed_s)
        lines = [self._line(pack, good, quantity, now, told_at) for good, quantity in taken]
        for line in lines[1:]:
            line.told_at += world.drawn_us(world.knobs.late_line_s)
        self.packs[pack] = lines
        for line in lines:
            self.lines[line.order_no] = self.by_status[line.status][line.order_no] = line
        self._pay_now_or_later(lines, now)
        return lines

    def _offer(self, sku: str, quantity: int) -> Good:
        offers = self.goods.on_sale(sku)
        if not offers:
            raise Unknown(f"{sku}: not for sale here")
        for good in offers:
            if good.quantity >= quantity:
                return good
        raise Refusal(f"{sku}: {quantity} wanted, {max(good.quantity for good in offers)} shown")

    def _line(self, pack: int, good: Good, quantity: int, now: Instant, told_at: Instant) -> Line:
        item, row = self.goods.of(good)
        self.goods.change(good, good.quantity - quantity, By.SHOPPER, at=now)
        return Line(
            order_no=next(self._order_numbers), pack_no=pack, good=good, item=item, row=row, quantity=quantity,
            price=item.price + (row.price if row else 0), ordered_at=now, told_at=told_at,
        )  # fmt: skip

    def _pay_now_or_later(self, lines: list[Line], now: Instant) -> None:
        world, knobs = self.world, self.world.knobs
        if not world.random.happens(knobs.unpaid):
            self.pay(lines, now)
            if world.random.happens(knobs.confirmed_by_person):
                self.confirm_by_person(lines, now)
        elif world.random.happens(knobs.never_paid):
            due = now + round(knobs.unpaid_s * world.scale() * SECOND_US)
            world.later(due, functools.partial(self._drop_unpaid, lines, "入金期限切れ"))
        elif world.random.happens(knobs.self_cancels):
            world.later(now + world.drawn_us(knobs.pay_s), functools.partial(self._drop_unpaid, lines, "購入者取消"))
        else:
            world.later(now + world.drawn_us(knobs.pay_s), functools.partial(self.pay, lines))

    def pay(self, lines: Iterable[Line], at: Instant) -> None:
        """Let a shopper pay what stands and is not paid."""
        for line in lines:
            if line.status is Status.UNPAID and line.is_listed:
                line.paid_at = at
                self._move(line, Status.REQUESTED)

    def _move(self, line: Line, status: Status) -> None:
        del self.by_status[line.status][line.order_no]
        line.status = status
        self.by_status[status][line.order_no] = line

    def _drop_unpaid(self, lines: Iterable[Line], reason: str, at: Instant) -> None:
        for line in lines:
            if line.status is Status.UNPAID and line.left:
                self.cancel(line, line.left, reason=reason, at=at)

    # --- confirming and shipping ---

    def confirm_by_person(self, lines: Iterable[Line], at: Instant) -> None:
        """Let a person press 発注確認 in QSM: the lines leave 新規注文 without syncd's doing."""
        for line in lines:
            if line.status is Status.REQUESTED and line.is_listed:
                self.promise(line, self._three_days_on(at))

    def promise(self, line: Line, day: date) -> None:
        """Set a ship-by date: the line is in 配送準備 from now on, and the customer is told by mail."""
        self._move(line, Status.CONFIRMED)
        line.ships_on = day
        self.mails.append(Mail(order_no=line.order_no, about=f"ships on {day}"))

    def _three_days_on(self, at: Instant) -> date:
        return self.world.day(at + 3 * DAY_US)

    def send(self, line: Line, *, carrier: str, tracking: str, at: Instant) -> None:
        """Ship what is left of a line; it is delivered some days later."""
        self._move(line, Status.SENT)
        line.sent_at, line.carrier, line.tracking = at, carrier, tracking
        self.world.later(at + self.world.drawn_us(self.world.knobs.deliver_s), functools.partial(self._arrive, line))

    def _arrive(self, line: Line, at: Instant) -> None:
        self._move(line, Status.DELIVERED)
        line.delivered_at = at

    # --- claims ---

    def cancel(self, line: Line, quantity: int, *, reason: str, at: Instant, restock: bool | None = None) -> None:
        """Let units be cancelled: unpaid ones and those that the shop cancels at once, others by a claim that runs."""
        unpaid = line.status is Status.UNPAID
        claim = self._claim(line, ClaimStatus.CANCEL_ASKED, quantity, reason, at)
        whole_us = 0 if unpaid or reason == BY_SELLER else self.world.drawn_us(self.world.knobs.cancel_s)
        end = ClaimStatus.NEVER_PAID if unpaid else ClaimStatus.CANCELLED
        if whole_us:
            self.world.later(at + whole_us // 2, functools.partial(self._go_on, claim, ClaimStatus.CANCEL_UNDER_WAY))
            self.world.later(at + whole_us, functools.partial(self._finish_cancel, line, claim, end, restock=restock))
        else:
            self._finish_cancel(line, claim, end, at, restock=restock)

    def _claim(self, line: Line, status: ClaimStatus, quantity: int, reason: str, at: Instant) -> Claim:
        told_at = at + self.world.drawn_us(self.world.knobs.feed_s)
        claim = Claim(status=status, units=quantity, requested_at=at, told_at=told_at, reason=reason)
        line.claims.append(claim)
        self.claims.append((line, claim))
        return claim

    def _go_on(self, claim: Claim, status: ClaimStatus, at: Instant) -> None:
        claim.status = status
        claim.told_at = max(claim.told_at, at + self.world.drawn_us(self.world.knobs.feed_s))

    def _finish_cancel(self, line: Line, claim: Claim, end: ClaimStatus, at: Instant, *, restock: bool | None) -> None:
        if line.status >= Status.SENT:  # shipped while the shopper waited: the wish to cancel is void
            line.claims.remove(claim)
            self.claims.remove((line, claim))
            return
        self._go_on(claim, end, at)
        claim.done_at = at
        line.cancelled += claim.units
        wanted = self.world.knobs.restore_s
        if restock is not False and (restock or wanted is not None):
            due = at + self.world.drawn_us(wanted or (0.0, 0.0))
            self.world.later(due, lambda when: self.goods.add(line.good, claim.units, By.CANCEL, at=when))
        self.world.settle()

    def send_back(self, line: Line, at: Instant) -> None:
        """Let a shopper send a shipped line back: asked for, under way, done; its units are not put up again."""
        claim = self._claim(line, ClaimStatus.RETURN_ASKED, line.quantity - line.cancelled, "単純変心", at)
        whole_us = self.world.drawn_us(self.world.knobs.deliver_s)
        self.world.later(at + whole_us // 2, functools.partial(self._go_on, claim, ClaimStatus.RETURN_UNDER_WAY))
        self.world.later(at + whole_us, functools.partial(self._finish_return, line, claim))
        self.world.settle()

    def _finish_return(self, line: Line, claim: Claim, at: Instant) -> None:
        self._go_on(claim, ClaimStatus.RETURNED, at)
        claim.done_at = at
        line.returned += claim.units

    # --- finding ---

    def pack(self, number: str) -> list[Line]:
        """Return the lines of a cart; raises `Unknown`."""
        self.world.settle()
        found = self.packs.get(int(number)) if number.isdecimal() else None
        if found is None:
            raise Unknown(f"{number}: no such order")
        return found

    def line(self, number: str) -> Line | None:
        """Return the line of an OrderNo."""
        return self.lines.get(int(number)) if number.isdecimal() and number.isascii() else None
