"""What the daemon stands on: time, chance, ids, the network, threads. One value, so that all of it can be virtual."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

from syncd.clock import SystemClock, SystemRandom, uuid7
from syncd.sdk.channel import Adapter, Channel, Clock, Context
from syncd.settings import ChannelSettings

CONNECTIONS = 100
"""Most connections open at once, over all channels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """The ground of one run.

    `inline` runs the store in the loop's own thread. `virtual` has no signals, no sockets of the system and no service
    manager.
    """

    clock: Clock
    uuid: Callable[[], str]
    random: Callable[[], float]
    connector: Callable[[], aiohttp.BaseConnector]
    inline: bool = False
    virtual: bool = False


def real() -> Machine:
    """Return this computer."""
    clock, random = SystemClock(), SystemRandom()
    return Machine(
        clock=clock,
        uuid=uuid7(clock, random.bytes),
        random=random,
        connector=lambda: aiohttp.TCPConnector(limit=CONNECTIONS),
    )


@asynccontextmanager
async def opened(
    channel: ChannelSettings,
    *,
    adapters: Mapping[str, Adapter],
    clock: Clock,
    traces: Sequence[aiohttp.TraceConfig] = (),
) -> AsyncIterator[Channel]:
    """Open one account beside the daemon, for a command that asks the channel itself; `traces` watch its requests."""
    random = SystemRandom()
    async with aiohttp.ClientSession(trace_configs=list(traces)) as session:
        context = Context(
            account=channel.name, session=session, clock=clock, uuid=uuid7(clock, random.bytes), random=random
        )
        async with adapters[channel.adapter].open(channel.settings, context) as found:
            yield found
