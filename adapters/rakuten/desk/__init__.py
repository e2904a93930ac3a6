"""Inquiries of a Rakuten shop (R-Messe) as the tickets of a desk: read, joined to those who wait, answered once."""

from __future__ import annotations

from adapters.rakuten.desk.desk import open_desk
from adapters.rakuten.desk.settings import InquirySettings
from syncd.sdk.desk import DeskAdapter

__all__ = ["ADAPTER", "InquirySettings"]

ADAPTER = DeskAdapter(
    name="rakuten_inquiries",
    settings=InquirySettings,
    open=open_desk,
    simulator="adapters.rakuten.desk.simulator:make",
)
