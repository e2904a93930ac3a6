"""The items of the shop: some with option rows, each row with a number of its own, and what can be read of the numbers.

An item with options sells by its rows; an item without sells by its own number (QAPI guide, SetGoodsPriceQty and
UpdateInventoryQtyUnit, 2026).
"""

from __future__ import annotations

import functools
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from adapters.qoo10.simulated.times import today
from adapters.qoo10.simulated.world import World
from syncd.sdk.channel import Instant, ListingRef
from syncd.testing.shelf import Good, Shelf
from syncd.testing.trade import By, Log

FIRST_ITEM = 1_100_000_001
PAGE = 500
"""Items on a page of GetAllGoodsInfo (QAPI guide, 2026)."""
WAITING, ON_SALE, STOPPED = "S1", "S2", "S3"
STATUSES = ("S0", WAITING, ON_SALE, STOPPED, "S5", "S8")
JOINT = "||*"
"""Between the columns of an option (QAPI guide, 2026)."""
LIFE = timedelta(days=365)
"""What a blank ExpireDate gives (QAPI guide, SetGoodsPriceQty, 2026)."""
MOST_PAST = 256

_COLOURS, _SIZES = ("RED", "BLUE", "ブラック"), ("S", "M", "L")


@dataclass(slots=True, eq=False, kw_only=True)
class Row:
    """One option row. `code` is the seller's option code, which may be blank; `price` is added to the item's."""

    names: tuple[str, ...]
    values: tuple[str, ...]
    code: str
    good: Good
    price: int = 0

    @property
    def text(self) -> str:
        """Return the option as orders write it."""
        return option_text(self.names, self.values)


@dataclass(slots=True, eq=False, kw_only=True)
class Item:
    """One item. `good` is its own number, None where it has option rows. `is_move` items belong to another site."""

    code: str
    seller_code: str
    price: int
    expires_on: date
    changed_at: Instant
    good: Good | None = None
    rows: list[Row] = field(default_factory=list)
    status: str = ON_SALE
    tax_rate: str = "10"
    starts: str = ""
    is_move: bool = False

    @property
    def goods(self) -> list[Good]:
        """Return the numbers that it sells by."""
        return [self.good] if self.good is not None else [row.good for row in self.rows]


def ref_of(code: str, row: tuple[str, str] | None = None) -> ListingRef:
    """Return where a number is shown: the item code, and for an option row (its code, its text) which one."""
    if row is None:
        return ListingRef(remote_id=code)
    option_code, text = row
    return ListingRef(remote_id=f"{code}:{option_code or f'={text}'}")


def option_text(names: Sequence[str], values: Sequence[str]) -> str:
    """Return an option as orders write it."""
    return " / ".join(f"{name}:{value}" for name, value in zip(names, values, strict=True))


class Goods:
    """All items, in the order in which they came."""

    def __init__(self, stock: Sequence[tuple[str, int]], world: World, log: Log) -> None:
        self.world = world
        self.shelf = Shelf(log)
        self.items: dict[str, Item] = {}
        self._by_seller_code: dict[str, list[Item]] = {}
        self._by_status: dict[str, list[Item]] = {}
        self._readable: dict[ListingRef, deque[tuple[Instant, int]]] = {}
        self._due: dict[ListingRef, Instant] = {}
        now = world.clock.now()
        for number, part in enumerate(_parts(stock)):
            self._open(number, part, now)

    def _open(self, number: int, part: Sequence[tuple[str, int]], now: Instant) -> None:
        code = str(FIRST_ITEM + number)
        item = Item(
            code=code, seller_code=part[0][0], price=1_000 + number % 50 * 20, expires_on=_opening_end(number, now),
            changed_at=now,
        )  # fmt: skip
        if number % 5 != 1:
            item.good = self.shelf.add(ref_of(code), sku=part[0][0], quantity=part[0][1], at=now)
        else:
            item.rows = [self._row(item, number, place, entry, now) for place, entry in enumerate(part)]
            item.seller_code = f"GROUP-{number:05d}" if item.rows[0].code else part[0][0]
        self.items[code] = item
        self._by_seller_code.setdefault(item.seller_code, []).append(item)

    def _row(self, item: Item, number: int, place: int, entry: tuple[str, int], now: Instant) -> Row:
        sku, quantity = entry
        two_axes = number // 5 % 2 == 1
        names = ("カラー", "サイズ") if two_axes else ("カラー",)
        values = (_COLOURS[place], _SIZES[place])[: len(names)]
        code = "" if _is_blank(number) else sku
        return self._new_row(item, names=names, values=values, code=code, sku=sku, quantity=quantity, at=now)

    def _new_row(
        self, item: Item, *, names: tuple[str, ...], values: tuple[str, ...], code: str, sku: str, quantity: int,
        at: Instant, price: int = 0,
    ) -> Row:  # fmt: skip
        good = self.shelf.add(ref_of(item.code, (code, option_text(names, values))), sku=sku, quantity=quantity, at=at)
        return Row(names=names, values=values, code=code, good=good, price=price)

    # --- finding ---

    def find(self, code: str, seller_code: str = "") -> list[Item]:
        """Return the item of a code, or without one those of a seller's code."""
        found = self.items.get(code)
        return [found] if found is not None else [] if code else self._by_seller_code.get(seller_code, [])

    def of(self, good: Good) -> tuple[Item, Row | None]:
        """Return the item of a number, and its option row."""
        item = self.items[good.ref.remote_id.partition(":")[0]]
        return item, next((row for row in item.rows if row.good is good), None)

    def on_sale(self, sku: str) -> list[Good]:
        """Return the numbers of a SKU that shoppers can buy from now."""
        day = today(self.world.clock.now())
        found = [(good, self.of(good)[0]) for good in self.shelf.of(sku)]
        return [good for good, item in found if item.status == ON_SALE and item.expires_on >= day]

    def page(self, status: str, number: int) -> tuple[list[Item], int]:
        """Return a page of the items in a status, from 1, and how many there are in all."""
        if status not in self._by_status:
            self._by_status[status] = [item for item in self.items.values() if item.status == status]
        rows = self._by_status[status]
        return rows[(number - 1) * PAGE : number * PAGE], len(rows)

    # --- changing ---

    def set_status(self, item: Item, status: str) -> None:
        """Let an item be on sale, waiting, stopped."""
        item.status, item.changed_at = status, self.world.settle()
        self._by_status.clear()

    def write(self, good: Good, quantity: int) -> None:
        """Take a number from the API: in effect later, in the order in which numbers came, or never."""
        now = self.world.settle()
        if self.world.random.happens(self.world.knobs.dropped_writes):
            return
        due = max(now + self.world.drawn_us(self.world.knobs.effect_s), self._due.get(good.ref, 0))
        self._due[good.ref] = due
        self.world.later(due, functools.partial(self._take_effect, good, quantity))
        self.world.settle()

    def _take_effect(self, good: Good, quantity: int, at: Instant) -> None:
        if self.shelf.find(good.ref) is good:
            self.change(good, quantity, By.API, at=at)

    def add(self, good: Good, units: int, by: By, *, at: Instant) -> None:
        """Let a number rise or fall by a sale or a restore; one that was deleted stays away."""
        if self.shelf.find(good.ref) is good:
            self.change(good, good.quantity + units, by, at=at)

    def change(self, good: Good, quantity: int, by: By, *, at: Instant) -> None:
        """Let a listing sell by another number from `at` on, and be read so later: no reading overtakes another."""
        knobs = self.world.knobs
        delay_us = self.world.drawn_us(knobs.sale_shows_s if by in {By.SHOPPER, By.CANCEL} else knobs.shows_s)
        past = self._readable.setdefault(good.ref, deque([(0, good.quantity)], maxlen=MOST_PAST))
        past.append((max(at + delay_us, past[-1][0]), quantity))
        self.of(good)[0].changed_at = at
        self.shelf.change(good, quantity, by, at=at)

    def readable(self, good: Good, at: Instant) -> int:
        """Return what could be read of a number at a time."""
        past = self._readable.get(good.ref)
        if past is None:
            return good.quantity
        return past[max(0, bisect_right(past, at, key=lambda entry: entry[0]) - 1)][1]

    def replace_rows(
        self, item: Item, columns: Sequence[tuple[tuple[str, ...], tuple[str, ...], int, int, str]]
    ) -> None:
        """Put a new option table in the place of the old one; an empty one makes it an item without options."""
        now = self.world.settle()
        for good in item.goods:
            self.shelf.remove(good.ref)
            self._readable.pop(good.ref, None)
        item.good, item.rows, item.changed_at = None, [], now
        for names, values, price, quantity, code in columns:
            row = self._new_row(
                item, names=names, values=values, price=price, quantity=quantity, code=code,
                sku=code or item.seller_code, at=now,
            )  # fmt: skip
            item.rows.append(row)
        if not item.rows:
            item.good = self.shelf.add(ref_of(item.code), sku=item.seller_code, quantity=0, at=now)

    def at(self, place: str | ListingRef) -> tuple[Item, Good]:
        """Return the item and the number of a SKU or listing; raises `Unknown`."""
        good = self.shelf.at(place)
        return self.of(good)[0], good


def _parts(stock: Sequence[tuple[str, int]]) -> Iterator[Sequence[tuple[str, int]]]:
    """Cut the stock into items: of five, the second has options; two rows, three, two, and one without a code."""
    place = number = 0
    while place < len(stock):
        size = 1 if number % 5 != 1 or _is_blank(number) else 2 + number // 5 % 2
        yield stock[place : place + size]
        place, number = place + size, number + 1


def _is_blank(number: int) -> bool:
    return number // 5 % 4 == 3


def _opening_end(number: int, now: Instant) -> date:
    """Return until when an item is for sale: most for long, and some not as long as a blank ExpireDate would give."""
    return today(now) + timedelta(days=200) if number % 3 == 0 else date(2030, 12, 31)
