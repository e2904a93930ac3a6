"""A plain shop that speaks CSV over HTTP, as a channel of syncd: the example of an adapter in a package of its own."""

from __future__ import annotations

from syncd.sdk.channel import Adapter
from syncd_csvshop.channel import CsvSettings, open_channel

__all__ = ["ADAPTER", "CsvSettings"]

ADAPTER = Adapter(name="csvshop", settings=CsvSettings, open=open_channel, simulator="syncd_csvshop.simulator:make")
