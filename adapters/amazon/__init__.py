"""Amazon: stock by patches and feeds, orders by search and notifications. The setup is in README.md beside this."""

from __future__ import annotations

from adapters.amazon.channel import open_channel
from adapters.amazon.settings import AmazonSettings
from syncd.sdk.channel import Adapter

__all__ = ["ADAPTER", "AmazonSettings"]

ADAPTER = Adapter(
    name="amazon",
    settings=AmazonSettings,
    open=open_channel,
    simulator="adapters.amazon.simulator:make",
)
