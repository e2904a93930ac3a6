"""The table of private sales. No personal data."""

from __future__ import annotations

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from syncd.store.columns import identity, instant, other_id, some_index


class OfferRow(SQLModel, table=True):
    """A private sale for an entry without an order, made of units that are held for it (`HoldRow.reference`: `key`).

    `state` is a `core.offers.OfferState`, `due_at` when something is to be done for it. `cause` says why it is not
    wanted any more, empty while it is. `until` is until when it is kept for the customer. `offer_id` is the channel's
    own name of it. `link` is the customer's secret, kept until it is ended. `order_id` is the channel's name of the
    order that came of it, where it was bought; `reason` is the channel's own word where it went wrong.
    """

    __tablename__ = "private_offer"
    __table_args__ = (
        UniqueConstraint("key", name="private_offer_once"),
        some_index("private_offer_due", "account", "due_at", where="state <> 'ended'"),
        Index("private_offer_entry", "entry_id"),
    )
    id: int | None = Field(default=None, sa_column=identity())
    key: str
    account: str
    entry_id: int = Field(sa_column=other_id())
    event: str
    remote_id: str
    remote_location: str = ""
    units: int
    state: str
    due_at: int = Field(sa_column=instant())
    attempts: int = 0
    created_at: int = Field(sa_column=instant())
    until: int | None = Field(default=None, sa_column=instant(nullable=True))
    sent_at: int | None = Field(default=None, sa_column=instant(nullable=True))
    answered_at: int | None = Field(default=None, sa_column=instant(nullable=True))
    ended_at: int | None = Field(default=None, sa_column=instant(nullable=True))
    cause: str = ""
    offer_id: str = ""
    link: str = ""
    order_id: str = ""
    reason: str = ""
