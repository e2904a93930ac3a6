"""Listings of Amazon as they are read and written: pure.

Facts (the vendor's model listingsItems_2021-08-01, 2026-08): `fulfillmentAvailability` is what Amazon shows now,
`attributes.fulfillment_availability` what was submitted last, and the two differ by design; `quantity` is left out for
goods in Amazon's own warehouses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from syncd.sdk.channel import Instant, ListingInfo, ListingRef, Seen
from syncd.sdk.errors import ProtocolError
from syncd.sdk.http import Answer

SECOND_US = 1_000_000
OWN: Final = "DEFAULT"
"""The fulfilment channel of goods that the seller ships."""
ANY_TYPE: Final = "PRODUCT"
"""A product type that fits patches of the offer alone."""
BUYABLE: Final = "BUYABLE"
LOCALE: Final = "ja_JP"
MOST_SKUS = 20
"""SKUs of one searchListingsItems, and items of one of its pages."""


class Summary(msgspec.Struct, frozen=True, rename="camel"):
    """What a listing is in one marketplace."""

    marketplace_id: str = ""
    product_type: str = ""
    item_name: str = ""
    status: list[str] = []


class Availability(msgspec.Struct, frozen=True, rename="camel"):
    """What one fulfilment channel has of a listing."""

    fulfillment_channel_code: str
    quantity: int | None = None


class Item(msgspec.Struct, frozen=True, rename="camel"):
    """One listing."""

    sku: str
    summaries: list[Summary] = []
    fulfillment_availability: list[Availability] = []


class Pagination(msgspec.Struct, frozen=True, rename="camel"):
    """Where the next page is."""

    next_token: str | None = None


class Found(msgspec.Struct, frozen=True, rename="camel"):
    """A page of listings; `number_of_results` counts all that fit the search."""

    number_of_results: int
    items: list[Item]
    pagination: Pagination | None = None


class Issue(msgspec.Struct, frozen=True, rename="camel"):
    """What Amazon has to say about a listing or a write."""

    code: str = ""
    message: str = ""
    severity: str = ""
    attribute_names: list[str] = []


class Submission(msgspec.Struct, frozen=True, rename="camel"):
    """The answer to a patch: HTTP 200 for good and bad alike."""

    sku: str
    status: str
    submission_id: str = ""
    issues: list[Issue] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What is known of a listing: its product type, whether Amazon fulfils it, and what it showed last."""

    product_type: str = ""
    fulfilled_by_amazon: bool = False
    shown: int | None = None


def offer_of(item: Item, marketplace_id: str) -> Offer:
    """Return what an item says of its listing."""
    summary = summary_of(item, marketplace_id)
    return Offer(product_type=summary.product_type, fulfilled_by_amazon=is_amazons(item), shown=quantity_of(item))


def is_amazons(item: Item) -> bool:
    """Say whether Amazon fulfils it: a channel of Amazon's and none of the seller's own."""
    codes = {entry.fulfillment_channel_code for entry in item.fulfillment_availability}
    return bool(codes) and OWN not in codes


def quantity_of(item: Item) -> int | None:
    """Return what it shows; of goods in Amazon's warehouses what Amazon states, None where it states nothing.

    A listing without any availability has nothing for sale.
    """
    entries = item.fulfillment_availability
    own = [entry.quantity or 0 for entry in entries if entry.fulfillment_channel_code == OWN]
    if own or not entries:
        return sum(own)
    stated = [entry.quantity for entry in entries if entry.quantity is not None]
    return sum(stated) if stated else None


def is_active(item: Item, marketplace_id: str) -> bool:
    """Say whether shoppers can buy it, or could if it had any: a listing that is sold out is not buyable either."""
    return BUYABLE in summary_of(item, marketplace_id).status or quantity_of(item) == 0


def summary_of(item: Item, marketplace_id: str) -> Summary:
    """Return the summary of a marketplace, an empty one where there is none."""
    return next((entry for entry in item.summaries if entry.marketplace_id in ("", marketplace_id)), Summary())


def listing_of(item: Item, marketplace_id: str) -> ListingInfo:
    """Return the entry of the catalogue; what Amazon fulfils is not managed."""
    return ListingInfo(
        ref=ref(item.sku),
        sku=item.sku,
        title=summary_of(item, marketplace_id).item_name,
        active=is_active(item, marketplace_id),
        managed=not is_amazons(item),
    )


def seen_of(sku: str, item: Item | None, answer: Answer, marketplace_id: str) -> Seen:
    """Return a reading; an item that did not come is not there any more."""
    return Seen(
        ref=ref(sku),
        quantity=None if item is None else quantity_of(item),
        asked_at=answer.asked_at,
        answered_at=answer.answered_at,
        active=item is not None and is_active(item, marketplace_id),
    )


def ref(sku: str) -> ListingRef:
    """Return where Amazon shows the number of a SKU."""
    return ListingRef(remote_id=sku)


def patch_body(product_type: str, quantity: int) -> dict[str, Any]:
    """Return a patch that sets a quantity and nothing else.

    `merge` keeps the handling time, `replace` would drop it; the channel code has to be given (SP-API docs, merge a
    listing, 2026).
    """
    return {"productType": product_type or ANY_TYPE, "patches": [patch(quantity)]}


def patch(quantity: int) -> dict[str, Any]:
    """Return the one operation of a patch, the same in a feed."""
    return {
        "op": "merge",
        "path": "/attributes/fulfillment_availability",
        "value": [{"fulfillment_channel_code": OWN, "quantity": max(quantity, 0)}],
    }


def first_error(issues: Sequence[Issue]) -> Issue | None:
    """Return the issue that refuses: the first error, or the first issue at all."""
    return next((issue for issue in issues if issue.severity == "ERROR"), issues[0] if issues else None)


def instant(text: str) -> Instant:
    """Return an ISO 8601 time as an instant; raises `ProtocolError` for what is none, or names no zone."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ProtocolError("Amazon: a time in an answer is none")
    delta = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * SECOND_US + delta.microseconds


def timestamp(at: Instant) -> str:
    """Return an instant in ISO 8601 with whole seconds, cut off."""
    return datetime.fromtimestamp(at // SECOND_US, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
