"""Who may call: the app's credentials and tokens, API versions, and which scope each type needs.

Facts: client credentials grant, its answers and errors (shopify.dev, client credentials grant, 2026-10); an API version
lives for a year and an inaccessible one falls forward (shopify.dev, versioning); scopes per type (schema 2026-10).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from graphql import FieldNode, OperationDefinitionNode, SelectionSetNode, get_named_type

from adapters.shopify.simulated.cost import Walker
from syncd.sdk.channel import Clock

VERSIONS = ("2026-01", "2026-04", "2026-07", "2026-10")
"""What is supported on 2026-11-22, oldest first. The simulator answers by the rules of the last one under each name."""
CANDIDATE = "2027-01"

SCOPES = (
    "read_all_orders",
    "read_fulfillments",
    "read_inventory",
    "read_locations",
    "read_merchant_managed_fulfillment_orders",
    "read_orders",
    "read_products",
    "read_returns",
    "write_draft_orders",
    "write_inventory",
    "write_orders",
)
"""What the simulated app was granted at its installation."""

_WORK = ("assigned", "merchant_managed", "third_party")
_TYPES: dict[str, tuple[str, ...]] = {
    "Customer": ("read_customers",),
    "DraftOrder": ("read_draft_orders",),
    "Fulfillment": ("read_orders", *(f"read_{kind}_fulfillment_orders" for kind in _WORK)),
    "FulfillmentOrder": tuple(f"read_{kind}_fulfillment_orders" for kind in _WORK),
    "InventoryItem": ("read_inventory", "read_products"),
    "InventoryLevel": ("read_inventory",),
    "InventoryProperties": ("read_inventory",),
    "LineItem": ("read_orders",),
    "Location": ("read_locations", "read_inventory"),
    "Order": ("read_orders",),
    "Product": ("read_products",),
    "ProductVariant": ("read_products",),
    "Refund": ("read_orders",),
    "Return": ("read_returns",),
}
_MUTATIONS = {
    "draftOrder": ("write_draft_orders",),
    "inventory": ("write_inventory",),
    "orderCancel": ("write_orders",),
}
_TOPICS = {
    "fulfillment": "read_fulfillments",
    "fulfillment_orders": "read_merchant_managed_fulfillment_orders",
    "inventory_items": "read_inventory",
    "inventory_levels": "read_inventory",
    "locations": "read_locations",
    "orders": "read_orders",
    "products": "read_products",
    "refunds": "read_orders",
    "returns": "read_returns",
    "reverse_fulfillment_orders": "read_returns",
    "variants": "read_products",
}


def granted(scopes: Iterable[str]) -> frozenset[str]:
    """Return the scopes with those that they imply: write brings read."""
    named = set(scopes)
    return frozenset(named | {scope.replace("write_", "read_", 1) for scope in named if scope.startswith("write_")})


def topic_scope(topic: str) -> str | None:
    """Return the scope that a webhook topic (header form) needs, None for topics that need none."""
    resource = topic.partition("/")[0]
    return _TOPICS.get("fulfillment" if resource in {"fulfillments", "fulfillment_events"} else resource)


def served(version: str) -> str | None:
    """Return the version that answers a call to `version`, None where there is no such version."""
    if version in {*VERSIONS, CANDIDATE, "unstable"}:
        return version
    past = len(version) == len(VERSIONS[0]) and version[:4].isdigit() and version < VERSIONS[0]
    return VERSIONS[0] if past else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """One selected field that needs any of these scopes."""

    scopes: tuple[str, ...]
    path: tuple[str, ...]
    node: FieldNode


def needs(walker: Walker, operation: OperationDefinitionNode) -> list[Need]:
    """Return what an operation needs, once per field."""
    root = walker.root(operation)
    found: list[Need] = []
    for node, owner in walker.fields(operation.selection_set, root):
        name = node.name.value
        scopes = next((scopes for head, scopes in _MUTATIONS.items() if name.startswith(head)), None)
        if scopes is not None and owner.name == "Mutation":
            found.append(Need(scopes=scopes, path=(name,), node=node))
    found += _type_needs(walker, operation.selection_set, root, ())
    return found


def _type_needs(walker: Walker, selections: SelectionSetNode, parent: object, path: tuple[str, ...]) -> Iterable[Need]:
    for node, owner in walker.fields(selections, parent):
        definition = getattr(owner, "fields", {}).get(node.name.value)
        if definition is None or node.selection_set is None:
            continue
        kind = get_named_type(definition.type)
        here = (*path, node.alias.value if node.alias else node.name.value)
        scopes = _TYPES.get(kind.name.removesuffix("Connection"))
        if scopes is not None:
            yield Need(scopes=scopes, path=here, node=node)
        yield from _type_needs(walker, node.selection_set, kind, here)


class Tokens:
    """The access tokens of one app: a client gets one by its credentials; it ends by time or by hand."""

    def __init__(self, clock: Clock, *, client_id: str, make: Callable[[], str]) -> None:
        self._clock = clock
        self._make = make
        self._until: dict[str, float] = {}
        self.client_id = client_id
        self.fixed = f"shpat_{make()}"
        """A token of an older custom app, which never ends by itself."""
        self.lifetime_s = 86_399.0
        self.installed = True

    def grant(self) -> tuple[str, int]:
        """Return a new token and how many seconds it lives."""
        token = f"shpat_{self._make()}"
        self._until[token] = self._clock.monotonic() + self.lifetime_s
        return token, int(self.lifetime_s)

    def accepts(self, token: str | None) -> bool:
        """Say whether a token opens the shop now."""
        if token is None or not self.installed:
            return False
        return token == self.fixed or self._clock.monotonic() < self._until.get(token, 0.0)

    def revoke(self) -> None:
        """End every granted token at once."""
        self._until.clear()
