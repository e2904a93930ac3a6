"""Those who wait: waitlist entries, what they need, holds, deliveries, arrivals, tickets, and who was told what."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables, and let open order lines be found by their SKU, and orders by their number."""
    _index("order_line_open", "order_line", ["sku_id", "order_id"], "quantity > cancelled + shipped")
    _index("orders_number", "orders", ["number"], "number <> remote_id")
    _make_entries()
    _make_units()
    _make_tickets()
    _make_changes()


def _make_entries() -> None:
    op.create_table(
        "entry",
        _identity(),
        *_texts("source", "key"),
        *_numbers("sku_id"),
        *_counts("quantity"),
        *_texts("account"),
        *_numbers("order_row", nullable=True),
        *_texts(
            "line_id",
            "order_number",
            "state",
            "expected",
            "promised",
            "announced",
            "due_on",
            "amount",
            "currency",
            "language",
        ),
        *_numbers("since"),
        *_numbers("contact_id", nullable=True),
        *_texts("event"),
        *_numbers("told_at", "closed_at", nullable=True),
        *_texts("reason"),
        sa.UniqueConstraint("source", "key", name="entry_once"),
    )
    _index("entry_order", "entry", ["order_row"], "order_row IS NOT NULL")
    _index("entry_open", "entry", ["sku_id", "id"], "closed_at IS NULL")
    _index("entry_contact", "entry", ["contact_id"], "contact_id IS NOT NULL")
    op.create_table("need", *_keys("entry_id", "sku_id"), *_counts("units", "tier"), *_numbers("rank"), *_texts("day"))
    _index("need_line", "need", ["sku_id", "tier", "rank", "entry_id", "units"], "units > 0")
    op.create_table(
        "queue",
        *_keys("sku_id"),
        *_counts("tier"),
        *_numbers("rank", "entry_id"),
        *_counts("units"),
        *_numbers("since"),
    )


def _make_units() -> None:
    op.create_table(
        "hold",
        _identity(),
        *_numbers("entry_id"),
        *_numbers("delivery_id", nullable=True),
        *_numbers("sku_id"),
        *_texts("location", "account", "reference"),
        *_counts("units"),
        *_numbers("since"),
        *_numbers("until", "ended_at", nullable=True),
        *_texts("cause"),
    )
    _index("hold_open", "hold", ["sku_id", "id"], "ended_at IS NULL")
    op.create_index("hold_entry", "hold", ["entry_id"])
    op.create_table(
        "delivery",
        _identity(),
        *_texts("source", "reference", "event"),
        *_numbers("sku_id"),
        *_texts("location"),
        *_counts("quantity", "remaining"),
        *_texts("state"),
        *_numbers("at"),
        *_numbers("open_at", "closed_at", nullable=True),
        sa.UniqueConstraint("source", "reference", "sku_id", "location", name="delivery_once"),
    )
    _index("delivery_open", "delivery", ["id"], "state <> 'done'")
    op.create_table(
        "arrival",
        _identity(),
        *_texts("number"),
        *_numbers("sku_id"),
        *_texts("location"),
        *_counts("quantity", "received"),
        *_texts("expected", "promised", "state", "source"),
        *_numbers("created_at", "changed_at"),
        sa.UniqueConstraint("number", "sku_id", "location", name="arrival_once"),
    )
    _index("arrival_open", "arrival", ["sku_id", "promised"], "state = 'open'")


def _make_tickets() -> None:
    op.create_table(
        "desk",
        sa.Column("name", sa.String(), primary_key=True, nullable=False),
        *_texts("state", "reason"),
        *_numbers("since"),
        *_numbers("first_live_at", nullable=True),
        *_texts("cursor"),
        *_numbers("read_at", "down_since", nullable=True),
        *_texts("down_reason"),
    )
    op.create_table(
        "ticket",
        _identity(),
        *_texts("desk", "ticket_id"),
        *_numbers("entry_id", nullable=True),
        *_texts("status", "state", "sku"),
        *_counts("quantity"),
        *_texts("order_number", "language"),
        sa.Column("reachable", sa.Boolean(), nullable=False),
        *_texts("agent"),
        *_numbers("version", nullable=True),
        *_numbers("read_at"),
        *_numbers("asked_at", "replied_at", "created_at", nullable=True),
        *_texts("follow_up_of"),
        sa.UniqueConstraint("desk", "ticket_id", name="ticket_once"),
    )
    _index("ticket_entry", "ticket", ["entry_id"], "entry_id IS NOT NULL")
    op.create_table(
        "document",
        sa.Column("desk", sa.String(), primary_key=True, nullable=False),
        sa.Column("key", sa.String(), primary_key=True, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        *_counts("version"),
    )


def _make_changes() -> None:
    op.create_table(
        "ticket_change",
        _identity(),
        *_texts("desk", "key", "event", "kind"),
        *_numbers("entry_id", "ticket_row", nullable=True),
        *_texts("message"),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        *_texts("state"),
        *_numbers("due_at"),
        *_counts("attempts"),
        *_numbers("created_at"),
        *_numbers("intended_at", "ended_at", nullable=True),
        *_texts("reason", "actor"),
        sa.UniqueConstraint("key", name="ticket_change_once"),
    )
    unsent = "state IN ('waiting', 'intended', 'indeterminate')"
    _index("ticket_change_due", "ticket_change", ["desk", "due_at", "id"], unsent)
    op.create_index("ticket_change_event", "ticket_change", ["event"])
    op.create_table(
        "message",
        _identity(),
        *_texts("key", "event", "kind", "language", "route"),
        *_numbers("entry_id", "ticket_row", nullable=True),
        *_numbers("at"),
        sa.UniqueConstraint("key", name="message_once"),
    )
    op.create_index("message_entry", "message", ["entry_id"])


def _identity() -> sa.Column[Any]:
    # SQLite gives ascending 64-bit ids only to the type INTEGER.
    kind = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.Column("id", kind, primary_key=True, autoincrement=True, nullable=False)


def _texts(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.String(), nullable=False) for name in names]


def _counts(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.Integer(), nullable=False) for name in names]


def _numbers(*names: str, nullable: bool = False) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.BigInteger(), nullable=nullable) for name in names]


def _keys(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.BigInteger(), primary_key=True, autoincrement=False, nullable=False) for name in names]


def _index(name: str, table: str, columns: list[str], condition: str) -> None:
    where = sa.text(condition)
    op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)
