"""The simulated InquiryManagementAPI: what customers ask, by time and page."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.adapters.rakuten_simulation import Scene, opened

ROOT = "/es/1.0/inquirymng-api"
RANGE = "fromDate=2026-09-15T00:00:00&toDate=2026-10-02T00:00:00"


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with opened() as scene:
        yield scene


async def test_questions_of_several_kinds_are_listed(scene: Scene) -> None:
    """Questions come newest first, with their category, some about a page and some about the shop."""
    body = (await scene.get(f"{ROOT}/inquiries?{RANGE}")).body
    rows = body["list"]
    assert (body["totalCount"], body["totalPageCount"], body["page"]) == (len(rows), 1, 1)
    assert [row["regDate"] for row in rows] == sorted((row["regDate"] for row in rows), reverse=True)
    assert {"再入荷・在庫", "配送", ""} <= {row["category"] for row in rows}
    assert {row["type"] for row in rows} == {"商品問い合わせ", "店舗問い合わせ"}
    assert all(isinstance(row["shopId"], int) and row["regDate"].endswith("+09:00") for row in rows)
    assert None in {row["itemNumber"] for row in rows}


async def test_questions_hold_personal_data(scene: Scene) -> None:
    """Name, mail and phone are there, so that a test can look for them where they must not be."""
    text = str((await scene.get(f"{ROOT}/inquiries?{RANGE}")).body)
    assert all(canary in text for canary in scene.simulator.canaries)


async def test_pages_hold_all(scene: Scene) -> None:
    """Small pages bring every question once."""
    total = (await scene.get(f"{ROOT}/inquiries?{RANGE}")).body["totalCount"]
    numbers = []
    for page in range(1, -(-total // 4) + 1):
        body = (await scene.get(f"{ROOT}/inquiries?{RANGE}&limit=4&page={page}")).body
        numbers += [row["inquiryNumber"] for row in body["list"]]
    assert len(set(numbers)) == len(numbers) == total
    assert (await scene.get(f"{ROOT}/inquiries/count?{RANGE}")).body["result"]["count"] == total


@pytest.mark.parametrize(
    ("query", "code", "targets"),
    [
        ("toDate=2026-10-02T00:00:00", "IE001", ["fromDate"]),
        ("fromDate=2026-09-15T00:00:00%2B0900&toDate=2026-10-02", "IE001", ["fromDate", "toDate"]),
        ("fromDate=2026-08-31T23:59:59&toDate=2026-10-02T00:00:00", "IE001", ["fromDate", "toDate"]),
        ("fromDate=2026-10-03T00:00:00&toDate=2026-10-02T00:00:00", "IE001", ["fromDate", "toDate"]),
        (f"{RANGE}&limit=101", "IE001", ["limit"]),
        (f"{RANGE}&limit=0", "IE001", ["limit"]),
        (f"{RANGE}&page=10001", "IE001", []),
        (f"{RANGE}&limit=100&page=101", "IE000", []),
        (f"{RANGE}&noMerchantReply=yes", "IE001", ["noMerchantReply"]),
    ],
)
async def test_a_wrong_question_for_questions_is_refused(
    scene: Scene, query: str, code: str, targets: list[str]
) -> None:
    """More than 31 days, an offset, and pages out of range are refused by the API's own form."""
    answer = await scene.get(f"{ROOT}/inquiries?{query}")
    assert (answer.status, answer.body["error"]["code"]) == (400, code)
    assert list(answer.body["error"].get("targets", ())) == targets


async def test_a_customer_asks_and_the_shop_answers(scene: Scene) -> None:
    """A new question is there at once and leaves the unanswered ones when the shop replies."""
    made = await scene.post("/_sim/rakuten/inquiries", {"sku": "SKU-00002", "order_id": "123-456"})
    number = made.body["inquiryNumber"]
    row = (await scene.get(f"{ROOT}/inquiry/{number}")).body["result"]
    assert (row["category"], row["itemNumber"], row["orderNumber"]) == ("再入荷・在庫", scene.pair(2)[0], "123-456")

    async def unanswered() -> list[str]:
        body = (await scene.get(f"{ROOT}/inquiries?{RANGE}&noMerchantReply=true&limit=100")).body
        return [row["inquiryNumber"] for row in body["list"]]

    assert number in await unanswered()
    inquiry = next(each for each in scene.simulator.inquiries.all if each.number == number)
    scene.simulator.inquiries.reply(inquiry)
    assert number not in await unanswered()


async def test_questions_are_completed_and_opened_again(scene: Scene) -> None:
    """PATCH marks questions and tells per question what could not be done; one that is not there is 404."""
    number = (await scene.get(f"{ROOT}/inquiries?{RANGE}")).body["list"][0]["inquiryNumber"]
    for how, completed in (("read", False), ("complete", True), ("incomplete", False)):
        done = await scene.call("PATCH", f"{ROOT}/inquiries/{how}", {"inquiryNumbers": [number, "1-2-3t"]})
        assert done.body["result"]["ok"] == [number]
        assert done.body["result"]["error"] == [{"inquiryNumber": "1-2-3t", "errorMessage": "not found."}]
        row = (await scene.get(f"{ROOT}/inquiry/{number}")).body["result"]
        assert (row["isCompleted"], row["readByMerchant"]) == (completed, True)
    for numbers in ([], ["nö"], [number] * 21):
        assert (await scene.call("PATCH", f"{ROOT}/inquiries/read", {"inquiryNumbers": numbers})).status == 400
    assert (await scene.get(f"{ROOT}/inquiry/nobody")).status == 404


async def test_no_questions_are_an_empty_list(scene: Scene) -> None:
    """Where nothing fits, the answer is a 200 with nothing in it."""
    span = "fromDate=2026-08-01T00:00:00&toDate=2026-08-02T00:00:00"
    answer = await scene.get(f"{ROOT}/inquiries?{span}")
    assert (answer.status, answer.body) == (200, {"totalCount": 0, "totalPageCount": 0, "page": 1, "list": []})
    assert (await scene.get(f"{ROOT}/inquiries/count?{span}")).body == {"result": {"count": 0}}
