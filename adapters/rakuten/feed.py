"""What is read of the orders when, and where a scan stands: pure.

Rakuten's order search has no "modified since" (RMS WEB SERVICE, searchOrder, 2026). So one scan is several searches:

    recent      every scan        all orders placed since the scan before, with an overlap; now and then a wide window
    changed     every 15 minutes  orders of the last days that are being changed or cancelled
    shipped     every hour        orders whose shipment was reported since yesterday
    open        every day         all open orders of 62 days
    cancelled   every day         all cancelled orders of 62 days

The first scan reads what is open. A search by order time goes on from the time of the last order that it brought, not
by page numbers: orders that leave the search meanwhile cannot shift others out of sight, and no search becomes too deep
(15,000 rows). Only where more orders than a page were placed in one second pages are turned.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final

import msgspec

from adapters.rakuten import orders, wire
from syncd.sdk.channel import Instant
from syncd.sdk.errors import ProtocolError
from syncd.sdk.strict import decode

PAGE = 100
"""Orders of one page: getOrderItem takes no more."""
SECOND_US = wire.SECOND_US
DAY_US = 86_400 * SECOND_US
LATENESS_US = 600 * SECOND_US
"""How late an order may be found at most; Rakuten states nothing."""
OVERLAP_US = LATENESS_US + 300 * SECOND_US
MOST_BACK_US = 62 * DAY_US
"""A search spans at most 63 days."""
WIDE_EVERY_US = 300 * SECOND_US
CHANGED_EVERY_US = 900 * SECOND_US
SHIPPED_EVERY_US = 3_600 * SECOND_US
SHIPPED_BACK_US = 26 * 3_600 * SECOND_US

BY_ORDER: Final = 1
BY_SHIPMENT: Final = 5
"""dateType: 注文日, 発送完了報告日. Zero would find nothing, and say so to nobody."""


class Sweep(StrEnum):
    """A search of the plan."""

    RECENT = "recent"
    WIDE = "wide"
    CHANGED = "changed"
    SHIPPED = "shipped"
    OPEN = "open"
    CANCELLED = "cancelled"


_STATES: Final[dict[Sweep, tuple[int, ...]]] = {
    Sweep.CHANGED: (400, 800, 900),
    Sweep.OPEN: orders.OPEN,
    Sweep.CANCELLED: (800, 900),
}


class Job(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A search that is to be made: times are inclusive, `page` counts from 1."""

    sweep: Sweep
    since: Instant
    until: Instant
    page: int = 1


class Cursor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A place in the feed.

    `scanned` is the start of the last finished scan, 0 before the first. `swept` says when each sweep was last made.
    `began` is the start of the running scan, 0 between scans; `jobs` is what it has still to do. `short` says that
    orders were found in it that could not be read.
    """

    scanned: Instant = 0
    swept: dict[str, Instant] = {}
    began: Instant = 0
    jobs: tuple[Job, ...] = ()
    short: bool = False


class Plan(msgspec.Struct, frozen=True):
    """What the settings say: how far back the wide window and the search for changes look."""

    window_us: int
    rescan_us: int


def resume(text: str | None, *, now: Instant, plan: Plan) -> Cursor:
    """Return where to read next; raises `ProtocolError` for a text that is no cursor of ours."""
    if text is None:
        return Cursor(began=now, jobs=_first(now))
    try:
        cursor = decode(text, Cursor)
    except ProtocolError:
        cursor = None
    if cursor is None or (cursor.began and not cursor.jobs):
        raise ProtocolError("Rakuten: the stored place in the order feed is not understood")
    if cursor.began:
        return cursor
    return msgspec.structs.replace(cursor, began=now, jobs=_jobs(cursor, now=now, plan=plan), short=False)


def text(cursor: Cursor) -> str:
    """Return a cursor as it is stored."""
    return msgspec.json.encode(cursor).decode()


def _first(now: Instant) -> tuple[Job, ...]:
    return (
        Job(sweep=Sweep.OPEN, since=now - MOST_BACK_US, until=now),
        Job(sweep=Sweep.RECENT, since=now - OVERLAP_US, until=now),
    )


def _jobs(cursor: Cursor, *, now: Instant, plan: Plan) -> tuple[Job, ...]:
    """Return the searches of a scan that starts now."""

    def due(sweep: Sweep, every_us: int) -> bool:
        return now - cursor.swept.get(sweep, 0) >= every_us

    recent = cursor.scanned - OVERLAP_US
    wide = due(Sweep.WIDE, WIDE_EVERY_US)
    since = {Sweep.WIDE if wide else Sweep.RECENT: min(recent, now - plan.window_us) if wide else recent}
    if due(Sweep.CHANGED, CHANGED_EVERY_US):
        since[Sweep.CHANGED] = now - plan.rescan_us
    if due(Sweep.SHIPPED, SHIPPED_EVERY_US):
        since[Sweep.SHIPPED] = min(now - SHIPPED_BACK_US, cursor.swept.get(Sweep.SHIPPED, now) - SHIPPED_EVERY_US)
    if due(Sweep.OPEN, DAY_US):
        since[Sweep.OPEN] = now - MOST_BACK_US
        since[Sweep.CANCELLED] = now - MOST_BACK_US
    return tuple(Job(sweep=sweep, since=max(at, now - MOST_BACK_US), until=now) for sweep, at in since.items())


def search(job: Job) -> dict[str, Any]:
    """Return the body of the search of a job, oldest orders first."""
    states = _STATES.get(job.sweep)
    return {
        "dateType": BY_SHIPMENT if job.sweep is Sweep.SHIPPED else BY_ORDER,
        "startDatetime": wire.order_time(job.since),
        "endDatetime": wire.order_time(job.until),
        **({"orderProgressList": list(states)} if states else {}),
        "PaginationRequestModel": {
            "requestRecordsAmount": PAGE,
            "requestPage": job.page,
            "SortModelList": [{"sortColumn": 1, "sortDirection": 1}],
        },
    }


def repeats(job: Job) -> bool:
    """Tell whether a search finds again and again what has not changed: what was told of it already need not be."""
    return job.sweep not in (Sweep.RECENT, Sweep.WIDE)


def onward(cursor: Cursor, *, count: int, total: int | None, last: Instant | None, missing: bool) -> Cursor:
    """Return where a scan goes on after a page of its first job.

    `count` orders were found of `total` (None: not said), the last of them placed at `last`; `missing` says that one of
    them could not be read. Without jobs left the scan is at its end.
    """
    job, rest = cursor.jobs[0], cursor.jobs[1:]
    more = count > 0 and (job.page * PAGE < total if total is not None else count >= PAGE)
    if more and job.sweep is not Sweep.SHIPPED and last is not None and last // SECOND_US > job.since // SECOND_US:
        rest = (msgspec.structs.replace(job, since=last, page=1), *rest)
    elif more:
        rest = (msgspec.structs.replace(job, page=job.page + 1), *rest)
    swept = cursor.swept if more else {**cursor.swept, job.sweep.value: cursor.began}
    return msgspec.structs.replace(cursor, jobs=rest, swept=swept, short=cursor.short or missing)


def finished(cursor: Cursor) -> Cursor:
    """Return where the next scan begins."""
    return Cursor(scanned=cursor.began, swept=cursor.swept)


def complete_until(cursor: Cursor) -> Instant | None:
    """Return up to when every order is in the scan that is at its end; None where one could not be read."""
    return None if cursor.short else cursor.began - LATENESS_US
