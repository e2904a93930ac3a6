"""What a set-up consists of: fields, form, triggers, automations, macros, views, webhook. Pure.

Conditions and actions are Zendesk's (Triggers, Automations, reference of conditions and actions, 2026). A trigger
cannot compare amounts: the adapter tags a ticket by its amount, and triggers make priorities of the tags. Every rule
ends its own condition by a tag, so that none runs twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from adapters.zendesk import names
from adapters.zendesk.pieces import Piece
from adapters.zendesk.webhooks import EVENTS
from adapters.zendesk.wording import AUTOMATIONS, MACROS, TRIGGERS, VIEWS, WORDS, title
from syncd.sdk.desk import Language, Lexicon, MessageKind, Sign, Step, StepKind, TextSource, TicketState, Word

PENDING: Final = names.option(TicketState.PENDING)
CANCELLED: Final = names.option(TicketState.CANCELLED)
RESTOCKED: Final = names.option(TicketState.RESTOCKED)
BLANK: Final = "…"
"""Where an agent fills in what no field holds."""
BUMP_HOURS: Final = 48
SILENT_HOURS: Final = 168
OWNED: Final[Mapping[str, MessageKind]] = {
    "bump_first": MessageKind.BUMP_FIRST,
    "bump_second": MessageKind.BUMP_SECOND,
    "solved_unanswered": MessageKind.SOLVED_UNANSWERED,
    "still_waiting": MessageKind.STILL_WAITING,
    "cancel_follow_up": MessageKind.CANCEL_FOLLOW_UP,
}
"""Automations by their keys, and the message that each of them sends."""
_SETS: Final = {
    MessageKind.ACKNOWLEDGED: TicketState.PENDING,
    MessageKind.CANCELLED: TicketState.CANCELLED,
    MessageKind.REFUNDED: TicketState.REFUNDED,
}
"""Macros that also say how it stands."""
_EXPECTED: Final = frozenset({MessageKind.EXPECTED, MessageKind.SLIPPED, MessageKind.DUE_SOON})
"""Texts that tell the day in the field; in others an empty field would leave a hole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What pieces are made of: the account's ids (0 where a thing is not there yet), words and texts."""

    language: Language
    texts: TextSource
    ids: Mapping[str, int]
    form_id: int = 0
    group_id: int = 0
    category_id: str = ""
    lexicon: Lexicon = field(default_factory=Lexicon)

    def custom(self, name: str) -> str:
        """Return a field as conditions and actions call it."""
        return f"custom_fields_{self.ids.get(name, 0)}"

    def mark(self, name: str) -> str:
        """Return the placeholder by which Zendesk fills in a field."""
        field_id = self.ids.get(name)
        return BLANK if field_id is None else f"{{{{ticket.ticket_field_{field_id}}}}}"


def fields(language: Language) -> Iterator[Piece]:
    """Yield the fields."""
    english = language is not Language.JA
    options = [
        {"name": told[0] if english else told[1], "value": names.option(state)} for state, told in names.OPTIONS.items()
    ]
    for key, spec in names.FIELDS.items():
        body: dict[str, Any] = {"type": spec.type, "active": True}
        if spec.type == "tagger":
            body["custom_field_options"] = options
        yield Piece(what="field", key=key, title=spec.title(language), body=body, words="syncd")


def form(language: Language, field_ids: list[int]) -> Piece:
    """Return the form, with the fields in their order."""
    name = "入荷待ち" if language is Language.JA else "Backorder"
    body = {"active": True, "end_user_visible": False, "ticket_field_ids": field_ids}
    return Piece(what="form", key="form", title=name, body=body)


def category() -> Piece:
    """Return the category that holds the triggers."""
    return Piece(what="category", key="category", title="syncd", body={})


def webhook(url: str) -> Piece:
    """Return the webhook."""
    body = {
        "status": "active",
        "endpoint": url,
        "http_method": "POST",
        "request_format": "json",
        "subscriptions": list(EVENTS),
    }
    return Piece(what="webhook", key="webhook", title="syncd", body=body)


# --- triggers ------------------------------------------------------------------------------------------------------


def triggers(plan: Plan) -> Iterator[Piece]:
    """Yield the triggers, in the order in which they run."""
    for language in Language:
        yield _trigger(plan, f"words_{language}", **_asks(plan, language))
    yield from _escalating(plan)
    for rank in ("urgent", "high"):
        conditions = [_tags(f"{names.AMOUNT_TAG}{rank}"), _is("priority", "less_than", rank)]
        yield _trigger(plan, f"amount_{rank}", all=conditions, actions=[_do("priority", rank)])
    answered = [_is("update_type", "is", "Change"), _is("role", "is", "end_user")]
    nudged = " ".join((*names.BUMPS, names.STILL_TAG))
    yield _trigger(plan, "answered", all=[*answered, _tags(nudged)], actions=[_do("remove_tags", nudged)])
    if plan.group_id:
        waits = [_tags(PENDING), _is("group_id", "is", "")]
        yield _trigger(plan, "group", all=waits, actions=[_do("group_id", str(plan.group_id))])


def _escalating(plan: Plan) -> Iterator[Piece]:
    """Yield the triggers that mark tickets of those who wait as ones for a person, by what a customer writes.

    syncd reads the same words, and writes the note for agents; a priority that is as high already is left as it is.
    """
    waits = [_is("role", "is", "end_user"), _tags(" ".join(sorted(names.STATE_TAGS)))]
    for sign in Sign:
        rank = "urgent" if sign is Sign.LEGAL else "high"
        for language in Language:
            spoken = [_says(word) for word in plan.lexicon.sure_words(language, sign)]
            if spoken:
                conditions = [*waits, _is("priority", "less_than", rank)]
                actions = [_do(_TAG, names.ESCALATED_TAG), _do("priority", rank)]
                yield _trigger(plan, f"{sign}_{language}", all=conditions, any=spoken, actions=actions)


def _says(word: Word) -> dict[str, Any]:
    """Return the condition of a word: `includes` finds whole words, `is` a text anywhere."""
    whole = word.latin and not word.stem and word.text.isalnum()
    return _is("comment_includes_word", "includes" if whole else "is", word.text)


def _asks(plan: Plan, language: Language) -> dict[str, Any]:
    """Return conditions and actions of a new ticket whose words ask for goods that are out."""
    new = [_is("update_type", "is", "Create"), _not_tags(f"{names.WORD_TAG} {names.TASK_TAG}")]
    actions = [
        _do("current_tags", f"{names.WORD_TAG} {names.LANGUAGE_TAG}{language}"),
        _do(plan.custom("state"), PENDING),
    ]
    if plan.form_id:
        actions.append(_do("ticket_form_id", str(plan.form_id)))
    if plan.group_id:
        actions.append(_do("group_id", str(plan.group_id)))
    # `is` looks for a text: words of Japanese and Chinese do not stand between spaces.
    spoken = [_is("comment_includes_word", "is", word) for word in WORDS[language]]
    return {"all": new, "any": spoken, "actions": actions}


def _trigger(plan: Plan, key: str, **parts: list[dict[str, Any]]) -> Piece:
    conditions = {"all": parts["all"], "any": parts.get("any", [])}
    body: dict[str, Any] = {"conditions": conditions, "actions": parts["actions"], "active": True}
    if plan.category_id:
        body["category_id"] = plan.category_id
    return Piece(what="trigger", key=key, title=title(TRIGGERS, key, plan.language), body=body, words="syncd.")


# --- automations ---------------------------------------------------------------------------------------------------


def automations(plan: Plan) -> Iterator[Piece]:
    """Yield the automations: two nudges and a close after a question of ours, honest news, a word after a cancel."""
    states = " ".join(sorted(names.STATE_TAGS))
    asked = [_is("status", "is", "pending"), _tags(states), _not_tags(names.ESCALATED_TAG)]
    first, second, last = names.BUMPS
    hours = str(BUMP_HOURS - 1)
    yield _automation(plan, "bump_first", [*asked, _hours("PENDING", hours), _not_tags(first)], [_do(_TAG, first)])
    yield _automation(
        plan,
        "bump_second",
        [*asked, _tags(first), _hours("updated_at", hours), _not_tags(second)],
        [_do(_TAG, second)],
    )
    yield _automation(
        plan,
        "solved_unanswered",
        [*asked, _tags(second), _hours("updated_at", hours), _not_tags(last)],
        [_do(_TAG, last), _do("status", "solved")],
    )
    silent = [
        _is("status", "less_than", "solved"),
        _is("status", "is_not", "pending"),
        _is(plan.custom("state"), "is", PENDING),
        _hours("updated_at", str(SILENT_HOURS - 1)),
        _not_tags(f"{names.STILL_TAG} {names.ESCALATED_TAG}"),
    ]
    yield _automation(plan, "still_waiting", silent, [_do(_TAG, names.STILL_TAG)])
    cancelled = [
        _is("status", "less_than", "closed"),
        _is(plan.custom("state"), "is", CANCELLED),
        _hours("updated_at", str(SILENT_HOURS - 1)),
        _not_tags(f"{names.FOLLOWED_TAG} {names.ESCALATED_TAG}"),
    ]
    yield _automation(plan, "cancel_follow_up", cancelled, [_do(_TAG, names.FOLLOWED_TAG)])


_TAG: Final = "current_tags"


def _automation(plan: Plan, key: str, conditions: list[dict[str, Any]], actions: list[dict[str, Any]]) -> Piece:
    subject, text = plan.texts.text(OWNED[key], plan.language, _marks(plan, OWNED[key]))
    told = {"field": "notification_user", "value": ["requester_id", subject, text]}
    body = {"all": conditions, "any": [], "actions": [*actions, told], "active": True}
    return Piece(what="automation", key=key, title=title(AUTOMATIONS, key, plan.language), body=body)


# --- macros and views ----------------------------------------------------------------------------------------------


def macros(plan: Plan) -> Iterator[Piece]:
    """Yield a macro for each text that an agent may send, in each language of customers."""
    for kind in MACROS:
        for language in Language:
            _, text = plan.texts.text(kind, language, _marks(plan, kind, blank=True))
            public = "false" if kind is MessageKind.PHONE_SCRIPT else "true"
            actions = [_do("comment_value", text), _do("comment_mode_is_public", public)]
            if kind in _SETS:
                actions.append(_do(plan.custom("state"), names.option(_SETS[kind])))
            name = f"{title(MACROS, kind, plan.language)}::{language.value}"
            head = "入荷待ち" if plan.language is Language.JA else "Backorder"
            body = {"actions": actions, "active": True}
            yield Piece(what="macro", key=f"{kind}_{language}", title=f"{head}::{name}", body=body, words="syncd.")


def views(plan: Plan) -> Iterator[Piece]:
    """Yield the views: those who wait, those whose goods are here, drafts to release, refunds that are due."""
    unsolved = _is("status", "less_than", "solved")
    wanted: dict[str, list[dict[str, Any]]] = {
        "waiting": [unsolved, _is(plan.custom("state"), "is", PENDING)],
        "restocked": [unsolved, _is(plan.custom("state"), "is", RESTOCKED)],
        "escalated": [unsolved, _tags(names.ESCALATED_TAG)],
        "drafts": [unsolved, _tags(names.DRAFT_TAG)],
        "refunds": [_is("status", "less_than", "closed"), _is(plan.custom("state"), "is", CANCELLED)],
    }
    columns = ["nice_id", "requester", "subject", *(plan.custom(name) for name in _COLUMNS if name in plan.ids)]
    for key, conditions in wanted.items():
        output = {"columns": columns, "sort_by": "created", "sort_order": "asc"}
        body = {"all": conditions, "any": [], "output": output, "active": True}
        yield Piece(what="view", key=f"view_{key}", title=title(VIEWS, key, plan.language), body=body, words="syncd.")


_COLUMNS: Final = ("sku", "quantity", "expected", "amount", "number")


def _marks(plan: Plan, kind: MessageKind, *, blank: bool = False) -> dict[str, str]:
    """Return Zendesk's placeholders for what a text may name; `blank` leaves a gap for what no field holds."""
    values = {"product": plan.mark("sku"), "quantity": plan.mark("quantity"), "order_number": plan.mark("number")}
    if kind in _EXPECTED:
        values["expected"] = plan.mark("expected")
    if blank and kind is MessageKind.ALTERNATIVE:
        values["alternatives"] = BLANK
    return values


# --- words of conditions and actions ---------------------------------------------------------------------------------


def _is(field: str, operator: str, value: str) -> dict[str, Any]:
    return {"field": field, "operator": operator, "value": value}


def _tags(tags: str) -> dict[str, Any]:
    return _is("current_tags", "includes", tags)


def _not_tags(tags: str) -> dict[str, Any]:
    return _is("current_tags", "not_includes", tags)


def _hours(since: str, hours: str) -> dict[str, Any]:
    return _is(since, "greater_than", hours)


def _do(field: str, value: str) -> dict[str, Any]:
    return {"field": field, "value": value}


def without(what: str, name: str, detail: str) -> Step:
    """Return the step of a thing that is left out."""
    return Step(kind=StepKind.KEEP, what=what, title=name, detail=detail)


PieceMaker = Callable[[Plan], Iterator[Piece]]
PARTS: Final[tuple[tuple[str, PieceMaker], ...]] = (
    ("trigger", triggers),
    ("automation", automations),
    ("macro", macros),
    ("view", views),
)
"""What comes after fields and form, in its order."""
