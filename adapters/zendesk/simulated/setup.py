"""What is set up in the simulated account: fields, forms, rules, macros, views, groups, webhooks."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, Final

from adapters.zendesk.simulated.world import Problem, World, stamp

KINDS: Final = {
    "ticket_fields": "ticket_field",
    "ticket_forms": "ticket_form",
    "trigger_categories": "trigger_category",
    "triggers": "trigger",
    "automations": "automation",
    "macros": "macro",
    "views": "view",
    "groups": "group",
    "webhooks": "webhook",
}
"""Lists and the name of one thing of each."""
FIELD_TYPES: Final = frozenset({
    "text", "textarea", "checkbox", "date", "integer", "decimal", "regexp", "partialcreditcard", "multiselect",
    "tagger", "lookup",
})  # fmt: skip
MOST_FIELDS: Final = 400
MOST_COLUMNS: Final = 10
TIMES: Final = frozenset({"NEW", "OPEN", "PENDING", "HOLD", "SOLVED", "updated_at", "requester_updated_at"})
"""Conditions of automations that are hours."""
_PROPERTIES: Final = frozenset({"status", "type", "group_id", "assignee_id", "requester_id"})


class SetUp:
    """Everything that an admin can set up, as the API states it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._things: dict[str, dict[str, dict[str, Any]]] = {kind: {} for kind in KINDS}
        self.forms_allowed = True

    def rows(self, kind: str) -> list[dict[str, Any]]:
        """Return all things of a kind, in the order in which they were made."""
        return list(self._things[kind].values())

    def get(self, kind: str, thing_id: str) -> dict[str, Any]:
        """Return one thing; raises `Problem`."""
        found = self._things[kind].get(thing_id)
        if found is None:
            raise Problem(404, "RecordNotFound", "Not found")
        return found

    def add(self, kind: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """Set something up; raises `Problem` for what cannot be."""
        made = self._made(kind, given)
        self._check(kind, made)
        now = stamp(self._world.now())
        number = self._world.next_id()
        # Ids of categories and webhooks are texts.
        made |= {"id": str(number) if kind in ("trigger_categories", "webhooks") else number}
        made |= {"created_at": now, "updated_at": now}
        self._things[kind][str(number)] = made
        return made

    def add_system(self, type_: str, title: str) -> None:
        """Put up a field that every account has and nobody can take away."""
        number = self._world.next_id()
        made = {"id": number, "type": type_, "title": title, "active": True, "removable": False}
        self._things["ticket_fields"][str(number)] = made

    def change(self, kind: str, thing_id: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """Change something; what is not named stays. Options that a dropdown's list leaves out are deleted."""
        before = self.get(kind, thing_id)
        changes = self._made(kind, given, partly=True)
        after = {**before, **changes, "updated_at": stamp(self._world.now())}
        self._check(kind, after)
        before |= after
        return before

    def _check(self, kind: str, made: dict[str, Any]) -> None:
        check = _CHECKS.get(kind)
        if check is not None:
            check(self, made)

    def _made(self, kind: str, given: Mapping[str, Any], *, partly: bool = False) -> dict[str, Any]:
        """Return what is kept of a request: rules state their conditions otherwise than they are given."""
        made = dict(given)
        if kind in ("automations", "views") and ("all" in made or "any" in made):
            made["conditions"] = {"all": made.pop("all", None) or [], "any": made.pop("any", None) or []}
        if kind == "views" and "output" in made:
            made["execution"] = made.pop("output")
        if kind == "ticket_fields":
            for option in made.get("custom_field_options") or []:
                option.setdefault("id", self._world.next_id())
        return made if partly else {"active": True, **made}

    def add_option(self, field_id: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """Add an option to a dropdown, or rename it: the others stay."""
        field = self.get("ticket_fields", field_id)
        options = field.setdefault("custom_field_options", [])
        found = next((option for option in options if option["value"] == given["value"]), None)
        if found is None:
            _unique(self, field, [str(given["value"])])
            found = {"id": self._world.next_id(), "name": given["name"], "value": given["value"]}
            options.append(found)
        found["name"] = given["name"]
        return dict(found)

    # --- fields ------------------------------------------------------------------------------------------------------

    def taggers(self) -> list[int]:
        """Return the ids of all dropdowns."""
        return [row["id"] for row in self.rows("ticket_fields") if row["type"] == "tagger"]

    def is_tagger(self, field_id: int) -> bool:
        """Say whether a field is a dropdown."""
        return self._things["ticket_fields"].get(str(field_id), {}).get("type") == "tagger"

    def options(self, field_id: int) -> list[str]:
        """Return the values of a dropdown's options."""
        field = self._things["ticket_fields"].get(str(field_id), {})
        return [option["value"] for option in field.get("custom_field_options") or []]

    def field_ids(self) -> list[int]:
        """Return the ids of all fields that are switched on."""
        return [row["id"] for row in self.rows("ticket_fields") if row["active"]]

    def check_value(self, field_id: int, value: Any) -> None:
        """Refuse a value that a field cannot hold; raises `Problem`."""
        field = self._things["ticket_fields"].get(str(field_id))
        if field is None or value in (None, ""):
            return
        fits = _VALUES.get(field["type"])
        wrong = field["type"] == "tagger" and value not in self.options(field_id)
        if wrong or (fits is not None and not fits(value)):
            said = f"{field['title']}: '{value}' is not valid"
            raise Problem(422, "RecordInvalid", "Record validation errors", details={"base": [{"description": said}]})


def _check_field(setup: SetUp, made: dict[str, Any]) -> None:
    if made.get("type") not in FIELD_TYPES or not made.get("title"):
        raise _unfit("ticket_field", "type or title")
    if len(setup.rows("ticket_fields")) > MOST_FIELDS:
        raise _unfit("ticket_field", f"more than {MOST_FIELDS}")
    _unique(setup, made, [str(option["value"]) for option in made.get("custom_field_options") or []])


def _unique(setup: SetUp, field: Mapping[str, Any], values: list[str]) -> None:
    """Refuse an option whose tag another dropdown has."""
    taken = {
        option["value"]
        for row in setup.rows("ticket_fields")
        if row is not field and row.get("id") != field.get("id")
        for option in row.get("custom_field_options") or []
    }
    if set(values) & taken or len(set(values)) != len(values):
        raise _unfit("custom_field_options", "Tag has already been taken")


def _check_form(setup: SetUp, made: dict[str, Any]) -> None:
    if not setup.forms_allowed:
        raise Problem(403, "Forbidden", "Several ticket forms are not part of this plan")
    if not made.get("name"):
        raise _unfit("ticket_form", "name")


def _check_trigger(_: SetUp, made: dict[str, Any]) -> None:
    conditions = made.get("conditions") or {}
    if not made.get("title") or not made.get("actions") or not (conditions.get("all") or conditions.get("any")):
        raise _unfit("trigger", "title, conditions and actions")


def _check_automation(_: SetUp, made: dict[str, Any]) -> None:
    """Refuse an automation without an hour, without a property, or that would act again and again."""
    conditions = (made.get("conditions") or {}).get("all") or []
    fields = {condition["field"] for condition in conditions}
    if not fields & TIMES or not fields & _PROPERTIES:
        raise _unfit("automation", "one condition of time and one of status, type, group, assignee or requester")
    if not any(_ends(condition, made.get("actions") or []) for condition in conditions):
        raise _unfit("automation", "an action that ends one of its conditions")


def _ends(condition: Mapping[str, Any], actions: list[Mapping[str, Any]]) -> bool:
    if condition["field"] == "current_tags" and condition["operator"] == "not_includes":
        tags = set(str(condition["value"]).split())
        return any(each["field"] == "current_tags" and tags & set(str(each["value"]).split()) for each in actions)
    return condition["field"] == "status" and any(each["field"] == "status" for each in actions)


def _check_macro(_: SetUp, made: dict[str, Any]) -> None:
    if not made.get("title") or not made.get("actions"):
        raise _unfit("macro", "title and actions")


def _check_view(_: SetUp, made: dict[str, Any]) -> None:
    conditions = (made.get("conditions") or {}).get("all") or []
    if not made.get("title") or not {condition["field"] for condition in conditions} & _PROPERTIES:
        raise _unfit("view", "one condition of status, type, group, assignee or requester")
    if len((made.get("execution") or {}).get("columns") or []) > MOST_COLUMNS:
        raise _unfit("view", f"more than {MOST_COLUMNS} columns")


def _unfit(what: str, said: str) -> Problem:
    return Problem(422, "RecordInvalid", "Record validation errors", details={what: [{"description": said}]})


def _is_date(value: Any) -> bool:
    try:
        date.fromisoformat(str(value))
    except ValueError:
        return False
    return True


_CHECKS: Final[Mapping[str, Callable[[SetUp, dict[str, Any]], None]]] = {
    "ticket_fields": _check_field,
    "ticket_forms": _check_form,
    "triggers": _check_trigger,
    "automations": _check_automation,
    "macros": _check_macro,
    "views": _check_view,
}
_VALUES: Final[Mapping[str, Callable[[Any], object]]] = {
    "date": _is_date,
    "integer": lambda value: re.fullmatch(r"-?\d+", str(value)),
    "decimal": lambda value: re.fullmatch(r"-?\d+(\.\d+)?", str(value)),
}
