"""Days, moments and amounts in the words of a language, and values that are fit for a text. Pure."""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Final

from syncd.core.tickets import Language

MOST_CHARS: Final = 2_000
"""Longest value that a text is filled with."""

_WEEKDAYS: Final = {Language.JA: "月火水木金土日", Language.ZH: "一二三四五六日"}
_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_WHOLE: Final = frozenset({"JPY", "KRW", "TWD"})
"""Currencies that are told without decimals."""
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d")


def day_words(text: str, language: Language) -> str:
    """Return `2026-12-01`, or `2026-12-01T18:00+09:00`, as people say it; any other text as it is."""
    try:
        if _DAY.fullmatch(text):
            return _day(date.fromisoformat(text), language)
        moment = datetime.fromisoformat(text) if _DAY.match(text) else None
    except ValueError:
        return text
    return text if moment is None else _moment(moment, language)


def _day(day: date, language: Language) -> str:
    if language is Language.EN:
        return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"
    weekday = _WEEKDAYS[language][day.weekday()]
    shown = f"（{weekday}）" if language is Language.JA else f"（星期{weekday}）"
    return f"{day.year}年{day.month}月{day.day}日{shown}"


def _moment(moment: datetime, language: Language) -> str:
    day, clock = _day(moment.date(), language), f"{moment:%H:%M}"
    return f"{day}, {clock}" if language is Language.EN else f"{day}{clock}"


def money_words(text: str, currency: str, language: Language) -> str:
    """Return a decimal amount as people write it; any other text as it is."""
    try:
        amount = Decimal(text)
    except InvalidOperation:
        return text
    if not amount.is_finite():
        return text
    whole = currency in _WHOLE or (not currency and amount == amount.to_integral_value())
    shown = f"{amount:,.0f}" if whole else f"{amount:,.2f}"
    if currency == "JPY":
        return {Language.JA: f"{shown}円", Language.EN: f"JPY {shown}", Language.ZH: f"{shown}日元"}[language]
    return f"{currency} {shown}".strip()


def one_line(text: str) -> str:
    """Return a value on one line, without control characters and no longer than a text can bear."""
    return " ".join(block(text).split())


def block(text: str) -> str:
    """Return a value that may have several lines, without other control characters."""
    kept = "".join(char for char in text.replace("\r\n", "\n") if char == "\n" or char.isprintable())
    return kept[:MOST_CHARS].strip()
