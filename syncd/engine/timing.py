"""Waiting that ends early, on a stop or on a hint, and the day that it is."""

from __future__ import annotations

import asyncio
from datetime import date

from syncd.core.terms import Instant
from syncd.settings.windows import moment_of, read_zone


async def nap(seconds: float, *events: asyncio.Event) -> None:
    """Wait until one of the events is set, at most `seconds`."""
    if seconds <= 0 or any(event.is_set() for event in events):
        await asyncio.sleep(0)
        return
    async with asyncio.TaskGroup() as group:
        waiters = [group.create_task(event.wait(), name="nap") for event in events]
        await asyncio.wait(waiters, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for waiter in waiters:
            waiter.cancel()


def today(at: Instant, zone: str) -> date:
    """Return the day that it is in the shop's time zone."""
    return moment_of(at).astimezone(read_zone(zone)).date()
