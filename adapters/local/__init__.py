"""The local desk: tickets in syncd's own store, letters by mail, replies by IMAP. A shop needs nothing else for it."""

from __future__ import annotations

from adapters.local.desk import open_desk
from adapters.local.settings import LocalSettings
from syncd.sdk.desk import DeskAdapter

__all__ = ["ADAPTER", "LocalSettings"]

ADAPTER = DeskAdapter(
    name="local",
    settings=LocalSettings,
    open=open_desk,
    simulator="adapters.local.simulator:make",
)
