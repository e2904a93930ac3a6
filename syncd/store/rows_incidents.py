"""The tables of oversells: incidents, and what is offered instead of a SKU. No personal data."""

from __future__ import annotations

from sqlalchemy import Column, LargeBinary, UniqueConstraint
from sqlmodel import Field, SQLModel

from syncd.store.columns import identity, instant, key_part, other_id, some_index


class IncidentRow(SQLModel, table=True):
    """A time in which more of a SKU was promised than there was, from the movement at `began_at` on.

    `short` are the units that were missing when it was looked at last. `covered_at` is set once none is missing any
    more, `closed_at` by a person, with `reason`. `body` is `store.incidents.Record` as JSON.
    """

    __tablename__ = "incident"
    __table_args__ = (
        UniqueConstraint("sku_id", "began_at", name="incident_once"),
        some_index("incident_open", "id", where="closed_at IS NULL"),
    )
    id: int | None = Field(default=None, sa_column=identity())
    sku_id: int = Field(sa_column=other_id())
    began_at: int = Field(sa_column=instant())
    opened_at: int = Field(sa_column=instant())
    short: int
    cause: str
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    covered_at: int | None = Field(default=None, sa_column=instant(nullable=True))
    closed_at: int | None = Field(default=None, sa_column=instant(nullable=True))
    reason: str = ""
    actor: str = ""


class AlternativeRow(SQLModel, table=True):
    """`other_id` may be offered instead of a SKU, in the order of `place`; `note` says what differs."""

    __tablename__ = "alternative"
    sku_id: int = Field(sa_column=key_part())
    other_id: int = Field(sa_column=key_part())
    place: int = 0
    note: str = ""
