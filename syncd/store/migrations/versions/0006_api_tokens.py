"""Tokens of the API, and answers that are kept for repeats."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    # SQLite gives ascending 64-bit ids only to the type INTEGER.
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "api_token",
        sa.Column("id", number, primary_key=True, autoincrement=True, nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("name", "public_id", "scope", "digest")),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=True) for name in ("last_used_at", "revoked_at")),
        sa.UniqueConstraint("name", name="api_token_name"),
        sa.UniqueConstraint("public_id", name="api_token_id"),
    )
    op.create_table(
        "api_answer",
        sa.Column("id", number, primary_key=True, autoincrement=True, nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("owner", "key", "fingerprint")),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.UniqueConstraint("owner", "key", name="api_answer_once"),
    )
    op.create_index("api_answer_at", "api_answer", ["at", "id"])
