"""Deciding, on both databases: what facts leave in the tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection

from syncd.core.facts import (
    AccountFact,
    AccountState,
    CatalogueFact,
    CountFact,
    CountRow,
    Fact,
    OrderFact,
    OutcomeFact,
    PolicyFact,
    PolicyRow,
    ScanFact,
    SeenFact,
    SkuFact,
    SkuRow,
)
from syncd.core.plan import Lane
from syncd.core.terms import (
    AccountId,
    Give,
    ListingInfo,
    ListingRef,
    Location,
    OrderLine,
    OrderSnapshot,
    Outcome,
    OutcomeKind,
    Seen,
    Sku,
    Span,
)
from syncd.engine.deciding import decide, groups
from syncd.engine.rules import House, Rules, pace_of
from syncd.sdk.channel import Profile, WriteMode
from syncd.store import accounts, doubts, history, inbox, ledger, listings
from syncd.store.inbox import Entry
from syncd.store.session import Store
from syncd.store.verify import verify

NOW = 1_790_000_000_000_000
SECOND = 1_000_000
ONE, TWO = AccountId("one"), AccountId("two")


def a_house() -> House:
    rules = {}
    for name, mode in ((ONE, WriteMode.COMPARE_AND_SET), (TWO, WriteMode.ABSOLUTE)):
        profile = Profile(write_mode=mode, max_push=10, max_seen=10, clock_skew_s=0.0)
        rules[name] = Rules(account=name, profile=profile, pace=pace_of(profile, raise_delay_s=5, poll_s=15))
    return House(rules=rules, sinks=frozenset({"mqtt"}), low_stock=2)


def say(conn: Connection, *facts: Fact, at: int = NOW) -> list[str | None]:
    """Put facts in and decide them; return why each was refused."""
    inbox.put(conn, [Entry(fact=fact, source="test") for fact in facts], now=at)
    reasons = []
    for received in inbox.waiting(conn, after=inbox.decided(conn), limit=100):
        decide(conn, [received], house=a_house(), now=at)
        inbox.set_decided(conn, received.inbox_id)
        reasons.append(inbox.parked(conn, received.inbox_id))
    return reasons


def ref(name: str) -> ListingRef:
    return ListingRef(remote_id=name)


def a_shop(conn: Connection) -> None:
    """Two channels that show ten of A, counted and released."""
    accounts.know(conn, [ONE, TWO], now=NOW - SECOND)
    for account in (ONE, TWO):
        info = ListingInfo(ref=ref(f"{account}-a"), sku="A", title="Ａ　お茶")
        say(conn, CatalogueFact(account=account, started_at=NOW, listings=(info,), finished=True))
        seen = Seen(ref=ref(f"{account}-a"), quantity=10, asked_at=NOW, answered_at=NOW)
        say(conn, SeenFact(account=account, seen=(seen,)))
        say(conn, AccountFact(account=account, state=AccountState.LIVE))
    row = CountRow(sku=Sku("A"), location=Location("main"), quantity=10, counted_at=NOW)
    assert say(conn, CountFact(source="test", reference="1", rows=(row,))) == [None]


def an_order(name: str, quantity: int = 1, **changes: object) -> OrderFact:
    at = NOW + SECOND
    line = OrderLine(
        line_id="1", remote_id="one-a", remote_sku="A", quantity=quantity, take=Span(earliest=at, latest=at)
    )
    order = OrderSnapshot(order_id=name, number=name, version=1, read_at=at, ordered_at=at, lines=(line,))
    return OrderFact(account=ONE, order=replace(order, **changes))  # type: ignore[arg-type]


def numbers(conn: Connection) -> dict[str, tuple[int | None, int | None, int | None, int | None]]:
    found: Sequence[listings.Listing] = listings.page(conn, after=0, limit=10)
    return {x.account: (x.target, x.low, x.high, x.lane) for x in found}


async def test_a_sale_moves_the_ledger_and_lowers_the_others(store: Store) -> None:
    """A sale commits its units, is taken off the channel's own number, and is due as a fall on the other."""

    def story(conn: Connection) -> None:
        a_shop(conn)
        say(conn, an_order("5001", 3), at=NOW + 2 * SECOND)
        assert numbers(conn) == {ONE: (7, 7, 7, None), TWO: (7, 10, 10, int(Lane.FALL))}
        shelf = ledger.shelves(conn, [ledger.skus_by_code(conn, ["A"])[Sku("A")].sku_id])
        assert [(b.on_hand, b.committed) for s in shelf.values() for b in s.values()] == [(10, 3)]
        assert verify(conn) == []

    await store.write(story)


async def test_a_repeat_and_an_older_statement_change_nothing(store: Store) -> None:
    """The same order again, and an older version of it, leave everything as it is."""

    def story(conn: Connection) -> None:
        a_shop(conn)
        say(conn, an_order("5001", 3, version=2), at=NOW + 2 * SECOND)
        before = numbers(conn)
        say(conn, an_order("5001", 3, version=2), an_order("5001", 1, version=1), at=NOW + 3 * SECOND)
        assert numbers(conn) == before
        assert verify(conn) == []

    await store.write(story)


async def test_a_missing_unit_is_held_until_its_order_comes(store: Store) -> None:
    """A reading below what is believed holds the difference; the order that explains it takes the hold over."""

    def story(conn: Connection) -> None:
        a_shop(conn)
        later = NOW + 10 * SECOND
        seen = Seen(ref=ref("one-a"), quantity=8, asked_at=later, answered_at=later)
        say(conn, SeenFact(account=ONE, seen=(seen,)), at=later)
        assert numbers(conn)[TWO][0] == 8
        assert [s.remaining for s in doubts.suspects(conn, ONE)] == [2]
        say(conn, an_order("5001", 2), at=later + SECOND)
        assert doubts.suspects(conn, ONE) == []
        assert numbers(conn)[TWO][0] == 8
        assert verify(conn) == []

    await store.write(story)


async def test_a_missing_unit_that_no_order_explains_is_let_go(store: Store) -> None:
    """Once the feed has passed, the hold ends and the number is put right."""

    def story(conn: Connection) -> None:
        a_shop(conn)
        later = NOW + 10 * SECOND
        seen = Seen(ref=ref("one-a"), quantity=8, asked_at=later, answered_at=later)
        say(conn, SeenFact(account=ONE, seen=(seen,)), at=later)
        scan = ScanFact(account=ONE, cursor="x", started_at=later, complete_until=later + 60 * SECOND, finished=True)
        say(conn, scan, at=later + 60 * SECOND)
        assert numbers(conn)[TWO][0] == 10
        assert numbers(conn)[ONE][:3] == (10, 8, 8)
        assert verify(conn) == []

    await store.write(story)


async def test_outcomes_change_beliefs_once(store: Store) -> None:
    """An applied write is the new base, and an answer that is told twice changes nothing."""

    def story(conn: Connection) -> None:
        a_shop(conn)
        say(conn, an_order("5001", 3), at=NOW + 2 * SECOND)
        listing = listings.by_remote(conn, TWO, ["two-a"])[0]
        sent = NOW + 3 * SECOND
        intent = history.Intent(
            listing_id=listing.id,
            account=TWO,
            key="k1",
            mode="absolute",
            quantity=7,
            expected=None,
            delta=None,
            target=7,
            lane=Lane.FALL,
            intended_at=sent,
            effect_until=sent + 30 * SECOND,
        )
        history.add_intents(conn, [intent])
        outcome = Outcome(key="k1", kind=OutcomeKind.APPLIED)
        fact = OutcomeFact(account=TWO, sent_at=sent, answered_at=sent + SECOND, outcomes=(outcome,))
        say(conn, fact, fact, at=sent + SECOND)
        assert numbers(conn)[TWO] == (7, 7, 7, None)

    await store.write(story)


async def test_a_cancel_that_the_channel_restores_is_not_added_twice(store: Store) -> None:
    """While a channel may still give a unit back, nothing is raised there for it."""

    def story(conn: Connection) -> None:
        a_shop(conn)
        say(conn, an_order("5001", 3), at=NOW + 2 * SECOND)
        cancelled = an_order("5001", 3, version=2, cancelled=True)
        later = NOW + 20 * SECOND
        give = Give(give_id="1", quantity=3, span=Span(earliest=later, latest=later + 30 * SECOND))
        line = replace(cancelled.order.lines[0], cancelled=3, gives=(give,))
        order = replace(cancelled.order, lines=(line,), read_at=later)
        say(conn, OrderFact(account=ONE, order=order), at=later)
        found = listings.by_remote(conn, ONE, ["one-a"])[0]
        assert (found.target, found.lane) == (10, None)
        assert (found.low, found.high) == (10, 10)
        assert verify(conn) == []

    await store.write(story)


async def test_a_policy_and_a_kit_are_applied(store: Store) -> None:
    """Safety stock of one SKU on one account, and a kit of it, change targets at once."""

    def story(conn: Connection) -> None:
        a_shop(conn)
        assert say(conn, PolicyFact(rows=(PolicyRow(sku=Sku("A"), account=TWO, safety_stock=4),))) == [None]
        assert numbers(conn)[TWO][0] == 6
        kit = SkuRow(sku=Sku("KIT"), components=((Sku("A"), 3),))
        assert say(conn, SkuFact(rows=(kit,))) == [None]
        info = ListingInfo(ref=ref("one-kit"), sku="KIT")
        say(conn, CatalogueFact(account=ONE, started_at=NOW, listings=(info,)))
        found = listings.by_remote(conn, ONE, ["one-kit"])[0]
        assert found.target == 3

    await store.write(story)


async def test_a_listing_that_is_gone_loses_its_target(store: Store) -> None:
    """A listing that a finished catalogue does not show is never written until it is back."""

    def story(conn: Connection) -> None:
        a_shop(conn)
        later = NOW + 100 * SECOND
        say(conn, CatalogueFact(account=TWO, started_at=later, listings=(), finished=True), at=later)
        assert listings.by_remote(conn, TWO, ["two-a"])[0].vanished
        info = ListingInfo(ref=ref("two-a"), sku="A")
        say(conn, CatalogueFact(account=TWO, started_at=later + 1, listings=(info,)), at=later + 1)
        assert listings.by_remote(conn, TWO, ["two-a"])[0].target == 10

    await store.write(story)


def an_end(key: str, kind: OutcomeKind, *, at: int, effect_s: float | None = None) -> OutcomeFact:
    end = Outcome(key=key, kind=kind, reason="because", effect_s=effect_s)
    return OutcomeFact(account=TWO, sent_at=at, answered_at=at, outcomes=(end,))


def a_write(conn: Connection, key: str, quantity: int, *, at: int) -> None:
    """Send a write to the listing of the second channel."""
    found = listings.page(conn, after=0, limit=10, account=TWO)
    intent = history.Intent(
        listing_id=found[0].id,
        account=TWO,
        key=key,
        mode="absolute",
        quantity=quantity,
        expected=None,
        delta=None,
        target=quantity,
        lane=Lane.FALL,
        intended_at=at,
        effect_until=at + 30 * SECOND,
    )
    history.add_intents(conn, [intent])
    listings.take(conn, found)


def open_until(conn: Connection) -> list[int]:
    found = listings.page(conn, after=0, limit=10, account=TWO)
    writes = history.open_writes(conn, [found[0].id])
    return [x.write.until for x in writes.get(found[0].id, ())]


async def test_an_accepted_write_counts_for_as_long_as_its_answer_says(store: Store) -> None:
    """An end that names its own delay keeps the range open for that long; a later word shortens it."""

    def story(conn: Connection) -> None:
        a_shop(conn)
        later = NOW + 60 * SECOND
        a_write(conn, "w1", 4, at=NOW)
        say(conn, an_end("w1", OutcomeKind.ACCEPTED, at=NOW, effect_s=3600.0), at=NOW)
        assert open_until(conn) == [NOW + 3600 * SECOND]
        assert numbers(conn)[TWO][1:3] == (4, 10)
        say(conn, an_end("w1", OutcomeKind.ACCEPTED, at=later, effect_s=5.0), at=later)
        assert open_until(conn) == [later + 5 * SECOND]

    await store.write(story)


async def test_a_write_that_turns_out_refused_is_closed_and_parks_its_listing(store: Store) -> None:
    """An accepted write that never will take effect leaves the range, and its listing waits for a person."""

    def story(conn: Connection) -> None:
        a_shop(conn)
        a_write(conn, "w1", 4, at=NOW)
        say(conn, an_end("w1", OutcomeKind.ACCEPTED, at=NOW), at=NOW)
        say(conn, an_end("w1", OutcomeKind.REJECTED, at=NOW + SECOND), at=NOW + SECOND)
        assert open_until(conn) == []
        assert numbers(conn)[TWO][1:3] == (10, 10)
        assert listings.page(conn, after=0, limit=10, account=TWO)[0].parked == "because"

    await store.write(story)


async def test_a_later_word_does_not_end_the_next_write(store: Store) -> None:
    """While the next write of the listing is under way, a later word on the one before leaves it so."""

    def story(conn: Connection) -> None:
        a_shop(conn)
        a_write(conn, "w1", 4, at=NOW)
        say(conn, an_end("w1", OutcomeKind.ACCEPTED, at=NOW), at=NOW)
        a_write(conn, "w2", 2, at=NOW + SECOND)
        say(conn, an_end("w1", OutcomeKind.ACCEPTED, at=NOW + SECOND, effect_s=0.0), at=NOW + SECOND)
        assert listings.page(conn, after=0, limit=10, account=TWO)[0].in_flight

    await store.write(story)


async def test_ends_of_writes_are_decided_together_unless_one_repeats(store: Store) -> None:
    """Facts with ends of writes that have no key in common are one group; a repeat begins another."""
    facts = [an_end("a", OutcomeKind.APPLIED, at=NOW), an_end("b", OutcomeKind.APPLIED, at=NOW)]
    facts.append(an_end("a", OutcomeKind.APPLIED, at=NOW))
    found = [inbox.Received(inbox_id=n, source="test", fact=fact) for n, fact in enumerate(facts)]
    assert [[one.inbox_id for one in group] for group in groups(found)] == [[0, 1], [2]]
    order = inbox.Received(inbox_id=3, source="test", fact=an_order("1"))
    assert [len(group) for group in groups([*found[:2], order, order])] == [2, 1, 1]
