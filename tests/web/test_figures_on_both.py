"""Figures and lines of those who wait, on SQLite and on PostgreSQL: the same shop, the same numbers."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, insert

from syncd.core.facts import AccountFact, AccountState, PolicyFact, PolicyRow
from syncd.core.terms import SECOND_US, AccountId, Sku
from syncd.store import ledger
from syncd.store.figures import HOUR_US, Hiding, forget_hidden, hidings, keep_hidden
from syncd.store.rows_waiting import ArrivalRow, EntryRow, NeedRow
from syncd.store.statements import table
from syncd.store.views_figures import (
    DAY_US,
    DayFigures,
    Hidden,
    cancelled,
    day_figures,
    first_since,
    hidden,
    hidden_sales,
    oversold,
    sold,
    window_of,
)
from syncd.store.views_incidents import oversells
from syncd.store.views_line import BEGAN, ENDED, lines, tickets_per_day, waiters
from tests.real_servers import Missing, Postgres, postgres, skip_or_fail
from tests.web.rig import START, Rig, running, settings_of

JAPAN_US = 9 * 3_600 * SECOND_US


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    try:
        with postgres() as found:
            yield found
    except Missing as missing:
        skip_or_fail(missing)


@pytest.fixture
def postgres_url(server: Postgres) -> Iterator[str]:
    with server.database(f"syncd_{secrets.token_hex(6)}") as url:
        yield url


@pytest.fixture(params=["", pytest.param("postgres", marks=pytest.mark.real)], ids=["sqlite", "postgres"])
async def rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rig]:
    settings = settings_of(tmp_path, ["shop", "mall"])
    if request.param:
        url = str(request.getfixturevalue("postgres_url"))
        settings = replace(settings, daemon=replace(settings.daemon, database_url=url))
    async with running(tmp_path, settings=settings) as made:
        yield made


def day_of(instant: int) -> int:
    return (instant + JAPAN_US) // DAY_US


async def test_days_are_the_shops(rig: Rig) -> None:
    """Sold, cancelled and oversold units fall on the days of the shop's zone, by channel, over counted SKUs only."""
    await rig.know("A", "RAW")
    await rig.count(A=4)
    await rig.order("shop", "1", ("s1", "A", 3))
    rig.clock.instant += DAY_US
    await rig.order("mall", "2", ("m1", "A", 3), ("m2", "RAW", 9))
    await rig.order("shop", "3", ("s1", "A", 1))
    one = rig.snapshot("1", ("s1", "A", 3))
    line = replace(one.lines[0], cancelled=3)
    rig.clock.instant += DAY_US
    await rig.order("shop", "1", version=2, lines=(line,), cancelled=True)
    window = window_of(rig.clock.instant, days=3, offset_us=JAPAN_US)
    first = day_of(START)
    read = rig.plant.store.read
    assert window.first == first
    assert await read(lambda conn: sold(conn, window)) == {
        "shop": {first: 3, first + 1: 1},
        "mall": {first + 1: 12},
    }
    assert await read(lambda conn: cancelled(conn, window)) == {"shop": {first + 2: 3}}
    assert await read(lambda conn: oversold(conn, window)) == {"mall": {first + 1: 2}, "shop": {first + 1: 1}}
    today = window_of(rig.clock.instant, days=1, offset_us=JAPAN_US)
    assert await read(lambda conn: sold(conn, today)) == {}
    (incident,) = await read(lambda conn: oversells(conn, limit=9))
    assert (incident.sku, incident.over_at is None) == ("A", False)


async def test_movements_are_found_by_their_time(rig: Rig) -> None:
    """The first movement since a moment is found without an index of times."""
    assert await rig.plant.store.read(lambda conn: first_since(conn, 0)) <= 1
    await rig.know("A")
    for units in range(1, 6):
        await rig.count(A=units)
        rig.clock.instant += SECOND_US
    found = [await rig.plant.store.read(lambda c, s=s: first_since(c, START + s * SECOND_US)) for s in range(7)]
    assert [max(1, first) for first in found] == [1, 2, 3, 4, 5, 6, 6]


async def test_what_is_hidden_is_counted(rig: Rig) -> None:
    """Listings at zero and units kept back count where something is available."""
    await rig.know("A", "B")
    await rig.count(A=5, B=0)
    await rig.catalogue("shop", ("s1", "A"), ("s2", "B"))
    await rig.see("shop", s1=5, s2=0)
    await rig.tell(AccountFact(account=AccountId("shop"), state=AccountState.LIVE))
    assert await rig.plant.store.read(hidden) == {"shop": Hidden(listings=0, units=0)}
    for kept, told in ((2, Hidden(listings=0, units=2)), (9, Hidden(listings=1, units=5))):
        row = PolicyRow(sku=Sku("A"), account=None, safety_stock=kept)
        assert await rig.tell(PolicyFact(rows=(row,), forced=True)) is None
        assert await rig.plant.store.read(hidden) == {"shop": told}


async def test_what_hides_is_read_by_account(rig: Rig) -> None:
    """An account shows what its best listing shows; what is closed, unread or shows all there is hides nothing."""
    await rig.know("A", "B", kit={"A": 1})
    await rig.count(A=5, B=3)
    await rig.catalogue("shop", ("s1", "A"), ("s2", "A"), ("s3", "B"), ("k1", "kit"))
    await rig.catalogue("mall", ("m1", "A"), ("m2", "B"))
    await rig.see("shop", s1=1, s2=2, s3=3, k1=0)
    await rig.see("mall", m1=0)
    read = rig.plant.store.read
    skus = await read(lambda conn: ledger.skus_by_code(conn, ["A", "B"]))
    a, b = skus[Sku("A")].sku_id, skus[Sku("B")].sku_id
    hides = Hiding(sku_id=a, there=5, shown={AccountId("shop"): 2, AccountId("mall"): 0})
    assert await read(lambda conn: hidings(conn, after=0, upto=b)) == [hides]
    assert await read(lambda conn: hidings(conn, after=a, upto=b)) == []
    assert await read(lambda conn: hidings(conn, after=0, upto=a - 1)) == []


async def test_hidden_sales_fall_on_the_days_of_the_shop(rig: Rig) -> None:
    """Hours are summed by day and stand beside what was sold; an hour that is kept again counts once; old ones go."""
    await rig.know("A")
    await rig.count(A=4)
    await rig.order("shop", "1", ("s1", "A", 1))
    first, hour = day_of(START), START // HOUR_US * HOUR_US
    shop, mall = AccountId("shop"), AccountId("mall")

    def keep(conn: Connection) -> None:
        keep_hidden(conn, hour, {shop: 9.0})
        keep_hidden(conn, hour, {shop: 0.5, mall: 0.0})
        keep_hidden(conn, hour - HOUR_US, {shop: 0.75})
        keep_hidden(conn, hour + DAY_US, {mall: 2.0})

    await rig.plant.store.write(keep)
    window = window_of(START + DAY_US, days=3, offset_us=JAPAN_US)
    read = rig.plant.store.read
    assert await read(lambda conn: hidden_sales(conn, window)) == {"shop": {first: 1.25}, "mall": {first + 1: 2.0}}
    rows = await read(lambda conn: day_figures(conn, window))
    plain = {"cancelled": 0, "oversold": 0}
    assert rows == [
        DayFigures(day="2026-09-21", account="shop", sold=1, hidden_sales=1.25, **plain),
        DayFigures(day="2026-09-22", account="mall", sold=0, hidden_sales=2.0, **plain),
    ]
    assert await rig.plant.store.write(lambda conn: forget_hidden(conn, before=hour)) == 1
    assert await read(lambda conn: hidden_sales(conn, window)) == {"shop": {first: 0.5}, "mall": {first + 1: 2.0}}


def wait(conn: Connection, sku_id: int, *entries: dict[str, Any]) -> None:
    for number, entry in enumerate(entries, 1):
        units = entry.pop("units")
        row = {"id": number, "source": "file", "key": f"k{number}", "sku_id": sku_id, "quantity": units, **entry}
        conn.execute(insert(table(EntryRow)), [{"state": "pending", "since": START + number, **row}])
        need = {"entry_id": number, "sku_id": sku_id, "units": units, "rank": START + number}
        conn.execute(insert(table(NeedRow)), [{**need, "tier": 0 if entry.get("order_row") else 1}])


async def test_lines_tell_who_is_next(rig: Rig) -> None:
    """Orders go before others, those who wait longer before those who wait shorter, as far as the next units reach."""
    await rig.know("A")
    known = await rig.plant.store.read(lambda conn: ledger.skus_by_code(conn, ["A"]))
    sku_id = known[Sku("A")].sku_id
    arrival = {"number": "PO-1", "sku_id": sku_id, "location": "main", "quantity": 4, "expected": "2026-12-01",
               "created_at": START, "changed_at": START}  # fmt: skip
    later = {**arrival, "number": "PO-2", "expected": "2026-12-24", "promised": "2026-12-28"}

    def fill(conn: Connection) -> None:
        wait(
            conn, sku_id, {"units": 2}, {"units": 3, "order_row": 7, "order_number": "#7"}, {"units": 1, "closed_at": 1}
        )
        conn.execute(insert(table(ArrivalRow)), [{"promised": "2026-12-02", **arrival}, later])

    await rig.plant.store.write(fill)
    (line,) = await rig.plant.store.read(lambda conn: lines(conn, limit=10))
    assert (line.sku, line.entries, line.with_order, line.units) == ("A", 2, 1, 5)
    assert (line.next_arrival, line.coming) == ("2026-12-01", 8)
    assert await rig.plant.store.read(lambda conn: lines(conn, after=sku_id, limit=10)) == []
    assert await rig.plant.store.read(lambda conn: lines(conn, text="zz", limit=10)) == []
    found = await rig.plant.store.read(lambda conn: waiters(conn, sku_id))
    assert [(one.order_number, one.units, one.ahead, one.served) for one in found] == [
        ("#7", 3, 0, True),
        ("", 2, 3, False),
    ]
    window = window_of(START, days=2, offset_us=JAPAN_US)
    assert await rig.plant.store.read(lambda conn: tickets_per_day(conn, window)) == {
        BEGAN: {day_of(START): 3},
        ENDED: {},
    }
