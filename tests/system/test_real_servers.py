"""The daemon beside real servers: PostgreSQL as its store, mosquitto as its broker."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiomqtt
import pytest

from tests.real_servers import Missing, Mosquitto, Postgres, mosquitto, postgres, skip_or_fail
from tests.system.processes import Daemon, daemon, free_port
from tests.system.street import Street, street

OWNED = 75
HEARD_S = 90.0

pytestmark = [pytest.mark.slow, pytest.mark.real]


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    try:
        with postgres() as made:
            yield made
    except Missing as missing:
        skip_or_fail(missing)


@pytest.fixture
def broker() -> Iterator[Mosquitto]:
    try:
        with mosquitto() as made:
            yield made
    except Missing as missing:
        skip_or_fail(missing)


@asynccontextmanager
async def living(folder: Path, tables: dict[str, dict[str, Any]], shops: Street, port: int) -> AsyncIterator[Daemon]:
    async with daemon(folder, tables, port=port) as syncd:
        await shops.adopt(syncd, {shown.sku: 30 for shown in shops.shops["shopify"].shown()})
        yield syncd


# --- PostgreSQL -------------------------------------------------------------------------------------------------------


async def test_a_shop_on_postgresql(server: Postgres, tmp_path: Path) -> None:
    """On PostgreSQL a sale lowers the other channels, a second daemon is turned away, and a kill loses nothing."""
    port = free_port()
    with server.database("syncd_system") as url:
        async with street(seed=3) as shops:
            tables = shops.tables(f"http://127.0.0.1:{port}")
            tables["daemon"] = {"database_url": url.replace("postgresql+psycopg", "postgresql")}
            async with living(tmp_path, tables, shops, port) as syncd:
                await shops.at_rest(syncd, store_url=url)
                assert shops.buy("rakuten", {"SKU-00001": 2})
                await shops.at_rest(syncd, store_url=url)
                await turned_away(tmp_path / "second", tables)
                await killed_in_the_rush(syncd, shops)
                await shops.at_rest(syncd, store_url=url)


async def turned_away(folder: Path, tables: dict[str, dict[str, Any]]) -> None:
    second = Daemon(folder, {**tables, "http": {}})
    await second.start()
    assert await second.ended() == OWNED


async def killed_in_the_rush(syncd: Daemon, shops: Street) -> None:
    async with asyncio.TaskGroup() as group:
        crowd = group.create_task(shops.crowd())
        for _ in range(2):
            await asyncio.sleep(1)
            await syncd.kill()
            await syncd.start()
            await syncd.ready()
        crowd.cancel()


# --- MQTT -------------------------------------------------------------------------------------------------------------


async def test_a_sale_is_told_and_a_movement_is_taken(broker: Mosquitto, tmp_path: Path) -> None:
    """A sale comes out of the broker as a CloudEvent; a delivery that goes in changes what every channel shows."""
    port = free_port()
    async with street(seed=4) as shops:
        tables = shops.tables(f"http://127.0.0.1:{port}")
        tables["mqtt"] = {"url": f"mqtt://127.0.0.1:{broker.port}"}
        tables["daemon"] = {"instance": "corner"}
        async with living(tmp_path, tables, shops, port) as syncd, listening(broker) as client:
            await shops.at_rest(syncd)
            shops.buy("shopify", {"SKU-00002": 3})
            sale, attributes = await heard(client, "syncd/corner/event/sale")
            assert sale["account"] == "shopify"
            assert sale["lines"] == [{"sku": "SKU-00002", "quantity": 3}]
            assert attributes["specversion"] == "1.0"
            assert attributes["type"] == "syncd.sale.v1"
            assert {"id", "source", "time"} <= attributes.keys()
            command = {"request_id": "truck-1", "sku": "SKU-00002", "quantity": 10}
            await client.publish("syncd/corner/in/delivery", json.dumps(command), qos=1)
            await heard(client, "syncd/corner/out/truck-1")
            shops.stock["SKU-00002"] += 10
            await shops.at_rest(syncd)


@asynccontextmanager
async def listening(broker: Mosquitto) -> AsyncIterator[aiomqtt.Client]:
    async with aiomqtt.Client("127.0.0.1", broker.port, protocol=aiomqtt.ProtocolVersion.V5) as client:
        await client.subscribe("syncd/corner/event/sale", qos=1)
        await client.subscribe("syncd/corner/out/#", qos=1)
        yield client


async def heard(client: aiomqtt.Client, topic: str) -> tuple[Any, dict[str, str]]:
    """Return body and user properties of the next message on a topic."""
    async with asyncio.timeout(HEARD_S):
        async for message in client.messages:
            if str(message.topic) == topic:
                return json.loads(bytes(message.payload)), dict(getattr(message.properties, "UserProperty", []))
    raise AssertionError("the broker closed the connection")


async def test_a_broker_that_is_away_delays_nothing(tmp_path: Path) -> None:
    """With the broker down the channels are kept in step all the same."""
    port = free_port()
    async with street(seed=5) as shops:
        tables = shops.tables(f"http://127.0.0.1:{port}")
        tables["mqtt"] = {"url": f"mqtt://127.0.0.1:{free_port()}"}
        async with living(tmp_path, tables, shops, port) as syncd:
            await shops.at_rest(syncd)
            shops.buy("amazon", {"SKU-00003": 1})
            await shops.at_rest(syncd)
            assert await syncd.stop(seconds=90) == 0
