"""Changing tickets at Zendesk: jobs, clashes, limits, lost data, and the second that a guard cannot see."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.zendesk.simulated.world import Problem, ZendeskFaults
from syncd.sdk.channel import OutcomeKind
from syncd.sdk.desk import TicketChange, TicketId, TicketState
from syncd.sdk.errors import NoTurn, RejectedError, TransientError
from syncd.testing.desk_simulators import Wish
from syncd.testing.desk_stage import letter
from tests.adapters.zendesk_stage import Scene, play

APPLIED, ACCEPTED, UNSENT = OutcomeKind.APPLIED, OutcomeKind.ACCEPTED, OutcomeKind.UNSENT


def restock(scene: Scene, ticket_id: TicketId, **values: Any) -> TicketChange:
    return TicketChange(
        ticket_id=ticket_id, event=scene.stage.event(), state=TicketState.RESTOCKED, letter=letter(), **values
    )  # fmt: skip


async def waiting(scene: Scene, number: int = 1) -> list[TicketId]:
    return await scene.stage.waiting(number, state=TicketState.PENDING)


async def ends(scene: Scene, most: int = 30) -> list[Any]:
    """Ask for late ends until no job runs."""
    told: list[Any] = []
    for _ in range(most):
        due_s = scene.desk.late_due_s()
        if due_s is None:
            return told
        await scene.stage.wait(due_s + 0.1)
        told += await scene.desk.late_outcomes()
    raise AssertionError("a job is never over")


def test_a_job_is_asked_for_ever_later() -> None:
    """A job is asked for after 1, 2, 4 ... 30 seconds, not before, and its ends are told once."""

    async def scene(scene: Scene) -> None:
        ids = await waiting(scene, 2)
        scene.account.faults = ZendeskFaults(queue_s=100.0)
        sent = await scene.desk.update([restock(scene, ticket_id) for ticket_id in ids])
        assert [end.kind for end in sent] == [ACCEPTED] * 2
        waits = []
        told: list[Any] = []
        while (due_s := scene.desk.late_due_s()) is not None:
            assert await scene.desk.late_outcomes() == []
            waits.append(round(due_s))
            await scene.stage.wait(due_s)
            told += await scene.desk.late_outcomes()
        assert waits == [1, 2, 4, 8, 16, 30, 30, 30]
        assert [end.kind for end in told] == [APPLIED] * 2
        assert await scene.desk.late_outcomes() == []

    play(scene)


def test_three_jobs_at_a_time() -> None:
    """A fourth job is not sent while three of ours run: the call says when to come again, and nothing was done."""

    async def scene(scene: Scene) -> None:
        ids = await waiting(scene, 4)
        scene.account.faults = ZendeskFaults(queue_s=5.0)
        for ticket_id in ids[:3]:
            await scene.desk.update([restock(scene, ticket_id)])
        with pytest.raises(NoTurn) as busy:
            await scene.desk.update([restock(scene, ids[3])])
        assert (busy.value.retry_after_s or 0) <= 1.0
        assert len(scene.account.bulk.running) == 3
        assert {end.kind for end in await ends(scene)} == {APPLIED}
        assert [end.kind for end in await scene.desk.update([restock(scene, ids[3])])] == [ACCEPTED]

    play(scene)


def test_too_many_jobs_of_others() -> None:
    """Where the account's thirty jobs are taken the call comes again later, and other calls are not slowed."""

    async def scene(scene: Scene) -> None:
        (ticket_id,) = await waiting(scene)
        scene.account.faults = ZendeskFaults(too_many_jobs=1.0)
        with pytest.raises(NoTurn, match="too many jobs"):
            await scene.desk.update([restock(scene, ticket_id)])
        assert len(await scene.desk.find([ticket_id])) == 1
        assert not scene.stage.held(ticket_id).letters

    play(scene)


@pytest.mark.parametrize(("rate", "kinds"), [("lost_jobs", {APPLIED}), ("killed_jobs", {APPLIED, UNSENT})])
def test_a_job_without_data_is_decided_by_its_tickets(rate: str, kinds: set[OutcomeKind]) -> None:
    """Rows of a job whose data are gone, or that was killed in the middle, end as their tickets stand."""

    async def scene(scene: Scene) -> None:
        ids = await waiting(scene, 6)
        scene.account.faults = ZendeskFaults(**{rate: 1.0})
        await scene.desk.update([restock(scene, ticket_id) for ticket_id in ids])
        told = await ends(scene)
        assert {end.kind for end in told} == kinds
        for end in told:
            assert bool(scene.stage.held(end.ticket_id).letters) is (end.kind is APPLIED)

    play(scene)


def test_a_lost_job_that_did_nothing_yet_is_not_guessed() -> None:
    """Where the job's data are gone and a ticket bears no marker the end is not known."""

    async def scene(scene: Scene) -> None:
        (ticket_id,) = await waiting(scene)
        scene.account.faults = ZendeskFaults(queue_s=50.0)
        await scene.desk.update([restock(scene, ticket_id)])
        scene.account.bulk._jobs.clear()
        assert [end.kind for end in await ends(scene)] == [OutcomeKind.INDETERMINATE]

    play(scene)


def test_a_clash_is_told_in_its_row() -> None:
    """A ticket that somebody changes while the job waits is STALE, and its neighbours are made."""

    async def scene(scene: Scene) -> None:
        ids = await waiting(scene, 3)
        scene.account.faults = ZendeskFaults(queue_s=5.0)
        await scene.desk.update([restock(scene, ticket_id) for ticket_id in ids])
        await scene.stage.wait(2.0)
        scene.account.edit(ids[1], state=TicketState.CANCELLED)
        told = {end.ticket_id: end.kind for end in await ends(scene)}
        assert told == {ids[0]: APPLIED, ids[1]: OutcomeKind.STALE, ids[2]: APPLIED}
        assert scene.stage.held(ids[1]).letters == ()

    play(scene)


def test_of_two_from_one_look_one_works() -> None:
    """A change that a desk before a restart sent too, while Zendesk worked on neither, has one effect; one clashes."""

    async def scene(scene: Scene) -> None:
        (ticket_id,) = await waiting(scene)
        change = restock(scene, ticket_id)
        scene.account.faults = ZendeskFaults(queue_s=20.0)
        async with scene.stage.kit.adapter.open(scene.desk._settings, scene.stage.context) as before:
            await before.update([change])
        await scene.stage.wait(5.0)
        await scene.desk.update([change])
        assert [end.kind for end in await ends(scene)] == [OutcomeKind.STALE]
        assert len(scene.stage.held(ticket_id).letters) == 1
        assert [end.kind for end in await scene.stage.make(change)] == [APPLIED]

    play(scene)


def test_a_letter_waits_for_the_second_to_end() -> None:
    """A ticket that changed in the running second gets no comment yet, for the guard could not tell; fields it gets."""

    async def scene(scene: Scene) -> None:
        (ticket_id,) = await waiting(scene)
        scene.account.reply(ticket_id, "Any news?")
        quiet = TicketChange(ticket_id=ticket_id, event=scene.stage.event(), state=TicketState.RESTOCKED)
        assert [end.kind for end in await scene.desk.update([restock(scene, ticket_id)])] == [UNSENT]
        assert [end.kind for end in await scene.desk.update([quiet])] == [ACCEPTED]

    play(scene)


@pytest.mark.parametrize(("rate", "kind"), [("database_conflicts", UNSENT), ("failed_rows", UNSENT)])
def test_a_conflict_of_the_database_passes(rate: str, kind: OutcomeKind) -> None:
    """DatabaseConflict, of a whole call or of a row, is no fault of the change: it is sent again."""

    async def scene(scene: Scene) -> None:
        (ticket_id,) = await waiting(scene)
        change = restock(scene, ticket_id)
        scene.account.faults = ZendeskFaults(**{rate: 1.0})
        sent = await scene.desk.update([change])
        told = await ends(scene) if sent[0].kind is ACCEPTED else sent
        assert [end.kind for end in told] == [kind]
        scene.account.faults = ZendeskFaults()
        await scene.stage.settled()
        assert [end.kind for end in await scene.stage.make(change)] == [APPLIED]

    play(scene)


def test_thirty_changes_of_a_ticket() -> None:
    """The thirty-first change of a ticket within ten minutes is not sent; afterwards it is."""

    async def scene(scene: Scene) -> None:
        (ticket_id,) = await waiting(scene)
        for _ in range(30):
            await scene.desk.update([TicketChange(ticket_id=ticket_id, event=scene.stage.event())])
            await ends(scene)
        last = TicketChange(ticket_id=ticket_id, event=scene.stage.event())
        (end,) = await scene.desk.update([last])
        assert (end.kind, "30 changes" in end.reason) == (UNSENT, True)
        await scene.stage.wait(700.0)
        assert [end.kind for end in await scene.stage.make(last)] == [APPLIED]

    play(scene)


def test_a_batch_that_is_refused_is_sent_one_by_one() -> None:
    """Where Zendesk refuses a batch as a whole its rows go alone, and only the wrong one is refused for good."""

    async def scene(scene: Scene) -> None:
        ids = await waiting(scene, 3)
        submit = scene.account.bulk.submit

        def strict(rows: Any) -> Any:
            if any(row["id"] == int(ids[1]) for row in rows):
                raise Problem(422, "RecordInvalid", "Subject: too long")
            return submit(rows)

        scene.account.bulk.submit = strict  # type: ignore[method-assign]  # one account of many
        told = await scene.stage.make(*(restock(scene, ticket_id) for ticket_id in ids))
        assert [end.kind for end in told] == [APPLIED, OutcomeKind.REJECTED, APPLIED]
        assert "RecordInvalid" in told[1].reason

    play(scene)


def test_without_fields_nothing_is_sent() -> None:
    """On an account that is not set up a change is refused with what to do."""

    async def scene(scene: Scene) -> None:
        ticket_id = scene.account.open_ticket(Wish())
        await scene.stage.settled()
        with pytest.raises(RejectedError, match="syncd desk provision"):
            await scene.desk.update([restock(scene, ticket_id)])

    play(scene, bare=True)


def test_an_end_is_asked_again_after_an_error() -> None:
    """An error while asking for a job leaves it awaited, and the next answer tells its ends."""

    async def scene(scene: Scene) -> None:
        (ticket_id,) = await waiting(scene)
        await scene.desk.update([restock(scene, ticket_id)])
        await scene.stage.wait(2.0)
        scene.account.faults = ZendeskFaults(error_5xx=1.0)
        with pytest.raises(TransientError):
            await scene.desk.late_outcomes()
        scene.account.faults = ZendeskFaults()
        assert [end.kind for end in await ends(scene)] == [APPLIED]

    play(scene)


def test_many_tickets_take_as_long_as_zendesk_does() -> None:
    """Twelve jobs of a hundred tickets are done within a tenth more than the account works on them."""

    async def scene(scene: Scene) -> None:
        scene.account.faults = ZendeskFaults(queue_s=1.0, row_s=0.05)
        ids = await waiting(scene, 1_200)
        began = scene.stage.clock.now()
        left = [restock(scene, ticket_id) for ticket_id in ids]
        open_ = 0
        while left or open_:
            if left and open_ < 3:
                sent = await scene.desk.update(left[:100])
                assert {end.kind for end in sent} == {ACCEPTED}
                left, open_ = left[100:], open_ + 1
                continue
            await scene.stage.wait(max(scene.desk.late_due_s() or 0.0, 0.01))
            told = await scene.desk.late_outcomes()
            assert {end.kind for end in told} <= {APPLIED}
            open_ -= len(told) // 100
        took_s = (scene.stage.clock.now() - began) / 1e6
        assert took_s <= 12 * (1.0 + 100 * 0.05) * 1.1
        assert {len(held.letters) for held in scene.account.tickets()} == {1}

    play(scene)


def test_what_a_job_has_is_not_sent_again() -> None:
    """A change that a job of ours has already is ACCEPTED again and not sent a second time, with no room either."""

    async def scene(scene: Scene) -> None:
        ids = await waiting(scene, 4)
        scene.account.faults = ZendeskFaults(queue_s=20.0)
        changes = [restock(scene, ticket_id) for ticket_id in ids]
        for change in changes[:3]:
            await scene.desk.update([change])
        assert [end.kind for end in await scene.desk.update(changes[:3])] == [ACCEPTED] * 3
        assert len(scene.account.bulk.running) == 3
        assert scene.desk.update_delay_s() > 0.0
        assert {end.kind for end in await ends(scene)} == {APPLIED}
        assert scene.desk.update_delay_s() == 0.0
        assert [end.kind for end in await scene.desk.update(changes)] == [APPLIED] * 3 + [ACCEPTED]

    play(scene)
