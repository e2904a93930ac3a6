"""Which searches a scan makes, and how it goes through them."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.rakuten import feed, wire
from adapters.rakuten.feed import Cursor, Job, Plan, Sweep
from syncd.sdk.errors import ProtocolError

MINUTE = 60 * feed.SECOND_US
NOW = wire.instant("2026-11-22T12:00:00+0900")
PLAN = Plan(window_us=120 * MINUTE, rescan_us=3 * feed.DAY_US)


def sweeps(cursor: Cursor) -> list[Sweep]:
    return [job.sweep for job in cursor.jobs]


def through(cursor: Cursor) -> Cursor:
    """Return where the next scan begins, after one that found nothing."""
    while cursor.jobs:
        cursor = feed.onward(cursor, count=0, total=None, last=None, missing=False)
    return feed.finished(cursor)


def test_the_first_scan_reads_what_is_open() -> None:
    """Without a cursor the open orders of 62 days are read, then the newest ones in any state."""
    first = feed.resume(None, now=NOW, plan=PLAN)
    assert sweeps(first) == [Sweep.OPEN, Sweep.RECENT]
    assert feed.search(first.jobs[0])["orderProgressList"] == [100, 200, 300, 400, 800]
    assert feed.complete_until(first) == NOW - feed.LATENESS_US


def test_the_plan_of_a_day() -> None:
    """Every scan reads recent orders; other searches come at their own pace."""
    cursor = through(feed.resume(None, now=NOW, plan=PLAN))
    counts: dict[Sweep, int] = {}
    for minute in range(1, 1441):
        scan = feed.resume(feed.text(cursor), now=NOW + minute * MINUTE, plan=PLAN)
        for sweep in sweeps(scan):
            counts[sweep] = counts.get(sweep, 0) + 1
        cursor = through(scan)
    assert counts == {
        Sweep.WIDE: 288,
        Sweep.RECENT: 1440 - 288,
        Sweep.CHANGED: 96,
        Sweep.SHIPPED: 24,
        Sweep.OPEN: 1,
        Sweep.CANCELLED: 1,
    }


@given(st.lists(st.integers(min_value=1, max_value=70 * 1440), max_size=20))
def test_no_order_falls_between_two_scans(pauses: list[int]) -> None:
    """Whatever the pauses, the search by order time begins before the last scan, and no search is too long."""
    now = NOW
    cursor = through(feed.resume(None, now=now, plan=PLAN))
    for pause in pauses:
        now += pause * MINUTE
        scan = feed.resume(feed.text(cursor), now=now, plan=PLAN)
        recent = scan.jobs[0]
        assert recent.sweep in (Sweep.RECENT, Sweep.WIDE)
        assert recent.since <= max(cursor.scanned - feed.LATENESS_US, now - 62 * feed.DAY_US)
        assert all(job.until == now and 0 < job.until - job.since <= 63 * feed.DAY_US for job in scan.jobs)
        cursor = through(scan)


def test_a_search_is_written_as_rakuten_reads_it() -> None:
    """Times have no colon in their zone, the type is never zero, the oldest order comes first."""
    job = Job(sweep=Sweep.CHANGED, since=NOW - MINUTE, until=NOW, page=3)
    assert feed.search(job) == {
        "dateType": 1,
        "startDatetime": "2026-11-22T11:59:00+0900",
        "endDatetime": "2026-11-22T12:00:00+0900",
        "orderProgressList": [400, 800, 900],
        "PaginationRequestModel": {
            "requestRecordsAmount": 100,
            "requestPage": 3,
            "SortModelList": [{"sortColumn": 1, "sortDirection": 1}],
        },
    }
    shipped = feed.search(msgspec.structs.replace(job, sweep=Sweep.SHIPPED))
    assert shipped["dateType"] == 5
    assert "orderProgressList" not in shipped


JOB = Job(sweep=Sweep.RECENT, since=NOW, until=NOW + 60 * MINUTE)


@pytest.mark.parametrize(
    ("job", "count", "total", "last", "following"),
    [
        (JOB, 0, None, None, None),
        (JOB, 40, 40, NOW + MINUTE, None),
        (JOB, 100, 100, NOW + MINUTE, None),
        # More than a page: on from the last order's time.
        (JOB, 100, 300, NOW + MINUTE, (NOW + MINUTE, 1)),
        (JOB, 100, None, NOW + MINUTE, (NOW + MINUTE, 1)),
        # More than a page in one second: the next page.
        (JOB, 100, 300, NOW, (NOW, 2)),
        (JOB, 100, 300, None, (NOW, 2)),
        (msgspec.structs.replace(JOB, page=2), 100, 300, NOW + MINUTE, (NOW + MINUTE, 1)),
        (msgspec.structs.replace(JOB, page=3), 100, 300, NOW, None),
        # By the time of shipment the order's time says nothing.
        (msgspec.structs.replace(JOB, sweep=Sweep.SHIPPED), 100, 300, NOW + MINUTE, (NOW, 2)),
    ],
)
def test_going_on(job: Job, count: int, total: int | None, last: int | None, following: tuple[int, int] | None) -> None:
    """A search goes on from its last order until it is at its end."""
    cursor = Cursor(began=NOW, jobs=(job,))
    after = feed.onward(cursor, count=count, total=total, last=last, missing=False)
    assert [(left.since, left.page) for left in after.jobs] == ([] if following is None else [following])
    assert (job.sweep.value in after.swept) == (following is None)


def test_an_order_that_cannot_be_read_is_not_hidden() -> None:
    """A scan in which an order could not be read does not say that it is complete, the next one may."""
    cursor = feed.onward(Cursor(began=NOW, jobs=(JOB, JOB)), count=1, total=1, last=None, missing=True)
    cursor = feed.onward(cursor, count=1, total=1, last=NOW, missing=False)
    assert feed.complete_until(cursor) is None
    assert not feed.finished(cursor).short


@pytest.mark.parametrize("text", ["", "{", "null", '{"scanned":"x"}', '{"other":1}', '{"began":5}'])
def test_a_strange_cursor_is_not_understood(text: str) -> None:
    """A cursor that is none of ours is a protocol error."""
    with pytest.raises(ProtocolError):
        feed.resume(text, now=NOW, plan=PLAN)


def test_a_running_scan_goes_on_as_it_began() -> None:
    """A scan that was interrupted goes on with the searches that it had left."""
    scan = feed.resume(None, now=NOW, plan=PLAN)
    half = feed.onward(scan, count=0, total=0, last=None, missing=False)
    again = feed.resume(feed.text(half), now=NOW + MINUTE, plan=PLAN)
    assert again == half
    assert again.began == NOW
