"""What alerts say: both languages say the same, and say it with what the engine gives."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest

import syncd.engine
from syncd.edges.alert_texts import LANGUAGES, MOST_CHARS, PHRASES, TEXTS, line, text
from syncd.store.alerts import KINDS, Alert

ENGINE = Path(syncd.engine.__path__[0])


def fields(sentence: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(sentence) if name is not None}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_kind_has_words(language: str) -> None:
    """Every kind of alert has a title and a sentence in every language."""
    assert set(TEXTS[language]) == KINDS
    assert all(words.title and words.sentence for words in TEXTS[language].values())
    assert fields(PHRASES[language].several) == fields(PHRASES[language].more) == {"count"}


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_languages_tell_the_same_facts(kind: str) -> None:
    """A sentence uses the same values in every language."""
    assert len({frozenset(fields(TEXTS[language][kind].sentence)) for language in LANGUAGES}) == 1


def alarms() -> Iterator[tuple[str, str, set[str]]]:
    """Find `work.alarm("kind", key, name=...)` in the engine."""
    for path in sorted(ENGINE.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "alarm":
                kind = node.args[0]
                assert isinstance(kind, ast.Constant), f"{path.name}:{node.lineno}"
                yield f"{path.name}:{node.lineno}", str(kind.value), {word.arg or "" for word in node.keywords}


def test_the_engine_gives_the_values_that_its_alerts_need() -> None:
    """Wherever the engine raises an alarm it gives at least the values of that kind's sentence."""
    found = list(alarms())
    assert len(found) >= 4
    short = [(place, kind) for place, kind, names in found if not fields(TEXTS["en"][kind].sentence) <= names]
    assert short == []


def test_a_text_is_filled_in() -> None:
    """The sentence of a kind takes its values, and a missing one is an error."""
    assert text("disk", "ja", free_mb=7) == "台帳の保存先の残りは7 MBです"
    with pytest.raises(KeyError):
        text("disk", "en")


LINES = [
    (Alert(kind="low_stock", key="A", text="", values={"sku": "A", "available": 2}), False, "Low stock: A: 2 left"),
    (Alert(kind="oversell", key="A", text="two short"), False, "Oversold: A: two short"),
    (Alert(kind="oversell", key="A", text=""), False, "Oversold: A"),
    (Alert(kind="oversell", key="A", text="two short"), True, "Over: Oversold: A"),
    (Alert(kind="novel", key="A", text="what"), False, "novel: A: what"),
    (Alert(kind="oversell", key="{0.__class__}", text="{x}"), False, "Oversold: {0.__class__}: {x}"),
    (Alert(kind="oversell", key="a\r\nb\x00\u2028c", text=""), False, "Oversold: a b c"),
]  # fmt: skip


@pytest.mark.parametrize(("alert", "over", "expected"), LINES)
def test_an_alert_is_one_plain_line(alert: Alert, expected: str, *, over: bool) -> None:
    """With its values an alert is its sentence, without them its plain text, always on one line."""
    assert line(alert, over=over, language="en") == expected


def test_a_long_line_is_cut() -> None:
    """No alert is longer than a person reads."""
    cut = line(Alert(kind="disk", key="x" * 2_000, text=""), over=False, language="en")
    assert (len(cut), cut[-1]) == (MOST_CHARS, "…")
