"""The tables of exposure: policies, demand, claims of allotments, and what is shown beside a number."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary
from sqlmodel import Field, SQLModel

from syncd.store.columns import later_text


def _number() -> Column[int]:
    return Column(BigInteger, primary_key=True, autoincrement=False)


def _instant(*, nullable: bool = False) -> Column[int]:
    return Column(BigInteger, nullable=nullable)


class PolicyRow(SQLModel, table=True):
    """What a SKU may show on an account (`""`: on all); a null falls back to the settings."""

    __tablename__ = "policy"
    sku_id: int = Field(sa_column=_number())
    account: str = Field(primary_key=True)
    safety_stock: int | None = None
    safety_percent: int | None = None
    cap: int | None = None
    exposure: str | None = None
    loss: int | None = None
    share: int | None = None
    priority: str | None = None
    priority_units: int | None = None
    preorder: bool | None = None
    hide: bool | None = None
    purchase_limit: int | None = None


class SeasonRow(SQLModel, table=True):
    """A dated policy of a SKU on an account (`""`: on all), from `since` up to `until`; a null changes nothing."""

    __tablename__ = "season"
    __table_args__ = (Index("season_until", "until"),)
    sku_id: int = Field(sa_column=_number())
    account: str = Field(primary_key=True)
    name: str = Field(primary_key=True)
    since: int = Field(sa_column=_instant())
    until: int = Field(sa_column=_instant())
    safety_stock: int | None = None
    safety_percent: int | None = None
    cap: int | None = None
    exposure: str | None = None
    loss: int | None = None
    share: int | None = None
    priority: str | None = None
    priority_units: int | None = None
    preorder: bool | None = None
    hide: bool | None = None
    purchase_limit: int | None = None


class DemandRow(SQLModel, table=True):
    """What is known of the demand of a SKU: `body` is `store.demand.KeptDemand` (JSON)."""

    __tablename__ = "demand"
    __table_args__ = ({"sqlite_with_rowid": False},)
    sku_id: int = Field(sa_column=_number())
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class ClaimRow(SQLModel, table=True):
    """The claim of a listing with an allotment (`core.gate`): `unheard` units, until the feed has passed `until`.

    `sending` of them are those that a write in flight adds: they go if it is certain that it never works.
    """

    __tablename__ = "claim"
    listing_id: int = Field(sa_column=_number())
    unheard: int = 0
    until: int | None = Field(default=None, sa_column=_instant(nullable=True))
    sending: int = Field(default=0, sa_column=Column(Integer, nullable=False))


class DisplayRow(SQLModel, table=True):
    """What a listing shows beside its number, as the channel last took it, and what it is to show.

    `purchase_limit` null: none. `hidden`: its page is closed by us, with `reason`. `ready_day` is the day from which
    units on their way leave, told with a preorder, or empty. `due_at` is when it is to be brought to the channel.
    `unsure` names the kinds whose last call had no certain end: what the channel shows of them is not known.
    """

    __tablename__ = "display"
    __table_args__ = (Index("display_due", "account", "due_at"),)
    listing_id: int = Field(sa_column=_number())
    account: str
    purchase_limit: int | None = None
    hidden: bool = False
    ready_day: str = ""
    wanted_limit: int | None = None
    wanted_hidden: bool = False
    wanted_ready_day: str = ""
    due_at: int | None = Field(default=None, sa_column=_instant(nullable=True))
    attempts: int = 0
    since: int = Field(sa_column=_instant())
    reason: str = ""
    unsure: str = Field(default="", sa_column=later_text())


class BackorderRow(SQLModel, table=True):
    """Of a SKU `units` are owed from `at` on: promised before they were here, by a policy that sells them early."""

    __tablename__ = "backorder"
    sku_id: int = Field(sa_column=_number())
    at: int = Field(sa_column=_number())
    units: int
