"""Where a scan of the order feed stands: pure.

A scan reads all orders changed since a time, in the order of their change, and starts a little before the one before
it began, because the search index is behind the orders by an unknown, small time. The very first scan reads what is
open instead. One search can be paged to 25,000 orders (shopify.dev, API limits, 2026-10), so a long scan starts a new
search at the change that it has come to.
"""

from __future__ import annotations

import msgspec

from adapters.shopify.wire import timestamp
from syncd.sdk.channel import Instant
from syncd.sdk.errors import ProtocolError
from syncd.sdk.strict import decode

MOST_IN_SEARCH = 20_000
"""Orders of one search, well below the limit of its depth."""
SECOND_US = 1_000_000


class Cursor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A place in the feed.

    `since` is where the search begins (0: no bound), `after` the Relay cursor in it, `read` how many orders it has
    brought. `began` is the start of the running scan, 0 between scans. `only_open` marks the first scan.
    """

    since: Instant
    only_open: bool = False
    began: Instant = 0
    after: str | None = None
    read: int = 0


def resume(text: str | None, *, now: Instant) -> Cursor:
    """Return where to read next; raises `ProtocolError` for a text that is no cursor of ours."""
    if text is None:
        return Cursor(since=0, only_open=True, began=now)
    try:
        cursor = decode(text, Cursor)
    except ProtocolError:
        cursor = None
    if cursor is None:
        raise ProtocolError("Shopify: the stored place in the order feed is not understood")
    return cursor if cursor.began else msgspec.structs.replace(cursor, began=now)


def text(cursor: Cursor) -> str:
    """Return a cursor as it is stored."""
    return msgspec.json.encode(cursor).decode()


def search(cursor: Cursor) -> str:
    """Return the search of a cursor."""
    terms = ["status:open"] if cursor.only_open else []
    if cursor.since:
        terms.append(f"updated_at:>='{timestamp(cursor.since)}'")
    return " ".join(terms)


def onward(cursor: Cursor, *, after: str | None, count: int, changed_at: Instant | None) -> Cursor:
    """Return where a scan goes on that is not at its end; `changed_at` is the last change that the page brought.

    A search that has become deep is left for a new one, unless that would begin at the same second.
    """
    read = cursor.read + count
    if read >= MOST_IN_SEARCH and changed_at is not None and changed_at // SECOND_US > cursor.since // SECOND_US:
        return msgspec.structs.replace(cursor, since=changed_at, after=None, read=0)
    return msgspec.structs.replace(cursor, after=after, read=read)


def finished(cursor: Cursor, *, overlap_us: int) -> Cursor:
    """Return where the next scan begins, which is also the time up to which this one is complete.

    The overlap is the most that the index may be behind: what changed before it is in the index when the scan starts.
    """
    return Cursor(since=max(cursor.began - overlap_us, 1))
