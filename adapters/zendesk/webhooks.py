"""Webhooks: genuine, of these minutes, and what they say: which ticket to read.

Source: Zendesk, verifying webhooks and anatomy of an event, 2026: base64 of HMAC-SHA256 over timestamp and raw body.
The invocation id changes when a delivery is repeated, the event's own id does not; the order of events is not promised.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import datetime
from typing import Any, Final

import msgspec

from adapters.zendesk import names
from syncd.sdk.channel import Forged, Instant, RawRequest
from syncd.sdk.desk import DeskNotice, TicketId
from syncd.sdk.errors import ProtocolError
from syncd.sdk.secret import Secret

SIGNATURE: Final = "x-zendesk-webhook-signature"
TIMESTAMP: Final = "x-zendesk-webhook-signature-timestamp"
MOST_AGE_US: Final = 300 * 1_000_000
"""An older or more future one is refused: somebody may have kept it."""
EVENTS: Final = tuple(
    f"zen:event-type:ticket.{name}"
    for name in (
        "created",
        "status_changed",
        "custom_field_changed",
        "tags_changed",
        "comment_added",
        "follow_up_created",
        "merged",
        "soft_deleted",
        "permanently_deleted",
        "undeleted",
    )
)
"""What the webhook subscribes to (Zendesk, ticket events, 2026)."""
_TAGS_CHANGED: Final = "zen:event-type:ticket.tags_changed"
BAD_REQUEST, UNAUTHORIZED, UNAVAILABLE = 400, 401, 503


class _Detail(msgspec.Struct, frozen=True):
    id: str | int


class _Event(msgspec.Struct, frozen=True):
    tags_added: list[str] = []
    tags_removed: list[str] = []


class _Body(msgspec.Struct, frozen=True):
    type: str
    id: str
    detail: _Detail
    event: Any = None


def verify(request: RawRequest, *, secret: Secret, now: Instant) -> None:
    """Raise `Forged` unless Zendesk signed these bytes within five minutes.

    Without a secret nothing can be told: 503, after which Zendesk tries again.
    """
    signature, told = request.headers.get(SIGNATURE, ""), request.headers.get(TIMESTAMP, "")
    if not signature or not told:
        raise Forged(BAD_REQUEST, "no signature")
    if not secret:
        raise Forged(UNAVAILABLE, "the signing secret is not known yet")
    made = signed(secret, told, request.body)
    if not hmac.compare_digest(made.encode(), signature.encode()):
        raise Forged(UNAUTHORIZED, "the signature is another")
    at = _moment(told)
    if at is None or abs(now - at) > MOST_AGE_US:
        raise Forged(UNAUTHORIZED, "the signature is not of these minutes")


def signed(secret: Secret, timestamp: str, body: bytes) -> str:
    """Return the signature of a body; the secret is used as it is written."""
    digest = hmac.new(secret.reveal().encode(), timestamp.encode() + body, hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def parse(request: RawRequest) -> DeskNotice:
    """Say which ticket a verified event is about; one that only tells of our own markers is about none.

    Raises `ProtocolError`, without a word of the body, for what is no event.
    """
    try:
        body = msgspec.json.decode(request.body, type=_Body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        body = None
    ticket_id = str(body.detail.id) if body is not None else ""
    if body is None or not ticket_id.isdecimal() or not body.id:
        raise ProtocolError("Zendesk: a webhook that is no event of a ticket")
    about = () if _is_echo(body) else (TicketId(ticket_id),)
    return DeskNotice(dedupe_key=body.id, ticket_ids=about)


def _is_echo(body: _Body) -> bool:
    """Say whether an event is only our own marking of a ticket: nothing that a reading would tell."""
    if body.type != _TAGS_CHANGED:
        return False
    try:
        event = msgspec.convert(body.event, _Event)
    except msgspec.ValidationError:
        return False
    added = event.tags_added
    return bool(added) and all(tag.startswith(names.EVENT) for tag in added) and not event.tags_removed


def _moment(text: str) -> Instant | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return round(moment.timestamp() * 1_000_000) if moment.tzinfo is not None else None
