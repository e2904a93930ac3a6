"""The memory shop: the reference adapter, and the double of a channel in tests, demo and benchmarks."""

from __future__ import annotations

from adapters.memory.channel import open_channel
from adapters.memory.settings import MemorySettings
from syncd.sdk.channel import Adapter

__all__ = ["ADAPTER", "MemorySettings"]

ADAPTER = Adapter(
    name="memory",
    settings=MemorySettings,
    open=open_channel,
    simulator="adapters.memory.simulator:make",
)
