"""Private sales as draft orders: documents, and what their answers mean. Pure.

Facts (shopify.dev, draftOrderCreate, draftOrderDelete, DraftOrder, inventory states, and the schema, 2026-10): a draft
with `reserveInventoryUntil` moves its units from `available` to `reserved` until then, when they are restocked;
`invoiceUrl` is the link to its checkout, may be null, and needs no invoice to be sent; `draftOrders` can be searched by
`tag`; the errors of these mutations have no codes, and none of them takes an idempotency key. Not confirmed by a page:
that the order keeps the draft's `customAttributes` (`note_attributes` in webhooks), that paying takes what is reserved
without another change of `available`, and what becomes of a draft that is deleted while it is paid.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from adapters.shopify.documents import Document
from adapters.shopify.wire import Page, UserError, gid, timestamp
from syncd.sdk.errors import TransientError
from syncd.sdk.features import Offer, OfferRequest

ATTRIBUTE: Final = "syncd_offer"
"""The custom attribute that names our private sale, on the draft and on the order that comes of it."""
TAG: Final = "syncd-"
COMPLETED: Final = "COMPLETED"

_DRAFT = "id status invoiceUrl customAttributes { key value } order { id }"

ITEM_VARIANT = Document(
    name="SyncdItemVariant",
    cost=4,
    text="query SyncdItemVariant($id: ID!) { inventoryItem(id: $id) { id variants(first: 1) { nodes { id } } } }",
)

DRAFT_CREATE = Document(
    name="SyncdDraftOrderCreate",
    cost=12,
    text=f"""mutation SyncdDraftOrderCreate($input: DraftOrderInput!) {{
  draftOrderCreate(input: $input) {{ draftOrder {{ {_DRAFT} }} userErrors {{ field message }} }}
}}""",
)

DRAFT = Document(
    name="SyncdDraftOrder",
    cost=3,
    text=f"query SyncdDraftOrder($id: ID!) {{ draftOrder(id: $id) {{ {_DRAFT} }} }}",
)

DRAFTS = Document(
    name="SyncdDraftOrders",
    cost=14,
    text=f"""query SyncdDraftOrders($query: String!) {{
  draftOrders(first: 10, query: $query, sortKey: ID, reverse: true) {{
    nodes {{ {_DRAFT} }}
    pageInfo {{ hasNextPage endCursor }}
  }}
}}""",
)

DRAFT_DELETE = Document(
    name="SyncdDraftOrderDelete",
    cost=10,
    text="""mutation SyncdDraftOrderDelete($input: DraftOrderDeleteInput!) {
  draftOrderDelete(input: $input) { deletedId userErrors { field message } }
}""",
)

ALL = (ITEM_VARIANT, DRAFT_CREATE, DRAFT, DRAFTS, DRAFT_DELETE)


class Attribute(msgspec.Struct, frozen=True):
    """A custom attribute; only ours is looked at."""

    key: str
    value: str | None = None

    def __repr__(self) -> str:
        """Show nothing: it may be what a customer wrote."""
        return "Attribute()"


def offer_of(attributes: Iterable[Attribute]) -> str:
    """Return the key of our private sale among custom attributes, empty where there is none."""
    return next((one.value or "" for one in attributes if one.key == ATTRIBUTE), "")


class OrderRef(msgspec.Struct, frozen=True):
    """An order of which the id is all that is asked."""

    id: str


class DraftNode(msgspec.Struct, frozen=True, rename="camel"):
    """A draft order. `invoice_url` is a secret of the customer."""

    id: str
    status: str
    invoice_url: str | None = None
    custom_attributes: list[Attribute] = []
    order: OrderRef | None = None

    def __repr__(self) -> str:
        """Show the draft without its link."""
        return f"DraftNode(id={self.id!r}, status={self.status!r})"


class DraftData(msgspec.Struct, frozen=True, rename="camel"):
    """Answer of SyncdDraftOrder."""

    draft_order: DraftNode | None = None


class DraftsData(msgspec.Struct, frozen=True, rename="camel"):
    """Answer of SyncdDraftOrders."""

    draft_orders: Page[DraftNode]


class CreatePayload(msgspec.Struct, frozen=True, rename="camel"):
    """How making a draft ended."""

    user_errors: list[UserError]
    draft_order: DraftNode | None = None


class CreateData(msgspec.Struct, frozen=True, rename="camel"):
    """Answer of SyncdDraftOrderCreate."""

    draft_order_create: CreatePayload | None = None


class DeletePayload(msgspec.Struct, frozen=True, rename="camel"):
    """How deleting a draft ended."""

    user_errors: list[UserError]
    deleted_id: str | None = None


class DeleteData(msgspec.Struct, frozen=True, rename="camel"):
    """Answer of SyncdDraftOrderDelete."""

    draft_order_delete: DeletePayload | None = None


class VariantRef(msgspec.Struct, frozen=True):
    """A variant."""

    id: str


class VariantRefs(msgspec.Struct, frozen=True):
    """Variants, of which the first is enough."""

    nodes: list[VariantRef]


class ItemVariants(msgspec.Struct, frozen=True):
    """The variants of an inventory item."""

    id: str
    variants: VariantRefs | None = None


class ItemVariantData(msgspec.Struct, frozen=True, rename="camel"):
    """Answer of SyncdItemVariant."""

    inventory_item: ItemVariants | None = None


def variant_of(answer: ItemVariantData) -> str | None:
    """Return the variant that sells an item, None where there is none."""
    found = answer.inventory_item
    return None if found is None or found.variants is None or not found.variants.nodes else found.variants.nodes[0].id


def tag_of(key: str) -> str:
    """Return the tag by which a private sale is found again; Shopify cuts none that is so short."""
    return f"{TAG}{key}"


def create_variables(request: OfferRequest, variant: str) -> dict[str, Any]:
    """Return the variables that make a private sale: nothing of a customer is in them."""
    return {
        "input": {
            "lineItems": [{"variantId": variant, "quantity": request.quantity}],
            "reserveInventoryUntil": timestamp(request.until),
            "tags": [tag_of(request.key)],
            "customAttributes": [{"key": ATTRIBUTE, "value": request.key}],
        }
    }


def search(key: str) -> str:
    """Return the query that finds the draft with a key; the index matches loosely, `named` looks again."""
    return f"tag:'{tag_of(key)}'"


def named(nodes: Iterable[DraftNode], key: str) -> DraftNode | None:
    """Return the draft that bears a key."""
    return next((node for node in nodes if offer_of(node.custom_attributes) == key), None)


def offer(node: DraftNode) -> Offer:
    """Return a draft as a private sale; raises `TransientError` while Shopify has made no link for it."""
    if not node.invoice_url:
        raise TransientError("Shopify: a draft order has no link yet")
    return Offer(offer_id=node.id.rpartition("/")[2], link=node.invoice_url)


def draft_gid(offer_id: str) -> str:
    """Return the global id of a draft."""
    return gid("DraftOrder", offer_id)
