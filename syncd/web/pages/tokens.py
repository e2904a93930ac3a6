"""*Tokens*: who may use the API, made and revoked here by whoever may see the pages."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web

from syncd.store import api_tokens
from syncd.web.api_gate import digest_of
from syncd.web.api_shape import Scope
from syncd.web.api_tokens import NAME, NewToken, add_token, revoke_token, view_of
from syncd.web.api_wire import Fault
from syncd.web.pages.deed import Deed, Subject, word_of
from syncd.web.pages.frame import Ask, Frame
from syncd.web.pages.stock import one_of

SIGNS: Final = "abcdefghijklmnopqrstuvwxyz234567"
"""32 signs, so that a byte has the same chance of each."""
ID_SIGNS: Final = 12
SECRET_BYTES: Final = 32


class Tokens:
    """Reads the page, and makes tokens."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    async def read(self, _ask: Ask) -> Mapping[str, Any]:
        """Return what the page shows; of a token itself only its name and scope are known."""
        found = await self._frame.plant.store.read(api_tokens.all_of_them)
        rows = [view_of(token) for token in found]
        return {
            "tokens": [row for row in rows if row.revoked_at is None],
            "ended": [row for row in reversed(rows) if row.revoked_at is not None],
            "scopes": tuple(Scope),
            "made": "",
        }

    async def make(self, ask: Ask) -> web.StreamResponse:
        """Make a token and show it, this once; raises Fault where its name is no name, or is taken."""
        fields = await self._frame.form(ask)
        name = word_of(fields.get("name", ""), NAME)
        scope = one_of(Scope, fields.get("scope", ""), Scope.READ)
        chance = self._frame.chance
        public_id = "".join(SIGNS[byte % len(SIGNS)] for byte in chance(ID_SIGNS))
        made = f"syncd_{public_id}_{urlsafe_b64encode(chance(SECRET_BYTES)).decode().rstrip('=')}"
        new = NewToken(name=name, scope=scope, public_id=public_id, digest=digest_of(made), actor=ask.visitor.name)
        await add_token(self._frame.plant, new)
        return await self._frame.answer(ask, "tokens.html", {**await self.read(ask), "made": made}, status=201)


async def _find(frame: Frame, ask: Ask) -> Subject:
    name, speech = ask.query("name"), ask.speech
    for token in await frame.plant.store.read(api_tokens.all_of_them):
        if token.name == name and token.revoked_at is None:
            told = view_of(token)
            rows = [
                ("tokens.scope", speech.word("scope", told.scope)),
                ("tokens.created", speech.full(told.created_at)),
                ("tokens.used", speech.full(told.last_used_at)),
            ]
            return Subject(name=name, rows=rows)
    raise Fault(404, speech.say("do.gone"))


async def _revoke(frame: Frame, ask: Ask, _fields: Mapping[str, str], _request_id: str) -> str:
    await revoke_token(frame.plant, ask.query("name"))
    return "token-revoke"


REVOKING: Final = Deed(
    verb="token-revoke",
    api=("POST", "/tokens/{name}/revoke"),
    danger=True,
    find=_find,
    act=_revoke,
    back=lambda _: "/tokens",
)
