"""Pieces of a set-up: what each should be, the mark by which it is known again, and how it compares with what is there.

A mark ends a description, or where a thing has none its title: `[syncd:KEY@VERSION]`. The version is a fingerprint of
what syncd set up: it tells what is new in syncd from what the shop changed by hand, which stays as it is. Pure.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from adapters.zendesk.fields import MARK, marked
from syncd.sdk.desk import Step, StepKind

LIST_OF: Final = {
    "field": "ticket_fields",
    "form": "ticket_forms",
    "category": "trigger_categories",
    "trigger": "triggers",
    "automation": "automations",
    "macro": "macros",
    "view": "views",
    "webhook": "webhooks",
}
"""The API's list of each kind of thing."""
ONE_OF: Final = {
    "field": "ticket_field",
    "form": "ticket_form",
    "category": "trigger_category",
    "trigger": "trigger",
    "automation": "automation",
    "macro": "macro",
    "view": "view",
    "webhook": "webhook",
}
_NAME: Final = {"form": "name", "category": "name", "webhook": "name"}
_DESCRIPTION: Final = {
    "field": "agent_description",
    "trigger": "description",
    "macro": "description",
    "view": "description",
    "webhook": "description",
}
_COMPARED: Final[Mapping[str, tuple[str, ...]]] = {
    "field": ("type",),
    "form": ("ticket_field_ids",),
    "category": (),
    "trigger": ("conditions", "actions"),
    "automation": ("conditions", "actions"),
    "macro": ("actions",),
    "view": ("conditions",),
    "webhook": ("endpoint", "subscriptions"),
}
"""What makes a thing what it is, beside its title."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One thing that a set-up wants: `key` is syncd's name for it, `words` what it says of itself."""

    what: str
    key: str
    title: str
    body: Mapping[str, Any]
    words: str = ""

    @property
    def version(self) -> str:
        """Return the fingerprint of what is wanted."""
        return fingerprint(self.what, self.title, self.body)

    @property
    def sent(self) -> dict[str, Any]:
        """Return what is sent to set it up: with its mark."""
        mark = f"[{MARK}{self.key}@{self.version}]"
        place = _DESCRIPTION.get(self.what)
        name = _NAME.get(self.what, "title")
        if place is None:
            return {name: f"{self.title} {mark}", **self.body}
        return {name: self.title, place: f"{self.words} {mark}".strip(), **self.body}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is to be done for a piece; `there_id` is the thing that is there, empty where there is none of syncd's."""

    step: Step
    there_id: str = ""


def compare(piece: Piece, rows: Sequence[Mapping[str, Any]]) -> Verdict:
    """Say what is to be done for a piece, as these things are there."""
    mine = next((row for row in rows if _mark(piece.what, row)[0] == piece.key), None)
    if mine is None:
        return Verdict(step=_step(piece, *_without(piece, rows)))
    there_id, version = str(mine.get("id", "")), _mark(piece.what, mine)[1]
    if version == piece.version:
        off = mine.get("active") is False or mine.get("status") == "inactive"
        return Verdict(step=_step(piece, StepKind.KEEP, "switched off" if off else ""), there_id=there_id)
    if fingerprint(piece.what, title_of(piece.what, mine), mine) != version:
        return Verdict(step=_step(piece, StepKind.KEEP, "changed by hand: left as it is"), there_id=there_id)
    return Verdict(step=_step(piece, StepKind.UPDATE, "new in syncd"), there_id=there_id)


def _without(piece: Piece, rows: Sequence[Mapping[str, Any]]) -> tuple[StepKind, str]:
    """Say what is to be done where there is nothing of syncd's: the shop's own of the same title is left alone."""
    same = next((row for row in rows if title_of(piece.what, row) == piece.title and row.get("active", True)), None)
    if same is None:
        return StepKind.CREATE, ""
    return StepKind.FOREIGN, f"the shop's own has this title (id {same.get('id')}): rename it" + (
        ", or name its id in settings.fields" if piece.what == "field" else ""
    )


def _step(piece: Piece, kind: StepKind, detail: str) -> Step:
    return Step(kind=kind, what=piece.what, title=piece.title, detail=detail)


def _mark(what: str, row: Mapping[str, Any]) -> tuple[str, str]:
    """Return key and version of syncd's mark on a thing; empty where it has none."""
    text = str(row.get(_DESCRIPTION.get(what, _NAME.get(what, "title"))) or "")
    key = marked(text)
    return key, text.rpartition("@")[2].removesuffix("]") if key else ""


def title_of(what: str, row: Mapping[str, Any]) -> str:
    """Return a thing's title without syncd's mark."""
    text = str(row.get(_NAME.get(what, "title")) or "")
    return text.rpartition(f" [{MARK}")[0] if what not in _DESCRIPTION and marked(text) else text


def is_ours(what: str, row: Mapping[str, Any]) -> str:
    """Return the key of a thing of syncd's that is switched on; empty for any other."""
    return _mark(what, row)[0] if row.get("active", True) else ""


def fingerprint(what: str, title: str, body: Mapping[str, Any]) -> str:
    """Return a short fingerprint of what a thing is; the same for what is sent and for what the API states of it."""
    plain = dict(body)
    if "conditions" not in plain:
        plain["conditions"] = {"all": plain.get("all", []), "any": plain.get("any", [])}
    shape = [title, *(_plain(plain.get(name)) for name in _COMPARED[what])]
    return hashlib.sha256(json.dumps(shape, sort_keys=True).encode()).hexdigest()[:8]


def _plain(value: Any) -> Any:
    """Return a value with every leaf as a text, and without what is empty: numbers may come back as texts."""
    match value:
        case dict():
            return {key: _plain(part) for key, part in sorted(value.items()) if part not in (None, [], "")}
        case list() | tuple():
            return [_plain(part) for part in value]
        case bool():
            return str(value).lower()
        case _:
            return str(value)
