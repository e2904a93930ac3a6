"""Writes as `inventorySetQuantities` takes them, and what its answer means for each: pure.

Facts (shopify.dev, inventorySetQuantities and idempotent requests, 2026-10; error shapes recorded of 2026-04): at most
250 entries; `changeFromQuantity` stands in every entry, null for an unconditional write; one `@idempotent` key per
request, which with other variables is a fault; any refused entry means that nothing of the request was applied; success
is an empty `userErrors`, also without an adjustment group (the number was there already).
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from adapters.shopify.wire import UserError, gid, said
from syncd.sdk.channel import Outcome, OutcomeKind, Write

REASON = "correction"

STALE_CODES: Final = frozenset({"CHANGE_FROM_QUANTITY_STALE", "COMPARE_QUANTITY_STALE"})
ROW_CODES: Final = frozenset(
    {
        "INVALID_INVENTORY_ITEM",
        "INVALID_LOCATION",
        "INVALID_QUANTITY_NEGATIVE",
        "INVALID_QUANTITY_TOO_HIGH",
        "INVALID_QUANTITY_TOO_LOW",
        "ITEM_NOT_STOCKED_AT_LOCATION",  # up to 2026-07
        "NON_MUTABLE_INVENTORY_ITEM",
        "NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR",
    }
)
"""Codes that refuse one row for good."""
REQUEST_CODES: Final = frozenset(
    {"COMPARE_QUANTITY_REQUIRED", "INVALID_NAME", "INVALID_REASON", "INVALID_REFERENCE_DOCUMENT"}
)
"""Codes that refuse what every request of ours says: a fault of this adapter, nothing was applied."""
UNSENT_CODES: Final = frozenset({"IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED"})


class SetPayload(msgspec.Struct, frozen=True, rename="camel"):
    """How the mutation ended."""

    user_errors: list[UserError]


class SetData(msgspec.Struct, frozen=True, rename="camel"):
    """Answer of SyncdInventorySet."""

    inventory_set_quantities: SetPayload | None = None


class ActivateData(msgspec.Struct, frozen=True, rename="camel"):
    """Answer of SyncdInventoryActivate, whose errors have no codes."""

    inventory_activate: SetPayload | None = None


def variables(writes: Sequence[Write]) -> dict[str, Any]:
    """Return the variables of one request; equal writes give equal ones, in the same order of fields."""
    quantities = [
        {
            "inventoryItemId": gid("InventoryItem", write.ref.remote_id),
            "locationId": gid("Location", write.ref.remote_location),
            "quantity": write.quantity,
            "changeFromQuantity": write.expected,
        }
        for write in writes
    ]
    return {
        "input": {
            "name": "available",
            "reason": REASON,
            "referenceDocumentUri": f"gid://syncd/Push/{writes[0].key}",
            "quantities": quantities,
        },
        "idempotencyKey": batch_key(writes),
    }


def batch_key(writes: Sequence[Write]) -> str:
    """Return the key of a request: a UUID of everything that it says, so that one key never stands for two contents."""
    said_of = [
        (write.key, write.ref.remote_id, write.ref.remote_location, write.quantity, write.expected) for write in writes
    ]
    digest = hashlib.sha256(msgspec.json.encode(said_of)).digest()
    return str(uuid.UUID(bytes=digest[:16], version=5))


def activation(write: Write) -> dict[str, Any]:
    """Return the variables that stock an item at a location; no quantity, so that what is kept there stays."""
    return {
        "inventoryItemId": gid("InventoryItem", write.ref.remote_id),
        "locationId": gid("Location", write.ref.remote_location),
        "idempotencyKey": batch_key([write]),
    }


def every(writes: Sequence[Write], kind: OutcomeKind, reason: str = "") -> list[Outcome]:
    """Return the same outcome for every write."""
    return [Outcome(key=write.key, kind=kind, reason=reason) for write in writes]


def is_our_fault(errors: Sequence[UserError]) -> bool:
    """Tell whether the request itself was refused for what it always says."""
    return any(error.code in REQUEST_CODES for error in errors)


def outcomes(writes: Sequence[Write], errors: Sequence[UserError]) -> list[Outcome]:
    """Return how each write ended. Nothing of a request with an error is applied.

    A code that is not known, a service fault or a key in use leaves all of them open.
    """
    if not errors:
        return every(writes, OutcomeKind.APPLIED)
    codes = {error.code or "" for error in errors}
    if codes <= UNSENT_CODES:
        return every(writes, OutcomeKind.UNSENT, said(errors))
    if not codes <= STALE_CODES | ROW_CODES:
        return every(writes, OutcomeKind.INDETERMINATE, said(errors))
    named = dict(_named(errors, len(writes)))
    if not named:
        # An error that names no row: each of them may be it.
        stale = codes & STALE_CODES
        return every(writes, OutcomeKind.STALE if stale else OutcomeKind.REJECTED, said(errors))
    return [_outcome(write, named.get(index)) for index, write in enumerate(writes)]


def _outcome(write: Write, error: UserError | None) -> Outcome:
    if error is None:
        return Outcome(key=write.key, kind=OutcomeKind.UNSENT, reason="another row of the request was refused")
    kind = OutcomeKind.STALE if error.code in STALE_CODES else OutcomeKind.REJECTED
    return Outcome(key=write.key, kind=kind, reason=said([error]))


def _named(errors: Sequence[UserError], rows: int) -> Iterator[tuple[int, UserError]]:
    """Yield (row, error), a refusal after a stale row: the path is `["input", "quantities", "3", "..."]`."""
    for error in sorted(errors, key=lambda one: one.code not in STALE_CODES):
        place = error.field[2] if error.field and len(error.field) > 2 else ""
        if place.isascii() and place.isdigit() and int(place) < rows:
            yield int(place), error
