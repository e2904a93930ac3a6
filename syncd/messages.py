"""What syncd says to people on the command line, in English and Japanese; the texts are in `messages.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final, Literal, TypeAlias, get_args

Language: TypeAlias = Literal["en", "ja"]
LANGUAGES: Final[tuple[Language, ...]] = get_args(Language)


def text(key: str, language: Language, **values: object) -> str:
    """Return the text of a key, such as `go.done`, with the values in it; raises KeyError for one that is not there."""
    return texts()[key][LANGUAGES.index(language)].format(**values)


@cache
def texts() -> Mapping[str, tuple[str, ...]]:
    """Return all texts by key, in the order of LANGUAGES."""
    raw = files(__package__).joinpath("messages.toml").read_text(encoding="utf-8")
    return dict(_flat(tomllib.loads(raw), ""))


def _flat(table: Mapping[str, Any], path: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{path}{name}.")
        else:
            yield f"{path}{name}", tuple(value)
