"""Items at Qoo10 that are closed and opened: on the simulated shop, where an item that waits sells nothing."""

from __future__ import annotations

import asyncio

import pytest

from adapters.qoo10 import pages
from syncd.sdk.channel import ListingRef, OutcomeKind
from syncd.sdk.features import PageWish, Visibility
from syncd.testing.faults import Faults
from syncd.testing.simulators import Refusal, Unknown
from tests.adapters.qoo10_stage import SETTLED_S, Stage, play


async def show(stage: Stage, ref: ListingRef, *, visible: bool) -> OutcomeKind:
    assert isinstance(stage.channel, Visibility)
    (end,) = await stage.channel.set_visible([PageWish(key="k", ref=ref, visible=visible)])
    return end.kind


def sku_of(stage: Stage, ref: ListingRef) -> str:
    return next(one.sku for one in stage.shop.shown() if one.ref == ref)


def test_an_item_is_closed_and_opened_again() -> None:
    """What waits sells nothing and keeps its number and its price; the same wish again changes nothing."""

    async def scene(stage: Stage) -> None:
        ref = next(ref for ref in stage.shown() if ":" not in ref.remote_id)
        before = stage.shown()[ref]
        for _ in range(2):
            assert await show(stage, ref, visible=False) is OutcomeKind.APPLIED
        with pytest.raises((Refusal, Unknown)):
            stage.shop.buy([(sku_of(stage, ref), 1)])
        assert [row.active for row in await stage.catalogue() if row.ref == ref] == [False]
        assert stage.shown()[ref] == before
        assert await show(stage, ref, visible=True) is OutcomeKind.APPLIED
        stage.shop.buy([(sku_of(stage, ref), 1)])
        assert stage.shop.shop.prices == []

    play(scene)


def test_an_option_row_has_no_page_of_its_own() -> None:
    """Closing the item would close its other rows too: the wish is refused, and nothing is sent."""

    async def scene(stage: Stage) -> None:
        row = next(ref for ref in stage.shown() if ":" in ref.remote_id)
        ends = await stage.channel.set_visible(
            [PageWish(key="1", ref=row, visible=False), PageWish(key="2", ref=ListingRef(remote_id="?"), visible=False)]
        )
        assert [end.kind for end in ends] == [OutcomeKind.REJECTED, OutcomeKind.REJECTED]
        assert ends[0].reason == pages.ROW
        stage.shop.buy([(sku_of(stage, row), 1)])
        unknown = ListingRef(remote_id="999999999")
        assert await show(stage, unknown, visible=False) is OutcomeKind.REJECTED

    play(scene)


def test_a_fault_leaves_the_rest_for_later() -> None:
    """After a fault of the channel nothing more is sent; an end that is not known is said to be none."""

    async def scene(stage: Stage) -> None:
        refs = [ref for ref in stage.shown() if ":" not in ref.remote_id][:2]
        wishes = [PageWish(key=ref.remote_id, ref=ref, visible=False) for ref in refs]
        stage.shop.faults = Faults(refuse=1.0)
        ends = await stage.channel.set_visible(wishes)
        assert OutcomeKind.APPLIED not in {end.kind for end in ends}
        assert ends[1].kind is OutcomeKind.UNSENT
        stage.shop.faults = Faults(cut_after_effect=1.0)
        ends = await stage.channel.set_visible(wishes)
        assert [end.kind for end in ends] == [OutcomeKind.INDETERMINATE, OutcomeKind.UNSENT]
        stage.shop.faults = Faults()
        ends = await stage.channel.set_visible(wishes)
        assert [end.kind for end in ends] == [OutcomeKind.APPLIED, OutcomeKind.APPLIED]

    play(scene)


def test_stock_can_be_written_while_an_item_waits() -> None:
    """A number that is set on a closed item is there when it is opened."""

    async def scene(stage: Stage) -> None:
        ref = next(ref for ref in stage.shown() if ":" not in ref.remote_id)
        assert await show(stage, ref, visible=False) is OutcomeKind.APPLIED
        (end,) = await stage.set((ref, 5))
        assert end.kind is OutcomeKind.ACCEPTED
        await asyncio.sleep(SETTLED_S)
        assert await show(stage, ref, visible=True) is OutcomeKind.APPLIED
        assert stage.shown()[ref] == 5

    play(scene)
