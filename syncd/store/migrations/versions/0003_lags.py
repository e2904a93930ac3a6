"""How long it took to hear of sales and to show decisions: distributions that live over a restart."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "lag",
        sa.Column("account", sa.String(), primary_key=True, nullable=False),
        sa.Column("stage", sa.String(), primary_key=True, nullable=False),
        sa.Column("weights", sa.LargeBinary(), nullable=False),
        sa.Column("latest", sa.BigInteger(), nullable=False),
    )
