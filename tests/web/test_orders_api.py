"""Orders and the proof of the ledger by the API."""

from __future__ import annotations

import csv
import io
from typing import Any

from sqlalchemy import text

from syncd.core.terms import SECOND_US, Delivery, FulfilmentStatus, PaymentStatus, Shipment
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


DAY_US = 86_400 * SECOND_US


def parcel(number: str, carrier: str, **fields: Any) -> Shipment:
    return Shipment(shipment_id=f"s-{number}", carrier=carrier, number=number, **fields)


async def fill_parcels(rig: Rig) -> None:
    now = rig.clock.now()
    await rig.know("A")
    await rig.catalogue("shop", ("r1", "A"))
    await rig.order("shop", "S-1", ("r1", "A", 1), delivery=Delivery(ship_by=now - SECOND_US))
    both = (parcel("1111-2222", "ヤマト運輸", shipped_at=now), parcel("3", "鳩", url="javascript:x"))
    await rig.order("shop", "S-2", ("r1", "A", 2), delivery=Delivery(shipments=both, ship_by=now + DAY_US))
    await rig.order("mall", "M-1", ("x", "", 1), cancelled=True, delivery=Delivery(ship_by=now - SECOND_US))


async def test_orders_are_filtered_by_delay_and_carrier(rig: Rig, api: Api) -> None:
    """Late is what should have left by now and did not; a carrier is known by its key; times are half open."""
    await fill_parcels(rig)
    assert await numbers(api, late="true") == ["S-1"]
    assert await numbers(api, carrier="yamato") == ["S-2"]
    assert await numbers(api, carrier="other") == ["S-2"]
    assert await numbers(api, carrier="sagawa") == []
    at = "2026-09-21T14:13:21Z"
    assert await numbers(api, since=at) == ["M-1", "S-2", "S-1"]
    assert await numbers(api, until=at) == []
    assert (await api.get("/orders", carrier="pigeon"))[0] == 400
    rig.clock.instant += 2 * DAY_US
    assert await numbers(api, late="true") == ["S-2", "S-1"]


async def test_an_order_is_told_with_its_parcels(rig: Rig, api: Api) -> None:
    """A parcel has its carrier, number and a link that is safe; what a channel tells anew replaces what it told."""
    await fill_parcels(rig)
    _, found = await api.get("/orders/shop/o-S-2")
    first, second = sorted(found["shipments"], key=lambda one: str(one["number"]), reverse=True)
    assert (first["carrier"], first["link"]) == ("other", "")
    assert (second["carrier"], "id=11112222" in second["link"], second["shipped_at"]) == (
        "yamato", True, "2026-09-21T14:13:20Z")  # fmt: skip
    assert (found["order"]["parcels"], found["order"]["carriers"], found["order"]["late"]) == (
        2, ["yamato", "other"], False)  # fmt: skip
    await rig.order("shop", "S-2", ("r1", "A", 2), version=2, delivery=Delivery(shipments=(parcel("9", "佐川急便"),)))
    await rig.order("shop", "S-2", ("r1", "A", 2), version=3)
    _, found = await api.get("/orders/shop/o-S-2")
    assert [one["carrier"] for one in found["shipments"]] == ["sagawa"]
    assert found["order"]["ship_by"] is None


async def test_orders_leave_as_a_file(rig: Rig, api: Api) -> None:
    """A file has a BOM or is Shift_JIS, Japanese or English heads, and no cell that a spreadsheet would compute."""
    await fill_parcels(rig)
    await rig.order("mall", "=1+1", ("x", "", 1))
    base = "http://syncd/api/v1/orders.csv"
    async with api.session.get(base) as answer:
        raw = await answer.read()
        assert answer.content_type == "text/csv"
        assert answer.headers["Content-Disposition"].startswith('attachment; filename="orders-2026')
    assert raw.startswith(b"\xef\xbb\xbf")
    lines = list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"))))
    assert [line["注文番号"] for line in lines] == ["'=1+1", "M-1", "S-2", "S-1"]
    assert (lines[2]["運送会社"], lines[3]["発送遅延"]) == ("ヤマト運輸 other", "1")
    async with api.session.get(base, params={"encoding": "shift_jis", "language": "en", "account": "shop"}) as answer:
        text_of = (await answer.read()).decode("cp932")
    assert [line["order"] for line in csv.DictReader(io.StringIO(text_of))] == ["S-2", "S-1"]
