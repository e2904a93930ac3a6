"""Proofs of buyers are asked for once per order, new orders first, and again under another key."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from syncd.core.proofs import ProofKind, Seal
from syncd.core.terms import AccountId
from syncd.engine.proving import AT_ONCE, KEPT_US, Proving
from syncd.sdk.errors import TransientError
from syncd.store import proofs
from tests.web.rig import Quiet, Rig, running

SHOP = AccountId("shop")


class Telling(Quiet):
    """A channel that knows whose its orders are; it can be away."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.away = False

    async def proofs(self, order_ids: Sequence[str], seal: Seal) -> dict[str, tuple[str, ...]]:
        if self.away:
            raise TransientError("away")
        self.asked += order_ids
        return {name: (seal(name, ProofKind.MAIL, f"{name}@example.jp"),) for name in order_ids if name != "o-0"}


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with running(tmp_path, channels={"shop": Telling(), "mall": Quiet()}) as made:
        made.plant.proof_key = b"k" * 32
        yield made


def proving(rig: Rig) -> tuple[Proving, Telling]:
    account = rig.plant.roster[SHOP]
    channel = account.channel
    assert isinstance(channel, Telling)
    return Proving(rig.plant, account, channel), channel


async def walk(loop: Proving) -> None:
    while await loop.step(asyncio.Event()):
        pass


async def proofs_of(rig: Rig, number: str) -> frozenset[str]:
    (found,) = await rig.plant.store.read(lambda conn: proofs.candidates(conn, {number}, limit=2))
    return found.proofs


async def test_every_order_is_asked_for_once(rig: Rig) -> None:
    """Over several pages each order of the account is asked for once, and after a restart none again."""
    for number in range(AT_ONCE + 3):
        await rig.order("shop", str(number), ("r", "A", 1))
    await rig.order("mall", "m", ("r", "A", 1))
    loop, channel = proving(rig)
    await walk(loop)
    assert sorted(channel.asked) == sorted(f"o-{number}" for number in range(AT_ONCE + 3))
    seal = Seal(key=b"k" * 32, account=SHOP)
    assert await proofs_of(rig, "1") == {seal("o-1", ProofKind.MAIL, "o-1@example.jp")}
    assert await proofs_of(rig, "0") == frozenset()
    again, _ = proving(rig)
    await walk(again)
    assert len(channel.asked) == AT_ONCE + 3


async def test_new_orders_follow(rig: Rig) -> None:
    """An order that came after the walk is asked for at the next look, also when many came."""
    await rig.order("shop", "1", ("r", "A", 1))
    loop, channel = proving(rig)
    await walk(loop)
    for number in range(2, AT_ONCE + 5):
        await rig.order("shop", str(number), ("r", "A", 1))
    await walk(loop)
    assert len(channel.asked) == len(set(channel.asked)) == AT_ONCE + 4


async def test_a_channel_that_is_away_is_asked_again(rig: Rig) -> None:
    """A failure leaves the order without proofs, and the next look asks for it again."""
    await rig.order("shop", "1", ("r", "A", 1))
    loop, channel = proving(rig)
    channel.away = True
    assert not await loop.step(asyncio.Event())
    channel.away = False
    await walk(loop)
    assert channel.asked == ["o-1"]


async def test_another_key_makes_them_anew_and_old_ones_go(rig: Rig) -> None:
    """Proofs under a lost key are replaced, orders too old to be asked about are left, and old proofs are deleted."""
    await rig.order("shop", "1", ("r", "A", 1))
    loop, _ = proving(rig)
    await walk(loop)
    before = await proofs_of(rig, "1")
    rig.plant.proof_key = b"x" * 32
    loop, channel = proving(rig)
    await walk(loop)
    assert (await proofs_of(rig, "1") != before, channel.asked) == (True, ["o-1", "o-1"])
    rig.clock.instant += KEPT_US + 2_000_000
    await loop._forget()
    assert await proofs_of(rig, "1") == frozenset()
    loop, _ = proving(rig)
    await walk(loop)
    assert channel.asked == ["o-1", "o-1"]
