"""What the channel says that it shows."""

# ruff: noqa: D401  (the docstring of a case is a sentence of expected behaviour, as that of a test)

from __future__ import annotations

from dataclasses import replace

from syncd.core.terms import ListingRef, Seen
from syncd.sdk.channel import BulkSeen
from syncd.testing.casebook import Group
from syncd.testing.stage import NotApplicable, Stage, during, hold

SEEN = Group("seen")

MOST_BATCHES = 10_000


def stranger(ref: ListingRef) -> ListingRef:
    """Return a listing that does not exist, of the same form as one that does."""
    return replace(ref, remote_id=f"{ref.remote_id}999999")


@SEEN.case
async def answers_are_in_order(stage: Stage) -> None:
    """One reading comes per listing, in the order in which they were asked for."""
    refs = [shown.ref for shown in stage.goods(4)][::-1]
    hold([reading.ref for reading in await stage.channel.seen(refs)] == refs, "readings came in another order")


@SEEN.case
async def they_are_true(stage: Stage) -> None:
    """A reading is what shoppers see."""
    for place, shown in enumerate(stage.goods(4)):
        stage.simulator.set_shown(shown.ref, place * 7)
    await stage.wait(stage.profile.staleness_s + stage.profile.visibility_delay_s)
    shown_now = stage.goods(4)
    numbers = await stage.numbers([shown.ref for shown in shown_now])
    hold(numbers == [shown.quantity for shown in shown_now], "a reading is not what is shown")


@SEEN.case
async def a_sale_lowers_it(stage: Stage) -> None:
    """The channel takes its own sale off its own number."""
    shown = stage.goods(1)[0]
    stage.simulator.buy([(shown.sku, 2)])

    async def lower() -> bool:
        return await stage.numbers([shown.ref]) == [shown.quantity - 2]

    await stage.comes_true(lower, "a sale did not lower the number", within_s=_visible_s(stage))


@SEEN.case
async def unknown_ones_have_no_number(stage: Stage) -> None:
    """A listing that is not there has no number, and its neighbours have theirs."""
    first, second = stage.goods(2)
    readings = await stage.channel.seen([first.ref, stranger(first.ref), second.ref])
    numbers = [reading.quantity for reading in readings]
    hold(numbers == [first.quantity, None, second.quantity], "an unknown listing spoils the reading")


@SEEN.case
async def its_times_hold_the_reading(stage: Stage) -> None:
    """A reading says when it was asked for and answered, by our clock."""
    low = stage.clock.now()
    readings = await stage.channel.seen([shown.ref for shown in stage.goods(3)])
    high = stage.clock.now()
    hold(all(during(reading, low=low, high=high) for reading in readings), "a reading has another time")


@SEEN.large
async def it_takes_as_many_as_it_says(stage: Stage) -> None:
    """A call with `max_seen` listings answers them all."""
    goods = stage.goods(stage.profile.max_seen)
    numbers = await stage.numbers([shown.ref for shown in goods])
    hold(numbers == [shown.quantity for shown in goods], "a full call is answered wrongly")


@SEEN.case
async def nothing_asked_nothing_read(stage: Stage) -> None:
    """No listings bring no readings."""
    hold(await stage.channel.seen([]) == [], "readings came that nobody asked for")


@SEEN.large
async def bulk_reads_everything_once(stage: Stage) -> None:
    """A bulk reading has every listing once, with what it shows."""
    bulk = stage.channel
    if not isinstance(bulk, BulkSeen):
        raise NotApplicable("the channel has no bulk reading")
    found: list[Seen] = []
    number = 0
    async for batch in await bulk.seen_all():
        number += 1
        hold(number <= MOST_BATCHES, "a bulk reading has no end")
        found += batch
    active = {reading.ref: reading.quantity for reading in found if reading.active}
    hold(len(found) == len({reading.ref for reading in found}), "a listing came twice")
    hold(active == {shown.ref: shown.quantity for shown in stage.simulator.shown()}, "a bulk reading is not true")


def _visible_s(stage: Stage) -> float:
    return stage.profile.staleness_s + stage.profile.visibility_delay_s + 1.0
