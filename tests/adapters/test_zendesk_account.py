"""The account at Zendesk: tokens, the old way in, limits, what check tells, webhooks from end to end."""

from __future__ import annotations

import pytest

from adapters.zendesk.simulated.world import ZendeskFaults
from syncd.sdk.desk import TicketState
from syncd.sdk.errors import AuthError, RateLimited
from tests.adapters.zendesk_stage import HOOK, Scene, play


def test_a_token_that_ends_is_renewed() -> None:
    """A token is renewed before its end, and where it is refused earlier, once, without a word to the engine."""

    async def scene(scene: Scene) -> None:
        (ticket_id,) = await scene.stage.waiting(state=TicketState.PENDING)
        granted = []
        grant = scene.account.access.grant
        scene.account.access.grant = lambda given: granted.append(1) or grant(given)  # type: ignore[method-assign,func-returns-value]
        for seconds in (0.0, 3_000.0, 1_000.0):
            await scene.stage.wait(seconds)
            await scene.stage.read(ticket_id)
        scene.account.access.end_tokens()
        await scene.stage.read(ticket_id)
        assert len(granted) == 3

    play(scene)


def test_the_old_way_in_works_and_is_warned_of() -> None:
    """With mail and API token everything works that an agent may, and check says when it ends."""

    async def scene(scene: Scene) -> None:
        (ticket_id,) = await scene.stage.waiting(state=TicketState.PENDING)
        assert (await scene.stage.read(ticket_id)).state is TicketState.PENDING
        assert any("2027-04-30" in line for line in await scene.desk.check())
        scene.account.access.tokens_allowed = False
        with pytest.raises(AuthError):
            await scene.desk.find([ticket_id])

    play(
        scene,
        client_id="",
        client_secret="",
        email="agent@example.jp",
        api_token=lambda account: account.api_token,
    )


def test_a_healthy_account_has_no_advice() -> None:
    """An account that is set up with both clients and a webhook needs nothing; one as it is bought is told what."""

    async def scene(scene: Scene) -> None:
        advice = await scene.desk.check()
        assert len(advice) == 2
        assert "fields are missing" in advice[0]
        assert "no webhook" in advice[1]
        await scene.provision(hook=HOOK)
        assert await scene.desk.check() == []
        before = len(scene.account.log)
        await scene.desk.check()
        assert len(scene.account.log) == before

    play(scene, bare=True)


def test_what_is_left_is_believed() -> None:
    """The account's limit comes from its answers; below 15 % what is left is stretched until the reset."""

    async def scene(scene: Scene) -> None:
        scene.account.access.per_minute = 40
        (ticket_id,) = await scene.stage.waiting(state=TicketState.PENDING)
        began = scene.stage.clock.now()
        for _ in range(60):
            await scene.desk.find([ticket_id])
        took_s = (scene.stage.clock.now() - began) / 1e6
        assert scene.desk._api.budget.capacity == 40
        assert 20 < took_s < 120

    play(scene)


def test_a_limit_says_when_to_come_again() -> None:
    """A 429 is a limit with Zendesk's own time, and nothing is sent before that time."""

    async def scene(scene: Scene) -> None:
        (ticket_id,) = await scene.stage.waiting(state=TicketState.PENDING)
        await scene.desk.find([ticket_id])
        scene.account.access.per_minute = 1
        with pytest.raises(RateLimited) as limit:
            await scene.desk.find([ticket_id])
        assert (limit.value.retry_after_s or 0) > 1

    play(scene)


def test_webhooks_are_late_twice_and_lost() -> None:
    """Webhooks that come late or twice are understood, and one that is lost is made good by the next reading."""

    async def scene(scene: Scene) -> None:
        await scene.stage.wait(3_600.0)
        _, cursor = await scene.stage.scan(None)
        scene.account.faults = ZendeskFaults(lost_webhooks=1.0)
        scene.account.reply(scene.account.tickets()[0].ticket_id, "Any news?")
        await scene.stage.wait(120.0)
        tickets, _ = await scene.stage.scan(cursor)
        assert "1" in {ticket.ticket_id for ticket in tickets}

    play(scene, tickets=1)
