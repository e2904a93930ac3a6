"""Who must answer: what shows that a ticket is one for a person, and how soon.

The words of a customer are looked through and never kept: what is left of them is a `Sign`. A miss is worse than a
false alarm, so the words of all languages count in every text, whatever language is stated.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Final

from syncd.core.terms import SECOND_US, Instant
from syncd.core.tickets import Language, Priority, Sign

MOST_CHARS: Final = 20_000
"""So much of a message is looked through."""
MOST_SIGNATURE: Final = 10
"""What follows a drawn line is a signature where it has no more lines than this."""
APART_US: Final = 3_600 * SECOND_US
"""Messages that follow each other closer than this are one contact."""
DAY_US: Final = 86_400 * SECOND_US


class Reason(StrEnum):
    """Why a ticket is one for a person. DESK: somebody, or a rule, marked it at the desk."""

    LEGAL = "legal"
    ANGER = "anger"
    AMOUNT = "amount"
    REPEAT = "repeat"
    DESK = "desk"


# --- words ---------------------------------------------------------------------------------------------------------


class UnusableWord(ValueError):  # noqa: N818  (what it is)
    """A word that cannot be looked for; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A word or phrase to look for. `stem` finds it at the beginning of longer words too.

    Words of Latin letters and digits stand between other signs; of others (Japanese, Chinese) any place is theirs, over
    the ends of lines too.
    """

    text: str
    stem: bool = False

    @property
    def latin(self) -> bool:
        """Say whether it stands between spaces."""
        return self.text.isascii()

    @property
    def pattern(self) -> str:
        """Return what finds a Latin one in a text as `plain` makes them."""
        # A number is no part of a longer one, and none with a sign before it: `#12315` is an order.
        edge = "a-z0-9_#-" if self.text[0].isdigit() else "a-z0-9_"
        end = "" if self.stem else f"(?![{edge}])"
        return f"(?<![{edge}]){re.escape(self.text)}{end}"


def word(text: str) -> Word:
    """Return the word of a line of a list; a star at its end makes a stem. Raises UnusableWord."""
    stem = text.endswith("*")
    found = Word(text=plain(text.removesuffix("*")).strip(), stem=stem)
    if "*" in found.text:
        raise UnusableWord("a star stands at the end alone")
    if len(found.text) < 2:
        raise UnusableWord("a word has two signs at least")
    if stem and not found.latin:
        raise UnusableWord("words of these signs are found anywhere; leave the star out")
    return found


_KANA: Final = {code: code - 0x60 for code in range(0x30A1, 0x30F7)}
_UNSEEN: Final = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
_QUOTES: Final = {0x2018: "'", 0x2019: "'", 0x02BC: "'", 0x2010: "-", 0x2011: "-"}


def plain(text: str) -> str:
    """Return a text in one spelling: width and case folded, katakana as hiragana, no invisible signs, single spaces."""
    wide = unicodedata.normalize("NFKC", text.translate(_QUOTES)).casefold().translate(_KANA)
    return re.sub(r"\s+", " ", _UNSEEN.sub("", wide))


def _joined(text: str) -> str:
    return text.replace(" ", "")


class Lexicon:
    """The words of all languages. `words` are those of a language and sign, as they were listed."""

    def __init__(
        self, words: Mapping[tuple[Language, Sign], Sequence[str]] | None = None, *, harmless: Iterable[str] = ()
    ) -> None:
        """Make one; `harmless` are phrases in which no word counts. Raises UnusableWord."""
        self._listed = {key: tuple(found) for key, found in (words or {}).items()}
        phrases = [word(text) for text in harmless]
        self._phrases = tuple(one.text for one in phrases)
        self._harmless = _Finder(phrases)
        self._finders = {
            sign: _Finder(word(text) for (_, one), texts in self._listed.items() if one is sign for text in texts)
            for sign in Sign
        }

    def words(self, language: Language, sign: Sign) -> tuple[str, ...]:
        """Return the words of a language that are a sign."""
        return self._listed.get((language, sign), ())

    def sure_words(self, language: Language, sign: Sign) -> tuple[Word, ...]:
        """Return those of its words that no harmless phrase has in it, for who cannot look for such phrases."""
        found = (word(text) for text in self.words(language, sign))
        return tuple(one for one in found if not any(one.text in phrase for phrase in self._phrases))

    def signs(self, text: str) -> frozenset[Sign]:
        """Return what a customer's message shows; quoted mails and signatures in it do not count."""
        cleared = self._harmless.without(plain(own_words(text[:MOST_CHARS])))
        return frozenset(sign for sign, finder in self._finders.items() if finder.finds(cleared))


@dataclass(frozen=True, slots=True)
class _Views:
    """A text with its spaces, and without any."""

    spaced: str
    joined: str


class _Finder:
    """Looks for any of some words: first for their signs alone, which is quick, then for where they stand."""

    def __init__(self, words: Iterable[Word]) -> None:
        found = sorted(set(words), key=lambda one: (-len(one.text), one.text))
        self._latin = [(one.text, re.compile(one.pattern)) for one in found if one.latin]
        self._other = [_joined(one.text) for one in found if not one.latin]

    def finds(self, views: _Views) -> bool:
        return any(text in views.joined for text in self._other) or any(
            text in views.spaced and pattern.search(views.spaced) for text, pattern in self._latin
        )

    def without(self, text: str) -> _Views:
        """Return a text with what it finds cut out."""
        for word, pattern in self._latin:
            if word in text:
                text = pattern.sub(" | ", text)
        joined = _joined(text)
        for word in self._other:
            joined = joined.replace(word, "|")
        return _Views(spaced=text, joined=joined)


# --- a customer's own words ------------------------------------------------------------------------------------------

_QUOTED: Final = re.compile(r"^\s*[>＞].*$", re.MULTILINE)
_HEADS: Final = re.compile(
    r"""
      ^[ \t]*-{2,}\s*(original\ message|forwarded\ message|元のメッセージ|転送|原始邮件|原始郵件).*$
    | ^[ \t]*on\s[^\n]{4,200}(\n[^\n]{0,120})?\bwrote:[ \t]*$
    | ^[^\n]{0,12}\d{4}[年/-]\d{1,2}[月/-]\d{1,2}[^\n]{0,160}(\n[^\n]{0,120})?
      (<[^\n<>]+@[^\n<>]+>|写道|寫道|のメール)[ \t]*[:：][ \t]*$
    | ^[ \t]*(from|差出人|送信者|发件人|寄件者)[ \t]*[:：][^\n]*\n([^\n]*\n){0,2}
      [ \t]*(sent|date|to|送信日時|日時|宛先|发送时间|收件人|寄件日期)[ \t]*[:：]
    """,
    re.IGNORECASE | re.MULTILINE | re.VERBOSE,
)
_SIGNATURE: Final = re.compile(r"^--[ \t]*$", re.MULTILINE)
_RULE: Final = re.compile(r"^[ \t　]*[-=_*~+━─═＊＝〜～☆★◆◇■□●○・]{5,}[ \t　]*$", re.MULTILINE)


def own_words(text: str) -> str:
    """Return what a customer wrote themselves: without quoted lines, the mail below, and a signature.

    What stands between or below quoted lines is kept; a mail below that is not marked as quoted is cut off, unless
    nothing stands above it.
    """
    text = text.replace("\r\n", "\n")
    head = _HEADS.search(text)
    if head is not None:
        above, below = text[: head.start()], text[head.end() :]
        quoted = _QUOTED.match(below.lstrip("\n")) is not None
        text = above if above.strip() and not quoted else f"{above}\n{below}"
    text = _QUOTED.sub("", text)
    end = _SIGNATURE.search(text)
    return _unsigned(text if end is None else text[: end.start()])


def _unsigned(text: str) -> str:
    """Return a text without the lines below the first drawn line that has few below it, and something above it."""
    for rule in _RULE.finditer(text):
        below = [line for line in text[rule.end() :].split("\n") if line.strip()]
        if len(below) <= MOST_SIGNATURE and text[: rule.start()].strip():
            return text[: rule.start()]
    return text


# --- the decision ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """From where on a person answers. `amounts` by currency; `contacts` within `window_us` (0: never for that)."""

    amounts: Mapping[str, Decimal] = field(default_factory=dict)
    contacts: int = 0
    window_us: int = 7 * DAY_US


def contacts(times: Iterable[Instant], *, since: Instant) -> int:
    """Return how often a customer got in touch after a moment; messages within an hour of each other are one."""
    count, last = 0, None
    for at in sorted(set(times)):
        if at <= since:
            continue
        if last is None or at - last > APART_US:
            count += 1
        last = at
    return count


def exceeds(amount: str, currency: str, limits: Limits) -> bool:
    """Say whether an amount (decimal text) reaches the limit of its currency; without a limit none does."""
    limit = limits.amounts.get(currency)
    if limit is None or not amount:
        return False
    try:
        return Decimal(amount) >= limit
    except InvalidOperation:
        return False


def reasons(
    *, signs: Iterable[Sign] = (), amount: str = "", currency: str = "", touched: int = 0, limits: Limits
) -> frozenset[Reason]:
    """Say why a person has to answer, nothing where none has; `touched` is how often the customer got in touch."""
    found = {Reason(sign.value) for sign in signs}
    if exceeds(amount, currency, limits):
        found.add(Reason.AMOUNT)
    if limits.contacts and touched >= limits.contacts:
        found.add(Reason.REPEAT)
    return frozenset(found)


def priority(found: Iterable[Reason]) -> Priority:
    """Return how soon a person should look: at once where the law or several reasons are named."""
    kinds = frozenset(found)
    return Priority.URGENT if Reason.LEGAL in kinds or len(kinds) > 1 else Priority.HIGH


__all__ = [
    "DAY_US",
    "Lexicon",
    "Limits",
    "Reason",
    "UnusableWord",
    "Word",
    "contacts",
    "exceeds",
    "own_words",
    "plain",
    "priority",
    "reasons",
    "word",
]
