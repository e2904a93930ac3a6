"""The part of Shopify's schema that private sales need beside the vendor's cut, as Admin API 2026-10 has it."""

from __future__ import annotations

from graphql import GraphQLSchema, extend_schema, parse

DRAFTS = """
type Attribute { key: String! value: String }

extend type Order { customAttributes: [Attribute!]! }

type DraftOrder {
  createdAt: DateTime!
  customAttributes: [Attribute!]!
  id: ID!
  invoiceUrl: URL
  legacyResourceId: UnsignedInt64!
  name: String!
  order: Order
  reserveInventoryUntil: DateTime
  status: DraftOrderStatus!
  tags: [String!]!
  updatedAt: DateTime!
}

enum DraftOrderStatus { COMPLETED INVOICE_SENT OPEN }
enum DraftOrderSortKeys { CUSTOMER_NAME ID NUMBER RELEVANCE STATUS TOTAL_PRICE UPDATED_AT }

type DraftOrderConnection { edges: [DraftOrderEdge!]! nodes: [DraftOrder!]! pageInfo: PageInfo! }
type DraftOrderEdge { cursor: String! node: DraftOrder! }

type DraftOrderCreatePayload { draftOrder: DraftOrder userErrors: [UserError!]! }
type DraftOrderDeletePayload { deletedId: ID userErrors: [UserError!]! }

input AttributeInput { key: String! value: String! }
input DraftOrderDeleteInput { id: ID! }
input DraftOrderLineItemInput { customAttributes: [AttributeInput!] quantity: Int! variantId: ID }
input DraftOrderInput {
  customAttributes: [AttributeInput!]
  lineItems: [DraftOrderLineItemInput!]
  note: String
  reserveInventoryUntil: DateTime
  tags: [String!]
}

extend type InventoryItem {
  variants(after: String before: String first: Int last: Int): ProductVariantConnection
}

extend type QueryRoot {
  inventoryItem(id: ID!): InventoryItem
  draftOrder(id: ID!): DraftOrder
  draftOrders(
    after: String before: String first: Int last: Int query: String reverse: Boolean = false savedSearchId: ID
    sortKey: DraftOrderSortKeys = ID
  ): DraftOrderConnection!
}

extend type Mutation {
  draftOrderCreate(input: DraftOrderInput!): DraftOrderCreatePayload
  draftOrderDelete(input: DraftOrderDeleteInput!): DraftOrderDeletePayload
}
"""


def with_drafts(vendor: GraphQLSchema) -> GraphQLSchema:
    """Return the vendor's cut with draft orders."""
    return extend_schema(vendor, parse(DRAFTS))
