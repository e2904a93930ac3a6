"""The webhook edge: what it takes, what it refuses, and that nothing is acknowledged before it is durable."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import web

from syncd.core.facts import AccountFact, AccountState, HintFact, OrderFact
from syncd.core.terms import AccountId, ListingRef, OrderSnapshot
from syncd.edges import webhook
from syncd.edges.webhook import BODY_BYTES, entries_of, routes
from syncd.sdk.channel import Forged, Notice, RawRequest, SubscriptionReport
from syncd.sdk.errors import ProtocolError
from syncd.store import inbox
from syncd.store.inbox import Entry
from syncd.store.session import StoreBusy, StoreFull
from tests.web.rig import Quiet, Rig, running, served

KEY = b"the secret of the shop"


def sign(body: bytes) -> str:
    return hmac.new(KEY, body, hashlib.sha256).hexdigest()


class Hooked(Quiet):
    """A channel that sends signed webhooks: `{"id", "orders"?, "ids"?, "stop"?}`."""

    def verify(self, request: RawRequest) -> None:
        given = request.headers.get("x-signature")
        if given is None:
            raise Forged(400, "no signature")
        if not hmac.compare_digest(given, sign(request.body)):
            raise Forged(401, "wrong signature")

    def parse(self, request: RawRequest) -> Notice:
        said = msgspec.json.decode(request.body)
        if "bug" in said:
            raise KeyError("a fault of the adapter")
        if "id" not in said:
            raise ProtocolError("no id", sample="{}")
        orders = tuple(msgspec.convert(order, OrderSnapshot) for order in said.get("orders", ()))
        text = said.get("stop", "")
        ids = tuple(said.get("ids", ()))
        return Notice(dedupe_key=said["id"], orders=orders, order_ids=ids, text=text, stop=bool(text))

    async def subscribe(self, url: str) -> SubscriptionReport:
        return SubscriptionReport()


class Sender:
    """Sends webhooks and answers their status."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self.session = session
        self.url = url

    async def send(self, said: Any, *, account: str = "shop", signature: str | None = None) -> int:
        body = said if isinstance(said, bytes) else msgspec.json.encode(said)
        headers = {"X-Signature": sign(body) if signature is None else signature}
        async with self.session.post(f"{self.url}/webhooks/{account}", data=body, headers=headers) as answer:
            assert await answer.read() == b""
            return answer.status


@pytest.fixture
async def hooked(tmp_path: Path) -> AsyncIterator[Rig]:
    async with running(tmp_path, channels={"shop": Hooked(), "mall": Quiet()}) as rig:
        yield rig


@pytest.fixture
async def sender(hooked: Rig) -> AsyncIterator[Sender]:
    app = web.Application()
    app.add_routes(routes(hooked.plant))
    async with served(app) as url, aiohttp.ClientSession() as session:
        yield Sender(session, url)


async def facts(rig: Rig) -> list[Any]:
    return [received.fact for received in await rig.plant.store.read(lambda c: inbox.waiting(c, after=0, limit=100))]


async def test_an_order_is_durable_before_the_answer(hooked: Rig, sender: Sender) -> None:
    """A genuine webhook with an order is in the inbox when its sender gets 200."""
    order = hooked.snapshot("1", ("r1", "A", 2))
    assert await sender.send({"id": "d1", "orders": [order]}) == 200
    assert [fact.order for fact in await facts(hooked) if isinstance(fact, OrderFact)] == [order]


async def test_a_repeated_delivery_changes_nothing(hooked: Rig, sender: Sender) -> None:
    """The second delivery under one id gets 200 and leaves nothing in the inbox, also at the same instant."""
    said = {"id": "d1", "orders": [hooked.snapshot("1", ("r1", "A", 2))], "ids": ["o-2"]}
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(sender.send(said)) for _ in range(5)]
    assert [task.result() for task in tasks] == [200] * 5
    assert len(await facts(hooked)) == 2


async def test_forged_webhooks_are_refused(hooked: Rig, sender: Sender) -> None:
    """A webhook that its channel did not sign gets the verdict's status, and nothing is stored."""
    assert await sender.send({"id": "d1", "ids": ["o-1"]}, signature="00") == 401
    async with sender.session.post(f"{sender.url}/webhooks/shop", data=b"{}") as answer:
        assert answer.status == 400
    assert await facts(hooked) == []


@pytest.mark.parametrize("account", ["mall", "nobody", "shop%00"])
async def test_nobody_learns_which_accounts_there_are(hooked: Rig, sender: Sender, account: str) -> None:
    """An account that is unknown, or sends no webhooks, answers like a forged webhook."""
    assert await sender.send({"id": "d1", "ids": ["o-1"]}, account=account) == 401
    assert await facts(hooked) == []


async def test_large_bodies_are_refused(hooked: Rig, sender: Sender) -> None:
    """A body above the limit gets 413, whether its length is told or not."""
    async with sender.session.post(f"{sender.url}/webhooks/shop", data=BytesIO(b" " * (BODY_BYTES + 1))) as answer:
        assert answer.status == 413

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(BODY_BYTES // 65_536 + 1):
            yield b" " * 65_536

    async with sender.session.post(f"{sender.url}/webhooks/shop", data=pieces()) as answer:
        assert answer.status == 413
    assert await sender.send({"id": "d1", "ids": ["o-1"]}) == 200


async def test_an_unfinished_body_is_cut(hooked: Rig, sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    """A body that does not arrive in time gets 408 and its connection is closed."""
    monkeypatch.setattr(webhook, "BODY_S", 0.05)
    host, port = sender.url.removeprefix("http://").split(":")
    async with asyncio.timeout(5):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"POST /webhooks/shop HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc")
        answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("said", [{"orders": []}, {"bug": True}, b"not json"])
async def test_what_is_not_understood_wakes_the_poll(hooked: Rig, sender: Sender, said: Any) -> None:
    """A genuine webhook that cannot be read gets 200, for other answers cost the subscription, and orders are read."""
    account = hooked.plant.roster[AccountId("shop")]
    account.orders.clear()
    assert await sender.send(said) == 200
    assert account.orders.is_set()
    assert await facts(hooked) == []


@pytest.mark.parametrize("error", [StoreFull("no space"), StoreBusy("too much")])
async def test_nothing_is_acknowledged_that_is_not_stored(
    hooked: Rig, sender: Sender, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """While the store takes nothing the sender is told to come again, and then it is taken."""

    async def fail(_: Sequence[Entry]) -> list[int | None]:
        raise error

    said = {"id": "d1", "ids": ["o-1"]}
    with monkeypatch.context() as broken:
        broken.setattr(hooked.plant.intake, "put_entries", fail)
        body = msgspec.json.encode(said)
        url = f"{sender.url}/webhooks/shop"
        async with sender.session.post(url, data=body, headers={"X-Signature": sign(body)}) as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    assert await sender.send(said) == 200
    assert len(await facts(hooked)) == 1


async def test_a_channel_that_says_stop_is_paused(hooked: Rig, sender: Sender) -> None:
    """A notice that stops the channel pauses the account with its text as the reason."""
    assert await sender.send({"id": "d1", "stop": "the app was removed"}) == 200
    expected = AccountFact(
        account=AccountId("shop"), state=AccountState.PAUSED, reason="the app was removed", actor="shop"
    )
    assert await facts(hooked) == [expected]


def test_each_fact_of_a_notice_has_its_own_key(hooked: Rig) -> None:
    """The facts of one delivery are told apart by a suffix; a notice that says nothing makes none."""
    account = AccountId("shop")
    orders = (hooked.snapshot("1", ("r1", "A", 1)), hooked.snapshot("2", ("r1", "A", 1)))
    ref = ListingRef(remote_id="r1")
    made = entries_of(account, Notice(dedupe_key="d", orders=orders, order_ids=("o-3",), refs=(ref,), catalogue=True))
    assert [entry.key for entry in made] == ["d", "d#1", "d#2"]
    assert made[-1].fact == HintFact(account=account, order_ids=("o-3",), refs=(ref,), catalogue=True)
    assert [entry.key for entry in entries_of(account, Notice(order_ids=("o-3",)))] == [None]
    assert entries_of(account, Notice(text="for a person")) == []
