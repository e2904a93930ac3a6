"""The simulated system event notices: XML to the shop's address, at sales, changes and wishes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from xml.etree import ElementTree as ET

import pytest

from adapters.rakuten.simulator import make
from syncd.testing.faults import Faults
from syncd.testing.loop import run_virtual, running
from syncd.testing.simulators import serve
from tests.adapters.rakuten_simulation import Receiver, Scene, opened, receiving


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with opened() as scene:
        scene.simulator.turn(notify_delay_s=(0.0, 0.0))
        yield scene


@pytest.fixture
async def receiver(scene: Scene) -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        scene.simulator.notify_url = receiver.url
        yield receiver


def texts(raw: bytes) -> dict[str, str]:
    return {element.tag: element.text or "" for element in ET.fromstring(raw).iter()}


async def test_a_sale_is_told_with_what_makes_it_believable(scene: Scene, receiver: Receiver) -> None:
    """A new order is posted as XML with contract, shop and key of the settings, its number, time and lines."""
    number = scene.buy(("SKU-00001", 2))
    await receiver.until(lambda: len(receiver.got) == 1)
    headers, raw = receiver.got[0]
    assert headers["content-type"].startswith("text/xml")
    root, told, settings = ET.fromstring(raw), texts(raw), scene.simulator.settings(scene.url)
    assert root.tag == "orderNotifyModel"
    assert (told["contractId"], told["shopUrl"], told["authKey"]) == (
        settings["notify_contract_id"],
        settings["shop_url"],
        settings["notify_auth_key"],
    )
    assert (told["orderNumber"], told["orderDate"]) == (number, "2026/10/01 09:00:00")
    assert (told["units"], told["orgItemNumber"]) == ("2", scene.pair()[0])


async def test_a_notice_names_no_sku_and_no_buyer(scene: Scene, receiver: Receiver) -> None:
    """Notices are older than SKUs: no variant is in them, and nothing of the buyer."""
    scene.buy(("SKU-00002", 1))
    await receiver.until(lambda: len(receiver.got) == 1)
    raw = receiver.got[0][1].decode()
    assert scene.pair(2)[1] not in raw
    assert all(canary not in raw for canary in scene.simulator.canaries)


async def test_a_cancel_is_told_as_a_change(scene: Scene, receiver: Receiver) -> None:
    """A change of status comes as 4000:1100 with the order number as second value."""
    number = scene.buy(("SKU-00001", 1))
    scene.simulator.cancel(number)
    await receiver.until(lambda: len(receiver.got) == 2)
    told = next(texts(raw) for _, raw in receiver.got if b"<notifyModel" in raw)
    assert (told["serviceId"], told["functionId"]) == ("4000", "1100")
    assert (told["value2"], told["value5"], told["value6"], told["value7"]) == (number, "orderProgress", "100", "900")


async def test_a_wish_for_a_restock_is_told(scene: Scene, receiver: Receiver) -> None:
    """Somebody who presses 再入荷お知らせ is told as 4100:1100 with the page, and not who it was."""
    assert (await scene.post("/_sim/rakuten/restock-wish", {"sku": "SKU-00003"})).status == 200
    await receiver.until(lambda: len(receiver.got) == 1)
    told = texts(receiver.got[0][1])
    assert (told["serviceId"], told["value2"]) == ("4100", scene.pair(3)[0])


async def test_without_an_address_nothing_is_sent(scene: Scene, receiver: Receiver) -> None:
    """Nobody is told until a person has set the address, and what was before is not told again."""
    scene.simulator.notify_url = ""
    scene.buy(("SKU-00001", 1))
    assert (await scene.post("/_sim/rakuten/notify", {"url": receiver.url})).status == 200
    number = scene.buy(("SKU-00001", 1))
    await receiver.until(lambda: len(receiver.got) == 1)
    assert texts(receiver.got[0][1])["orderNumber"] == number


async def test_the_couriers_faults_reach_notices(scene: Scene, receiver: Receiver) -> None:
    """Notices are lost or doubled as the faults say; a double has the same bytes."""
    scene.simulator.faults = Faults(lost_webhooks=1.0)
    scene.buy(("SKU-00001", 1))
    scene.simulator.faults = Faults(double_webhooks=1.0)
    number = scene.buy(("SKU-00001", 1))
    await receiver.until(lambda: len(receiver.got) == 2)
    assert receiver.got[0][1] == receiver.got[1][1]
    assert texts(receiver.got[0][1])["orderNumber"] == number


def test_what_comes_later_is_told_in_its_time() -> None:
    """A cancel that becomes final later is told without anybody looking, and scaled like every delay."""

    async def story() -> list[str]:
        simulator = make(skus=3, seed=1, clock=running().clock)
        simulator.turn(cancel_pending_s=(100.0, 100.0), notify_delay_s=(0.0, 0.0), confirm_s=(3_000.0, 3_000.0))
        simulator.time_scale = 0.1
        async with serve(simulator), receiving() as receiver:
            simulator.notify_url = receiver.url
            number = simulator.buy([("SKU-00001", 1)]).number
            simulator.cancel(number)
            await asyncio.sleep(9.0)
            early = len(receiver.got)
            await asyncio.sleep(2.0)
            return [str(early), *(texts(raw).get("value7", "") for _, raw in receiver.got)]

    assert run_virtual(story, seed=1) == ["2", "", "800", "900"]
