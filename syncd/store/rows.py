"""The tables. Rows never leave `store/`; instants are microseconds since 1970-01-01 UTC (see `core.terms`).

What is a projection (can be computed anew from other tables) is marked so; `syncd ledger verify` does that.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, LargeBinary, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from syncd.store.columns import identity, instant, some_index


class MetaRow(SQLModel, table=True):
    """Named facts about this store: who owns it, how far the inbox is decided (`decided`), hashes of settings."""

    __tablename__ = "meta"
    name: str = Field(primary_key=True)
    value: str


class InboxRow(SQLModel, table=True):
    """A fact as it came in, committed before anybody is told so. Decided in the order of ids."""

    __tablename__ = "inbox"
    __table_args__ = (
        Index("inbox_key", "source", "key", unique=True, sqlite_where=text("key IS NOT NULL"),
              postgresql_where=text("key IS NOT NULL")),
    )  # fmt: skip
    id: int | None = Field(default=None, sa_column=identity())
    kind: str
    source: str
    key: str | None = None
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    received_at: int = Field(sa_column=instant())


class ParkedRow(SQLModel, table=True):
    """A fact that could not be applied, with its reason; nothing of it took effect."""

    __tablename__ = "parked"
    inbox_id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    reason: str
    at: int = Field(sa_column=instant())


class SkuRow(SQLModel, table=True):
    """A SKU. `opened_at` is set by its first count: before that its listings are never written."""

    __tablename__ = "sku"
    id: int | None = Field(default=None, sa_column=identity())
    code: str = Field(unique=True)
    title: str = ""
    opened_at: int | None = Field(default=None, sa_column=instant(nullable=True))


class KitRow(SQLModel, table=True):
    """One component of a kit."""

    __tablename__ = "kit"
    kit_id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    component_id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False, index=True))
    quantity: int


class MovementRow(SQLModel, table=True):
    """The ledger: append-only. A repeat of (source, reference) is the same movement and changes nothing."""

    __tablename__ = "movement"
    __table_args__ = (
        UniqueConstraint("source", "reference", name="movement_once"),
        Index("movement_sku", "sku_id", "id"),
    )
    id: int | None = Field(default=None, sa_column=identity())
    source: str
    reference: str
    sku_id: int = Field(sa_column=Column(BigInteger, nullable=False))
    location: str
    kind: str
    on_hand: int
    committed: int
    held: int
    at: int = Field(sa_column=instant())
    recorded_at: int = Field(sa_column=instant())
    reason: str = ""
    actor: str = ""


class BalanceRow(SQLModel, table=True):
    """Projection: the sums of the movements per SKU and location."""

    __tablename__ = "balance"
    __table_args__ = (
        some_index("balance_short", "sku_id", where="on_hand - committed - held < 0"),
        {"sqlite_with_rowid": False},
    )
    sku_id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    location: str = Field(primary_key=True)
    on_hand: int = 0
    committed: int = 0
    held: int = 0


class OrderRow(SQLModel, table=True):
    """An order as it was last stated. No personal data."""

    __tablename__ = "orders"
    __table_args__ = (
        UniqueConstraint("account", "remote_id", name="orders_once"),
        some_index("orders_number", "number", where="number <> remote_id"),
    )
    id: int | None = Field(default=None, sa_column=identity())
    account: str
    remote_id: str
    number: str
    version: int | None = Field(default=None, sa_column=instant(nullable=True))
    read_at: int = Field(sa_column=instant())
    ordered_at: int = Field(sa_column=instant())
    cancelled: bool = False
    closed: bool = False
    ignored: bool = False
    """Closed before the shop was adopted, or a test order: it moves nothing."""
    payment: str = ""
    payment_raw: str = ""
    fulfilment: str = ""
    fulfilment_raw: str = ""
    returns: str = ""
    returns_raw: str = ""
    amount: str = ""
    currency: str = ""
    recorded_at: int = Field(sa_column=instant())


class OrderLineRow(SQLModel, table=True):
    """A line of an order, quantities cumulative. `sku_id` is null while the line is in quarantine."""

    __tablename__ = "order_line"
    __table_args__ = (
        Index("order_line_quarantine", "account", "remote_id", sqlite_where=text("sku_id IS NULL"),
              postgresql_where=text("sku_id IS NULL")),
        some_index("order_line_open", "sku_id", "order_id", where="quantity > cancelled + shipped"),
        {"sqlite_with_rowid": False},
    )  # fmt: skip
    order_id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    line_id: str = Field(primary_key=True)
    account: str
    remote_id: str
    remote_sku: str = ""
    location: str = ""
    sku_id: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))
    quantity: int
    cancelled: int = 0
    shipped: int = 0
    returned: int = 0
    state: bytes = Field(default=b"", sa_column=Column(LargeBinary, nullable=False))
    """The line as the channel states it (`core.terms.OrderLine`, JSON) while it is in quarantine, else empty."""


class OrderActionRow(SQLModel, table=True):
    """Something that the shop does to an order at its channel, stored before it is sent.

    `kind`: cancel, ship_date. `body` is what was asked for (JSON). `state`: intended, or how it ended
    (`core.terms.OutcomeKind`).
    """

    __tablename__ = "order_action"
    __table_args__ = (
        Index("order_action_key", "key", unique=True),
        Index("order_action_order", "account", "kind", "remote_id", "id"),
        Index("order_action_unsettled", "account", "kind",
              sqlite_where=text("state IN ('intended', 'indeterminate')"),
              postgresql_where=text("state IN ('intended', 'indeterminate')")),
    )  # fmt: skip
    id: int | None = Field(default=None, sa_column=identity())
    account: str
    remote_id: str
    kind: str
    key: str
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    state: str
    intended_at: int = Field(sa_column=instant())
    ended_at: int | None = Field(default=None, sa_column=instant(nullable=True))
    reason: str = ""
    actor: str = ""


class ListingRow(SQLModel, table=True):
    """A place where a channel shows a number.

    `base_*` is the last base (DESIGN: a reading or a confirmed write, with the interval in which it was true). `low`,
    `high` are a projection of base, effects and unfinished writes. `target` is null while nothing may be written.
    `lane` is null while there is nothing to do.
    """

    __tablename__ = "listing"
    __table_args__ = (
        UniqueConstraint("account", "remote_id", "remote_location", name="listing_once"),
        Index("listing_sku", "sku_id"),
        Index("listing_due", "account", "lane", "due_at", sqlite_where=text("lane IS NOT NULL"),
              postgresql_where=text("lane IS NOT NULL")),
    )  # fmt: skip
    id: int | None = Field(default=None, sa_column=identity())
    account: str
    remote_id: str
    remote_location: str = ""
    remote_sku: str = ""
    title: str = ""
    sku_id: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))
    location: str = ""
    active: bool = True
    managed: bool = True
    vanished_at: int | None = Field(default=None, sa_column=instant(nullable=True))
    target: int | None = None
    base: int | None = None
    base_from: int | None = Field(default=None, sa_column=instant(nullable=True))
    base_until: int | None = Field(default=None, sa_column=instant(nullable=True))
    low: int | None = None
    high: int | None = None
    lane: int | None = None
    due_at: int | None = Field(default=None, sa_column=instant(nullable=True))
    attempts: int = 0
    in_flight: bool = False
    stale: bool = False
    """A guarded write met another number than believed since the last base."""
    held: str = ""
    """Why no raise may be written: `drift`, or empty."""
    parked: str = ""
    """Why nothing may be written: the channel's reason for refusing the row, or empty. Tried anew after a catalogue."""
    seen: int | None = None
    seen_at: int | None = Field(default=None, sa_column=instant(nullable=True))
    catalogued_at: int | None = Field(default=None, sa_column=instant(nullable=True))
    demand: float = 0.0
    """Own sales: units per second, decayed, as of `demand_at`."""
    demand_at: int | None = Field(default=None, sa_column=instant(nullable=True))


class EffectRow(SQLModel, table=True):
    """A change that a listing makes without an absolute write of ours: own sales (negative), restores, deltas."""

    __tablename__ = "effect"
    __table_args__ = ({"sqlite_with_rowid": False},)
    listing_id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    reference: str = Field(primary_key=True)
    quantity: int
    earliest: int = Field(sa_column=instant())
    latest: int | None = Field(default=None, sa_column=instant(nullable=True))
    maybe: bool = False
    """It may be on another listing of the same account and SKU instead."""


class WriteRow(SQLModel, table=True):
    """A write that we intended, and how it ended; `open` while it may still change what is shown.

    `state`: intended, applied, accepted, stale, rejected, unsent, indeterminate.
    """

    __tablename__ = "write"
    __table_args__ = (
        Index("write_open", "listing_id", sqlite_where=text("open = 1"), postgresql_where=text("open")),
        Index("write_key", "key", unique=True),
    )
    id: int | None = Field(default=None, sa_column=identity())
    listing_id: int = Field(sa_column=Column(BigInteger, nullable=False))
    account: str
    key: str
    mode: str
    quantity: int
    expected: int | None = None
    delta: int | None = None
    target: int
    lane: int
    state: str
    open: bool = True
    intended_at: int = Field(sa_column=instant())
    answered_at: int | None = Field(default=None, sa_column=instant(nullable=True))
    effect_until: int | None = Field(default=None, sa_column=instant(nullable=True))
    reason: str = ""


class SuspectRow(SQLModel, table=True):
    """A sale that a channel seems to have made and not yet told of; `remaining` units are held for it."""

    __tablename__ = "suspect"
    __table_args__ = (
        Index("suspect_open", "account", "sku_id", sqlite_where=text("closed_at IS NULL"),
              postgresql_where=text("closed_at IS NULL")),
    )  # fmt: skip
    id: int | None = Field(default=None, sa_column=identity())
    account: str
    listing_id: int = Field(sa_column=Column(BigInteger, nullable=False))
    sku_id: int = Field(sa_column=Column(BigInteger, nullable=False))
    location: str
    quantity: int
    remaining: int
    since: int = Field(sa_column=instant())
    until: int = Field(sa_column=instant())
    closed_at: int | None = Field(default=None, sa_column=instant(nullable=True))


class DriftRow(SQLModel, table=True):
    """Somebody else changed a number. `state`: pending, accepted, overwritten, enforced, adopted, explained, paused."""

    __tablename__ = "drift"
    __table_args__ = (
        Index("drift_recent", "account", "at"),
        Index("drift_pending", "listing_id", sqlite_where=text("state = 'pending'"),
              postgresql_where=text("state = 'pending'")),
    )  # fmt: skip
    id: int | None = Field(default=None, sa_column=identity())
    account: str
    listing_id: int = Field(sa_column=Column(BigInteger, nullable=False))
    sku_id: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))
    seen: int
    expected_low: int
    expected_high: int
    state: str
    at: int = Field(sa_column=instant())
    ended_at: int | None = Field(default=None, sa_column=instant(nullable=True))
    actor: str = ""


class CursorRow(SQLModel, table=True):
    """How far a feed of an account was read: `cursor` and the time up to which it is known to be complete."""

    __tablename__ = "cursor"
    account: str = Field(primary_key=True)
    feed: str = Field(primary_key=True)
    cursor: str
    complete_until: int | None = Field(default=None, sa_column=instant(nullable=True))
    scanned_at: int | None = Field(default=None, sa_column=instant(nullable=True))


class FetchRow(SQLModel, table=True):
    """An order to be read by id, because something said that it changed."""

    __tablename__ = "fetch"
    account: str = Field(primary_key=True)
    remote_id: str = Field(primary_key=True)
    since: int = Field(sa_column=instant())
    due_at: int = Field(sa_column=instant())
    attempts: int = 0


class AccountRow(SQLModel, table=True):
    """A channel account. `state`: new, live, paused. `down_since` is set while it does not answer."""

    __tablename__ = "account"
    name: str = Field(primary_key=True)
    state: str = "new"
    reason: str = ""
    since: int = Field(sa_column=instant())
    first_live_at: int | None = Field(default=None, sa_column=instant(nullable=True))
    adopted_at: int | None = Field(default=None, sa_column=instant(nullable=True))
    down_since: int | None = Field(default=None, sa_column=instant(nullable=True))
    down_reason: str = ""


class LagRow(SQLModel, table=True):
    """Measured lags of one account and stage (`core.lag.Stage`): `weights` (JSON) by class, as of `latest`."""

    __tablename__ = "lag"
    account: str = Field(primary_key=True)
    stage: str = Field(primary_key=True)
    weights: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    latest: int = Field(sa_column=instant())


class BrakeRow(SQLModel, table=True):
    """A change that is held for a person. `state`: held, released, refused.

    `inbox_id` is the fact that is held, 0 for changed settings.
    """

    __tablename__ = "brake"
    id: int | None = Field(default=None, sa_column=identity())
    inbox_id: int = Field(sa_column=Column(BigInteger, nullable=False))
    cause: str
    to_zero: int
    raised: int
    listings: int
    state: str = "held"
    at: int = Field(sa_column=instant())
    ended_at: int | None = Field(default=None, sa_column=instant(nullable=True))
    actor: str = ""


class OutboxRow(SQLModel, table=True):
    """An event for one sink (`mqtt`, `alerts`), delivered at least once, in the order of ids per key."""

    __tablename__ = "outbox"
    __table_args__ = (
        Index("outbox_waiting", "sink", "id", sqlite_where=text("delivered_at IS NULL"),
              postgresql_where=text("delivered_at IS NULL")),
    )  # fmt: skip
    id: int | None = Field(default=None, sa_column=identity())
    sink: str
    key: str
    type: str
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    created_at: int = Field(sa_column=instant())
    delivered_at: int | None = Field(default=None, sa_column=instant(nullable=True))


class AlertRow(SQLModel, table=True):
    """An alert that stands until it clears; each (kind, key) is told once."""

    __tablename__ = "alert"
    kind: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    text: str
    raised_at: int = Field(sa_column=instant())
    cleared_at: int | None = Field(default=None, sa_column=instant(nullable=True))
