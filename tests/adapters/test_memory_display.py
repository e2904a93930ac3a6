"""What a memory shop shows beside its numbers, over a real connection."""

from __future__ import annotations

from datetime import date

import aiohttp
import pytest

from adapters.memory import wire
from adapters.memory.channel import MemoryChannel, open_channel
from adapters.memory.settings import MemorySettings
from adapters.memory.simulator import MemorySimulator
from syncd.sdk.channel import AccountId, Context, ListingRef, OutcomeKind
from syncd.sdk.errors import ProtocolError
from syncd.sdk.features import DayWish, LimitWish, PageWish, PreorderDates, PurchaseLimit, Visibility
from syncd.sdk.secret import Secret
from syncd.testing.clock import ManualClock
from syncd.testing.simulators import serve

GONE = ListingRef(remote_id="nowhere")


async def test_limits_pages_and_days_reach_the_shop() -> None:
    """Each row ends by itself: a listing that is not there is refused, the others are shown as they were wished."""
    clock = ManualClock()
    simulator = MemorySimulator(skus=1, clock=clock)
    async with serve(simulator) as url, aiohttp.ClientSession() as session:
        context = Context(account=AccountId("a"), session=session, clock=clock, uuid=lambda: "k", random=lambda: 0.0)
        async with open_channel(MemorySettings(url=url, token=Secret(simulator.token)), context) as channel:
            await play(channel, simulator)


async def play(channel: MemoryChannel, simulator: MemorySimulator) -> None:
    assert isinstance(channel, PurchaseLimit)
    assert isinstance(channel, Visibility)
    assert isinstance(channel, PreorderDates)
    (good,) = simulator.shop.shelf.page(0, 5)[0]
    ends = await channel.set_purchase_limits(
        [LimitWish(key="1", ref=GONE, most=3), LimitWish(key="2", ref=good.ref, most=2)]
    )
    assert [(end.key, end.kind) for end in ends] == [("1", OutcomeKind.REJECTED), ("2", OutcomeKind.APPLIED)]
    assert simulator.shop.limits == {good.ref: 2}
    await channel.set_purchase_limits([LimitWish(key="3", ref=good.ref, most=None)])
    assert simulator.shop.limits == {good.ref: None}
    await channel.set_visible([PageWish(key="4", ref=good.ref, visible=False)])
    assert [row.active for row in (await channel.listings(None)).listings] == [False]
    await channel.set_visible([PageWish(key="5", ref=good.ref, visible=True)])
    assert good.active
    await channel.set_preorder_days([DayWish(key="6", ref=good.ref, day=date(2026, 12, 24))])
    assert simulator.shop.days == {good.ref: "2026-12-24"}


def test_an_answer_of_another_length_is_not_understood() -> None:
    """Which row ended how would be a guess."""
    with pytest.raises(ProtocolError):
        wire.displayed(["1", "2"], [True])
