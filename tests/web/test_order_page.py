"""The order status page: what a buyer sees, and what nobody else learns."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from syncd.core.proofs import ProofKind, Seal
from syncd.core.terms import SECOND_US, AccountId, Delivery, PaymentStatus, ReturnStatus, Shipment
from syncd.settings import OrderPageSettings
from syncd.store import outbox, proofs
from syncd.store.views_orders import OrderFilter, orders
from syncd.web.orderpage import tickets
from syncd.web.orderpage.install import install_order_page
from syncd.web.orderpage.page import FLOOR_S
from syncd.web.orderpage.tries import Tries
from syncd.web.orderpage.words import LANGUAGES, language_of, texts
from syncd.web.strangers import address_of
from tests.web.rig import Rig, RigClock, running, served, settings_of

KEY = b"k" * 32
MAIL, PHONE = "hana@example.jp", "+81 3-5550-0012"
DAY_US = 86_400 * SECOND_US


@dataclass
class Customer:
    """Asks the page as a browser does."""

    session: aiohttp.ClientSession
    base: str
    rig: Rig
    rests: list[float] = field(default_factory=list)

    async def get(self, path: str = "", **headers: str) -> tuple[int, str, Any]:
        async with self.session.get(f"{self.base}/order{path}", headers=headers) as answer:
            return answer.status, await answer.text(), answer.headers

    async def post(self, path: str = "?lang=en", **form: str) -> tuple[int, str, Any]:
        async with self.session.post(f"{self.base}/order{path}", data=form) as answer:
            return answer.status, await answer.text(), answer.headers

    async def look(self, number: str, proof: str) -> str:
        return (await self.post(number=number, proof=proof))[1]


@asynccontextmanager
async def visiting(folder: Path, **changes: Any) -> AsyncIterator[Customer]:
    folder.mkdir(exist_ok=True)
    settings = settings_of(folder, ["shop", "mall"])
    page = OrderPageSettings(**{"enabled": True, "tries_per_minute": 1_000, **changes})
    settings = replace(settings, orderpage=page, letters=replace(settings.letters, name="Tea House"))
    async with running(folder, settings=settings) as rig, aiohttp.ClientSession() as session:
        rig.plant.proof_key = KEY
        app, rests = web.Application(), []

        async def rest(seconds: float) -> None:
            rests.append(seconds)

        install_order_page(app, rig.plant, rest=rest)
        async with served(app) as base:
            yield Customer(session, base, rig, rests)


@pytest.fixture
async def customer(tmp_path: Path) -> AsyncIterator[Customer]:
    async with visiting(tmp_path) as made:
        yield made


async def ordered(rig: Rig, number: str, *, account: str = "shop", **fields: Any) -> None:
    """Have an order of a buyer whose proofs are known."""
    await rig.order(account, number, ("r1", "A", 2), **fields)
    seal = Seal(key=KEY, account=AccountId(account))
    made = [seal(f"o-{number}", ProofKind.MAIL, MAIL), seal(f"o-{number}", ProofKind.PHONE, PHONE)]
    (found,) = await rig.plant.store.read(
        lambda conn: [one for one in proofs.candidates(conn, {number}, limit=9) if one.account == account]
    )
    now = rig.clock.now()
    await rig.plant.store.write(lambda conn: proofs.save(conn, {found.row: made}, key_id=seal.key_id, now=now))


async def fill(rig: Rig) -> None:
    await rig.know("A")
    await rig.catalogue("shop", ("r1", "A"))
    await rig.count(A=10)


@pytest.mark.parametrize("proof", [MAIL, " HANA@example.jp ", "0012", "03-5550-0012", "００１２"])
async def test_a_buyer_sees_the_order(customer: Customer, proof: str) -> None:
    """By number and mail, or the end of the phone, the buyer sees how far it is, what is in it and its parcels."""
    await fill(customer.rig)
    now = customer.rig.clock.now()
    parcel = Shipment(shipment_id="1", carrier="ヤマト運輸", number="1234-5678", shipped_at=now)
    await ordered(customer.rig, "#1001", delivery=Delivery(shipments=(parcel,), ship_by=now + DAY_US))
    for number in ("#1001", "1001"):
        page = await customer.look(number, proof)
        assert "Order #1001" in page
        assert "Being prepared" in page
        assert "Title of A" in page
        assert "2026-09-22" in page
        assert 'href="https://jizen.kuronekoyamato.co.jp/jizen/servlet/crjz.b.NQ0010?id=12345678"' in page


async def test_who_is_not_the_buyer_learns_nothing(customer: Customer) -> None:
    """A number that is not there and a proof that does not fit get the very same page, number apart."""
    await fill(customer.rig)
    await ordered(customer.rig, "S-1")
    await customer.rig.order("shop", "S-2", ("r1", "A", 1))
    pages = [
        (await customer.look(number, proof)).replace(number, "N")
        for number, proof in (
            ("S-1", "0013"),
            ("S-9", "0012"),
            ("S-2", "0012"),
            ("S-1", "hana"),
            ("S-1", "a@b.cd"),
        )
    ]
    assert len(set(pages)) == 1
    assert "No order was found" in pages[0]


async def test_the_answer_takes_the_same_time(customer: Customer) -> None:
    """Whether found or not, an answer waits until its time is up."""
    await fill(customer.rig)
    await ordered(customer.rig, "S-1")
    for number, proof in (("S-1", "0012"), ("S-1", "0013"), ("S-9", "0012"), ("", "")):
        await customer.look(number, proof)
    assert len(customer.rests) == 4
    assert all(0.0 < rest <= FLOOR_S for rest in customer.rests)


async def test_one_number_on_two_channels_is_told_apart_by_its_buyer(customer: Customer) -> None:
    """Of two orders with one number the buyer sees his own; whoever fits both sees none."""
    await fill(customer.rig)
    await ordered(customer.rig, "77")
    await customer.rig.order("mall", "77", ("x", "", 1))
    assert "Order 77" in await customer.look("77", MAIL)
    await ordered(customer.rig, "88")
    await ordered(customer.rig, "88", account="mall")
    assert "No order was found" in await customer.look("88", MAIL)


async def test_a_number_cannot_be_tried_for_long(tmp_path: Path) -> None:
    """After some misses a number is answered as if it were not there, also with the right proof, for an hour."""
    async with visiting(tmp_path, misses_per_hour=3) as customer:
        await fill(customer.rig)
        await ordered(customer.rig, "S-1")
        await ordered(customer.rig, "S-2")
        for tail in range(3):
            assert "No order was found" in await customer.look("S-1", f"{tail:04d}")
        assert "No order was found" in await customer.look("s-1", "0012")
        assert "Order S-2" in await customer.look("S-2", "0012")


async def test_an_address_cannot_ask_for_long(tmp_path: Path) -> None:
    """Who asks too often in a minute has to wait, whatever is asked."""
    async with visiting(tmp_path, tries_per_minute=2) as customer:
        statuses = [(await customer.post(number=str(n), proof="0012"))[0] for n in range(4)]
        assert statuses == [200, 200, 429, 429]


async def test_nothing_personal_is_stored_or_shown(customer: Customer) -> None:
    """Neither the store nor any page holds the mail or the phone."""
    await fill(customer.rig)
    await ordered(customer.rig, "S-1")
    page = await customer.look("S-1", MAIL)
    path = customer.rig.plant.settings.daemon.store_url.removeprefix("sqlite:///")
    raw = b"".join(file.read_bytes() for file in Path(path).parent.glob("syncd.db*"))
    for secret in (MAIL, "5550-0012", "555000"):
        assert secret not in page
        assert secret.encode() not in raw


async def test_a_cancel_is_asked_for_once_and_told_to_people(customer: Customer) -> None:
    """The buyer of an order that was not sent may ask to cancel it: people are told once, nothing is cancelled."""
    await fill(customer.rig)
    await ordered(customer.rig, "S-1")
    page = await customer.look("S-1", "0012")
    found = re.search(r'name="ticket" value="([^"]+)"', page)
    assert found is not None
    assert (await customer.post("/cancel?lang=en", ticket=found[1]))[0] == 400
    for _ in range(2):
        status, told, _ = await customer.post("/cancel?lang=en", ticket=found[1], sure="1")
        assert (status, "We received your request" in told) == (200, True)
    waiting = await customer.rig.plant.store.read(lambda conn: outbox.waiting(conn, "alerts", after_id=0, limit=99))
    assert [event.key for event in waiting if "cancel_wish" in event.key] == ["cancel_wish/shop/S-1"]
    await customer.rig.order("shop", "S-9", ("r1", "A", 1))
    wished = OrderFilter(cancel_asked=True)
    now = customer.rig.clock.now()
    rows = await customer.rig.plant.store.read(lambda conn: orders(conn, wished, now=now, limit=9))
    assert [row.number for row in rows] == ["S-1"]
    page = await customer.look("S-1", "0012")
    assert ("We received your request to cancel on 2026-09-2" in page, "ticket" in page) == (True, False)
    async with customer.session.post(f"{customer.base}/order/cancel", data={"ticket": found[1][:-1] + "0"}) as answer:
        assert answer.status == 400


async def test_a_sent_order_cannot_be_cancelled(customer: Customer) -> None:
    """Where something was sent meanwhile, a request comes too late."""
    await fill(customer.rig)
    await ordered(customer.rig, "S-1")
    (known,) = await customer.rig.plant.store.read(lambda conn: proofs.candidates(conn, {"S-1"}, limit=2))
    ticket = tickets.make(KEY, known.row, now=customer.rig.clock.now())
    snapshot = customer.rig.snapshot("S-1", ("r1", "A", 2), version=2)
    sent = replace(snapshot, lines=tuple(replace(line, shipped=2) for line in snapshot.lines))
    await customer.rig.order("shop", "S-1", version=2, lines=sent.lines)
    _, told, _ = await customer.post("/cancel?lang=en", ticket=ticket, sure="1")
    assert "too old, or the order has changed" in told
    page = await customer.look("S-1", "0012")
    assert ("Sent" in page, "Ask to cancel" in page) == (True, False)


def test_a_ticket_ends_and_cannot_be_made() -> None:
    """A ticket is for one order, for half an hour, and only ours."""
    made = tickets.make(KEY, 7, now=1_000)
    assert tickets.read(KEY, made, now=2_000) == 7
    assert tickets.read(KEY, made, now=1_000 + tickets.LIFE_US) is None
    for bad in (made.replace("7.", "8.", 1), made[:-1], "", "7.9.x", made + "\n"):
        assert tickets.read(KEY, bad, now=2_000) is None
    assert tickets.read(b"x" * 32, made, now=2_000) is None


STAGES: list[tuple[dict[str, Any], str]] = [
    ({"payment": PaymentStatus.PENDING}, "Waiting for the payment"),
    ({"cancelled": True}, "Cancelled"),
    ({"returns": ReturnStatus.REQUESTED}, "Being returned"),
    ({"returns": ReturnStatus.RETURNED}, "Returned"),
]


@pytest.mark.parametrize(("fields", "words"), STAGES)
async def test_a_buyer_reads_how_far_it_is(customer: Customer, fields: dict[str, Any], words: str) -> None:
    """Each state of an order has its own words."""
    await fill(customer.rig)
    await ordered(customer.rig, "S-1", **fields)
    assert f'<p class="stage">{words}' in await customer.look("S-1", "0012")


async def test_an_order_that_stock_does_not_cover_waits(customer: Customer) -> None:
    """A buyer of more than there is reads that it waits for stock."""
    await fill(customer.rig)
    await customer.rig.count(A=1)
    await ordered(customer.rig, "S-1")
    assert "Waiting for stock" in await customer.look("S-1", "0012")


async def test_the_page_speaks_three_languages(customer: Customer) -> None:
    """The language is the one asked for, else the browser's, else Japanese; every text is there in all of them."""
    assert "ご注文の確認" in (await customer.get())[1]
    assert "查询订单" in (await customer.get(**{"Accept-Language": "zh-CN,zh;q=0.9,en;q=0.8"}))[1]
    assert "Your order" in (await customer.get("?lang=en", **{"Accept-Language": "ja"}))[1]
    assert language_of("xx", "fr, en;q=x, en;q=0, ja;q=0.1") == "ja"
    assert all(len(told) == len(LANGUAGES) and all(told) for told in texts().values())


async def test_the_page_is_framed_only_where_it_may_be(tmp_path: Path) -> None:
    """Without an origin in the settings nobody may frame it; with one only that one, and only the embedded form."""
    async with visiting(tmp_path / "a") as customer:
        _, _, headers = await customer.get("?embed=1")
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Frame-Options"] == "DENY"
    async with visiting(tmp_path / "b", embed_in=("https://shop.example",)) as customer:
        _, page, headers = await customer.get("?embed=1")
        assert "frame-ancestors https://shop.example" in headers["Content-Security-Policy"]
        assert ("X-Frame-Options" in headers, "embed=1" in page) == (False, True)
        _, _, headers = await customer.get()
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]


async def test_no_answer_is_kept_or_leaks_where_it_came_from(customer: Customer) -> None:
    """Pages are not cached, not indexed, hold no script, and send no referrer."""
    for _, page, headers in (await customer.get(), await customer.post(number="x", proof="0012")):
        assert headers["Cache-Control"] == "no-store"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "<script" not in page
    assert (await customer.get("/style.css"))[2]["Content-Type"].startswith("text/css")


@pytest.mark.parametrize("form", [{"number": "<script>alert(1)</script>"}, {"number": "x" * 5_000, "proof": "1"}, {}])
async def test_strange_forms_are_harmless(customer: Customer, form: dict[str, str]) -> None:
    """What a stranger sends is shown as text, cut, or not at all."""
    status, page, _ = await customer.post(**form)
    assert (status, "<script>" in page, "x" * 200 in page) == (200, False, False)


async def test_the_page_is_off_unless_switched_on(tmp_path: Path) -> None:
    """Without the setting there is no such address."""
    async with visiting(tmp_path, enabled=False) as customer:
        assert (await customer.get())[0] == 404


def test_tries_are_counted_by_name_and_forgotten_in_time() -> None:
    """A name is full after so many, others are not, and after the window it is free again."""
    clock = RigClock()
    at = [0.0]
    clock.monotonic = lambda: at[0]  # type: ignore[method-assign]  # a test's time
    tries = Tries(most=2, window_s=60.0, key=KEY, clock=clock)
    tries.note("a")
    assert not tries.is_full("a")
    tries.note("a")
    assert (tries.is_full("a"), tries.is_full("b")) == (True, False)
    at[0] = 61.0
    assert not tries.is_full("a")


@pytest.mark.parametrize(
    ("peer", "header", "address"),
    [
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("127.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("127.0.0.1", "evil, 198.51.100.1", "198.51.100.1"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", "nonsense", "unknown"),
        ("2001:db8:1:2:3::4", "", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.9", "", "203.0.113.9"),
    ],
)
def test_who_asks_is_the_peer_or_whom_a_believed_proxy_names(peer: str, header: str, address: str) -> None:
    """Only a believed proxy may name somebody else, and the last name is the one that it saw."""

    class Transport:
        def get_extra_info(self, name: str, default: Any = None) -> Any:
            return (peer, 1) if name == "peername" else default

    request = make_mocked_request(
        "GET", "/", headers={"X-Forwarded-For": header} if header else {}, transport=Transport()
    )
    assert address_of(request, ("127.0.0.1", "::1")) == address
