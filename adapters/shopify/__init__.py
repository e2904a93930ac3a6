"""Shopify: stock levels by compare-and-set, orders, webhooks, bulk reading. The setup is in README.md beside this."""

from __future__ import annotations

from adapters.shopify.channel import open_channel
from adapters.shopify.settings import ShopifySettings
from syncd.sdk.channel import Adapter

__all__ = ["ADAPTER", "ShopifySettings"]

ADAPTER = Adapter(
    name="shopify",
    settings=ShopifySettings,
    open=open_channel,
    simulator="adapters.shopify.simulator:make",
)
