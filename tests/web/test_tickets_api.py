"""Tickets that are for a person, and figures of tickets: on SQLite and PostgreSQL, by the API and on the pages."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Connection, update

from syncd.core.escalation import Reason
from syncd.core.terms import AccountId, Sku
from syncd.core.ticketfigures import SPAN, By
from syncd.core.tickets import Priority, Sign
from syncd.core.waitlist import WaitFact, WaitRow
from syncd.letters import load_lexicon
from syncd.store import escalations, tickets, waiting
from syncd.store.rows_waiting import EntryRow
from syncd.store.statements import table
from syncd.store.views_figures import window_of
from syncd.store.views_tickets import ticket_figures
from syncd.store.waiting import Entry
from syncd.web.api_tickets import FigureRow, csv_of
from tests.real_servers import Missing, Postgres, postgres, skip_or_fail
from tests.web.conftest import Api
from tests.web.looking import looking
from tests.web.rig import Rig, running, settings_of

HOUR = 3_600 * 1_000_000


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    try:
        with postgres() as found:
            yield found
    except Missing as missing:
        skip_or_fail(missing)


@pytest.fixture(params=["", pytest.param("postgres", marks=pytest.mark.real)], ids=["sqlite", "postgres"])
async def either(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rig]:
    """Give a shop whose store is one or the other."""
    settings = settings_of(tmp_path, ["shop", "mall"])
    if not request.param:
        async with running(tmp_path, settings=settings) as rig:
            yield rig
        return
    with request.getfixturevalue("server").database(f"syncd_{secrets.token_hex(6)}") as url:
        settings = replace(settings, daemon=replace(settings.daemon, database_url=url))
        async with running(tmp_path, settings=settings) as rig:
            yield rig


async def waits(rig: Rig, *keys: str, signs: frozenset[Sign] = frozenset()) -> None:
    rows = tuple(WaitRow(key=key, sku=Sku("A"), account=AccountId("shop"), signs=signs) for key in keys)
    assert await rig.tell(WaitFact(source="page", rows=rows)) is None


async def test_who_needs_a_person_is_listed_and_released(either: Rig) -> None:
    """By the API and on the page *Waiting*: reasons and priority, then a release, once."""
    rig = either
    await rig.know("A", "B")
    await rig.catalogue("shop", ("s1", "A"))
    await waits(rig, "a", signs=frozenset(Sign))
    await waits(rig, "b")
    async with looking(rig) as look:
        page = (await look.get("/waiting")).text
        assert "words of the law · anger" in page.replace("anger · words of the law", "words of the law · anger")
        assert "urgent" in page
        asked = await look.get("/do/ticket-release?id=1")
        assert "Release page 1?" in asked.text or "Release 1?" in asked.text
        assert (await look.get("/do/ticket-release?id=7")).status == 404
    found = await rig.plant.store.read(lambda conn: escalations.by_ids(conn, [1]))
    assert [(one.reasons, one.priority) for one in found] == [({Reason.LEGAL, Reason.ANGER}, Priority.URGENT)]


async def test_the_api_lists_and_releases(api: Api, rig: Rig) -> None:
    """Pages by reason; a release names numbers; what is released is gone from the list, and told where asked for."""
    await rig.know("A")
    await rig.catalogue("shop", ("s1", "A"))
    rig.plant.lexicon = load_lexicon(None)
    body = {"rows": [{"key": "a", "sku": "A", "account": "shop", "note": "I will call my lawyer, Mr Kumagoro"}]}
    assert (await api.post("/waitlist", body))[0] == 200
    status, told = await api.get("/escalations")
    assert (status, told["next"]) == (200, None)
    (row,) = told["rows"]
    assert (row["reasons"], row["priority"], row["sku"], row["entry_id"]) == (["legal"], "urgent", "A", 1)
    assert (await api.get("/escalations", reason="anger"))[1]["rows"] == []
    assert len((await api.get("/escalations", reason="legal"))[1]["rows"]) == 1
    assert (await api.post("/escalations/release", {"ids": [row["id"]], "reason": "called"}))[0] == 200
    assert (await api.post("/escalations/release", {"ids": [row["id"]]}))[0] == 409
    assert (await api.get("/escalations"))[1]["rows"] == []
    (row,) = (await api.get("/escalations", released="true"))[1]["rows"]
    assert row["note"] == "called"


async def test_figures_are_the_same_on_both(either: Rig) -> None:
    """Opened, moved, left, solving and ratings, by day and week, as JSON, as CSV, and as a chart."""
    rig = either
    await rig.know("A")
    await rig.catalogue("shop", ("s1", "A"))
    await waits(rig, "a", "b", "=c")
    now = rig.plant.clock.now()
    await rig.plant.store.write(lambda conn: _happened(conn, now))
    async with looking(rig) as look:
        page = (await look.get("/figures")).text
        assert "Tickets served and solved" in page
        assert "cancelled within 48 h" in page
    for by in By:
        window = window_of(now, days=7, offset_us=9 * HOUR)
        rows = await rig.plant.store.read(lambda conn, w=window, b=by: ticket_figures(conn, w, by=b, sku="A"))
        (row,) = [one for one in rows if (one.since, one.sku) == (SPAN, "A")]
        assert (row.opened, row.moved, row.cancelled, row.waiting) == (3, 1, 1, 2)
        assert (row.solved, row.solve_median_h, row.bad, row.unrated, row.cancelled_after_solving) == (1, 5.0, 1, 0, 1)


def _happened(conn: Connection, now: int) -> None:
    """Let goods have come for one, and another have cancelled after its ticket was solved."""
    entry = table(EntryRow)
    conn.execute(update(entry).where(entry.c.key == "a").values(state="restocked", restocked_at=now - HOUR))
    conn.execute(update(entry).where(entry.c.key == "b").values(state="cancelled", closed_at=now - HOUR, reason="x"))
    number = next(one.id for one in _entries(conn) if one.key == "b")
    row = {"desk": "d", "ticket_id": "1", "entry_id": number, "status": "solved", "state": "", "sku": "A"}
    row |= {"quantity": 1, "order_number": "", "language": "", "reachable": True, "agent": "", "version": now}
    row |= {"read_at": now, "asked_at": None, "replied_at": None, "created_at": now - 7 * HOUR, "follow_up_of": ""}
    row |= {"escalated": False, "solved_at": now - 2 * HOUR, "rating": "bad", "rated_at": now}
    tickets.save(conn, [row])


def _entries(conn: Connection) -> list[Entry]:
    return list(waiting.entries(conn, range(1, 10)).values())


async def test_figures_by_the_api(api: Api, rig: Rig) -> None:
    """JSON names its days and zone; CSV has the same rows, and no text of it is a formula."""
    await rig.know("=A")
    await rig.catalogue("shop", ("s1", "=A"))
    row = WaitRow(key="a", sku=Sku("=A"), account=AccountId("shop"))
    assert await rig.tell(WaitFact(source="page", rows=(row,))) is None
    status, told = await api.get("/tickets/figures", days="2", by="week")
    assert (status, told["zone"], told["by"]) == (200, "Asia/Tokyo", "week")
    whole = [row for row in told["rows"] if row["since"] == "" and row["sku"] == "=A"]
    assert [(row["opened"], row["waiting"], row["solve_median_h"]) for row in whole] == [(1, 1, None)]
    assert (await api.get("/tickets/figures", days="0"))[0] == 400
    lines = csv_of([FigureRow(**one) for one in told["rows"]]).decode("utf-8-sig").splitlines()
    assert lines[0].startswith("since,sku,opened,moved,")
    assert any(line.startswith(",'=A,1,0,") for line in lines)
    assert len(lines) == len(told["rows"]) + 1
