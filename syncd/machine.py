"""What the daemon stands on: time, chance, ids, the network, threads. One value, so that all of it can be virtual."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import aiohttp

from syncd.clock import SystemClock, SystemRandom, uuid7
from syncd.sdk.channel import Clock

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
