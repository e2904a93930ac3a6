"""The lists of words for a person: those that come with syncd, and what a shop changes of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncd.core.placeholders import PLACES
from syncd.core.tickets import Language, MessageKind, Sign
from syncd.letters import load_lexicon, load_texts
from syncd.letters.samples import sample
from syncd.sdk.errors import ConfigError


def write(folder: Path, name: str, text: str | bytes) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)


def test_every_language_has_words_of_its_own() -> None:
    """The lists that come with syncd can be used, and each has dozens of words."""
    lexicon = load_lexicon(None)
    for language in Language:
        for sign in Sign:
            assert len(lexicon.words(language, sign)) > 25, (language, sign)


@pytest.mark.parametrize("language", Language)
def test_no_letter_of_ours_is_a_sign(language: Language) -> None:
    """A customer who quotes one of our letters whole does not become one for a person by it."""
    lexicon, texts = load_lexicon(None), load_texts(None, shop={"name": "みどり茶舗"})
    for kind in MessageKind:
        if kind in PLACES and kind is not MessageKind.PHONE_SCRIPT:
            letter = texts.letter(kind, language, sample(kind, language))
            assert not lexicon.signs(f"{letter.subject}\n{letter.body}"), (kind, letter.body)


def test_a_shop_adds_words_and_takes_ours_out(tmp_path: Path) -> None:
    """A line of the shop's is added, one that begins with a minus takes one of ours out; the others stay."""
    write(tmp_path, "en/legal.txt", "\ufeff# our own\r\nsolicit*\r\n-police\r\n")
    write(tmp_path, "ja/harmless.txt", "弁護士カバー\n")
    lexicon = load_lexicon(tmp_path)
    assert lexicon.signs("we solicited an opinion") == {Sign.LEGAL}
    assert lexicon.signs("a police radio") == frozenset()
    assert lexicon.signs("弁護士カバーの傘") == frozenset()
    assert lexicon.signs("弁護士に頼む") == lexicon.signs("lawsuit") == {Sign.LEGAL}


def test_every_fault_is_told_with_its_line(tmp_path: Path) -> None:
    """Names, languages, signs, lines and words to take out that are not there: all at once, with a remedy."""
    write(tmp_path, "en/legal.txt", "fine word\nla*w\n-polise\n-nothing like it\n")
    write(tmp_path, "en/angry.txt", "x")
    write(tmp_path, "fr/legal.txt", "avocat")
    write(tmp_path, "zh/anger.txt", b"\xff\xfe")
    write(tmp_path, "ja/anger.txt", "怒\n" * 1 + "\n".join(f"怒り{number}" for number in range(2_100)))
    with pytest.raises(ConfigError) as told:
        load_lexicon(tmp_path)
    problems = {problem.place.removeprefix(f"{tmp_path}/"): problem for problem in told.value.problems}
    assert set(problems) == {
        "en/angry.txt",
        "fr/legal.txt",
        "en/legal.txt:2",
        "en/legal.txt:3",
        "en/legal.txt:4",
        "zh/anger.txt",
        "ja/anger.txt",
    }
    assert problems["en/angry.txt"].remedy == "did you mean anger?"
    assert problems["en/legal.txt:3"].remedy == "did you mean police?"
    assert problems["en/legal.txt:4"].remedy == "take the line out"


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    """A wrong path of the settings is no empty folder."""
    with pytest.raises(ConfigError, match="no such folder"):
        load_lexicon(tmp_path / "missing")
