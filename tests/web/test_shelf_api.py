"""What the pages list, by the API: stock beside what channels show, oversells, and lines of those who wait."""

from __future__ import annotations

from tests.web.conftest import Api
from tests.web.rig import Rig


async def test_stock_is_listed_beside_what_channels_show(rig: Rig, api: Api) -> None:
    """Pages go on, in the order and with the filter that is asked for; a cursor of another order is refused."""
    await rig.know("A", "B", "C")
    await rig.catalogue("shop", ("a1", "A"))
    await rig.see("shop", a1=4)
    await rig.count(A=5, B=1, C=3)
    status, page = await api.get("/shelf", sort="available", limit="2")
    assert (status, [row["stock"]["sku"] for row in page["rows"]]) == (200, ["B", "C"])
    _, page = await api.get("/shelf", sort="available", limit="2", cursor=page["next"])
    assert ([row["stock"]["sku"] for row in page["rows"]], page["next"]) == (["A"], None)
    assert page["rows"][0]["shown"]["shop"][0]["high"] == 4
    await rig.order("shop", "1", ("b1", "B", 3))
    assert [row["stock"]["sku"] for row in (await api.get("/shelf", only="short"))[1]["rows"]] == ["B"]
    assert (await api.get("/shelf", sort="available", after="A"))[0] == 400
    assert (await api.get("/shelf", only="some"))[0] == 400


async def test_oversells_and_lines_are_listed(rig: Rig, api: Api) -> None:
    """An oversold SKU is told with its missing units, and whoever waits for it in the order of serving."""
    await rig.know("A")
    await rig.count(A=1)
    await rig.order("shop", "1", ("a1", "A", 3))
    (row,) = (await api.get("/oversells"))[1]["rows"]
    assert (row["sku"], row["short"], row["over_at"]) == ("A", 2, None)
    status, lines = await api.get("/lines")
    assert (status, [(line["sku"], line["units"]) for line in lines["rows"]]) == (200, [("A", 2)])
    status, line = await api.get("/lines/A")
    assert (status, [one["units"] for one in line["waiters"]], line["arrivals"]) == (200, [2], [])
    assert (await api.get("/lines/none"))[0] == 404
