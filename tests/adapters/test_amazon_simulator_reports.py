"""Reports of the simulated Amazon, what it keeps in its warehouses, and where the seller sells."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator, Mapping
from typing import Any

import msgspec
import pytest

from adapters.amazon.simulated.reports import JAPANESE
from tests.adapters.amazon_simulation import MARKETPLACE, REPORTS, Scene, opened
from tests.adapters.amazon_simulation_models import document_faults, there

LISTINGS = "GET_MERCHANT_LISTINGS_ALL_DATA"
HEALTH = "GET_V2_SELLER_PERFORMANCE_REPORT"
SUMMARIES = "/fba/inventory/v1/summaries"
MARKET = {"granularityType": "Marketplace", "granularityId": MARKETPLACE, "marketplaceIds": MARKETPLACE}
SKU = "SKU-00001"


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with opened(skus=50) as scene:
        yield scene


async def ordered(scene: Scene, kind: str, **options: str) -> str:
    """Order a report and return its id."""
    body: dict[str, Any] = {"reportType": kind, "marketplaceIds": [MARKETPLACE]}
    made = await scene.call("POST", f"{REPORTS}/reports", body=body | ({"reportOptions": options} if options else {}))
    assert made.status == 202, made.body
    identity: str = made.body["reportId"]
    return identity


async def taken(scene: Scene, report_id: str) -> tuple[bytes, Mapping[str, str]]:
    """Take a report down."""
    found = await scene.told(f"{REPORTS}/reports/{report_id}")
    assert found["processingStatus"] == "DONE"
    where = await scene.told(f"{REPORTS}/documents/{found['reportDocumentId']}")
    raw, headers = await scene.download(where["url"])
    return (gzip.decompress(raw) if where.get("compressionAlgorithm") == "GZIP" else raw), headers


async def rows(scene: Scene, charset: str = "cp932", **options: str) -> dict[str, dict[str, str]]:
    """Return the rows of a listings report by SKU, in English words whatever the header has."""
    raw, headers = await taken(scene, await ordered(scene, LISTINGS, **options))
    assert ("Shift_JIS" in headers["Content-Type"]) is (charset == "cp932")
    lines = raw.decode(charset).split("\r\n")
    english = {word: name for name, word in JAPANESE.items()}
    names = [english.get(name, name) for name in lines[0].split("\t")]
    found = [dict(zip(names, line.split("\t"), strict=True)) for line in lines[1:] if line]
    return {row["seller-sku"]: row for row in found}


# --- listings --------------------------------------------------------------------------------------------------------


async def test_japans_report_is_shift_jis(scene: Scene) -> None:
    """The listings report is Shift_JIS with Japanese headers, in characters that only cp932 has."""
    raw, headers = await taken(scene, await ordered(scene, LISTINGS))
    assert headers["Content-Type"] == "text/plain; charset=Shift_JIS"
    text = raw.decode("cp932")
    assert text.startswith("商品名\t出品ID\t出品者SKU\t価格\t数量\t")
    assert "髙" in text
    with pytest.raises(UnicodeDecodeError):
        raw.decode("utf-8")
    with pytest.raises(UnicodeDecodeError):
        raw.decode("shift_jis")


async def test_every_offer_has_a_row(scene: Scene) -> None:
    """Each offer has a row with its quantity; what Amazon fulfils has none, and is marked."""
    scene.simulator.set_shown(SKU, 0)
    scene.simulator.hide("SKU-00002")
    found = await rows(scene)
    assert len(found) == 50
    shown = {shown.sku: str(shown.quantity) for shown in scene.simulator.shown()}
    own = {sku: row["quantity"] for sku, row in found.items() if row["fulfillment-channel"] == "DEFAULT"}
    assert own == shown
    assert (found["SKU-00025"]["fulfillment-channel"], found["SKU-00025"]["quantity"]) == ("AMAZON_JP", "")
    assert [found[f"SKU-0000{number}"]["status"] for number in (1, 2, 3)] == ["Inactive", "Inactive", "Active"]


async def test_english_comes_by_locale(scene: Scene) -> None:
    """With the locale en_US the headers are English, with more columns."""
    found = await rows(scene, preferredReportDocumentLocale="en_US")
    assert found[SKU]["asin1"].startswith("B0")


async def test_utf_8_without_gzip(scene: Scene) -> None:
    """A report may also be UTF-8 and not compressed."""
    await scene.control("amazon/knobs", {"report_charset": "UTF-8", "report_gzip": False})
    assert len(await rows(scene, "utf-8")) == 50


async def test_a_report_is_cached_whatever_its_locale() -> None:
    """Within the hour the same content is answered again, also in the other language."""
    async with opened(scale=1.0) as scene:
        scene.simulator.shop.knobs.report_s = (0.0, 0.0)
        first = await rows(scene)
        scene.simulator.set_shown(SKU, 99)
        second = await rows(scene, preferredReportDocumentLocale="en_US")
        assert first == second
        scene.clock.advance(3601)
        await scene.enter()
        assert (await rows(scene))[SKU]["quantity"] == "99"


async def test_a_report_takes_its_time() -> None:
    """A report is queued, made, and done within a minute and a half; it tells what was true at its end."""
    async with opened(scale=1.0) as scene:
        report_id = await ordered(scene, LISTINGS)
        seen = []
        for _ in range(60):
            seen.append((await scene.told(f"{REPORTS}/reports/{report_id}"))["processingStatus"])
            scene.clock.advance(2)
        assert list(dict.fromkeys(seen)) == ["IN_QUEUE", "IN_PROGRESS", "DONE"]


@pytest.mark.parametrize("end", ["FATAL", "CANCELLED"])
async def test_a_report_can_fail(scene: Scene, end: str) -> None:
    """A report that fails has no document."""
    await scene.control("amazon/knobs", {"report_end": end})
    found = await scene.told(f"{REPORTS}/reports/{await ordered(scene, LISTINGS)}")
    assert (found["processingStatus"], "reportDocumentId" in found) == (end, False)


async def test_wrong_orders_are_refused(scene: Scene) -> None:
    """A report that there is not, of no or another marketplace, or that was never made, is refused."""
    good = {"reportType": LISTINGS, "marketplaceIds": [MARKETPLACE]}
    wrong: list[dict[str, Any]] = [
        {"reportType": "GET_NOTHING"},
        {"marketplaceIds": []},
        {"marketplaceIds": ["X"]},
        {"reportOptions": {"a": 1}},
    ]
    for change in wrong:
        assert (await scene.call("POST", f"{REPORTS}/reports", body=good | change)).status == 400
    assert (await scene.get(f"{REPORTS}/reports/1")).status == 404
    assert (await scene.get(f"{REPORTS}/documents/1")).status == 404


# --- account health --------------------------------------------------------------------------------------------------


async def test_the_health_report_counts(scene: Scene) -> None:
    """The cancel rate counts what the seller cancelled of a week's orders, not what buyers did."""
    receipts = [scene.simulator.buy([(SKU, 1)]) for _ in range(8)]
    scene.simulator.cancel(receipts[0].order_id, restock=False)
    scene.simulator.cancel(receipts[1].order_id)
    raw, _ = await taken(scene, await ordered(scene, HEALTH))
    body = msgspec.json.decode(raw)
    rate = body["performanceMetrics"][0]["preFulfillmentCancellationRate"]
    assert (rate["orderCount"], rate["cancellationCount"], rate["rate"], rate["status"]) == (8, 1, 0.125, "BAD")
    if there():
        assert document_faults("reports/accountHealthReport-2020-11-18.json", body) == []


async def test_the_health_report_has_two_spellings(scene: Scene) -> None:
    """Where the knob says so, members are spelt as in the schema's example."""
    await scene.control("amazon/knobs", {"health_example": True})
    raw, _ = await taken(scene, await ordered(scene, HEALTH))
    metrics = msgspec.json.decode(raw)["performanceMetrics"][0]
    assert {"prefulfillmentCancelRate", "warningState"} <= metrics.keys()
    assert metrics["accountHealthRating"]["ahrStatus"] == "GREAT"


# --- stock at Amazon -------------------------------------------------------------------------------------------------


async def test_amazons_stock_is_read_in_pages() -> None:
    """Summaries come fifty a page, with details where they are asked for; the token must be encoded."""
    async with opened(skus=5_000) as scene:
        first = await scene.told(SUMMARIES, **MARKET, details="true")
        token = first["pagination"]["nextToken"]
        assert "+" in token
        second = await scene.told(SUMMARIES, **MARKET, details="true", nextToken=token)
        found = [row for body in (first, second) for row in body["payload"]["inventorySummaries"]]
        assert len({row["sellerSku"] for row in found}) == 100
        assert found[0]["inventoryDetails"]["fulfillableQuantity"] > 0
        assert "pagination" not in second


async def test_the_token_ends_after_thirty_seconds() -> None:
    """A token is refused after 30 seconds, without the startDateTime of the first page, and when it is made up."""
    async with opened(skus=5_000) as scene:
        since = {"startDateTime": "2025-09-01T00:00:00Z"}
        token = (await scene.told(SUMMARIES, **MARKET, **since))["pagination"]["nextToken"]
        assert (await scene.get(SUMMARIES, **MARKET, nextToken=token)).status == 400
        scene.clock.advance(2)
        assert (await scene.get(SUMMARIES, **MARKET, **since, nextToken=token)).status == 200
        assert (await scene.get(SUMMARIES, **MARKET, **since, nextToken="x")).status == 400
        scene.clock.advance(29)
        assert (await scene.get(SUMMARIES, **MARKET, **since, nextToken=token)).status == 400


async def test_a_sale_lowers_amazons_stock(scene: Scene) -> None:
    """A sale of an FBA offer is taken off what Amazon has."""
    query = MARKET | {"details": "true", "sellerSkus": "SKU-00025,SKU-00001"}
    before = (await scene.told(SUMMARIES, **query))["payload"]["inventorySummaries"]
    scene.simulator.buy([("SKU-00025", 2)])
    after = (await scene.told(SUMMARIES, **query))["payload"]["inventorySummaries"]
    assert [row["sellerSku"] for row in before] == ["SKU-00025"]
    there = [rows[0]["inventoryDetails"]["fulfillableQuantity"] for rows in (before, after)]
    assert there[0] - there[1] == 2


@pytest.mark.parametrize(
    "change",
    [
        {"granularityType": "Country"},
        {"granularityId": "X"},
        {"marketplaceIds": "X"},
        {"marketplaceIds": f"{MARKETPLACE},X"},
        {"sellerSkus": ",".join(["A"] * 51)},
        {"startDateTime": "2024-01-01T00:00:00Z"},
        {"details": "yes"},
    ],
)
async def test_a_wrong_question_is_400(scene: Scene, change: dict[str, str]) -> None:
    """Marketplace and granularity must be there and right, at most fifty SKUs, and not older than eighteen months."""
    assert (await scene.get(SUMMARIES, **MARKET | change)).status == 400


async def test_errors_come_inside_a_200(scene: Scene) -> None:
    """Where the knob says so, an error is answered with status 200."""
    await scene.control("amazon/knobs", {"fba_errors": True})
    body = await scene.told(SUMMARIES, **MARKET)
    assert body["errors"][0]["code"] == "InternalFailure"
    assert "payload" not in body


async def test_the_seller_sells_in_japan(scene: Scene) -> None:
    """The participations have Amazon.co.jp, and say whether listings are suspended."""
    body = await scene.told("/sellers/v1/marketplaceParticipations")
    row = body["payload"][0]
    assert (row["marketplace"]["id"], row["marketplace"]["countryCode"]) == (MARKETPLACE, "JP")
    assert row["participation"] == {"isParticipating": True, "hasSuspendedListings": False}
