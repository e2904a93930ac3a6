"""Tickets that are for a person, messages of customers, and what the figures of tickets are made of."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make tables and columns."""
    kind = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "inbound",
        sa.Column("id", kind, primary_key=True, autoincrement=True, nullable=False),
        sa.Column("ticket_row", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("heard_at", sa.BigInteger(), nullable=False),
        sa.Column("signs", sa.String(), nullable=False),
        sa.UniqueConstraint("ticket_row", "at", name="inbound_once"),
    )
    op.create_table(
        "escalation",
        sa.Column("id", kind, primary_key=True, autoincrement=True, nullable=False),
        sa.Column("entry_id", sa.BigInteger(), nullable=True),
        sa.Column("ticket_row", sa.BigInteger(), nullable=True),
        sa.Column("reasons", sa.String(), nullable=False),
        sa.Column("priority", sa.String(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("released_at", sa.BigInteger(), nullable=True),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
    )
    for name in ("entry_id", "ticket_row"):
        where = sa.text(f"{name} IS NOT NULL")
        op.create_index(f"escalation_{name}", "escalation", [name], sqlite_where=where, postgresql_where=where)
    where = sa.text("released_at IS NULL")
    op.create_index("escalation_open", "escalation", ["id"], sqlite_where=where, postgresql_where=where)
    op.add_column("entry", sa.Column("restocked_at", sa.BigInteger(), nullable=True))
    op.add_column("ticket", sa.Column("escalated", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("ticket", sa.Column("solved_at", sa.BigInteger(), nullable=True))
    op.add_column("ticket", sa.Column("rating", sa.String(), nullable=False, server_default=sa.text("''")))
    op.add_column("ticket", sa.Column("rated_at", sa.BigInteger(), nullable=True))
    op.add_column("ticket_change", sa.Column("drafted", sa.Boolean(), nullable=False, server_default=sa.false()))
