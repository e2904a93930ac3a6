"""Words of a text that look like order numbers of any channel; pure, and nothing else of the text comes out."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["MOST_WORDS", "order_words"]

MOST_WORDS: Final = 20
"""A text with more of them is no letter about an order."""
LEAST_DIGITS: Final = 4

_WIDE: Final = {wide: wide - 0xFEE0 for wide in range(0xFF01, 0xFF5F)} | dict.fromkeys(
    map(ord, "\u2010\u2011\u2012\u2013\u2014\u2212"), ord("-")
)
"""Full-width letters and digits, and the dashes that keyboards make of a hyphen."""
_WORD: Final = re.compile(r"(?<![A-Za-z0-9@._/+-])#?[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*(?![A-Za-z0-9@_/])(?!-[A-Za-z0-9])")
_NO_ORDER: Final = re.compile(
    r"""(?x)
    \d{4}-\d{1,2}-\d{1,2}               # a day
    | \d{3}-\d{4}                       # a postal code
    | 0\d{1,4}-?\d{1,4}-?\d{3,4}        # a telephone number of Japan
    | (?:81|86|1)-\d{1,4}-\d{1,4}-\d{3,4}
    """
)


def order_words(text: str) -> tuple[str, ...]:
    """Return the words of a text that may be order numbers, each once, in their order; at most `MOST_WORDS`.

    A word has at least four digits. Days, postal codes and telephone numbers are left out.
    """
    plain = text.translate(_WIDE)
    found = (match.group() for match in _WORD.finditer(plain))
    return tuple(dict.fromkeys(word for word in found if _may_be(word)))[:MOST_WORDS]


def _may_be(word: str) -> bool:
    return sum(char.isdigit() for char in word) >= LEAST_DIGITS and not _NO_ORDER.fullmatch(word)
