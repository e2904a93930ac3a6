"""The inventory mutations: what they refuse, and what they do to the levels.

Nothing of a batch is applied when one entry is refused or stale (recorded for invalid entries; for a stale one among
good ones it is taken over from there). Error texts and codes: schema 2026-10; paths: recorded responses of 2026-04.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from adapters.shopify.simulated.goods import Goods, InventoryItem, InventoryLevel, Location, gid
from syncd.sdk.channel import Clock, Instant

REASONS = (
    "correction",
    "cycle_count_available",
    "damaged",
    "movement_canceled",
    "movement_created",
    "movement_received",
    "movement_updated",
    "other",
    "promotion",
    "quality_control",
    "received",
    "reservation_created",
    "reservation_deleted",
    "reservation_updated",
    "restock",
    "safety_stock",
    "shrinkage",
)
SET_NAMES = ("available", "on_hand")
ADJUST_NAMES = ("available", "damaged", "incoming", "quality_control", "reserved", "safety_stock")
SET_BOUND = 1_000_000_000
ADJUST_BOUND = 2_000_000_000

_URI = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<content>\S+)")
_STALE = {
    "quantities": "The changeFromQuantity value does not match persisted value.",
    "changes": "The changeFromQuantity argument no longer matches the persisted quantity.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class UserError:
    """One reason why a mutation did nothing."""

    message: str
    field: tuple[str, ...] | None = None
    code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryChange:
    """One quantity that moved. The value after it was null in every recording."""

    name: str
    delta: int
    item: InventoryItem
    location: Location
    ledger_document_uri: str | None = None
    quantity_after_change: None = None


@dataclass(slots=True, kw_only=True)
class InventoryAdjustmentGroup:
    """All that one mutation moved."""

    id: str
    created_at: Instant
    reason: str
    reference_document_uri: str | None
    moved: tuple[InventoryChange, ...]


@dataclass(slots=True, kw_only=True)
class Written:
    """The payload of an inventory mutation."""

    inventory_adjustment_group: InventoryAdjustmentGroup | None = None
    inventory_level: InventoryLevel | None = None
    user_errors: list[UserError] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """One quantity of one level to move: to `target` or by `delta`, if it is `expected` now (None: whatever it is)."""

    path: tuple[str, ...]
    item: InventoryItem
    location: Location
    name: str
    expected: int | None
    target: int | None = None
    delta: int = 0
    ledger: str | None = None


class StockWrites:
    """Applies inventory mutations to the goods."""

    def __init__(self, goods: Goods, clock: Clock) -> None:
        self._goods = goods
        self._clock = clock
        self._ids = count(54640716251442)

    def set(self, given: Mapping[str, Any]) -> Written:
        """Apply `inventorySetQuantities`."""
        rows, name = given["quantities"], given["name"]
        errors = _head_errors(given)
        if name not in SET_NAMES:
            text = "The quantity name must be either 'available' or 'on_hand'."
            errors.append(UserError(field=("input", "name"), message=text, code="INVALID_NAME"))
        errors += _duplicates(rows)
        for index, row in enumerate(rows):
            place = ("input", "quantities", str(index))
            errors += self._target_errors(row, place)
            errors += _bounds(row["quantity"], (*place, "quantity"), bound=SET_BOUND, floor=name == "on_hand")
        if errors:
            return Written(user_errors=errors)
        steps = [self._set_step(row, name, index) for index, row in enumerate(rows)]
        return self._apply(steps, given)

    def _set_step(self, row: Mapping[str, Any], name: str, index: int) -> _Step:
        item, location = self._target(row)
        return _Step(
            path=("input", "quantities", str(index)),
            item=item,
            location=location,
            name=name,
            expected=row["changeFromQuantity"],
            target=row["quantity"],
        )

    def adjust(self, given: Mapping[str, Any]) -> Written:
        """Apply `inventoryAdjustQuantities`."""
        rows, name = given["changes"], given["name"]
        errors = _head_errors(given) + _name_errors(name, ("input", "name"))
        for index, row in enumerate(rows):
            place = ("input", "changes", str(index))
            errors += self._target_errors(row, place)
            errors += _bounds(row["delta"], (*place, "delta"), bound=ADJUST_BOUND, floor=False)
            errors += _ledger_errors(name, row.get("ledgerDocumentUri"), (*place, "ledgerDocumentUri"))
        if len({row.get("ledgerDocumentUri") for row in rows}) > 1:
            text = "All changes must have the same ledger document URI."
            errors.append(UserError(field=("input", "changes"), message=text, code="MAX_ONE_LEDGER_DOCUMENT"))
        if errors:
            return Written(user_errors=errors)
        return self._apply([self._adjust_step(row, name, index) for index, row in enumerate(rows)], given)

    def _adjust_step(self, row: Mapping[str, Any], name: str, index: int) -> _Step:
        item, location = self._target(row)
        return _Step(
            path=("input", "changes", str(index)),
            item=item,
            location=location,
            name=name,
            expected=row["changeFromQuantity"],
            delta=row["delta"],
            ledger=row.get("ledgerDocumentUri"),
        )

    def move(self, given: Mapping[str, Any]) -> Written:
        """Apply `inventoryMoveQuantities`: units change their name at one location."""
        errors = _head_errors(given)
        for index, row in enumerate(given["changes"]):
            errors += self._move_errors(row, ("input", "changes", str(index)))
        if errors:
            return Written(user_errors=errors)
        steps = [step for index, row in enumerate(given["changes"]) for step in self._move_steps(row, index)]
        return self._apply(steps, given)

    def _move_errors(self, row: Mapping[str, Any], place: tuple[str, ...]) -> list[UserError]:
        errors = _bounds(row["quantity"], (*place, "quantity"), bound=ADJUST_BOUND, floor=True)
        for end in ("from", "to"):
            terminal = {"inventoryItemId": row["inventoryItemId"], "locationId": row[end]["locationId"]}
            errors += self._target_errors(terminal, place)
            errors += _name_errors(row[end]["name"], (*place, end, "name"))
            ledger = row[end].get("ledgerDocumentUri")
            errors += _ledger_errors(row[end]["name"], ledger, (*place, end, "ledgerDocumentUri"))
        if row["from"]["locationId"] != row["to"]["locationId"]:
            text = "The quantities can't be moved between different locations."
            errors.append(UserError(field=place, message=text, code="DIFFERENT_LOCATIONS"))
        if row["from"]["name"] == row["to"]["name"]:
            text = "The quantity names for each change can't be the same."
            errors.append(UserError(field=place, message=text, code="SAME_QUANTITY_NAME"))
        return errors

    def _move_steps(self, row: Mapping[str, Any], index: int) -> Iterable[_Step]:
        for end, sign in (("from", -1), ("to", 1)):
            terminal = {"inventoryItemId": row["inventoryItemId"], "locationId": row[end]["locationId"]}
            item, location = self._target(terminal)
            yield _Step(
                path=("input", "changes", str(index), end),
                item=item,
                location=location,
                name=row[end]["name"],
                expected=row[end]["changeFromQuantity"],
                delta=sign * row["quantity"],
                ledger=row[end].get("ledgerDocumentUri"),
            )

    # --- shared ----------------------------------------------------------------------------------------------------

    def _target(self, row: Mapping[str, Any]) -> tuple[InventoryItem, Location]:
        item, location = self._goods.by_id[row["inventoryItemId"]], self._goods.by_id[row["locationId"]]
        assert isinstance(item, InventoryItem), "checked before"  # noqa: S101  (see _target_errors)
        assert isinstance(location, Location), "checked before"  # noqa: S101
        return item, location

    def _target_errors(self, row: Mapping[str, Any], place: tuple[str, ...]) -> list[UserError]:
        errors: list[UserError] = []
        item = self._goods.by_id.get(row["inventoryItemId"])
        if not isinstance(item, InventoryItem):
            text = "The specified inventory item could not be found."
            errors.append(UserError(field=(*place, "inventoryItemId"), message=text, code="INVALID_INVENTORY_ITEM"))
        elif not item.mutable:
            text = "The specified inventory item is not allowed to be adjusted via API."
            errors.append(UserError(field=(*place, "inventoryItemId"), message=text, code="NON_MUTABLE_INVENTORY_ITEM"))
        if not isinstance(self._goods.by_id.get(row["locationId"]), Location):
            text = "The specified location could not be found."
            errors.append(UserError(field=(*place, "locationId"), message=text, code="INVALID_LOCATION"))
        return errors

    def _quantity(self, step: _Step) -> int:
        level = step.item.levels.get(step.location.legacy_resource_id)
        return 0 if level is None else level.quantity(step.name)

    def _apply(self, steps: Sequence[_Step], given: Mapping[str, Any]) -> Written:
        now = [self._quantity(step) for step in steps]
        stale = [step for step, value in zip(steps, now, strict=True) if step.expected not in {None, value}]
        if stale:
            errors = [
                UserError(
                    field=(*step.path, "changeFromQuantity"),
                    message=_STALE[step.path[1]],
                    code="CHANGE_FROM_QUANTITY_STALE",
                )
                for step in stale
            ]
            return Written(user_errors=errors)
        deltas = [
            step.delta if step.target is None else step.target - value for step, value in zip(steps, now, strict=True)
        ]
        effective = [(step, delta) for step, delta in zip(steps, deltas, strict=True) if delta]
        for step, delta in effective:
            # A level that was never stocked comes to be inactive: the number is kept, and nobody can buy it.
            level = self._goods.level_of(step.item, step.location)
            self._goods.change(level, step.name, delta, source="api")
        return Written(inventory_adjustment_group=self._group(effective, given) if effective else None)

    def _group(self, effective: Sequence[tuple[_Step, int]], given: Mapping[str, Any]) -> InventoryAdjustmentGroup:
        direct = [
            InventoryChange(
                name=step.name,
                delta=delta,
                item=step.item,
                location=step.location,
                ledger_document_uri=step.ledger,
            )
            for step, delta in effective
        ]
        net: Counter[tuple[str, str]] = Counter()
        for change in direct:
            net[change.item.id, change.location.id] += change.delta if change.name != "incoming" else 0
        return InventoryAdjustmentGroup(
            id=gid("InventoryAdjustmentGroup", next(self._ids)),
            created_at=self._clock.now(),
            reason=given["reason"],
            reference_document_uri=given.get("referenceDocumentUri"),
            moved=(*direct, *(_derived(change) for change in direct if net[change.item.id, change.location.id])),
        )


def _derived(change: InventoryChange) -> InventoryChange:
    """Return the change that comes with one: each moves `on_hand`, and `on_hand` moves `available`."""
    name = "available" if change.name == "on_hand" else "on_hand"
    return InventoryChange(name=name, delta=change.delta, item=change.item, location=change.location)


def _head_errors(given: Mapping[str, Any]) -> list[UserError]:
    errors: list[UserError] = []
    if given["reason"] not in REASONS:
        text = f"The specified reason is invalid. Valid values are: {', '.join(REASONS)}."
        errors.append(UserError(field=("input", "reason"), message=text, code="INVALID_REASON"))
    uri = given.get("referenceDocumentUri")
    if uri is not None and not _is_document(uri):
        text = "The specified reference document is invalid."
        errors.append(
            UserError(field=("input", "referenceDocumentUri"), message=text, code="INVALID_REFERENCE_DOCUMENT")
        )
    return errors


def _is_document(uri: str) -> bool:
    match = _URI.fullmatch(uri)
    if match is None:
        return False
    return match["scheme"] != "gid" or len([part for part in match["content"].split("/") if part]) == 3


def _name_errors(name: str, place: tuple[str, ...]) -> list[UserError]:
    if name in ADJUST_NAMES:
        return []
    text = f"The specified quantity name is invalid. Valid values are: {', '.join(ADJUST_NAMES)}."
    return [UserError(field=place, message=text, code="INVALID_QUANTITY_NAME")]


def _ledger_errors(name: str, uri: str | None, place: tuple[str, ...]) -> list[UserError]:
    if name == "available":
        wrong = uri is not None and "INVALID_AVAILABLE_DOCUMENT"
    elif uri is None:
        wrong = name in ADJUST_NAMES and "INVALID_QUANTITY_DOCUMENT"
    elif uri.startswith("gid://shopify/"):
        wrong = "INTERNAL_LEDGER_DOCUMENT"
    else:
        wrong = not _is_document(uri) and "INVALID_LEDGER_DOCUMENT"
    text = "The ledger document does not fit this quantity."
    return [UserError(field=place, message=text, code=wrong)] if wrong else []


def _bounds(value: int, place: tuple[str, ...], *, bound: int, floor: bool) -> list[UserError]:
    if value > bound:
        text, code = f"The total quantity can't be higher than {bound:,}.", "INVALID_QUANTITY_TOO_HIGH"
    elif floor and value < 0:
        text, code = "The quantity can't be negative.", "INVALID_QUANTITY_NEGATIVE"
    elif value < -bound:
        text, code = f"The total quantity can't be lower than -{bound:,}.", "INVALID_QUANTITY_TOO_LOW"
    else:
        return []
    return [UserError(field=place, message=text, code=code)]


def _duplicates(rows: Sequence[Mapping[str, Any]]) -> list[UserError]:
    seen = Counter((row["inventoryItemId"], row["locationId"]) for row in rows)
    text = "The combination of inventoryItemId and locationId must be unique."
    return [
        UserError(
            field=("input", "quantities", str(index), "locationId"),
            message=text,
            code="NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR",
        )
        for index, row in enumerate(rows)
        if seen[row["inventoryItemId"], row["locationId"]] > 1
    ]
