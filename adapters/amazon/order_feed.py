"""Where a scan of the orders stands: pure.

A scan reads what was updated since a time that lies a little before the end of the scan before it: Amazon tells of
orders two minutes after they changed at the earliest (SP-API docs, Orders API, 2026), and later under load. Some
sellers saw orders hours late (jlevers/selling-partner-api issue 763), so once a day a scan also reads all orders of the
last two days by the time of their purchase. The very first scan reads what is open instead.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from adapters.amazon.orders import INCLUDED, OPEN, OrdersFound
from adapters.amazon.wire import SECOND_US, instant, timestamp
from syncd.sdk.channel import Instant
from syncd.sdk.errors import ProtocolError
from syncd.sdk.strict import decode

DAY_US = 86_400 * SECOND_US
LOOK_BACK_US = 2 * DAY_US
"""How far it looks back once a day: an order that is told up to a day late is found."""
FIRST_LOOK_BACK_US = 180 * DAY_US
"""How old an open order may be that the first scan finds."""
OVERLAP_S = 300.0
"""How far a scan looks back behind the end of the one before: how late an update may be found."""
UNTOLD_LAG_S = 120.0
"""How far behind an answer is that does not say up to when it reaches."""
MOST_ON_PAGE = 100


class Part(StrEnum):
    """What a scan reads at the moment."""

    OPEN = "open"
    CHANGED = "changed"
    DAY = "day"


class Cursor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A place in the feed.

    `since` bounds the search, `after` is Amazon's token of the next page in it. `began` is the start of the running
    scan, 0 between scans. `until` is where the next scan begins, known after the first page. `day_at` is when orders
    were read by their purchase last.
    """

    since: Instant
    part: Part = Part.CHANGED
    began: Instant = 0
    after: str | None = None
    until: Instant = 0
    day_at: Instant = 0


def resume(text: str | None, *, now: Instant) -> Cursor:
    """Return where to read next; raises `ProtocolError` for a text that is no cursor of ours."""
    if text is None:
        return Cursor(since=now - FIRST_LOOK_BACK_US, part=Part.OPEN, began=now, day_at=now)
    try:
        cursor = decode(text, Cursor)
    except ProtocolError:
        cursor = None
    if cursor is None:
        raise ProtocolError("Amazon: the stored place in the orders is not understood")
    return cursor if cursor.began else msgspec.structs.replace(cursor, began=now)


def text(cursor: Cursor) -> str:
    """Return a cursor as it is stored."""
    return msgspec.json.encode(cursor).decode()


def search(cursor: Cursor, marketplace_id: str) -> dict[str, str | int]:
    """Return the parameters of a search; with a page token all others have to stay as they were."""
    bound = "lastUpdatedAfter" if cursor.part is Part.CHANGED else "createdAfter"
    parameters: dict[str, str | int] = {
        bound: timestamp(cursor.since),
        "marketplaceIds": marketplace_id,
        "fulfilledBy": "MERCHANT",
        "includedData": INCLUDED,
        "maxResultsPerPage": MOST_ON_PAGE,
    }
    if cursor.part is Part.OPEN:
        parameters["fulfillmentStatuses"] = ",".join(OPEN)
    if cursor.after is not None:
        parameters["paginationToken"] = cursor.after
    return parameters


def restarted(cursor: Cursor) -> Cursor:
    """Return a cursor for the first page again: a page token lives for a day."""
    return msgspec.structs.replace(cursor, after=None)


def onward(cursor: Cursor, found: OrdersFound, *, asked_at: Instant) -> Cursor:
    """Return where to go on after a page: the next page, the part that is due once a day, or the next scan."""
    reached = _reached(cursor, found, asked_at=asked_at)
    token = found.pagination.next_token if found.pagination else None
    if token:
        return msgspec.structs.replace(cursor, after=token, until=reached)
    if cursor.part is Part.CHANGED and cursor.began - cursor.day_at >= DAY_US:
        since = cursor.began - LOOK_BACK_US
        return Cursor(since=since, part=Part.DAY, began=cursor.began, until=reached, day_at=cursor.began)
    return Cursor(since=reached, day_at=cursor.day_at)


def _reached(cursor: Cursor, found: OrdersFound, *, asked_at: Instant) -> Instant:
    """Return the time up to which this scan is complete, which is where the next one begins; it never goes back.

    The first page decides, for later ones belong to the search that it began.
    """
    if cursor.until:
        return cursor.until
    told = found.last_updated_before if cursor.part is Part.CHANGED else None
    bound = instant(told) if told else asked_at - round(UNTOLD_LAG_S * SECOND_US)
    reached = min(bound, asked_at) - round(OVERLAP_S * SECOND_US)
    return max(reached, cursor.since if cursor.part is Part.CHANGED else 1)
