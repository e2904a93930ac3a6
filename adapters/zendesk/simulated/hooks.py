"""Webhooks of the simulated account: what they say of a change, and their signature."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from typing import Any, Final

import msgspec

from adapters.zendesk.simulated.setup import SetUp
from adapters.zendesk.simulated.tickets import Happened
from adapters.zendesk.simulated.world import World, stamp
from syncd.testing.courier import Delivery, Done

ACCOUNT: Final = 22_129_848
EVENT: Final = "zen:event-type:ticket."
MOST_TRIES: Final = 3
RETRY_S: Final = 60.0

Send = Callable[..., None]


class Hooks:
    """Sends what the webhooks subscribed to; a delivery that is not answered by 2xx is tried again."""

    def __init__(self, world: World, setup: SetUp, *, send: Send, number: Callable[[int], bytes]) -> None:
        self._world = world
        self._setup = setup
        self._send = send
        self._number = number
        self._positions = count(1)
        self.secrets: dict[str, str] = {}

    def secret(self, webhook_id: str) -> str:
        """Return the signing secret of a webhook, which stays the same."""
        made = self.secrets.get(webhook_id)
        if made is None:
            made = self.secrets[webhook_id] = base64.b64encode(self._number(32)).decode()
        return made

    def tell(self, happened: Happened) -> None:
        """Send an event of everything that is different."""
        for name, event in _events(happened):
            kind = EVENT + name
            for row in self._setup.rows("webhooks"):
                if row.get("status") == "active" and kind in row.get("subscriptions", []):
                    self._post(row, self._body(kind, event, happened))

    def _body(self, kind: str, event: Mapping[str, Any], happened: Happened) -> bytes:
        ticket = happened.ticket
        detail = {
            "id": str(ticket.ticket_id),
            "status": ticket.status.upper(),
            "subject": ticket.subject,
            "tags": list(ticket.tags),
            "external_id": ticket.external_id,
            "updated_at": stamp(ticket.updated_at),
            "is_public": True,
        }
        sequence = {"id": self._number(13).hex().upper(), "position": next(self._positions), "is_terminal": True}
        now = self._world.now()
        return msgspec.json.encode({
            "type": kind, "account_id": ACCOUNT, "id": _uuid(self._number(16)), "time": stamp(now),
            "zendesk_event_version": "2022-11-06", "subject": f"zen:ticket:{ticket.ticket_id}", "detail": detail,
            "event": {**event, "meta": {"sequence": sequence}},
        })  # fmt: skip

    def _post(self, row: Mapping[str, Any], body: bytes, *, tries: int = 1) -> None:
        timestamp = stamp(self._world.now())
        digest = hmac.new(self.secret(row["id"]).encode(), timestamp.encode() + body, hashlib.sha256).digest()
        headers = {
            "Content-Type": "application/json",
            "X-Zendesk-Account-Id": str(ACCOUNT),
            "X-Zendesk-Webhook-Id": row["id"],
            "X-Zendesk-Webhook-Invocation-Id": self._number(13).hex().upper(),
            "X-Zendesk-Webhook-Signature": base64.b64encode(digest).decode(),
            "X-Zendesk-Webhook-Signature-Timestamp": timestamp,
        }
        again: Done | None = self._again(row, body, tries=tries) if tries < MOST_TRIES else None
        delay_s = 0.0 if tries == 1 else RETRY_S
        self._send(Delivery(url=row["endpoint"], body=body, headers=headers), delay_s=delay_s, done=again)

    def _again(self, row: Mapping[str, Any], body: bytes, *, tries: int) -> Done:
        def done(*, delivered: bool) -> None:
            if not delivered:
                self._post(row, body, tries=tries + 1)

        return done


def _events(happened: Happened) -> Iterator[tuple[str, dict[str, Any]]]:
    if happened.deleted:
        yield "soft_deleted", {}
        return
    if happened.created:
        yield "follow_up_created" if happened.ticket.followup_of else "created", {}
        return
    if happened.status is not None:
        previous, current = happened.status
        yield "status_changed", {"current": current.upper(), "previous": previous.upper()}
    if happened.tags_added or happened.tags_removed:
        added, removed = list(happened.tags_added), list(happened.tags_removed)
        yield "tags_changed", {"tags_added": added, "tags_removed": removed}
    for field_id, previous, current in happened.fields:
        yield "custom_field_changed", {"field": {"id": str(field_id)}, "current": current, "previous": previous}
    if happened.comment is not None:
        comment = {"id": str(happened.comment.comment_id), "body": happened.comment.body}
        yield "comment_added", {"comment": comment | {"is_public": happened.comment.public}}


def _uuid(raw: bytes) -> str:
    text = raw.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
