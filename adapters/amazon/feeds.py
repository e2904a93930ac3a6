"""Feeds as Amazon takes them, what its reports say, and when one is worth its while: pure.

Facts (listings-feed-schema-v2 and listings-feed-processing-report-schema-v2 of the vendor's models, SP-API docs, feeds
best practices and feed type values, changelog 2025-05-06): at most 25,000 messages and 10 MiB a feed; one feed of a
type in 20 minutes, and the former one ended before; it may take up to eight hours under load
(selling-partner-api-models issue 657). What a report calls accepted is not in effect yet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from adapters.amazon.wire import ANY_TYPE, LOCALE, patch
from syncd.sdk.channel import Write
from syncd.sdk.secret import sample

LISTINGS_FEED: Final = "JSON_LISTINGS_FEED"
LISTINGS_KIND: Final = "application/json; charset=UTF-8"
MOST_ROWS = 25_000
MOST_BYTES = 10 * 1024 * 1024
DEADLINE_S = 8 * 3_600.0
"""How long a feed may take; after that its rows go by patch."""
GAP_S = 1_200.0
"""The least time between the starts of two feeds."""
PAUSE_S = 3_600.0
"""How long no feed is sent after one that failed as a whole or did not end."""
FIXED_S = 300.0
PER_ROW_S = 0.06
"""What a feed is expected to take: 3,000 rows in eight minutes, 10,000 in a quarter of an hour, which sellers in Japan
and elsewhere report (qiita, okap_goldman, 2024; selling-partner-api-docs issue 3161)."""
LEAST_FACTOR, MOST_FACTOR = 0.5, 20.0
_TAIL: Final = b"]}"
_MOST_REASON = 160


class FeedIssue(msgspec.Struct, frozen=True, rename="camel"):
    """What Amazon has to say about a message of a feed, or about the whole of it (without an id)."""

    message_id: int | None = None
    code: str = ""
    severity: str = ""
    message: str = ""
    attribute_name: str = ""


class FeedSummary(msgspec.Struct, frozen=True, rename="camel"):
    """How many messages ended how."""

    messages_processed: int = 0
    messages_accepted: int = 0
    messages_invalid: int = 0


class FeedReport(msgspec.Struct, frozen=True, rename="camel"):
    """The processing report of a feed."""

    issues: list[FeedIssue] = []
    summary: FeedSummary = FeedSummary()

    @property
    def failed(self) -> bool:
        """Say whether the file itself was refused."""
        return any(issue.message_id is None and issue.severity == "ERROR" for issue in self.issues)


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A feed's file and the writes that are in it, in the order of their message ids, from 1 on."""

    body: bytes
    writes: tuple[Write, ...]


def file(writes: Sequence[Write], *, seller_id: str, types: Mapping[str, str]) -> File:
    """Return the file of as many of these writes as fit; `types` are product types by SKU."""
    header = {"sellerId": seller_id, "version": "2.0", "issueLocale": LOCALE}
    head = b'{"header":' + msgspec.json.encode(header) + b',"messages":['
    size = len(head) + len(_TAIL)
    parts: list[bytes] = []
    for number, write in enumerate(writes[:MOST_ROWS], start=1):
        part = msgspec.json.encode(_message(number, write, types.get(write.ref.remote_id, "")))
        if size + len(part) + 1 > MOST_BYTES:
            break
        size += len(part) + 1
        parts.append(part)
    return File(body=head + b",".join(parts) + _TAIL, writes=tuple(writes[: len(parts)]))


def _message(number: int, write: Write, product_type: str) -> dict[str, Any]:
    """Return a message; PATCH is the one operation type that leaves all other attributes as they are."""
    return {
        "messageId": number,
        "sku": write.ref.remote_id,
        "operationType": "PATCH",
        "productType": product_type or ANY_TYPE,
        "patches": [patch(write.quantity)],
    }


def refusals(report: FeedReport) -> dict[int, str]:
    """Return why messages were refused, by their id."""
    found: dict[int, str] = {}
    for issue in report.issues:
        if issue.message_id is not None and issue.severity == "ERROR":
            found.setdefault(issue.message_id, reason(issue.code, issue.attribute_name, issue.message))
    return found


def reason(code: str, attribute: str, message: str) -> str:
    """Return an issue as a short sentence without a secret."""
    return sample(" ".join(part for part in (code, attribute and f"({attribute})", message) if part))[:_MOST_REASON]


def expected_s(rows: int, factor: float = 1.0) -> float:
    """Return how long a feed of so many rows is expected to take."""
    return (FIXED_S + PER_ROW_S * rows) * factor


def factor_of(rows: int, took_s: float) -> float:
    """Return how much longer than expected a feed took, within reason."""
    return min(max(took_s / expected_s(rows), LEAST_FACTOR), MOST_FACTOR)


def size(waiting: int, *, by_patch: int, least: int, rate_per_s: float, factor: float) -> int:
    """Return how many rows the next push shall hold: a feed only where all are done sooner by it.

    `by_patch` is an ordinary push, `least` from how many rows on a feed is considered at all (0 never).
    """
    rows = min(waiting, MOST_ROWS)
    if not least or rows < max(least, by_patch + 1):
        return by_patch
    return rows if expected_s(rows, factor) < waiting / rate_per_s else by_patch
