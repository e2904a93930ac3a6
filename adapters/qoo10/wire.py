"""What Qoo10 says, and what that means: envelopes, result codes, rows, dates. Pure, nothing here waits.

Facts (QAPI guide for Japan, result codes, 2026): business errors, faults of the gateway and refused keys all come with
HTTP status 200, in one of two envelopes: `ResultCode`, `ResultMsg`, `ResultObject`, or `ErrorCode`, `ErrorMsg`. Codes
and numbers come as numbers or as texts; names of fields differ in case between versions of a method. A key that is
wrong or has expired is answered like a method that does not exist (-90001).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any, Final

from syncd.sdk import strict
from syncd.sdk.channel import Instant, Span
from syncd.sdk.errors import AuthError, ChannelError, ProtocolError, RejectedError, TransientError
from syncd.sdk.secret import sample

SECOND_US = 1_000_000
DAY_US = 86_400 * SECOND_US
JST: Final = timezone(timedelta(hours=9))
"""Japan has one time and no daylight saving."""

DONE = 0
SOME_FAILED = -1
"""Of a bulk write at least one row failed."""
NOT_FOUND = -10001
BAD_INPUT = -10002
WRONG_STATE = -10004
PROCESSING = -10101
ALREADY_CONFIRMED = -10012

_AUTH: Final = frozenset({-10000, -90000, -90001, -90002, -90003, -90004, -90005})
_MEANINGS: Final[Mapping[int, str]] = {
    -1: "at least one row failed",
    -2: "more than 500 rows",
    -10: "a required field is missing",
    -99: "a required field is missing",
    -999: "a field is missing",
    -10000: "the seller authorisation key is refused",
    -10001: "not found",
    -10002: "a date or another input is refused",
    -10003: "a period is longer than 90 days, or an input is refused",
    -10004: "not allowed in this state",
    -10011: "more than 500 rows",
    -10012: "confirmed already",
    -10013: "the order does not wait for a confirmation",
    -10016: "the ship-by date is missing",
    -10017: "the ship-by date is later than Qoo10 takes",
    -10018: "the ship-by date is in the past",
    -10101: "a fault in processing",
    -90000: "access denied",
    -90001: "no such method, or the seller authorisation key is wrong or has ended",
    -90002: "no right to this method",
    -90003: "no right to this method",
    -90004: "the seller authorisation key has ended",
    -90005: "the seller authorisation key has ended",
}

_STATUS = re.compile(r"\((\d+)\)\s*$")
_MOMENT = re.compile(
    r"(?P<year>\d{4})[-/.](?P<month>\d\d?)[-/.](?P<day>\d\d?)"
    r"(?:[ T](?P<hour>\d\d?):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:\.\d+)?)?)?"
)
_COMPACT = re.compile(
    r"(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)(?:(?P<hour>\d\d)(?P<minute>\d\d)(?P<second>\d\d)?)?"
)
_FIRST_YEAR = 2000  # an earlier year stands for no date


class Refused(RejectedError):  # noqa: N818  (a verdict, not a fault)
    """Qoo10 answered with a result code that is not success. `code` is that code."""

    def __init__(self, place: str, code: int) -> None:
        super().__init__(f"Qoo10 {place}: {code} {_MEANINGS.get(code, 'refused')}")
        self.code = code


class ProcessingFault(TransientError):  # noqa: N818  (named as Qoo10 names it)
    """Qoo10 stumbled over a request (-10101); whether it had an effect is not said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer in either envelope: its code, and the object that came with it."""

    code: int
    content: Any = None
    gateway: bool = False


def reply(body: bytes, *, place: str) -> Reply:
    """Read an envelope.

    Raises `TransientError` for what is no JSON object (during faults pages and texts come with status 200), and
    `ProtocolError` for an object that is no envelope, or a method that Qoo10 does not know.
    """
    if body.lstrip()[:10] == b"Can't find":
        raise ProtocolError(f"Qoo10 {place}: this method is not known", sample=sample(body))
    if body.lstrip()[:1] != b"{":
        raise TransientError(f"Qoo10 {place}: an answer that is no JSON came")
    held = {name.lower(): value for name, value in strict.loads(body).items()}
    for name, gateway in (("errorcode", True), ("resultcode", False)):
        if held.get(name) is not None:
            return Reply(code=number(held[name]), content=held.get("resultobject"), gateway=gateway)
    raise ProtocolError(f"Qoo10 {place}: an answer without a result code", sample=sample(body))


def failure(found: Reply, *, place: str) -> ChannelError | None:
    """Return the error that an answer is; None for success."""
    if found.code == DONE and not found.gateway:
        return None
    message = f"Qoo10 {place}: {found.code} {_MEANINGS.get(found.code, 'refused by the gateway')}"
    if found.gateway or found.code in _AUTH:
        return AuthError(message)
    if found.code == PROCESSING:
        return ProcessingFault(message)
    return Refused(place, found.code)


# --- rows -------------------------------------------------------------------------------------------------------------


class Row:
    """One object of an answer, its fields read whatever the case of their names.

    Raises `ProtocolError` for what is no object, or does not hold what is asked for.
    """

    __slots__ = ("_held",)

    def __init__(self, value: Any) -> None:
        if not isinstance(value, Mapping):
            raise ProtocolError("Qoo10: a row that is no object")
        self._held = {str(name).lower(): held for name, held in value.items()}

    def text(self, *names: str) -> str:
        """Return the first of these fields that is there, without blanks around it; `""` where none is."""
        for name in names:
            held = self._held.get(name.lower())
            if isinstance(held, str | int | float) and not isinstance(held, bool):
                return _plain(held)
        return ""

    def needed(self, *names: str) -> str:
        """Return a text that must be there."""
        found = self.text(*names)
        if not found:
            raise ProtocolError(f"Qoo10: a row without {names[0]}")
        return found

    def number(self, *names: str) -> int:
        """Return a whole number that must be there."""
        return number(self.needed(*names))

    def moment(self, *names: str) -> Span | None:
        """Return when something happened, as wide as it is told; None where it is not."""
        found = self.text(*names)
        return moment(found) if found else None


def rows(content: Any) -> list[Row]:
    """Return the rows of an answer: a list, one object alone, or nothing."""
    if content is None or content == "":
        return []
    return [Row(value) for value in (content if isinstance(content, list) else [content])]


def _plain(value: str | float) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def number(value: Any) -> int:
    """Return a whole number that came as a number or a text; raises `ProtocolError`."""
    try:
        return int(_plain(value).replace(",", "")) if not isinstance(value, bool) else _no_number()
    except (ValueError, AttributeError):
        return _no_number()


def _no_number() -> int:
    raise ProtocolError("Qoo10: a field that should be a whole number is none")


def digit(label: str) -> int | None:
    """Return the number of a status: `On request(2)` and `2` are 2, whatever the label; None where there is none."""
    found = _STATUS.search(label)
    if found:
        return int(found.group(1))
    return int(label) if label.isascii() and label.isdigit() else None


# --- times, in Japan --------------------------------------------------------------------------------------------------


def moment(text: str) -> Span | None:
    """Return when a date says that something was: its day, its minute or its second in Japan.

    A year before 2000 stands for no date. Raises `ProtocolError` for what is no date.
    """
    found = _MOMENT.fullmatch(text) or _COMPACT.fullmatch(text)
    if found is None:
        raise ProtocolError("Qoo10: a date in a layout that is not known", sample=sample(text))
    parts = {name: int(value) for name, value in found.groupdict().items() if value is not None}
    if parts["year"] < _FIRST_YEAR:
        return None
    try:
        start = datetime(**parts, tzinfo=JST)
    except ValueError:
        raise ProtocolError("Qoo10: a date that does not exist", sample=sample(text)) from None
    length_us = SECOND_US if "second" in parts else 60 * SECOND_US if "minute" in parts else DAY_US
    earliest = round(start.timestamp()) * SECOND_US
    return Span(earliest=earliest, latest=earliest + length_us)


def japan(at: Instant) -> datetime:
    """Return the time in Japan."""
    return datetime.fromtimestamp(at / SECOND_US, UTC).astimezone(JST)


def day_start(day: date) -> Instant:
    """Return the first instant of a day in Japan."""
    return round(datetime(day.year, day.month, day.day, tzinfo=JST).timestamp()) * SECOND_US


def searched(at: Instant) -> str:
    """Return a time as searches take it: `yyyyMMddHHmmss` in Japan."""
    return japan(at).strftime("%Y%m%d%H%M%S")
