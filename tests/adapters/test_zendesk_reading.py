"""Reading Zendesk: the export and its habits, search where nobody is an admin, cursors that end."""

from __future__ import annotations

import pytest

from adapters.zendesk.simulated.access import OAuthClient
from adapters.zendesk.simulated.world import ZendeskFaults
from syncd.sdk.desk import TicketState, TicketStatus
from syncd.sdk.errors import NoTurn, ProtocolError
from syncd.testing.desk_simulators import Wish
from tests.adapters.zendesk_stage import Scene, play


def test_what_the_index_does_not_know_yet_comes_by_the_export() -> None:
    """A ticket that search does not know yet while the open ones are read is told by the export that follows."""

    async def scene(scene: Scene) -> None:
        scene.account.faults = ZendeskFaults(index_lag_s=600.0)
        new = scene.account.open_ticket(Wish())
        first = await scene.desk.changed(None)
        assert new not in {ticket.ticket_id for ticket in first.tickets}
        await scene.stage.wait(120.0)
        tickets, _ = await scene.stage.scan(first.cursor)
        assert new in {ticket.ticket_id for ticket in tickets}

    play(scene, tickets=3)


def test_the_last_minute_is_held_back_and_not_lost() -> None:
    """What the export keeps back for a minute is told by the next call from its cursor, and the cursor is kept."""

    async def scene(scene: Scene) -> None:
        await scene.stage.wait(3_600.0)
        _, cursor = await scene.stage.scan(None)
        scene.account.reply(scene.account.tickets()[0].ticket_id, "now")
        await scene.stage.wait(10.0)
        tickets, cursor = await scene.stage.scan(cursor)
        assert [ticket for ticket in tickets if ticket.ticket_id == "1"] == []
        await scene.stage.wait(60.0)
        tickets, later = await scene.stage.scan(cursor)
        assert "1" in {ticket.ticket_id for ticket in tickets}
        assert later != cursor

    play(scene, tickets=2)


def test_an_export_of_many_goes_on() -> None:
    """More changes than a page are told over pages, each ticket at its last state."""

    async def scene(scene: Scene) -> None:
        await scene.stage.wait(3_600.0)
        _, cursor = await scene.stage.scan(None)
        opened = {scene.account.open_ticket(Wish()) for _ in range(1_500)}
        await scene.stage.wait(3_600.0)
        first = await scene.desk.changed(cursor)
        assert first.more
        tickets, _ = await scene.stage.scan(first.cursor)
        assert {ticket.ticket_id for ticket in [*first.tickets, *tickets]} >= opened

    play(scene)


@pytest.mark.parametrize("tickets", [20, 250])
def test_without_an_admin_changes_are_found_by_search(tickets: int) -> None:
    """Where no client is an admin's, changes come by search, minutes late but all of them, and check says so."""

    async def scene(scene: Scene) -> None:
        await scene.stage.wait(3_600.0)
        _, cursor = await scene.stage.scan(None)
        assert cursor.startswith("search ")
        scene.account.edit(scene.account.tickets()[1].ticket_id, status=TicketStatus.SOLVED)
        await scene.stage.wait(200.0)
        tickets, cursor = await scene.stage.scan(cursor)
        assert [ticket.status for ticket in tickets if ticket.ticket_id == "2"] == [TicketStatus.SOLVED]
        advice = await scene.desk.check()
        assert any("no client of an admin" in line for line in advice)

    play(scene, tickets=tickets, admin_client_id="", admin_client_secret="")


def test_a_search_cursor_that_ended_begins_again() -> None:
    """A cursor of the search export that is older than an hour begins the scan again and loses nothing."""

    async def scene(scene: Scene) -> None:
        await scene.stage.wait(3_600.0)
        first = await scene.desk.changed(None)
        assert first.more
        await scene.stage.wait(4_000.0)
        tickets, _ = await scene.stage.scan(first.cursor)
        assert len({ticket.ticket_id for ticket in tickets}) == 150

    play(scene, tickets=150)


def test_exports_are_ten_a_minute() -> None:
    """The eleventh export within a minute is not sent: its kind of call has no turn, and others have."""

    async def scene(scene: Scene) -> None:
        await scene.stage.wait(3_600.0)
        _, cursor = await scene.stage.scan(None)
        told = [await scene.stage.attempt(scene.desk.changed(cursor)) for _ in range(11)]
        assert [isinstance(each, NoTurn) for each in told].count(True) >= 1
        assert isinstance(told[-1], NoTurn)
        assert len(await scene.desk.find([scene.account.tickets()[0].ticket_id])) == 1

    play(scene, tickets=1)


def test_a_restart_goes_on_from_the_cursor() -> None:
    """A cursor that an agent's search left is read by an admin's client too, and the other way round."""

    async def scene(scene: Scene) -> None:
        await scene.stage.wait(3_600.0)
        tickets, _ = await scene.stage.scan(f"search {scene.stage.clock.now() // 1_000_000 - 7_200} 0 ")
        assert len(tickets) == 3
        with pytest.raises(ProtocolError):
            await scene.desk.changed("nothing of ours")

    play(scene, tickets=3)


def test_a_merged_answer_keeps_order_and_state() -> None:
    """Tickets are found in the order asked, each once."""

    async def scene(scene: Scene) -> None:
        ids = await scene.stage.waiting(5, state=TicketState.PENDING)
        found = await scene.desk.find([ids[3], ids[0], ids[3]])
        assert [ticket.ticket_id for ticket in found] == [ids[3], ids[0]]

    play(scene)


def test_an_agent_client_of_an_admin_is_enough() -> None:
    """One client that an admin made does both: the export is read with it."""

    async def scene(scene: Scene) -> None:
        clients = scene.account.access._clients
        clients["syncd_run"] = OAuthClient(
            client_id="syncd_run", secret=scene.account.client_secret, user_id=1, role="admin"
        )
        await scene.stage.wait(3_600.0)
        _, cursor = await scene.stage.scan(None)
        assert cursor.startswith("export ")

    play(scene, tickets=1, admin_client_id="", admin_client_secret="")


def test_a_cursor_that_is_not_taken_begins_where_the_last_scan_ended() -> None:
    """Where Zendesk no longer takes a cursor of the export, the scan begins again before the last one ended."""

    async def scene(scene: Scene) -> None:
        await scene.stage.wait(3_600.0)
        _, cursor = await scene.stage.scan(None)
        await scene.stage.wait(7_200.0)
        _, cursor = await scene.stage.scan(cursor)
        scene.account.reply(scene.account.tickets()[0].ticket_id, "Any news?")
        await scene.stage.wait(600.0)
        phase, since, began, _ = cursor.split(" ")
        tickets, _ = await scene.stage.scan(f"{phase} {since} {began} c3BvaWxlZA==")
        assert [ticket.ticket_id for ticket in tickets] == ["1"]

    play(scene, tickets=3)
