"""What the order page says, in Japanese, English and Chinese (`words.toml`), and which language a reader wants."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Final, Literal, TypeAlias, get_args

Language: TypeAlias = Literal["ja", "en", "zh"]
LANGUAGES: Final[tuple[Language, ...]] = get_args(Language)
NAMES: Final[Mapping[Language, str]] = {"ja": "日本語", "en": "English", "zh": "中文"}


def text(key: str, language: Language, **values: object) -> str:
    """Return the text of a key, such as `ask.title`, with the values in it; raises KeyError for an unknown one."""
    return texts()[key][LANGUAGES.index(language)].format(**values)


@cache
def texts() -> Mapping[str, tuple[str, ...]]:
    """Return all texts by key, in the order of LANGUAGES."""
    tables = tomllib.loads(files(__package__).joinpath("words.toml").read_text(encoding="utf-8"))
    return {f"{table}.{name}": tuple(told) for table, names in tables.items() for name, told in names.items()}


def language_of(asked: str, header: str) -> Language:
    """Return the language that is asked for, else the first of an Accept-Language header, else Japanese."""
    wishes: list[tuple[float, int, str]] = [(-2.0, 0, asked)]
    for place, wish in enumerate(header.split(",")[:20]):
        tag, _, weight = wish.strip().partition(";q=")
        try:
            wishes.append((-float(weight or 1), place, tag.strip().lower().partition("-")[0]))
        except ValueError:
            continue
    spoken = [known for weight, _, tag in sorted(wishes) for known in LANGUAGES if tag == known and weight < 0]
    return spoken[0] if spoken else "ja"
