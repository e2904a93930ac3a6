"""What a notification of Amazon means: pure.

Facts (the vendor's notification schemas, 2026-08; amazon-sqs and eventbridge guides of its samples): keys come in two
spellings, PascalCase and camelCase, so they are compared in lower case; what came by EventBridge is wrapped in
`detail`; nothing is ordered, and everything may come twice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from adapters.amazon.wire import ref
from syncd.sdk.channel import Notice
from syncd.sdk.errors import ProtocolError
from syncd.sdk.strict import loads

ORDER: Final = "ORDER_CHANGE"
QUANTITY: Final = "LISTINGS_ITEM_MFN_QUANTITY_CHANGE"
STATUS: Final = "LISTINGS_ITEM_STATUS_CHANGE"
ISSUES: Final = "LISTINGS_ITEM_ISSUES_CHANGE"
FEED: Final = "FEED_PROCESSING_FINISHED"
ACCOUNT: Final = "ACCOUNT_STATUS_CHANGED"
MOST_BYTES = 1024 * 1024
"""An SQS message holds 1 MiB at most."""
NOT_UNDERSTOOD = Notice(text="Amazon: a message of the queue was not understood")
_ACCOUNT_FOLDED: Final = "ACCOUNT_STATUS_CHANGE"
_LISTINGS: Final = frozenset({QUANTITY, STATUS, ISSUES})
_AMAZONS: Final = frozenset({"afn", "amazon"})
_STATUS_WORDS: Final = frozenset({"normal", "at_risk", "deactivated"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A notification: what it tells the engine, and the feed that it says has ended."""

    notice: Notice
    feed_id: str = ""


def heard(body: str, *, seller_id: str, marketplace_id: str) -> Heard:
    """Return what the body of a message means; one that cannot be understood is told as a text."""
    try:
        message = _folded(loads(body, most_bytes=MOST_BYTES))
    except ProtocolError:
        return Heard(notice=NOT_UNDERSTOOD)
    message = _unwrapped(message)
    # The schema of one type says ..._CHANGED where its own example says ..._CHANGE.
    kind = re.sub(r"_CHANGED$", "_CHANGE", _text(message, "notificationtype"))
    payload = _part(message, "payload")
    key = _text(_part(message, "notificationmetadata"), "notificationid") or None
    if not kind:
        return Heard(notice=NOT_UNDERSTOOD)
    owner = _owner(payload)
    if owner and owner != seller_id:
        return Heard(notice=Notice(dedupe_key=key))
    place = _text(payload, "marketplaceid")
    if place and place != marketplace_id:
        return Heard(notice=Notice(dedupe_key=key))
    return _meaning(kind, payload, key=key, marketplace_id=marketplace_id)


def _meaning(kind: str, payload: Mapping[str, Any], *, key: str | None, marketplace_id: str) -> Heard:
    if kind == ORDER:
        return Heard(notice=_order(payload, key=key, marketplace_id=marketplace_id))
    if kind in _LISTINGS:
        sku = _text(payload, "sku")
        return Heard(notice=Notice(dedupe_key=key, refs=(ref(sku),) if sku else ()))
    if kind == FEED:
        feed = _part(payload, "feedprocessingfinishednotification")
        return Heard(notice=Notice(dedupe_key=key), feed_id=_text(feed, "feedid"))
    if kind == _ACCOUNT_FOLDED:
        return Heard(notice=Notice(dedupe_key=key, text=_account(payload)))
    return Heard(notice=Notice(dedupe_key=key))


def _order(payload: Mapping[str, Any], *, key: str | None, marketplace_id: str) -> Notice:
    """Return which order is to be fetched; one that Amazon fulfils, or of another marketplace, is none of ours."""
    change = _part(payload, "orderchangenotification")
    summary = _part(change, "summary")
    order_id = _text(change, "amazonorderid")
    elsewhere = _text(summary, "marketplaceid") not in ("", marketplace_id)
    if not order_id or elsewhere or _text(summary, "fulfillmenttype").lower() in _AMAZONS:
        return Notice(dedupe_key=key)
    return Notice(dedupe_key=key, order_ids=(order_id,))


def _account(payload: Mapping[str, Any]) -> str:
    change = _part(payload, "accountstatuschangenotification") or payload
    words = [str(value) for name, value in change.items() if "status" in name and "previous" not in name]
    said = next((word for word in words if word.lower() in _STATUS_WORDS), "another one than before")
    return f"Amazon: the status of the seller account is now {said}; look at Account Health in Seller Central"


def _owner(payload: Mapping[str, Any]) -> str:
    """Return the seller that a payload names, in itself or in the one part that it holds."""
    named = _text(payload, "sellerid")
    parts = [part for part in payload.values() if isinstance(part, dict)]
    return named or next((owner for part in parts if (owner := _text(part, "sellerid"))), "")


def _unwrapped(message: Mapping[str, Any]) -> Mapping[str, Any]:
    detail = message.get("detail")
    return detail if isinstance(detail, dict) else message


def _folded(value: Any) -> Any:
    """Return a JSON value with all keys in lower case; a value that is no object becomes an empty one at the top."""
    return _fold(value) if isinstance(value, dict) else {}


def _fold(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key).lower(): _fold(held) for key, held in value.items()}
    return [_fold(held) for held in value] if isinstance(value, list) else value


def _part(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    held = value.get(name)
    return held if isinstance(held, dict) else {}


def _text(value: Mapping[str, Any], name: str) -> str:
    held = value.get(name)
    return held if isinstance(held, str) else ""
