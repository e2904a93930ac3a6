"""Reads what is for sale: the catalogue, the option rows and pages of items, and what listings show.

The catalogue has no quantities, and does not say which items have options: both cost a call per item (QAPI guide,
GetAllGoodsInfo, GetGoodsInventoryInfo, GetItemDetailInfo, 2026).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from adapters.qoo10 import goods, wire
from adapters.qoo10.api import ALL_GOODS, ITEM_DETAIL, OPTION_ROWS, Answered, Api
from adapters.qoo10.goods import Detail, Item, Options
from adapters.qoo10.shelf import Shelf
from adapters.qoo10.wire import Refused, Row
from syncd.sdk.channel import Clock, Instant, ListingInfo, ListingPage, ListingRef, Seen
from syncd.sdk.errors import ChannelError, ProtocolError

T = TypeVar("T")

ITEMS_A_PAGE = 25
"""Items of one page of the catalogue: each may cost a call."""
_NOT_THERE = frozenset({wire.NOT_FOUND, wire.BAD_INPUT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A place in the catalogue: which state of items, which page of Qoo10's, how many of its items are done."""

    state: int = 0
    page: int = 1
    done: int = 0

    def text(self) -> str:
        """Return it as it is stored."""
        return f"{self.state}:{self.page}:{self.done}"


def place(text: str | None) -> Place:
    """Return the place that a cursor names; raises `ProtocolError` for a text that is no cursor of ours."""
    if text is None:
        return Place()
    parts = text.split(":")
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() for part in parts):
        raise ProtocolError("Qoo10: the stored place in the catalogue is not understood")
    state, page, done = (int(part) for part in parts)
    if state >= len(goods.STATES):
        raise ProtocolError("Qoo10: the stored place in the catalogue is not understood")
    return Place(state=state, page=page, done=done)


def onward(here: Place, *, items: int, pages: int) -> Place | None:
    """Return where the catalogue goes on after the items of one page of ours; None at its end."""
    done = here.done + ITEMS_A_PAGE
    if done < items:
        return Place(state=here.state, page=here.page, done=done)
    if here.page < pages:
        return Place(state=here.state, page=here.page + 1)
    return Place(state=here.state + 1) if here.state + 1 < len(goods.STATES) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """What an item shows: quantities by option key, `""` for the item itself."""

    asked_at: Instant
    answered_at: Instant
    quantities: Mapping[str, int] = field(default_factory=dict)


class ListingReader:
    """Reads the listings of one shop into what is known of its shelf."""

    def __init__(self, api: Api, shelf: Shelf, clock: Clock) -> None:
        self._api = api
        self._shelf = shelf
        self._clock = clock

    async def page(self, cursor: str | None) -> ListingPage:
        """Read some items with their option rows; states without items are passed over."""
        here: Place | None = place(cursor)
        found: list[ListingInfo] = []
        while here is not None and not found:
            items, pages = await self._items(here)
            wanted = items[here.done : here.done + ITEMS_A_PAGE]
            for listed in await _all_of([self._listed(item) for item in wanted]):
                found += listed
            here = onward(here, items=len(items), pages=pages)
        return ListingPage(listings=tuple(found), cursor=None if here is None else here.text())

    async def _items(self, here: Place) -> tuple[list[Item], int]:
        fields = {"ItemStatus": goods.STATES[here.state], "Page": str(here.page)}
        content = (await self._api.read(ALL_GOODS, fields)).content
        if content in (None, "", []):
            return [], 0
        answer = content[0] if isinstance(content, list) else content
        listed = {name.lower(): value for name, value in answer.items()} if isinstance(answer, dict) else {}
        items = [goods.item(row) for row in wire.rows(listed.get("items"))]
        for item in items:
            self._shelf.learn_item(item)
        return items, Row(answer).number("TotalPages")

    async def _listed(self, item: Item) -> list[ListingInfo]:
        """Return the listings of an item: itself, or its option rows.

        Rows of an item that is off sale are asked for only once: they stay what they were.
        """
        known = None if item.active else self._shelf.options(item.code)
        found, managed = known, True
        if found is None:
            found, managed = await self.options_or_none(item.code)
        keys = [(key, row.code) for key, row in found.by_key.items()] or [("", "")]
        return [
            ListingInfo(
                ref=ListingRef(remote_id=goods.remote_id(item.code, key)),
                sku=goods.sku(code, item.seller_code, item.code),
                active=item.active,
                managed=managed,
            )
            for key, code in keys
        ]

    async def options_or_none(self, code: str) -> tuple[Options, bool]:
        """Return the option rows of an item; False with it for one that may not be written by us (a MOVE item)."""
        try:
            return await self.options(code), True
        except Refused as refusal:
            if refusal.code in _NOT_THERE:
                return Options(), True
            if refusal.code == wire.WRONG_STATE:
                return Options(), False
            raise

    async def options(self, code: str, *, urgent: bool = False) -> Options:
        """Read the option rows of an item; none for an item without options."""
        found, _ = await self._read_options(code, urgent=urgent)
        return found

    async def detail(self, code: str, *, urgent: bool = False) -> Detail | None:
        """Read the page of an item; None where there is none."""
        found, _ = await self._read_detail(code, urgent=urgent)
        return found

    async def _read_options(self, code: str, *, urgent: bool = False) -> tuple[Options, Answered]:
        answered = await self._api.read(OPTION_ROWS, {"ItemCode": code}, urgent=urgent)
        found = goods.options([goods.option(row) for row in wire.rows(answered.content)])
        self._shelf.learn_options(code, found)
        return found, answered

    async def _read_detail(self, code: str, *, urgent: bool = False) -> tuple[Detail | None, Answered]:
        answered = await self._api.read(ITEM_DETAIL, {"ItemCode": code}, urgent=urgent)
        rows = wire.rows(answered.content)
        if not rows:
            return None, answered
        found = goods.detail(rows[0])
        self._shelf.learn_detail(code, found, at=answered.asked_at)
        return found, answered

    # --- what is shown ---

    async def seen(self, refs: Sequence[ListingRef]) -> list[Seen]:
        """Read what these listings show: one call per item."""
        targets = [goods.target(ref) for ref in refs]
        wanted = list(dict.fromkeys((code, bool(key)) for code, key in filter(None, targets)))
        looks = await _all_of([self._look(code, of_rows=of_rows) for code, of_rows in wanted])
        found = dict(zip(wanted, looks, strict=True))
        return [self._reading(ref, target, found) for ref, target in zip(refs, targets, strict=True)]

    def _reading(
        self, ref: ListingRef, target: tuple[str, str] | None, found: Mapping[tuple[str, bool], _Look]
    ) -> Seen:
        """Return the reading of a listing; what is no listing of Qoo10 is not there."""
        code, key = target or ("", "")
        now = self._clock.now()
        look = found.get((code, bool(key)), _Look(asked_at=now, answered_at=now))
        quantity = look.quantities.get(key)
        return Seen(
            ref=ref,
            quantity=quantity,
            asked_at=look.asked_at,
            answered_at=look.answered_at,
            active=quantity is not None and self._shelf.is_active(code),
        )

    async def _look(self, code: str, *, of_rows: bool) -> _Look:
        """Read the quantities of an item: of its rows, or its own."""
        asked_at = self._clock.now()
        try:
            if of_rows:
                rows, answered = await self._read_options(code)
                quantities = {key: row.quantity for key, row in rows.by_key.items()}
            else:
                page, answered = await self._read_detail(code)
                quantities = {} if page is None else {"": page.quantity}
        except Refused as refusal:
            if refusal.code not in _NOT_THERE:
                raise
            self._shelf.forget(code)
            return _Look(asked_at=asked_at, answered_at=self._clock.now())
        return _Look(quantities=quantities, asked_at=answered.asked_at, answered_at=answered.answered_at)


async def _all_of(calls: Iterable[Awaitable[T]]) -> list[T]:
    """Wait for all of these, in the order given; the first error of the channel ends the rest and is raised."""
    tasks: list[asyncio.Task[T]] = []
    try:
        async with asyncio.TaskGroup() as group:
            tasks += [group.create_task(_one(call)) for call in calls]
    except* ChannelError as faults:
        first = _first(faults)
    else:
        return [task.result() for task in tasks]
    raise first


async def _one(call: Awaitable[T]) -> T:
    return await call


def _first(faults: BaseExceptionGroup[ChannelError]) -> ChannelError:
    found = faults.exceptions[0]
    return _first(found) if isinstance(found, BaseExceptionGroup) else found
