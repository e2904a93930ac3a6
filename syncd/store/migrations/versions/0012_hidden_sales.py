"""What hiding cost by the hour, and an index of the SKUs of which more is promised than there is."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table and the index."""
    op.create_table(
        "hidden_sales",
        sa.Column("hour", sa.BigInteger(), primary_key=True, autoincrement=False, nullable=False),
        sa.Column("account", sa.String(), primary_key=True, nullable=False),
        sa.Column("milliunits", sa.BigInteger(), nullable=False),
    )
    short = sa.text("on_hand - committed - held < 0")
    op.create_index("balance_short", "balance", ["sku_id"], sqlite_where=short, postgresql_where=short)
