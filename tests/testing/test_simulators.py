"""Simulated remotes: one control API for all, faults of the real API, webhooks, and nothing left behind."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from adapters.memory.simulator import MemorySimulator, make
from syncd.sdk.loop_clock import LoopClock
from syncd.testing.clock import START, ManualClock
from syncd.testing.courier import Delivery
from syncd.testing.faults import Faults
from syncd.testing.loop import run_virtual
from syncd.testing.simulators import Unsupported, connector, opening_stock, serve, sku_name

AUTH = {"Authorization": f"Bearer {MemorySimulator.token}"}
PLACE = {"remote_id": "L-SKU-00001", "remote_location": ""}


class Remote:
    """A served simulator and a session to it."""

    def __init__(self, simulator: MemorySimulator, session: aiohttp.ClientSession) -> None:
        self.simulator = simulator
        self.session = session

    async def ask(self, method: str, path: str, json: Any = None, **options: Any) -> tuple[int, Any]:
        """Return status and body of an answer."""
        async with self.session.request(
            method, self.simulator.url + path, json=json, headers=AUTH, **options
        ) as answer:
            kind = answer.content_type
            return answer.status, await answer.json() if kind == "application/json" else await answer.text()

    async def push(self, quantity: int) -> tuple[int, Any]:
        """Write a number by the real API."""
        row = {"key": f"k{quantity}", "listing": {"id": "L-SKU-00001"}, "quantity": quantity}
        return await self.ask("POST", "/push", {"rows": [row]})


@asynccontextmanager
async def opened(*, seed: int = 1, skus: int = 3) -> AsyncIterator[Remote]:
    clock = LoopClock(asyncio.get_running_loop(), START)
    simulator = make(skus=skus, seed=seed, clock=clock)
    async with serve(simulator), aiohttp.ClientSession(connector=connector()) as session:
        for sku in range(1, skus + 1):
            simulator.stock(sku_name(sku), 20)
        yield Remote(simulator, session)


def in_virtual_time(play: Callable[[Remote], Awaitable[None]], **options: Any) -> None:
    async def run() -> None:
        async with opened(**options) as remote:
            await play(remote)

    run_virtual(run)


CONTROL = [
    ("GET", "listings", None, 200, {"listing": PLACE, "sku": "SKU-00001", "shown": 20}),
    ("POST", "orders", {"lines": [{"sku": "SKU-00001", "quantity": 2}]}, 201, "O-1001"),
    ("POST", "orders", {"lines": [{"sku": "SKU-00001", "quantity": 21}]}, 409, "21 wanted, 20 shown"),
    ("POST", "orders", {"lines": [{"sku": "SKU-9", "quantity": 1}]}, 404, "SKU-9"),
    ("POST", "orders", {"lines": []}, 400, "lines"),
    ("POST", "orders", {"lines": [{"sku": "SKU-00001", "quantity": 0}]}, 400, "quantity"),
    ("POST", "orders", {"lines": [{"sku": "SKU-00001", "quantity": 1, "colour": "red"}]}, 400, "colour"),
    ("POST", "orders/O-9/cancel", None, 404, "O-9"),
    ("POST", "orders/O-9/ship", None, 404, "O-9"),
    ("POST", "set", {"sku": "SKU-00001", "quantity": 5}, 200, 5),
    ("POST", "set", {"listing": {"remote_id": "L-SKU-00001"}, "quantity": 5}, 200, 5),
    ("POST", "set", {"listing": {"remote_id": "L-9"}, "quantity": 5}, 404, "L-9"),
    ("POST", "set", {"quantity": 5}, 400, "sku or a listing"),
    ("POST", "set", {"sku": "SKU-00001", "quantity": -1}, 400, "quantity"),
    ("POST", "faults", {"latency": 1, "refuse": 2}, 400, "latency: no such fault"),
    ("POST", "faults", {"refuse": 2}, 400, "refuse: not a number from 0 to 1"),
    ("POST", "faults", {"refuse": True}, 400, "refuse"),
    ("POST", "faults", {"refuse": 0.5}, 200, 0.5),
    ("GET", "faults", None, 200, "double_webhooks"),
    ("GET", "log", None, 200, "person"),
    ("GET", "log?after=x", None, 400, "error"),
    ("GET", "health", None, 200, "ok"),
    ("GET", "nowhere", None, 404, "Not Found"),
    ("PUT", "orders", None, 405, "Not Allowed"),
]


@pytest.mark.parametrize(("method", "path", "body", "status", "holds"), CONTROL)
def test_control_api(method: str, path: str, body: Any, status: int, holds: Any) -> None:
    """Each call of the control API is answered as stated, bad ones with what is wrong with them."""

    async def play(remote: Remote) -> None:
        got, answer = await remote.ask(method, f"/_sim/{path}", body)
        assert got == status
        assert str(holds) in str(answer)
        assert status < 400 or set(answer) == {"error"}

    in_virtual_time(play)


def test_orders_go_their_way() -> None:
    """An order is bought, cancelled in part, shipped, and every change of a number is in the log."""

    async def play(remote: Remote) -> None:
        _, order = await remote.ask("POST", "/_sim/orders", {"lines": [{"sku": "SKU-00001", "quantity": 3}]})
        path = f"/_sim/orders/{order['order_id']}"
        _, cancelled = await remote.ask("POST", f"{path}/cancel", {"quantity": 1})
        _, shipped = await remote.ask("POST", f"{path}/ship")
        assert order["lines"] == [{"sku": "SKU-00001", "quantity": 3, "listing": PLACE, "cancelled": 0, "shipped": 0}]
        assert (cancelled["lines"][0]["cancelled"], shipped["lines"][0]["shipped"]) == (1, 2)
        assert (await remote.ask("POST", f"{path}/cancel"))[0] == 409
        await remote.push(7)
        _, log = await remote.ask("GET", "/_sim/log?after=3")
        assert [(row["from"], row["to"], row["by"]) for row in log] == [
            (20, 17, "shopper"),
            (17, 18, "cancel"),
            (18, 7, "api"),
        ]
        assert all(row["listing"] == PLACE and row["at"] >= START for row in log)

    in_virtual_time(play)


def test_faults_are_merged_and_ended() -> None:
    """Named rates are changed, others stay, and an empty object ends all of them."""

    async def play(remote: Remote) -> None:
        await remote.ask("POST", "/_sim/faults", {"refuse": 0.1, "latency_s": 2})
        _, faults = await remote.ask("POST", "/_sim/faults", {"refuse": 0.2})
        assert (faults["refuse"], faults["latency_s"]) == (0.2, 2)
        _, faults = await remote.ask("POST", "/_sim/faults", {})
        assert set(faults.values()) == {0.0}

    in_virtual_time(play)


def test_control_is_never_in_trouble() -> None:
    """With every fault at its worst the control API answers."""

    async def play(remote: Remote) -> None:
        worst = {"latency_s": 3_600, "refuse": 1, "cut_after_effect": 1, "error_5xx": 1, "too_many": 1, "html": 1}
        await remote.ask("POST", "/_sim/faults", worst)
        async with asyncio.timeout(10.0):
            for _ in range(20):
                assert (await remote.ask("GET", "/_sim/listings"))[0] == 200

    in_virtual_time(play)


EFFECTLESS = [
    ({"error_5xx": 1.0}, {500, 502, 504}),
    ({"too_many": 1.0}, {429}),
    ({"html": 1.0}, {200}),
    ({"refuse": 1.0}, {503, None}),
]


@pytest.mark.parametrize(("faults", "statuses"), EFFECTLESS)
def test_troubled_calls_have_no_effect(faults: dict[str, float], statuses: set[int | None]) -> None:
    """5xx, 429, a web page and being sent away change nothing."""

    async def play(remote: Remote) -> None:
        remote.simulator.faults = Faults(**faults)
        got: set[int | None] = set()
        for _ in range(30):
            try:
                got.add((await remote.push(7))[0])
            except aiohttp.ClientConnectionError:
                got.add(None)
        assert got == statuses
        assert remote.simulator.shown()[0].quantity == 20

    in_virtual_time(play)


def test_a_cut_comes_after_the_effect() -> None:
    """A cut applies the write and hangs up without an answer."""

    async def play(remote: Remote) -> None:
        remote.simulator.faults = Faults(cut_after_effect=1.0)
        with pytest.raises(aiohttp.ClientConnectionError):
            await remote.push(7)
        assert remote.simulator.shown()[0].quantity == 7

    in_virtual_time(play)


async def test_a_cut_over_a_real_socket() -> None:
    """Over a real connection a cut is a connection that ends without an answer."""
    async with opened() as remote:
        remote.simulator.faults = Faults(cut_after_effect=1.0)
        with pytest.raises(aiohttp.ClientConnectionError):
            await remote.push(7)
        assert remote.simulator.shown()[0].quantity == 7
        remote.simulator.faults = Faults()
        assert (await remote.push(8))[0] == 200


def test_latency_is_waited_for() -> None:
    """A latency is added to every call of the real API."""

    async def play(remote: Remote) -> None:
        remote.simulator.faults = Faults(latency_s=30.0)
        began_s = asyncio.get_running_loop().time()
        assert (await remote.push(7))[0] == 200
        assert 30.0 <= asyncio.get_running_loop().time() - began_s < 31.0

    in_virtual_time(play)


def test_stale_reads_answer_the_past() -> None:
    """A stale read answers what was true a while ago, at most the simulator's staleness."""

    async def play(remote: Remote) -> None:
        remote.simulator.faults = Faults(stale_reads=1.0)
        await asyncio.sleep(10.0)
        await remote.push(7)
        seen: Counter[int] = Counter()
        for _ in range(40):
            _, answer = await remote.ask("POST", "/seen", {"listings": [{"id": "L-SKU-00001"}]})
            seen[answer["readings"][0]["quantity"]] += 1
        assert set(seen) == {7, 20}
        await asyncio.sleep(remote.simulator.staleness_s)
        _, answer = await remote.ask("POST", "/seen", {"listings": [{"id": "L-SKU-00001"}]})
        assert answer["readings"][0]["quantity"] == 7

    in_virtual_time(play)


def test_rates_are_rates() -> None:
    """A rate of 0.3 strikes about three calls in ten, in an order that the seed decides."""
    runs: list[list[int]] = []

    async def play(remote: Remote) -> None:
        remote.simulator.faults = Faults(too_many=0.3)
        runs.append([(await remote.ask("GET", "/health"))[0] for _ in range(300)])

    for seed in (1, 1, 2):
        in_virtual_time(play, seed=seed)
    assert runs[0] == runs[1] != runs[2]
    assert 60 <= runs[0].count(429) <= 120


# --- webhooks --------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def receiver(status: int = 200) -> AsyncIterator[tuple[str, list[tuple[float, bytes]]]]:
    """Serve an address that keeps when what came."""
    came: list[tuple[float, bytes]] = []

    async def take(request: web.Request) -> web.Response:
        came.append((asyncio.get_running_loop().time(), await request.read()))
        return web.Response(status=status)

    app = web.Application()
    app.router.add_post("/", take)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/", came
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("faults", "count", "late_s"),
    [
        ({}, 20, 1.0),
        ({"lost_webhooks": 1.0}, 0, 0.0),
        ({"double_webhooks": 1.0}, 40, 1.0),
        ({"late_webhooks_s": 600.0}, 20, 601.0),
    ],
)
def test_webhooks_as_the_faults_say(faults: dict[str, float], count: int, late_s: float) -> None:
    """Webhooks come once, never, twice or late, as they are told to."""

    async def play(remote: Remote) -> None:
        async with receiver() as (url, came):
            await remote.ask("POST", "/webhooks", {"url": url, "topics": ["order"]})
            remote.simulator.faults = Faults(**faults)
            began_s = asyncio.get_running_loop().time()
            for _ in range(20):
                remote.simulator.buy([("SKU-00001", 1)])
            await asyncio.sleep(1_000.0)
            assert len(came) == count
            assert len({body for _, body in came}) == min(count, 20)
            delays = [at - began_s for at, _ in came]
            assert all(delay <= late_s for delay in delays)
            assert not faults.get("late_webhooks_s") or max(delays) > 300.0

    in_virtual_time(play)


def test_late_webhooks_change_places() -> None:
    """Webhooks that are late by different times come in another order."""

    async def play(remote: Remote) -> None:
        async with receiver() as (url, came):
            await remote.ask("POST", "/webhooks", {"url": url, "topics": ["order"]})
            remote.simulator.faults = Faults(late_webhooks_s=60.0)
            numbers = [remote.simulator.buy([("SKU-00002", 1)]).number.encode() for _ in range(10)]
            await asyncio.sleep(100.0)
            order = [next(number for number in numbers if number in body) for _, body in came]
            assert sorted(order) == sorted(numbers)
            assert order != numbers

    in_virtual_time(play)


def test_the_sender_hears_how_it_ended() -> None:
    """Whoever sends a webhook hears whether it was answered by 2xx; a lost one counts as answered."""

    async def play(remote: Remote) -> None:
        heard: list[bool] = []
        simulator = remote.simulator

        def done(*, delivered: bool) -> None:
            heard.append(delivered)

        async with receiver() as (good, _), receiver(500) as (bad, _):
            for url in (good, bad, "http://nobody.example/"):
                simulator.notify(Delivery(url=url, body=b"{}"), done=done)
                await asyncio.sleep(5.0)
            simulator.faults = Faults(lost_webhooks=1.0)
            simulator.notify(Delivery(url=good, body=b"{}"), done=done)
        assert heard == [True, False, False, True]

    in_virtual_time(play)


def test_delays_follow_the_scale() -> None:
    """The simulator's own delays are multiplied by its scale of time."""

    async def play(remote: Remote) -> None:
        async with receiver() as (url, came):
            remote.simulator.time_scale = 0.01
            began_s = asyncio.get_running_loop().time()
            remote.simulator.notify(Delivery(url=url, body=b"{}"), delay_s=100.0)
            await asyncio.sleep(3.0)
            assert 1.0 <= came[0][0] - began_s < 2.0

    in_virtual_time(play)


# --- coming and going ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["real", "virtual"])
def test_nothing_is_left_behind(where: str) -> None:
    """When it stops, requests and webhooks that are under way end with it."""

    async def play() -> None:
        before = asyncio.all_tasks()
        async with opened() as remote:
            remote.simulator.faults = Faults(latency_s=3_600.0)
            remote.simulator.notify(Delivery(url="http://127.0.0.1:9/", body=b""), delay_s=3_600.0)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await remote.push(7)
            simulator = remote.simulator
        await asyncio.sleep(0.01)
        assert asyncio.all_tasks() == before
        assert simulator.url == ""
        simulator.notify(Delivery(url="http://127.0.0.1:9/", body=b""))
        assert asyncio.all_tasks() == before

    run_virtual(play) if where == "virtual" else asyncio.run(play())


def test_a_bug_beside_the_server_is_not_swallowed() -> None:
    """What background work raises comes out where the simulator is served."""

    async def bug() -> None:
        raise ZeroDivisionError

    async def play() -> None:
        async with opened() as remote:
            remote.simulator.courier.spawn(bug, name="bug")
            await asyncio.sleep(1.0)

    with pytest.raises(BaseException) as caught:  # noqa: PT011  (a group, or an error that holds one)
        run_virtual(play)
    assert "ZeroDivisionError" in repr(caught.value) or "ZeroDivisionError" in repr(caught.value.__context__)


def test_goods_are_equal_for_equal_seeds() -> None:
    """Every simulator of a seed starts with the same numbers, and another seed has others."""
    assert opening_stock(50, 1) == opening_stock(50, 1) != opening_stock(50, 2)
    assert opening_stock(2, 1)[1][0] == "SKU-00002"
    simulator = make(skus=50, seed=1, clock=ManualClock())
    assert [(shown.sku, shown.quantity) for shown in simulator.shown()] == opening_stock(50, 1)


def test_what_a_shop_has_not_is_said() -> None:
    """A simulator that knows no hiding or untracked stock says so."""

    class Plain(MemorySimulator):
        hide = MemorySimulator.__mro__[1].hide
        unmanage = MemorySimulator.__mro__[1].unmanage

    plain = Plain(skus=1, clock=ManualClock())
    for change in (plain.hide, plain.unmanage):
        with pytest.raises(Unsupported):
            change("SKU-00001")
