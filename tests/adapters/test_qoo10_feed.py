"""Where a scan of Qoo10's orders stands, and what it asks for."""

from __future__ import annotations

import msgspec
import pytest

from adapters.qoo10 import feed, orders
from adapters.qoo10.feed import Cursor, Kind, Search
from adapters.qoo10.settings import Qoo10Settings
from syncd.sdk.errors import ProtocolError
from syncd.sdk.secret import Secret

US = 1_000_000
NOW = 1_790_000_000 * US
SETTINGS = Qoo10Settings(key=Secret("stub-key"), order_overlap_s=600, changes_s=300, rescan_s=3_600, rescan_days=25)


def resumed(cursor: Cursor | None, *, running: int = 0, warm: bool = True) -> Cursor:
    text = None if cursor is None else feed.text(cursor)
    return feed.resume(text, now=NOW, settings=SETTINGS, running=running, warm=warm)


def between(*, fast_s: int, slow_s: int = 0, deep_s: int = 0) -> Cursor:
    ago = [NOW - seconds * US for seconds in (fast_s, max(slow_s, fast_s), max(deep_s, fast_s))]
    return Cursor(since=ago[0], slow_since=ago[1], deep_since=ago[2])


@pytest.mark.parametrize(
    ("cursor", "warm", "kind"),
    [
        (None, True, Kind.DEEP),
        (between(fast_s=15), True, Kind.FAST),
        (between(fast_s=15, slow_s=300, deep_s=300), True, Kind.SLOW),
        (between(fast_s=15, slow_s=300, deep_s=3_600), True, Kind.DEEP),
        (between(fast_s=15), False, Kind.DEEP),
    ],
)
def test_scans_take_turns(cursor: Cursor | None, warm: bool, kind: Kind) -> None:
    """Fast scans follow each other, slow and deep ones come in their time, a deep one after a start."""
    found = resumed(cursor, warm=warm)
    assert (found.kind, found.began) == (kind, NOW)


def test_running_scan_goes_on() -> None:
    """A cursor in the middle of the scan that runs stays where it is; of another scan it begins anew."""
    inside = Cursor(since=1, slow_since=1, deep_since=1, kind=Kind.SLOW, began=NOW - US, searched=3)
    assert resumed(inside, running=NOW - US) == inside
    anew = resumed(inside, running=0, warm=False)
    assert (anew.kind, anew.began, anew.searched) == (Kind.DEEP, NOW, 0)


def test_very_first_scan_that_was_cut_off_begins_anew() -> None:
    """A first scan whose findings are lost is a first scan again."""
    inside = msgspec.structs.replace(resumed(None), searched=5)
    assert resumed(inside, running=0, warm=False) == resumed(None)


@pytest.mark.parametrize("text", ["", "{}", '{"since": "a"}', "null", "[1]"])
def test_foreign_cursor_is_not_understood(text: str) -> None:
    """A text that is no cursor of ours is a ProtocolError."""
    with pytest.raises(ProtocolError):
        feed.resume(text, now=NOW, settings=SETTINGS, running=0, warm=True)


@pytest.mark.parametrize(
    ("kind", "after"), [(Kind.FAST, (NOW, 2, 3)), (Kind.SLOW, (NOW, NOW, 3)), (Kind.DEEP, (NOW, NOW, NOW))]
)
def test_finished_scan_moves_on_what_it_read(kind: Kind, after: tuple[int, int, int]) -> None:
    """The next scan of each kind starts where the last one that read as much began."""
    end = feed.finished(Cursor(since=1, slow_since=2, deep_since=3, kind=kind, began=NOW))
    assert (end.since, end.slow_since, end.deep_since) == after
    assert end.began == 0


def codes(searches: tuple[Search, ...], *, of_claims: bool) -> list[int]:
    return sorted({search.code for search in searches if search.of_claims is of_claims})


def test_fast_scan_asks_for_what_moves_stock() -> None:
    """Each status is asked for by itself: new and confirmed ones by payment, unpaid ones by order, cancels as done."""
    searches = feed.searches(resumed(between(fast_s=15)), SETTINGS)
    assert [(one.of_claims, one.code, one.condition) for one in searches] == [
        (False, orders.NEW, feed.BY_PAYMENT),
        (False, orders.CONFIRMED, feed.BY_PAYMENT),
        (False, orders.UNPAID, feed.BY_ORDER),
        (True, orders.CANCELLED, feed.CLAIM_DONE),
    ]
    assert {(one.start, one.end) for one in searches} == {(NOW - 615 * US, NOW)}


def test_slow_scan_asks_for_the_rest() -> None:
    """A slow scan reads shipments, deliveries and every kind of claim, since the slow one before."""
    searches = feed.searches(resumed(between(fast_s=15, slow_s=900, deep_s=900)), SETTINGS)
    assert codes(searches, of_claims=False) == list(orders.STATUSES)
    assert codes(searches, of_claims=True) == sorted(orders.CLAIMS)
    assert min(one.start for one in searches) == NOW - 1_500 * US


def test_deep_scan_reads_all_days_in_pieces() -> None:
    """A deep scan asks for every status and claim of the days by their order, in pieces without gaps."""
    searches = [one for one in feed.searches(resumed(between(fast_s=15, deep_s=7_200)), SETTINGS) if not one.news]
    assert len(searches) == 3 * (len(orders.STATUSES) + len(orders.CLAIMS))
    pieces = [one for one in searches if not one.of_claims and one.code == orders.SHIPPED]
    assert pieces[0].start == NOW - 25 * feed.DAY_US
    assert [one.end for one in pieces] == [*(one.start for one in pieces[1:]), NOW]


def test_long_absence_is_cut_into_short_searches() -> None:
    """After months no search spans more than its window, and none goes back further than Qoo10 searches."""
    searches = feed.searches(resumed(between(fast_s=200 * 86_400)), SETTINGS)
    assert max(one.end - one.start for one in searches) == feed.WINDOW_US
    assert min(one.start for one in searches) == NOW - feed.FARTHEST_US


def test_first_scan_reads_no_changes() -> None:
    """The first scan reads the days, and nothing by change."""
    assert not any(one.news for one in feed.searches(resumed(None), SETTINGS))


def test_search_is_a_form_in_japan() -> None:
    """Orders and claims name their fields differently; times are cut outwards to seconds."""
    search = Search(of_claims=False, code=2, condition=2, start=NOW + 1, end=NOW + US + 1, news=True)
    assert search.fields() == {
        "ShippingStatus": "2",
        "SearchStartDate": "20260921231320",
        "SearchEndDate": "20260921231322",
        "SearchCondition": "2",
    }
    claims = Search(of_claims=True, code=3, condition=3, start=NOW, end=NOW, news=True)
    assert claims.fields() == {
        "ClaimStat": "3",
        "search_Sdate": "20260921231320",
        "search_Edate": "20260921231320",
        "search_condition": "3",
    }


def test_search_is_halved_until_it_is_short() -> None:
    """The halves of a search touch each other; a minute is not halved."""
    search = Search(of_claims=False, code=2, condition=2, start=NOW, end=NOW + 100 * US, news=True)
    halves = search.halves()
    assert halves is not None
    assert (halves[0].start, halves[0].end, halves[1].end) == (NOW, halves[1].start, NOW + 100 * US)
    assert halves[0].halves() is None
