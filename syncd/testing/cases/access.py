"""Credentials, secrets, and coming and going."""

# ruff: noqa: D401  (the docstring of a case is a sentence of expected behaviour, as that of a test)

from __future__ import annotations

import asyncio
import math

from syncd.sdk.channel import Channel, Health, Paced
from syncd.sdk.errors import AuthError, ChannelError
from syncd.testing.casebook import Group
from syncd.testing.stage import NotApplicable, Stage, hold, secret_names, settings_of

ACCESS = Group("access")

WRONG = "wrong-credential-0123456789abcdef"
MOST_DELAY_S = 3_600.0
REST_S = 2.0
"""Between the readings of two accounts: a limit may be one for both."""


@ACCESS.case
async def wrong_credentials_are_an_auth_error(stage: Stage) -> None:
    """Wrong credentials raise `AuthError`, at every call."""
    names = [name for name in secret_names(stage.kit.adapter) if stage.given.get(name)]
    if not names:
        raise NotApplicable("the adapter has no secrets")
    for error in await _refused(stage, dict(stage.given) | dict.fromkeys(names, WRONG)):
        hold(isinstance(error, AuthError), f"wrong credentials end in {type(error).__name__}")
        hold(WRONG not in f"{error!s} {error!r}", "an error holds the credential that was tried")


async def _refused(stage: Stage, given: dict[str, object]) -> list[object]:
    """Open the adapter with these settings, and return how it and its calls end."""
    ref = stage.goods(1)[0].ref
    try:
        async with stage.kit.adapter.open(settings_of(stage.kit.adapter, given), stage.context) as channel:
            return [
                await stage.attempt(channel.orders(None)),
                await stage.attempt(channel.listings(None)),
                await stage.attempt(channel.seen([ref])),
            ]
    except ChannelError as error:
        return [error]


@ACCESS.case
async def settings_hide_their_secrets(stage: Stage) -> None:
    """The settings do not show their secrets, however they are printed."""
    if not stage.secrets():
        raise NotApplicable("the adapter has no secrets")
    settings = settings_of(stage.kit.adapter, stage.given)
    stage.tells_nothing([str(settings), repr(settings)], "what the settings print")


@ACCESS.case
async def errors_hide_secrets(stage: Stage) -> None:
    """No error in any kind of trouble holds a secret or a buyer's data."""
    since = await stage.start()
    stage.simulator.buy([(stage.goods(1)[0].sku, 1)])
    for name in ("error_5xx", "html", "too_many", "refuse", "cut_after_effect"):
        await stage.wait(stage.profile.feed_lateness_s)
        stage.trouble(**{name: 1.0})
        for call in (stage.channel.orders(since), stage.channel.seen([stage.goods(1)[0].ref])):
            hold(isinstance(await stage.attempt(call), ChannelError), f"a reading in trouble ({name}) does not fail")
        stage.clock.advance(120.0)
    stage.tells_nothing(stage.said, "an error")


@ACCESS.case
async def a_right_setup_is_healthy(stage: Stage) -> None:
    """With the right credentials and rights there is nothing to mend."""
    if not isinstance(stage.channel, Health):
        raise NotApplicable("the channel cannot check itself")
    advice = await stage.channel.check()
    hold(advice == [], f"a right set-up is said to need mending: {advice[:1]}")


@ACCESS.case
async def its_pace_is_a_time(stage: Stage) -> None:
    """How long a push would have to wait is a time, and none at the start."""
    paced = stage.channel
    if not isinstance(paced, Paced):
        raise NotApplicable("the channel does not know its pace")
    hold(paced.push_delay_s() == 0.0, "a fresh channel would have to wait")
    for shown in stage.goods(3):
        await stage.attempt(stage.channel.seen([shown.ref]))
        delay_s = paced.push_delay_s()
        hold(math.isfinite(delay_s) and 0.0 <= delay_s <= MOST_DELAY_S, "a delay is not a time")


@ACCESS.case
async def closing_leaves_nothing_behind(stage: Stage) -> None:
    """A channel that is closed leaves no task running and the shared session open."""
    before = asyncio.all_tasks()
    async with stage.kit.adapter.open(settings_of(stage.kit.adapter, stage.given), stage.context) as channel:
        await _use(channel)
    await stage.wait(0.0)
    left = [task for task in asyncio.all_tasks() - before if not _is_the_servers(task)]
    hold(not left, f"a task is left running: {left[:1]}")
    hold(not stage.context.session.closed, "the session that all channels share was closed")


@ACCESS.case
async def two_accounts_do_not_meet(stage: Stage) -> None:
    """A second channel of the same kind can be open at the same time."""
    async with stage.kit.adapter.open(settings_of(stage.kit.adapter, stage.given), stage.context) as other:
        await _use(other)
        await stage.wait(REST_S)
        await _use(stage.channel)
        await stage.wait(REST_S)
    await _use(stage.channel)


def _is_the_servers(task: asyncio.Task[object]) -> bool:
    """Say whether a task belongs to the simulator: it serves a connection, or works beside."""
    code = getattr(task.get_coro(), "cr_code", None)
    place = getattr(code, "co_filename", "").replace("\\", "/")
    return "/aiohttp/" in place or "/syncd/testing/" in place


async def _use(channel: Channel) -> None:
    page = await channel.listings(None)
    await channel.seen([listing.ref for listing in page.listings[:2]])
    await channel.orders(None)
