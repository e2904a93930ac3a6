"""Writing numbers: each ends as it says, and none harms its neighbours."""

# ruff: noqa: D401  (the docstring of a case is a sentence of expected behaviour, as that of a test)

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from syncd.core.terms import ListingRef, Outcome, OutcomeKind, Write, WriteMode
from syncd.testing.casebook import Group
from syncd.testing.cases.readings import stranger
from syncd.testing.simulators import Shown
from syncd.testing.stage import NotApplicable, Stage, hold, uuid

PUSH = Group("push")

Numbers: TypeAlias = Mapping[ListingRef, int]

DONE = frozenset({OutcomeKind.APPLIED, OutcomeKind.ACCEPTED})
DENIED = frozenset({OutcomeKind.STALE, OutcomeKind.REJECTED, OutcomeKind.UNSENT})
LARGE = 99_999
"""The largest number that every known channel takes (Rakuten's limit)."""
_FIRST_KEY = 1 << 40


def write(stage: Stage, shown: Shown, quantity: int, *, number: int = 0) -> Write:
    """Return the write that brings a listing from what it shows to a quantity, as the channel's mode wants it."""
    mode = stage.profile.write_mode
    return Write(
        key=uuid(_FIRST_KEY + number),
        ref=shown.ref,
        quantity=quantity,
        expected=shown.quantity if mode is WriteMode.COMPARE_AND_SET else None,
        delta=quantity - shown.quantity if mode is WriteMode.DELTA else None,
    )


async def push(stage: Stage, writes: Sequence[Write]) -> list[OutcomeKind]:
    """Push, and hold that one outcome came per write, in order."""
    outcomes = await stage.channel.push(writes)
    return kinds(writes, outcomes)


def kinds(writes: Sequence[Write], outcomes: Sequence[Outcome]) -> list[OutcomeKind]:
    """Return the kinds of outcomes; holds that they fit the writes."""
    fits = [outcome.key for outcome in outcomes] == [each.key for each in writes]
    hold(fits, "there is not one outcome per write, in the order of the writes")
    return [outcome.kind for outcome in outcomes]


async def comes_to_show(stage: Stage, expected: Numbers) -> None:
    """Hold that the simulator comes to show these numbers, and that they can be read."""
    refs = list(expected)

    async def shown() -> bool:
        return all(stage.truth(ref) == expected[ref] for ref in refs)

    async def seen() -> bool:
        return await stage.numbers(refs) == [expected[ref] for ref in refs]

    profile = stage.profile
    await stage.comes_true(shown, "a write that was taken has no effect", within_s=profile.effect_delay_s)
    visible_s = profile.visibility_delay_s + profile.staleness_s + 1.0
    await stage.comes_true(seen, "an effect cannot be seen in time", within_s=visible_s)


async def keeps_showing(stage: Stage, expected: Numbers) -> None:
    """Hold that nothing changes, also when time passes."""
    await stage.wait(stage.profile.effect_delay_s)
    hold(all(stage.truth(ref) == expected[ref] for ref in expected), "a write changed what it may not change")


@PUSH.case
async def it_is_applied_and_shown(stage: Stage) -> None:
    """A write is done, takes effect and can be seen."""
    shown = stage.goods(1)[0]
    hold((await push(stage, [write(stage, shown, 7)]))[0] in DONE, "a plain write is not done")
    await comes_to_show(stage, {shown.ref: 7})


@PUSH.case
async def each_write_has_its_outcome(stage: Stage) -> None:
    """Several writes are answered one by one, in their order, and each takes effect on its own listing."""
    goods = stage.goods(4)[::-1]
    writes = [write(stage, shown, 20 + place, number=place) for place, shown in enumerate(goods)]
    hold(set(await push(stage, writes)) <= DONE, "one of several writes is not done")
    await comes_to_show(stage, {each.ref: each.quantity for each in writes})


@PUSH.case
async def an_unknown_listing_is_rejected_alone(stage: Stage) -> None:
    """A write to a listing that is not there is rejected, without an error and without harm to its neighbours."""
    first, second = stage.goods(2)
    nobody = Shown(ref=stranger(first.ref), sku="", quantity=first.quantity)
    writes = [write(stage, shown, 5, number=place) for place, shown in enumerate((first, nobody, second))]
    ends = await push(stage, writes)
    hold(ends[1] is OutcomeKind.REJECTED, "a write to a listing that is not there is not rejected")
    hold({ends[0], ends[2]} <= DONE | {OutcomeKind.UNSENT}, "a neighbour of a rejected write has a wrong end")
    await comes_to_show(
        stage,
        {
            shown.ref: 5 if end in DONE else shown.quantity
            for shown, end in zip((first, second), (ends[0], ends[2]), strict=True)
        },
    )


@PUSH.case
async def a_stale_write_changes_nothing(stage: Stage) -> None:
    """A guarded write that meets another number is stale and has no effect; its neighbours are written or unsent."""
    _only(stage, WriteMode.COMPARE_AND_SET)
    first, second = stage.goods(2)
    stage.simulator.set_shown(first.ref, first.quantity + 5)
    ends = await push(stage, [write(stage, first, 3), write(stage, second, 3, number=1)])
    hold(ends[0] is OutcomeKind.STALE, "a guarded write that met another number is not stale")
    hold(ends[1] in DONE | {OutcomeKind.UNSENT}, "the neighbour of a stale write has a wrong end")
    after = 3 if ends[1] in DONE else second.quantity
    await keeps_showing(stage, {first.ref: first.quantity + 5, second.ref: after})


@PUSH.case
async def a_sale_makes_a_guarded_write_stale(stage: Stage) -> None:
    """A shopper who came first is not overwritten."""
    _only(stage, WriteMode.COMPARE_AND_SET)
    shown = stage.goods(1)[0]
    late = write(stage, shown, shown.quantity + 1)
    stage.simulator.buy([(shown.sku, 1)])
    hold((await push(stage, [late]))[0] is OutcomeKind.STALE, "a write that a sale overtook is not stale")
    await keeps_showing(stage, {shown.ref: shown.quantity - 1})


@PUSH.case
async def a_delta_adds_to_what_is_shown(stage: Stage) -> None:
    """A delta is added to what is shown at that moment, sales in between included."""
    _only(stage, WriteMode.DELTA)
    shown = stage.goods(1)[0]
    more = write(stage, shown, shown.quantity + 4)
    stage.simulator.buy([(shown.sku, 1)])
    hold((await push(stage, [more]))[0] in DONE, "a delta is not done")
    await comes_to_show(stage, {shown.ref: shown.quantity + 3})


@PUSH.case
async def a_delta_below_zero_changes_nothing(stage: Stage) -> None:
    """A delta that would lead below zero has no effect and is not said to have one."""
    _only(stage, WriteMode.DELTA)
    if stage.profile.shows_negative:
        raise NotApplicable("the channel shows numbers below zero")
    shown = stage.goods(1)[0]
    lower = write(stage, shown, 0)
    stage.simulator.buy([(shown.sku, 1)])
    hold((await push(stage, [lower]))[0] in DENIED, "a delta that leads below zero is said to be done")
    await keeps_showing(stage, {shown.ref: shown.quantity - 1})


@PUSH.case
async def an_unconditional_write_overwrites(stage: Stage) -> None:
    """A write without an expected number and without a delta sets the number, whatever was shown."""
    shown = stage.goods(1)[0]
    stage.simulator.set_shown(shown.ref, shown.quantity + 5)
    bare = Write(key=uuid(_FIRST_KEY), ref=shown.ref, quantity=4)
    hold((await push(stage, [bare]))[0] in DONE, "an unconditional write is not done")
    await comes_to_show(stage, {shown.ref: 4})


@PUSH.case
async def zero_is_always_written(stage: Stage) -> None:
    """A write to zero needs no condition, in every mode."""
    first, second = stage.goods(2)
    stage.simulator.buy([(first.sku, 1)])
    writes = [
        Write(key=uuid(_FIRST_KEY + place), ref=ref, quantity=0) for place, ref in enumerate((first.ref, second.ref))
    ]
    hold(set(await push(stage, writes)) <= DONE, "a write to zero is not done")
    await comes_to_show(stage, {first.ref: 0, second.ref: 0})


@PUSH.case
async def a_large_number_is_written(stage: Stage) -> None:
    """A number as large as the smallest channel takes arrives whole."""
    shown = stage.goods(1)[0]
    hold((await push(stage, [write(stage, shown, LARGE)]))[0] in DONE, "a large number is not written")
    await comes_to_show(stage, {shown.ref: LARGE})


@PUSH.case
async def the_same_number_is_no_error(stage: Stage) -> None:
    """A write of what is shown already is done."""
    shown = stage.goods(1)[0]
    hold((await push(stage, [write(stage, shown, shown.quantity)]))[0] in DONE, "writing the same number fails")
    await comes_to_show(stage, {shown.ref: shown.quantity})


@PUSH.case
async def one_key_is_applied_once(stage: Stage) -> None:
    """The same intent pushed again, after a sale, does not undo the sale."""
    _only(stage, WriteMode.COMPARE_AND_SET)
    shown = stage.goods(1)[0]
    intent = write(stage, shown, 9)
    await push(stage, [intent])
    await comes_to_show(stage, {shown.ref: 9})
    stage.simulator.buy([(shown.sku, 2)])
    await push(stage, [intent])
    await keeps_showing(stage, {shown.ref: 7})


@PUSH.large
async def it_takes_as_many_as_it_says(stage: Stage) -> None:
    """A push of `max_push` writes is done whole; rows may stand back, as long as others get through."""
    goods = stage.goods(stage.profile.max_push)
    left = [write(stage, shown, shown.quantity + 1, number=place) for place, shown in enumerate(goods)]
    while left:
        ends = await stage.channel.push(left)
        some = list(zip(left, kinds(left, ends), ends, strict=True))
        hold({kind for _, kind, end in some if not end.deferred} <= DONE, "a full push is not done whole")
        rest = [each for each, _, end in some if end.deferred]
        hold(len(rest) < len(left), "all rows of a push stand back")
        left = rest
        await stage.wait(stage.profile.effect_delay_s if left else 0.0)
    await comes_to_show(stage, {shown.ref: shown.quantity + 1 for shown in goods})


@PUSH.case
async def nothing_given_nothing_written(stage: Stage) -> None:
    """No writes have no outcomes."""
    hold(await push(stage, []) == [], "outcomes came for nothing")
    hold(not len(stage.simulator.log), "something was written")


def _only(stage: Stage, mode: WriteMode) -> None:
    if stage.profile.write_mode is not mode:
        raise NotApplicable(f"the channel writes by {stage.profile.write_mode.value}")
