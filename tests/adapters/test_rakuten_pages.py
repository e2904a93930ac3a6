"""Pages at Rakuten that are closed and opened: on the simulated shop, where a page in the storeroom sells nothing."""

from __future__ import annotations

import pytest

from adapters.rakuten import pages
from adapters.rakuten.goods import Item, Pair, Variant
from adapters.rakuten.simulated.world import FUNCTIONS
from syncd.sdk.channel import ListingRef, OutcomeKind
from syncd.sdk.features import PageWish, Visibility
from syncd.testing.faults import Faults
from syncd.testing.simulators import Unknown
from tests.adapters.rakuten_stage import Stage, play

PAID = (*FUNCTIONS, "itemapi_2.0.items.get", "itemapi_2.0.items.patch")


async def show(stage: Stage, ref: ListingRef, *, visible: bool) -> tuple[OutcomeKind, str]:
    assert isinstance(stage.channel, Visibility)
    (end,) = await stage.channel.set_visible([PageWish(key="k", ref=ref, visible=visible)])
    return end.kind, end.reason


def places(stage: Stage) -> tuple[ListingRef, ListingRef, ListingRef]:
    """Return a listing that is alone on its page, and two that share one."""
    by_page: dict[str, list[ListingRef]] = {}
    for one in stage.shop.shown():
        by_page.setdefault(one.ref.remote_id.partition("/")[0], []).append(one.ref)
    alone = next(refs[0] for refs in by_page.values() if len(refs) == 1)
    first, second, *_ = next(refs for refs in by_page.values() if len(refs) > 1)
    return alone, first, second


def test_a_page_is_closed_and_opened_again() -> None:
    """What is closed sells nothing and keeps its number, whatever is on the same page sells on."""

    async def scene(stage: Stage) -> None:
        stage.shop.turn(functions=PAID)
        alone, first, second = places(stage)
        for ref in (alone, first):
            before = stage.truth(ref)
            assert await show(stage, ref, visible=False) == (OutcomeKind.APPLIED, "")
            assert await show(stage, ref, visible=False) == (OutcomeKind.APPLIED, "")
            with pytest.raises(Unknown):
                stage.shop.buy([(stage.sku(ref), 1)])
            assert [row.active for row in await stage.catalogue() if row.ref == ref] == [False]
            assert await stage.push([stage.write(ref, before + 2, delta=2)]) == [OutcomeKind.APPLIED]
        stage.shop.buy([(stage.sku(second), 1)])
        for ref in (alone, first):
            assert await show(stage, ref, visible=True) == (OutcomeKind.APPLIED, "")
            stage.shop.buy([(stage.sku(ref), 1)])

    play(scene)


def test_without_the_paid_functions_pages_wait() -> None:
    """A shop without 商品一括編集機能 keeps its pages as they are, is told why, and its stock is written on."""

    async def scene(stage: Stage) -> None:
        (ref, _, _) = places(stage)
        assert await show(stage, ref, visible=False) == (OutcomeKind.UNSENT, pages.PAID)
        assert await stage.push([stage.write(ref, 0)]) == [OutcomeKind.APPLIED]

    play(scene)


def test_what_cannot_be_closed_is_refused_with_its_reason() -> None:
    """A SKU that is not there, one without stock control, and no SKU at all."""

    async def scene(stage: Stage) -> None:
        stage.shop.turn(functions=PAID)
        alone, _, _ = places(stage)
        stage.shop.unmanage(stage.sku(alone))
        assert await show(stage, alone, visible=False) == (OutcomeKind.REJECTED, pages.UNLIMITED)
        for name in ("item-999999/x", "nothing"):
            gone = await show(stage, ListingRef(remote_id=name), visible=False)
            assert gone == (OutcomeKind.REJECTED, pages.NOT_THERE)

    play(scene)


def test_a_fault_leaves_the_rest_for_later() -> None:
    """An answer that is lost may have had an effect; what comes after it was not sent, and both may be sent again."""

    async def scene(stage: Stage) -> None:
        stage.shop.turn(functions=PAID)
        alone, first, _ = places(stage)
        wishes = [PageWish(key=key, ref=ref, visible=False) for key, ref in (("1", alone), ("2", first))]
        stage.shop.faults = Faults(refuse=1.0)
        ends = await stage.channel.set_visible(wishes)
        assert [end.kind for end in ends] == [OutcomeKind.UNSENT, OutcomeKind.UNSENT]
        stage.shop.faults = Faults(cut_after_effect=1.0)
        ends = await stage.channel.set_visible(wishes)
        assert ends[0].kind in (OutcomeKind.UNSENT, OutcomeKind.INDETERMINATE)
        stage.shop.faults = Faults()
        ends = await stage.channel.set_visible(wishes)
        assert [end.kind for end in ends] == [OutcomeKind.APPLIED, OutcomeKind.APPLIED]

    play(scene)


@pytest.mark.parametrize(
    ("item", "visible", "change"),
    [
        (Item("i", hide_item=False, variants={"a": Variant()}), False, {"hideItem": True}),
        (Item("i", hide_item=True, variants={"a": Variant()}), True, {"hideItem": False}),
        (Item("i", hide_item=True, variants={"a": Variant()}), False, None),
        (Item("i", variants={"a": Variant(), "b": Variant()}), False, {"variants": {"a": {"hidden": True}}}),
        (Item("i", hide_item=True, variants={"a": Variant(), "b": Variant()}), True, None),
        (
            Item("i", variants={"a": Variant(hidden=True), "b": Variant()}),
            True,
            {"variants": {"a": {"hidden": False}}},
        ),
    ],
)
def test_only_what_differs_is_patched(item: Item, visible: bool, change: dict[str, object] | None) -> None:
    """A page of several SKUs is never closed or opened as a whole."""
    assert pages.patch(item, Pair("i", "a"), visible=visible) == change
