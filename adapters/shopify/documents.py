"""Every GraphQL document that syncd sends to Shopify, with what it costs at most.

Written for Admin API 2026-10 (they hold from 2026-04 on). Page sizes stand in the text, so that the cost is known
before the first call: an object 1, a mutation 10, a connection `2 + s(first) * cost(node)` with s(10)=4, s(50)=7,
s(100)=9, s(250)=11, a list of objects once whatever its length (recorded `requestedQueryCost` values of 2026-04). No
document may ask for more than 1,000 points (shopify.dev, API rate limits, 2026-10).

Nothing here asks for a customer, an address, a mail, a phone number or a note.
"""

from __future__ import annotations

from dataclasses import dataclass

LIST_PAGE = 250
"""The largest page that Shopify gives (shopify.dev, API limits, 2026-10)."""
ORDERS_PAGE = 50
FEED_LINES = 50
FEED_PARTS = 10
"""Fulfilments and refunds per order, and how many lines of the order, that a page of the feed shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A document with its operation name and the points that it asks for."""

    name: str
    text: str
    cost: float


_LINE = "id sku quantity currentQuantity unfulfilledQuantity variant { id inventoryItem { id tracked } }"
_SHIPPED = "id quantity lineItem { id }"
_PARCEL = "createdAt estimatedDeliveryAt deliveredAt trackingInfo(first: 10) { company number url }"
_REFUNDED = "id quantity restockType restocked location { id } lineItem { id }"


def _order(*, lines: int, parts: int, offers: bool = False) -> str:
    """Return the selection of an order; `offers` adds its custom attributes, of which ours alone is kept."""
    return f"""
      id
      name
      createdAt
      updatedAt
      cancelledAt
      closed
      confirmed
      test
      displayFinancialStatus
      displayFulfillmentStatus
      returnStatus{" customAttributes { key value }" if offers else ""}
      lineItems(first: {lines}) {{ nodes {{ {_LINE} }} pageInfo {{ hasNextPage endCursor }} }}
      fulfillments(first: {parts}) {{
        id
        status
        {_PARCEL}
        fulfillmentLineItems(first: {lines}) {{ nodes {{ {_SHIPPED} }} }}
      }}
      refunds(first: {parts}) {{ id createdAt refundLineItems(first: {lines}) {{ nodes {{ {_REFUNDED} }} }} }}"""


HEALTH = Document(
    name="SyncdHealth",
    cost=4,
    text="""query SyncdHealth {
  shop { id myshopifyDomain }
  currentAppInstallation { id accessScopes { handle } }
  publicApiVersions { handle supported }
}""",
)

SCOPES = Document(
    name="SyncdScopes",
    cost=2,
    text="query SyncdScopes { currentAppInstallation { id accessScopes { handle } } }",
)

LOCATIONS = Document(
    name="SyncdLocations",
    cost=13,
    text=f"""query SyncdLocations($after: String) {{
  locations(first: {LIST_PAGE}, after: $after, includeInactive: true, includeLegacy: true) {{
    nodes {{ id name isActive shipsInventory isFulfillmentService }}
    pageInfo {{ hasNextPage endCursor }}
  }}
}}""",
)

VARIANTS = Document(
    name="SyncdVariants",
    cost=35,
    text=f"""query SyncdVariants($after: String) {{
  productVariants(first: {LIST_PAGE}, after: $after, sortKey: ID) {{
    nodes {{ id sku product {{ id status }} inventoryItem {{ id tracked duplicateSkuCount }} }}
    pageInfo {{ hasNextPage endCursor }}
  }}
}}""",
)

LEVELS = Document(
    name="SyncdInventoryLevels",
    cost=3,
    text="""query SyncdInventoryLevels($ids: [ID!]!, $locationId: ID!) {
  nodes(ids: $ids) {
    ... on InventoryItem {
      id
      inventoryLevel(locationId: $locationId, includeInactive: true) {
        id
        isActive
        quantities(names: ["available"]) { name quantity }
      }
    }
  }
}""",
)


def _orders(name: str, *, cost: int, offers: bool = False) -> Document:
    """Return the document of a page of orders."""
    return Document(
        name=name,
        cost=cost,
        text=f"""query {name}($after: String, $query: String!) {{
  orders(first: {ORDERS_PAGE}, after: $after, query: $query, sortKey: UPDATED_AT) {{
    nodes {{{_order(lines=FEED_LINES, parts=FEED_PARTS, offers=offers)}
    }}
    pageInfo {{ hasNextPage endCursor }}
  }}
}}""",
    )


def _orders_by_id(name: str, *, cost: int, offers: bool = False) -> Document:
    """Return the document of orders by their ids."""
    return Document(
        name=name,
        cost=cost,
        text=f"""query {name}($ids: [ID!]!) {{
  nodes(ids: $ids) {{
    ... on Order {{{_order(lines=LIST_PAGE, parts=LIST_PAGE, offers=offers)}
    }}
  }}
}}""",
    )


ORDERS = _orders("SyncdOrders", cost=464)
ORDERS_BY_ID = _orders_by_id("SyncdOrdersById", cost=98)
ORDERS_AND_OFFERS = _orders("SyncdOrdersAndOffers", cost=471, offers=True)
ORDERS_AND_OFFERS_BY_ID = _orders_by_id("SyncdOrdersAndOffersById", cost=99, offers=True)

ORDER_LINES = Document(
    name="SyncdOrderLines",
    cost=36,
    text=f"""query SyncdOrderLines($id: ID!, $after: String!) {{
  order(id: $id) {{
    id
    updatedAt
    lineItems(first: {LIST_PAGE}, after: $after) {{ nodes {{ {_LINE} }} pageInfo {{ hasNextPage endCursor }} }}
  }}
}}""",
)

ORDER_TAILS = Document(
    name="SyncdOrderTails",
    cost=62,
    text=f"""query SyncdOrderTails($id: ID!) {{
  order(id: $id) {{
    id
    updatedAt
    fulfillments(first: {LIST_PAGE}) {{
      id
      status
      fulfillmentLineItems(first: {LIST_PAGE}, reverse: true) {{ nodes {{ {_SHIPPED} }} }}
    }}
    refunds(first: {LIST_PAGE}) {{
      id
      createdAt
      refundLineItems(first: {LIST_PAGE}, reverse: true) {{ nodes {{ {_REFUNDED} }} }}
    }}
  }}
}}""",
)

SET_QUANTITIES = Document(
    name="SyncdInventorySet",
    cost=10,
    text="""mutation SyncdInventorySet($input: InventorySetQuantitiesInput!, $idempotencyKey: String!) {
  inventorySetQuantities(input: $input) @idempotent(key: $idempotencyKey) {
    inventoryAdjustmentGroup { id }
    userErrors { code field message }
  }
}""",
)

ACTIVATE = Document(
    name="SyncdInventoryActivate",
    cost=10,
    text="""mutation SyncdInventoryActivate($inventoryItemId: ID!, $locationId: ID!, $idempotencyKey: String!) {
  inventoryActivate(inventoryItemId: $inventoryItemId, locationId: $locationId) @idempotent(key: $idempotencyKey) {
    inventoryLevel { id isActive }
    userErrors { field message }
  }
}""",
)

BULK_RUN = Document(
    name="SyncdBulkRun",
    cost=10,
    text="""mutation SyncdBulkRun($query: String!) {
  bulkOperationRunQuery(query: $query, groupObjects: false) {
    bulkOperation { id status createdAt }
    userErrors { code field message }
  }
}""",
)

BULK_STATUS = Document(
    name="SyncdBulkStatus",
    cost=1,
    text="""query SyncdBulkStatus($id: ID!) {
  bulkOperation(id: $id) { id status errorCode createdAt completedAt objectCount url }
}""",
)

WEBHOOK_LIST = Document(
    name="SyncdWebhooks",
    cost=13,
    text=f"""query SyncdWebhooks($after: String) {{
  webhookSubscriptions(first: {LIST_PAGE}, after: $after) {{
    nodes {{ id topic uri format includeFields name }}
    pageInfo {{ hasNextPage endCursor }}
  }}
}}""",
)

WEBHOOK_CREATE = Document(
    name="SyncdWebhookCreate",
    cost=10,
    text="""mutation SyncdWebhookCreate($topic: WebhookSubscriptionTopic!, $sub: WebhookSubscriptionInput!) {
  webhookSubscriptionCreate(topic: $topic, webhookSubscription: $sub) {
    webhookSubscription { id }
    userErrors { field message }
  }
}""",
)

WEBHOOK_DELETE = Document(
    name="SyncdWebhookDelete",
    cost=10,
    text="""mutation SyncdWebhookDelete($id: ID!) {
  webhookSubscriptionDelete(id: $id) { deletedWebhookSubscriptionId userErrors { field message } }
}""",
)

ALL = (
    HEALTH,
    SCOPES,
    LOCATIONS,
    VARIANTS,
    LEVELS,
    ORDERS,
    ORDERS_BY_ID,
    ORDERS_AND_OFFERS,
    ORDERS_AND_OFFERS_BY_ID,
    ORDER_LINES,
    ORDER_TAILS,
    SET_QUANTITIES,
    ACTIVATE,
    BULK_RUN,
    BULK_STATUS,
    WEBHOOK_LIST,
    WEBHOOK_CREATE,
    WEBHOOK_DELETE,
)

# The queries inside bulk operations: edges and nodes, at most five connections, two deep, no page sizes.

BULK_LEVELS = """{
  inventoryItems {
    edges {
      node {
        id
        inventoryLevels(includeInactive: true) {
          edges {
            node {
              id
              isActive
              location { id }
              quantities(names: ["available"]) { name quantity }
            }
          }
        }
      }
    }
  }
}"""

BULK_VARIANTS = """{
  productVariants {
    edges { node { id sku product { id status } inventoryItem { id tracked duplicateSkuCount } } }
  }
}"""
