"""What listings would show if SKUs had other balances: decided as always, and nothing of it is kept."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from sqlalchemy import Connection

from syncd.core.terms import Instant, SkuId
from syncd.engine.rules import House
from syncd.engine.targets import retarget
from syncd.engine.work import Work
from syncd.store.ledger import Shelf

PIECE: Final = 250
"""SKUs that are decided together."""


def foretold(
    conn: Connection, shelves: Mapping[SkuId, Shelf], *, opened: Collection[SkuId], house: House, now: Instant
) -> dict[int, int]:
    """Return the targets of the listings of these SKUs, by id, with these balances and with `opened` counted.

    A listing that would not be written is left out. The connection need not write.
    """
    found: dict[int, int] = {}
    ids = list(shelves)
    for start in range(0, len(ids), PIECE):
        some = ids[start : start + PIECE]
        work = Work(conn, house=house, now=now)
        work.suppose(shelves, opened)
        work.load_skus(some)
        work.touched.update(some)
        retarget(work)
        found.update((x.id, x.target) for x in work.listings.values() if x.target is not None)
    return found
