"""A shop to measure on: SKUs with stock and four accounts' listings, written straight into a new store."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Connection

from syncd.core.exposure import Policy
from syncd.core.facts import OrderFact
from syncd.core.terms import AccountId, OrderLine, OrderSnapshot, Span
from syncd.engine.rules import House, Rules, pace_of
from syncd.sdk.channel import Profile, WriteMode
from syncd.store import accounts
from syncd.store.rows import BalanceRow, ListingRow, MovementRow, SkuRow
from syncd.store.schema import migrate
from syncd.store.session import Store
from syncd.store.statements import append
from tests.bench.clocks import BenchClock

ACCOUNTS = tuple(AccountId(name) for name in ("amazon", "qoo10", "rakuten", "shopify"))
START = 1_700_000_000_000_000
_MODES = (WriteMode.ABSOLUTE, WriteMode.ABSOLUTE, WriteMode.DELTA, WriteMode.COMPARE_AND_SET)
PIECE = 10_000
POOL = Policy()


def house(sinks: frozenset[str] = frozenset(), *, policy: Policy = POOL) -> House:
    """Return four accounts, one per kind of channel, with this policy."""
    rules = {}
    for account, mode in zip(ACCOUNTS, _MODES, strict=True):
        profile = Profile(write_mode=mode, max_push=250, max_seen=250)
        pace = pace_of(profile, raise_delay_s=5.0, poll_s=15.0)
        rules[account] = Rules(account=account, profile=profile, pace=pace, policy=policy)
    return House(rules=rules, sinks=sinks)


async def new_store(path: Path, clock: BenchClock, *, skus: int, ledger_rows: int = 0) -> Store:
    """Make a migrated store with `skus` SKUs of plenty of stock, four listings each, and an old ledger."""
    url = f"sqlite:///{path}"
    migrate(url, backup_dir=None, clock=clock)
    store = Store.open(url, clock=clock)
    await store.write(lambda conn: accounts.know(conn, ACCOUNTS, now=START))
    for start in range(0, skus, PIECE):
        size = min(PIECE, skus - start)
        await store.write(lambda conn, a=start, n=size: _fill(conn, a, n))
    for start in range(0, ledger_rows, PIECE):
        await store.write(lambda conn, a=start: _history(conn, a, skus))
    return store


def _fill(conn: Connection, start: int, size: int) -> None:
    ids = range(start + 1, start + size + 1)
    append(conn, SkuRow, [{"id": i, "code": code(i), "title": "", "opened_at": START} for i in ids])
    row = {"location": "main", "on_hand": 1_000_000, "committed": 0, "held": 0}
    append(conn, BalanceRow, [{"sku_id": i, **row} for i in ids])
    append(conn, ListingRow, [_listing(account, i) for i in ids for account in ACCOUNTS])


def _listing(account: AccountId, sku_id: int) -> dict[str, object]:
    number = 1_000_000
    return {
        "account": account,
        "remote_id": f"{account}-{sku_id}",
        "remote_location": "",
        "remote_sku": code(sku_id),
        "sku_id": sku_id,
        "target": number,
        "base": number,
        "base_from": START,
        "base_until": START,
        "low": number,
        "high": number,
        "seen": number,
        "seen_at": START,
    }


def _history(conn: Connection, start: int, skus: int) -> None:
    rows = [
        {
            "source": "old",
            "reference": f"{i:012d}:1:commit:1@1",
            "sku_id": i % skus + 1,
            "location": "main",
            "kind": "adjust",
            "on_hand": 0,
            "committed": 0,
            "held": 0,
            "at": START,
            "recorded_at": START,
        }
        for i in range(start, start + PIECE)
    ]
    append(conn, MovementRow, rows)


def code(sku_id: int) -> str:
    """Return the SKU with this number."""
    return f"SKU-{sku_id:07d}"


def orders(*, skus: int, lines: int, seed: int, first: int = 5_000_000_000) -> Iterator[OrderFact]:
    """Yield new orders of `lines` lines each, over all accounts, with ascending order ids as marketplaces give them."""
    dice = random.Random(seed)
    for number in itertools.count(first):
        account = ACCOUNTS[number % len(ACCOUNTS)]
        at = START + 1_000_000 + (number - first) * 1_000
        yield OrderFact(account=account, order=_order(account, number, at, dice.sample(range(1, skus + 1), lines)))


def _order(account: AccountId, number: int, at: int, sku_ids: list[int]) -> OrderSnapshot:
    take = Span(earliest=at, latest=at)
    return OrderSnapshot(
        order_id=str(number),
        number=f"#{number}",
        version=at,
        read_at=at,
        ordered_at=at,
        lines=tuple(
            OrderLine(line_id=str(n), remote_id=f"{account}-{sku}", remote_sku=code(sku), quantity=1, take=take)
            for n, sku in enumerate(sku_ids, 1)
        ),
    )
