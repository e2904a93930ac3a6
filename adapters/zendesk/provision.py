"""Setting an account up: what is missing is made, what is syncd's is brought up to date, the shop's own is left alone.

First a plan by reading, then the same walk with a hand that writes. Fields come first: the rest names their ids.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Protocol

from adapters.zendesk import names, rules
from adapters.zendesk.api import Api, decode
from adapters.zendesk.fields import listed
from adapters.zendesk.pieces import LIST_OF, ONE_OF, Piece, Verdict, compare
from adapters.zendesk.settings import ZendeskSettings
from syncd.sdk.desk import Language, Lexicon, Step, StepKind, TextSource
from syncd.sdk.errors import AuthError, ProtocolError, RejectedError

DONE: Final = (200, 201)
NOT_IN_PLAN: Final = (402, 403, 404)
Row = dict[str, Any]


class _Hand(Protocol):
    """Makes and changes things, or only looks."""

    async def create(self, piece: Piece) -> Row:
        """Make a thing and return it as it is there."""

    async def change(self, piece: Piece, there_id: str) -> None:
        """Bring a thing up to date."""


class _Looking:
    """Changes nothing: what would be made has no id yet."""

    async def create(self, piece: Piece) -> Row:  # noqa: ARG002  (the other hand's shape)
        return {"id": 0}

    async def change(self, piece: Piece, there_id: str) -> None:
        pass


class _Writing:
    """Makes and changes things, as the admin."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def create(self, piece: Piece) -> Row:
        made = await self._send("POST", f"/{LIST_OF[piece.what]}", piece, piece.sent)
        found = made.get(ONE_OF[piece.what])
        if not isinstance(found, dict) or "id" not in found:
            raise ProtocolError(f"Zendesk: a new {piece.what} has no id")
        return found

    async def change(self, piece: Piece, there_id: str) -> None:
        """Change a thing. Options of a field are only added: a list of them would delete what it leaves out."""
        body = piece.sent
        options = body.pop("custom_field_options", [])
        method = "PATCH" if piece.what == "webhook" else "PUT"
        await self._send(method, f"/{LIST_OF[piece.what]}/{there_id}", piece, body)
        for option in options:
            path = f"/ticket_fields/{there_id}/options"
            await self._api.call("POST", path, json={"custom_field_option": option}, admin=True, expect=DONE)

    async def _send(self, method: str, path: str, piece: Piece, body: Mapping[str, Any]) -> Row:
        json = {ONE_OF[piece.what]: body}
        answer = await self._api.call(method, path, json=json, admin=True, expect=(*DONE, 204))
        return decode(answer, dict[str, Any]) if answer.body else {}


class Provisioner:
    """Sets one account up in one language."""

    def __init__(
        self,
        api: Api,
        settings: ZendeskSettings,
        *,
        language: Language,
        texts: TextSource,
        webhook_url: str,
        lexicon: Lexicon,
    ) -> None:
        self._api = api
        self._settings = settings
        self._language = language
        self._texts = texts
        self._webhook_url = webhook_url
        self._lexicon = lexicon
        self._steps: list[Step] = []
        self._field_rows: list[Row] = []

    async def plan(self) -> list[Step]:
        """Say what would be done."""
        return await self._walk(_Looking())

    async def act(self) -> list[Step]:
        """Do it, and say what was done."""
        return await self._walk(_Writing(self._api))

    async def _walk(self, hand: _Hand) -> list[Step]:
        self._steps = []
        group_id = await self._group()  # a wrong name is told before anything is made
        ids = await self._fields(hand)
        if "state" not in ids:
            return self._steps  # nothing else has a meaning without the field of the states
        plan = rules.Plan(
            language=self._language,
            texts=self._texts,
            ids=ids,
            form_id=await self._form(hand, ids),
            group_id=group_id,
            category_id=await self._category(hand),
            lexicon=self._lexicon,
        )
        for what, make in rules.PARTS:
            await self._each(hand, make(plan), await self._there(what))
        if self._webhook_url:
            await self._each(hand, [rules.webhook(self._webhook_url)], await self._there("webhook"))
        return self._steps

    async def _there(self, what: str) -> list[Row]:
        name = LIST_OF[what]
        return await listed(self._api, f"/{name}", name, dict, admin=True) or []

    async def _each(self, hand: _Hand, pieces: Iterable[Piece], there: Sequence[Row]) -> None:
        for piece in pieces:
            await self._one(hand, piece, there)

    async def _one(self, hand: _Hand, piece: Piece, there: Sequence[Row]) -> str:
        """Do what is to be done for a piece; return the id of syncd's own, empty where there is none."""
        verdict = compare(piece, there)
        verdict = await self._done(hand, piece, verdict)
        self._steps.append(verdict.step)
        return verdict.there_id

    @staticmethod
    async def _done(hand: _Hand, piece: Piece, verdict: Verdict) -> Verdict:
        match verdict.step.kind:
            case StepKind.CREATE:
                made = await hand.create(piece)
                return Verdict(step=verdict.step, there_id=str(made["id"]))
            case StepKind.UPDATE:
                await hand.change(piece, verdict.there_id)
                return verdict
            case StepKind.KEEP | StepKind.FOREIGN:
                return verdict

    async def _fields(self, hand: _Hand) -> dict[str, int]:
        """Set the fields up; return their ids by name, those that the settings name included."""
        there = self._field_rows = await self._there("field")
        ids: dict[str, int] = {}
        for piece in rules.fields(self._language):
            adopted = self._settings.fields.get(piece.key)
            if adopted is not None:
                self._steps.append(self._adopted(piece, adopted, there))
                ids[piece.key] = adopted
                continue
            there_id = await self._one(hand, piece, there)
            if there_id:
                ids[piece.key] = int(there_id)
        return ids

    @staticmethod
    def _adopted(piece: Piece, field_id: int, there: Sequence[Row]) -> Step:
        """Return the step of a field of the shop's own; raises `RejectedError` where there is none of this type."""
        field = next((row for row in there if row.get("id") == field_id), None)
        if field is None or field.get("type") != piece.body["type"]:
            raise RejectedError(f"settings.fields.{piece.key}: {field_id} is no field of the type {piece.body['type']}")
        return rules.without("field", str(field.get("title", "")), "the shop's own, by settings.fields")

    async def _form(self, hand: _Hand, ids: Mapping[str, int]) -> int:
        """Set the form up: what every form must have, and syncd's fields; 0 where the plan has one form only."""
        rows = await listed(self._api, "/ticket_forms", "ticket_forms", dict, admin=True, allow=NOT_IN_PLAN)
        system = [int(row["id"]) for row in self._field_rows if row.get("removable") is False]
        piece = rules.form(self._language, [*system, *(ids[name] for name in names.FIELDS if name in ids)])
        if rows is None:
            self._steps.append(rules.without("form", piece.title, "the plan has one form only: add the fields to it"))
            return 0
        try:
            there_id = await self._one(hand, piece, rows)
        except (AuthError, RejectedError):  # the fields were made: it is not the admin's right that is missing
            self._steps.append(rules.without("form", piece.title, "Zendesk refuses another form"))
            return 0
        return int(there_id or 0)

    async def _group(self) -> int:
        """Return the id of the group that the settings name; 0 without one."""
        if not self._settings.group:
            return 0
        rows = await listed(self._api, "/groups", "groups", dict, admin=True) or []
        found = next((row for row in rows if row.get("name") == self._settings.group), None)
        if found is None:
            raise RejectedError(f"settings.group: Zendesk has no group of the name {self._settings.group}")
        return int(found["id"])

    async def _category(self, hand: _Hand) -> str:
        """Return the id of the triggers' category; empty where there are none."""
        rows = await listed(self._api, "/trigger_categories", "trigger_categories", dict, admin=True, allow=NOT_IN_PLAN)
        return "" if rows is None else await self._one(hand, rules.category(), rows)
