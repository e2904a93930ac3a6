"""What the engine does in single situations: each story runs the whole engine on a virtual loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from syncd.core.facts import (
    AccountFact,
    AccountState,
    BrakeFact,
    CountFact,
    CountRow,
    DriftFact,
    MappingFact,
    MappingRow,
    MoveFact,
    MoveRow,
    SkuFact,
    SkuRow,
    StockMove,
    Verdict,
)
from syncd.core.plan import Lane
from syncd.core.shown import Effect
from syncd.core.terms import AccountId, Comeback, ListingRef, Location, OrderLine, Sku, Span
from syncd.sdk.channel import OutcomeKind, WriteMode
from syncd.store import accounts, doubts, history, inbox, ledger, listings, outbox
from syncd.store.verify import verify
from syncd.testing.chance import SeededRandom
from syncd.testing.loop import run_virtual
from syncd.testing.loop import running as loop_running
from tests.engine.double import Double, Rates
from tests.engine.world import World, running

CAS, ABSOLUTE = WriteMode.COMPARE_AND_SET, WriteMode.ABSOLUTE
Story = Callable[[World], Awaitable[Any]]


@pytest.fixture
def tell(quick_path: Path) -> Callable[..., Any]:
    """Run a story in a new world: `channels` maps names to a mode, `offers` are (channel, SKU, number)."""

    def run(
        story: Story,
        *,
        channels: dict[str, WriteMode] | None = None,
        offers: tuple[tuple[str, str, int], ...] = (("one", "A-1", 7), ("two", "A-1", 7)),
        **changes: object,
    ) -> Any:
        async def main() -> Any:
            clock = loop_running().clock
            doubles = {
                name: Double(mode=mode, clock=clock, dice=SeededRandom(3), lateness_s=5.0)
                for name, mode in (channels or {"one": CAS, "two": CAS}).items()
            }
            for name, sku, number in offers:
                doubles[name].list(sku, number)
            async with running(quick_path / "a.db", clock, doubles, **changes) as world:
                await asyncio.sleep(20)
                return await story(world)

        return run_virtual(main)

    return run


def numbers(world: World) -> dict[str, list[int]]:
    return {name: list(double.numbers.values()) for name, double in world.doubles.items()}


def pushes(world: World) -> int:
    return sum(len(double.pushed) for double in world.doubles.values())


def test_nothing_is_written_before_a_count_and_a_release(tell: Callable[..., Any]) -> None:
    """A SKU without an opening count, or a channel that was not released, is never written."""

    async def story(world: World) -> None:
        await world.count(a_1=3)
        await asyncio.sleep(600)
        assert pushes(world) == 0
        await world.say(AccountFact(account=AccountId("one"), state=AccountState.LIVE))
        await asyncio.sleep(60)
        assert numbers(world) == {"one": [3], "two": [7]}

    tell(story)


def test_a_sale_lowers_the_others(tell: Callable[..., Any]) -> None:
    """A sale on one channel lowers the number on the other, and is not written back to the first."""

    async def story(world: World) -> None:
        await world.count(a_1=7)
        await world.go()
        await asyncio.sleep(30)
        one = world.doubles["one"]
        one.buy(next(iter(one.numbers)), 2)
        await asyncio.sleep(60)
        assert numbers(world) == {"one": [5], "two": [5]}
        assert not one.pushed

    tell(story)


def test_an_unmapped_line_waits_in_quarantine_and_is_applied_when_mapped(tell: Callable[..., Any]) -> None:
    """An order of an unknown SKU moves nothing and raises an alert; a mapping applies it as of the order's time."""

    async def story(world: World) -> None:
        one = world.doubles["one"]
        await world.count(a_1=7)
        await world.go()
        ref = next(iter(one.numbers))
        name = one.buy(ref, 1)
        assert name is not None
        order = one.placed[name].order
        strange = replace(order.lines[0], remote_id="elsewhere", remote_sku="WHO-KNOWS")
        one.placed[name].order = replace(order, lines=(strange,))
        await asyncio.sleep(60)
        assert (await world.shelf("A-1")).committed == 0
        size = await world.plant.store.read(ledger.quarantine_size)
        assert size == 1
        await world.say(SkuFact(rows=(SkuRow(sku=Sku("WHO-KNOWS")),)))
        assert await world.plant.store.read(ledger.quarantine_size) == 0
        assert (await world.shelf("WHO-KNOWS")).committed == 1

    tell(story)


def test_a_kit_follows_its_components(tell: Callable[..., Any]) -> None:
    """A kit shows what its scarcest component allows, and its sale moves the components."""

    async def story(world: World) -> None:
        await world.say(SkuFact(rows=(SkuRow(sku=Sku("KIT"), components=((Sku("A-1"), 2),)),)))
        await world.count(a_1=7)
        await world.go()
        await asyncio.sleep(60)
        assert numbers(world) == {"one": [7, 3], "two": [7]}
        one = world.doubles["one"]
        one.buy(list(one.numbers)[1], 1)
        await asyncio.sleep(60)
        assert numbers(world) == {"one": [5, 2], "two": [5]}
        assert (await world.shelf("A-1")).committed == 2

    tell(story, offers=(("one", "A-1", 7), ("two", "A-1", 7), ("one", "KIT", 0)))


def test_a_hand_edit_is_overwritten(tell: Callable[..., Any]) -> None:
    """A number that somebody raised by hand falls back, one that somebody lowered is put right when no order comes."""

    async def story(world: World) -> None:
        await world.count(a_1=7)
        await world.go()
        await asyncio.sleep(30)
        one = world.doubles["one"]
        ref = next(iter(one.numbers))
        one.set(ref, 20, "person")
        await asyncio.sleep(400)
        assert numbers(world) == {"one": [7], "two": [7]}
        one.set(ref, 4, "person")
        await asyncio.sleep(800)
        assert numbers(world) == {"one": [7], "two": [7]}

    tell(story)


@pytest.mark.parametrize(("verdict", "expected"), [(Verdict.ACCEPT, 20), (Verdict.REFUSE, 7)])
def test_a_hand_edit_of_a_new_shop_waits_for_a_person(
    tell: Callable[..., Any], verdict: Verdict, expected: int
) -> None:
    """In the first days a raised number stays until a person accepts it as stock or has it overwritten."""

    async def story(world: World) -> None:
        await world.count(a_1=7)
        await world.go()
        await asyncio.sleep(30)
        one = world.doubles["one"]
        one.set(next(iter(one.numbers)), 20, "person")
        await asyncio.sleep(400)
        waiting = await world.plant.store.read(doubts.pending_drift)
        assert [row.seen for row in waiting] == [20]
        assert await world.say(DriftFact(ids=(), verdict=verdict)) is None
        await asyncio.sleep(400)
        assert numbers(world) == {"one": [expected], "two": [expected]}

    tell(story, hand_edit_days=14)


def test_a_second_writer_pauses_the_account(tell: Callable[..., Any]) -> None:
    """An account where numbers keep changing that nobody sold is paused, and a person is told."""

    async def story(world: World) -> None:
        await world.count(a_1=7)
        await world.go()
        one = world.doubles["one"]
        for _ in range(8):
            await asyncio.sleep(320)
            one.set(next(iter(one.numbers)), 30, "another tool")
        found = (await world.plant.store.read(accounts.accounts))[AccountId("one")]
        assert found.state is AccountState.PAUSED
        assert "another tool" in found.reason

    tell(story)


def test_the_brake_holds_a_count_that_empties_the_shop(tell: Callable[..., Any]) -> None:
    """A count that takes too many listings to zero is held, nothing of it applied, until a person releases it."""
    offers = tuple(("one", f"S-{n}", 5) for n in range(12))

    async def story(world: World) -> None:
        await world.count(**{f"s_{n}": 5 for n in range(12)})
        await world.go()
        await asyncio.sleep(30)
        reason = await world.count(**{f"s_{n}": 0 for n in range(12)})
        assert reason is not None
        assert "held by the brake" in reason
        assert (await world.shelf("S-3")).on_hand == 5
        held = await world.plant.store.read(accounts.held)
        assert await world.say(BrakeFact(ids=(held[0].id,), verdict=Verdict.ACCEPT)) is None
        await asyncio.sleep(60)
        assert set(numbers(world)["one"]) == {0}

    tell(story, channels={"one": CAS}, offers=offers)


def test_a_large_import_is_weighed_as_a_whole(tell: Callable[..., Any]) -> None:
    """An import of more rows than one transaction takes is held or applied as a whole."""
    offers = tuple(("one", f"S-{n}", 5) for n in range(250))

    def rows(world: World, quantity: int) -> tuple[CountRow, ...]:
        now = world.plant.clock.now()
        return tuple(
            CountRow(sku=Sku(f"S-{n}"), location=Location("main"), quantity=quantity, counted_at=now)
            for n in range(250)
        )

    async def story(world: World) -> None:
        first = CountFact(source="test", reference="1", rows=rows(world, 5))
        assert await world.say(first) is None
        await world.go()
        await asyncio.sleep(30)
        second = CountFact(source="test", reference="2", rows=rows(world, 0))
        assert "held by the brake" in (await world.say(second) or "")
        assert (await world.shelf("S-249")).on_hand == 5
        assert await world.say(replace(second, forced=True)) is None
        assert (await world.shelf("S-249")).on_hand == 0
        assert (await world.shelf("S-0")).on_hand == 0

    tell(story, channels={"one": CAS}, offers=offers)


def a_count(sku: str, quantity: int) -> CountFact:
    row = CountRow(sku=Sku(sku), location=Location("main"), quantity=quantity, counted_at=0)
    return CountFact(source="t", reference="1", rows=(row,))


def a_delivery(sku: str, quantity: int) -> MoveFact:
    row = MoveRow(sku=Sku(sku), location=Location("main"), quantity=quantity)
    return MoveFact(source="t", reference="1", move=StockMove.RECEIVE, at=0, rows=(row,))


def a_mapping(remote_id: str) -> MappingFact:
    row = MappingRow(account=AccountId("one"), ref=ListingRef(remote_id=remote_id), sku=Sku("A-1"))
    return MappingFact(rows=(row,))


@pytest.mark.parametrize(
    ("fact", "word"),
    [
        (a_count("NO", 1), "unknown SKU: NO"),
        (a_count("A-1", -1), "at least 0"),
        (a_count("A-1", 10**10), "at most"),
        (a_delivery("A-1", -1), "a delivery is positive"),
        (a_mapping("none"), "no listing none"),
        (AccountFact(account=AccountId("nobody"), state=AccountState.LIVE), "no account named nobody"),
        (DriftFact(ids=(9,), verdict=Verdict.ACCEPT), "no drift waits with number 9"),
        (BrakeFact(ids=(9,), verdict=Verdict.ACCEPT), "holds nothing with number 9"),
    ],
)
def test_bad_input_is_refused_by_name(tell: Callable[..., Any], fact: Any, word: str) -> None:
    """A fact that cannot be applied is refused with what is wrong, and nothing of it is done."""

    async def story(world: World) -> None:
        await world.count(a_1=7)
        assert word in (await world.say(fact) or "")
        assert (await world.shelf("A-1")).on_hand == 7

    tell(story)


def test_a_repeat_of_a_movement_changes_nothing(tell: Callable[..., Any]) -> None:
    """The same movement under the same key is one movement."""

    async def story(world: World) -> None:
        await world.count(a_1=7)
        rows = (MoveRow(sku=Sku("A-1"), location=Location("main"), quantity=5),)
        fact = MoveFact(source="test", reference="d1", move=StockMove.RECEIVE, at=world.plant.clock.now(), rows=rows)
        assert await world.say(fact, key="d1") is None
        assert await world.say(fact, key="d1") is None
        assert (await world.shelf("A-1")).on_hand == 12

    tell(story)


def test_a_fall_to_zero_overtakes_waiting_raises(tell: Callable[..., Any]) -> None:
    """Behind hundreds of raises that wait, a fall to zero is in the very next batch."""
    offers = (*(("one", f"S-{n:03d}", 0) for n in range(300)), ("two", "S-000", 0))

    async def story(world: World) -> None:
        one, two = world.doubles["one"], world.doubles["two"]
        one.latency_s = 2.0
        await world.count(**{f"s_{n:03d}": 1 for n in range(300)})
        await world.go()
        await asyncio.sleep(12)
        assert 0 < len(one.pushed) < 6
        ref = next(ref for ref, sku in one.skus.items() if sku == "S-000")
        two.set(next(iter(two.numbers)), 1, "setup")
        one.set(ref, 1, "setup")
        before = len(one.pushed)
        two.buy(next(iter(two.numbers)), 1)
        two.lateness_s = 0.0
        world.plant.roster[AccountId("two")].orders.set()
        for _ in range(200):
            await asyncio.sleep(0.5)
            zero = [n for n, batch in enumerate(one.pushed) if any(w.ref == ref and w.quantity == 0 for w in batch)]
            if zero:
                break
        assert zero
        assert zero[0] - before <= 4
        assert len(one.pushed) < 13

    tell(story, offers=offers)


def test_what_was_sent_and_not_answered_is_read_back_after_a_restart(quick_path: Path) -> None:
    """A write whose answer was never heard counts as not known, is read, and ends right."""
    path = quick_path / "a.db"

    async def first() -> dict[str, Double]:
        clock = loop_running().clock
        doubles = {"one": Double(mode=ABSOLUTE, clock=clock, dice=SeededRandom(3), lateness_s=5.0)}
        doubles["one"].list("A-1", 9)
        async with running(path, clock, doubles) as world:
            await asyncio.sleep(20)
            await world.count(a_1=4)
            doubles["one"].latency_s = 10_000.0
            world.plant.roster[AccountId("one")].pulse.until = 0
            await world.go()
            await asyncio.sleep(5)
            found = await world.listing("one")
            assert found.in_flight
            raise KeyboardInterrupt

    with pytest.raises(BaseException):  # noqa: B017, PT011  (whatever the loop makes of being cut)
        run_virtual(first)

    async def second() -> None:
        clock = loop_running().clock
        doubles = {"one": Double(mode=ABSOLUTE, clock=clock, dice=SeededRandom(3), lateness_s=5.0)}
        doubles["one"].list("A-1", 9)
        async with running(path, clock, doubles) as world:
            await asyncio.sleep(120)
            assert numbers(world) == {"one": [4]}
            assert not (await world.listing("one")).in_flight

    run_virtual(second)


def test_a_rejected_row_is_parked_and_the_others_go_on(tell: Callable[..., Any]) -> None:
    """A row that the channel refuses is parked with the reason; its neighbours are written."""

    async def story(world: World) -> None:
        one = world.doubles["one"]
        refs = list(one.numbers)
        apply = one.apply

        def picky(write: Any) -> Any:
            outcome = apply(write)
            return replace(outcome, kind=OutcomeKind.REJECTED, reason="no") if write.ref == refs[0] else outcome

        one.apply = picky  # type: ignore[method-assign]
        await world.count(a_1=1, b_2=1)
        await world.go()
        await asyncio.sleep(60)
        found = await world.plant.store.read(lambda conn: listings.page(conn, after=0, limit=10))
        assert {x.remote_sku: x.parked for x in found} == {"A-1": "no", "B-2": ""}
        assert one.numbers[refs[1]] == 1

    tell(story, channels={"one": CAS}, offers=(("one", "A-1", 7), ("one", "B-2", 7)))


def test_a_cancel_for_want_of_stock_takes_the_unit_out(tell: Callable[..., Any]) -> None:
    """A unit that was never there leaves the count with its cancel."""

    async def story(world: World) -> None:
        await world.count(a_1=7)
        await world.go()
        one = world.doubles["one"]
        name = one.buy(next(iter(one.numbers)), 1)
        assert name is not None
        await asyncio.sleep(30)
        order = one.placed[name].order
        line: OrderLine = replace(order.lines[0], cancelled=1, cancelled_as=Comeback.PHANTOM)
        one.place(replace(order, version=(order.version or 0) + 1, cancelled=True, lines=(line,)))
        await asyncio.sleep(60)
        shelf = await world.shelf("A-1")
        assert (shelf.on_hand, shelf.committed) == (6, 0)
        assert numbers(world)["two"] == [6]

    tell(story)


def test_events_tell_sales_stock_outs_and_restocks(tell: Callable[..., Any]) -> None:
    """A sale, a stock-out and a restock leave events for the broker, and the state of the SKU."""

    async def story(world: World) -> list[str]:
        await world.count(a_1=1)
        await world.go()
        await asyncio.sleep(30)
        one = world.doubles["one"]
        one.buy(next(iter(one.numbers)), 1)
        await asyncio.sleep(30)
        rows = (MoveRow(sku=Sku("A-1"), location=Location("main"), quantity=5),)
        now = world.plant.clock.now()
        await world.say(MoveFact(source="t", reference="1", move=StockMove.RECEIVE, at=now, rows=rows))
        found = await world.plant.store.read(lambda conn: outbox.waiting(conn, "mqtt", after_id=0, limit=100))
        return [event.type for event in found if event.type != "state"]

    types = tell(story)
    assert [kind for kind in types if kind in ("sale", "stockout")] == ["sale", "stockout"]
    assert types[-1] == "restock"


def test_a_paused_account_is_not_written_and_catches_up(tell: Callable[..., Any]) -> None:
    """While an account is paused nothing is written to it; released, its numbers are right again."""

    async def story(world: World) -> None:
        await world.count(a_1=7)
        await world.go()
        await world.say(AccountFact(account=AccountId("two"), state=AccountState.PAUSED, reason="stocktaking"))
        one = world.doubles["one"]
        one.buy(next(iter(one.numbers)), 3)
        await asyncio.sleep(60)
        assert numbers(world) == {"one": [4], "two": [7]}
        await world.say(AccountFact(account=AccountId("two"), state=AccountState.LIVE))
        await asyncio.sleep(60)
        assert numbers(world) == {"one": [4], "two": [4]}

    tell(story)


def test_the_inbox_decides_in_order_and_parks_what_is_wrong(tell: Callable[..., Any]) -> None:
    """A fact that is refused is parked; those after it are decided."""

    async def story(world: World) -> None:
        bad = await world.plant.intake.put_one(
            SkuFact(rows=(SkuRow(sku=Sku("K"), components=((Sku("GONE"), 1),)),)), source="t", key=None
        )
        await world.count(a_1=2)
        assert await world.plant.store.read(lambda conn: inbox.parked(conn, bad.inbox_id))
        assert (await world.shelf("A-1")).on_hand == 2

    tell(story)


def test_faults_do_not_double_orders(tell: Callable[..., Any]) -> None:
    """With every call failing now and then, each order is committed once."""

    async def story(world: World) -> None:
        for double in world.doubles.values():
            double.rates = Rates(refused=0.2, cut=0.2, lost=0.2, html=0.1)
        await world.count(a_1=50)
        await world.go()
        one = world.doubles["one"]
        for _ in range(6):
            one.buy(next(iter(one.numbers)), 1)
            await asyncio.sleep(40)
        for double in world.doubles.values():
            double.rates = Rates()
        await asyncio.sleep(400)
        assert (await world.shelf("A-1")).committed == 6
        assert numbers(world) == {"one": [44], "two": [44]}

    tell(story)


def test_a_reference_that_is_booked_already_is_refused(tell: Callable[..., Any]) -> None:
    """The same reference again, without a key, is refused and parked; what follows is decided."""

    async def story(world: World) -> None:
        await world.count(a_1=7)
        rows = (MoveRow(sku=Sku("A-1"), location=Location("main"), quantity=5),)
        fact = MoveFact(source="test", reference="d1", move=StockMove.RECEIVE, at=world.plant.clock.now(), rows=rows)
        assert await world.say(fact) is None
        assert "booked already" in (await world.say(fact) or "")
        assert (await world.shelf("A-1")).on_hand == 12
        assert await world.say(replace(fact, reference="d2")) is None
        assert (await world.shelf("A-1")).on_hand == 17

    tell(story)


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (SkuRow(sku=Sku("KIT"), components=((Sku("NOWHERE"), 1),)), "unknown SKU: NOWHERE"),
        (SkuRow(sku=Sku("KIT"), components=((Sku("N-1"), 0),)), "at least 1 of each"),
        (SkuRow(sku=Sku("KIT"), components=((Sku("N-149"), 1), (Sku("KIT"), 1))), "kits of kits"),
        (SkuRow(sku=Sku("A-1"), components=((Sku("N-1"), 1),)), "stock of its own"),
    ],
)
@pytest.mark.parametrize("forced", [False, True])
def test_a_large_import_that_is_wrong_somewhere_leaves_nothing(
    tell: Callable[..., Any], row: SkuRow, why: str, *, forced: bool
) -> None:
    """A large import of SKUs that is wrong at its end is refused as a whole, and ingest goes on."""

    async def story(world: World) -> None:
        await world.count(a_1=3)
        rows = tuple(SkuRow(sku=Sku(f"N-{n}")) for n in range(150))
        assert why in (await world.say(SkuFact(rows=(*rows, row), forced=forced)) or "")
        found = await world.plant.store.read(lambda conn: ledger.skus_by_code(conn, ["N-0", "N-149", "KIT"]))
        assert found == {}
        await world.count(a_1=4)
        assert (await world.shelf("A-1")).on_hand == 4

    tell(story)


def test_a_large_import_may_name_components_after_their_kit(tell: Callable[..., Any]) -> None:
    """In a large import a kit may stand before its components, whatever slices it is decided in."""

    async def story(world: World) -> None:
        rows = tuple(SkuRow(sku=Sku(f"N-{n}")) for n in range(250))
        kit = SkuRow(sku=Sku("KIT"), components=((Sku("N-249"), 2),))
        assert await world.say(SkuFact(rows=(kit, *rows))) is None
        found = await world.plant.store.read(lambda conn: ledger.skus_by_code(conn, ["N-249", "KIT"]))
        kits = await world.plant.store.read(lambda conn: ledger.kits_touching(conn, [k.sku_id for k in found.values()]))
        assert kits == {found[Sku("KIT")].sku_id: ((found[Sku("N-249")].sku_id, 2),)}

    tell(story)


def test_open_orders_move_with_their_listing(tell: Callable[..., Any]) -> None:
    """Mapping a listing to another SKU promises what is still to be shipped on that SKU, and frees the former."""

    async def story(world: World) -> None:
        await world.say(SkuFact(rows=(SkuRow(sku=Sku("B-1")),)))
        await world.count(a_1=7, b_1=9)
        await world.go()
        await asyncio.sleep(30)
        one = world.doubles["one"]
        ref = next(iter(one.numbers))
        name = one.buy(ref, 2)
        await asyncio.sleep(60)
        assert (await world.shelf("A-1")).committed == 2
        row = MappingRow(account=AccountId("one"), ref=ref, sku=Sku("B-1"))
        assert await world.say(MappingFact(rows=(row,), forced=True)) is None
        assert ((await world.shelf("A-1")).committed, (await world.shelf("B-1")).committed) == (0, 2)
        await asyncio.sleep(120)
        assert numbers(world) == {"one": [7], "two": [7]}
        one.cancel(name or "", restore=True)
        await asyncio.sleep(120)
        assert (await world.shelf("B-1")).committed == 0
        assert await world.plant.store.read(verify) == []

    tell(story)


def test_what_has_to_be_read_before_it_is_raised_is_read_at_once(tell: Callable[..., Any]) -> None:
    """A raise that turns out to need a reading hints the audit, instead of waiting for its next round."""

    async def story(world: World) -> None:
        await world.count(a_1=7)
        await world.go()
        await asyncio.sleep(60)
        account = world.plant.roster[AccountId("one")]
        listing = await world.listing("one")
        listing.low, listing.high, listing.target = 5, 6, 9
        listing.lane, listing.due_at = int(Lane.RAISE), world.plant.clock.now()
        now = world.plant.clock.now()
        span = Span(earliest=now - 600_000_000, latest=now)
        effect = history.NewEffect(listing_id=listing.id, reference="wide", effect=Effect(quantity=-1, span=span))

        def widen(conn: Any) -> None:
            history.add_effects(conn, [effect])
            listings.save(conn, [listing], now=now)

        await world.plant.store.write(widen)
        account.reads.clear()
        account.writes.set()
        await asyncio.sleep(3)
        assert (await world.listing("one")).seen_at >= now

    tell(story)


class Bulky(Double):
    """A channel with a second way of writing, for thirty rows and more."""

    def push_size(self, waiting: int) -> int:
        """Return all that wait, from thirty on."""
        return waiting if waiting >= 30 else 25


def test_many_rows_go_the_second_way_and_zeros_never_do(quick_path: Path) -> None:
    """Where a channel takes many rows at once, all that wait go in one push; those to zero go before, in small ones."""

    async def main() -> None:
        clock = loop_running().clock
        double = Bulky(mode=ABSOLUTE, clock=clock, dice=SeededRandom(3), lateness_s=5.0)
        for number in range(600):
            double.list(f"A-{number}", 9)
        async with running(quick_path / "a.db", clock, {"one": double}) as world:
            await asyncio.sleep(20)
            await world.count(**{f"a_{number}": 0 if number < 60 else 5 for number in range(600)})
            await world.go()
            await asyncio.sleep(120)
        assert set(double.numbers.values()) == {0, 5}
        sizes = [len(writes) for writes in double.pushed]
        assert max(sizes) > 500, sizes
        for writes in double.pushed:
            assert len(writes) <= 25 or all(write.quantity for write in writes)

    run_virtual(main)
