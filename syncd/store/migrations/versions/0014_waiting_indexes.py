"""Indexes by which a long line is worked off: days to be announced, and how many messages an event has."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the indexes."""
    where = sa.text("closed_at IS NULL AND announced <> promised")
    op.create_index("entry_soon", "entry", ["promised", "id"], sqlite_where=where, postgresql_where=where)
    op.drop_index("ticket_change_event", "ticket_change")
    op.create_index("ticket_change_event", "ticket_change", ["event", "message"])
