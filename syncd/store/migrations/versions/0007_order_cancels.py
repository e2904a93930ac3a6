"""Whose doing it was that an order was cancelled."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "order_cancel",
        sa.Column("account", sa.String(), primary_key=True),
        sa.Column("remote_id", sa.String(), primary_key=True),
        sa.Column("ordered_at", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
    )
