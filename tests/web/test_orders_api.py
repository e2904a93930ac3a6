"""Orders and the proof of the ledger by the API."""

from __future__ import annotations

from sqlalchemy import text

from syncd.core.terms import FulfilmentStatus, PaymentStatus
from tests.web.conftest import Api
from tests.web.rig import Rig


async def numbers(api: Api, **query: str) -> list[str]:
    status, found = await api.get("/orders", **query)
    assert status == 200, found
    return [row["number"] for row in found["rows"]]


async def fill(rig: Rig) -> None:
    await rig.know("A", "B", KIT={"B": 2})
    await rig.catalogue("shop", ("r1", "A"), ("r2", "KIT"))
    await rig.count(A=1, B=1)
    await rig.order("shop", "S-1", ("r1", "A", 1), payment=PaymentStatus.PAID)
    await rig.order("shop", "S-2", ("r2", "KIT", 1), fulfilment=FulfilmentStatus.UNFULFILLED)
    await rig.order("mall", "M-1", ("x", "", 2), payment=PaymentStatus.PAID, cancelled=True)


async def test_orders_are_filtered(rig: Rig, api: Api) -> None:
    """Orders come newest first, by account, status words that all fit, number, and whether they wait for stock."""
    await fill(rig)
    assert await numbers(api) == ["M-1", "S-2", "S-1"]
    assert await numbers(api, account="shop") == ["S-2", "S-1"]
    assert await numbers(api, status="paid") == ["M-1", "S-1"]
    assert await numbers(api, status="paid,cancelled") == ["M-1"]
    assert await numbers(api, status="open") == ["S-2", "S-1"]
    assert await numbers(api, text="s-") == ["S-2", "S-1"]
    assert await numbers(api, delayed="true") == ["S-2"]
    status, told = await api.get("/orders", status="blue")
    assert (status, "blue" in told["error"]["message"], "refunded" in told["error"]["message"]) == (400, True, True)


async def test_orders_are_paged(rig: Rig, api: Api) -> None:
    """A page says where the next one goes on."""
    await fill(rig)
    _, page = await api.get("/orders", limit="2")
    _, rest = await api.get("/orders", limit="2", before=str(page["next"]))
    assert [row["number"] for row in page["rows"] + rest["rows"]] == ["M-1", "S-2", "S-1"]
    assert rest["next"] is None


async def test_an_order_is_told_with_its_lines(rig: Rig, api: Api) -> None:
    """An order has its lines, says which are short of stock and which have no SKU."""
    await fill(rig)
    _, found = await api.get("/orders/shop/o-S-2")
    assert (found["order"]["number"], found["order"]["delayed"], found["order"]["unmapped"]) == ("S-2", True, 0)
    assert [(line["sku"], line["quantity"], line["short"]) for line in found["lines"]] == [("KIT", 1, True)]
    _, found = await api.get("/orders/mall/o-M-1")
    assert (found["order"]["unmapped"], found["lines"][0]["sku"]) == (1, None)
    assert (await api.get("/orders/mall/o-S-2"))[0] == 404
    status, told = await api.get("/orders/mull/o-S-2")
    assert (status, "no account is called mull; there is: " in told["error"]["message"]) == (404, True)


async def test_a_sku_without_a_count_delays_nobody(rig: Rig, api: Api) -> None:
    """Before the opening count nothing is known to be short."""
    await rig.catalogue("shop", ("r1", "A"))
    await rig.order("shop", "1", ("r1", "A", 1))
    assert await numbers(api, delayed="true") == []
    assert (await api.get("/status"))[1]["oversold_units"] == 0


async def test_the_ledger_proves_itself(rig: Rig, api: Api) -> None:
    """A ledger that sums up is told so, and a balance that was changed behind its back is named."""
    await fill(rig)
    assert (await api.get("/ledger/verify"))[1] == {"ok": True, "discrepancies": []}
    await rig.plant.store.write(
        lambda conn: conn.execute(text("UPDATE balance SET on_hand = on_hand + 1 WHERE on_hand = 1 AND committed = 1"))
    )
    _, told = await api.get("/ledger/verify")
    assert (told["ok"], [(row["kind"], row["sku"]) for row in told["discrepancies"]]) == (False, [("on_hand", "A")])
