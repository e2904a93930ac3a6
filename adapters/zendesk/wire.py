"""Zendesk's shapes: tickets as they come, changes and new tickets as they go out. Pure.

Source: Zendesk, Tickets, Update Many Tickets, Tags, Job Statuses and Incremental Exports, 2026. What customers wrote is
looked through for order numbers and not kept; who they are is not read.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import msgspec

from adapters.zendesk import names
from adapters.zendesk.settings import ZendeskSettings
from syncd.sdk.channel import Instant
from syncd.sdk.desk import (
    Inbound,
    Letter,
    NewTicket,
    Priority,
    Rating,
    Ticket,
    TicketChange,
    TicketId,
    TicketState,
    TicketStatus,
    order_words,
)
from syncd.sdk.errors import ProtocolError

SECOND_US: Final = 1_000_000
DELETED: Final = "deleted"
CLOSED: Final = "closed"
_STATUSES: Final[Mapping[str, TicketStatus]] = {
    "new": TicketStatus.OPEN,
    "open": TicketStatus.OPEN,
    "pending": TicketStatus.WAITING,
    "hold": TicketStatus.WAITING,
    "solved": TicketStatus.SOLVED,
    CLOSED: TicketStatus.CLOSED,
    DELETED: TicketStatus.GONE,
}
_RATINGS: Final[Mapping[Any, Rating]] = {
    "good": Rating.GOOD,
    "good_with_comment": Rating.GOOD,
    "bad": Rating.BAD,
    "bad_with_comment": Rating.BAD,
}
_RANKS: Final = ("low", "normal", "high", "urgent")
_WRITTEN: Final[Mapping[TicketStatus, str]] = {
    TicketStatus.OPEN: "open",
    TicketStatus.WAITING: "pending",
    TicketStatus.SOLVED: "solved",
}
MOST_KEY: Final = 200
_PLAIN_KEY: Final = re.compile(rf"[A-Za-z0-9._:-]{{1,{MOST_KEY}}}")


class CustomValue(msgspec.Struct, frozen=True):
    """The value of one custom field."""

    id: int
    value: Any = None


class From(msgspec.Struct, frozen=True):
    """Where a ticket comes from."""

    ticket_id: int | None = None


class Source(msgspec.Struct, frozen=True, rename={"origin": "from"}):
    """How a ticket came about."""

    rel: str | None = None
    origin: From | None = None


class Via(msgspec.Struct, frozen=True):
    """The way on which a ticket came."""

    channel: Any = None
    source: Source | None = None


class Satisfaction(msgspec.Struct, frozen=True):
    """What a customer was asked and answered; a score that is neither good nor bad is no answer."""

    score: Any = None


class MetricSet(msgspec.Struct, frozen=True):
    """When a ticket was solved, and when its requester changed it last (Zendesk, Ticket Metrics, side-loaded)."""

    solved_at: str | None = None
    requester_updated_at: str | None = None


class RemoteTicket(msgspec.Struct, frozen=True):
    """What is read of a ticket."""

    id: int
    status: str
    updated_at: str
    created_at: str | None = None
    subject: str | None = None
    description: str | None = None
    tags: list[str] = []
    custom_fields: list[CustomValue] = []
    via: Via | None = None
    external_id: str | None = None
    requester_id: int | None = None
    priority: str | None = None
    satisfaction_rating: Satisfaction | None = None
    metric_set: MetricSet | None = None


class Tickets(msgspec.Struct, frozen=True):
    """The answer of show_many, and of a search by external id."""

    tickets: list[RemoteTicket]


class One(msgspec.Struct, frozen=True):
    """The answer to a ticket that was opened."""

    ticket: RemoteTicket


class Export(msgspec.Struct, frozen=True):
    """A page of the incremental export."""

    tickets: list[RemoteTicket]
    after_cursor: str | None = None
    end_of_stream: bool = True


class Found(msgspec.Struct, frozen=True):
    """A row of a search: only its id is believed."""

    id: int


class Meta(msgspec.Struct, frozen=True):
    """Where a search goes on."""

    has_more: bool = False
    after_cursor: str | None = None


class Search(msgspec.Struct, frozen=True):
    """A page of the search export."""

    results: list[Found]
    meta: Meta = Meta()


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldMap:
    """The ids of the fields, by syncd's names, and of the form (0: there is none)."""

    ids: Mapping[str, int]
    form_id: int = 0

    @property
    def missing(self) -> tuple[str, ...]:
        """Return the names of fields that are not there."""
        return tuple(name for name in names.FIELDS if name not in self.ids)


# --- reading -----------------------------------------------------------------------------------------------------


def instant(text: str | None) -> Instant | None:
    """Return a time that Zendesk states, to the second; raises `ProtocolError` for what is none."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ProtocolError("Zendesk: a time that is none")
    return int(moment.timestamp()) * SECOND_US


def stamp(at: Instant) -> str:
    """Return a time as Zendesk writes it."""
    return datetime.fromtimestamp(at // SECOND_US, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def ticket(
    remote: RemoteTicket, fields: FieldMap, *, read_at: Instant, currency: str, inbound: tuple[Inbound, ...] = ()
) -> Ticket:
    """Return a ticket; of its text only the words that look like order numbers. `inbound` are its customer's words."""
    values = {each.id: each.value for each in remote.custom_fields}
    given = {name: values.get(field_id) for name, field_id in fields.ids.items()}
    status = _STATUSES.get(remote.status)
    if status is None:
        raise ProtocolError("Zendesk: a status that is not known")
    amount = _decimal(given.get("amount"))
    return Ticket(
        ticket_id=TicketId(str(remote.id)),
        version=instant(remote.updated_at),
        read_at=read_at,
        status=status,
        state=names.state_of(given.get("state")),
        sku=_text(given.get("sku")) or None,  # type: ignore[arg-type]  # a SKU is a text of the shop's
        quantity=_whole(given.get("quantity")),
        order_number=_text(given.get("number")),
        order_numbers=order_words(f"{remote.subject or ''}\n{remote.description or ''}"),
        expected=_text(given.get("expected"))[:10],
        amount=amount,
        currency=currency if amount else "",
        language=names.language_of(remote.tags),
        markers=names.events_of(remote.tags),
        reachable=names.TASK_TAG not in remote.tags,
        created_at=instant(remote.created_at),
        follow_up_of=_follow_up(remote.via),
        inbound=inbound,
        escalated=names.ESCALATED_TAG in remote.tags,
        replied_at=max((one.at for one in inbound), default=None),
        solved_at=None if remote.metric_set is None else instant(remote.metric_set.solved_at),
        rating=_RATINGS.get(remote.satisfaction_rating.score) if remote.satisfaction_rating is not None else None,
    )


def _follow_up(via: Via | None) -> TicketId | None:
    source = via.source if via is not None else None
    if source is None or source.rel != "follow_up" or source.origin is None or source.origin.ticket_id is None:
        return None
    return TicketId(str(source.origin.ticket_id))


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""


def _whole(value: Any) -> int:
    """Return a quantity: Zendesk answers numbers of integer fields as numbers or as texts."""
    try:
        return max(int(value), 1)
    except (TypeError, ValueError):
        return 1


def _decimal(value: Any) -> str:
    if value in (None, "") or isinstance(value, bool):
        return ""
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return ""
    return f"{number.normalize():f}" if number.is_finite() else ""


# --- writing -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of an update of many: what is sent for a change, guarded by what was read."""

    change: TicketChange
    body: Mapping[str, Any] = field(repr=False)

    @property
    def has_comment(self) -> bool:
        """Say whether sending it twice would say something twice."""
        return "comment" in self.body


def row(change: TicketChange, remote: RemoteTicket, fields: FieldMap, settings: ZendeskSettings) -> Row:
    """Render a change of a ticket as it was read: guarded by its time, tags only added and taken away."""
    values = _values(
        fields,
        state=change.state,
        sku=change.sku,
        quantity=change.quantity,
        expected=change.expected,
        amount=change.amount,
        number=change.order_number,
        note=change.note or None,
    )
    add, remove = _tags(change, remote, settings)
    body: dict[str, Any] = {
        "id": remote.id,
        "updated_stamp": remote.updated_at,
        "safe_update": True,
        "additional_tags": add,
    }
    if values:
        body["custom_fields"] = values
    if remove:
        body["remove_tags"] = remove
    if change.status is not None:
        body["status"] = _WRITTEN[change.status]
    if change.priority is not None and not (change.escalated and _ranks(remote.priority, change.priority)):
        body["priority"] = change.priority.value
    comment = _comment(change.letter, draft=change.draft, note=change.note)
    if comment is not None:
        body["comment"] = comment
    return Row(change=change, body=body)


def _ranks(there: str | None, wanted: Priority) -> bool:
    """Say whether a ticket has this priority already, or a higher one: an escalation never lowers it."""
    return there in _RANKS and _RANKS.index(there) >= _RANKS.index(wanted.value)


def unwritable(change: TicketChange, remote: RemoteTicket) -> str:
    """Return why a change cannot be made at all; empty where it can."""
    if change.status is not None and change.status not in _WRITTEN:
        return f"a ticket cannot be made {change.status.value}"
    if change.letter is not None and not change.draft and names.TASK_TAG in remote.tags:
        return "the ticket is a task and has no customer"
    return ""


def _tags(change: TicketChange, remote: RemoteTicket, settings: ZendeskSettings) -> tuple[list[str], list[str]]:
    """Return the tags to add and to take away; of the others none is named, so that none is lost."""
    add = [names.event_tag(change.event)]
    stale: set[str] = set()
    if change.sku is not None:
        add += [names.sku_tag(change.sku)] if change.sku else []
        stale |= {tag for tag in remote.tags if tag.startswith(names.SKU_TAG)}
    if change.amount is not None:
        rank = names.amount_tag(change.amount, high=settings.amount_high, urgent=settings.amount_urgent)
        add += [rank] if rank else []
        stale |= {tag for tag in remote.tags if tag.startswith(names.AMOUNT_TAG)}
    if change.escalated:
        add.append(names.ESCALATED_TAG)
    elif change.escalated is False:
        stale |= {names.ESCALATED_TAG} & set(remote.tags)
    if change.letter is not None and change.draft:
        add.append(names.DRAFT_TAG)
    elif change.letter is not None:
        stale |= {names.DRAFT_TAG, names.STILL_TAG} & set(remote.tags)
    return add, sorted(stale - set(add))


def _values(fields: FieldMap, *, state: TicketState | None = None, **given: str | int | None) -> list[dict[str, Any]]:
    """Return the custom fields that are given; an empty text empties one."""
    told: dict[str, str | int | None] = {name: value for name, value in given.items() if value is not None}
    if state is not None:
        told["state"] = names.option(state)
    return [{"id": fields.ids[name], "value": None if value == "" else value} for name, value in sorted(told.items())]


def _comment(letter: Letter | None, *, draft: bool, note: str) -> dict[str, Any] | None:
    """Return the one comment that an update can have: the letter, else the draft, else the note."""
    if letter is not None and not draft:
        return {"body": letter.body, "public": True}
    if letter is not None:
        return {"body": draft_text(letter), "public": False}
    return {"body": note, "public": False} if note else None


def draft_text(letter: Letter) -> str:
    """Return a letter as agents find it before it is released."""
    return f"{DRAFT_HEAD}\n{letter.subject}\n\n{letter.body}"


DRAFT_HEAD: Final = "[syncd] 下書き / draft, not sent"


def new_ticket(
    wanted: NewTicket, fields: FieldMap, settings: ZendeskSettings, *, kept_tags: Sequence[str] = ()
) -> dict[str, Any]:
    """Render a ticket to be opened; `kept_tags` are those of the closed one that it follows."""
    is_task = wanted.contact is None and wanted.follow_up_of is None
    draft = wanted.draft or is_task
    rank = names.amount_tag(wanted.amount, high=settings.amount_high, urgent=settings.amount_urgent)
    tags = [
        *(tag for tag in kept_tags if not names.is_ours(tag)),
        names.event_tag(wanted.event),
        names.LANGUAGE_TAG + wanted.language.value,
        *([names.sku_tag(wanted.sku)] if wanted.sku else []),
        *([rank] if rank else []),
        *([names.TASK_TAG] if is_task else []),
        *([names.ESCALATED_TAG] if wanted.escalated else []),
        *([names.DRAFT_TAG] if wanted.letter is not None and draft else []),
    ]
    body: dict[str, Any] = {
        "subject": wanted.subject,
        "external_id": external_id(wanted.key),
        "priority": wanted.priority.value,
        "tags": tags,
        "comment": _comment(wanted.letter, draft=draft, note=wanted.note or wanted.subject),
        "custom_fields": _values(
            fields,
            state=wanted.state,
            sku=wanted.sku or None,
            quantity=wanted.quantity,
            expected=wanted.expected or None,
            amount=wanted.amount or None,
            number=wanted.order_number or None,
            note=wanted.note or None,
        ),
    }
    if wanted.contact is not None:
        body["requester"] = {"name": wanted.contact.name or wanted.contact.address, "email": wanted.contact.address}
    if wanted.follow_up_of is not None:
        body["via_followup_source_id"] = int(wanted.follow_up_of)
    if fields.form_id:
        body["ticket_form_id"] = fields.form_id
    return body


def external_id(key: str) -> str:
    """Return a key as an external id and an Idempotency-Key hold it: at most 255 plain characters."""
    return key if _PLAIN_KEY.fullmatch(key) else "syncd-" + hashlib.sha256(key.encode()).hexdigest()
