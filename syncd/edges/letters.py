"""Several alerts as one message to people: the form that every route sends in its own way. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from syncd.core.terms import Instant
from syncd.edges.alert_texts import PHRASES, headline, line, one_line
from syncd.store.alerts import CLEARED, Alert
from syncd.store.outbox import Waiting

MOST_LINES: Final = 50
"""Most alerts that are told one by one in a message."""

MOST_SUBJECT_CHARS: Final = 150

_DECODER = msgspec.json.Decoder(Alert)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One alert: its event and what it says. `over` is set when it does not stand any more."""

    event: Waiting
    alert: Alert
    over: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A message. `subject` and `lines` are single lines; `event_id` is that of its first alert, at its time `at`."""

    instance: str
    subject: str
    lines: tuple[str, ...]
    event_id: str
    at: Instant
    items: tuple[Item, ...]


def compose(events: Sequence[Waiting], *, instance: str, language: str) -> Letter:
    """Write one letter about these events, at least one, in their order."""
    items = tuple(_item(event) for event in events)
    lines = [line(item.alert, over=item.over, language=language) for item in items[:MOST_LINES]]
    if rest := len(items) - len(lines):
        lines.append(PHRASES[language].more.format(count=rest))
    return Letter(
        instance=instance,
        subject=one_line(f"[syncd {instance}] {_subject(items, language)}")[:MOST_SUBJECT_CHARS],
        lines=tuple(lines),
        event_id=events[0].event_id,
        at=events[0].created_at,
        items=items,
    )


def _item(event: Waiting) -> Item:
    return Item(event=event, alert=_DECODER.decode(event.body), over=event.type == CLEARED)


def _subject(items: Sequence[Item], language: str) -> str:
    """Name the kinds; a single alert also says what it is about."""
    kinds = list(dict.fromkeys(headline(item.alert, over=item.over, language=language) for item in items))
    if len(items) == 1:
        return f"{kinds[0]}: {items[0].alert.key}"
    return f"{PHRASES[language].several.format(count=len(items))}: {', '.join(kinds)}"
