"""What people and systems say, on its way through the inbox: put, waited for, and told how it went."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, TypeAlias

import msgspec
from msgspec import Meta
from sqlalchemy import Connection

from syncd.core.facts import BrakeFact, Fact
from syncd.core.terms import SECOND_US, Instant, Location
from syncd.sdk.errors import Problem
from syncd.store import accounts, inbox
from syncd.store.views_listings import held_by
from syncd.web.api_wire import Answer, Fault, Service, row_problem
from syncd.web.plant import Plant, Receipt

SETTLE_S: Final = 30.0
"""Longest wait until a fact is decided; after it the answer says that it is pending."""
COMMIT_S: Final = 30.0
"""Longest wait for the inbox."""
FOLLOW_S: Final = 5.0
"""Longest wait for what follows from a release."""
MOST_ROWS: Final = 100_000
MOST_UNITS: Final = 1_000_000_000
MOST_AHEAD_US: Final = 300 * SECOND_US
"""How far a sender's clock may be ahead of ours; such an instant counts as now."""
MAIN: Final = Location("main")
"""The location of a shop that names none."""

UNSETTLED: Final = {"X-Syncd-Unsettled": "1"}
"""On an answer after which more will be known: a repeat is not given the same one."""

RequestId: TypeAlias = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._~:@=-]{1,128}\Z")]
Code: TypeAlias = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]*\Z")]
"""A SKU, a channel's id."""
Word: TypeAlias = Annotated[str, Meta(max_length=255, pattern=r"^[^\x00-\x1f\x7f]*\Z")]
"""A reason, a name."""
When: TypeAlias = Annotated[datetime, Meta(tz=True)]
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Said(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every change has: `request_id` makes a repeat harmless, `actor` says who."""

    request_id: RequestId | None = None
    actor: Word = ""
    reason: Word = ""


class Forceable(Said, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A change that the brake may hold; `force` passes it."""

    force: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a fact ended: why it was not applied (None: it was), and whether the brake held it."""

    reason: str | None
    brake_id: int | None = None
    brake_state: str = ""


async def submit(service: Service, fact: Fact, *, request_id: str | None) -> Answer:
    """Make a fact durable, wait until it is decided, and tell how it ended.

    200 applied; 202 pending, or held by the brake; raises Fault 409 with the reason where it was refused, or where the
    request id was used for another fact before.
    """
    plant = service.plant
    async with asyncio.timeout(COMMIT_S):
        receipt = await plant.intake.put_one(fact, source=service.source, key=request_id)
    if receipt.duplicate:
        await _check_same(plant, fact, receipt)
    told = {"inbox_id": receipt.inbox_id, "duplicate": receipt.duplicate}
    try:
        ended = await _ended(plant, receipt)
    except TimeoutError:
        return Answer(body={**told, "pending": True}, status=202, headers=UNSETTLED)
    return _answer(told, ended)


def _answer(told: dict[str, Any], ended: Ended) -> Answer:
    if ended.reason is None or ended.brake_state == "released":
        return Answer(body={**told, "applied": True})
    if ended.brake_state == "held":
        held = {"applied": False, "held": True, "brake_id": ended.brake_id, "reason": ended.reason}
        return Answer(body={**told, **held}, status=202, headers=UNSETTLED)
    if ended.brake_state == "refused":
        raise Fault(409, "it was held by the brake, and a person refused it")
    raise Fault(409, ended.reason)


async def release(service: Service, fact: BrakeFact, *, request_id: str | None) -> Answer:
    """Submit a person's word on what the brake holds, and wait until what is released by it is decided.

    Raises Fault 409 where that was refused after all: something it needs has changed meanwhile.
    """
    plant = service.plant
    rows = await plant.store.read(lambda conn: accounts.held(conn, fact.ids))
    answer = await submit(service, fact, request_id=request_id)
    # What is released enters the inbox anew, behind this fact.
    newest = await plant.store.read(inbox.newest)
    with suppress(TimeoutError):
        await plant.intake.settle(newest, timeout_s=FOLLOW_S)
    refused = await plant.store.read(lambda conn: [inbox.refused_after(conn, row.inbox_id) for row in rows])
    reasons = sorted({reason for reason in refused if reason is not None})
    if reasons:
        raise Fault(409, f"released, but it cannot be applied any more: {'; '.join(reasons[:3])}")
    return answer


async def _check_same(plant: Plant, fact: Fact, receipt: Receipt) -> None:
    """Raise Fault where a request id was used again for another change: that change would be lost without a word."""
    known = await plant.store.read(lambda conn: inbox.one(conn, receipt.inbox_id).fact)
    if _essence(known) != _essence(fact):
        raise Fault(409, "this request_id was used for another request before; choose a new one")


def _essence(fact: Fact) -> Any:
    return type(fact).__name__, _without_times(msgspec.to_builtins(fact))


def _without_times(value: Any) -> Any:
    """Return a value without what differs between two tries of one request."""
    if isinstance(value, dict):
        return {key: _without_times(item) for key, item in value.items() if key not in _DIFFERING}
    return [_without_times(item) for item in value] if isinstance(value, list | tuple) else value


_DIFFERING: Final = frozenset({"reference", "at", "counted_at", "components"})
"""`components` too: those of a kit that is made already are left out."""


async def _ended(plant: Plant, receipt: Receipt) -> Ended:
    """Wait until a fact is decided; raises TimeoutError."""
    if not (receipt.duplicate and await plant.store.read(lambda conn: _is_decided(conn, receipt.inbox_id))):
        await plant.intake.settle(receipt.inbox_id, timeout_s=SETTLE_S)
    return await plant.store.read(lambda conn: _how_it_ended(conn, receipt.inbox_id))


def _is_decided(conn: Connection, inbox_id: int) -> bool:
    return inbox.decided(conn) >= inbox_id


def _how_it_ended(conn: Connection, inbox_id: int) -> Ended:
    reason = inbox.parked(conn, inbox_id)
    brake = None if reason is None else held_by(conn, inbox_id)
    if brake is None:
        return Ended(reason=reason)
    if brake.state == "released" and (refused := inbox.refused_after(conn, inbox_id)) is not None:
        return Ended(reason=refused)
    return Ended(reason=reason, brake_id=brake.id, brake_state=brake.state)


# --- what rows share --------------------------------------------------------------------------------------------


def instant_of(when: datetime | None, *, now: Instant, name: str) -> Instant:
    """Return when something was true: now where nobody says; raises Fault where it lies ahead or before 1970."""
    if when is None:
        return now
    at = instant(when)
    if not 0 <= at <= now + MOST_AHEAD_US:
        raise Fault(400, f"{name} lies in the future or before 1970; check the sender's clock")
    return min(at, now)


def instant(when: datetime) -> Instant:
    """Return an aware datetime as microseconds since 1970."""
    return (when - _EPOCH) // timedelta(microseconds=1)


def locations_of(plant: Plant) -> tuple[Location, ...]:
    """Return the shop's locations in the order of the settings, the home first; never empty."""
    named = [Location(name) for channel in plant.settings.channels.values() for name in channel.locations]
    return tuple(dict.fromkeys(named)) or (MAIN,)


def location_problems(numbered: Iterator[tuple[int, str]], known: Collection[str]) -> Iterator[Problem]:
    """Yield the rows whose location no channel has: a slip there would put units where nothing sells them."""
    names = ", ".join(sorted(known))
    for number, name in numbered:
        if name not in known:
            yield row_problem(number, f"unknown location {name}", f"use {names}, or name it in a channel's locations")


def repeated(numbered: Iterator[tuple[int, tuple[str, ...]]]) -> Iterator[Problem]:
    """Yield the rows that say the same thing as an earlier one, by their key."""
    first: dict[tuple[str, ...], int] = {}
    for number, key in numbered:
        before = first.setdefault(key, number)
        if before != number:
            yield row_problem(
                number, f"{' '.join(filter(None, key))} stands in row {before} already", "keep one of them"
            )
