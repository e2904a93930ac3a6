"""The demo: the naive tool's bookkeeping, the script, the lags, the screen, and a short run of the whole thing."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import takewhile
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

from syncd.core.terms import SECOND_US
from syncd.demo.board import Board, Good, Line, Score, State
from syncd.demo.books import Books
from syncd.demo.lags import Lags, quantile
from syncd.demo.naive import CLOCKS, NaiveShop, NaiveShops
from syncd.demo.play import Sale
from syncd.demo.rest import Rest
from syncd.demo.script import CALM, LOSS, ROUND_S, SCARCITY, Ask, Delivery, Happening, Scene, Script
from syncd.demo.summary import tell
from syncd.demo.view import clock, draw, line, seconds, story
from syncd.demo.waiting import Wait

CHANNELS = ("north", "south", "east", "west")
RUN = "import sys; from syncd.demo import run_demo; sys.exit(run_demo({}))"
MOST_S = 90.0


def flash(units: int, *, until_s: float, sku: str = "A") -> list[Ask]:
    """Return shoppers who want one unit each, by turns at all channels."""
    return [
        Ask(at_s=until_s * number / units, channel=CHANNELS[number % len(CHANNELS)], sku=sku, quantity=1)
        for number in range(units)
    ]


def shop(*, stock: int = 10, every_s: float = 15.0, first_s: float = 15.0) -> NaiveShop:
    return NaiveShop(channels=CHANNELS, opening={"A": stock}, every_s=every_s, first_s=first_s)


# --- the naive tool -------------------------------------------------------------------------------------------------


def test_the_naive_tool_oversells_in_a_flash_sale() -> None:
    """Every channel sells the whole stock before the clock strikes; then all show nothing and refuse."""
    naive = shop()
    assert [naive.ask(ask) for ask in flash(60, until_s=10.0)] == [True] * 40 + [False] * 20
    books = naive.books
    assert (books.sold, books.oversold, books.refused, books.there["A"]) == (40, 30, 20, -30)
    naive.advance(15.0)
    assert naive.shown == {channel: {"A": 0} for channel in CHANNELS}
    assert (books.demand, books.hidden, books.left) == (60, 0, books.stocked - books.sold)


def test_a_faster_clock_oversells_less() -> None:
    """With a sync after each sale nothing is oversold; a check that reports overselling anyway would be wrong."""
    oversold = []
    for every_s in (0.1, 2.0, 100.0):
        naive = shop(every_s=every_s, first_s=every_s)
        for ask in flash(60, until_s=10.0):
            naive.ask(ask)
        oversold.append(naive.books.oversold)
    assert oversold[0] == 0 < oversold[1] < oversold[2]


def test_the_naive_tool_hears_of_goods_and_cancels_by_its_clock() -> None:
    """A delivery is not for sale before the clock strikes, a cancel at once on its own channel only."""
    naive = shop(stock=1)
    assert naive.ask(Ask(at_s=1.0, channel="north", sku="A", quantity=1, cancel_after_s=3.0))
    naive.deliver({"A": 5}, at_s=2.0)
    assert not naive.ask(Ask(at_s=3.0, channel="north", sku="A", quantity=1))
    assert naive.books.hidden == 1
    naive.advance(4.0)
    assert (naive.shown["north"]["A"], naive.shown["south"]["A"], naive.books.there["A"]) == (1, 1, 6)
    naive.advance(15.0)
    assert [shelf["A"] for shelf in naive.shown.values()] == [6] * 4
    assert naive.writes == 4


def test_several_clocks_are_told_by_their_mean() -> None:
    """The clocks strike one after the other, and the means add up as each one's books do."""
    naive = NaiveShops(channels=CHANNELS, opening={"A": 10}, every_s=15.0)
    for ask in flash(60, until_s=10.0):
        naive.ask(ask)
    naive.advance(20.0)
    each = [tool.books.oversold for tool in naive.shops]
    assert len(set(each)) > 1
    mean = naive.mean()
    assert mean["oversold"] == sum(each) / CLOCKS
    assert mean["demand"] == 60 == mean["sold"] + mean["refused"]
    assert mean["left"] == pytest.approx(mean["stocked"] - mean["sold"] + mean["cancelled"])


@pytest.mark.parametrize(("there", "quantity", "over"), [(5, 3, 0), (5, 5, 0), (2, 3, 1), (0, 2, 2), (-4, 2, 2)])
def test_only_units_that_are_not_there_are_oversold(there: int, quantity: int, over: int) -> None:
    """A sale oversells what is not there at that moment, whatever was oversold before."""
    books = Books()
    books.there["A"] = there
    assert books.sell("A", quantity) == over == books.oversold


# --- the script -----------------------------------------------------------------------------------------------------


def until(script: Script, at_s: float) -> list[Happening]:
    return list(takewhile(lambda happening: happening.at_s < at_s, script.happenings()))


def test_the_script_is_the_same_for_the_same_seed() -> None:
    """Equal seeds give the same shoppers in order of time, other seeds others."""
    one = until(Script(skus=12, seed=7), 2.5 * ROUND_S)
    assert one == until(Script(skus=12, seed=7), 2.5 * ROUND_S) != until(Script(skus=12, seed=8), 2.5 * ROUND_S)
    assert [happening.at_s for happening in one] == sorted(happening.at_s for happening in one)


@pytest.mark.parametrize(("skus", "round_s"), [(1, ROUND_S), (12, ROUND_S), (12, 8.0), (40, 20.0)])
def test_a_flash_sale_wants_far_more_than_there_is(skus: int, round_s: float) -> None:
    """In each round the goods of the flash sale are wanted several times over, on every channel, and come again."""
    script = Script(skus=skus, seed=3, round_s=round_s)
    happenings = until(script, round_s)
    asks = [happening for happening in happenings if isinstance(happening, Ask) and happening.sku in script.hot]
    wanted = sum(ask.quantity for ask in asks)
    assert wanted > 0.7 * SCARCITY * sum(script.opening()[sku] for sku in script.hot)
    assert len({ask.channel for ask in asks}) == 4
    assert sum(isinstance(happening, Delivery) for happening in happenings) == 1


def test_a_good_is_waited_for_in_the_first_round_alone() -> None:
    """One good more than was asked for sells out on every channel; a short show has no time for it."""
    script = Script(skus=12, seed=1, round_s=20.0)
    happenings = until(script, 3 * script.round_s)
    asks = [one for one in happenings if isinstance(one, Ask) and one.sku == script.awaited]
    assert sum(ask.quantity for ask in asks) > script.awaited_stock
    assert max(ask.at_s for ask in asks) < LOSS * script.round_s
    assert len({ask.channel for ask in asks}) == 4
    assert script.awaited not in {sku for one in happenings if isinstance(one, Delivery) for sku in one.goods}
    assert (script.goods[-1], len(script.goods)) == (script.awaited, 13)
    assert Script(skus=12, seed=1, round_s=8.0).awaited == ""


def test_what_is_broken_is_written_off_in_every_shop() -> None:
    """Broken units are not there any more, whoever counts, and the books still add up."""
    naive = NaiveShops(channels=CHANNELS, opening={"A": 4}, every_s=15.0)
    for ask in flash(4, until_s=1.0):
        naive.ask(ask)
    naive.lose("A", 3, at_s=2.0)
    for tool in naive.shops:
        assert tool.books.there["A"] == -3
        assert tool.books.left == tool.books.stocked - tool.books.sold + tool.books.cancelled


def test_every_fault_ends_within_its_round() -> None:
    """What goes wrong on a channel is over before the next round begins."""
    scenes = [happening for happening in until(Script(skus=12, seed=1), ROUND_S) if isinstance(happening, Scene)]
    faults = [(scene.channel, scene.faults) for scene in scenes if scene.faults is not None]
    assert any(fault != CALM[name] for name, fault in faults)
    assert all(fault == CALM[name] for name, fault in dict(faults).items())


# --- lags -----------------------------------------------------------------------------------------------------------


def sold(lags: Lags, *, at_s: float = 1.0, should: int = 4) -> None:
    lags.sold("north", "#1", "A", at=int(at_s * SECOND_US), should=should, shown=dict.fromkeys(CHANNELS, 5))


def shows(lags: Lags, channel: str, number: int, *, at_s: float, ours: bool = True) -> None:
    lags.shows(channel, "A", number, at=int(at_s * SECOND_US), ours=ours)


def test_a_sale_is_followed_to_every_other_channel() -> None:
    """Known counts from the sale, visible from the decision, total from the sale to the number."""
    lags = Lags(CHANNELS)
    sold(lags)
    shows(lags, "east", 4, at_s=1.5)
    lags.known("north", "#1", at=int(1.25 * SECOND_US))
    shows(lags, "south", 5, at_s=1.6)
    shows(lags, "south", 3, at_s=2.0)
    assert list(lags.series["north"].known) == [0.25]
    assert [list(lags.series[name].visible) for name in CHANNELS] == [[], [0.75], [0.25], []]
    assert sorted(lags.totals()) == [0.5, 1.0]


def test_what_is_no_lag_of_ours_is_not_counted() -> None:
    """An own sale of a channel ends a wait without a lag, and units that came make room for a higher number."""
    lags = Lags(CHANNELS)
    sold(lags)
    shows(lags, "south", 4, at_s=1.1, ours=False)
    shows(lags, "south", 3, at_s=9.0)
    lags.raised("A", 10)
    shows(lags, "west", 14, at_s=1.5)
    assert lags.totals() == [0.5]


def test_waits_for_a_channel_that_is_down_count_apart() -> None:
    """A wait that touches an outage is delayed, whichever channel is down; later ones count again."""
    lags = Lags(CHANNELS)
    lags.down("west", at=SECOND_US, is_down=True)
    sold(lags)
    lags.down("west", at=3 * SECOND_US, is_down=False)
    shows(lags, "south", 4, at_s=4.0)
    assert (lags.totals(), list(lags.delayed)) == ([], [3.0])
    sold(lags, at_s=5.0)
    shows(lags, "east", 4, at_s=6.0)
    assert (lags.totals(), list(lags.delayed)) == ([1.0], [3.0, 5.0])


@pytest.mark.parametrize(
    ("values", "share", "found"),
    [
        ([], 0.5, None),
        ([3.0], 0.99, 3.0),
        ([1.0, 2.0], 0.5, 1.0),
        ([2.0, 1.0, 3.0], 0.5, 2.0),
        ([1.0] * 99 + [9.0], 0.99, 1.0),
    ],
)
def test_quantiles(values: list[float], share: float, found: float | None) -> None:
    """A quantile is the smallest value that the share does not exceed."""
    assert quantile(values, share) == found


# --- the screen -----------------------------------------------------------------------------------------------------


def channel(name: str, *, known_s: float | None = 0.25, state: State = State.UP) -> Line:
    return Line(
        name=name, how="absolute, polled", state=state, known_s=known_s, visible_s=None, sold=12, writes=1_234_567
    )


def full(goods: int = 12) -> Board:
    return Board(
        scene="FLASH SALE on 3 SKUs, on all channels at once",
        at_s=3_725.4,
        of_s=None,
        factor=60,
        goods=tuple(
            Good(sku=f"SKU-{n:05d}", hot=n < 3, there=4 - n, cells={name: (n, max(0, 4 - n)) for name in CHANNELS})
            for n in range(goods)
        ),
        channels=tuple(channel(name, state=state) for name, state in zip(CHANNELS, [*State, State.UP], strict=True)),
        ours=Score(sold=100, oversold=3, refused=50, hidden=2, writes=800),
        naive=Score(sold=400.2, oversold=303.4),
        sales=tuple(Sale(at_s=n, channel="north", sku="SKU-00001", quantity=2, over=n % 2) for n in range(40)),
        median_s=0.4,
        p99_s=12.0,
        events=12_345,
        wait=Wait(sku="SKU-00013", sold_out=True, tickets=3, delivered=True, moved=3, moved_s=1.25, reopened_s=3.4),
    )


ODD = {
    "full": full(),
    "many goods": full(500),
    "nothing yet": Board(scene="", at_s=0.0, of_s=8.0, factor=60),
    "unknown": Board(
        scene="s" * 300,
        at_s=-1.0,
        of_s=1e9,
        factor=1,
        goods=(
            Good(sku="[bold]日本語の商品名はとても長い", hot=True, there=-(10**9), cells={}),
            Good(sku="", hot=False, there=10**9, cells={"[/]": (10**9, None), "west": (-5, 0)}),
        ),
        channels=(channel("[/]", known_s=None), channel("west" * 10, known_s=1e9)),
        naive=Score(sold=1e12),
        wait=Wait(
            sku="[/]" * 40, sold_out=True, tickets=10**9, delivered=True, moved=10**9, moved_s=1e9, reopened_s=1e9
        ),
        sales=(Sale(at_s=1e9, channel="", sku="[/]", quantity=10**9, over=10**9),),
    ),
}


def drawn(board: Board, *, width: int, height: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width, height=height, force_terminal=True, color_system=None)
    console.print(draw(board, width=width, height=height))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize(("width", "height"), [(80, 24), (140, 45), (100, 30), (300, 100)])
def test_the_screen_fits(name: str, width: int, height: int) -> None:
    """Whatever there is to tell, nothing is wider or higher than the terminal."""
    lines = drawn(ODD[name], width=width, height=height)
    assert len(lines) <= height
    assert max(cell_len(text) for text in lines) <= width


@pytest.mark.parametrize(("width", "height"), [(1, 1), (20, 5), (40, 12)])
def test_a_tiny_terminal_breaks_nothing(width: int, height: int) -> None:
    """Where there is no room something is drawn anyway."""
    assert drawn(full(), width=width, height=height)


def test_the_screen_tells_what_matters() -> None:
    """Numbers that are wrong show what they should be; down channels, oversold units and lags are there."""
    text = "\n".join(drawn(full(), width=140, height=45))
    for told in (
        "0→4",
        "62:05",
        "until Ctrl-C",
        "DOWN",
        "fails",
        "303",
        "1 oversold",
        "250 ms",
        "12.0 s",
        "12,345 MQTT",
    ):
        assert told in text, text


def test_a_line_tells_the_same() -> None:
    """Where there is no terminal one line says it and names the channel that is down; without a broker no MQTT."""
    told = line(full())
    assert told.startswith("62:05 FLASH SALE")
    assert "oversold 3 (naive 303)" in told
    assert "down: east" in told
    assert "SKU-00013: sold out, 3 tickets waited, truck came, 3 moved in 1.2 s, shown again after 3.4 s" in told
    assert "MQTT" not in line(ODD["nothing yet"])


WAITS = [
    ({}, []),
    ({"sold_out": True}, ["sold out"]),
    ({"sold_out": True, "tickets": 3}, ["sold out", "3 tickets wait"]),
    ({"tickets": 3, "delivered": True, "moved": 2}, ["3 tickets waited", "truck came", "2 moved"]),
    ({"delivered": True, "moved": 3, "moved_s": 0.5}, ["truck came", "3 moved in 500 ms"]),
]


@pytest.mark.parametrize(("wait", "steps"), WAITS)
def test_those_who_wait_are_told_step_by_step(wait: dict[str, Any], steps: list[str]) -> None:
    """Only what has happened is told of those who wait, in its order."""
    assert story(Wait(sku="A", **wait)) == steps


@pytest.mark.parametrize(
    ("wait", "told"),
    [
        ({"tickets": 3, "moved": 3, "moved_s": 1.2, "reopened_s": 3.4}, "3 tickets moved within 1.2 s"),
        ({"tickets": 3, "delivered": True}, "the truck came when the doors closed"),
        ({"tickets": 3}, "the truck had not come when the doors closed"),
    ],
)
def test_the_summary_tells_of_those_who_waited(wait: dict[str, Any], told: str) -> None:
    """How many waited, and how the delivery went for them, is in the summary, also where it did not come to an end."""
    rest = Rest(seconds=1.0, listings=32, below=0, busy=0, wrong=(), unbalanced=0)
    console = Console(file=io.StringIO(), width=100)
    tell(console, defaultdict(float), rest, Wait(sku="A", **wait), factor=60, broker=False)
    assert isinstance(console.file, io.StringIO)
    assert told in " ".join(console.file.getvalue().split())


def test_times_are_short() -> None:
    """Times fit their columns."""
    assert [seconds(value) for value in (None, 0.0, 0.0004, 0.9994, 1.0, 75.25)] == [
        "-", "0 ms", "0 ms", "999 ms", "1.0 s", "75.2 s"
    ]  # fmt: skip
    assert [clock(value) for value in (-3.0, 0.0, 61.9, 6_000.0)] == ["00:00", "00:00", "01:01", "100:00"]


@pytest.mark.parametrize(
    ("rest", "right", "told"),
    [
        ({}, True, "all 32 listings show their target"),
        ({"below": 2}, True, "2 of them less by the margin of absolute writes"),
        ({"wrong": ("west A: shows 3, should show 2",)}, False, "WRONG west A: shows 3, should show 2"),
        ({"busy": 1}, False, "NOT every channel shows its target (0 wrong, 1 under way)"),
        ({"unbalanced": 4}, False, "ledger: 4 differences"),
    ],
)
def test_the_summary_says_what_is_wrong(*, rest: dict[str, Any], right: bool, told: str) -> None:
    """Whatever is not right at rest is told, and only then is the end not right."""
    ended = Rest(**{"seconds": 1.0, "listings": 32, "below": 0, "busy": 0, "wrong": (), "unbalanced": 0} | rest)
    assert ended.right is right
    console = Console(file=io.StringIO(), width=80)
    tell(console, defaultdict(lambda: 1234.0), ended, None, factor=60, broker=False)
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert told in " ".join(text.split())
    assert ("WRONG" in text) == bool(ended.wrong)
    assert "1,234" in text


# --- the whole ------------------------------------------------------------------------------------------------------


@contextmanager
def started(arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run the demo in a process of its own, where every warning is an error but one: amqtt may leave a socket open."""
    command = [sys.executable, "-W", "error", "-W", "ignore::ResourceWarning", "-c", RUN.format(arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as demo:
        try:
            yield demo
        finally:
            demo.kill()


@pytest.mark.slow
def test_a_short_run_ends_right() -> None:
    """Simulators, daemon, broker and shoppers come to rest with every target shown, and the figures add up."""
    with started("seconds=6, skus=8, seed=19, as_json=True") as demo:
        out, err = demo.communicate(timeout=MOST_S)
    assert (demo.returncode, err) == (0, ""), out + err
    ended = json.loads(out)
    figures = ended["figures"]
    assert (ended["name"], ended["settings"]["skus"], figures["listings"]) == ("demo", 8, 32)
    assert figures["right"] == 1
    assert figures["wrong"] == figures["unbalanced"] == 0
    for tool in ("", "naive_"):
        assert figures[f"{tool}sold"] + figures[f"{tool}refused"] == pytest.approx(figures[f"{tool}demand"])
        left = figures[f"{tool}stocked"] - figures[f"{tool}sold"] + figures[f"{tool}cancelled"]
        assert figures[f"{tool}left"] == pytest.approx(left)
    assert figures["demand"] == figures["naive_demand"] > 0
    assert figures["writes"] > 0 < figures["mqtt_events"]
    assert 0 < figures["lag_p50_ms"] <= figures["lag_p99_ms"]


@pytest.mark.slow
def test_those_who_wait_are_told_before_a_channel_shows_the_good_again() -> None:
    """In a show of half a minute the tickets of short orders move, and only then does a channel show more."""
    with started("seconds=30, skus=4, seed=5, as_json=True") as demo:
        out, err = demo.communicate(timeout=3 * MOST_S)
    assert (demo.returncode, err) == (0, ""), out + err
    figures = json.loads(out)["figures"]
    assert figures["tickets_moved"] == figures["tickets"] >= 3
    assert 0 < figures["moved_s"] < figures["reopened_s"]


@pytest.mark.slow
def test_an_interrupt_before_the_doors_open_ends_it_quietly() -> None:
    """Ctrl-C at the beginning stops everything with a word and no traceback."""
    with started("skus=4") as demo:
        assert demo.stdout is not None
        assert "onboarding" in demo.stdout.readline()
        demo.send_signal(signal.SIGINT)
        out, err = demo.communicate(timeout=MOST_S)
    assert (demo.returncode, err) == (130, ""), out + err
    assert out.splitlines()[-1] == "ended before the doors opened"
