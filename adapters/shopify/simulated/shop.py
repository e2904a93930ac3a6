"""The whole simulated shop in one place, and one request to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from graphql import GraphQLResolveInfo

from adapters.shopify.simulated.access import SCOPES, VERSIONS, Tokens
from adapters.shopify.simulated.activation import Activation
from adapters.shopify.simulated.bulk import BulkOperations
from adapters.shopify.simulated.cost import Bucket
from adapters.shopify.simulated.drafts import Drafts
from adapters.shopify.simulated.goods import Goods
from adapters.shopify.simulated.idempotency import Keys
from adapters.shopify.simulated.orders import Announce, Orders
from adapters.shopify.simulated.stock_writes import InventoryAdjustmentGroup, StockWrites
from adapters.shopify.simulated.times import SECOND_US
from adapters.shopify.simulated.webhooks import Subscriptions
from syncd.sdk.channel import Clock, Instant

Info: TypeAlias = "GraphQLResolveInfo[Any]"
"""What a resolver is told; its context is the `Request`."""

GROUPS_KEPT = 1_000
"""Adjustment groups that can still be read by their id."""


@dataclass(slots=True, kw_only=True)
class Knobs:
    """What a test may turn. Times are seconds of the shop's clock.

    `plan` is the rate plan. `token_life_s` is how long new tokens live. `scopes` were granted. `search_lag_s` is how
    far lists of orders and levels lag behind. `write_time_s` is how long a mutation is under way after its effect.
    `level_delay_s` is how long a level's webhook waits before it is assembled, from and to. `bulk_wait_s` and
    `bulk_rows_per_s` say how long a bulk operation takes, `bulk_error` makes it fail. `payload_version` is the version
    of webhook bodies. With `retries_keep_id` a webhook that is sent again has its old id.
    """

    plan: str = "standard"
    token_life_s: float = 86_399.0
    scopes: tuple[str, ...] = SCOPES
    search_lag_s: float = 0.0
    write_time_s: float = 0.0
    level_delay_s: tuple[float, float] = (0.0, 1.0)
    bulk_wait_s: float = 1.0
    bulk_rows_per_s: float = 2_000.0
    bulk_error: str | None = None
    payload_version: str = VERSIONS[-1]
    retries_keep_id: bool = True


class Shop:
    """The shop, the app in it, and the rules between them.

    `announce` is told of every webhook topic with what it is about; `start_bulk` of every new bulk operation.
    """

    domain = "syncd-simulated.myshopify.com"
    name = "syncd simulated"
    currency = "JPY"
    time_zone = "Asia/Tokyo"

    def __init__(
        self, *, goods: Goods, clock: Clock, tokens: Tokens, announce: Announce, start_bulk: Callable[[Any], None]
    ) -> None:
        self.clock = clock
        self.knobs = Knobs()
        self.goods = goods
        self.tokens = tokens
        self.announce = announce
        self.start_bulk = start_bulk
        self.bucket = Bucket(clock)
        self.keys = Keys(clock)
        self.orders = Orders(goods, clock, announce)
        self.drafts = Drafts(goods, self.orders, clock, domain=self.domain)
        self.writes = StockWrites(goods, clock)
        self.activation = Activation(goods, announce)
        self.subscriptions = Subscriptions(clock)
        self.bulk = BulkOperations(clock)
        self.groups: dict[str, InventoryAdjustmentGroup] = {}

    def find(self, identity: str) -> object | None:
        """Return whatever has this global id, None where nothing has."""
        number = identity.rpartition("/")[2]
        if identity.startswith("gid://shopify/Order/"):
            return self.orders.by_number.get(int(number)) if number.isdigit() else None
        if identity.startswith("gid://shopify/BulkOperation/"):
            return self.bulk.find(identity)
        places: Sequence[Mapping[str, object]] = (
            self.goods.by_id,
            self.orders.parts,
            self.subscriptions.by_id,
            self.groups,
            self.drafts.by_id,
        )
        return next((place[identity] for place in places if identity in place), None)

    def keep(self, group: InventoryAdjustmentGroup) -> None:
        """Remember an adjustment group for reads by id, the oldest ones no longer."""
        self.groups[group.id] = group
        if len(self.groups) > GROUPS_KEPT:
            del self.groups[next(iter(self.groups))]


@dataclass(slots=True, kw_only=True)
class Request:
    """One document that is being answered.

    `stale_us` is how far behind its reads are. `rows` is the slice of the first connection that a bulk operation reads,
    None outside of one. `warnings` go to `extensions.search`.
    """

    shop: Shop
    variables: Mapping[str, Any] = field(default_factory=dict)
    stale_us: int = 0
    rows: slice | None = None
    warnings: list[dict[str, Any]] = field(default_factory=list)

    @property
    def indexed_until(self) -> Instant:
        """Return up to when the search index knows changes."""
        return self.shop.clock.now() - max(self.stale_us, round(self.shop.knobs.search_lag_s * SECOND_US))
