"""Qoo10 Japan: absolute quantities, polled orders, ship-by dates, keys. The setup is in README.md beside this."""

from __future__ import annotations

from adapters.qoo10.channel import open_channel
from adapters.qoo10.settings import Qoo10Settings
from syncd.sdk.channel import Adapter

__all__ = ["ADAPTER", "Qoo10Settings"]

ADAPTER = Adapter(
    name="qoo10",
    settings=Qoo10Settings,
    open=open_channel,
    simulator="adapters.qoo10.simulator:make",
)
