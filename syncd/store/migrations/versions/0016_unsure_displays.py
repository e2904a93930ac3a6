"""What stands beside a number of which it is not known whether the channel took it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; a call whose end was lost before it is not known of any more."""
    op.add_column("display", sa.Column("unsure", sa.String(), nullable=False, server_default=sa.text("''")))
