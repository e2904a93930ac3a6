"""Histories of a SKU on two channels, made up for tests."""

from __future__ import annotations

from dataclasses import replace

from syncd.core.history import Drifted, History, Moved, Place, SoldLine, Written
from syncd.core.terms import SECOND_US
from syncd.testing.clock import ManualClock

START = ManualClock().now()
SHOP, MALL = 1, 2


def at(seconds: float) -> int:
    return START + round(seconds * SECOND_US)


def moved(number: int, kind: str, happened: float, known: float, **units: int) -> Moved:
    return Moved(
        id=number,
        at=at(happened),
        recorded_at=at(known),
        kind=kind,
        location="main",
        on_hand=units.get("on_hand", 0),
        committed=units.get("committed", 0),
        held=units.get("held", 0),
        source="test",
        reference=f"m{number}",
        reason="",
        actor="",
    )


def sold(number: int, account: str, units: int, happened: float, known: float) -> Moved:
    plain = moved(number, "commit", happened, known, committed=units)
    return replace(plain, source=account, reference=f"o{number}:1:commit:{units}@1")


def written(number: int, listing: int, units: int, sent: float, state: str = "applied", took: float = 1.0) -> Written:
    return Written(
        id=number,
        listing_id=listing,
        quantity=units,
        target=units,
        delta=None,
        mode="absolute",
        state=state,
        intended_at=at(sent),
        answered_at=at(sent + took),
        effect_until=at(sent + took),
        reason="",
    )


def story(*moves: Moved, writes: tuple[Written, ...] = (), drifts: tuple[Drifted, ...] = ()) -> History:
    """Return the history of a SKU on two channels that was counted at second 0."""
    lines = {
        (move.source, f"o{move.id}:1"): SoldLine(
            account=move.source,
            order_id=f"o{move.id}",
            number=f"#{move.id}",
            line_id="1",
            remote_id=f"at-{move.source}",
            sku="A",
            ordered_at=move.at,
        )
        for move in moves
        if move.committed
    }
    places = [
        Place(id=number, account=name, remote_id=f"at-{name}", sku="A", target=0, seen=0, seen_at=None)
        for number, name in ((SHOP, "shop"), (MALL, "mall"))
    ]
    return History(
        sku="A",
        opened_at=at(0),
        before=(0, 0, 0),
        movements=moves,
        cut=False,
        sold=lines,
        listings=tuple(places),
        writes=writes,
        writes_since=None,
        suspects=(),
        drifts=drifts,
        oversold_at=None,
        oversell_over_at=None,
    )


OPENING = moved(1, "opening", 0, 0, on_hand=3)
FOREIGN = Drifted(
    id=1, account="mall", listing_id=MALL, seen=2, expected_low=0, expected_high=0, state="enforced", at=at(90)
)
CASES: dict[str, tuple[History, str, list[str], dict[str, int]]] = {
    "orders crossed before the first was heard of": (
        story(OPENING, sold(2, "shop", 2, 100, 130), sold(3, "mall", 2, 110, 140)),
        "lag",
        ["#2"],
        {"mall": 2},
    ),
    "orders crossed before the write was in effect": (
        story(
            OPENING,
            sold(2, "shop", 2, 100, 101),
            sold(3, "mall", 2, 110, 140),
            writes=(written(1, MALL, 1, 101, "accepted", 60),),
        ),
        "lag",
        ["#2"],
        {"mall": 2},
    ),
    "a slow channel is a lag too": (
        story(
            OPENING,
            sold(2, "shop", 3, 100, 101),
            sold(3, "mall", 1, 500, 510),
            writes=(written(1, MALL, 0, 101, "accepted", 900),),
        ),
        "lag",
        ["#2"],
        {"mall": 3},
    ),
    "a write that was refused": (
        story(
            OPENING,
            sold(2, "shop", 2, 100, 101),
            sold(3, "mall", 2, 300, 310),
            writes=(written(1, MALL, 1, 101, "rejected"),),
        ),
        "write",
        ["#2"],
        {},
    ),
    "nothing was written": (
        story(OPENING, sold(2, "shop", 2, 100, 101), sold(3, "mall", 2, 300, 310)),
        "not_written",
        ["#2"],
        {},
    ),
    "a count was wrong": (
        story(
            OPENING,
            sold(2, "shop", 1, 100, 101),
            sold(3, "mall", 2, 300, 310),
            moved(4, "count", 400, 400, on_hand=-1),
            writes=(written(1, MALL, 2, 101),),
        ),
        "count",
        [],
        {},
    ),
    "somebody else wrote": (
        story(
            OPENING,
            sold(2, "shop", 3, 20, 21),
            sold(3, "mall", 1, 100, 101),
            writes=(written(1, MALL, 0, 21),),
            drifts=(FOREIGN,),
        ),
        "drift",
        [],
        {},
    ),
    "given back twice": (
        story(
            replace(OPENING, on_hand=1),
            sold(2, "mall", 2, 5, 6),
            replace(moved(3, "release", 10, 10, committed=-2), source="mall", reference="o2:1:release:2@2"),
            sold(4, "shop", 1, 20, 21),
            sold(5, "mall", 1, 100, 101),
            writes=(written(1, MALL, 0, 21),),
            drifts=(FOREIGN,),
        ),
        "restore",
        [],
        {},
    ),
    "nothing explains it": (
        story(
            OPENING,
            sold(2, "shop", 3, 20, 21),
            sold(3, "mall", 1, 100, 101),
            writes=(written(1, MALL, 0, 21),),
        ),
        "unknown",
        [],
        {},
    ),
}  # fmt: skip
