"""The parts of the simulated Shopify: goods, orders, rules of the Admin API, webhooks.

`adapters.shopify.simulator` joins them. A class is named as the GraphQL type that it stands for, and its attributes are
that type's fields in snake case, so that the schema needs a resolver only where a field is more than an attribute.
"""
