"""What the shop does to orders at a channel: cancels and ship-by dates."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    # SQLite gives ascending 64-bit ids only to the type INTEGER.
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "order_action",
        sa.Column("id", number, primary_key=True, autoincrement=True, nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("account", "remote_id", "kind", "key")),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("intended_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("reason", "actor")),
    )
    op.create_index("order_action_key", "order_action", ["key"], unique=True)
    op.create_index("order_action_order", "order_action", ["account", "kind", "remote_id", "id"])
    unsettled = sa.text("state IN ('intended', 'indeterminate')")
    op.create_index(
        "order_action_unsettled",
        "order_action",
        ["account", "kind"],
        sqlite_where=unsettled,
        postgresql_where=unsettled,
    )
