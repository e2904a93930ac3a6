"""The first schema."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_TEXT = sa.String()
_BIG = sa.BigInteger()
_INT = sa.Integer()
_BYTES = sa.LargeBinary()
_BOOL = sa.Boolean()
_REAL = sa.Float()


def _id() -> sa.Column[int]:
    # SQLite gives ascending 64-bit ids only to the type INTEGER.
    kind = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.Column("id", kind, primary_key=True, autoincrement=True, nullable=False)


def _keys(kind: Any, names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, kind, primary_key=True, autoincrement=False, nullable=False) for name in names.split()]


def _required(kind: Any, names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, kind, nullable=False) for name in names.split()]


def _optional(kind: Any, names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, kind, nullable=True) for name in names.split()]


def _partial_index(name: str, table: str, columns: list[str], *, where: str, unique: bool = False) -> None:
    condition = sa.text(where)
    op.create_index(name, table, columns, unique=unique, sqlite_where=condition, postgresql_where=condition)


def upgrade() -> None:
    _meta()
    _inbox()
    _parked()
    _sku()
    _kit()
    _policy()
    _movement()
    _balance()
    _orders()
    _order_line()
    _listing()
    _effect()
    _write()
    _suspect()
    _drift()
    _cursor()
    _fetch()
    _account()
    _brake()
    _outbox()
    _alert()


def _meta() -> None:
    op.create_table(
        "meta",
        *_keys(_TEXT, "name"),
        *_required(_TEXT, "value"),
        if_not_exists=True,  # the first owner of a store made it, see syncd.store.owner
    )


def _inbox() -> None:
    op.create_table(
        "inbox",
        _id(),
        *_required(_TEXT, "kind source"),
        *_optional(_TEXT, "key"),
        *_required(_BYTES, "body"),
        *_required(_BIG, "received_at"),
    )
    _partial_index("inbox_key", "inbox", ["source", "key"], unique=True, where="key IS NOT NULL")


def _parked() -> None:
    op.create_table(
        "parked",
        *_keys(_BIG, "inbox_id"),
        *_required(_TEXT, "reason"),
        *_required(_BIG, "at"),
    )


def _sku() -> None:
    op.create_table(
        "sku",
        _id(),
        *_required(_TEXT, "code title"),
        *_optional(_BIG, "opened_at"),
        sa.UniqueConstraint("code"),
    )


def _kit() -> None:
    op.create_table(
        "kit",
        *_keys(_BIG, "kit_id component_id"),
        *_required(_INT, "quantity"),
    )
    op.create_index("ix_kit_component_id", "kit", ["component_id"])


def _policy() -> None:
    op.create_table(
        "policy",
        *_keys(_BIG, "sku_id"),
        *_keys(_TEXT, "account"),
        *_optional(_INT, "safety_stock safety_percent cap"),
    )


def _movement() -> None:
    op.create_table(
        "movement",
        _id(),
        *_required(_TEXT, "source reference"),
        *_required(_BIG, "sku_id"),
        *_required(_TEXT, "location kind"),
        *_required(_INT, "on_hand committed held"),
        *_required(_BIG, "at recorded_at"),
        *_required(_TEXT, "reason actor"),
        sa.UniqueConstraint("source", "reference", name="movement_once"),
    )
    op.create_index("movement_sku", "movement", ["sku_id", "id"])


def _balance() -> None:
    op.create_table(
        "balance",
        *_keys(_BIG, "sku_id"),
        *_keys(_TEXT, "location"),
        *_required(_INT, "on_hand committed held"),
        sqlite_with_rowid=False,
    )


def _orders() -> None:
    op.create_table(
        "orders",
        _id(),
        *_required(_TEXT, "account remote_id number"),
        *_optional(_BIG, "version"),
        *_required(_BIG, "read_at ordered_at"),
        *_required(_BOOL, "cancelled closed ignored"),
        *_required(_TEXT, "payment payment_raw fulfilment fulfilment_raw returns returns_raw amount currency"),
        *_required(_BIG, "recorded_at"),
        sa.UniqueConstraint("account", "remote_id", name="orders_once"),
    )


def _order_line() -> None:
    op.create_table(
        "order_line",
        *_keys(_BIG, "order_id"),
        *_keys(_TEXT, "line_id"),
        *_required(_TEXT, "account remote_id remote_sku location"),
        *_optional(_BIG, "sku_id"),
        *_required(_INT, "quantity cancelled shipped returned"),
        *_required(_BYTES, "state"),
        sqlite_with_rowid=False,
    )
    _partial_index("order_line_quarantine", "order_line", ["account", "remote_id"], where="sku_id IS NULL")


def _listing() -> None:
    op.create_table(
        "listing",
        _id(),
        *_required(_TEXT, "account remote_id remote_location remote_sku title"),
        *_optional(_BIG, "sku_id"),
        *_required(_TEXT, "location"),
        *_required(_BOOL, "active managed"),
        *_optional(_BIG, "vanished_at"),
        *_optional(_INT, "target base"),
        *_optional(_BIG, "base_from base_until"),
        *_optional(_INT, "low high lane"),
        *_optional(_BIG, "due_at"),
        *_required(_INT, "attempts"),
        *_required(_BOOL, "in_flight stale"),
        *_required(_TEXT, "held parked"),
        *_optional(_INT, "seen"),
        *_optional(_BIG, "seen_at catalogued_at"),
        *_required(_REAL, "demand"),
        *_optional(_BIG, "demand_at"),
        sa.UniqueConstraint("account", "remote_id", "remote_location", name="listing_once"),
    )
    _partial_index("listing_due", "listing", ["account", "lane", "due_at"], where="lane IS NOT NULL")
    op.create_index("listing_sku", "listing", ["sku_id"])


def _effect() -> None:
    op.create_table(
        "effect",
        *_keys(_BIG, "listing_id"),
        *_keys(_TEXT, "reference"),
        *_required(_INT, "quantity"),
        *_required(_BIG, "earliest"),
        *_optional(_BIG, "latest"),
        *_required(_BOOL, "maybe"),
        sqlite_with_rowid=False,
    )


def _write() -> None:
    op.create_table(
        "write",
        _id(),
        *_required(_BIG, "listing_id"),
        *_required(_TEXT, "account key mode"),
        *_required(_INT, "quantity"),
        *_optional(_INT, "expected delta"),
        *_required(_INT, "target lane"),
        *_required(_TEXT, "state"),
        *_required(_BOOL, "open"),
        *_required(_BIG, "intended_at"),
        *_optional(_BIG, "answered_at effect_until"),
        *_required(_TEXT, "reason"),
    )
    op.create_index("write_key", "write", ["key"], unique=True)
    op.create_index(
        "write_open", "write", ["listing_id"], sqlite_where=sa.text("open = 1"), postgresql_where=sa.text("open")
    )


def _suspect() -> None:
    op.create_table(
        "suspect",
        _id(),
        *_required(_TEXT, "account"),
        *_required(_BIG, "listing_id sku_id"),
        *_required(_TEXT, "location"),
        *_required(_INT, "quantity remaining"),
        *_required(_BIG, "since until"),
        *_optional(_BIG, "closed_at"),
    )
    _partial_index("suspect_open", "suspect", ["account", "sku_id"], where="closed_at IS NULL")


def _drift() -> None:
    op.create_table(
        "drift",
        _id(),
        *_required(_TEXT, "account"),
        *_required(_BIG, "listing_id"),
        *_optional(_BIG, "sku_id"),
        *_required(_INT, "seen expected_low expected_high"),
        *_required(_TEXT, "state"),
        *_required(_BIG, "at"),
        *_optional(_BIG, "ended_at"),
        *_required(_TEXT, "actor"),
    )
    _partial_index("drift_pending", "drift", ["listing_id"], where="state = 'pending'")
    op.create_index("drift_recent", "drift", ["account", "at"])


def _cursor() -> None:
    op.create_table(
        "cursor",
        *_keys(_TEXT, "account feed"),
        *_required(_TEXT, "cursor"),
        *_optional(_BIG, "complete_until scanned_at"),
    )


def _fetch() -> None:
    op.create_table(
        "fetch",
        *_keys(_TEXT, "account remote_id"),
        *_required(_BIG, "since due_at"),
        *_required(_INT, "attempts"),
    )


def _account() -> None:
    op.create_table(
        "account",
        *_keys(_TEXT, "name"),
        *_required(_TEXT, "state reason"),
        *_required(_BIG, "since"),
        *_optional(_BIG, "first_live_at adopted_at down_since"),
        *_required(_TEXT, "down_reason"),
    )


def _brake() -> None:
    op.create_table(
        "brake",
        _id(),
        *_required(_BIG, "inbox_id"),
        *_required(_TEXT, "cause"),
        *_required(_INT, "to_zero raised listings"),
        *_required(_TEXT, "state"),
        *_required(_BIG, "at"),
        *_optional(_BIG, "ended_at"),
        *_required(_TEXT, "actor"),
    )


def _outbox() -> None:
    op.create_table(
        "outbox",
        _id(),
        *_required(_TEXT, "sink key type"),
        *_required(_BYTES, "body"),
        *_required(_BIG, "created_at"),
        *_optional(_BIG, "delivered_at"),
    )
    _partial_index("outbox_waiting", "outbox", ["sink", "id"], where="delivered_at IS NULL")


def _alert() -> None:
    op.create_table(
        "alert",
        *_keys(_TEXT, "kind key"),
        *_required(_TEXT, "text"),
        *_required(_BIG, "raised_at"),
        *_optional(_BIG, "cleared_at"),
    )
