"""How orders come to their buyers: parcels, ship-by dates, promised days."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "order_delivery",
        sa.Column("order_id", sa.BigInteger(), primary_key=True, autoincrement=False, nullable=False),
        sa.Column("ship_by", sa.BigInteger(), nullable=True),
        sa.Column("deliver_by", sa.BigInteger(), nullable=True),
    )
    op.create_index("order_delivery_ship_by", "order_delivery", ["ship_by"])
    op.create_table(
        "shipment",
        sa.Column("order_id", sa.BigInteger(), primary_key=True, autoincrement=False, nullable=False),
        sa.Column("shipment_id", sa.String(), primary_key=True, nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("carrier", "carrier_raw", "number", "url")),
        *(sa.Column(name, sa.BigInteger(), nullable=True) for name in ("shipped_at", "expected_at", "delivered_at")),
        sqlite_with_rowid=False,
    )
    op.create_index("shipment_carrier", "shipment", ["carrier", "order_id"])
