"""Stock as InventoryAPI 2.0 takes and tells it, and what its refusals mean for each write: pure.

Facts (RMS WEB SERVICE, InventoryAPI 2.0 and 2.1 with the table of error codes, 2026): a bulk upsert takes 400 rows and
answers 204 without a body; RELATIVE must lead to 0..99999 (IE0117) on a row that exists (IE0500); ABSOLUTE to a pair
that does not exist makes a row that belongs to nothing; a pair may stand in a call once (IE1102); bulk-get takes 1000
and leaves out what does not exist. Version 2.1 would erase lead times that a request does not repeat, so 2.0 writes.

Whether a refused call has applied its other rows is not documented. So they are read again: a row that Rakuten last
changed well before the call was not touched by it; of any other nothing is claimed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import msgspec

from adapters.rakuten import wire
from adapters.rakuten.goods import Pair, certain_pair, pair_of
from syncd.sdk.channel import Instant, Outcome, OutcomeKind, Write
from syncd.sdk.errors import ProtocolError

MOST_WRITTEN = 400
MOST_READ = 1_000
MOST_QUANTITY = 99_999
TOUCHED_US = 60 * wire.SECOND_US
"""A row that changed less than this before a call may have been changed by it: times are cut, clocks differ."""
REFUSED_EFFECT_S = 1.0
"""A refused call has ended: what it did it did before it was answered."""

OUT_OF_RANGE: Final = "IE0117"
NO_ROW: Final = "IE0500"
ROW_CODES: Final = frozenset({"IE0001", "IE0002", "IE0003", "IE0004", "IE0118", "IE0121", OUT_OF_RANGE, NO_ROW})
"""Codes that come of single rows."""

_PATH = re.compile(r"inventories\[(\d{1,4})\]")


class Row(msgspec.Struct, frozen=True, rename="camel"):
    """A row of bulk-get."""

    manage_number: str
    variant_id: str
    quantity: int
    updated: str | None = None


class Rows(msgspec.Struct, frozen=True):
    """Answer of bulk-get."""

    inventories: list[Row] = []


def asked(pairs: Sequence[Pair]) -> dict[str, Any]:
    """Return the body of a bulk-get."""
    return {"inventories": [{"manageNumber": pair.number, "variantId": pair.variant} for pair in pairs]}


def found(answer: Rows, pairs: Collection[Pair]) -> dict[Pair, Row]:
    """Return the rows of an answer by the pair that was asked for; manage numbers come back in lower case.

    Most pages say that variant ids keep their case, that of bulk-upsert 2.0 that they lose it: a row that differs from
    what was asked for in its case alone, and is nothing else that was asked for, is taken for it.
    """
    exact = {Pair(row.manage_number.lower(), row.variant_id): row for row in answer.inventories}
    wanted = set(pairs)
    spare = {(pair.number, pair.variant.lower()): row for pair, row in exact.items() if pair not in wanted}
    rows = {pair: exact.get(pair) or spare.get((pair.number, pair.variant.lower())) for pair in wanted}
    return {pair: row for pair, row in rows.items() if row is not None}


def body(writes: Sequence[Write]) -> bytes:
    """Return the body of a bulk upsert: differences are RELATIVE, everything else is ABSOLUTE.

    Exactly these keys: an unknown one is refused.
    """
    return msgspec.json.encode({"inventories": [_row(write) for write in writes]})


def _row(write: Write) -> dict[str, Any]:
    pair = certain_pair(write.ref)
    relative = write.delta is not None
    return {
        "manageNumber": pair.number,
        "variantId": pair.variant,
        "mode": "RELATIVE" if relative else "ABSOLUTE",
        "quantity": write.delta if relative else write.quantity,
    }


def refused(write: Write) -> str:
    """Return why a write is not sent at all; empty where it may be."""
    if pair_of(write.ref) is None:
        return "not a SKU of Rakuten (manageNumber/variantId)"
    if not 0 <= write.quantity <= MOST_QUANTITY:
        return f"Rakuten takes 0 to {MOST_QUANTITY}"
    return ""


def every(writes: Sequence[Write], kind: OutcomeKind, reason: str = "") -> list[Outcome]:
    """Return the same outcome for every write."""
    return [Outcome(key=write.key, kind=kind, reason=reason) for write in writes]


def named(faults: Sequence[wire.Fault], rows: int) -> dict[int, wire.Fault]:
    """Return the errors that name their row (`inventories[3].quantity`), by row."""
    by_row: dict[int, wire.Fault] = {}
    for fault in faults:
        match = _PATH.match((fault.metadata.property_path if fault.metadata else None) or "")
        if match and int(match[1]) < rows:
            by_row.setdefault(int(match[1]), fault)
    return by_row


def judged(
    writes: Sequence[Write],
    faults: Sequence[wire.Fault],
    shown: Mapping[Pair, Row] | None,
    *,
    sent_at: Instant,
) -> list[Outcome]:
    """Return how the writes of a refused call ended.

    `shown` is what the pairs show after it, None where that could not be read. A single row that was refused was
    certainly not applied.
    """
    by_row = named(faults, len(writes))
    codes = wire.codes(faults)
    alone = len(writes) == 1
    outcomes = []
    for place, write in enumerate(writes):
        fault = by_row.get(place)
        if fault is None and alone and faults:
            fault = faults[0]
        culprit = _blamed(write, fault) or (None if by_row else _found_out(write, codes, shown))
        outcomes.append(culprit or _neighbour(write, shown, alone=alone, sent_at=sent_at))
    return outcomes


def _blamed(write: Write, fault: wire.Fault | None) -> Outcome | None:
    """Return the outcome of a row that Rakuten names; None where it names none, or where it is only a conflict."""
    if fault is None or fault.code == wire.CONFLICT:
        return None
    kind = OutcomeKind.STALE if fault.code == OUT_OF_RANGE else OutcomeKind.REJECTED
    return Outcome(key=write.key, kind=kind, reason=wire.said([fault]))


def _found_out(write: Write, codes: set[str], shown: Mapping[Pair, Row] | None) -> Outcome | None:
    """Return the outcome of a row that brought the refusal about, as what it shows tells where Rakuten does not."""
    if shown is None or write.delta is None:
        return None
    row = shown.get(certain_pair(write.ref))
    if row is None:
        gone = "Rakuten keeps no stock for this SKU"
        return Outcome(key=write.key, kind=OutcomeKind.REJECTED, reason=gone) if NO_ROW in codes else None
    if OUT_OF_RANGE in codes and not 0 <= row.quantity + write.delta <= MOST_QUANTITY:
        return Outcome(key=write.key, kind=OutcomeKind.STALE, reason=f"it shows {row.quantity}")
    return None


def _neighbour(write: Write, shown: Mapping[Pair, Row] | None, *, alone: bool, sent_at: Instant) -> Outcome:
    """Return the outcome of a row of a refused call that is not to blame."""
    if alone or (shown is not None and untouched(shown.get(certain_pair(write.ref)), sent_at=sent_at)):
        return Outcome(key=write.key, kind=OutcomeKind.UNSENT, reason="the call was refused for another row")
    return Outcome(
        key=write.key,
        kind=OutcomeKind.INDETERMINATE,
        reason="the call was refused for another row; whether this one was applied is not known",
        effect_s=REFUSED_EFFECT_S,
    )


def untouched(row: Row | None, *, sent_at: Instant) -> bool:
    """Tell whether a row certainly was not changed since shortly before `sent_at`, as Rakuten's own time says."""
    if row is None or row.updated is None:
        return False
    try:
        return wire.instant(row.updated) < sent_at - TOUCHED_US
    except ProtocolError:
        return False
