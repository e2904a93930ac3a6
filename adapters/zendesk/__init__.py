"""Zendesk Support: tickets of those who wait, their fields, rules and letters. The setup is in README.md."""

from __future__ import annotations

from adapters.zendesk.desk import open_desk
from adapters.zendesk.settings import ZendeskSettings
from syncd.sdk.desk import DeskAdapter

__all__ = ["ADAPTER", "ZendeskSettings"]

ADAPTER = DeskAdapter(
    name="zendesk",
    settings=ZendeskSettings,
    open=open_desk,
    simulator="adapters.zendesk.simulator:make",
)
