"""`syncd provision`: set up at a channel what its messages need, by a person's word."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Annotated, Final

import typer

from syncd.cli.frame import FAILED, Config, Failure, Json, guarded, open_terminal
from syncd.clock import SystemClock
from syncd.sdk.channel import Adapter, SubscriptionReport
from syncd.sdk.errors import TransientError
from syncd.sdk.features import Provisions
from syncd.settings import ChannelSettings

PROVISION_S: Final = 60.0
"""Longest wait for all of it."""


@guarded
def provision(
    *,
    channel: Annotated[str, typer.Argument(help="The account.")],
    config: Config = None,
    json: Json = False,
) -> None:
    """Set up at a channel what its messages need (subscriptions); what is there already stays as it is."""
    from syncd.settings.adapters import Installed  # noqa: PLC0415  (few commands open a channel)

    terminal = open_terminal(config, json=json)
    settings = terminal.settings().channels.get(channel)
    if settings is None or not settings.enabled:
        raise Failure(FAILED, terminal.say("key.no_channel", channel=channel))
    report = asyncio.run(_provision(settings, Installed()))
    if report is None:
        raise Failure(FAILED, terminal.say("provision.no_feature", channel=channel))
    told = {"account": channel, "restored": list(report.restored), "failed": list(report.failed)}
    names = {"made": report.restored, "failed": report.failed}
    lines = [terminal.say(f"provision.{kind}", what=what) for kind, all_ in names.items() for what in all_]
    terminal.show(told, lambda _: lines or [terminal.say("provision.complete", channel=channel)])
    if report.failed:
        raise typer.Exit(FAILED)


async def _provision(settings: ChannelSettings, adapters: Mapping[str, Adapter]) -> SubscriptionReport | None:
    from syncd.machine import opened  # noqa: PLC0415  (the network's libraries cost half a second)

    try:
        async with (
            asyncio.timeout(PROVISION_S),
            opened(settings, adapters=adapters, clock=SystemClock()) as found,
        ):
            return await found.provision() if isinstance(found, Provisions) else None
    except TimeoutError:
        raise TransientError(f"{settings.name} did not answer within {PROVISION_S:.0f} s") from None
