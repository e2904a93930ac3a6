"""Incidents of oversell, and what may be offered instead."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    kind = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "incident",
        sa.Column("id", kind, primary_key=True, autoincrement=True, nullable=False),
        sa.Column("sku_id", sa.BigInteger(), nullable=False),
        sa.Column("began_at", sa.BigInteger(), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("short", sa.Integer(), nullable=False),
        sa.Column("cause", sa.String(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("covered_at", sa.BigInteger(), nullable=True),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.UniqueConstraint("sku_id", "began_at", name="incident_once"),
    )
    where = sa.text("closed_at IS NULL")
    op.create_index("incident_open", "incident", ["id"], sqlite_where=where, postgresql_where=where)
    op.create_table(
        "alternative",
        sa.Column("sku_id", sa.BigInteger(), primary_key=True, autoincrement=False, nullable=False),
        sa.Column("other_id", sa.BigInteger(), primary_key=True, autoincrement=False, nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
    )
