"""One table of settings into one dataclass, field by field, so that each problem is told and none hides another."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar, get_args, get_origin, get_type_hints
from urllib.parse import unquote

import msgspec

from syncd.sdk.secret import Secret
from syncd.settings.credentials import Credentials, Slot, env_name
from syncd.settings.report import Report, closest

T = TypeVar("T")

ABSENT: Final = object()
"""The field is nowhere: its default holds, or it is missing."""

WRONG: Final = object()
"""The field is there and cannot be used; the problem is noted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table of the file: its title without brackets (`channels.shop.settings`), what it holds, where secrets look.

    `secrets` is the short name by which the table's secrets go. `extra` are keys that another table reads.
    """

    title: str
    given: Mapping[str, Any]
    secrets: str
    extra: frozenset[str] = frozenset()

    def env(self, key: str) -> str:
        """Return the environment variable that overrides a key: `SYNCD_CHANNELS__SHOP__POLL_S`."""
        return "SYNCD_" + f"{self.title}.{key}".replace(".", "__").replace("-", "_").upper()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Reads tables.

    `meanings` collects the environment variables that would override something; `kept` holds passwords that stand in
    texts, and while they are held they are taken out of the log.
    """

    environ: Mapping[str, str]
    credentials: Credentials
    report: Report
    meanings: set[str] = field(default_factory=set)
    kept: list[Secret] = field(default_factory=list)

    def read(self, kind: type[T], table: Table, **known: Any) -> T | None:
        """Return the table as a `kind`; None where it cannot be made, with the problems in the report.

        `known` are fields that are not read: they have their value already.
        """
        values = self.values(kind, table, known)
        return None if values is None else kind(**values)

    def values(self, kind: type[Any], table: Table, known: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the arguments to make a `kind` of; None where one of them is wrong or missing."""
        before = len(self.report.problems)
        hints = get_type_hints(kind, include_extras=True)
        wanted = [item for item in fields(kind) if item.init and item.name not in known]
        self._unknown(table, wanted, hints)
        values = dict(known)
        for item in wanted:
            value = self._field(item, hints[item.name], table)
            if value is not ABSENT:
                values[item.name] = value
            elif item.default is MISSING and item.default_factory is MISSING:
                self._missing(item, hints[item.name], table)
        return values if len(self.report.problems) == before else None

    def _unknown(self, table: Table, wanted: list[Field[Any]], hints: Mapping[str, Any]) -> None:
        secret = {f"{item.name}_file" for item in wanted if is_secret(item, hints[item.name])}
        known = {item.name for item in wanted} | table.extra | secret
        for key in table.given:
            if key not in known:
                self.report.problem(self.report.place(table.title, key), "unknown key", closest(key, known))

    def _field(self, item: Field[Any], hint: Any, table: Table) -> Any:
        if is_secret(item, hint):
            return self._secret(item, hint, table)
        self.meanings.add(name := table.env(item.name))
        if name in self.environ:
            return self._convert(item, hint, from_text(self.environ[name], hint), place=name, strict=False)
        if item.name not in table.given:
            return ABSENT
        place = self.report.place(table.title, item.name)
        return self._convert(item, hint, table.given[item.name], place=place, strict=True)

    def _secret(self, item: Field[Any], hint: Any, table: Table) -> Any:
        slot = Slot(table=table.title, section=table.secrets, key=item.name)
        self.meanings.add(name := table.env(item.name))
        if name in self.environ:
            self.report.problem(name, "a secret has another name", f"call it {env_name(table.secrets, item.name)}")
        before = len(self.report.problems)
        text = self.credentials.find(slot, table.given)
        if not text:
            return ABSENT if len(self.report.problems) == before else WRONG
        if holds(hint, Secret):
            return Secret(text)
        self.kept.extend(passwords(text))
        return text

    def _missing(self, item: Field[Any], hint: Any, table: Table) -> None:
        place = self.report.place(table.title, item.name)
        if is_secret(item, hint):
            slot = Slot(table=table.title, section=table.secrets, key=item.name)
            self.report.problem(place, "missing secret", self.credentials.remedy(slot))
        else:
            self.report.problem(place, "missing", f"for example: {item.name} = {sample(hint)}")

    def _convert(self, item: Field[Any], hint: Any, value: Any, *, place: str, strict: bool) -> Any:
        if holds(hint, Path) and isinstance(value, str):
            return self._path(value, place)
        try:
            return msgspec.convert(value, hint, strict=strict)
        except msgspec.ValidationError as error:
            self.report.problem(place, plain(str(error)), f"for example: {example(item, hint)}")
            return WRONG

    def _path(self, text: str, place: str) -> Any:
        if not text:
            self.report.problem(place, "expected a path, got nothing", "leave the key out, or name a path")
            return WRONG
        if text.startswith("~/"):
            text = str(Path(self.environ.get("HOME", "/")) / text[2:])
        return self.credentials.folder / Path(text)


def passwords(text: str) -> list[Secret]:
    """Return the password of a URL, as it stands there and as it is meant."""
    found = re.search(r"://[^/@:]*:([^/@]+)@", text)
    return [Secret(found[1]), Secret(unquote(found[1]))] if found else []


def is_secret(item: Field[Any], hint: Any) -> bool:
    """Return whether a field is read from the places of secrets."""
    return holds(hint, Secret) or bool(item.metadata.get("hidden"))


def holds(hint: Any, kind: type[Any]) -> bool:
    """Return whether `hint` is `kind`, or a choice that has it."""
    return hint is kind or any(holds(part, kind) for part in get_args(hint) if not isinstance(part, str))


def bare(hint: Any) -> Any:
    """Return a hint without its limits and without None."""
    if get_origin(hint) is Annotated:
        return bare(get_args(hint)[0])
    choices = [part for part in get_args(hint) if part is not type(None)]
    if type(None) in get_args(hint) and len(choices) == 1:
        return bare(choices[0])
    return hint


def from_text(text: str, hint: Any) -> Any:
    """Return an environment variable's text as the file would hold it: `a,b` for lists, `a=b,c=d` for tables."""
    if text == "" and type(None) in get_args(hint):
        return None
    origin = get_origin(bare(hint))
    if not isinstance(origin, type):
        return text
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if issubclass(origin, Mapping):
        return dict(part.partition("=")[::2] for part in parts)
    return parts if issubclass(origin, tuple | list) else text


def plain(message: str) -> str:
    """Return a message of msgspec in the words of a settings file."""
    words = {"`array`": "a list", "`str`": "a text", "`int`": "a whole number", "`float`": "a number"}
    words |= {"`bool`": "true or false", "`object`": "a table", "`null`": "nothing", " - at `$": " at `"}
    words |= {"Invalid enum value": "not one of the choices:", " matching regex": " of the form"}
    for theirs, ours in words.items():
        message = message.replace(theirs, ours)
    return message[:1].lower() + message[1:]


def example(item: Field[Any], hint: Any) -> str:
    """Return a value of a field that is right: its default where that tells something."""
    if isinstance(item.default, int | float | str) and item.default != "" and get_origin(bare(hint)) is not Literal:
        return str(msgspec.json.encode(item.default), "utf-8")
    return sample(hint)


def sample(hint: Any) -> str:
    """Return a value of this type, as one writes it in TOML."""
    kind = bare(hint)
    origin = get_origin(kind)
    if origin is None:
        return {int: "10", float: "10.0", bool: "true"}.get(kind, '"..."')
    if isinstance(origin, type):
        return '{ "..." = "..." }' if issubclass(origin, Mapping) else '["..."]'
    return " or ".join(f'"{choice}"' for choice in get_args(kind))
