"""The table of hand edits at the counting place."""

from __future__ import annotations

from sqlmodel import Field, SQLModel

from syncd.store.columns import identity, instant, other_id, some_index


class AdoptionRow(SQLModel, table=True):
    """A hand edit. `booked` is by how much on_hand was changed for it. `state`: watched, adopted, dropped."""

    __tablename__ = "adoption"
    __table_args__ = (
        some_index("adoption_watched", "listing_id", where="state = 'watched'"),
        some_index("adoption_span", "account", "sku_id", "until", where="state <> 'dropped'"),
    )
    id: int | None = Field(default=None, sa_column=identity())
    account: str
    listing_id: int = Field(sa_column=other_id())
    sku_id: int = Field(sa_column=other_id())
    location: str
    units: int
    since: int = Field(sa_column=instant())
    until: int = Field(sa_column=instant())
    readings: int = 0
    orders: int = 0
    gives: int = 0
    booked: int = 0
    seen: int
    state: str
    at: int = Field(sa_column=instant())
