"""What syncd calls its own at Zendesk: fields, options, tags and the marks by which it knows them again."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from syncd.sdk.desk import EventId, Language, TicketState

PREFIX: Final = "bo_"
"""Options and tags begin so: an option's value is a tag too, and must be unique over all fields of the account."""
EVENT: Final = "syncd_evt_"
SKU_TAG: Final = "bo_sku_"
AMOUNT_TAG: Final = "bo_amount_"
LANGUAGE_TAG: Final = "bo_lang_"
TASK_TAG: Final = "bo_task"
"""On tickets that have no customer: a task for an agent."""
DRAFT_TAG: Final = "bo_draft"
WORD_TAG: Final = "bo_word"
BUMPS: Final = ("bo_bump1", "bo_bump2", "bo_unanswered")
STILL_TAG: Final = "bo_still_waiting"
FOLLOWED_TAG: Final = "bo_cancel_followed"
ESCALATED_TAG: Final = "bo_escalated"
"""On tickets that are for a person: no rule of syncd's writes to their customers."""

_PLAIN_EVENT: Final = re.compile(r"[a-z0-9-]{1,80}")
_CODED: Final = "_"


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldSpec:
    """One field: its type at Zendesk and its titles."""

    type: str
    titles: Mapping[Language, str]

    def title(self, language: Language) -> str:
        """Return its title; a Chinese shop gets the English one."""
        return self.titles.get(language, self.titles[Language.EN])


def _field(type_: str, english: str, japanese: str) -> FieldSpec:
    return FieldSpec(type=type_, titles={Language.EN: english, Language.JA: japanese})


FIELDS: Final[Mapping[str, FieldSpec]] = {
    "state": _field("tagger", "Backorder status", "入荷待ちの状況（backorder status）"),
    "sku": _field("text", "Backorder SKU", "入荷待ちSKU"),
    "quantity": _field("integer", "Backorder quantity", "入荷待ち数量"),
    "expected": _field("date", "Backorder expected date", "入荷予定日"),
    "amount": _field("decimal", "Order amount", "注文金額"),
    "number": _field("text", "Order number", "注文番号"),
    "note": _field("textarea", "Backorder note", "在庫メモ"),
}
"""The fields, by the name that syncd has for each."""

OPTIONS: Final[Mapping[TicketState, tuple[str, str]]] = {
    TicketState.PENDING: ("Pending", "保留中"),
    TicketState.RESTOCKED: ("Restocked", "再入荷"),
    TicketState.SHIPPED: ("Shipped", "発送済み"),
    TicketState.CANCELLED: ("Cancelled", "キャンセル"),
    TicketState.REFUNDED: ("Refunded", "払い戻し済み"),
}
"""Names of the states in English and Japanese, in the order of the field's options."""


def option(state: TicketState) -> str:
    """Return the option's value of a state."""
    return PREFIX + state.value


def state_of(value: object) -> TicketState | None:
    """Return the state of an option's value; None for any other."""
    return _STATES.get(value) if isinstance(value, str) else None


_STATES: Final = {option(state): state for state in TicketState}
STATE_TAGS: Final = frozenset(_STATES)


def event_tag(event: EventId) -> str:
    """Return the marker of an event: tags are lower-case, so that what a tag cannot hold is spelled in Base32."""
    if _PLAIN_EVENT.fullmatch(event):
        return EVENT + event
    return EVENT + _CODED + base64.b32encode(event.encode()).decode().rstrip("=").lower()


def events_of(tags: Iterable[str]) -> frozenset[EventId]:
    """Return the events whose markers are among these tags."""
    found = (_event(tag.removeprefix(EVENT)) for tag in tags if tag.startswith(EVENT))
    return frozenset(event for event in found if event)


def _event(mark: str) -> EventId:
    if not mark.startswith(_CODED):
        return EventId(mark)
    coded = mark.removeprefix(_CODED).upper()
    try:
        return EventId(base64.b32decode(coded + "=" * (-len(coded) % 8)).decode())
    except ValueError:  # a tag that a person made; binascii.Error and UnicodeDecodeError are among them
        return EventId("")


def sku_tag(sku: str) -> str:
    """Return the tag by which all tickets of a SKU are found: its text may hold what a tag cannot."""
    return SKU_TAG + hashlib.sha256(sku.encode()).hexdigest()[:12]


def amount_tag(amount: str, *, high: float, urgent: float) -> str:
    """Return the tag of an order amount's rank, from which a trigger makes the priority; empty for a low one."""
    try:
        value = float(amount)
    except ValueError:
        return ""
    if value >= urgent:
        return AMOUNT_TAG + "urgent"
    return AMOUNT_TAG + "high" if value >= high else ""


def language_of(tags: Iterable[str]) -> Language | None:
    """Return the language that a tag names."""
    known = {LANGUAGE_TAG + language.value: language for language in Language}
    return next((known[tag] for tag in tags if tag in known), None)


def is_ours(tag: str) -> bool:
    """Say whether a tag belongs to syncd."""
    return tag.startswith((PREFIX, EVENT))
