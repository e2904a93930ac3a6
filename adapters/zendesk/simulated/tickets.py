"""The tickets of the simulated account: what a change does to one, with the rules that Zendesk has for it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from adapters.zendesk.simulated.setup import SetUp
from adapters.zendesk.simulated.world import Problem, World, second, stamp
from syncd.sdk.channel import Instant

STATUSES: Final = ("new", "open", "pending", "hold", "solved", "closed")
PRIORITIES: Final = ("low", "normal", "high", "urgent")
MOST_PAST: Final = 64
MOST_TAG: Final = 255
_TAG_SIGNS: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_-:/.")
CUSTOMER, AGENT, API, RULE = "customer", "agent", "api", "rule"


@dataclass(slots=True, kw_only=True)
class Comment:
    """One comment. `mailed` says that the customer was sent it."""

    comment_id: int
    body: str
    public: bool
    author: str
    at: Instant
    mailed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What the search index knew of a ticket from a time on."""

    since: Instant
    status: str
    tags: frozenset[str]
    updated_at: Instant


@dataclass(slots=True, eq=False, kw_only=True)
class Ticket:
    """One ticket. `mails` are the letters that its customer got, of comments and of rules, oldest first."""

    ticket_id: int
    subject: str
    created_at: Instant
    updated_at: Instant
    status: str = "new"
    status_at: Instant = 0
    replied_at: Instant = 0
    priority: str | None = None
    solved_at: Instant | None = None
    rating: str = "unoffered"
    has_customer: bool = True
    external_id: str | None = None
    form_id: int | None = None
    group_id: int | None = None
    followup_of: int | None = None
    deleted: bool = False
    tags: list[str] = field(default_factory=list)
    fields: dict[int, Any] = field(default_factory=dict)
    comments: list[Comment] = field(default_factory=list)
    mails: list[str] = field(default_factory=list)
    serial: int = 0
    """Its place in the order of changes, for the incremental export."""
    past: deque[Past] = field(default_factory=lambda: deque(maxlen=MOST_PAST))


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """One change that is over: what is different, for rules, webhooks and the log."""

    ticket: Ticket
    by: str
    created: bool = False
    status: tuple[str, str] | None = None
    tags_added: tuple[str, ...] = ()
    tags_removed: tuple[str, ...] = ()
    fields: tuple[tuple[int, Any, Any], ...] = ()
    comment: Comment | None = None
    deleted: bool = False


class Tickets:
    """All tickets. `on_change` hears of each change after it, rules' changes included."""

    def __init__(self, world: World, setup: SetUp) -> None:
        self._world = world
        self._setup = setup
        self._rows: dict[int, Ticket] = {}
        self._numbers = 0
        self._serials = 0
        self.on_change: Callable[[Happened], None] = lambda _: None

    def all(self) -> list[Ticket]:
        """Return every ticket, deleted ones included, in the order in which they came."""
        return list(self._rows.values())

    def get(self, ticket_id: int) -> Ticket | None:
        """Return a ticket that was not deleted."""
        ticket = self._rows.get(ticket_id)
        return ticket if ticket is not None and not ticket.deleted else None

    def by_external_id(self, external_id: str) -> list[Ticket]:
        """Return the tickets with this external id: it need not be unique."""
        return [row for row in self._rows.values() if row.external_id == external_id and not row.deleted]

    # --- opening -----------------------------------------------------------------------------------------------------

    def open(self, given: Mapping[str, Any], *, by: str) -> Ticket:
        """Open a ticket; raises `Problem`."""
        comment = _comment(given.get("comment") or {"body": given.get("description", "")})
        if not comment.get("body"):
            raise invalid("description", "Description: cannot be blank")
        source = self._followed(given.get("via_followup_source_id"))
        _check(given)
        now = self._world.now()
        self._numbers += 1
        has_customer = by == CUSTOMER or "requester" in given or (source is not None and source.has_customer)
        ticket = Ticket(
            ticket_id=self._numbers, subject=str(given.get("subject") or ""), created_at=now, updated_at=now,
            status_at=now, replied_at=now, has_customer=has_customer, external_id=given.get("external_id"),
            form_id=given.get("ticket_form_id"), followup_of=source.ticket_id if source is not None else None,
        )  # fmt: skip
        if source is not None:
            ticket.tags = list(source.tags)
            ticket.fields = dict(source.fields)
        values = self._values(given)
        if "tags" in given:
            ticket.tags = []
            values = self._kept(ticket, values) if source is not None else values
        self._rows[ticket.ticket_id] = ticket
        self._set(ticket, {**given, "comment": comment}, values, by=by, created=True)
        return ticket

    def _kept(self, ticket: Ticket, values: dict[int, Any]) -> dict[int, Any]:
        """Let go of carried-over options whose tags were not given: an option and its tag are one."""
        return {field_id: None for field_id in ticket.fields if self._setup.is_tagger(field_id)} | values

    def _followed(self, source_id: Any) -> Ticket | None:
        if source_id is None:
            return None
        source = self.get(int(source_id))
        if source is None or source.status != "closed":
            raise invalid("base", "Follow-up source must be a closed ticket")
        return source

    # --- changing ----------------------------------------------------------------------------------------------------

    def change(self, ticket: Ticket, given: Mapping[str, Any], *, by: str) -> None:
        """Change a ticket; raises `Problem`, and then nothing is changed."""
        if ticket.status == "closed":
            raise invalid("status", "Status: closed prevents ticket update")
        _check(given)
        if given.get("safe_update") in (True, "true"):
            self._guard(ticket, str(given.get("updated_stamp", "")))
        self._set(ticket, given, self._values(given), by=by, created=False)

    @staticmethod
    def _guard(ticket: Ticket, told: str) -> None:
        """Refuse a change of a ticket that is another by now; only whole seconds are compared."""
        if told != stamp(ticket.updated_at):
            said = "Safe Update prevented the update due to outdated ticket data."
            raise Problem(409, "UpdateConflict", said)

    def _values(self, given: Mapping[str, Any]) -> dict[int, Any]:
        rows = given.get("custom_fields") or []
        found: dict[int, Any] = {}
        for row in rows:
            self._setup.check_value(int(row["id"]), row.get("value"))
            found[int(row["id"])] = row.get("value")
        return found

    def _set(
        self, ticket: Ticket, given: Mapping[str, Any], values: Mapping[int, Any], *, by: str, created: bool
    ) -> None:
        """Do a change that is allowed, and tell of it."""
        now = self._world.now()
        before_status, before_tags = ticket.status, list(ticket.tags)
        changed = self._set_fields(ticket, values)
        self._set_tags(ticket, given)
        self._options_follow_tags(ticket, before_tags, changed)
        comment = self._add_comment(ticket, given.get("comment"), by=by, now=now)
        status = _status_after(ticket, given.get("status"), by=by, commented=comment is not None, created=created)
        if status != ticket.status:
            ticket.status, ticket.status_at = status, now
            ticket.solved_at = now if status == "solved" else ticket.solved_at if status == "closed" else None
        ticket.priority = given.get("priority", ticket.priority)
        ticket.group_id = given.get("group_id", ticket.group_id)
        ticket.form_id = given.get("ticket_form_id", ticket.form_id)
        if by == CUSTOMER:
            ticket.replied_at = now
        self._touch(ticket, now)
        self.on_change(
            Happened(
                ticket=ticket,
                by=by,
                created=created,
                comment=comment,
                status=None if status == before_status else (before_status, status),
                tags_added=tuple(tag for tag in ticket.tags if tag not in before_tags),
                tags_removed=tuple(tag for tag in before_tags if tag not in ticket.tags),
                fields=tuple(
                    (field_id, old, ticket.fields.get(field_id))
                    for field_id, old in changed.items()
                    if old != ticket.fields.get(field_id)
                ),
            )
        )

    def _set_fields(self, ticket: Ticket, values: Mapping[int, Any]) -> dict[int, Any]:
        """Set values; the option of a dropdown is a tag too. Return the values before."""
        before = {}
        for field_id, value in values.items():
            before[field_id] = ticket.fields.get(field_id)
            if self._setup.is_tagger(field_id):
                ticket.tags = [tag for tag in ticket.tags if tag not in self._setup.options(field_id)]
                ticket.tags += [value] if value else []
            ticket.fields[field_id] = value
        return before

    @staticmethod
    def _set_tags(ticket: Ticket, given: Mapping[str, Any]) -> None:
        """Set, add or take away tags: `tags` replaces all of them."""
        if "tags" in given:
            ticket.tags = _tags(given["tags"])
        for tag in _tags(given.get("additional_tags") or []):
            if tag not in ticket.tags:
                ticket.tags.append(tag)
        gone = set(_tags(given.get("remove_tags") or []))
        ticket.tags = [tag for tag in ticket.tags if tag not in gone]

    def _options_follow_tags(self, ticket: Ticket, before: Iterable[str], changed: dict[int, Any]) -> None:
        """Let a dropdown follow a tag of one of its options that came or went."""
        for field_id in self._setup.taggers():
            options = self._setup.options(field_id)
            came = [tag for tag in ticket.tags if tag in options and tag not in before]
            value = ticket.fields.get(field_id)
            if came and value != came[-1]:
                changed.setdefault(field_id, value)
                ticket.fields[field_id] = came[-1]
                ticket.tags = [tag for tag in ticket.tags if tag not in options or tag == came[-1]]
            elif value and value not in ticket.tags:
                if field_id in changed:
                    ticket.tags.append(value)
                else:
                    changed[field_id], ticket.fields[field_id] = value, None

    def _add_comment(self, ticket: Ticket, given: Any, *, by: str, now: Instant) -> Comment | None:
        told = _comment(given)
        if not told.get("body"):
            return None
        comment = Comment(
            comment_id=self._world.next_id(), body=str(told["body"]), public=bool(told.get("public", True)), author=by,
            at=now,
        )  # fmt: skip
        if comment.public and by in (API, AGENT) and ticket.has_customer:
            comment.mailed = True  # the account's own "Notify requester of comment update"
            ticket.mails.append(comment.body)
        ticket.comments.append(comment)
        return comment

    def mail(self, ticket: Ticket, body: str) -> bool:
        """Let a rule write to the customer; says whether there is one."""
        if ticket.has_customer:
            ticket.mails.append(body)
        return ticket.has_customer

    def rate(self, ticket: Ticket, score: str) -> None:
        """Let a customer rate a ticket: good, bad, or offered."""
        ticket.rating = score
        self._touch(ticket, self._world.now())
        self.on_change(Happened(ticket=ticket, by=CUSTOMER))

    def delete(self, ticket: Ticket, *, by: str) -> None:
        """Delete a ticket: the export still tells of it."""
        ticket.deleted = True
        self._touch(ticket, self._world.now())
        self.on_change(Happened(ticket=ticket, by=by, deleted=True))

    def _touch(self, ticket: Ticket, now: Instant) -> None:
        ticket.updated_at = now
        self._serials += 1
        ticket.serial = self._serials
        ticket.past.append(Past(since=now, status=ticket.status, tags=frozenset(ticket.tags), updated_at=now))


def invalid(name: str, said: str) -> Problem:
    """Return the answer to a value that cannot be."""
    return Problem(422, "RecordInvalid", "Record validation errors", details={name: [{"description": said}]})


def _check(given: Mapping[str, Any]) -> None:
    if given.get("status") is not None and given["status"] not in STATUSES:
        raise invalid("status", "Status: is not a valid status")
    if given.get("priority") is not None and given["priority"] not in PRIORITIES:
        raise invalid("priority", "Priority: is not valid")


def _comment(given: Any) -> dict[str, Any]:
    return given if isinstance(given, dict) else {}


def _tags(given: Any) -> list[str]:
    """Return tags as Zendesk keeps them: in lower case, without what a tag cannot hold, each once."""
    texts = given.split() if isinstance(given, str) else [str(each) for each in given]
    plain = ("".join(sign for sign in text.lower() if sign in _TAG_SIGNS or sign > "\x7f") for text in texts)
    return list(dict.fromkeys(tag[:MOST_TAG] for tag in plain if tag))


def _status_after(ticket: Ticket, asked: str | None, *, by: str, commented: bool, created: bool) -> str:
    """Return the status that a change leads to: an answer of the customer opens a ticket again."""
    if asked is not None:
        return asked
    if by == CUSTOMER and commented and not created and ticket.status in ("pending", "hold", "solved"):
        return "open"
    if by in (API, AGENT) and not created and ticket.status == "new":
        return "open"
    return ticket.status


__all__ = ["AGENT", "API", "CUSTOMER", "RULE", "Comment", "Happened", "Ticket", "Tickets", "invalid", "second"]
