"""The texts of the command line: each there in both languages, with the same values, and no key without a text."""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from syncd import messages
from syncd.doctor import State
from syncd.web.adoption import Kind, Origin
from syncd.web.matching import Reason, Rule

ROOT = Path(__file__).resolve().parents[2]
TALKING = [*sorted((ROOT / "syncd" / "cli").glob("*.py")), ROOT / "syncd" / "doctor.py", ROOT / "syncd" / "tables.py"]


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("key", sorted(messages.texts()))
def test_both_languages_say_the_same(key: str) -> None:
    """A text is there in both languages, with the same values, and with a remedy in both or in none."""
    english, japanese = messages.texts()[key]
    assert english
    assert japanese
    assert places(english) == places(japanese)
    assert (" -> " in english) == (" -> " in japanese)


def said() -> Iterator[tuple[str, set[str]]]:
    """Yield the keys that the code names, with the values that it gives (`*` for those that cannot be told)."""
    for path in TALKING:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                yield from _said(node, node.func.attr)


def _said(node: ast.Call, name: str) -> Iterator[tuple[str, set[str]]]:
    given = {keyword.arg or "*" for keyword in node.keywords}
    for argument in node.args:
        for part in ast.walk(argument):
            if isinstance(part, ast.Constant) and isinstance(part.value, str):
                if name in {"say", "note"} and "." in part.value and not isinstance(argument, ast.JoinedStr):
                    yield part.value, given
                if name == "find" and part.value not in {"channels", "clock", "mqtt"}:
                    yield f"doctor.{part.value}", given


def known(found: Iterator[tuple[str, set[str]]]) -> list[tuple[str, set[str]]]:
    checks = {"sqlite", "settings", "data_dir", "disk", "secrets", "store", "backup", "daemon", "webhooks"}
    return [(key, given) for key, given in found if key.removeprefix("doctor.") not in checks]


def test_every_text_that_is_said_is_there() -> None:
    """The code says nothing that has no text, and gives every value that the text needs."""
    found = known(said())
    assert len(found) > 90
    for key, given in found:
        assert key in messages.texts(), key
        assert "*" in given or places(messages.texts()[key][0]) <= given, (key, given)


def heads() -> set[str]:
    """Return the headings that tables have: words of texts that begin a table."""
    found: set[str] = set()
    for path in TALKING:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "grid":
                found.update(_heads(node.args[1], path))
    return found


def _heads(node: Any, path: Path) -> set[str]:
    if isinstance(node, ast.Constant):
        return {head.removeprefix(">") for head in node.value.split()}
    given = re.findall(r'heads = "([^"]+)"', path.read_text(encoding="utf-8"))
    return {head.removeprefix(">") for text in given for head in text.split()}


def test_every_heading_has_a_text() -> None:
    """Each column of a table has a heading in both languages, and no heading is left over."""
    there = {key.removeprefix("head.") for key in messages.texts() if key.startswith("head.")}
    assert heads() == there


@pytest.mark.parametrize(
    ("table", "words"), [("mismatch", Kind), ("origin", Origin), ("finding", State), ("rule", Rule), ("misfit", Reason)]
)
def test_words_of_the_code_have_texts(table: str, words: Any) -> None:
    """Each word that the daemon answers has a text for people, and there is none for others."""
    there = {key.removeprefix(f"{table}.") for key in messages.texts() if key.startswith(f"{table}.")}
    assert there == {str(word) for word in words}
