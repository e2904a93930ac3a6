"""The tables of those who wait: entries and what they need, deliveries, arrivals, tickets, and what was told to whom.

As in `rows`: rows never leave `store/`; instants are microseconds since 1970-01-01 UTC; days are texts as 2026-12-01,
empty where none is known. No column holds a name, an address or what a customer wrote.
"""

from __future__ import annotations

from sqlalchemy import Column, Index, LargeBinary, UniqueConstraint
from sqlmodel import Field, SQLModel

from syncd.store.columns import identity, instant, key_part, later_flag, later_text, other_id, some_index


class EntryRow(SQLModel, table=True):
    """A waitlist entry: somebody waits for units of a SKU, with an order (`order_row`) or without one.

    `source` and `key` make it unique: the order line, the desk's ticket, the sender's own id. `state` is a
    `core.tickets.TicketState`. `expected` is the day that we think, `promised` the one that the customer was told.
    `since` is its place in the line. `contact_id` is the fact in the inbox that holds whom to tell, where one does.
    `event` moved it last. `closed_at` is set once it waits for nothing any more, `reason` says why. `restocked_at` is
    when its units came last, null where they went elsewhere again.
    """

    __tablename__ = "entry"
    __table_args__ = (
        UniqueConstraint("source", "key", name="entry_once"),
        some_index("entry_order", "order_row", where="order_row IS NOT NULL"),
        some_index("entry_open", "sku_id", "id", where="closed_at IS NULL"),
        some_index("entry_soon", "promised", "id", where="closed_at IS NULL AND announced <> promised"),
        some_index("entry_contact", "contact_id", where="contact_id IS NOT NULL"),
    )
    id: int | None = Field(default=None, sa_column=identity())
    source: str
    key: str
    sku_id: int = Field(sa_column=other_id())
    quantity: int
    account: str = ""
    order_row: int | None = Field(default=None, sa_column=other_id(nullable=True))
    line_id: str = ""
    order_number: str = ""
    state: str
    expected: str = ""
    promised: str = ""
    announced: str = ""
    """The promised day that was announced shortly before it came."""
    due_on: str = ""
    amount: str = ""
    currency: str = ""
    language: str = ""
    since: int = Field(sa_column=instant())
    contact_id: int | None = Field(default=None, sa_column=other_id(nullable=True))
    event: str = ""
    told_at: int | None = Field(default=None, sa_column=instant(nullable=True))
    closed_at: int | None = Field(default=None, sa_column=instant(nullable=True))
    reason: str = ""
    restocked_at: int | None = Field(default=None, sa_column=instant(nullable=True))


class NeedRow(SQLModel, table=True):
    """Units of one SKU that an entry still lacks: of the SKU itself, or of a component of its kit.

    The line of a SKU is in the order of `tier` (0: with an order, 1: without), `rank` and `entry_id`.
    """

    __tablename__ = "need"
    __table_args__ = (some_index("need_line", "sku_id", "tier", "rank", "entry_id", "units", where="units > 0"),)
    entry_id: int = Field(sa_column=key_part())
    sku_id: int = Field(sa_column=key_part())
    units: int
    tier: int
    rank: int = Field(sa_column=instant())
    day: str = ""
    """When so many units will have come for it and all before it, as 2026-12-01; empty: not known."""


class HoldRow(SQLModel, table=True):
    """Units kept for an entry without an order. `account` empty: sold in private; else that channel alone shows them.

    `until` is null while other components of its kit are missing. `units` is what is still kept.
    """

    __tablename__ = "hold"
    __table_args__ = (
        some_index("hold_open", "sku_id", "id", where="ended_at IS NULL"),
        Index("hold_entry", "entry_id"),
    )
    id: int | None = Field(default=None, sa_column=identity())
    entry_id: int = Field(sa_column=other_id())
    delivery_id: int | None = Field(default=None, sa_column=other_id(nullable=True))
    sku_id: int = Field(sa_column=other_id())
    location: str
    account: str = ""
    reference: str = ""
    """The key of the private sale that is made of it (`OfferRow`), or empty."""
    units: int
    since: int = Field(sa_column=instant())
    until: int | None = Field(default=None, sa_column=instant(nullable=True))
    ended_at: int | None = Field(default=None, sa_column=instant(nullable=True))
    cause: str = ""


class DeliveryRow(SQLModel, table=True):
    """Units of one SKU that came in while somebody waits: wholly held, then assigned in chunks.

    `remaining` units are still held for nobody. `state`: assigning; telling (assigned, the rest opens once those who
    wait were told, at `open_at` at the latest); done. `event` is the marker of all that follows from it.
    """

    __tablename__ = "delivery"
    __table_args__ = (
        UniqueConstraint("source", "reference", "sku_id", "location", name="delivery_once"),
        some_index("delivery_open", "id", where="state <> 'done'"),
    )
    id: int | None = Field(default=None, sa_column=identity())
    source: str
    reference: str
    event: str
    sku_id: int = Field(sa_column=other_id())
    location: str
    quantity: int
    remaining: int
    state: str
    at: int = Field(sa_column=instant())
    open_at: int | None = Field(default=None, sa_column=instant(nullable=True))
    closed_at: int | None = Field(default=None, sa_column=instant(nullable=True))


class ArrivalRow(SQLModel, table=True):
    """Units of one SKU that a supplier will bring: a line of a purchase order, `number` being the shop's own.

    `expected` is the supplier's day, `promised` the same with the owner's margin. `state`: open, received, cancelled.
    """

    __tablename__ = "arrival"
    __table_args__ = (
        UniqueConstraint("number", "sku_id", "location", name="arrival_once"),
        some_index("arrival_open", "sku_id", "promised", where="state = 'open'"),
    )
    id: int | None = Field(default=None, sa_column=identity())
    number: str
    sku_id: int = Field(sa_column=other_id())
    location: str
    quantity: int
    received: int = 0
    expected: str = ""
    promised: str = ""
    state: str = "open"
    source: str = ""
    created_at: int = Field(sa_column=instant())
    changed_at: int = Field(sa_column=instant())


class QueueRow(SQLModel, table=True):
    """The expected days of a SKU's line are to be computed anew, since `since`.

    `tier`, `rank`, `entry_id` is how far that came, `units` what those before it lack together.
    """

    __tablename__ = "queue"
    sku_id: int = Field(sa_column=key_part())
    tier: int = -1
    rank: int = Field(default=0, sa_column=instant())
    entry_id: int = Field(default=0, sa_column=other_id())
    units: int = 0
    since: int = Field(sa_column=instant())


class DeskRow(SQLModel, table=True):
    """A desk. `state`: new, live, paused. `down_since` is set while it does not answer."""

    __tablename__ = "desk"
    name: str = Field(primary_key=True)
    state: str = "new"
    reason: str = ""
    since: int = Field(sa_column=instant())
    first_live_at: int | None = Field(default=None, sa_column=instant(nullable=True))
    cursor: str = ""
    read_at: int | None = Field(default=None, sa_column=instant(nullable=True))
    down_since: int | None = Field(default=None, sa_column=instant(nullable=True))
    down_reason: str = ""


class TicketRow(SQLModel, table=True):
    """A ticket as its desk stated it last. `entry_id` is null while it waits for nothing that we know.

    `agent` says why a person has to look at it (an order number that fits several orders), or is empty. `escalated` is
    the desk's own mark. `solved_at` is when it was solved last, also while it is open again; `rating` is the
    customer's (`core.tickets.Rating`), empty while there is none, and `rated_at` when it was first seen.
    """

    __tablename__ = "ticket"
    __table_args__ = (
        UniqueConstraint("desk", "ticket_id", name="ticket_once"),
        some_index("ticket_entry", "entry_id", where="entry_id IS NOT NULL"),
    )
    id: int | None = Field(default=None, sa_column=identity())
    desk: str
    ticket_id: str
    entry_id: int | None = Field(default=None, sa_column=other_id(nullable=True))
    status: str
    state: str = ""
    sku: str = ""
    quantity: int = 1
    order_number: str = ""
    language: str = ""
    reachable: bool = True
    agent: str = ""
    version: int | None = Field(default=None, sa_column=instant(nullable=True))
    read_at: int = Field(sa_column=instant())
    asked_at: int | None = Field(default=None, sa_column=instant(nullable=True))
    replied_at: int | None = Field(default=None, sa_column=instant(nullable=True))
    created_at: int | None = Field(default=None, sa_column=instant(nullable=True))
    follow_up_of: str = ""
    escalated: bool = Field(default=False, sa_column=later_flag())
    solved_at: int | None = Field(default=None, sa_column=instant(nullable=True))
    rating: str = Field(default="", sa_column=later_text())
    rated_at: int | None = Field(default=None, sa_column=instant(nullable=True))


class InboundRow(SQLModel, table=True):
    """A message of a customer on a ticket, written `at`, and the `core.tickets.Sign`s that it shows, between spaces."""

    __tablename__ = "inbound"
    __table_args__ = (UniqueConstraint("ticket_row", "at", name="inbound_once"),)
    id: int | None = Field(default=None, sa_column=identity())
    ticket_row: int = Field(sa_column=other_id())
    at: int = Field(sa_column=instant())
    heard_at: int = Field(sa_column=instant())
    signs: str = ""


class EscalationRow(SQLModel, table=True):
    """A ticket, or an entry with all its tickets, is for a person until `released_at`; `actor` says who released it.

    `reasons` are `core.escalation.Reason`s between spaces, `note` is what was said at the release.
    """

    __tablename__ = "escalation"
    __table_args__ = (
        some_index("escalation_entry_id", "entry_id", where="entry_id IS NOT NULL"),
        some_index("escalation_ticket_row", "ticket_row", where="ticket_row IS NOT NULL"),
        some_index("escalation_open", "id", where="released_at IS NULL"),
    )
    id: int | None = Field(default=None, sa_column=identity())
    entry_id: int | None = Field(default=None, sa_column=other_id(nullable=True))
    ticket_row: int | None = Field(default=None, sa_column=other_id(nullable=True))
    reasons: str
    priority: str
    since: int = Field(sa_column=instant())
    released_at: int | None = Field(default=None, sa_column=instant(nullable=True))
    actor: str = ""
    note: str = ""


class ChangeRow(SQLModel, table=True):
    """A change that a ticket is to get, or a ticket that is to be opened; `key` makes it exactly one per event.

    `kind`: update, create. `message` is the kind of letter that goes with it, or empty. `state`: waiting (to be sent),
    held (a person decides), intended, indeterminate, applied, rejected, unsure (a person looks), stopped, refused.
    `drafted` says that its letter was sent as a draft, for the ticket is one for a person.
    """

    __tablename__ = "ticket_change"
    __table_args__ = (
        UniqueConstraint("key", name="ticket_change_once"),
        some_index(
            "ticket_change_due", "desk", "due_at", "id", where="state IN ('waiting', 'intended', 'indeterminate')"
        ),
        Index("ticket_change_event", "event", "message"),
    )
    id: int | None = Field(default=None, sa_column=identity())
    desk: str
    key: str
    event: str
    kind: str
    entry_id: int | None = Field(default=None, sa_column=other_id(nullable=True))
    ticket_row: int | None = Field(default=None, sa_column=other_id(nullable=True))
    message: str = ""
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    state: str
    due_at: int = Field(sa_column=instant())
    attempts: int = 0
    created_at: int = Field(sa_column=instant())
    intended_at: int | None = Field(default=None, sa_column=instant(nullable=True))
    ended_at: int | None = Field(default=None, sa_column=instant(nullable=True))
    reason: str = ""
    actor: str = ""
    drafted: bool = Field(default=False, sa_column=later_flag())


class MessageRow(SQLModel, table=True):
    """Somebody was told something: once per `key` (who, event, kind). `route`: desk, inquiry, channel, agent."""

    __tablename__ = "message"
    __table_args__ = (UniqueConstraint("key", name="message_once"), Index("message_entry", "entry_id"))
    id: int | None = Field(default=None, sa_column=identity())
    key: str
    event: str
    kind: str
    language: str = ""
    route: str
    entry_id: int | None = Field(default=None, sa_column=other_id(nullable=True))
    ticket_row: int | None = Field(default=None, sa_column=other_id(nullable=True))
    at: int = Field(sa_column=instant())


class DocumentRow(SQLModel, table=True):
    """A document that a desk keeps here under a key of its own; `version` counts up from 1."""

    __tablename__ = "document"
    desk: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    version: int
