"""Alerts that stand until they clear: each (kind, key) is told once, and once more when it is over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec
from sqlalchemy import Connection, select, update

from syncd.core.terms import Instant
from syncd.store import outbox
from syncd.store.rows import AlertRow
from syncd.store.statements import table, upsert

SINK: Final = "alerts"
"""The sink whose events are `Alert` as JSON."""

RAISED: Final = "raised"
CLEARED: Final = "cleared"

KINDS: Final = frozenset(
    {
        "low_stock",
        "quarantine",
        "brake",
        "channel_down",
        "key_expiry",
        "key_expired",
        "account_health",
        "conduct",
        "no_ship_date",
        "notice",
        "disk",
        "clock",
        "oversell",
        "overdue",
        "drift",
        "unmapped",
        "vanished",
        "parked",
        "webhook_lost",
        "webhook_out",
        "desk_down",
        "ticket_refused",
        "message_unsure",
        "told_in_vain",
        "authorisation_ends",
        "cancel_wish",
        "private_sale",
        "private_sale_stays",
        "escalated",
    }
)

_ALERT = table(AlertRow)
_ENCODER = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """What a person is told. No personal data: `key` is a SKU, an account, a place.

    `text` is the plain English sentence or detail. `values` are the facts in it, by name, for a text in another
    language.
    """

    kind: str
    key: str
    text: str
    values: Mapping[str, str | int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """An alert that was told and is not over."""

    kind: str
    key: str
    text: str
    raised_at: Instant


def raise_alert(
    conn: Connection,
    *,
    kind: str,
    key: str,
    text: str,
    now: Instant,
    values: Mapping[str, str | int] | None = None,
) -> bool:
    """Let an alert stand and return True, or return False because it stands already: then nothing changes."""
    assert kind in KINDS, f"an alert kind that no text knows: {kind}"  # noqa: S101  (a word of our own code)
    if _stands(conn, kind, key):
        return False
    row = {"kind": kind, "key": key, "text": text, "raised_at": now, "cleared_at": None}
    upsert(conn, AlertRow, keys=("kind", "key"), values=[row])
    _tell(conn, RAISED, Alert(kind=kind, key=key, text=text, values=values or {}), now)
    return True


def text_of(values: Mapping[str, str | int]) -> str:
    """Return the text of an alert that says its values and no more."""
    return ", ".join(f"{name} {value}" for name, value in values.items())


def renew_alert(
    conn: Connection, *, kind: str, key: str, text: str, now: Instant, values: Mapping[str, str | int]
) -> bool:
    """Let an alert stand with this text; return whether it is told: also when it stands with another text."""
    assert kind in KINDS, f"an alert kind that no text knows: {kind}"  # noqa: S101  (a word of our own code)
    query = select(_ALERT.c.text).where(_ALERT.c.kind == kind, _ALERT.c.key == key, _ALERT.c.cleared_at.is_(None))
    before = conn.execute(query).scalar()
    if before is None:
        return raise_alert(conn, kind=kind, key=key, text=text, values=values, now=now)
    if before == text:
        return False
    conn.execute(update(_ALERT).where(_ALERT.c.kind == kind, _ALERT.c.key == key).values(text=text))
    _tell(conn, RAISED, Alert(kind=kind, key=key, text=text, values=values), now)
    return True


def tell(conn: Connection, alert: Alert, *, now: Instant) -> None:
    """Tell people something that nothing ends: it does not stand."""
    assert alert.kind in KINDS, f"an alert kind that no text knows: {alert.kind}"  # noqa: S101  (our own word)
    _tell(conn, RAISED, alert, now)


def clear_alert(conn: Connection, *, kind: str, key: str, now: Instant) -> bool:
    """End a standing alert and return True; return False where none stands."""
    query = select(_ALERT.c.text).where(_ALERT.c.kind == kind, _ALERT.c.key == key, _ALERT.c.cleared_at.is_(None))
    text = conn.execute(query).scalar()
    if text is None:
        return False
    conn.execute(update(_ALERT).where(_ALERT.c.kind == kind, _ALERT.c.key == key).values(cleared_at=now))
    _tell(conn, CLEARED, Alert(kind=kind, key=key, text=text), now)
    return True


def standing(conn: Connection) -> list[Standing]:
    """Return what stands, oldest first."""
    query = (
        select(_ALERT.c.kind, _ALERT.c.key, _ALERT.c.text, _ALERT.c.raised_at)
        .where(_ALERT.c.cleared_at.is_(None))
        .order_by(_ALERT.c.raised_at, _ALERT.c.kind, _ALERT.c.key)
    )
    return [Standing(kind=r.kind, key=r.key, text=r.text, raised_at=r.raised_at) for r in conn.execute(query)]


def _stands(conn: Connection, kind: str, key: str) -> bool:
    query = select(_ALERT.c.kind).where(_ALERT.c.kind == kind, _ALERT.c.key == key, _ALERT.c.cleared_at.is_(None))
    return conn.execute(query).first() is not None


def _tell(conn: Connection, change: str, alert: Alert, now: Instant) -> None:
    event = outbox.Event(sink=SINK, key=f"{alert.kind}/{alert.key}", type=change, body=_ENCODER.encode(alert))
    outbox.put(conn, [event], now=now)
