"""Writes until it is killed, and says on its standard output what was acknowledged. Arguments: URL, round."""

from __future__ import annotations

import asyncio
import os
import sys

from sqlalchemy import insert

from syncd.clock import SystemClock
from syncd.store.rows import InboxRow
from syncd.store.session import Store
from syncd.store.statements import table

WRITERS = 8
INBOX = table(InboxRow)


async def write_for_ever(store: Store, name: str) -> None:
    number = 0
    while True:
        number += 1
        row = {"kind": "hint", "source": name, "key": str(number), "body": b"{}", "received_at": 0}
        await store.write(lambda conn, row=row: conn.execute(insert(INBOX), row))
        os.write(1, f"{name} {number}\n".encode())


async def main(url: str, name: str) -> None:
    async with Store.open(url, clock=SystemClock()) as store, asyncio.TaskGroup() as group:
        for writer in range(WRITERS):
            group.create_task(write_for_ever(store, f"{name}.{writer}"))


asyncio.run(main(sys.argv[1], sys.argv[2]))
