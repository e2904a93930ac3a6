"""The table of figures that cannot be computed from the ledger afterwards. No personal data."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column
from sqlmodel import Field, SQLModel

from syncd.store.columns import key_part


class HiddenSalesRow(SQLModel, table=True):
    """Sales that an account is reckoned not to have made in an hour because it showed less than was there.

    `hour` is when the hour began; `milliunits` are thousandths of a unit.
    """

    __tablename__ = "hidden_sales"
    hour: int = Field(sa_column=key_part())
    account: str = Field(primary_key=True)
    milliunits: int = Field(sa_column=Column(BigInteger, nullable=False))
