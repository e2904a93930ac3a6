"""The table of what was cancelled by whom. No personal data."""

from __future__ import annotations

from sqlmodel import Field, SQLModel

from syncd.store.columns import instant


class OrderCancelRow(SQLModel, table=True):
    """An order of which units were cancelled: when it was placed, when that was heard of first, whose doing it was."""

    __tablename__ = "order_cancel"
    account: str = Field(primary_key=True)
    remote_id: str = Field(primary_key=True)
    ordered_at: int = Field(sa_column=instant())
    at: int = Field(sa_column=instant())
    by: str
