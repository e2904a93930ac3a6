"""Faults: whatever goes wrong, nothing is claimed that is not true."""

# ruff: noqa: D401  (the docstring of a case is a sentence of expected behaviour, as that of a test)

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from syncd.core.terms import Outcome, OutcomeKind
from syncd.sdk.errors import ChannelError, ProtocolError, RateLimited, TransientError
from syncd.testing.casebook import Group
from syncd.testing.cases.writes import DENIED, comes_to_show, kinds, write
from syncd.testing.simulators import Shown
from syncd.testing.stage import NotApplicable, Stage, hold, is_virtual

TROUBLE = Group("trouble")

LONGEST_CALL_S = 180.0
"""How long the engine waits for one call that reads."""
ENDLESS_S = 3_600.0
TURNS = 12
MIXED = {"refuse": 0.15, "cut_after_effect": 0.25, "error_5xx": 0.15, "too_many": 0.1, "html": 0.1}


async def verdict(stage: Stage, shown: Shown, quantity: int, *, number: int = 0) -> bool | None:
    """Push one write; return True when it is said to be in effect, False when certainly not, None when not known."""
    each = write(stage, shown, quantity, number=number)
    answer = await stage.attempt(stage.channel.push([each]))
    if isinstance(answer, ChannelError):
        return _of_error(answer)
    kind = kinds([each], answer)[0]
    return True if kind is OutcomeKind.APPLIED else False if kind in DENIED else None


def _of_error(error: ChannelError) -> bool | None:
    """An error of a push says that nothing had an effect; only an answer that was not understood leaves it open."""
    told = isinstance(error, TransientError) and error.sent
    hold(not told, "a push that may have had an effect raises instead of answering INDETERMINATE")
    return None if isinstance(error, ProtocolError) else False


async def is_borne_out(stage: Stage, shown: Shown, quantity: int, said: bool | None) -> None:  # noqa: FBT001  (a verdict)
    """Hold that what was said of a write is true, also after everything late has come."""
    await stage.calm()
    truth = stage.truth(shown.ref)
    hold(truth in (shown.quantity, quantity), "a write led to a number that nobody asked for")
    hold(said is not True or truth == quantity, "a write is said to be applied and is not")
    hold(said is not False or truth == shown.quantity, "a write is said not to be applied and is")


async def _risk(stage: Stage, **rates: float) -> bool | None:
    """Push one write in trouble, and hold that what it says is true; the channel was used before."""
    shown = stage.goods(1)[0]
    await stage.numbers([shown.ref])
    stage.trouble(**rates)
    said = await verdict(stage, shown, shown.quantity + 1)
    await is_borne_out(stage, shown, shown.quantity + 1, said)
    return said


@TROUBLE.case
async def a_cut_after_effect_is_not_denied(stage: Stage) -> None:
    """A write that took effect and whose answer is lost is not said to have had none."""
    shown = stage.goods(1)[0]
    await _risk(stage, cut_after_effect=1.0)
    hold(stage.truth(shown.ref) == shown.quantity + 1, "the simulator does not apply a write before it hangs up")


@TROUBLE.case
async def cuts_now_and_then_are_not_denied(stage: Stage) -> None:
    """Of many writes, some of whose answers are lost, none is claimed or denied wrongly."""
    for turn in range(TURNS):
        shown = stage.goods(1)[0]
        stage.trouble(cut_after_effect=0.5)
        said = await verdict(stage, shown, shown.quantity + 1, number=turn)
        await is_borne_out(stage, shown, shown.quantity + 1, said)


@TROUBLE.case
async def a_first_push_in_trouble_tells_the_truth(stage: Stage) -> None:
    """Also the very first call, before which the channel may have to log in, claims nothing that is not true."""
    shown = stage.goods(1)[0]
    stage.trouble(cut_after_effect=1.0)
    said = await verdict(stage, shown, shown.quantity + 1)
    await is_borne_out(stage, shown, shown.quantity + 1, said)


@TROUBLE.case
async def any_mixture_keeps_the_truth(stage: Stage) -> None:
    """Under all faults at once, what is said of a write is true."""
    for turn in range(TURNS):
        shown = stage.goods(1)[0]
        stage.trouble(**MIXED)
        said = await verdict(stage, shown, shown.quantity + 1, number=turn)
        await is_borne_out(stage, shown, shown.quantity + 1, said)


@TROUBLE.case
async def a_limit_has_no_effect(stage: Stage) -> None:
    """A write that the channel's limit refuses is not sent, and a reading says that it was the limit."""
    said = await _risk(stage, too_many=1.0)
    hold(said is False, "a write that was refused by a limit is not denied")
    stage.trouble(too_many=1.0)
    error = await stage.attempt(stage.channel.seen([stage.goods(1)[0].ref]))
    hold(isinstance(error, RateLimited), f"a reading that met a limit ends otherwise: {_name(error)}")


@TROUBLE.case
async def server_errors_pass_over(stage: Stage) -> None:
    """An answer of 5xx makes a reading fail for now, and a write uncertain or unsent."""
    await _risk(stage, error_5xx=1.0)
    stage.trouble(error_5xx=1.0)
    await _readings_fail(stage, (TransientError,))


@TROUBLE.case
async def a_web_page_is_not_an_answer(stage: Stage) -> None:
    """A page of HTML where data was expected is an error, never data, and confirms no write."""
    hold(await _risk(stage, html=1.0) is not True, "a web page is taken for the confirmation of a write")
    stage.trouble(html=1.0)
    await _readings_fail(stage, (ProtocolError, TransientError))


@TROUBLE.case
async def a_busy_server_passes_over(stage: Stage) -> None:
    """A channel that sends away or hangs up makes a reading fail for now, and claims nothing of a write."""
    hold(await _risk(stage, refuse=1.0) is not True, "a write that was sent away is said to be applied")
    stage.trouble(refuse=1.0)
    await _readings_fail(stage, (TransientError,))


@TROUBLE.case
async def nobody_there_means_not_sent(stage: Stage) -> None:
    """Where nobody listens, nothing is sent, and this is said."""
    shown = stage.goods(1)[0]
    await stage.stop_server()
    error = await stage.attempt(stage.channel.seen([shown.ref]))
    unsent = isinstance(error, TransientError) and not error.sent
    hold(unsent, f"a reading from nobody ends otherwise: {_name(error)}")
    hold(await verdict(stage, shown, 5) is False, "a write to nobody is not denied")
    hold(stage.truth(shown.ref) == shown.quantity, "a write to nobody has an effect")


@TROUBLE.case
async def no_answer_is_waited_for_in_vain(stage: Stage) -> None:
    """A channel that never answers is given up on before the engine's own limits."""
    if not is_virtual():
        raise NotApplicable("needs virtual time (syncd.testing.loop.run_virtual)")
    stage.trouble(latency_s=ENDLESS_S)
    shown = stage.goods(1)[0]
    for call in _reads(stage):
        took_s, error = await _timed(stage, call)
        hold(isinstance(error, TransientError), f"a reading without an answer ends otherwise: {_name(error)}")
        hold(took_s <= LONGEST_CALL_S, f"a reading without an answer is waited for {took_s:.0f} s")
    took_s, _ = await _timed(stage, lambda: stage.channel.push([write(stage, shown, 5)]))
    hold(took_s <= stage.profile.effect_delay_s, f"a push without an answer is waited for {took_s:.0f} s")


@TROUBLE.case
async def it_recovers(stage: Stage) -> None:
    """After every fault the channel reads and writes again, without being opened anew."""
    shown = stage.goods(1)[0]
    for place, name in enumerate(MIXED, start=1):
        stage.trouble(**{name: 1.0})
        await stage.attempt(stage.channel.orders(None))
        await stage.attempt(stage.channel.seen([shown.ref]))
        await stage.calm()
        for call in _reads(stage):
            answer = await stage.attempt(call())
            hold(not isinstance(answer, ChannelError), f"after {name} the channel stays broken: {_name(answer)}")
        now = next(each for each in stage.simulator.shown() if each.ref == shown.ref)
        hold(await verdict(stage, now, 50 + place, number=place) is not False, f"after {name} nothing can be written")
        await comes_to_show(stage, {shown.ref: 50 + place})


@TROUBLE.case
async def slow_answers_are_right(stage: Stage) -> None:
    """A slow channel is read rightly, and its readings know how long they took."""
    stage.trouble(latency_s=0.05)
    shown = stage.goods(1)[0]
    reading = (await stage.channel.seen([shown.ref]))[0]
    hold(reading.quantity == shown.quantity, "a slow reading is wrong")
    hold(reading.answered_at - reading.asked_at >= 50_000, "a reading does not know how long it took")


@TROUBLE.case
async def readings_in_trouble_are_right_or_fail(stage: Stage) -> None:
    """Under all faults at once a reading is right, or an error of the channel."""
    goods = stage.goods(4)
    stage.trouble(**MIXED)
    for _ in range(TURNS):
        answer = await stage.attempt(stage.channel.seen([shown.ref for shown in goods]))
        if not isinstance(answer, ChannelError):
            numbers = [reading.quantity for reading in answer]
            hold(numbers == [shown.quantity for shown in goods], "a reading in trouble is wrong")
        stage.clock.advance(60.0)


@TROUBLE.case
async def the_feed_in_trouble_loses_nothing(stage: Stage) -> None:
    """Scans that fail now and then, and are made again from their cursor, miss no order."""
    cursor = await stage.start()
    wanted: set[str] = set()
    told: set[str] = set()
    stage.trouble(**MIXED)
    for _ in range(TURNS):
        wanted.add(stage.simulator.buy([(stage.goods(1)[0].sku, 1)]).number)
        answer = await stage.attempt(stage.channel.orders(cursor))
        if not isinstance(answer, ChannelError):
            told |= {order.number for order in answer.orders}
            cursor = answer.cursor
        stage.clock.advance(60.0)
    await stage.calm()
    await stage.wait(stage.profile.feed_lateness_s)
    told |= {order.number for order in (await stage.scan(cursor)).orders}
    hold(told >= wanted, "an order got lost in trouble")


def _reads(stage: Stage) -> list[Callable[[], Awaitable[object]]]:
    ref = stage.goods(1)[0].ref
    return [
        lambda: stage.channel.orders(None),
        lambda: stage.channel.listings(None),
        lambda: stage.channel.seen([ref]),
        lambda: stage.channel.fetch(["1"]),
    ]


async def _readings_fail(stage: Stage, kind: tuple[type[ChannelError], ...]) -> None:
    for call in _reads(stage):
        error = await stage.attempt(call())
        hold(isinstance(error, kind), f"a reading in trouble ends otherwise: {_name(error)}")
        stage.clock.advance(60.0)


async def _timed(stage: Stage, call: Callable[[], Awaitable[object]]) -> tuple[float, object]:
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    answer = await stage.attempt(call())
    return loop.time() - began_s, answer


def _name(answer: object) -> str:
    if isinstance(answer, list) and answer and isinstance(answer[0], Outcome):
        return answer[0].kind.value
    return type(answer).__name__
