"""Rakuten's inquiries as tickets: what they are about, replies that go once or are told to be uncertain."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path

import aiohttp
import msgspec
import pytest

from adapters.rakuten.desk import ADAPTER, InquirySettings, wire
from adapters.rakuten.desk.simulator import InquirySimulator
from adapters.rakuten.desk.wire import Doc
from adapters.rakuten.simulated.inquiries import RESTOCK
from syncd.sdk.channel import Health, OutcomeKind
from syncd.sdk.desk import (
    Desk,
    DeskContext,
    DeskId,
    EventId,
    Language,
    Letter,
    MessageKind,
    Ticket,
    TicketChange,
    TicketId,
    TicketState,
    TicketStatus,
)
from syncd.sdk.errors import AuthError, ProtocolError, RejectedError
from syncd.sdk.loop_clock import LoopClock
from syncd.sdk.secret import Secret
from syncd.testing import checklist
from syncd.testing.clock import START, LeapingClock
from syncd.testing.desk_simulators import Wish, serve
from syncd.testing.faults import Faults
from syncd.testing.loop import run_virtual
from syncd.testing.simulators import connector


def virtual(test: Callable[[], Awaitable[None]]) -> Callable[[], None]:
    """Run a test in virtual time, in which limits of a call a second cost none."""

    @wraps(test)
    def run() -> None:
        run_virtual(test)

    return run


DAY_S = 86_400.0
TEXT = "お待たせいたしました。入荷しました。"
APPLIED, REJECTED, UNKNOWN = OutcomeKind.APPLIED, OutcomeKind.REJECTED, OutcomeKind.INDETERMINATE


@dataclass
class Stage:
    desk: Desk
    simulator: InquirySimulator
    clock: LeapingClock

    async def tickets(self) -> list[Ticket]:
        """Read everything from the beginning, a moment later: Rakuten's times are whole seconds."""
        self.clock.advance(2.0)
        found, cursor, more = list[Ticket](), None, True
        while more:
            page = await self.desk.changed(cursor)
            found, cursor, more = [*found, *page.tickets], page.cursor, page.more
        return found

    async def make(self, ticket_id: TicketId, event: str = "e1", text: str = TEXT, **more: object) -> OutcomeKind:
        """Make one change with a letter."""
        letter = Letter(kind=MessageKind.RESTOCKED, language=Language.JA, subject="s", body=text) if text else None
        change = TicketChange(ticket_id=ticket_id, event=EventId(event), letter=letter, **more)  # type: ignore[arg-type]
        (outcome,) = await self.desk.update([change])
        return outcome.kind

    def letters(self, ticket_id: TicketId) -> tuple[str, ...]:
        """Return what a customer was told."""
        return self.simulator.held(ticket_id).letters


@asynccontextmanager
async def staged(**more: object) -> AsyncIterator[Stage]:
    clock = LeapingClock(LoopClock(asyncio.get_running_loop(), START))
    simulator = InquirySimulator(seed=1, clock=clock)
    async with serve(simulator) as url, aiohttp.ClientSession(connector=connector()) as session:
        given = {**simulator.settings(url), **more}
        keys = {name: Secret(given.pop(name)) for name in ("service_secret", "license_key")}
        context = DeskContext(
            desk=DeskId("inbox"),
            session=session,
            clock=clock,
            uuid=lambda: "0",
            random=lambda: 0.5,
            shelf=simulator.shelf,
        )
        async with ADAPTER.open(InquirySettings(**keys, **given), context) as desk:
            yield Stage(desk=desk, simulator=simulator, clock=clock)


@virtual
async def test_a_page_with_one_good_names_it_and_one_with_several_leaves_it_open() -> None:
    """The SKU of a page that has one is the ticket's, of a page that has several all are named and none is chosen."""
    async with staged() as stage:
        pages = stage.simulator.shop.goods.pages
        one = next(page for page in pages if len(page.variants) == 1)
        many = next(page for page in pages if len(page.variants) > 1)
        ask = stage.simulator.shop.inquiries.ask
        asked = [ask(RESTOCK, about=page.manage_number, title=page.title).number for page in (one, many)]
        shop = ask(RESTOCK).number
        found = {ticket.ticket_id: ticket for ticket in await stage.tickets()}
    (sku,) = (variant.sku for variant in one.variants.values())
    first, second = (found[TicketId(number)] for number in asked)
    assert (first.sku, first.skus, first.state) == (sku, (), TicketState.PENDING)
    assert (second.sku, set(second.skus)) == (None, {variant.sku for variant in many.variants.values()})
    assert (found[TicketId(shop)].sku, found[TicketId(shop)].skus) == (None, ())


@virtual
async def test_only_what_is_about_stock_or_an_order_is_told() -> None:
    """Other questions are not told, one that names an order is, with the number and without a state."""
    async with staged() as stage:
        ask = stage.simulator.shop.inquiries.ask
        ask("配送")
        order = ask("配送", order_number="123456-20261001-0000000001").number
        (ticket,) = await stage.tickets()
    assert (ticket.ticket_id, ticket.order_number, ticket.state) == (order, "123456-20261001-0000000001", None)
    assert ticket.order_numbers == ("123456-20261001-0000000001",)


@virtual
async def test_old_inquiries_are_read_in_windows_and_completed_ones_only_once_they_change() -> None:
    """A scan goes back as many days as it is told, and leaves out what was completed before the first one."""
    async with staged(days=60) as stage:
        shop = stage.simulator.shop.inquiries
        now = stage.clock.now()
        young, older, oldest, done = (
            shop.seed(RESTOCK, at=now - int(days * DAY_S) * 1_000_000) for days in (1, 45, 75, 2)
        )
        done.completed_at = now
        assert {ticket.ticket_id for ticket in await stage.tickets()} == {young.number, older.number}
        found = await stage.desk.find([TicketId(oldest.number), TicketId(done.number)])
        assert [ticket.status for ticket in found] == [TicketStatus.OPEN, TicketStatus.SOLVED]


@virtual
async def test_a_lost_answer_to_a_reply_is_looked_up_and_never_repeated() -> None:
    """A reply that Rakuten shows counts as sent; one that it does not show stays uncertain, and neither goes again."""
    async with staged() as stage:
        sent, lost = (stage.simulator.open_ticket(Wish()) for _ in range(2))
        await stage.desk.find([sent])
        stage.simulator.faults = Faults(cut_writes=1.0)
        assert await stage.make(sent) is UNKNOWN
        stage.simulator.faults = Faults()
        begun = wire.pack(Doc(begun={"e1": wire.digest(TEXT)}))
        stage.simulator.shelf.edit(f"inquiry/{lost}", lambda _: begun)
        found = {ticket.ticket_id: ticket.markers for ticket in await stage.desk.find([sent, lost])}
        assert found == {sent: {"e1"}, lost: frozenset()}
        assert [await stage.make(sent), await stage.make(lost), await stage.make(lost)] == [APPLIED, UNKNOWN, UNKNOWN]
        assert (stage.letters(sent), stage.letters(lost)) == ((TEXT,), ())


@virtual
async def test_a_reply_that_rakuten_calls_a_duplicate_is_uncertain() -> None:
    """The same text after itself is refused as a duplicate, and a person looks."""
    async with staged() as stage:
        ticket_id = stage.simulator.open_ticket(Wish())
        assert [await stage.make(ticket_id), await stage.make(ticket_id, "e2")] == [APPLIED, UNKNOWN]
        assert stage.letters(ticket_id) == (TEXT,)


@virtual
async def test_an_inquiry_is_completed_and_opened_again() -> None:
    """Solving completes it at Rakuten, another status opens it again, and a reply of the customer ends the waiting."""
    async with staged() as stage:
        ticket_id = stage.simulator.open_ticket(Wish())

        async def status() -> TicketStatus:
            return (await stage.desk.find([ticket_id]))[0].status

        assert await stage.make(ticket_id, "e1", "", status=TicketStatus.SOLVED) is APPLIED
        assert await status() is TicketStatus.SOLVED
        assert await stage.make(ticket_id, "e2", "", status=TicketStatus.WAITING) is APPLIED
        assert await status() is TicketStatus.WAITING
        stage.clock.advance(60.0)
        stage.simulator.reply(ticket_id, "まだですか")
        ticket = (await stage.desk.find([ticket_id]))[0]
        assert ticket.status is TicketStatus.OPEN
        assert ticket.replied_at is not None


@virtual
async def test_what_rakuten_does_not_take_is_not_sent() -> None:
    """A letter that is too long is refused before it is begun, and the ticket says nothing of it."""
    async with staged() as stage:
        ticket_id = stage.simulator.open_ticket(Wish())
        assert await stage.make(ticket_id, text="あ" * 2_001) is REJECTED
        assert (stage.letters(ticket_id), stage.simulator.shelf.body(f"inquiry/{ticket_id}")) == ((), None)
        assert await stage.make(TicketId("../x")) is REJECTED


@virtual
async def test_keys_that_are_over_are_told() -> None:
    """The health check reads one page, and says what is wrong with the keys."""
    async with staged() as stage:
        assert isinstance(stage.desk, Health)
        assert await stage.desk.check() == []
        stage.simulator.shop.gateway.expire()
        with pytest.raises(AuthError):
            await stage.desk.check()


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("a\n\nb\n", "a\n\nb"),
        ("a\nhttps://midori.example/x\nb", "a\nb"),
        ("a\nhttps://item.rakuten.co.jp/shop/1/\nb", "a\nhttps://item.rakuten.co.jp/shop/1/\nb"),
        ("x" * 301, "x" * 300 + "\nx"),
        ("x" * 300, "x" * 300),
    ],
)
def test_letters_are_fitted(text: str, fits: str) -> None:
    """Long lines are cut, and lines that are nothing but a foreign link are left out."""
    assert wire.fitted(text) == fits


@pytest.mark.parametrize("text", ["", "see https://midori.example/ please", "https://rakuten.co.jp.evil.example/ a"])
def test_letters_that_do_not_fit_are_refused(text: str) -> None:
    """Nothing at all, and a foreign link within a sentence, are refused."""
    with pytest.raises(RejectedError):
        wire.fitted(text)


def test_what_is_not_ours_is_not_understood() -> None:
    """Documents and cursors that are none are a ProtocolError that tells nothing of them."""
    with pytest.raises(ProtocolError) as told:
        wire.unpack(b'{"state": "secret"}')
    assert "secret" not in str(told.value)
    with pytest.raises(ProtocolError):
        wire.resume("{}", now=1)


def test_settings_tell_what_is_wrong() -> None:
    """Missing keys and a wrong address are told at once."""
    places = [problem.place for problem in InquirySettings(base_url="ftp://x").problems()]
    assert places[:2] == ["settings.service_secret", "settings.license_key"]
    assert len(places) == 3
    whole = InquirySettings(service_secret=Secret("s"), license_key=Secret("l"))
    assert (whole.problems(), whole.url) == ([], "https://api.rms.rakuten.co.jp")


def test_a_question_without_a_shop_cannot_be_answered() -> None:
    """A reply needs the shop's number, which comes with the question."""
    row = {"inquiryNumber": "1", "regDate": "2026-01-01T00:00:00"}
    with pytest.raises(ProtocolError):
        wire.reply(msgspec.convert(row, wire.Question), TEXT)


def test_the_checklist_is_whole() -> None:
    """Every rule of the checklist is done, or exempt with a reason."""
    path = Path(__file__).parents[2] / "adapters" / "rakuten" / "desk" / "checklist.toml"
    assert checklist.problems(path, rules=checklist.DESK_RULES) == []
