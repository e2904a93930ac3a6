"""The lists of words that make a ticket one for a person: those that come with syncd, and what the shop changes.

They stand in `config/escalation/{ja,en,zh}/`: legal.txt, anger.txt, and harmless.txt, phrases in which no word counts.
In the shop's own folder a file of the same name adds words; a line that begins with a minus takes one of ours out.
"""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Final

from syncd.core.escalation import Lexicon, UnusableWord, word
from syncd.core.tickets import Language, Sign
from syncd.letters.reading import MOST_BYTES, SUFFIX, closest
from syncd.sdk.errors import ConfigError, Problem

HARMLESS: Final = "harmless"
NAMES: Final = frozenset({*(sign.value for sign in Sign), HARMLESS})
MOST_WORDS: Final = 2_000
"""Words of one list."""


def delivered_folder() -> Path:
    """Return where the lists are that come with syncd: in the package, or beside it in the source."""
    packaged = Path(str(files("syncd"))) / "escalation"
    return packaged if packaged.is_dir() else Path(__file__).resolve().parents[2] / "config" / "escalation"


def load_lexicon(own: Path | None) -> Lexicon:
    """Return the words that count; `own` is the shop's folder. Raises ConfigError with every problem of every file."""
    problems: list[Problem] = []
    if own is not None:
        problems += _strangers(own)
    lists: dict[tuple[Language, str], tuple[str, ...]] = {}
    for language in Language:
        for name in sorted(NAMES):
            ours = _lines(delivered_folder() / language / f"{name}{SUFFIX}", problems)
            path = None if own is None else own / language / f"{name}{SUFFIX}"
            theirs = _lines(path, problems) if path is not None and path.is_file() else {}
            lists[language, name] = _merged(ours, theirs, path, problems)
    if problems:
        raise ConfigError(problems)
    words = {(language, Sign(name)): found for (language, name), found in lists.items() if name != HARMLESS}
    harmless = [text for (_, name), found in lists.items() if name == HARMLESS for text in found]
    return Lexicon(words, harmless=harmless)


def _strangers(folder: Path) -> Iterator[Problem]:
    if not folder.is_dir():
        remedy = "make it, with folders ja, en and zh in it, or take [escalation] words out"
        yield Problem(place=str(folder), message="there is no such folder", remedy=remedy)
        return
    for path in sorted(folder.glob(f"*/*{SUFFIX}")):
        if path.parent.name not in set(Language):
            yield Problem(place=str(path), message="no language of lists", remedy="use the folders ja, en and zh")
        elif path.stem not in NAMES:
            yield Problem(place=str(path), message="no list is called this", remedy=closest(path.stem, NAMES))


def _lines(path: Path, problems: list[Problem]) -> dict[str, int]:
    """Return the lines of a list with their numbers; comments and empty ones are left out."""
    try:
        raw = path.read_bytes()
        text = raw.decode("utf-8-sig")
    except OSError as error:
        remedy = "let the daemon's user read it; where it is ours, install syncd again"
        problems.append(Problem(place=str(path), message=f"cannot be read: {error.strerror}", remedy=remedy))
        return {}
    except UnicodeDecodeError:
        problems.append(Problem(place=str(path), message="not UTF-8", remedy="save it as UTF-8"))
        return {}
    found = {line.strip(): number for number, line in enumerate(text.splitlines(), 1) if _is_word(line)}
    if len(raw) > MOST_BYTES or len(found) > MOST_WORDS:
        message = f"more than {MOST_BYTES} bytes or {MOST_WORDS} words"
        problems.append(Problem(place=str(path), message=message, remedy="leave out what nobody writes"))
        return {}
    problems.extend(_unusable(path, found))
    return found


def _is_word(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _unusable(path: Path, found: dict[str, int]) -> Iterator[Problem]:
    for line, number in found.items():
        try:
            word(line.removeprefix("-").strip())
        except UnusableWord as error:
            remedy = "write one word or phrase a line, a # before a comment"
            yield Problem(place=f"{path}:{number}", message=str(error), remedy=remedy)


def _merged(
    ours: dict[str, int], theirs: dict[str, int], path: Path | None, problems: list[Problem]
) -> tuple[str, ...]:
    """Return our words without those that the shop takes out, and the shop's."""
    gone = {line.removeprefix("-").strip(): number for line, number in theirs.items() if line.startswith("-")}
    for text in sorted(set(gone) - set(ours)):
        near = get_close_matches(text, ours, n=1)
        remedy = f"did you mean {near[0]}?" if near else "take the line out"
        problems.append(
            Problem(place=f"{path}:{gone[text]}", message=f"there is no word {text} to take out", remedy=remedy)
        )
    kept = [text for text in ours if text not in gone]
    return (*kept, *(line for line in theirs if not line.startswith("-")))
