"""Charts of the page "Figures": pictures in both themes, and the numbers beside them."""

from __future__ import annotations

import re

import pytest

from syncd.core.terms import AccountId
from syncd.store.figures import keep_hidden
from syncd.web.pages.charts import DPI, HEIGHT_IN, THEMES, WIDTH_IN, Bars, Lags, picture
from tests.web.looking import looking
from tests.web.rig import START, Rig

pytest.importorskip("matplotlib", reason="the extra `figures` is not installed")

CHARTS = {
    "nothing": Bars(labels=[], series={}, inks={}),
    "bars": Bars(labels=["1", "2"], series={"shop": [1.0, 0.0], "mall": [2.0, 3.0]}, inks={"shop": 0, "mall": 9}),
    "lags": Lags(rows={"shop feed": (0.0, 2.0, 900.0)}),
}


def size_of(png: bytes) -> tuple[int, int]:
    assert png.startswith(b"\x89PNG")
    return int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")


def test_charts_are_drawn_in_both_themes() -> None:
    """Each kind of chart has the size that the page keeps free for it, and no theme looks like the other."""
    for name, chart in CHARTS.items():
        light, dark = (picture(chart, theme) for theme in THEMES)
        assert size_of(light) == size_of(dark) == (WIDTH_IN * DPI, HEIGHT_IN * DPI), name
        assert light != dark


async def test_the_page_has_the_numbers_of_its_charts(rig: Rig) -> None:
    """Each chart stands with a table of the same numbers; a chart that there is not is told so."""
    await rig.know("A")
    await rig.count(A=2)
    await rig.order("shop", "1", ("s1", "A", 3))
    await rig.plant.store.write(lambda conn: keep_hidden(conn, START, {AccountId("shop"): 1.3}))
    async with looking(rig) as look:
        page = await look.get("/figures")
        assert page.status == 200
        tiles = re.findall(r'<h2>([^<]+)</h2><p class="figure">([^<]+)</p>', page.text)
        assert tiles[:4] == [("Sold", "3"), ("Oversold", "1"), ("Hidden sales", "1"), ("Cancelled", "0")]
        assert re.search(r'<th scope="row">09-21</th><td class="num">1.3</td>', page.text)
        assert re.search(r'<th scope="row">09-21</th><td class="num">3</td>', page.text)
        async with look.session.get(f"{look.base}/figures/sold.dark.png") as answer:
            assert (answer.status, answer.content_type) == (200, "image/png")
            assert size_of(await answer.read()) == (1280, 540)
        assert (await look.get("/figures/none.dark.png")).status == 404
        assert (await look.get("/figures/sold.green.png")).status == 404
