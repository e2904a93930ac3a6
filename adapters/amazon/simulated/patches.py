"""Patches of listings: which are refused, which are invalid, and what becomes of the submitted attributes.

Facts: operations, required members, top-level attributes only (selling-partner-api-models, listingsItems_2021-08-01);
`merge` keeps the handling time and needs the selector `fulfillment_channel_code` (SP-API changelog, 2025-06-16, and
merge-a-listing); `replace` drops it (models issue 4406); a left-out channel code is INVALID (models issue 4554); a
wrong attribute is INVALID 90000900 (the model's own sandbox case). Other codes and words of issues are not known, and
made up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adapters.amazon.simulated.api import Refused
from adapters.amazon.simulated.goods import DEFAULT, FBA, Entry, Listing

PREFIX = "/attributes/"
AVAILABILITY = "fulfillment_availability"
SELECTOR = "fulfillment_channel_code"
OPERATIONS = frozenset({"add", "replace", "merge", "delete"})
ATTRIBUTES = frozenset({
    AVAILABILITY, "brand", "bullet_point", "condition_type", "externally_assigned_product_identifier", "item_name",
    "list_price", "main_product_image_locator", "merchant_shipping_group", "merchant_suggested_asin",
    "product_description", "purchasable_offer", "skip_offer",
})  # fmt: skip
"""Attributes of the simulated product types."""
FIELDS = frozenset({SELECTOR, "quantity", "lead_time_to_ship_max_days", "restock_date", "is_inventory_available"})
MOST_LEAD_DAYS = 30
MOST_QUANTITY = 2_147_483_647
ANY_TYPE = "PRODUCT"
"""The product type that fits every offer, for attributes that only concern the offer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """One operation on one attribute."""

    op: str
    attribute: str
    value: tuple[Mapping[str, Any], ...] | None


def parsed(body: Mapping[str, Any]) -> tuple[str, tuple[Patch, ...]]:
    """Return product type and patches of a request; raises `Refused` (400) where the model's schema does not hold."""
    product_type, patches = body.get("productType"), body.get("patches")
    if not isinstance(product_type, str) or not product_type:
        raise _refused("productType is missing.")
    if not isinstance(patches, list) or not patches:
        raise _refused("patches is missing or empty.")
    return product_type, tuple(_patch(entry) for entry in patches)


def _patch(entry: object) -> Patch:
    if not isinstance(entry, dict) or entry.get("op") not in OPERATIONS or not isinstance(entry.get("path"), str):
        raise _refused("A patch needs op (add, replace, merge, delete) and path.")
    path, value = entry["path"], entry.get("value")
    if value is not None and not (isinstance(value, list) and all(isinstance(each, dict) for each in value)):
        raise _refused("The value of a patch is not an array of objects.")
    if value is None and entry["op"] != "delete":
        raise _refused("A patch other than delete needs a value.")
    name = path.removeprefix(PREFIX)
    if not path.startswith(PREFIX) or not name or "/" in name:
        raise _refused("Only top-level listings item attributes can be patched.")
    return Patch(op=entry["op"], attribute=name, value=None if value is None else tuple(value))


def _refused(details: str) -> Refused:
    return Refused(400, "BAD_REQUEST", "Invalid input", details)


# --- issues of a submission --------------------------------------------------------------------------------------


def issue(code: str, message: str, category: str, attribute: str) -> dict[str, Any]:
    """Return an issue as the Listings Items API states it."""
    return {
        "code": code,
        "message": message,
        "severity": "ERROR",
        "attributeNames": [attribute],
        "categories": [category],
    }


def unknown_sku(sku: str) -> dict[str, Any]:
    """Return the issue of a SKU that the seller does not have."""
    text = f"The SKU '{sku}' does not exist in the Amazon catalogue. Your inventory data cannot be processed."
    return issue("13013", text, "INVALID_ATTRIBUTE", "sku")


def issues(product_type: str, patches: Sequence[Patch], listing: Listing) -> list[dict[str, Any]]:
    """Return what makes a submission INVALID; empty where nothing does."""
    found = [each for patch in patches for each in _patch_issues(patch)]
    if product_type not in {ANY_TYPE, listing.product_type}:
        found.append(_invalid(f"The product type '{product_type}' does not fit the listing.", "product_type"))
    return found


def _patch_issues(patch: Patch) -> list[dict[str, Any]]:
    if patch.attribute not in ATTRIBUTES:
        return [_invalid("The attributes are invalid.", patch.attribute)]
    if patch.attribute != AVAILABILITY:
        return []
    if not patch.value:
        return [] if patch.op == "delete" else [_required(AVAILABILITY)]
    return [each for entry in patch.value for each in _entry_issues(entry)]


def _entry_issues(entry: Mapping[str, Any]) -> list[dict[str, Any]]:
    code = entry.get(SELECTOR)
    if code is None:
        return [_required(SELECTOR)]
    if code not in {DEFAULT, FBA} or not FIELDS.issuperset(entry):
        return [_invalid("The attributes are invalid.", AVAILABILITY)]
    if code == FBA and "quantity" in entry:
        return [_invalid("The quantity of an offer that Amazon fulfils cannot be set.", AVAILABILITY)]
    wrong = [name for name, most in _BOUNDS.items() if name in entry and not _whole(entry[name], most)]
    return [_invalid(f"The value specified for '{name}' is invalid.", AVAILABILITY) for name in wrong]


_BOUNDS = {"quantity": MOST_QUANTITY, "lead_time_to_ship_max_days": MOST_LEAD_DAYS}


def _whole(value: object, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most


def _required(name: str) -> dict[str, Any]:
    return issue("90220", f"'{name}' is required but not supplied.", "MISSING_ATTRIBUTE", name)


def _invalid(message: str, name: str) -> dict[str, Any]:
    return issue("90000900", message, "INVALID_ATTRIBUTE", name)


# --- what becomes of the attributes ------------------------------------------------------------------------------


def patched(entries: Sequence[Entry], patches: Sequence[Patch]) -> list[Entry]:
    """Return the submitted `fulfillment_availability` after these patches."""
    after = [dict(entry) for entry in entries]
    for patch in patches:
        if patch.attribute == AVAILABILITY:
            after = _after(after, patch)
    return after


def _after(entries: list[Entry], patch: Patch) -> list[Entry]:
    if not patch.value:
        return []
    given = {entry[SELECTOR]: dict(entry) for entry in patch.value}
    if patch.op == "delete":
        return [entry for entry in entries if entry[SELECTOR] not in given]
    if patch.op == "replace":
        return list(given.values())
    old = {entry[SELECTOR]: entry for entry in entries}
    if patch.op == "merge":
        given = {code: old.get(code, {}) | entry for code, entry in given.items()}
    return list((old | given).values())


def quantity_of(patches: Sequence[Patch]) -> int | None:
    """Return the quantity that these patches set for DEFAULT in the end, None where they set none; deleted means 0."""
    quantity: int | None = None
    for patch in patches:
        if patch.attribute == AVAILABILITY:
            for entry in patch.value or ({SELECTOR: DEFAULT},):
                if entry[SELECTOR] == DEFAULT:
                    quantity = 0 if patch.op == "delete" else entry.get("quantity", quantity)
    return quantity
