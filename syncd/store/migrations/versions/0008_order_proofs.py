"""Proofs of buyers, and what they asked for on the order page."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "order_proof",
        sa.Column("order_id", sa.BigInteger(), primary_key=True, autoincrement=False, nullable=False),
        sa.Column("proof", sa.String(), primary_key=True, nullable=False),
        sa.Column("key_id", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("order_proof_at", "order_proof", ["at"])
    op.create_table(
        "cancel_wish",
        sa.Column("order_id", sa.BigInteger(), primary_key=True, autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
    )
