"""Rakuten Ichiba: stock by differences, orders without personal data, notifications. The setup is in README.md."""

from __future__ import annotations

from adapters.rakuten.channel import open_channel
from adapters.rakuten.settings import RakutenSettings
from syncd.sdk.channel import Adapter

__all__ = ["ADAPTER", "RakutenSettings"]

ADAPTER = Adapter(
    name="rakuten",
    settings=RakutenSettings,
    open=open_channel,
    simulator="adapters.rakuten.simulator:make",
)
