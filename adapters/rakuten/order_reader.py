"""Reads orders: search by search as the plan has it, or by their numbers."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from adapters.rakuten import feed, orders, wire
from adapters.rakuten.api import Function, Rms
from adapters.rakuten.goods import Known
from adapters.rakuten.orders import Ended, OrderModel
from syncd.sdk.channel import Clock, Instant, OrderPage, OrderSnapshot, Span
from syncd.sdk.errors import AuthError, ProtocolError, RejectedError

T = TypeVar("T")

MOST_REMEMBERED = 50_000
MOST_SETTINGS = 20
"""Items whose stock settings are read for one page of orders: one a second."""
DOUBT_US = 3_600 * wire.SECOND_US
"""How long a restore counts as possible where the setting of its SKU cannot be read."""

_NUMBER = re.compile(r"\d{1,10}-\d{8}-\d{6,12}")
_HARMLESS = re.compile(r"[0-9A-Za-z-]{1,60}")


class OrderReader:
    """Reads the orders of one shop. What it remembers makes spans narrower and repeats fewer; losing it is harmless."""

    def __init__(self, rms: Rms, *, known: Known, clock: Clock, plan: feed.Plan) -> None:
        self._rms = rms
        self._known = known
        self._clock = clock
        self._plan = plan
        self._alive: OrderedDict[str, Instant] = OrderedDict()
        self._ended: OrderedDict[str, Ended] = OrderedDict()
        self._phantoms: OrderedDict[str, bool] = OrderedDict()
        self._told: OrderedDict[str, tuple[Instant, int]] = OrderedDict()  # when, and the hash of what was told

    def note_phantom(self, number: str, *, yes: bool) -> None:
        """Remember whether syncd cancels this order for want of stock, so that Rakuten puts nothing back for it."""
        self._phantoms.pop(number, None)
        if yes:
            _keep(self._phantoms, number, yes)

    async def page(self, text: str | None) -> OrderPage:
        """Read the next page of the feed."""
        cursor = feed.resume(text, now=self._clock.now(), plan=self._plan)
        if text is None:
            self._told.clear()
        job = cursor.jobs[0]
        found = await self._rms.read(Function.ORDER_SEARCH, orders.SearchAnswer, json=feed.search(job))
        _checked(found.messages, Function.ORDER_SEARCH)
        numbers = list(dict.fromkeys(found.order_number_list or ()))
        read_at = self._clock.now()
        nodes = await self._read(numbers) if numbers else []
        snapshots = await self._snapshots(nodes, read_at=read_at)
        following = feed.onward(
            cursor,
            count=len(numbers),
            total=found.page.total_records_amount if found.page else None,
            last=_last(numbers, nodes),
            missing=len(nodes) < len(numbers),
        )
        told = self._news(snapshots, cursor, repeats=feed.repeats(job))
        if following.jobs:
            return OrderPage(orders=told, cursor=feed.text(following), more=True)
        end = feed.finished(following)
        return OrderPage(orders=told, cursor=feed.text(end), more=False, complete_until=feed.complete_until(following))

    async def fetch(self, order_ids: Sequence[str]) -> list[OrderSnapshot]:
        """Read these orders; those that do not exist are left out."""
        read_at = self._clock.now()
        wanted = [number for number in dict.fromkeys(order_ids) if _HARMLESS.fullmatch(number)]
        plain = [number for number in wanted if _NUMBER.fullmatch(number)]
        odd = [number for number in wanted if not _NUMBER.fullmatch(number)]
        found = [*await self._found(plain), *await self._found(odd)]
        return list(await self._snapshots(found, read_at=read_at, fresh=True))

    async def _found(self, numbers: Sequence[str]) -> list[OrderModel]:
        """Read orders of which some may not exist: where Rakuten refuses all for one, it is found by halving."""
        if not numbers:
            return []
        try:
            return await self._read(numbers)
        except RejectedError:
            if len(numbers) == 1:
                return []
        middle = len(numbers) // 2
        return [*await self._found(numbers[:middle]), *await self._found(numbers[middle:])]

    async def _read(self, numbers: Sequence[str]) -> list[OrderModel]:
        answer = await self._rms.read(Function.ORDER_READ, orders.OrdersAnswer, json={"orderNumberList": list(numbers)})
        if not answer.orders:
            _checked(answer.messages, Function.ORDER_READ)
        wanted = set(numbers)
        return [order for order in answer.orders or () if order.order_number in wanted]

    # --- snapshots ---------------------------------------------------------------------------------------------------

    async def _snapshots(
        self, nodes: Iterable[OrderModel], *, read_at: Instant, fresh: bool = False
    ) -> tuple[OrderSnapshot, ...]:
        made = []
        settings: dict[str, dict[str, bool] | None] = {}
        for node in nodes:
            self._known.learn(orders.pairs(node), at=read_at)
            ended = None
            if node.order_progress == orders.CANCELLED:
                ended = await self._end(node, read_at=read_at, settings=settings)
            elif node.order_progress != orders.CANCELLING:
                _keep(self._alive, node.order_number, read_at)
                self._ended.pop(node.order_number, None)  # a cancel that was taken back
            made.append(orders.snapshot(node, read_at=read_at, fresh=fresh, ended=ended))
        return tuple(made)

    async def _end(self, node: OrderModel, *, read_at: Instant, settings: dict[str, dict[str, bool] | None]) -> Ended:
        """Return what is known of a cancel: it came after the order was last read as not cancelled."""
        number = node.order_number
        known = self._ended.get(number)
        if known is not None and None not in known.restocks.values():
            return known
        if known is None:
            earliest = self._alive.get(number) or wire.instant(node.order_datetime)
            span = Span(earliest=earliest - orders.TAKE_BEFORE_US, latest=read_at + orders.CANCEL_SETTLE_US)
            known = Ended(span=span, phantom=number in self._phantoms)
        restocks = {
            name: False if known.phantom else await self._restocks(name, settings) for name in orders.remote_ids(node)
        }
        _keep(self._ended, number, replace(known, restocks=restocks))
        if (known.span.latest or read_at) + DOUBT_US < read_at or self._is_old(node, read_at):
            return replace(known, restocks={name: flag is not False for name, flag in restocks.items()})
        return self._ended[number]

    def _is_old(self, node: OrderModel, read_at: Instant) -> bool:
        """Tell whether an order was never seen before and is of another day: what its cancel did is long done."""
        ordered_at = wire.instant(node.order_datetime)
        return node.order_number not in self._alive and read_at - ordered_at > self._plan.rescan_us

    async def _restocks(self, name: str, settings: dict[str, dict[str, bool] | None]) -> bool | None:
        """Tell whether Rakuten puts units of a SKU back by itself; None where that is not known."""
        number, _, variant = name.partition("/")
        if number not in settings:
            settings[number] = await self._settings(number) if number and len(settings) < MOST_SETTINGS else None
        found = settings[number]
        return None if found is None else found.get(variant)

    async def _settings(self, number: str) -> dict[str, bool] | None:
        try:
            found = await self._rms.settings_of(number)
        except (AuthError, RejectedError, ProtocolError):
            return None  # the function is not switched on, for example: the health check says so
        if found is None:
            return None
        return {variant: bool(about.restock_on_cancel) for variant, about in (found.variants or {}).items()}

    def _news(
        self, snapshots: Iterable[OrderSnapshot], cursor: feed.Cursor, *, repeats: bool
    ) -> tuple[OrderSnapshot, ...]:
        """Leave out what a sweep finds as it was told by a scan that is over (its cursor was stored)."""
        told = []
        for order in snapshots:
            digest = hash(replace(order, read_at=0))
            at, before = self._told.get(order.order_id, (0, None))
            if repeats and before == digest and at <= cursor.scanned:
                continue
            _keep(self._told, order.order_id, (cursor.began, digest))
            told.append(order)
        return tuple(told)


def _checked(messages: Sequence[wire.Message] | None, function: Function) -> None:
    """Raise `RejectedError` where an answer with a good status is an error all the same."""
    errors = wire.errors_of(messages or ())
    if errors:
        said = wire.said(wire.Fault(code=one.message_code, message=one.message) for one in errors)
        raise RejectedError(f"Rakuten refuses {function.title}: {said}")


def _last(numbers: Sequence[str], nodes: Iterable[OrderModel]) -> Instant | None:
    """Return when the last order of a page was placed; raises `ProtocolError` where the page is not in order."""
    placed = {node.order_number: wire.instant(node.order_datetime) for node in nodes}
    times = [placed[number] for number in numbers if number in placed]
    if times and times[0] > times[-1]:
        raise ProtocolError("Rakuten: the order search is not sorted by order time")
    return max(times, default=None)


def _keep(memory: OrderedDict[str, Any], key: str, value: T) -> None:
    memory[key] = value
    memory.move_to_end(key)
    if len(memory) > MOST_REMEMBERED:
        memory.popitem(last=False)
