"""Every kind of difference is found, with the SKU and both numbers, and nothing else is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, delete, text, update

from syncd.store import verify as verify_module
from syncd.store.driver import writer_engine
from syncd.store.rows import BalanceRow, KitRow, ListingRow, MovementRow, OrderLineRow, OrderRow, SkuRow, WriteRow
from syncd.store.schema import migrate
from syncd.store.statements import table
from syncd.store.verify import Discrepancy, Kind, verify
from tests.store.planting import plant

BALANCE, LINE = table(BalanceRow), table(OrderLineRow)


def moved(number: int, sku_id: int, location: str, on_hand: int, committed: int = 0, held: int = 0) -> MovementRow:
    units = {"on_hand": on_hand, "committed": committed, "held": held}
    names = {"source": "test", "reference": str(number), "location": location, "kind": "adjust"}
    return MovementRow(sku_id=sku_id, at=0, recorded_at=0, **names, **units)


def balance(sku_id: int, location: str, on_hand: int, committed: int = 0, held: int = 0) -> BalanceRow:
    return BalanceRow(sku_id=sku_id, location=location, on_hand=on_hand, committed=committed, held=held)


def ordered(number: int, *, ignored: bool = False) -> OrderRow:
    names = {"account": "shop", "remote_id": str(number), "number": ""}
    return OrderRow(id=number, ignored=ignored, read_at=0, ordered_at=0, recorded_at=0, **names)


def line(order_id: int, sku_id: int | None, quantity: int, cancelled: int = 0, shipped: int = 0) -> OrderLineRow:
    names = {"line_id": str(sku_id), "account": "shop", "remote_id": "r", "remote_sku": "R-1"}
    units = {"quantity": quantity, "cancelled": cancelled, "shipped": shipped}
    return OrderLineRow(order_id=order_id, sku_id=sku_id, **names, **units)


def wrote(number: int, listing_id: int, *, is_open: bool) -> WriteRow:
    names = {"account": "shop", "key": f"key {number}", "mode": "absolute", "state": "intended"}
    numbers = {"quantity": 0, "target": 0, "lane": 0, "intended_at": 0}
    return WriteRow(id=number, listing_id=listing_id, open=is_open, **names, **numbers)


@pytest.fixture
def conn(store_url: str, clock: Any) -> Iterator[Connection]:
    """Give a store that agrees: A is sold and held at two places, K is a kit of 2 A and 3 B, an order is ignored."""
    migrate(store_url, backup_dir=None, clock=clock)
    with writer_engine(store_url).begin() as conn:
        plant(conn, SkuRow(id=1, code="A"), SkuRow(id=2, code="B"), SkuRow(id=3, code="K"))
        plant(conn, *(KitRow(kit_id=3, component_id=sku_id, quantity=n) for sku_id, n in ((1, 2), (2, 3))))
        plant(conn, moved(1, 1, "tokyo", 10, held=1), moved(2, 1, "tokyo", -3, held=1), moved(3, 1, "", 0, committed=9))
        plant(conn, moved(4, 2, "osaka", 5, committed=3), moved(5, 2, "nowhere", 1), moved(6, 2, "nowhere", -1))
        plant(conn, balance(1, "tokyo", 7, held=2), balance(1, "", 0, committed=9))
        plant(conn, balance(2, "osaka", 5, committed=3), balance(2, "empty", 0))
        plant(conn, ordered(1), line(1, 1, 10, 2, 1), line(1, 3, 1), line(1, None, 50), line(1, 2, 4, 3, 3))
        plant(conn, ordered(2, ignored=True), line(2, 1, 99))
        plant(conn, ListingRow(id=1, account="shop", remote_id="r"))
        plant(conn, wrote(1, 1, is_open=True), wrote(2, 404, is_open=False))
        yield conn


def test_a_store_that_agrees_has_no_differences(conn: Connection) -> None:
    """Kits, quarantine, ignored orders, over-shipped lines and empty balances are no differences."""
    assert verify(conn) == []


@pytest.mark.parametrize(
    ("column", "kind", "expected"),
    [("on_hand", Kind.ON_HAND, 7), ("held", Kind.HELD, 2)],
)
def test_a_wrong_balance_is_found(conn: Connection, column: str, kind: Kind, expected: int) -> None:
    """A number of a balance that its movements do not give is told with both numbers."""
    conn.execute(update(BALANCE).where(BALANCE.c.location == "tokyo").values({column: 4}))
    (found,) = verify(conn)
    assert found == Discrepancy(kind=kind, sku="A", location="tokyo", expected=expected, found=4)
    assert str(found) == f"{kind} of A at tokyo: 4, expected {expected}"


def test_wrong_committed_is_found_twice(conn: Connection) -> None:
    """Committed units disagree with the movements and with the orders."""
    conn.execute(update(BALANCE).where(BALANCE.c.location == "").values(committed=8))
    assert verify(conn) == [
        Discrepancy(kind=Kind.COMMITTED, sku="A", location="", expected=9, found=8),
        Discrepancy(kind=Kind.PROMISED, sku="A", expected=9, found=8),
    ]


def test_a_missing_balance_is_found(conn: Connection) -> None:
    """Movements without a balance are told as a balance of nothing."""
    conn.execute(delete(BALANCE).where(BALANCE.c.location == "tokyo"))
    assert {(d.kind, d.location, d.expected, d.found) for d in verify(conn)} == {
        (Kind.ON_HAND, "tokyo", 7, 0),
        (Kind.HELD, "tokyo", 2, 0),
    }


def test_a_balance_from_nowhere_is_found(conn: Connection) -> None:
    """A balance without movements is told, also of a SKU that is not there."""
    plant(conn, balance(77, "x", 3))
    (found,) = verify(conn)
    assert (found.sku, found.location, found.expected, found.found) == ("", "x", 0, 3)
    assert "unknown SKU" in str(found)


def test_an_order_that_committed_nothing_is_found(conn: Connection) -> None:
    """Outstanding units of an order that no balance carries are told, of kits by their components."""
    conn.execute(update(LINE).where(LINE.c.sku_id == 3).values(quantity=2))
    assert verify(conn) == [
        Discrepancy(kind=Kind.PROMISED, sku="A", expected=11, found=9),
        Discrepancy(kind=Kind.PROMISED, sku="B", expected=6, found=3),
    ]


def test_rows_that_point_nowhere_are_found(conn: Connection) -> None:
    """An open write without its listing and an order line without its SKU are told by name."""
    conn.execute(text("DELETE FROM listing"))
    conn.execute(text("UPDATE order_line SET sku_id = 99 WHERE sku_id = 1 AND order_id = 2"))
    assert [(d.kind, d.sku, d.subject) for d in verify(conn)] == [
        (Kind.WRITE, "", "write key 1 of shop to listing 1"),
        (Kind.ORDER_LINE, "R-1", "line 1 of order 2 of shop"),
    ]


def test_no_more_than_a_limit_is_told(conn: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ledger that is wrong everywhere does not fill the memory with differences."""
    monkeypatch.setattr(verify_module, "REPORTED", 10)
    plant(conn, *(balance(number, "", 1) for number in range(100, 200)))
    assert len(verify(conn)) == 10
