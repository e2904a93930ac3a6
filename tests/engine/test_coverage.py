"""Whether the units of orders are there, before a day is promised to a customer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from syncd.core.facts import MoveFact, MoveRow, StockMove
from syncd.core.terms import AccountId, Location, Sku
from syncd.settings import ChannelSettings
from syncd.store.coverage import Lack, coverage
from tests.web.rig import Rig, running

SHOP = AccountId("shop")


async def lacks(rig: Rig, *numbers: str) -> dict[str, tuple[Lack | None, str]]:
    ids = [f"o-{number}" for number in numbers]
    found = await rig.plant.store.read(lambda conn: coverage(conn, SHOP, ids))
    return {order_id.removeprefix("o-"): (one.lack, one.sku) for order_id, one in found.items()}


async def test_every_lack_has_its_name(tmp_path: Path) -> None:
    """An order is covered, short of a SKU, unmapped, uncounted, over, or not known; its own units are counted."""
    async with running(tmp_path) as rig:
        await rig.know("A", "B", "C")
        await rig.catalogue("shop", ("r1", "A"), ("r2", "B"), ("r3", "C"))
        await rig.count(A=2, B=1)
        await rig.order("shop", "well", ("r1", "A", 2))
        await rig.order("shop", "short", ("r1", "A", 0), ("r2", "B", 2))
        await rig.order("shop", "unmapped", ("r9", "", 1))
        await rig.order("shop", "uncounted", ("r3", "C", 1))
        await rig.order("shop", "cancelled", ("r2", "B", 1), cancelled=True)
        assert await lacks(rig, "well", "short", "unmapped", "uncounted", "cancelled", "none") == {
            "well": (None, ""),
            "short": (Lack.SHORT, "B"),
            "unmapped": (Lack.UNMAPPED, ""),
            "uncounted": (Lack.UNCOUNTED, "C"),
            "cancelled": (Lack.OVER, ""),
            "none": (Lack.UNKNOWN, ""),
        }
        await rig.order("mall", "other", ("x", "A", 1))
        assert await lacks(rig, "well") == {"well": (Lack.SHORT, "A")}


async def test_a_kit_is_covered_by_its_components(tmp_path: Path) -> None:
    """A kit is short where one of its components is, and says which."""
    async with running(tmp_path) as rig:
        await rig.know("A", "B", KIT={"A": 1, "B": 2})
        await rig.catalogue("shop", ("k", "KIT"))
        await rig.count(A=5, B=4)
        await rig.order("shop", "1", ("k", "KIT", 2))
        assert await lacks(rig, "1") == {"1": (None, "")}
        await rig.order("shop", "2", ("k", "KIT", 1))
        assert await lacks(rig, "2") == {"2": (Lack.SHORT, "B")}


async def test_units_at_another_location_do_not_cover(tmp_path: Path) -> None:
    """An order that is promised at one location needs its units there."""

    def two_places(found: ChannelSettings) -> ChannelSettings:
        places = {"L1": "main", "L2": "west"}
        return replace(found, locations=("main", "west"), location_map=places)

    async with running(tmp_path, change=two_places) as rig:
        await rig.know("A")
        await rig.catalogue("shop", ("r1@L1", "A"), ("r1@L2", "A"))
        await rig.count(A=0)
        at, rows = rig.clock.now(), (MoveRow(sku=Sku("A"), location=Location("west"), quantity=5),)
        receive = MoveFact(source="test", reference="m1", move=StockMove.RECEIVE, at=at, rows=rows)
        assert await rig.tell(receive) is None
        for number, place in (("here", "L1"), ("there", "L2"), ("anywhere", "")):
            snapshot = rig.snapshot(number, ("r1", "A", 1))
            line = replace(snapshot.lines[0], remote_location=place)
            await rig.order("shop", number, ("r1", "A", 1), lines=(line,))
        found = await lacks(rig, "here", "there", "anywhere")
        assert found == {"here": (Lack.SHORT, "A"), "there": (None, ""), "anywhere": (None, "")}
