"""The mission, by real processes from the unit's own command to the customer's ticket.

Real mosquitto, the simulators of four marketplaces and of Zendesk, and a fifth channel that pip has installed. The
order of what happened is told by the simulators' own logs.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiomqtt
import pytest

from tests.real_servers import Missing, Mosquitto, mosquitto, skip_or_fail
from tests.system.mission import SYNCD, Remote, UnitDaemon, install, remotes
from tests.system.processes import ROOT, free_port, until

CHANNELS = ("shopify", "amazon", "rakuten", "qoo10", "csvshop")
SKU = "SKU-00001"
SKUS = 3
COUNTED, LEFT = 6, 4
"""Units that are counted, and that are left after the first sale."""
TIME_SCALE = 1 / 60
POLL_S = 2.0
LONG_S = 400.0
"""Longest wait for anything on a slow machine; its end is a failure."""
TOLD: Mapping[str, Mapping[str, Any]] = {
    "amazon": {"sweep_s": 10.0, "confirm_s": 3.0},
    "qoo10": {"visibility_s": 11, "calls_per_s": 10.0, "order_overlap_s": 10.0, "changes_s": 10.0, "restore_s": 2.0},
}
"""What adapters are told of delays that are shortened."""
INSTANCE = "mission"

pytestmark = [pytest.mark.slow, pytest.mark.real]


@pytest.fixture
def broker() -> Iterator[Mosquitto]:
    try:
        with mosquitto() as made:
            yield made
    except Missing as missing:
        skip_or_fail(missing)


def tables(there: Mapping[str, Remote], broker: Mosquitto, port: int) -> dict[str, dict[str, Any]]:
    """Return the settings of the daemon."""
    found: dict[str, dict[str, Any]] = {
        "daemon": {"instance": INSTANCE, "drain_s": 30.0},
        "http": {"public_url": f"http://127.0.0.1:{port}"},
        "mqtt": {"url": f"mqtt://127.0.0.1:{broker.port}"},
        "brake": {"minimum": 1_000_000},
        "policy": {"exposure": "pool", "raise_delay_s": 1.0},
        "incidents": {"settle_s": 5.0},
        "waitlist": {"tell_first_s": 3_600.0},
        "letters": {"quiet": ""},  # tests run at any hour
    }
    for name, remote in there.items():
        more = {"poll_s": POLL_S} if remote.table == "desks" else {"poll_s": POLL_S, "hand_edit_days": 0}
        found[f"{remote.table}.{name}"] = {"adapter": name, **more}
        found[f"{remote.table}.{name}.settings"] = {**remote.settings, **TOLD.get(name, {})}
    return found


async def test_the_mission(broker: Mosquitto, tmp_path: Path) -> None:
    """A sale lowers the others, a sell-out opens tickets, a delivery moves them before a channel shows more again."""
    packages = tmp_path / "packages"
    install(ROOT / "examples" / "csvshop", packages)
    port = free_port()
    async with remotes([*CHANNELS, "zendesk"], tmp_path, packages=packages, skus=SKUS, time_scale=TIME_SCALE) as there:
        shops, desk = {name: there[name] for name in CHANNELS}, there["zendesk"]
        await desk.post("/faults", index_lag_s=0.0, held_back_s=1.0)
        folder = tmp_path / "daemon"
        folder.mkdir()
        syncd = UnitDaemon(folder, tables(there, broker, port), port=port, packages=packages)
        provision(syncd, "amazon")
        async with heard(broker) as events, running(syncd):
            await opened(syncd, shops)
            await sale(shops)
            numbers = await sell_out(shops)
            tickets = await waiting(syncd, desk, numbers)
            await restock(syncd, shops, desk, tickets)
            await until(lambda: untold(events), what="the events are told", seconds=LONG_S)
            assert await syncd.stop(seconds=LONG_S) == 0
            assert {"READY=1", "WATCHDOG=1", "STOPPING=1"} <= set(syncd.hear())


def provision(syncd: UnitDaemon, account: str) -> None:
    """Set up what the messages of an account need, as its owner does once."""
    command = [str(SYNCD), "provision", account, "--config", str(syncd.config), "--json"]
    environ = {"PATH": os.environ["PATH"], "HOME": str(syncd.folder), "PYTHONPATH": str(syncd.packages)}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=LONG_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@asynccontextmanager
async def running(syncd: UnitDaemon) -> AsyncIterator[None]:
    """Run the daemon; whatever is left of it is killed."""
    try:
        await syncd.start()
        await syncd.ready()
        yield
    finally:
        if syncd.process is not None:
            await syncd.kill()
        syncd.close()


@asynccontextmanager
async def heard(broker: Mosquitto) -> AsyncIterator[Counter[str]]:
    """Count the events that the broker is told, by kind."""
    found: Counter[str] = Counter()

    async def listen(client: aiomqtt.Client) -> None:
        async for message in client.messages:
            found[str(message.topic).rpartition("/event/")[2]] += 1

    async with aiomqtt.Client("127.0.0.1", broker.port) as client:
        await client.subscribe(f"syncd/{INSTANCE}/event/#", qos=1)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(listen(client))
            yield found
            task.cancel()


async def untold(events: Counter[str]) -> list[str]:
    return sorted({"sale", "incident"} - set(events))


async def shown(shops: Mapping[str, Remote]) -> dict[str, int]:
    return {name: await shop.shows(SKU) for name, shop in shops.items()}


async def not_at(shops: Mapping[str, Remote], units: int, *, slack: int = 0) -> dict[str, int]:
    """Return what is shown, where a channel shows something else than so many; absolute ones may show a little less."""
    found = await shown(shops)
    return {} if all(units - slack <= number <= units for number in found.values()) else found


async def opened(syncd: UnitDaemon, shops: Mapping[str, Remote]) -> None:
    """Set the desk up, count, release everything, and wait until every channel shows the count."""
    await syncd.post("/desks/zendesk/provision", language="ja")
    await syncd.post("/desks/zendesk/go")
    await until(lambda: unlisted(syncd), what="the catalogues are known", seconds=LONG_S)
    rows = [{"sku": f"SKU-{number:05d}", "quantity": COUNTED} for number in range(1, SKUS + 1)]
    await syncd.post("/stock/count", rows=rows, force=True)
    for name in shops:
        await syncd.post(f"/accounts/{name}/go")
    await until(lambda: not_at(shops, COUNTED), what="all channels show the count", seconds=LONG_S)


async def unlisted(syncd: UnitDaemon) -> list[str]:
    page = await syncd.get("/listings?limit=1000")
    known = {row["account"] for row in page["rows"] if row["sku"] == SKU}
    return sorted(set(CHANNELS) - known)


async def sale(shops: Mapping[str, Remote]) -> None:
    """Let the fifth channel sell, and see all others lowered."""
    await shops["csvshop"].buy(SKU, COUNTED - LEFT)
    await until(lambda: not_at(shops, LEFT, slack=1), what="a sale lowers the others", seconds=LONG_S)


async def sell_out(shops: Mapping[str, Remote]) -> list[str]:
    """Sell everything, and three units more than there are, on all channels at once; return the orders' numbers."""
    names = ["csvshop"] * (LEFT - 1) + ["amazon", "qoo10", "rakuten", "shopify"]  # who is heard of last sells first
    numbers = [await shops[name].buy(SKU, 1) for name in names]
    await until(lambda: not_at(shops, 0), what="the sell-out closes every channel", seconds=LONG_S)
    return numbers


async def waiting(syncd: UnitDaemon, desk: Remote, numbers: list[str]) -> list[str]:
    """Let customers of two short orders ask, the third be silent; return the tickets once each has SKU and state."""
    await until(lambda: not_short(syncd, 3), what="three orders are short", seconds=LONG_S)
    entries = (await syncd.get(f"/waitlist?sku={SKU}"))["rows"]
    short = [entry["order_number"] for entry in entries]
    assert set(short) <= set(numbers)
    for number in short[:2]:
        await desk.post("/tickets", subject="いつ届きますか", text=f"注文番号 {number} です")
    await until(lambda: unopened(desk, short), what="each short order has a ticket", seconds=LONG_S)
    opened = [held["ticket_id"] for held in await desk.get("/tickets") if held["order_number"] in short]
    await until(lambda: unheard(syncd, opened), what="syncd knows of each ticket", seconds=LONG_S)
    return opened


async def not_short(syncd: UnitDaemon, orders: int) -> str:
    rows = (await syncd.get(f"/waitlist?sku={SKU}&state=pending"))["rows"]
    return "" if len(rows) == orders else f"{len(rows)} are short"


async def unopened(desk: Remote, short: list[str]) -> list[str]:
    """Return the short orders that no ticket shows yet."""
    held = await desk.get("/tickets")
    told = {one["order_number"] for one in held if (one["sku"], one["state"]) == (SKU, "pending")}
    return sorted(set(short) - told)


async def unheard(syncd: UnitDaemon, opened: list[str]) -> list[str]:
    """Return the tickets that syncd does not know of yet: one that it opened is known once the answer is decided."""
    return sorted(set(opened) - {row["ticket_id"] for row in (await syncd.get("/tickets"))["rows"]})


async def restock(syncd: UnitDaemon, shops: Mapping[str, Remote], desk: Remote, tickets: list[str]) -> None:
    """See a delivery move every ticket before any channel shows more, by the simulators' own clocks."""
    before = {name: len(await shop.get("/log")) for name, shop in shops.items()}
    rows = [{"sku": SKU, "quantity": 20}]
    await syncd.post("/stock/move", move="receive", rows=rows, request_id="truck-1", force=True)
    await until(lambda: not_at(shops, 17, slack=1), what="the channels re-open with what is left", seconds=LONG_S)
    log = await desk.get("/log")
    moves = {row["ticket_id"]: row["at"] for row in log if (row["what"], row["value"]) == ("state", "restocked")}
    times = Counter(row["ticket_id"] for row in log if (row["what"], row["value"]) == ("state", "restocked"))
    assert (set(moves), set(times.values())) == (set(tickets), {1})
    for name, shop in shops.items():
        changes = await shop.get(f"/log?after={before[name]}")
        raises = [row["at"] for row in changes if row["by"] == "api" and row["to"] > row["from"]]
        assert raises, f"{name} was raised by syncd"
        assert max(moves.values()) < min(raises), f"{name} re-opened before the last ticket was moved"
