"""One call of the API: its parameters, checked as the real one checks them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import msgspec

from adapters.qoo10.simulated.answers import Refused
from adapters.qoo10.simulated.goods import Goods
from adapters.qoo10.simulated.keys import Keys
from adapters.qoo10.simulated.orders import Orders
from adapters.qoo10.simulated.times import DAY_US, day_of, window
from adapters.qoo10.simulated.world import World
from syncd.sdk.channel import Instant

MOST_QUANTITY = 2_147_483_647
MOST_ROWS = 500
MOST_SEARCH_US = 90 * DAY_US
MISSING, BLANK, BULK_FAILED, BULK_TOO_LONG = -99, -10, -1, -2
NOT_FOUND, INVALID, TOO_LONG, NOT_ALLOWED, PROCESSING = -10001, -10002, -10003, -10004, -10101
BAD_PARAMETER = "[-112] 7|17"


@dataclass(slots=True, kw_only=True)
class Shop:
    """All that is behind the API. `prices` are (item code, old price, new price) of every change by the API."""

    world: World
    goods: Goods
    orders: Orders
    keys: Keys
    prices: list[tuple[str, int, int]] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What was asked; a parameter that is not given is blank. `seen_at` is when what it reads was true."""

    given: Mapping[str, str]
    version: str
    now: Instant
    seen_at: Instant

    def text(self, name: str) -> str:
        """Return a parameter that may be blank."""
        return self.given.get(name, "")

    def needed(self, name: str) -> str:
        """Return a parameter; raises `Refused` where it is missing or blank."""
        if name not in self.given:
            raise Refused(MISSING, name)
        if not self.given[name]:
            raise Refused(BLANK, name)
        return self.given[name]

    def number(self, name: str, *, most: int = MOST_QUANTITY) -> int | None:
        """Return a whole number from 0, None where it is blank; raises `Refused` for anything else."""
        text = self.text(name)
        return whole_number(text, name, most=most) if text else None

    def day(self, name: str, layout: str) -> date | None:
        """Return a day, None where it is blank; raises `Refused` for another layout."""
        text = self.text(name)
        found = day_of(text, layout) if text else None
        if text and found is None:
            raise Refused(INVALID, name)
        return found

    def window(self, start: str, end: str) -> tuple[Instant, Instant]:
        """Return the window of a search; raises `Refused` where it is none, or longer than 90 days."""
        found = window(self.needed(start), self.needed(end))
        if found is None or found[1] < found[0]:
            raise Refused(INVALID, f"{start}, {end}")
        if found[1] - found[0] > MOST_SEARCH_US:
            raise Refused(TOO_LONG)
        return found

    def choice(self, name: str, known: tuple[str, ...]) -> str:
        """Return one of the known words; raises `Refused` for another."""
        text = self.needed(name)
        if text not in known:
            raise Refused(INVALID, name)
        return text

    def rows(self, name: str, *, too_long: int) -> list[Call]:
        """Return the rows of a bulk, each as a call; raises `Refused` for no JSON list of objects, or too many."""
        try:
            found = msgspec.json.decode(self.needed(name), type=list[dict[str, Any]])
        except msgspec.DecodeError:
            raise Refused(INVALID, name) from None
        if len(found) > MOST_ROWS:
            raise Refused(too_long)
        if not found:
            raise Refused(BLANK, name)
        return [self._row(row) for row in found]

    def _row(self, row: Mapping[str, Any]) -> Call:
        given = {name: "" if value is None else str(value) for name, value in row.items()}
        return Call(given=given, version=self.version, now=self.now, seen_at=self.seen_at)


def whole_number(text: str, name: str, *, most: int = MOST_QUANTITY) -> int:
    """Return a whole number from 0; raises `Refused`."""
    if not (text.isascii() and text.isdecimal()) or int(text) > most:
        raise Refused(INVALID, name)
    return int(text)
