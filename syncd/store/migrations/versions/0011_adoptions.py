"""Hand edits at the counting place."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "adoption",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=True),
        *_texts("account"),
        *_numbers("listing_id", "sku_id"),
        *_texts("location"),
        *_counts("units"),
        *_numbers("since", "until"),
        *_counts("readings", "orders", "gives", "booked", "seen"),
        *_texts("state"),
        *_numbers("at"),
    )
    _index("adoption_watched", ["listing_id"], "state = 'watched'")
    _index("adoption_span", ["account", "sku_id", "until"], "state <> 'dropped'")


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.String(), nullable=False) for name in names]


def _numbers(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.BigInteger(), nullable=False) for name in names]


def _counts(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.Integer(), nullable=False) for name in names]


def _index(name: str, columns: list[str], where: str) -> None:
    op.create_index(name, "adoption", columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
