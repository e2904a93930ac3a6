"""Waiting that ends early: on a stop, or on a hint."""

from __future__ import annotations

import asyncio


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
