"""What a deed is: something that a person does on the pages, confirmed on a page of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import msgspec

from syncd.core.facts import Fact
from syncd.store.views_orders import OrderLineView
from syncd.store.views_sku import SkuDetail
from syncd.web.api_facts import MOST_UNITS
from syncd.web.api_wire import Fault
from syncd.web.pages.frame import Ask, Frame

Row: TypeAlias = tuple[str, str]
"""A label (a key of the words) and what it says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a deed is about: `name` in its title, `rows` below it.

    `sku` and `lines` have fields of their own in the form; `reasons` are the words that one is chosen of.
    """

    name: str
    rows: Sequence[Row]
    sku: SkuDetail | None = None
    places: Sequence[str] = ()
    lines: Sequence[OrderLineView] = ()
    reasons: Sequence[str] = ()


Act: TypeAlias = Callable[[Frame, Ask, Mapping[str, str], str], Awaitable[str]]
"""Does it: takes the fields and the id of the form, returns a key of the words, below `said`, for how it ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """One deed: how its subject is found from the address, and which fact its form makes.

    `act` is of a deed that is no fact. `api` is the route by which programs do the same.
    """

    verb: str
    api: tuple[str, str]
    find: Callable[[Frame, Ask], Awaitable[Subject]]
    fact: Callable[[Frame, Ask, Mapping[str, str]], Fact] | None = None
    act: Act | None = None
    back: Callable[[Ask], str] = lambda _: "/"
    """Where the browser goes after it."""
    danger: bool = False
    reason: bool = False
    """A reason may be given."""


def word_of(given: str, kind: Any) -> str:
    """Return a field that fits a kind of text; raises Fault."""
    try:
        found: str = msgspec.convert(given, kind)
    except msgspec.ValidationError as error:
        raise Fault(400, str(error)) from None
    return found


def number_of(given: str, name: str) -> int:
    """Return a field as a whole number; raises Fault."""
    if not (given.isascii() and given.isdigit()) or int(given) > MOST_UNITS:
        raise Fault(400, f"{name}: {given[:20]!r} is not a whole number of at most {MOST_UNITS}")
    return int(given)
