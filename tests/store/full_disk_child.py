"""Writes until its files may not grow, lifts the limit and writes on. Argument: URL. Answers one line of JSON."""

from __future__ import annotations

import asyncio
import json
import resource
import sys
from pathlib import Path

from sqlalchemy import func, insert, select

from syncd.clock import SystemClock
from syncd.store.rows import InboxRow
from syncd.store.session import Store, StoreFull
from syncd.store.statements import table

INBOX = table(InboxRow)
ROOM = 300_000
MOST = 500


def log_size(url: str) -> int:
    return Path(url.removeprefix("sqlite:///") + "-wal").stat().st_size


async def put(store: Store) -> None:
    row = {"kind": "hint", "source": "child", "body": bytes(4_000), "received_at": 0}
    await store.write(lambda conn: conn.execute(insert(INBOX), row))


async def fill(store: Store) -> int:
    """Write until the disk is full; return how many rows were acknowledged."""
    for number in range(MOST):
        try:
            await put(store)
        except StoreFull:
            return number
    raise SystemExit("the limit was never met")


async def main(url: str) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    async with Store.open(url, clock=SystemClock()) as store:
        await put(store)
        resource.setrlimit(resource.RLIMIT_FSIZE, (log_size(url) + ROOM, before[1]))
        acked = 1 + await fill(store)
        refused = await fill(store)
        readable = await store.read(lambda conn: conn.execute(select(func.count()).select_from(INBOX)).scalar_one())
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        await put(store)
        stored = await store.read(lambda conn: conn.execute(select(func.count()).select_from(INBOX)).scalar_one())
    answer = {"acked": acked, "refused": refused, "readable": readable, "stored": stored}
    sys.stdout.write(json.dumps(answer))


asyncio.run(main(sys.argv[1]))
