"""Triggers and automations of the simulated account, as far as conditions and actions are known here.

A condition or action that is not known is an error of the simulation, never silently true.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from adapters.zendesk.simulated.setup import TIMES, SetUp
from adapters.zendesk.simulated.tickets import CUSTOMER, PRIORITIES, RULE, STATUSES, Happened, Ticket, Tickets
from adapters.zendesk.simulated.world import HOUR_US, World
from syncd.sdk.channel import Instant

MOST_ROUNDS: Final = 10
"""How often triggers are gone through after one change; Zendesk too ends a loop."""
MOST_HOURS: Final = 24 * 400
_CUSTOM: Final = "custom_fields_"


class UnknownRule(Exception):  # noqa: N818  (what it is)
    """The simulation does not know a condition or an action."""


class Rules:
    """Runs triggers after each change and automations once an hour."""

    def __init__(self, world: World, setup: SetUp, tickets: Tickets) -> None:
        self._world = world
        self._setup = setup
        self._tickets = tickets
        self._hour = world.now() // HOUR_US
        self._running: set[int] = set()

    # --- triggers ----------------------------------------------------------------------------------------------------

    def after(self, happened: Happened) -> None:
        """Run the triggers that fit a change; each at most once for it."""
        ticket = happened.ticket
        if happened.deleted or ticket.ticket_id in self._running:
            return
        self._running.add(ticket.ticket_id)
        try:
            self._run_triggers(happened)
        finally:
            self._running.discard(ticket.ticket_id)

    def _run_triggers(self, happened: Happened) -> None:
        fired: set[int] = set()
        for _ in range(MOST_ROUNDS):
            fitting = [
                row
                for row in self._setup.rows("triggers")
                if row["active"] and row["id"] not in fired and self._fits(row["conditions"], happened)
            ]
            if not fitting:
                return
            fired.add(fitting[0]["id"])
            self._act(happened.ticket, fitting[0]["actions"])

    def _fits(self, conditions: Mapping[str, Any], happened: Happened) -> bool:
        everything = conditions.get("all") or []
        anything = conditions.get("any") or []
        holds = [self._holds(each, happened) for each in everything]
        return all(holds) and (not anything or any(self._holds(each, happened) for each in anything))

    def _holds(self, condition: Mapping[str, Any], happened: Happened) -> bool:
        name, operator, value = condition["field"], condition["operator"], condition.get("value")
        match name:
            case "update_type":
                return (value == "Create") is happened.created
            case "role":
                return (value == "end_user") is (happened.by == CUSTOMER)
            case "comment_includes_word" | "subject_includes_word":
                return _words(_text(name, happened), operator, str(value))
            case _:
                return self._holds_now(condition, happened.ticket, self._world.now())

    # --- automations -------------------------------------------------------------------------------------------------

    def hourly(self) -> None:
        """Run the automations once for each hour that has begun."""
        hour = self._world.now() // HOUR_US
        first = max(self._hour + 1, hour - MOST_HOURS)
        self._hour = hour
        rows = [row for row in self._setup.rows("automations") if row["active"]]
        for each in range(first, hour + 1) if rows else ():
            self._run_automations(rows, min((each + 1) * HOUR_US, self._world.now()))

    def _run_automations(self, rows: Sequence[Mapping[str, Any]], now: Instant) -> None:
        for ticket in self._tickets.all():
            for row in rows:
                if not ticket.deleted and ticket.status != "closed" and self._is_due(row["conditions"], ticket, now):
                    self._act(ticket, row["actions"])

    def _is_due(self, conditions: Mapping[str, Any], ticket: Ticket, now: Instant) -> bool:
        anything = conditions.get("any") or []
        return all(self._holds_now(each, ticket, now) for each in conditions.get("all") or []) and (
            not anything or any(self._holds_now(each, ticket, now) for each in anything)
        )

    # --- conditions that a ticket itself decides ---------------------------------------------------------------------

    def _holds_now(self, condition: Mapping[str, Any], ticket: Ticket, now: Instant) -> bool:
        name, operator, value = condition["field"], condition["operator"], condition.get("value")
        if name in TIMES:
            return _hours(name, operator, int(value or 0), ticket, now)
        if name == "current_tags":
            wanted = set(str(value).split())
            return bool(wanted & set(ticket.tags)) is (operator == "includes")
        if name in ("status", "priority"):
            order: Sequence[str] = STATUSES if name == "status" else PRIORITIES
            return _ranked(getattr(ticket, name), operator, str(value), order)
        if name in ("group_id", "ticket_form_id"):
            there = ticket.group_id if name == "group_id" else ticket.form_id
            return _equal("" if there is None else str(there), operator, str(value or ""))
        if name.startswith(_CUSTOM):
            held = ticket.fields.get(int(name.removeprefix(_CUSTOM)))
            return _equal("" if held is None else str(held), operator, str(value or ""))
        raise UnknownRule(f"condition {name} {operator}")

    # --- actions -----------------------------------------------------------------------------------------------------

    def _act(self, ticket: Ticket, actions: Sequence[Mapping[str, Any]]) -> None:
        given: dict[str, Any] = {}
        for action in actions:
            name, value = action["field"], action["value"]
            if name == "notification_user":
                self._tickets.mail(ticket, f"{value[1]}\n\n{value[2]}" if value[0] == "requester_id" else "")
            elif name.startswith(_CUSTOM):
                given.setdefault("custom_fields", []).append({"id": int(name.removeprefix(_CUSTOM)), "value": value})
            else:
                key = _GIVEN.get(name)
                if key is None:
                    raise UnknownRule(f"action {name}")
                given[key] = int(value) if key.endswith("_id") else value
        self._tickets.change(ticket, given, by=RULE)


_GIVEN: Final = {
    "status": "status",
    "priority": "priority",
    "group_id": "group_id",
    "ticket_form_id": "ticket_form_id",
    "current_tags": "additional_tags",
    "remove_tags": "remove_tags",
    "set_tags": "tags",
}


def _text(name: str, happened: Happened) -> str:
    subject = happened.ticket.subject
    if name == "subject_includes_word":
        return subject.lower()
    body = happened.comment.body if happened.comment is not None else ""
    return f"{subject}\n{body}".lower()


def _words(text: str, operator: str, value: str) -> bool:
    """`includes` looks for one of several words, `is` for the whole text."""
    found: Callable[[str], bool] = text.__contains__
    match operator:
        case "includes":
            words = set("".join(sign if sign.isalnum() else " " for sign in text).split())
            return bool(words & set(value.lower().split()))
        case "is":
            return found(value.lower())
        case "not_includes" | "is_not":
            return not _words(text, "includes" if operator == "not_includes" else "is", value)
        case _:
            raise UnknownRule(f"operator {operator}")


def _hours(name: str, operator: str, hours: int, ticket: Ticket, now: Instant) -> bool:
    """Compare whole hours since something: since a status only while the ticket has it."""
    if name in ("updated_at", "requester_updated_at"):
        since = ticket.updated_at if name == "updated_at" else ticket.replied_at
    elif ticket.status == name.lower():
        since = ticket.status_at
    else:
        return False
    passed = (now - since) // HOUR_US
    match operator:
        case "is":
            return passed == hours
        case "greater_than":
            return passed > hours
        case "less_than":
            return passed < hours
        case _:
            raise UnknownRule(f"operator {operator} of {name}")


def _ranked(held: str | None, operator: str, value: str, order: Sequence[str]) -> bool:
    here = order.index(held) if held in order else -1
    match operator:
        case "less_than":
            return here < order.index(value)
        case "greater_than":
            return here > order.index(value)
        case _:
            return _equal(held or "", operator, value)


def _equal(held: str, operator: str, value: str) -> bool:
    match operator:
        case "is":
            return held == value
        case "is_not":
            return held != value
        case "present":
            return bool(held)
        case "not_present":
            return not held
        case _:
            raise UnknownRule(f"operator {operator}")
