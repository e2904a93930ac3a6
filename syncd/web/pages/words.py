"""What the pages say, in English and Japanese (`words.toml`), and how they write numbers, lags and times."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any, Final, Literal, TypeAlias, get_args
from zoneinfo import ZoneInfo

Language: TypeAlias = Literal["en", "ja"]
LANGUAGES: Final[tuple[Language, ...]] = get_args(Language)
NAMES: Final[Mapping[Language, str]] = {"en": "English", "ja": "日本語"}
MINUS: Final = "\N{MINUS SIGN}"


def text(key: str, language: Language, **values: object) -> str:
    """Return the text of a key, such as `now.title`, with the values in it; raises KeyError for an unknown one."""
    return texts()[key][LANGUAGES.index(language)].format(**values)


@cache
def texts() -> Mapping[str, tuple[str, ...]]:
    """Return all texts by key, in the order of LANGUAGES."""
    raw = files(__package__).joinpath("words.toml").read_text(encoding="utf-8")
    return dict(_flat(tomllib.loads(raw), ""))


def _flat(table: Mapping[str, Any], path: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{path}{name}.")
        else:
            yield f"{path}{name}", tuple(value)


def preferred(header: str) -> Language | None:
    """Return the first language of an Accept-Language header that the pages speak (RFC 9110, 12.5.4)."""
    wishes: list[tuple[float, int, str]] = []
    for place, wish in enumerate(header.split(",")[:20]):
        tag, _, weight = wish.strip().partition(";q=")
        try:
            wishes.append((-float(weight or 1), place, tag.strip().lower().partition("-")[0]))
        except ValueError:
            continue
    spoken = [language for weight, _, tag in sorted(wishes) for language in LANGUAGES if tag == language and weight < 0]
    return spoken[0] if spoken else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Speech:
    """The words of one language, and times in one zone, as of `now`."""

    language: Language
    zone: ZoneInfo
    now: datetime

    def say(self, key: str, **values: object) -> str:
        """Return the text of a key."""
        return text(key, self.language, **values)

    def word(self, family: str, key: str, **values: object) -> str:
        """Return the text of one of a family of states; a state that has none stands as it is."""
        name = f"{family}.{key}"
        return self.say(name, **values) if name in texts() else " ".join([key, *map(str, values.values())])

    def value(self, found: object) -> str:
        """Return a value of a setting: a number in groups, a mark for yes, any other as it is."""
        if isinstance(found, bool):
            return "\N{CHECK MARK}" if found else "–"
        return self.number(found) if isinstance(found, int) else str(found)

    def number(self, value: int | None) -> str:
        """Return a number in groups of three; a dash for none."""
        if value is None:
            return "–"
        return f"{value:,}".replace("-", MINUS)

    def money(self, amount: str) -> str:
        """Return a decimal text with its whole part in groups of three; a dash for none."""
        whole, point, rest = amount.partition(".")
        return f"{int(whole):,}{point}{rest}" if whole.isascii() and whole.isdigit() else amount or "–"

    def lag(self, seconds: float | None) -> str:
        """Return a duration, as coarse as it is long."""
        if seconds is None:
            return "–"
        if seconds < 0.05:
            return self.say("lag.tenths", value="< 0.1")
        for bound, unit, key in (
            (10, 1, "tenths"),
            (120, 1, "seconds"),
            (7_200, 60, "minutes"),
            (172_800, 3_600, "hours"),
        ):
            if seconds < bound:
                return self.say(f"lag.{key}", value=f"{seconds / unit:.{1 if key == 'tenths' else 0}f}")
        return self.say("lag.days", value=f"{seconds / 86_400:.0f}")

    def ago(self, moment: datetime | None) -> str:
        """Return how long ago a moment was."""
        if moment is None:
            return self.say("lag.never")
        return self.say("lag.ago", lag=self.lag(max(0.0, (self.now - moment).total_seconds())))

    def clock(self, moment: datetime | None) -> str:
        """Return a moment in the shop's zone: the time of today, else the day too, else the year too."""
        if moment is None:
            return "–"
        here, now = moment.astimezone(self.zone), self.now.astimezone(self.zone)
        if here.date() == now.date():
            return here.strftime("%H:%M:%S")
        return here.strftime("%m-%d %H:%M" if here.year == now.year else "%Y-%m-%d")

    def full(self, moment: datetime | None) -> str:
        """Return a moment in the shop's zone, whole."""
        return "–" if moment is None else moment.astimezone(self.zone).strftime("%Y-%m-%d %H:%M:%S %Z")
