"""The tables of how orders come to their buyers. No personal data."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index
from sqlmodel import Field, SQLModel


class OrderDeliveryRow(SQLModel, table=True):
    """When an order has to be shipped, and when it was promised to arrive; null where the channel does not say."""

    __tablename__ = "order_delivery"
    __table_args__ = (Index("order_delivery_ship_by", "ship_by"),)
    order_id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    ship_by: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))
    deliver_by: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))


class ShipmentRow(SQLModel, table=True):
    """A parcel of an order: `carrier` is our key (`core.carriers`), `carrier_raw` the channel's word."""

    __tablename__ = "shipment"
    __table_args__ = (Index("shipment_carrier", "carrier", "order_id"), {"sqlite_with_rowid": False})
    order_id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    shipment_id: str = Field(primary_key=True)
    carrier: str = ""
    carrier_raw: str = ""
    number: str = ""
    url: str = ""
    shipped_at: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))
    expected_at: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))
    delivered_at: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))


class OrderProofRow(SQLModel, table=True):
    """A keyed hash by which the buyer of an order is known (`core.proofs`); an empty one says that there is none."""

    __tablename__ = "order_proof"
    __table_args__ = (Index("order_proof_at", "at"), {"sqlite_with_rowid": False})
    order_id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    proof: str = Field(primary_key=True)
    key_id: str
    at: int = Field(sa_column=Column(BigInteger, nullable=False))


class CancelWishRow(SQLModel, table=True):
    """The buyer of an order asked to cancel it; a person decides."""

    __tablename__ = "cancel_wish"
    order_id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    at: int = Field(sa_column=Column(BigInteger, nullable=False))
