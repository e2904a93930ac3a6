"""What channels may show: policies with dates, demand, claims of allotments, and what is shown beside a number."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def policy_columns() -> list[sa.Column[Any]]:
    """Return what a policy has beside safety stock and cap; a null falls back to what comes before."""
    kinds: dict[str, Any] = {
        "exposure": sa.String(),
        "loss": sa.Integer(),
        "share": sa.Integer(),
        "priority": sa.String(),
        "priority_units": sa.Integer(),
        "preorder": sa.Boolean(),
        "hide": sa.Boolean(),
        "purchase_limit": sa.Integer(),
    }
    return [sa.Column(name, kind, nullable=True) for name, kind in kinds.items()]


def upgrade() -> None:
    """Make tables and columns."""
    for column in policy_columns():
        op.add_column("policy", column)
    op.create_table(
        "season",
        sa.Column("sku_id", sa.BigInteger(), primary_key=True, autoincrement=False, nullable=False),
        sa.Column("account", sa.String(), primary_key=True, nullable=False),
        sa.Column("name", sa.String(), primary_key=True, nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.Integer(), nullable=True) for name in ("safety_stock", "safety_percent", "cap")),
        *policy_columns(),
    )
    op.create_index("season_until", "season", ["until"])
    op.create_table(
        "demand",
        sa.Column("sku_id", sa.BigInteger(), primary_key=True, autoincrement=False, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "claim",
        sa.Column("listing_id", sa.BigInteger(), primary_key=True, autoincrement=False, nullable=False),
        sa.Column("unheard", sa.Integer(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.Column("sending", sa.Integer(), nullable=False),
    )
    op.create_table(
        "display",
        sa.Column("listing_id", sa.BigInteger(), primary_key=True, autoincrement=False, nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("purchase_limit", sa.Integer(), nullable=True),
        sa.Column("hidden", sa.Boolean(), nullable=False),
        sa.Column("ready_day", sa.String(), nullable=False),
        sa.Column("wanted_limit", sa.Integer(), nullable=True),
        sa.Column("wanted_hidden", sa.Boolean(), nullable=False),
        sa.Column("wanted_ready_day", sa.String(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
    )
    op.create_index("display_due", "display", ["account", "due_at"])
