"""Order snapshots against stored orders: which movements follow."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.core.ledger import (
    Comparison,
    MovementKind,
    Posting,
    Standing,
    StoredLine,
    StoredOrder,
    compare,
    outstanding,
)
from syncd.core.terms import UNPLACED, Comeback, Location, OrderLine, OrderSnapshot, SkuId

A, B, KIT = SkuId(1), SkuId(2), SkuId(9)
TOKYO, OSAKA = Location("tokyo"), Location("osaka")
KITS = {KIT: ((A, 2), (B, 1))}
K = MovementKind


def order(*lines: OrderLine, **changes: Any) -> OrderSnapshot:
    fields: dict[str, Any] = {"version": 1, "read_at": 1000, "ordered_at": 500} | changes
    return OrderSnapshot(order_id="o", number="#1", lines=lines, **fields)


def line(quantity: int = 3, **changes: Any) -> OrderLine:
    return OrderLine(**{"line_id": "l", "remote_id": "r", "quantity": quantity} | changes)


def stored(*lines: StoredLine, **changes: Any) -> StoredOrder:
    fields: dict[str, Any] = {"version": 1, "read_at": 1000, "cancelled": False, "ignored": False} | changes
    return StoredOrder(lines={line.line_id: line for line in lines}, **fields)


def kept(quantity: int = 3, **changes: Any) -> StoredLine:
    fields = {"line_id": "l", "sku_id": A, "location": UNPLACED, "cancelled": 0, "shipped": 0, "returned": 0}
    return StoredLine(**fields | {"quantity": quantity} | changes)


def look(snapshot: OrderSnapshot, known: StoredOrder | None, **changes: Any) -> Comparison:
    fields: dict[str, Any] = {
        "resolved": {line.line_id: A for line in snapshot.lines},
        "locations": {line.line_id: UNPLACED for line in snapshot.lines},
        "kits": KITS,
        "adopted_at": None,
    }
    return compare(snapshot, stored=known, **fields | changes)


def brief(comparison: Comparison) -> list[tuple[str, str, int, int]]:
    """Return (reference after the order, kind, on hand, committed) of each posting."""
    assert all(posting.held == 0 for posting in comparison.postings)
    assert all(posting.reference.startswith("o:") for posting in comparison.postings)
    return [(p.reference.removeprefix("o:"), p.kind.value, p.on_hand, p.committed) for p in comparison.postings]


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        (line(3), [("l:commit:3@1", "commit", 0, 3)]),
        (line(0), []),
        (line(3, cancelled=1), [("l:commit:3@1", "commit", 0, 3), ("l:release:1@1", "release", 0, -1)]),
        (
            line(3, shipped=2, returned=1),
            [
                ("l:commit:3@1", "commit", 0, 3),
                ("l:ship:2@1", "ship", -2, -2),
                ("l:return:1@1", "return", 1, 0),
            ],
        ),
    ],
)
def test_new_order_is_applied_from_zero(stated: OrderLine, expected: list[Any]) -> None:
    """A new order commits what it orders and applies what happened to it already."""
    found = look(order(stated), None)
    assert found.standing is Standing.NEW
    assert brief(found) == expected
    assert found.lines == (
        kept(stated.quantity, cancelled=stated.cancelled, shipped=stated.shipped, returned=stated.returned),
    )
    assert found.unmapped == ()


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (kept(3), line(5), [("l:commit:5@2", "commit", 0, 2)]),
        (kept(3), line(1), [("l:release.ordered:1@2", "release", 0, -2)]),
        (kept(3), line(3, cancelled=2), [("l:release:2@2", "release", 0, -2)]),
        (kept(3, cancelled=1), line(3, cancelled=2), [("l:release:2@2", "release", 0, -1)]),
        (
            kept(3),
            line(3, cancelled=1, cancelled_as=Comeback.DAMAGED),
            [("l:release:1@2", "release", 0, -1), ("l:damage:1@2", "damage", -1, 0)],
        ),
        (
            kept(3),
            line(3, cancelled=3, cancelled_as=Comeback.PHANTOM),
            [("l:release:3@2", "release", 0, -3), ("l:phantom:3@2", "phantom", -3, 0)],
        ),
        (kept(3), line(3, shipped=1), [("l:ship:1@2", "ship", -1, -1)]),
        (kept(3, shipped=1), line(3, shipped=3), [("l:ship:3@2", "ship", -2, -2)]),
        (kept(3, shipped=3), line(3, shipped=3, returned=2), [("l:return:2@2", "return", 2, 0)]),
        (kept(3, shipped=3), line(3, shipped=3, returned=2, returned_as=Comeback.DAMAGED), []),
        (kept(3, shipped=3), line(3, shipped=3, returned=2, returned_as=Comeback.PHANTOM), []),
    ],
)
def test_grown_number_moves_its_difference(before: StoredLine, after: OrderLine, expected: list[Any]) -> None:
    """Only the difference of each cumulative number moves, whatever was missed in between."""
    found = look(order(after, version=2), stored(before))
    assert found.standing is Standing.CHANGED
    assert brief(found) == expected
    assert [changed.line_id for changed in found.lines] == ["l"]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (kept(3, shipped=2), line(3, shipped=1), [("l:ship:1@2", "ship", 1, 1)]),
        (kept(3, cancelled=1), line(3), [("l:release:0@2", "release", 0, 1)]),
        (
            kept(3, cancelled=2),
            line(3, cancelled_as=Comeback.PHANTOM),
            [("l:release:0@2", "release", 0, 2), ("l:phantom:0@2", "phantom", 2, 0)],
        ),
        (kept(3, shipped=3, returned=2), line(3, shipped=3), [("l:return:0@2", "return", -2, 0)]),
    ],
)
def test_number_that_falls_back_is_reversed(before: StoredLine, after: OrderLine, expected: list[Any]) -> None:
    """A correction by the channel posts the reverse of what it corrects."""
    assert brief(look(order(after, version=2), stored(before))) == expected


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (kept(2), line(2, cancelled=1, shipped=2), [("release", 0, -1), ("ship", -2, -1)]),
        (kept(2, shipped=2), line(2, cancelled=1, shipped=2), []),
        (kept(2, cancelled=2), line(2, shipped=2), [("release", 0, 2), ("ship", -2, -2)]),
        (kept(2, shipped=3), line(4, shipped=3), [("commit", 0, 1)]),
        (kept(2, shipped=3), line(3, shipped=3), []),
        (kept(3, shipped=2), line(1, shipped=1), [("release", 0, -1), ("ship", 1, 0)]),
    ],
)
def test_over_shipped_line_owes_nothing(before: StoredLine, after: OrderLine, expected: list[Any]) -> None:
    """Where more left than was ordered, what is outstanding ends at zero and is never negative."""
    found = look(order(after, version=2), stored(before))
    assert [short[1:] for short in brief(found)] == expected
    assert outstanding(before) + sum(p.committed for p in found.postings) == outstanding(found.lines[0])


def test_cut_and_cancel_in_one_snapshot_have_two_references() -> None:
    """An order cut to 2 with 2 cancelled in one snapshot is two movements, none of which hides the other."""
    found = look(order(line(2, cancelled=2), version=2), stored(kept(6)))
    assert brief(found) == [("l:release.ordered:2@2", "release", 0, -4), ("l:release:2@2", "release", 0, -2)]


@pytest.mark.parametrize("version", [2, 1])
def test_repeat_is_a_duplicate(version: int) -> None:
    """A snapshot that states what is stored moves nothing, also under a newer version."""
    found = look(order(line(3, shipped=1), version=version), stored(kept(3, shipped=1)))
    assert found == Comparison(standing=Standing.DUPLICATE)


@pytest.mark.parametrize(
    ("known", "snapshot", "standing"),
    [
        ((5, 1000), {"version": 4, "read_at": 2000}, Standing.OLDER),
        ((5, 1000), {"version": 4, "read_at": 2000, "fresh": True}, Standing.OLDER),
        ((5, 1000), {"version": 6, "read_at": 1}, Standing.CHANGED),
        ((5, 1000), {"version": 5, "read_at": 1000}, Standing.OLDER),
        ((5, 1000), {"version": 5, "read_at": 999}, Standing.OLDER),
        ((5, 1000), {"version": 5, "read_at": 1001}, Standing.CHANGED),
        ((5, 1000), {"version": 5, "read_at": 1000, "fresh": True}, Standing.CHANGED),
        ((None, 1000), {"version": None, "read_at": 999}, Standing.OLDER),
        ((None, 1000), {"version": None, "read_at": 1001}, Standing.CHANGED),
        ((None, 1000), {"version": None, "read_at": 1000}, Standing.CHANGED),
        ((None, 1000), {"version": 7, "read_at": 999}, Standing.OLDER),
        ((7, 1000), {"version": None, "read_at": 1001}, Standing.CHANGED),
    ],
)
def test_age_is_told_by_version_then_by_read(
    known: tuple[int | None, int], snapshot: dict[str, Any], standing: Standing
) -> None:
    """The version orders snapshots; without one, or at the same one, the start of the read does."""
    found = look(order(line(3, cancelled=1), **snapshot), stored(kept(3), version=known[0], read_at=known[1]))
    assert found.standing is standing
    assert bool(found.postings) is (standing is Standing.CHANGED)
    assert bool(found.lines) is (standing is Standing.CHANGED)


@pytest.mark.parametrize(
    ("known", "snapshot", "stamp"),
    [
        ((5, 1000), {"version": 6, "read_at": 1001}, "@6"),
        ((5, 1000), {"version": 5, "read_at": 1001}, "@5+1001"),
        ((None, 1000), {"version": 5, "read_at": 1001}, "@5+1001"),
        ((None, 1000), {"version": None, "read_at": 1001}, "@1001"),
    ],
)
def test_reference_ends_with_what_tells_snapshots_apart(
    known: tuple[int | None, int], snapshot: dict[str, Any], stamp: str
) -> None:
    """A second statement under one version has references of its own."""
    found = look(order(line(3, cancelled=1), **snapshot), stored(kept(3), version=known[0], read_at=known[1]))
    assert brief(found) == [(f"l:release:1{stamp}", "release", 0, -1)]


def test_cancelled_order_releases_all_that_is_not_shipped() -> None:
    """A cancelled order cancels its open units even if its lines do not say so, as what the line says they are."""
    lines = (line(3, shipped=1), line(2, line_id="m", cancelled_as=Comeback.PHANTOM), line(4, line_id="n", cancelled=4))
    known = stored(kept(3, shipped=1), kept(2, line_id="m"), kept(4, line_id="n", cancelled=4))
    found = look(order(*lines, version=2, cancelled=True), known)
    assert found.standing is Standing.CHANGED
    assert brief(found) == [
        ("l:release:2@2", "release", 0, -2),
        ("m:release:2@2", "release", 0, -2),
        ("m:phantom:2@2", "phantom", -2, 0),
    ]
    assert found.lines == (kept(3, shipped=1, cancelled=2), kept(2, line_id="m", cancelled=2))


def test_cancelled_order_that_was_all_cancelled_by_lines_still_changes() -> None:
    """The flag alone is a change, since it has to be stored."""
    known = stored(kept(3, cancelled=3))
    assert look(order(line(3, cancelled=3), version=2, cancelled=True), known) == Comparison(standing=Standing.CHANGED)


@pytest.mark.parametrize(
    ("snapshot", "standing"),
    [
        ({"version": 2}, Standing.REFETCH),
        ({"version": 1, "read_at": 1001}, Standing.REFETCH),
        ({"version": 1}, Standing.OLDER),
        ({"version": 0, "fresh": True}, Standing.OLDER),
        ({"version": 2, "fresh": True}, Standing.CHANGED),
    ],
)
def test_cancelled_order_reopens_only_by_a_fresh_read(snapshot: dict[str, Any], standing: Standing) -> None:
    """A cancelled order that seems open again changes nothing until it was read for its own sake."""
    found = look(order(line(3), **snapshot), stored(kept(3, cancelled=3), cancelled=True))
    assert found.standing is standing
    expected = [("l:release:0@2", "release", 0, 3)] if standing is Standing.CHANGED else []
    assert brief(found) == expected


@pytest.mark.parametrize(
    ("snapshot", "adopted_at", "standing"),
    [
        ({"test": True}, None, Standing.IGNORED),
        ({"closed": True}, 501, Standing.IGNORED),
        ({"cancelled": True}, 501, Standing.IGNORED),
        ({"closed": True}, 500, Standing.NEW),
        ({"closed": True}, None, Standing.NEW),
        ({}, 501, Standing.NEW),
    ],
)
def test_ignored_orders_move_nothing(snapshot: dict[str, Any], adopted_at: int | None, standing: Standing) -> None:
    """Test orders, and orders closed before the shop was adopted, move nothing."""
    found = look(order(line(3, shipped=3), **snapshot), None, adopted_at=adopted_at)
    assert found.standing is standing
    assert bool(found.lines) is (standing is Standing.NEW)


@pytest.mark.parametrize(("snapshot", "ignored"), [({}, True), ({"test": True}, False)])
def test_ignored_order_stays_ignored(snapshot: dict[str, Any], ignored: bool) -> None:
    """An order that was ignored once moves nothing later, and neither does a test order."""
    found = look(order(line(3), version=2, **snapshot), stored(ignored=ignored))
    assert found == Comparison(standing=Standing.IGNORED)


def test_order_open_at_adoption_commits_what_is_outstanding() -> None:
    """Units that left before the opening count move nothing; the rest of the order commits once."""
    lines = (
        line(3, shipped=2, returned=1),
        line(2, line_id="m", cancelled=1, cancelled_as=Comeback.DAMAGED),
        line(2, line_id="n", shipped=2),
    )
    found = look(order(*lines), None, adopted_at=501)
    assert found.standing is Standing.NEW
    assert brief(found) == [("l:commit:3@1", "commit", 0, 1), ("m:commit:2@1", "commit", 0, 1)]
    assert [(new.quantity, new.cancelled, new.shipped) for new in found.lines] == [(3, 0, 2), (2, 1, 0), (2, 0, 2)]
    later = look(order(replace(lines[0], shipped=3), *lines[1:], version=2), stored(*found.lines), adopted_at=501)
    assert brief(later) == [("l:ship:3@2", "ship", -1, -1)]


def test_line_added_to_a_stored_order_is_applied_from_zero() -> None:
    """A line that appears later is new, also in an order from before adoption."""
    found = look(order(line(3), line(2, line_id="m", shipped=1), version=2), stored(kept(3)), adopted_at=501)
    assert brief(found) == [("m:commit:2@2", "commit", 0, 2), ("m:ship:1@2", "ship", -1, -1)]


def test_line_that_vanished_is_cancelled() -> None:
    """A line that a newer snapshot does not have is wholly cancelled, its stock free again, once."""
    known = stored(kept(3), kept(4, line_id="m", shipped=1), kept(2, line_id="n", shipped=2))
    found = look(order(line(3), version=2), known)
    assert found.standing is Standing.CHANGED
    assert brief(found) == [("m:release:3@2", "release", 0, -3)]
    assert found.lines == (kept(4, line_id="m", shipped=1, cancelled=3),)
    again = stored(kept(3), *found.lines, kept(2, line_id="n", shipped=2))
    assert look(order(line(3), version=3), again).standing is Standing.DUPLICATE


def test_vanished_line_in_quarantine_moves_nothing() -> None:
    """A line that vanished before it was mapped is cancelled in the store and moves nothing."""
    found = look(order(version=2), stored(kept(3, sku_id=None)))
    assert found == Comparison(standing=Standing.CHANGED, lines=(kept(3, sku_id=None, cancelled=3),))


def test_vanished_line_of_an_equal_snapshot_is_older() -> None:
    """A snapshot that is not later cannot take a line away."""
    assert look(order(), stored(kept(3))).standing is Standing.OLDER


def test_unmapped_line_waits_in_quarantine() -> None:
    """A line without a SKU is stored and named, moves nothing, and is named again by a repeat."""
    snapshot = order(line(3), line(1, line_id="m"), line(1, line_id="n"))
    resolved = {"l": None, "m": A}
    found = look(snapshot, None, resolved=resolved)
    assert brief(found) == [("m:commit:1@1", "commit", 0, 1)]
    assert found.unmapped == ("l", "n")
    assert [(new.line_id, new.sku_id) for new in found.lines] == [("l", None), ("m", A), ("n", None)]
    again = look(snapshot, stored(*found.lines), resolved=resolved)
    assert again == Comparison(standing=Standing.DUPLICATE, unmapped=("l", "n"))


def test_line_in_quarantine_follows_the_channel() -> None:
    """What happens to a line in quarantine is stored without moving anything."""
    found = look(order(line(3, shipped=1), version=2), stored(kept(3, sku_id=None)), resolved={})
    assert found.standing is Standing.CHANGED
    assert found.postings == ()
    assert found.lines == (kept(3, sku_id=None, shipped=1),)


@pytest.mark.parametrize("snapshot", [{"version": 2}, {"version": 1}, {"version": 1, "read_at": 10}])
def test_mapping_applies_a_line_as_if_it_were_new(snapshot: dict[str, Any]) -> None:
    """A line mapped since it was stored moves from zero, also by a repeat of what is stored."""
    known = stored(kept(3, sku_id=None, shipped=1, location=OSAKA))
    found = look(order(line(3, shipped=1), **snapshot), known)
    assert found.standing is Standing.CHANGED
    assert [short[1:] for short in brief(found)] == [("commit", 0, 3), ("ship", -1, -1)]
    assert found.lines == (kept(3, shipped=1),)
    assert found.unmapped == ()


def test_old_snapshot_does_not_map_with_other_numbers() -> None:
    """A snapshot of the stored version with other numbers and no later read changes nothing, mapped or not."""
    assert look(order(line(3)), stored(kept(3, sku_id=None, shipped=1))).standing is Standing.OLDER


@pytest.mark.parametrize("resolved", [{"l": B}, {"l": None}, {}])
def test_line_keeps_its_sku(resolved: dict[str, SkuId | None]) -> None:
    """A line once mapped is never mapped anew."""
    found = look(order(line(3, shipped=1), version=2), stored(kept(3)), resolved=resolved)
    assert [p.sku_id for p in found.postings] == [A]
    assert found.lines == (kept(3, shipped=1),)
    assert found.unmapped == ()


def test_changed_location_moves_what_is_outstanding() -> None:
    """A line whose place changed takes its outstanding units along, and later movements happen there."""
    known = stored(kept(4, shipped=1, location=TOKYO))
    found = look(order(line(4, shipped=2), version=2), known, locations={"l": OSAKA})
    assert found.postings == (
        Posting(reference="o:l:release.moved:3@2", sku_id=A, location=TOKYO, kind=K.RELEASE, committed=-3),
        Posting(reference="o:l:commit.moved:3@2", sku_id=A, location=OSAKA, kind=K.COMMIT, committed=3),
        Posting(reference="o:l:ship:2@2", sku_id=A, location=OSAKA, kind=K.SHIP, on_hand=-1, committed=-1),
    )
    assert found.lines == (kept(4, shipped=2, location=OSAKA),)


def test_changed_location_of_a_settled_line_moves_nothing() -> None:
    """A line with nothing outstanding only notes its new place."""
    found = look(order(line(2, shipped=2), version=2), stored(kept(2, shipped=2)), locations={"l": OSAKA})
    assert found == Comparison(standing=Standing.CHANGED, lines=(kept(2, shipped=2, location=OSAKA),))


def test_unknown_location_stays() -> None:
    """A line of which no location is given stays where it is; a new one is unplaced."""
    snapshot = order(line(3), line(1, line_id="m"), version=2)
    found = look(snapshot, stored(kept(3, location=TOKYO)), locations={})
    assert [(p.location, p.committed) for p in found.postings] == [(UNPLACED, 1)]


def test_equal_snapshot_does_not_move_a_line() -> None:
    """A snapshot that is not later cannot change a place."""
    assert look(order(line(3)), stored(kept(3)), locations={"l": TOKYO}).standing is Standing.OLDER


def test_kit_moves_its_components() -> None:
    """A line of a kit moves every component by its share; the kit itself has no movements."""
    found = look(order(line(3, shipped=1)), None, resolved={"l": KIT})
    assert [(p.reference, p.sku_id, p.on_hand, p.committed) for p in found.postings] == [
        ("o:l:commit:3@1/1", A, 0, 6),
        ("o:l:commit:3@1/2", B, 0, 3),
        ("o:l:ship:1@1/1", A, -2, -2),
        ("o:l:ship:1@1/2", B, -1, -1),
    ]
    assert found.lines == (kept(3, sku_id=KIT, shipped=1),)


@pytest.mark.parametrize(
    "lines",
    [(line(1), line(2)), (line(-1),), (line(1, cancelled=-1),), (line(1, shipped=-1),), (line(1, returned=-1),)],
)
def test_impossible_snapshot_stops(lines: tuple[OrderLine, ...]) -> None:
    """Two lines of one id, or a negative number, is a bug of ours and stops."""
    with pytest.raises(AssertionError):
        look(order(*lines), None)


# --- whatever comes in whatever order ----------------------------------------------------------------------------

LINE_IDS = ("a", "b", "c")
RESOLVED: dict[str, SkuId | None] = {"a": A, "b": KIT, "c": None}
"""Line c is in quarantine until the end."""
PLACES = (UNPLACED, TOKYO, OSAKA)


@dataclass
class Shop:
    """Plays the caller: stores what `compare` says and sums the movements, each reference once."""

    stored: StoredOrder | None = None
    references: set[str] = field(default_factory=set)
    on_hand: Counter[SkuId] = field(default_factory=Counter)
    committed: Counter[tuple[SkuId, Location]] = field(default_factory=Counter)

    def deliver(self, snapshot: OrderSnapshot, places: dict[str, Location], resolved: dict[str, Any]) -> Standing:
        found = compare(snapshot, stored=self.stored, resolved=resolved, locations=places, kits=KITS, adopted_at=None)
        if found.standing in {Standing.NEW, Standing.CHANGED}:
            self._apply(found)
        else:
            assert not found.postings
            assert not found.lines
        if found.standing in {Standing.NEW, Standing.CHANGED, Standing.DUPLICATE}:
            lines = dict(self.stored.lines if self.stored else {}) | {line.line_id: line for line in found.lines}
            version, read_at = snapshot.version, snapshot.read_at
            if self.stored and found.standing is Standing.DUPLICATE and self.stored.version == version:
                read_at = max(read_at, self.stored.read_at)
            self.stored = StoredOrder(
                version=version, read_at=read_at, cancelled=snapshot.cancelled, ignored=False, lines=lines
            )
        return found.standing

    def _apply(self, found: Comparison) -> None:
        for posting in found.postings:
            assert posting.reference not in self.references
            self.references.add(posting.reference)
            self.on_hand[posting.sku_id] += posting.on_hand
            self.committed[posting.sku_id, posting.location] += posting.committed


numbers = st.integers(min_value=0, max_value=4)
comebacks = st.sampled_from(list(Comeback))


@st.composite
def histories(draw: st.DrawFn, *, versioned: bool) -> list[tuple[OrderSnapshot, dict[str, Location]]]:
    """Draw what a channel may ever have said of one order, each (version, read) once, from first to last."""
    kinds = {line_id: (draw(comebacks), draw(comebacks)) for line_id in LINE_IDS}
    reads = draw(st.lists(st.integers(min_value=1, max_value=50), min_size=1, max_size=6, unique=True))
    moments = [(draw(st.integers(min_value=1, max_value=3)) if versioned else None, read) for read in reads]
    history = []
    for version, read_at in sorted(moments, key=lambda moment: (moment[0] or 0, moment[1])):
        lines = tuple(
            line(
                draw(numbers),
                line_id=line_id,
                cancelled=draw(numbers),
                shipped=draw(numbers),
                returned=draw(numbers),
                cancelled_as=kinds[line_id][0],
                returned_as=kinds[line_id][1],
            )
            for line_id in LINE_IDS
            # What a vanished line was cancelled as is not stored: only a sellable one may come back unharmed.
            if kinds[line_id][0] is not Comeback.SELLABLE or draw(st.integers(0, 3))
        )
        snapshot = order(*lines, version=version, read_at=read_at, cancelled=draw(st.booleans()))
        history.append((snapshot, {line_id: draw(st.sampled_from(PLACES)) for line_id in LINE_IDS}))
    return history


def expected_sums(shop: Shop, lines: dict[str, OrderLine]) -> tuple[Counter[SkuId], Counter[Any]]:
    """Return on hand per SKU and committed per SKU and place, from the newest numbers alone."""
    on_hand: Counter[SkuId] = Counter()
    committed: Counter[Any] = Counter()
    assert shop.stored is not None
    for stored_line in shop.stored.lines.values():
        assert stored_line.sku_id is not None
        said = lines[stored_line.line_id]
        units = -stored_line.shipped
        units += stored_line.returned if said.returned_as is Comeback.SELLABLE else 0
        units -= stored_line.cancelled if said.cancelled_as is not Comeback.SELLABLE else 0
        for sku_id, per_line in KITS.get(stored_line.sku_id, ((stored_line.sku_id, 1),)):
            on_hand[sku_id] += units * per_line
            committed[sku_id, stored_line.location] += outstanding(stored_line) * per_line
    return on_hand, committed


def check_newest(shop: Shop, newest: OrderSnapshot, places: dict[str, Location]) -> None:
    """Assert that the stored lines are what the newest snapshot says."""
    assert shop.stored is not None
    said = {stated.line_id: stated for stated in newest.lines}
    for line_id, stored_line in shop.stored.lines.items():
        if line_id not in said:
            assert outstanding(stored_line) == 0
            continue
        stated = said[line_id]
        cancelled = max(stated.cancelled, stated.quantity - stated.shipped) if newest.cancelled else stated.cancelled
        assert (stored_line.quantity, stored_line.cancelled) == (stated.quantity, cancelled)
        assert (stored_line.shipped, stored_line.returned) == (stated.shipped, stated.returned)
        assert stored_line.location == places[line_id]


@settings(max_examples=300, deadline=None)
@given(data=st.data(), versioned=st.booleans())
def test_any_delivery_ends_at_the_newest_snapshot(data: st.DataObject, versioned: bool) -> None:
    """In any order, doubled or not, the movements sum to what the newest snapshot says."""
    history = data.draw(histories(versioned=versioned))
    order_of_delivery = data.draw(
        st.permutations(
            list(range(len(history))) + data.draw(st.lists(st.sampled_from(range(len(history))), max_size=4))
        )
    )
    shop, all_lines = Shop(), {}
    for position in order_of_delivery:
        snapshot, places = history[position]
        all_lines |= {stated.line_id: stated for stated in snapshot.lines}
        if shop.deliver(snapshot, places, RESOLVED) is Standing.REFETCH:
            # The fetch finds what the channel says of it now: at least as new as what made us ask.
            assert shop.deliver(replace(snapshot, fresh=True), places, RESOLVED) is Standing.CHANGED
    newest, places = history[-1]
    assert shop.stored is not None
    assert (shop.stored.version, shop.stored.read_at) == (newest.version, newest.read_at)
    check_newest(shop, newest, places)
    _map_the_rest(shop, newest, places)
    on_hand, committed = expected_sums(shop, all_lines)
    assert {k: v for k, v in shop.on_hand.items() if v} == {k: v for k, v in on_hand.items() if v}
    assert {k: v for k, v in shop.committed.items() if v} == {k: v for k, v in committed.items() if v}


def _map_the_rest(shop: Shop, newest: OrderSnapshot, places: dict[str, Location]) -> None:
    """Map the line in quarantine as a person does: by stating again what is stored."""
    assert shop.stored is not None
    waiting = shop.stored.lines.get("c")
    if waiting is None:
        return
    stated = next((stated for stated in newest.lines if stated.line_id == "c"), None)
    if stated is None:
        shop.stored = replace(shop.stored, lines={k: v for k, v in shop.stored.lines.items() if k != "c"})
        return
    assert shop.deliver(newest, places, RESOLVED | {"c": B}) is Standing.CHANGED
