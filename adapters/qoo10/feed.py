"""Where a scan of orders stands, and what it asks for: pure.

Qoo10 has no search by change: each status and each kind of claim is asked for by itself, by the time of the order, of
the payment, of the shipment or of the claim, at most 90 days at once (QAPI guide, result code -10003, 2026). Whether a
long answer is cut off is not told, so that a search that brings many rows is halved. Three kinds of scan take turns:

    fast   what was paid, ordered without payment, or cancelled since the scan before
    slow   that, and what was shipped, delivered, claimed or sent back since the slow scan before
    deep   that, and every line of the last days whatever its state; also the first scan after a start
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from adapters.qoo10 import orders
from adapters.qoo10.settings import Qoo10Settings
from adapters.qoo10.wire import SECOND_US, searched
from syncd.sdk.channel import Instant
from syncd.sdk.errors import ProtocolError
from syncd.sdk.strict import decode

DAY_US = 86_400 * SECOND_US
WINDOW_US = 10 * DAY_US
"""The longest time that one search spans."""
SHORTEST_US = 60 * SECOND_US
"""A search that spans no more than this is not halved."""
FULL = 300
"""A search that brings so many rows is halved."""
FARTHEST_US = 89 * DAY_US
"""How far back searches go."""

BY_ORDER, BY_PAYMENT, BY_SHIPMENT, BY_DELIVERY = 1, 2, 3, 4
CLAIM_ORDERED, CLAIM_ASKED, CLAIM_DONE = 1, 2, 3


class Kind(StrEnum):
    """How much a scan asks for."""

    FAST = "fast"
    SLOW = "slow"
    DEEP = "deep"


class Cursor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A place in the feed.

    `since`, `slow_since` and `deep_since` are the starts of the last finished scan of each kind (a slow one is a fast
    one too). `began` is the start of the running scan, 0 between scans; `searched` of its searches are done, its
    orders are told up to the `told`-th, and `turn` counts its pages. `first` marks the very first scan.
    """

    since: Instant
    slow_since: Instant
    deep_since: Instant
    kind: Kind = Kind.DEEP
    began: Instant = 0
    searched: int = 0
    told: int = 0
    turn: int = 0
    first: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """One search: lines of a status or claims of a kind, by one of their times. `news` says that it is by a change."""

    of_claims: bool
    code: int
    condition: int
    start: Instant
    end: Instant
    news: bool

    def fields(self) -> dict[str, str]:
        """Return the form of the search; its times are cut to seconds, outwards."""
        start, end = searched(self.start), searched(self.end + SECOND_US - 1)
        if self.of_claims:
            return {
                "ClaimStat": str(self.code),
                "search_Sdate": start,
                "search_Edate": end,
                "search_condition": str(self.condition),
            }
        return {
            "ShippingStatus": str(self.code),
            "SearchStartDate": start,
            "SearchEndDate": end,
            "SearchCondition": str(self.condition),
        }

    def halves(self) -> tuple[Search, Search] | None:
        """Return the two halves of it, sharing a second; None where it is short already."""
        if self.end - self.start <= SHORTEST_US:
            return None
        middle = (self.start + self.end) // 2
        return _part(self, self.start, middle), _part(self, middle, self.end)


def resume(text: str | None, *, now: Instant, settings: Qoo10Settings, running: Instant, warm: bool) -> Cursor:
    """Return where to read next; raises `ProtocolError` for a text that is no cursor of ours.

    `running` is the start of the scan whose findings are remembered: another one begins anew. Unless a deep scan is
    remembered (`warm`), a deep one comes first.
    """
    if text is None:
        return Cursor(since=0, slow_since=0, deep_since=0, began=now, first=True)
    try:
        cursor = decode(text, Cursor)
    except ProtocolError:
        cursor = None
    if cursor is None:
        raise ProtocolError("Qoo10: the stored place in the order feed is not understood")
    if cursor.began and cursor.began == running:
        return cursor
    if cursor.first:
        return resume(None, now=now, settings=settings, running=running, warm=warm)
    kind = _kind(cursor, now=now, settings=settings, warm=warm)
    return msgspec.structs.replace(cursor, kind=kind, began=now, searched=0, told=0, turn=0)


def _kind(cursor: Cursor, *, now: Instant, settings: Qoo10Settings, warm: bool) -> Kind:
    if not warm or now - cursor.deep_since >= settings.rescan_s * SECOND_US:
        return Kind.DEEP
    return Kind.SLOW if now - cursor.slow_since >= settings.changes_s * SECOND_US else Kind.FAST


def text(cursor: Cursor) -> str:
    """Return a cursor as it is stored."""
    return msgspec.json.encode(cursor).decode()


def finished(cursor: Cursor) -> Cursor:
    """Return the cursor between this scan and the next one."""
    slow = cursor.kind is not Kind.FAST
    return Cursor(
        since=cursor.began,
        slow_since=cursor.began if slow else cursor.slow_since,
        deep_since=cursor.began if cursor.kind is Kind.DEEP else cursor.deep_since,
    )


def searches(cursor: Cursor, settings: Qoo10Settings) -> tuple[Search, ...]:
    """Return everything that a scan asks for, in order; the same for the same cursor."""
    overlap_us = round(settings.order_overlap_s * SECOND_US)
    farthest = cursor.began - settings.rescan_days * DAY_US
    made = list(_whole(farthest, cursor.began)) if cursor.kind is Kind.DEEP else []
    if not cursor.first:
        made += _fast(max(cursor.since - overlap_us, cursor.began - FARTHEST_US), cursor.began)
    if not cursor.first and cursor.kind is not Kind.FAST:
        made += _slow(max(cursor.slow_since - overlap_us, cursor.began - FARTHEST_US), cursor.began)
    return tuple(made)


def everything(*, now: Instant, settings: Qoo10Settings) -> tuple[Search, ...]:
    """Return the searches of a deep scan for lines alone, not for changes."""
    return tuple(_whole(now - settings.rescan_days * DAY_US, now))


def waiting(*, now: Instant, settings: Qoo10Settings) -> tuple[Search, ...]:
    """Return the searches for lines that are paid and not shipped."""
    start = now - settings.rescan_days * DAY_US
    return tuple(search for status in (orders.NEW, orders.CONFIRMED) for search in _lines(status, BY_ORDER, start, now))


def _fast(start: Instant, end: Instant) -> Iterator[Search]:
    yield from _lines(orders.NEW, BY_PAYMENT, start, end, news=True)
    yield from _lines(orders.CONFIRMED, BY_PAYMENT, start, end, news=True)
    yield from _lines(orders.UNPAID, BY_ORDER, start, end, news=True)
    yield from _claims(orders.CANCELLED, CLAIM_DONE, start, end, news=True)


def _slow(start: Instant, end: Instant) -> Iterator[Search]:
    yield from _lines(orders.SHIPPED, BY_SHIPMENT, start, end, news=True)
    yield from _lines(orders.DELIVERED, BY_DELIVERY, start, end, news=True)
    for kind in orders.CLAIMS:
        if kind != orders.CANCELLED:
            yield from _claims(kind, CLAIM_DONE if kind in orders.FINAL else CLAIM_ASKED, start, end, news=True)


def _whole(start: Instant, end: Instant) -> Iterator[Search]:
    for status in orders.STATUSES:
        yield from _lines(status, BY_ORDER, start, end)
    for kind in orders.CLAIMS:
        yield from _claims(kind, CLAIM_ORDERED, start, end)


def _lines(code: int, condition: int, start: Instant, end: Instant, *, news: bool = False) -> Iterator[Search]:
    whole = Search(of_claims=False, code=code, condition=condition, start=start, end=end, news=news)
    yield from _windows(whole)


def _claims(code: int, condition: int, start: Instant, end: Instant, *, news: bool = False) -> Iterator[Search]:
    whole = Search(of_claims=True, code=code, condition=condition, start=start, end=end, news=news)
    yield from _windows(whole)


def _windows(whole: Search) -> Iterator[Search]:
    start = whole.start
    while start < whole.end:
        end = min(start + WINDOW_US, whole.end)
        yield _part(whole, start, end)
        start = end


def _part(whole: Search, start: Instant, end: Instant) -> Search:
    return Search(
        of_claims=whole.of_claims, code=whole.code, condition=whole.condition, start=start, end=end, news=whole.news
    )
