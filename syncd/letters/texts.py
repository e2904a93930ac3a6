"""The texts filled in: whole letters for customers, and texts with marks for the rules of a desk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import jinja2

from syncd.core.placeholders import BLOCKS, DAYS, PLACES, SHOP, lacking
from syncd.core.tickets import Language, Letter, MessageKind
from syncd.letters.reading import BLOCK, FRAME, MOST_SUBJECT_CHARS, Library, Unusable
from syncd.letters.words import block, day_words, money_words, one_line
from syncd.sdk.errors import RejectedError

UNFRAMED: Final = frozenset({MessageKind.PHONE_SCRIPT})
"""Texts that no customer reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextRow:
    """One text, as a list shows it. `own` says that it is the shop's."""

    kind: MessageKind
    language: Language
    path: str
    own: bool


class Texts:
    """All texts of a shop: a `syncd.sdk.desk.TextSource`, and the maker of letters.

    `shop` has the shop's words by `name`, `signature`, `phone`, `hours` and `url`; missing ones are empty.
    """

    def __init__(self, library: Library, *, shop: Mapping[str, str]) -> None:
        self._library = library
        self._shop = {name: shop.get(name.removeprefix("shop_"), "") for name in SHOP}

    def rows(self) -> Iterator[TextRow]:
        """Yield every text by kind and language."""
        for kind in MessageKind:
            for language in Language:
                text = self._library.get(language, kind)
                yield TextRow(kind=kind, language=language, path=str(text.path), own=text.own)

    def letter(self, kind: MessageKind, language: Language, values: Mapping[str, str]) -> Letter:
        """Return a whole letter; raises RejectedError where a value is lacking or the shop's text cannot be filled."""
        subject, body = self.text(kind, language, values)
        return Letter(kind=kind, language=language, subject=subject, body=body)

    def text(self, kind: MessageKind, language: Language, values: Mapping[str, str]) -> tuple[str, str]:
        """Return subject and body with each placeholder replaced by what `values` has for it.

        Days and amounts are told in the words of the language; what is neither, such as a desk's own mark, stays as it
        is. Values that the kind does not know are left out. Raises RejectedError as `letter`.
        """
        if missing := lacking(kind, values):
            raise RejectedError(f"the letter {kind} lacks {', '.join(missing)}")
        filled = self._fill(kind, language, values)
        try:
            return self._render(kind, language, filled)
        except (jinja2.TemplateError, Unusable, ArithmeticError, TypeError, ValueError, LookupError) as error:
            raise RejectedError(f"the text {kind} ({language}) cannot be filled in: {type(error).__name__}") from None

    def _fill(self, kind: MessageKind, language: Language, values: Mapping[str, str]) -> dict[str, str]:
        filled = {name: values.get(name, self._shop.get(name, "")) for name in PLACES[kind].known}
        clean = {name: block(value) if name in BLOCKS else one_line(value) for name, value in filled.items()}
        for name in DAYS & clean.keys():
            clean[name] = day_words(clean[name], language)
        if "amount" in clean:
            clean["amount"] = money_words(clean["amount"], one_line(values.get("currency", "")), language)
        return clean

    def _render(self, kind: MessageKind, language: Language, values: dict[str, str]) -> tuple[str, str]:
        if "goods" in values:
            values["goods"] = _trim(self._library.get(language, BLOCK).body.render(values))
        text = self._library.get(language, kind)
        subject = one_line(text.subject.render(values))[:MOST_SUBJECT_CHARS]
        body = _trim(text.body.render(values))
        if kind not in UNFRAMED:
            body = _trim(self._library.get(language, FRAME).body.render({**values, "body": body}))
        return subject, f"{body}\n"


def _trim(text: str) -> str:
    """Return a text without blank lines at its ends and without spaces at the ends of its lines."""
    return "\n".join(line.rstrip() for line in text.strip("\n").split("\n"))


def load_texts(own: Path | None, *, shop: Mapping[str, str]) -> Texts:
    """Return the texts of a shop; `own` is its folder. Raises ConfigError with every problem of every file."""
    return Texts(Library(own), shop=shop)
