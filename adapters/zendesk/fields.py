"""Which fields and which form are syncd's: read once, and again when they may have changed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final, TypeVar

import msgspec

from adapters.zendesk import names
from adapters.zendesk.api import Api, decode
from adapters.zendesk.settings import ZendeskSettings
from adapters.zendesk.wire import FieldMap
from syncd.sdk.channel import Clock
from syncd.sdk.errors import ProtocolError, RejectedError

T = TypeVar("T")

FRESH_S: Final = 3_600.0
"""How long what was read is believed."""
MOST_PAGES: Final = 50
MARK: Final = "syncd:"


class Option(msgspec.Struct, frozen=True):
    """One option of a field."""

    value: str
    name: str = ""


class Field(msgspec.Struct, frozen=True):
    """What is read of a ticket field."""

    id: int
    type: str
    title: str
    active: bool = True
    agent_description: str | None = None
    custom_field_options: list[Option] | None = None


class Form(msgspec.Struct, frozen=True):
    """What is read of a ticket form."""

    id: int
    name: str
    active: bool = True
    ticket_field_ids: list[int] = []


async def listed(
    api: Api, path: str, key: str, kind: type[T], *, admin: bool = False, allow: Collection[int] = ()
) -> list[T] | None:
    """Read a list page by page; None where the answer is one of the statuses in `allow` (a plan without the thing).

    Some lists have numbered pages (`next_page`), some a cursor (`meta`) (Zendesk, Pagination, 2026).
    """
    found: list[T] = []
    params: dict[str, str | int] = {}
    for page in range(1, MOST_PAGES + 1):
        answer = await api.call("GET", path, params=params, admin=admin, expect=(200, *allow))
        if answer.status in allow:
            return None
        body = decode(answer, dict[str, Any])
        try:
            found += msgspec.convert(body.get(key, []), list[kind])  # type: ignore[valid-type]  # the kind is a value
        except msgspec.ValidationError as fault:
            message = str(fault)
        else:
            following = _following(body, page)
            if following is None:
                return found
            params = following
            continue
        raise ProtocolError(f"Zendesk: {key}: {message}")
    raise ProtocolError(f"Zendesk: {key} has no end within {MOST_PAGES} pages")


def _following(body: dict[str, Any], page: int) -> dict[str, str | int] | None:
    """Return what asks for the next page of a list; None at its end."""
    meta = body.get("meta")
    if isinstance(meta, dict):
        return {"page[after]": str(meta.get("after_cursor"))} if meta.get("has_more") else None
    return {"page": page + 1} if body.get("next_page") else None


class Setup:
    """The field map of one account, cached."""

    def __init__(self, api: Api, settings: ZendeskSettings, clock: Clock) -> None:
        self._api = api
        self._settings = settings
        self._clock = clock
        self._map = FieldMap(ids={})
        self._read_at_s: float | None = None

    def forget(self) -> None:
        """Read again at the next call."""
        self._read_at_s = None

    async def map(self) -> FieldMap:
        """Return which fields are there; reads them where that is not known lately, or some are missing."""
        now_s = self._clock.monotonic()
        if self._read_at_s is None or now_s - self._read_at_s > FRESH_S or self._map.missing:
            fields = await listed(self._api, "/ticket_fields", "ticket_fields", Field) or []
            forms = await listed(self._api, "/ticket_forms", "ticket_forms", Form, allow=(403, 404)) or []
            self._map = field_map(fields, forms, adopted=self._settings.fields)
            self._read_at_s = now_s
        return self._map

    async def whole(self) -> FieldMap:
        """Return the map of an account that is set up; raises `RejectedError` where fields are missing."""
        found = await self.map()
        if found.missing:
            raise RejectedError(
                f"Zendesk has not all of syncd's fields yet (missing: {', '.join(found.missing)}); "
                "set it up: syncd desk provision"
            )
        return found


def field_map(fields: list[Field], forms: list[Form], *, adopted: Mapping[str, int]) -> FieldMap:
    """Return which of these are syncd's: by its mark, or because the settings name them."""
    ids = {name: field.id for field in fields if field.active and (name := marked(field.agent_description))}
    there = {field.id for field in fields if field.active}
    ids |= {name: field_id for name, field_id in adopted.items() if field_id in there}
    form = next((form for form in forms if form.active and marked(form.name) == "form"), None)
    return FieldMap(ids={name: ids[name] for name in names.FIELDS if name in ids}, form_id=form.id if form else 0)


def marked(text: str | None) -> str:
    """Return the name in syncd's mark at the end of a description, without its version; empty where there is none."""
    _, bracket, mark = (text or "").rpartition(f"[{MARK}")
    return mark.removesuffix("]").partition("@")[0] if bracket and mark.endswith("]") else ""
