"""Letters that wait for a person, apologies above all: release them or drop them, one or all of an incident."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

from sqlalchemy import Connection

from syncd.core.facts import Fact
from syncd.core.waitlist import MessageFact
from syncd.store.changes import ChangeState
from syncd.store.views_waiting import ChangeView, change_page
from syncd.web.api_facts import Word
from syncd.web.api_wire import Fault
from syncd.web.pages.deed import Deed, Row, Subject, number_of, word_of
from syncd.web.pages.frame import Ask, Frame

MOST_LETTERS: Final = 100
"""Letters that a page lists."""
MOST_OF_EVENT: Final = 1_000
MOST_NAMED: Final = 5


def held_letters(conn: Connection, *, event: str = "", limit: int = MOST_LETTERS) -> list[ChangeView]:
    """Return the letters and tasks that wait for a person, the oldest first."""
    return change_page(conn, state=ChangeState.HELD.value, event=event, limit=limit)


async def _chosen(frame: Frame, ask: Ask) -> list[ChangeView]:
    """Return the letters that the address names: one by number, or all of an event; raises Fault for none."""
    event, read = word_of(ask.query("event"), Word), frame.plant.store.read
    if event:
        found = await read(lambda conn: held_letters(conn, event=event, limit=MOST_OF_EVENT))
    else:
        wanted = number_of(ask.query("id"), "id")
        page = await read(lambda conn: change_page(conn, state=ChangeState.HELD.value, after=wanted - 1, limit=1))
        found = [one for one in page if one.id == wanted]
    if not found:
        raise Fault(404, ask.speech.say("do.gone"))
    return found


async def _find(frame: Frame, ask: Ask) -> Subject:
    found, speech = await _chosen(frame, ask), ask.speech
    kinds = Counter(one.message for one in found)
    orders = [number for one in found if (number := order_of(one))]
    more = speech.say("do.letters.more", count=speech.number(len(orders) - MOST_NAMED))
    rows: list[Row] = [
        ("do.letters.what", ", ".join(f"{speech.word('letter', kind)} ×{n}" for kind, n in sorted(kinds.items()))),
        ("do.letters.desks", ", ".join(sorted({one.desk for one in found}))),
        ("do.letters.products", ", ".join(sorted({name for one in found if (name := product_of(one))})) or "–"),
        ("do.letters.orders", ", ".join([*orders[:MOST_NAMED], *([more] if len(orders) > MOST_NAMED else [])]) or "–"),
        ("do.held.at", speech.full(min(one.created_at for one in found))),
        ("do.letters.why", ", ".join(sorted({one.reason for one in found if one.reason})) or "–"),
    ]
    return Subject(name=speech.number(len(found)), rows=rows)


def order_of(letter: ChangeView) -> str:
    """Return the number of the order that a letter is about, empty for none."""
    return letter.order_number or letter.values.get("order_number", "")


def product_of(letter: ChangeView) -> str:
    """Return what a letter is about, as the customer reads it."""
    return letter.values.get("product", "") or letter.sku


def _back(ask: Ask) -> str:
    return "/incidents" if ask.query("event") else "/waiting"


def _fact(*, accept: bool) -> Callable[[Frame, Ask, Mapping[str, str]], Fact]:
    def make(_frame: Frame, ask: Ask, _fields: Mapping[str, str]) -> Fact:
        event = word_of(ask.query("event"), Word)
        ids = () if event else (number_of(ask.query("id"), "id"),)
        return MessageFact(ids=ids, event=event, accept=accept, actor=ask.visitor.name)

    return make


LETTERS: Final = (
    Deed(
        verb="letters-release",
        api=("POST", "/messages/release"),
        danger=True,
        find=_find,
        fact=_fact(accept=True),
        back=_back,
    ),
    Deed(verb="letters-refuse", api=("POST", "/messages/refuse"), find=_find, fact=_fact(accept=False), back=_back),
)
