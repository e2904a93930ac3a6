"""The simulated InventoryAPI: what it takes, what it refuses in which words, and what it shows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from syncd.testing.simulators import By
from tests.adapters.rakuten_simulation import BULK_GET, UPSERT, Scene, opened

LEAD = {"normalDeliveryTimeId": 4, "backOrderDeliveryTimeId": 5}


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with opened() as scene:
        yield scene


# --- writing ---------------------------------------------------------------------------------------------------------


async def test_a_bulk_write_answers_nothing_and_does_all(scene: Scene) -> None:
    """Absolute and relative rows in one call answer 204 without a body and take effect."""
    before = scene.shown(2)
    answer = await scene.upsert(scene.row(1, quantity=70), scene.row(2, mode="RELATIVE", quantity=-2))
    assert (answer.status, answer.body) == (204, None)
    assert (scene.shown(1), scene.shown(2)) == (70, before - 2)
    assert [entry.by for entry in scene.simulator.log] == [By.API, By.API]


async def test_relative_goes_together_with_sales(scene: Scene) -> None:
    """A relative write that crosses with a sale loses neither."""
    before = scene.shown()
    scene.buy(("SKU-00001", 2))
    assert (await scene.upsert(scene.row(mode="RELATIVE", quantity=5))).status == 204
    assert scene.shown() == before + 3


async def test_one_row_can_be_written_alone(scene: Scene) -> None:
    """PUT of one pair takes mode and quantity only."""
    number, name = scene.pair()
    path = f"/es/2.0/inventories/manage-numbers/{number}/variants/{name}"
    answer = await scene.call("PUT", path, {"mode": "ABSOLUTE", "quantity": 3})
    assert (answer.status, answer.body, scene.shown()) == (204, None, 3)
    assert (await scene.get(path)).body["quantity"] == 3
    wrong = await scene.call("PUT", path, {"mode": "ABSOLUTE", "quantity": 3, "manageNumber": number})
    assert (wrong.status, wrong.codes) == (400, ["IE0002"])


FORM_FAULTS: list[tuple[dict[str, Any], str, str]] = [
    ({"mode": None}, "IE0001", "mode"),
    ({"mode": "absolute"}, "IE0002", "mode"),
    ({"quantity": None}, "IE0001", "quantity"),
    ({"quantity": "7"}, "IE0002", "quantity"),
    ({"quantity": 7.0}, "IE0002", "quantity"),
    ({"quantity": True}, "IE0002", "quantity"),
    ({"quantity": -1}, "IE0003", "quantity"),
    ({"quantity": 100_000}, "IE0003", "quantity"),
    ({"mode": "RELATIVE", "quantity": -100_000}, "IE0003", "quantity"),
    ({"manageNumber": ""}, "IE0001", "manageNumber"),
    ({"manageNumber": "a" * 33}, "IE0004", "manageNumber"),
    ({"manageNumber": "商品"}, "IE0002", "manageNumber"),
    ({"variantId": "a b"}, "IE0002", "variantId"),
    ({"variantId": "v" * 33}, "IE0004", "variantId"),
    ({"operationLeadTime": LEAD}, "IE0002", "operationLeadTime"),
    ({"note": ""}, "IE0002", "note"),
]


@pytest.mark.parametrize(("change", "code", "place"), FORM_FAULTS)
async def test_a_wrong_row_refuses_the_whole_call(scene: Scene, change: dict[str, Any], code: str, place: str) -> None:
    """A row of wrong form is named by its place, and its neighbour is not done either."""
    before = scene.shown(1)
    wrong = {name: value for name, value in (scene.row(2) | change).items() if value is not None}
    answer = await scene.upsert(scene.row(1, quantity=before + 1), wrong)
    assert (answer.status, answer.codes, answer.paths) == (400, [code], [f"inventories[1].{place}"])
    assert scene.shown(1) == before


async def test_the_known_words_of_a_refusal(scene: Scene) -> None:
    """A manage number that is too long is refused in the words of the documentation."""
    answer = await scene.upsert(scene.row(1, manageNumber="m" * 33))
    assert answer.body == {
        "errors": [
            {
                "code": "IE0004",
                "message": "Max length of manageNumber must be within 32 bytes.",
                "metadata": {"propertyPath": "inventories[0].manageNumber"},
            }
        ]
    }


@pytest.mark.parametrize(
    ("raw", "code"),
    [(b"", "GE0011"), (b"{", "IE0002"), (b"[]", "IE0002"), (b"{}", "IE0001"), (b'{"inventories":[]}', "IE0001")],
)
async def test_a_body_that_is_none_is_refused(scene: Scene, raw: bytes, code: str) -> None:
    """No body, no JSON object and no rows are told apart."""
    answer = await scene.call("POST", UPSERT, raw)
    assert (answer.status, answer.codes) == (400, [code])


async def test_a_pair_comes_once(scene: Scene) -> None:
    """The same pair twice is IE1102, also in other letters of the manage number."""
    twin = scene.row(1, mode="RELATIVE", quantity=1)
    for other in (twin, twin | {"manageNumber": twin["manageNumber"].upper()}):
        answer = await scene.upsert(twin, other)
        assert (answer.status, answer.codes, answer.paths) == (400, ["IE1102"], [""])
    assert not len(scene.simulator.log)


async def test_four_hundred_rows_fit() -> None:
    """A call takes 400 rows, and with one more IE1101."""
    async with opened(skus=401) as scene:
        rows = [scene.row(number) for number in range(1, 402)]
        assert (await scene.upsert(*rows)).codes == ["IE1101"]
        assert (await scene.upsert(*rows[:400])).status == 204
        assert {scene.shown(number) for number in range(1, 401)} == {7}


@pytest.mark.parametrize(("paths", "place"), [(False, ""), (True, "inventories[1]")])
async def test_below_zero_and_above_all_is_ie0117(scene: Scene, paths: bool, place: str) -> None:
    """A relative row that leads out of 0 to 99,999 refuses the call, with or without saying which row it was."""
    scene.simulator.turn(rule_paths=paths)
    before = [scene.shown(number) for number in (1, 2)]
    for quantity in (-before[1] - 1, 100_000 - before[1]):
        if quantity > 99_999:
            continue
        answer = await scene.upsert(
            scene.row(1, mode="RELATIVE", quantity=1), scene.row(2, mode="RELATIVE", quantity=quantity)
        )
        assert (answer.status, answer.codes, answer.paths) == (400, ["IE0117"], [place])
    assert [scene.shown(number) for number in (1, 2)] == before


async def test_a_shop_may_do_the_good_rows_all_the_same(scene: Scene) -> None:
    """By the knob the good rows of a refused call are done: nobody may rely on either."""
    scene.simulator.turn(atomic=False)
    answer = await scene.upsert(scene.row(1, quantity=1), scene.row(2, mode="RELATIVE", quantity=-9_999))
    assert (answer.status, answer.codes, scene.shown(1)) == (400, ["IE0117"], 1)


async def test_relative_to_nothing_is_ie0500(scene: Scene) -> None:
    """A relative write to a pair that has no row is refused."""
    _, name = scene.pair()
    answer = await scene.upsert(scene.row(variantId=f"{name}9", mode="RELATIVE", quantity=1))
    assert (answer.status, answer.codes, answer.paths) == (400, ["IE0500"], [""])


async def test_absolute_to_nothing_makes_a_ghost(scene: Scene) -> None:
    """A mistyped pair answers 204, can be read and added to, sells nothing, and is gone a day after its last write."""
    number, _ = scene.pair()
    ghost = scene.row(variantId="typo", quantity=4)
    assert (await scene.upsert(ghost)).status == 204
    assert (await scene.stock((number, "typo")))[0]["quantity"] == 4
    assert (await scene.upsert(ghost | {"mode": "RELATIVE"})).status == 204
    assert (await scene.stock((number, "typo")))[0]["quantity"] == 8
    assert all(not shown.ref.remote_id.endswith("typo") for shown in scene.simulator.shown())
    lists = f"/es/2.1/inventories/variant-lists/manage-numbers/{number}"
    assert "typo" in (await scene.get(lists)).body["variantList"]
    scene.clock.advance(86_400.0)
    assert await scene.stock((number, "typo")) == []
    assert "typo" not in (await scene.get(lists)).body["variantList"]


async def test_variant_ids_tell_cases_apart_and_manage_numbers_do_not(scene: Scene) -> None:
    """Capitals of a manage number are made small in request and answer; those of a variant id make another one."""
    number, name = scene.pair(2)
    rows = await scene.stock((number.upper(), name), (number, name.upper()), (number, name))
    assert [(row["manageNumber"], row["variantId"]) for row in rows] == [(number, name)]
    assert (await scene.upsert(scene.row(2, manageNumber=number.upper(), quantity=9))).status == 204
    assert scene.shown(2) == 9


# --- 2.1 -------------------------------------------------------------------------------------------------------------


async def test_version_2_0_leaves_lead_times(scene: Scene) -> None:
    """A write by 2.0 keeps lead time and senders, which only 2.1 tells."""
    assert (await scene.upsert(scene.row())).status == 204
    plain, full = (await scene.stock(scene.pair()))[0], (await scene.stock(scene.pair(), version="2.1"))[0]
    assert "operationLeadTime" not in plain
    assert (full["operationLeadTime"], full["shipFromIds"]) == (LEAD, [3])


async def test_version_2_1_erases_what_is_not_sent(scene: Scene) -> None:
    """A write by 2.1 of number and mode only takes lead time and senders away; one with them keeps them."""
    whole = scene.row(operationLeadTime=LEAD, shipFromIds=[3])
    assert (await scene.upsert(whole, version="2.1")).status == 204
    assert (await scene.stock(scene.pair(), version="2.1"))[0]["operationLeadTime"] == LEAD
    assert (await scene.upsert(scene.row(), version="2.1")).status == 204
    row = (await scene.stock(scene.pair(), version="2.1"))[0]
    assert "operationLeadTime" not in row
    assert "shipFromIds" not in row


async def test_unknown_lead_times_are_ie0118(scene: Scene) -> None:
    """An id of a lead time that the shop has not set up is refused by 2.1."""
    wrong = scene.row(operationLeadTime={"normalDeliveryTimeId": 999})
    answer = await scene.upsert(wrong, version="2.1")
    assert (answer.status, answer.codes) == (400, ["IE0118"])


# --- reading ---------------------------------------------------------------------------------------------------------


async def test_bulk_get_leaves_out_what_is_not_there(scene: Scene) -> None:
    """Unknown pairs are missing from the answer, which is not the same as zero."""
    number, name = scene.pair()
    scene.simulator.set_shown("SKU-00001", 0)
    rows = await scene.stock((number, name), (number, "nobody"), ("nowhere", name))
    assert [row["quantity"] for row in rows] == [0]
    assert rows[0]["updated"].endswith("+09:00")


async def test_bulk_get_takes_a_thousand_pairs(scene: Scene) -> None:
    """One more than 1,000 pairs is IE1101."""
    rows = [{"manageNumber": "item", "variantId": f"v{number}"} for number in range(1_001)]
    assert (await scene.post(BULK_GET, {"inventories": rows})).codes == ["IE1101"]
    assert (await scene.post(BULK_GET, {"inventories": rows[:1000]})).body == {"inventories": []}


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", "IE0105"),
        ("?minQuantity=9&maxQuantity=3", "IE0113"),
        ("?minQuantity=few", "IE0002"),
        ("?maxQuantity=100000", "IE0003"),
    ],
)
async def test_a_range_has_bounds(scene: Scene, query: str, code: str) -> None:
    """A range without bounds, upside down, or of no numbers is refused."""
    answer = await scene.get(f"/es/2.0/inventories/bulk-get/range{query}")
    assert (answer.status, answer.codes) == (400, [code])


async def test_a_range_answers_the_newest_first(scene: Scene) -> None:
    """A range holds both bounds and begins with the row that changed last."""
    for number, quantity in ((1, 200), (2, 201), (3, 202)):
        assert (await scene.upsert(scene.row(number, quantity=quantity))).status == 204
    rows = (await scene.get("/es/2.1/inventories/bulk-get/range?minQuantity=200&maxQuantity=201")).body["inventories"]
    assert [row["quantity"] for row in rows] == [201, 200]


async def test_a_range_of_more_than_a_thousand_is_refused() -> None:
    """More than 1,000 rows in a range are IE0116 until the range is narrower."""
    async with opened(skus=1_001) as scene:
        wide = await scene.get("/es/2.0/inventories/bulk-get/range?minQuantity=0")
        assert (wide.status, wide.codes) == (400, ["IE0116"])
        narrow = await scene.get("/es/2.0/inventories/bulk-get/range?minQuantity=10&maxQuantity=50")
        assert narrow.status == 200


async def test_a_row_can_be_deleted(scene: Scene) -> None:
    """After DELETE the pair is GE0014 until it is written again."""
    number, name = scene.pair()
    path = f"/es/2.0/inventories/manage-numbers/{number}/variants/{name}"
    assert (await scene.call("DELETE", path)).status == 204
    gone = await scene.get(path)
    assert (gone.status, gone.codes) == (404, ["GE0014"])
    assert (await scene.call("DELETE", path)).status == 404
    assert (await scene.upsert(scene.row(quantity=2))).status == 204
    assert (await scene.get(path)).body["quantity"] == 2


# --- knobs -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("knob", "status", "code"), [("conflicts", 409, "CE0001"), ("broken", 500, "X0000")])
async def test_conflicts_have_no_effect(scene: Scene, knob: str, status: int, code: str) -> None:
    """A write that meets another process, or an inner fault, is refused and not done; reads go on."""
    before = scene.shown()
    scene.simulator.turn(**{knob: 1.0})
    answer = await scene.upsert(scene.row())
    assert (answer.status, answer.codes, scene.shown()) == (status, [code], before)
    assert len(await scene.stock(scene.pair())) == 1


async def test_a_shop_before_the_sku_migration_is_ie1105(scene: Scene) -> None:
    """Before the migration only variants.get and the range answer."""
    scene.simulator.turn(migrated=False)
    number, name = scene.pair()
    assert (await scene.upsert(scene.row())).codes == ["IE1105"]
    assert (await scene.post(BULK_GET, {"inventories": [{"manageNumber": number, "variantId": name}]})).status == 400
    assert (await scene.get(f"/es/2.0/inventories/manage-numbers/{number}/variants/{name}")).status == 200
    assert (await scene.get("/es/2.0/inventories/bulk-get/range?minQuantity=0")).status == 200


async def test_effects_can_be_late_or_missing(scene: Scene) -> None:
    """By the knobs a 204 takes effect later, or never; the delay is scaled like every other."""
    before = scene.shown()
    scene.simulator.turn(effect_s=(20.0, 20.0))
    scene.simulator.time_scale = 0.5
    assert (await scene.upsert(scene.row(quantity=before + 3))).status == 204
    scene.clock.advance(8.0)
    assert (await scene.stock(scene.pair()))[0]["quantity"] == before
    scene.clock.advance(1.0)
    assert (await scene.stock(scene.pair()))[0]["quantity"] == before + 3
    scene.simulator.turn(writes_dropped=True)
    assert (await scene.upsert(scene.row(quantity=before))).status == 204
    scene.clock.advance(600.0)
    assert (await scene.stock(scene.pair()))[0]["quantity"] == before + 3


async def test_reads_can_lag(scene: Scene) -> None:
    """By the knob every stock answer is as old as it says."""
    before = scene.shown()
    scene.clock.advance(100.0)
    scene.simulator.turn(read_lag_s=(30.0, 30.0))
    assert (await scene.upsert(scene.row(quantity=before + 1))).status == 204
    assert (await scene.stock(scene.pair()))[0]["quantity"] == before
    scene.clock.advance(30.0)
    assert (await scene.stock(scene.pair()))[0]["quantity"] == before + 1
