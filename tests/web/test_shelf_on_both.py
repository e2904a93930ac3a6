"""The table of stock on SQLite and on PostgreSQL: the same order, the same pages, the same filters."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from syncd.store.views_shelf import Only, ShelfAsk, Sort, shelf_page, sku_count
from tests.real_servers import Missing, Postgres, postgres, skip_or_fail
from tests.web.rig import Rig, running, settings_of


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
async def shop(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rig]:
    """Give a shop with something of everything, on one or the other."""
    settings = settings_of(tmp_path, ["shop", "mall"])
    if request.param:
        url = str(request.getfixturevalue("postgres_url"))
        settings = replace(settings, daemon=replace(settings.daemon, database_url=url))
    async with running(tmp_path, settings=settings) as rig:
        await rig.know(
            "A", "B", "C", "D", "100%", "under_score", KIT={"A": 2, "B": 3}, BAD={"C": 2, "A": 1}, RAW={"D": 1}
        )
        await rig.count(A=9, B=5, C=0, **{"100%": 5, "under_score": 7})
        await rig.catalogue("shop", ("s1", "A"), ("s2", "B"), ("s3", "KIT"))
        await rig.catalogue("mall", ("m1", "A"), ("m9", "A"))
        await rig.see("shop", s1=9, s2=5)
        await rig.order("shop", "1", ("s1", "A", 1))
        await rig.order("mall", "2", ("mx", "C", 3))
        yield rig


async def codes(rig: Rig, **asked: object) -> list[str]:
    """Return the codes of all pages, two rows each; each page goes on where the one before ended."""
    found: list[str] = []
    after = ""
    while True:
        page = await rig.plant.store.read(
            lambda conn, after=after: shelf_page(conn, ShelfAsk(limit=2, after=after, **asked))  # type: ignore[arg-type]
        )
        found += [row.stock.sku for row in page.rows]
        if not page.next:
            return found
        after = page.next


async def test_pages_go_through_every_order(shop: Rig) -> None:
    """By code or by a number, upwards or downwards, each SKU comes once; one without units has no number."""
    rig = shop
    by_code = sorted(["A", "B", "C", "D", "100%", "under_score", "KIT", "BAD", "RAW"])
    assert sorted(await codes(rig)) == by_code
    assert await codes(rig, falling=True) == list(reversed(await codes(rig)))
    assert await codes(rig, sort=Sort.ON_HAND, falling=True) == ["A", "under_score", "100%", "B", "C"]
    assert await codes(rig, sort=Sort.COMMITTED, falling=True, text="a") == ["A"]
    rising = await codes(rig, sort=Sort.AVAILABLE)
    assert rising[:2] == ["C", "BAD"]
    assert rising == list(reversed(await codes(rig, sort=Sort.AVAILABLE, falling=True)))
    assert await rig.plant.store.read(sku_count) == 9


async def test_kits_are_rounded_down(shop: Rig) -> None:
    """A kit is sorted by how many can be made; one that is short counts the whole kits that are missing."""
    page = await shop.plant.store.read(lambda conn: shelf_page(conn, ShelfAsk(sort=Sort.AVAILABLE)))
    assert {row.stock.sku: row.stock.available for row in page.rows if row.stock.kit} == {"BAD": -2, "KIT": 1, "RAW": 0}
    values = [row.stock.available for row in page.rows]
    assert values == sorted(values)


FILTERS = {
    Only.SHORT: {"C", "BAD"},
    Only.OUT: {"C", "BAD"},
    Only.WORK: {"A", "KIT"},
    Only.UNCOUNTED: {"D"},
    Only.KITS: {"KIT", "BAD", "RAW"},
}


async def test_filters_choose(shop: Rig) -> None:
    """Each filter gives its SKUs, kits of counted components included."""
    assert {only: set(await codes(shop, only=only)) for only in FILTERS} == FILTERS


async def test_a_text_is_taken_as_it_is(shop: Rig) -> None:
    """Signs that mean something to the database mean nothing in a search; letters fit in either case."""
    assert await codes(shop, text="0%") == ["100%"]
    assert await codes(shop, text="r_s") == ["under_score"]
    assert await codes(shop, text="ba") == ["BAD"]
    assert await codes(shop, text="\\") == []


async def test_listings_stand_beside_their_sku(shop: Rig) -> None:
    """A row has every listing of the SKU by account, with what it shows and should show."""
    page = await shop.plant.store.read(lambda conn: shelf_page(conn, ShelfAsk(text="A", limit=1)))
    shown = next(row.shown for row in page.rows if row.stock.sku == "A")
    (one,) = shown["shop"]
    assert (one.low, one.high, one.target, one.differs) == (8, 9, 8, True)
    assert len(shown["mall"]) == 2


async def test_a_page_of_another_order_is_none(shop: Rig) -> None:
    """Where to go on is understood only in the order that it is of."""
    with pytest.raises(ValueError, match="invalid literal"):
        await shop.plant.store.read(lambda conn: shelf_page(conn, ShelfAsk(sort=Sort.HELD, after="A")))
