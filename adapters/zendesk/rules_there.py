"""Which rules of syncd's are switched on at the account: what they send is theirs, and syncd does not send it too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from adapters.zendesk import rules
from adapters.zendesk.api import Api, decode
from adapters.zendesk.fields import FRESH_S, listed
from adapters.zendesk.pieces import is_ours
from adapters.zendesk.settings import ZendeskSettings
from syncd.sdk.desk import DeskContext, MessageKind
from syncd.sdk.errors import AuthError, RejectedError
from syncd.sdk.secret import Secret

DOCUMENT: Final = "rules"
UNSET_S: Final = 300.0
"""How long it is believed that there is no webhook: somebody may be setting it up."""
WEEK_HOURS: Final = 168
_FORBIDDEN: Final = (403, 404)


class _Kept(msgspec.Struct, frozen=True):
    """What is kept on the shelf between two starts."""

    owns: list[str] = []


class _Signing(msgspec.Struct, frozen=True):
    secret: str = ""


class _SigningAnswer(msgspec.Struct, frozen=True):
    signing_secret: _Signing = _Signing()


class RulesThere:
    """What is known of the account's rules, read again each hour.

    `closes_early` is the title of an automation of the shop's own that closes solved tickets within a week: then no
    automation can write a week after a cancel, and that message stays with syncd.
    """

    def __init__(self, api: Api, settings: ZendeskSettings, context: DeskContext) -> None:
        self._api = api
        self._settings = settings
        self._clock = context.clock
        self._shelf = context.shelf
        self._read_at_s: float | None = None
        self._secret = settings.webhook_secret
        self.owns: frozenset[MessageKind] = frozenset()
        self.webhook_there: bool | None = None
        self.closes_early = ""

    @property
    def webhook_secret(self) -> Secret:
        """Return the signing secret: that of the settings, else the one that Zendesk told."""
        return self._secret

    async def load(self) -> None:
        """Take from the shelf what was true last."""
        kept = await self._shelf.get(DOCUMENT)
        if kept is not None:
            self.owns = _kinds(_decoded(kept[0]).owns)

    async def refresh(self, *, now: bool = False) -> None:
        """Read which rules are there, at most once an hour (without a webhook: every five minutes) unless `now`."""
        at_s = self._clock.monotonic()
        fresh_s = FRESH_S if self._secret else UNSET_S
        if not now and self._read_at_s is not None and at_s - self._read_at_s < fresh_s:
            return
        rows = await listed(self._api, "/automations", "automations", dict, admin=True, allow=_FORBIDDEN)
        if rows is not None:
            self.closes_early = closes_early(rows)
            self.owns = owned(rows)
            await self._keep()
        if not self._settings.webhook_secret:
            await self._ask_secret()
        self._read_at_s = at_s

    async def _keep(self) -> None:
        body = msgspec.json.encode(_Kept(owns=sorted(self.owns)))
        kept = await self._shelf.get(DOCUMENT)
        if kept is None or kept[0] != body:
            await self._shelf.put(DOCUMENT, body, version=0 if kept is None else kept[1])

    async def _ask_secret(self) -> None:
        """Ask for the signing secret of syncd's webhook; only an admin is told."""
        try:
            rows = await listed(self._api, "/webhooks", "webhooks", dict, admin=True, allow=_FORBIDDEN)
            mine = next((row for row in rows or [] if is_ours("webhook", row) == "webhook"), None)
            self.webhook_there = None if rows is None else mine is not None
            if mine is not None:
                answer = await self._api.call("GET", f"/webhooks/{mine['id']}/signing_secret", admin=True)
                self._secret = Secret(decode(answer, _SigningAnswer).signing_secret.secret)
        except (AuthError, RejectedError):
            self.webhook_there = None


def owned(rows: Sequence[Mapping[str, Any]]) -> frozenset[MessageKind]:
    """Return the messages that automations of syncd's send, as they are switched on."""
    keys = {is_ours("automation", row) for row in rows}
    kinds = {kind for key, kind in rules.OWNED.items() if key in keys}
    return frozenset(kinds - ({MessageKind.CANCEL_FOLLOW_UP} if closes_early(rows) else set()))


def closes_early(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the title of an automation that closes cancelled tickets within a week; empty where none does."""
    return next((str(row.get("title", "")) for row in rows if row.get("active", True) and _closes_early(row)), "")


def _closes_early(row: Mapping[str, Any]) -> bool:
    closes = any(each.get("field") == "status" and each.get("value") == "closed" for each in row.get("actions") or [])
    conditions = (row.get("conditions") or {}).get("all") or []
    spared = any(
        each.get("field") == "current_tags"
        and each.get("operator") == "not_includes"
        and rules.CANCELLED in str(each.get("value")).split()
        for each in conditions
    )
    hours = [each.get("value") for each in conditions if each.get("field") == "SOLVED"]
    late = any(str(each).isdigit() and int(str(each)) >= WEEK_HOURS for each in hours)
    return closes and not spared and not late


def _decoded(body: bytes) -> _Kept:
    try:
        return msgspec.json.decode(body, type=_Kept)
    except msgspec.DecodeError:
        return _Kept()


def _kinds(texts: Sequence[str]) -> frozenset[MessageKind]:
    known = {kind.value: kind for kind in MessageKind}
    return frozenset(known[text] for text in texts if text in known)
