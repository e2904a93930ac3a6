"""What stands beside a number: closed pages, limits of one order, days of preorders; for channels that have them."""

# ruff: noqa: D401  (the docstring of a case is a sentence of expected behaviour, as that of a test)

from __future__ import annotations

from datetime import date

from syncd.core.terms import ListingRef, Outcome, OutcomeKind
from syncd.sdk.features import DayWish, LimitWish, PageWish, PreorderDates, PurchaseLimit, Visibility
from syncd.testing.casebook import Group
from syncd.testing.simulators import Refusal, Shown, Unknown
from syncd.testing.stage import NotApplicable, Stage, hold

DISPLAY = Group("display")
NOBODY = ListingRef(remote_id="syncd/no-such-listing")
DAY = date(2031, 12, 24)
_TAKEN = (OutcomeKind.APPLIED, OutcomeKind.ACCEPTED)


@DISPLAY.case
async def what_is_closed_sells_nothing(stage: Stage) -> None:
    """A closed page sells nothing and keeps its number, the catalogue says that it is off sale, and it opens again."""
    shown = await _closed(stage)
    hold(not _sells(stage, shown.sku), "a closed page sold something")
    hold(stage.truth(shown.ref) == shown.quantity, "closing a page changed its number")
    rows = [listing for listing in await stage.catalogue() if listing.ref == shown.ref]
    hold(rows and not rows[0].active, "the catalogue says that a closed page is on sale")
    await _set_visible(stage, shown.ref, visible=False)
    await _set_visible(stage, shown.ref, visible=True)
    await stage.calm()
    hold(_sells(stage, shown.sku), "a page that was opened again sells nothing")


@DISPLAY.case
async def a_limit_refuses_larger_orders(stage: Stage) -> None:
    """With a limit larger orders are refused and smaller ones are not; without one everything is as before."""
    limited = stage.channel
    if not isinstance(limited, PurchaseLimit):
        raise NotApplicable("the channel cannot limit the units of an order")
    shown = next(one for one in stage.goods(6) if one.quantity >= 5)
    (end,) = await limited.set_purchase_limits([LimitWish(key="1", ref=shown.ref, most=2)])
    hold(end.kind in _TAKEN, f"a limit ended as {end.kind.value}")
    hold(not _sells(stage, shown.sku, 3), "an order above the limit was taken")
    hold(_sells(stage, shown.sku, 2), "an order at the limit was refused")
    await limited.set_purchase_limits([LimitWish(key="2", ref=shown.ref, most=None)])
    hold(_sells(stage, shown.sku, 3), "the limit did not end")


@DISPLAY.case
async def each_wish_ends_alone(stage: Stage) -> None:
    """A listing that is not there is refused, in its place, and the others are done."""
    found = []
    ref = stage.goods(1)[0].ref
    channel = stage.channel
    if isinstance(channel, Visibility):
        ref = (await _closed(stage)).ref
        pages = [PageWish(key=key, ref=one, visible=True) for key, one in (("1", NOBODY), ("2", ref))]
        found.append(await channel.set_visible(pages))
    if isinstance(channel, PurchaseLimit):
        limits = [LimitWish(key=key, ref=one, most=3) for key, one in (("1", NOBODY), ("2", ref))]
        found.append(await channel.set_purchase_limits(limits))
    if isinstance(channel, PreorderDates):
        days = [DayWish(key=key, ref=one, day=DAY) for key, one in (("1", NOBODY), ("2", ref))]
        found.append(await channel.set_preorder_days(days))
    if not found:
        raise NotApplicable("the channel shows nothing beside its numbers that can be set")
    for ends in found:
        hold([end.key for end in ends] == ["1", "2"], "the ends are not those of the wishes, in order")
        hold(ends[0].kind is OutcomeKind.REJECTED, f"a listing that is not there ended as {ends[0].kind.value}")
        hold(ends[1].kind in _TAKEN, f"a listing beside one that is not there ended as {ends[1].kind.value}")


async def _closed(stage: Stage) -> Shown:
    """Close the first page that can be closed, and return its listing."""
    reason = "the channel cannot close a page"
    for shown in stage.goods(6) if isinstance(stage.channel, Visibility) else ():
        end = await _set_visible(stage, shown.ref, visible=False)
        if end.kind in _TAKEN:
            await stage.calm()
            return shown
        reason = end.reason
    raise NotApplicable(reason)


async def _set_visible(stage: Stage, ref: ListingRef, *, visible: bool) -> Outcome:
    assert isinstance(stage.channel, Visibility), "the caller asked"  # noqa: S101  (our own invariant)
    (end,) = await stage.channel.set_visible([PageWish(key="1", ref=ref, visible=visible)])
    return end


def _sells(stage: Stage, sku: str, quantity: int = 1) -> bool:
    try:
        stage.simulator.buy([(sku, quantity)])
    except (Refusal, Unknown):
        return False
    return True
