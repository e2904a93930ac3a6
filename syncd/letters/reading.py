"""Read the files of texts and hold each against what its kind may be filled with; every fault is told with its line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Final, TypeAlias

import jinja2
from jinja2 import nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from syncd.core.placeholders import GOODS, PAYMENTS, PLACES, SHOP, Places
from syncd.core.tickets import Language
from syncd.sdk.errors import ConfigError, Problem

SUFFIX: Final = ".txt"
SUBJECT: Final = "Subject:"
MOST_BYTES: Final = 64_000
"""Longest file of a text."""
MOST_SUBJECT_CHARS: Final = 150
FRAME: Final = "frame"
BLOCK: Final = "goods"

Key: TypeAlias = tuple[Language, str]
"""Language and name of a text: a kind of letter, `frame` (what stands around a body) or `goods`."""

PARTS: Final[Mapping[str, Places]] = {
    FRAME: Places(needed=frozenset({"body"}), optional=SHOP, told=frozenset({"body"})),
    BLOCK: Places(needed=GOODS - {"order_number"}, optional=SHOP | {"order_number"}, told=frozenset({"product"})),
}
NAMES: Final[Mapping[str, Places]] = {**{kind.value: places for kind, places in PLACES.items()}, **PARTS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A text that was read: where it stands and its templates; `subject` is empty for a part. `own`: the shop's."""

    path: Path
    own: bool
    subject: jinja2.Template
    body: jinja2.Template


class Unusable(Exception):  # noqa: N818  (an answer, not a fault of ours)
    """A text cannot be used; `problems` say why."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(str(problems[0]))
        self.problems = problems


SPACE: Final = ImmutableSandboxedEnvironment(  # letters are plain text: there is no HTML to escape
    undefined=jinja2.StrictUndefined, autoescape=False, trim_blocks=True, lstrip_blocks=True
)
"""Where texts are rendered: no loader, nothing of Python's inside, and nothing undefined passes."""


def delivered_folder() -> Path:
    """Return where the texts are that come with syncd: in the package, or beside it in the source."""
    packaged = Path(str(files("syncd"))) / "templates"
    return packaged if packaged.is_dir() else Path(__file__).resolve().parents[2] / "config" / "templates"


class Library:
    """All texts: the shop's own, each held against its kind at once, and ours, which are read when they are wanted.

    Raises ConfigError with every problem of every file of the shop's, or where one of ours is not there.
    """

    def __init__(self, own: Path | None) -> None:
        problems: list[Problem] = []
        self._ours = delivered_folder()
        self._read: dict[Key, Text] = {}
        if own is not None:
            self._read = dict(_read_folder(own, problems))
        problems.extend(self._lost())
        if problems:
            raise ConfigError(problems)

    def get(self, language: Language, name: str) -> Text:
        """Return a text: a kind of letter, `frame` or `goods`."""
        found = self._read.get((language, name))
        if found is None:
            found = self._read[language, name] = read_text(self._path(language, name), name, own=False)
        return found

    def _path(self, language: Language, name: str) -> Path:
        return self._ours / language / f"{name}{SUFFIX}"

    def _lost(self) -> Iterator[Problem]:
        for language, name in _wanted():
            if not self._path(language, name).is_file():
                place = str(self._path(language, name))
                yield Problem(place=place, message="this text is missing", remedy="install syncd again")


def _wanted() -> list[Key]:
    return [(language, name) for language in Language for name in NAMES]


def _read_folder(folder: Path, problems: list[Problem]) -> Iterator[tuple[Key, Text]]:
    if not folder.is_dir():
        problems.append(
            Problem(
                place=str(folder),
                message="there is no such folder",
                remedy="make it, with folders ja, en and zh in it, or take [letters] templates out",
            )
        )
        return
    problems.extend(_strangers(folder))
    for language, name in _wanted():
        path = folder / language / f"{name}{SUFFIX}"
        if path.is_file():
            try:
                yield (language, name), read_text(path, name, own=True)
            except Unusable as fault:
                problems.extend(fault.problems)


def _strangers(folder: Path) -> Iterator[Problem]:
    """Tell of files whose name is that of no text: a slip there would leave the delivered text in use."""
    for path in sorted(folder.glob(f"*/*{SUFFIX}")):
        if path.parent.name not in set(Language):
            yield Problem(place=str(path), message="no language of letters", remedy="use the folders ja, en and zh")
        elif path.stem not in NAMES:
            yield Problem(place=str(path), message="no letter is called this", remedy=closest(path.stem, NAMES))


def closest(word: str, known: Mapping[str, object] | frozenset[str]) -> str:
    """Return the likeliest of the known words, or all of them."""
    near = get_close_matches(word, sorted(known), n=1, cutoff=0.6)
    return f"did you mean {near[0]}?" if near else f"known: {', '.join(sorted(known))}"


# --- one file --------------------------------------------------------------------------------------------------------


def read_text(path: Path, name: str, *, own: bool) -> Text:
    """Return one text; raises Unusable with every problem of it."""
    source = _source(path)
    subject, body = ("", source) if name in PARTS else _split(path, source)
    offset = source[: len(source) - len(body)].count("\n")
    checked = [("subject", subject, 0), ("body", body, offset)]
    problems = [fault for _, text, line in checked for fault in _faults(path, text, line, NAMES[name])]
    if not problems:
        problems = list(_untold(path, subject + body, NAMES[name]))
    if problems:
        raise Unusable(problems)
    text = Text(path=path, own=own, subject=SPACE.from_string(subject), body=SPACE.from_string(body))
    if problems := list(_trials(text, name)):
        raise Unusable(problems)
    return text


def _source(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise _unusable(path, f"cannot be read: {error.strerror}", "let the daemon's user read it") from None
    if len(raw) > MOST_BYTES:
        raise _unusable(path, f"longer than {MOST_BYTES} bytes", "shorten it")
    try:
        return raw.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError:
        raise _unusable(path, "not UTF-8", "save it as UTF-8") from None


def _split(path: Path, source: str) -> tuple[str, str]:
    """Return the subject's template and the body's."""
    first, _, rest = source.partition("\n")
    subject = first.removeprefix(SUBJECT).strip()
    if not first.startswith(SUBJECT) or not subject:
        raise _unusable(path, "the first line is no subject", f"begin the file with `{SUBJECT} ...`", 1)
    if not rest.strip():
        raise _unusable(path, "there is no text below the subject", "write the letter below an empty line", 1)
    return subject, rest.lstrip("\n")


def _unusable(path: Path, message: str, remedy: str, line: int = 0) -> Unusable:
    place = f"{path}:{line}" if line else str(path)
    return Unusable([Problem(place=place, message=message, remedy=remedy)])


def _faults(path: Path, source: str, offset: int, places: Places) -> Iterator[Problem]:
    """Answer what does not parse, and names that nothing fills."""
    try:
        tree = SPACE.parse(source)
        SPACE.compile(tree)
    except jinja2.TemplateSyntaxError as error:
        yield Problem(
            place=f"{path}:{error.lineno + offset}",
            message=error.message or "this cannot be understood",
            remedy="write {{ name }}, {% if name %} and {% endif %}",
        )
        return
    made = {node.name for node in tree.find_all(nodes.Name) if node.ctx == "store"}
    for node in tree.find_all(nodes.Name):
        if node.ctx == "load" and node.name not in places.known | made and node.name not in SPACE.globals:
            yield Problem(
                place=f"{path}:{node.lineno + offset}",
                message=f"nothing is called {node.name}",
                remedy=closest(node.name, places.known),
            )


def _untold(path: Path, source: str, places: Places) -> Iterator[Problem]:
    used = {node.name for node in SPACE.parse(source).find_all(nodes.Name)}
    for name in sorted(places.told - used):
        yield Problem(
            place=str(path), message=f"the text never tells {name}", remedy=f"write {{{{ {name} }}}} where it belongs"
        )


def _trials(text: Text, name: str) -> Iterator[Problem]:
    """Render a text with all values, with the needed ones alone, and for each way of paying."""
    places = NAMES[name]
    blank = dict.fromkeys(places.known, "")
    bare = blank | dict.fromkeys(places.needed | {"shop_name", "goods"}, "x")
    full = dict.fromkeys(places.known, "x")
    ways = [full | {"payment": way} for way in PAYMENTS] if "payment" in places.optional else [full]
    for values in (bare, *ways):
        try:
            subject = text.subject.render(values)
            body = text.body.render(values)
        except (jinja2.TemplateError, ArithmeticError, TypeError, ValueError, LookupError) as error:
            yield Problem(place=str(text.path), message=f"cannot be filled in: {error}", remedy="use plain {{ name }}")
            return
        if not body.strip() or not (subject.strip() or name in PARTS):
            yield Problem(
                place=str(text.path),
                message="subject or text is empty when optional values are",
                remedy="leave something outside of {% if %}",
            )
            return
