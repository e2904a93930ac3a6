"""The pages' copy of codes and titles: made by a page that is open, used by every search, renewed with measure."""

from __future__ import annotations

import pytest

from syncd.store import views_shelf
from syncd.web.pages import finder
from syncd.web.pages.finder import Finder
from tests.web.looking import looking
from tests.web.rig import Rig


async def test_a_copy_is_renewed_with_measure(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """An old copy stays while the last one is fresh in time, and is renewed after; one that is true is kept."""
    await rig.know("A")
    made = Finder(rig.plant)
    await made.renew()
    first = made.words
    assert first is not None
    await rig.know("B")
    await made.renew()
    assert made.words is first
    monkeypatch.setattr(finder, "REST_S", 0.0)
    monkeypatch.setattr(finder, "REST_SHARE", 0.0)
    made._next_s = 0.0
    await made.renew()
    second = made.words
    assert second is not None
    assert (len(first.ids), len(second.ids)) == (1, 2)
    await made.renew()
    assert made.words is second


async def test_a_page_that_is_open_serves_searches(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once *Stock* is open somewhere a search reads no rows; what is new since is found all the same."""
    await rig.know("TEA-1", "CUP-1")
    sought: list[str] = []
    holds = views_shelf._holds

    def noted(conn: object, column: object, text: str) -> object:
        sought.append(text)
        return holds(conn, column, text)  # type: ignore[arg-type]  # as given

    monkeypatch.setattr(views_shelf, "_holds", noted)
    async with looking(rig) as look:
        assert "TEA-1" in (await look.get("/stock?q=tea")).text
        assert sought
        async with look.session.get(look.base + "/stock", headers={"Accept": "text/event-stream"}) as answer:
            while b"event: part" not in await answer.content.readuntil(b"\n\n"):
                pass
        sought.clear()
        page = (await look.get("/stock?q=tea")).text
        assert ("TEA-1" in page, "CUP-1" in page, sought) == (True, False, [])
        await rig.know("TEA-2")
        assert "TEA-2" in (await look.get("/stock?q=tea")).text
        assert sought
