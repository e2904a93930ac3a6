"""Commands from a shop's own systems: one JSON object is one movement, count, delivery or arrival. Pure.

| command | meaning | quantity |
|---|---|---|
| `movement` | units came or went (`"kind": "adjust"`), or broke (`"kind": "damage"`) | not 0, negative goes out |
| `count` | somebody counted (`"counted": "on_hand"` or `"available"`) | 0 or more |
| `delivery` | goods came in | 1 or more |
| `arrival` | the line of a purchase order (`number`) as it is now | 0 or more, 0 takes it back |

All have `request_id`, `sku`, `quantity` and may have `location` and `actor`. The first three may have `reason` and `at`
(RFC 3339 with an offset; left out: now), an arrival has `number` and may have `expected` (a day as 2026-12-01; left
out: nobody knows). Any other field is refused: a misspelt one must not be lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta

from syncd.core.facts import Counted, CountFact, CountRow, Fact, MoveFact, MoveRow, StockMove
from syncd.core.terms import SECOND_US, UNPLACED, Instant, Location, Sku
from syncd.core.waitlist import ArrivalFact, ArrivalRow
from syncd.sdk import strict
from syncd.sdk.errors import ProtocolError

MOST_BYTES: Final = 65_536
"""The largest command."""

MOST_UNITS: Final = 1_000_000_000

MOST_AHEAD_US: Final = 300 * SECOND_US
"""How far the sender's clock may be ahead of ours."""

_ID: Final = r"^[A-Za-z0-9._~:@=-]{1,128}\Z"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_RequestId: TypeAlias = Annotated[str, Meta(pattern=_ID)]
_Sku: TypeAlias = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]*\Z")]
_Word: TypeAlias = Annotated[str, Meta(max_length=255, pattern=r"^[^\x00]*\Z")]
_When: TypeAlias = Annotated[datetime, Meta(tz=True)]
_Day: TypeAlias = Annotated[str, Meta(pattern=r"^(\d{4}-\d{2}-\d{2})?\Z")]


class _Form(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    request_id: _RequestId
    sku: _Sku
    location: _Word = ""
    actor: _Word = ""


class _Command(_Form, frozen=True, kw_only=True, forbid_unknown_fields=True):
    reason: _Word = ""
    at: _When | None = None


class _Movement(_Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    quantity: Annotated[int, Meta(ge=-MOST_UNITS, le=MOST_UNITS)]
    kind: Literal["adjust", "damage"] = "adjust"


class _Count(_Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    quantity: Annotated[int, Meta(ge=0, le=MOST_UNITS)]
    counted: Counted = Counted.ON_HAND


class _Delivery(_Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    quantity: Annotated[int, Meta(ge=1, le=MOST_UNITS)]


class _Arrival(_Form, frozen=True, kw_only=True, forbid_unknown_fields=True):
    number: _Sku
    quantity: Annotated[int, Meta(ge=0, le=MOST_UNITS)]
    expected: _Day = ""


class _Numbered(msgspec.Struct):
    request_id: _RequestId


_FORMS: Final[dict[str, type[Any]]] = {
    "movement": _Movement,
    "count": _Count,
    "delivery": _Delivery,
    "arrival": _Arrival,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A command that was understood. `key` is unique per command and request id; it is the fact's reference too."""

    request_id: str
    key: str
    fact: Fact


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A command that cannot be taken, and why; `request_id` is empty where it cannot be told."""

    request_id: str
    reason: str


def parse(name: str, body: bytes, *, source: str, now: Instant, home: Location = UNPLACED) -> Request | Refusal:
    """Read the command `name`. `home` is the location of one that names none; `source` goes into the fact."""
    form = _FORMS.get(name)
    if form is None:
        return Refusal(request_id=_request_id(body), reason=f"unknown command, known are {', '.join(sorted(_FORMS))}")
    try:
        command = strict.decode(body, form, most_bytes=MOST_BYTES)
    except ProtocolError as error:
        return Refusal(request_id=_request_id(body), reason=str(error))
    key, place = f"{name}/{command.request_id}", Location(command.location) or home
    if isinstance(command, _Arrival):
        return Request(request_id=command.request_id, key=key, fact=_arrival(command, source, place))
    at = now if command.at is None else (command.at - _EPOCH) // timedelta(microseconds=1)
    if not 0 <= at <= now + MOST_AHEAD_US:
        return Refusal(
            request_id=command.request_id, reason="`at` lies in the future or before 1970; check the sender's clock"
        )
    if command.quantity == 0 and name == "movement":
        return Refusal(request_id=command.request_id, reason="a movement of 0 units moves nothing")
    return Request(request_id=command.request_id, key=key, fact=_fact(command, source, key, place, at))


def _fact(command: Any, source: str, key: str, place: Location, at: Instant) -> Fact:
    sku, quantity, words = Sku(command.sku), command.quantity, {"reason": command.reason, "actor": command.actor}
    if isinstance(command, _Count):
        row = CountRow(sku=sku, location=place, quantity=quantity, counted_at=at, counted=command.counted)
        return CountFact(source=source, reference=key, rows=(row,), **words)
    move = StockMove(command.kind) if isinstance(command, _Movement) else StockMove.RECEIVE
    rows = (MoveRow(sku=sku, location=place, quantity=quantity),)
    return MoveFact(source=source, reference=key, move=move, at=at, rows=rows, **words)


def _arrival(command: _Arrival, source: str, place: Location) -> Fact:
    row = ArrivalRow(
        number=command.number,
        sku=Sku(command.sku),
        location=place,
        quantity=command.quantity,
        expected=command.expected,
    )
    return ArrivalFact(source=source, rows=(row,), actor=command.actor)


def _request_id(body: bytes) -> str:
    """Return the id of a command that may be wrong elsewhere, `""` where there is none that can be used."""
    try:
        return strict.decode(body, _Numbered, most_bytes=MOST_BYTES).request_id
    except ProtocolError:
        return ""
