"""Private sales for those who wait without an order."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    # SQLite gives ascending 64-bit ids only to the type INTEGER.
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "private_offer",
        sa.Column("id", number, primary_key=True, autoincrement=True, nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("key", "account")),
        sa.Column("entry_id", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("event", "remote_id", "remote_location")),
        sa.Column("units", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=True) for name in ("until", "sent_at", "answered_at", "ended_at")),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("cause", "offer_id", "link", "order_id", "reason")),
        sa.UniqueConstraint("key", name="private_offer_once"),
    )
    where = sa.text("state <> 'ended'")
    op.create_index(
        "private_offer_due", "private_offer", ["account", "due_at"], sqlite_where=where, postgresql_where=where
    )
    op.create_index("private_offer_entry", "private_offer", ["entry_id"])
