"""Listings of the simulated Amazon: what is read, what a patch does and when, and what is refused."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from adapters.amazon.simulator import make
from syncd.core.terms import ListingRef
from syncd.testing.clock import ManualClock
from syncd.testing.trade import By, Refusal, Unknown
from tests.adapters.amazon_simulation import ITEMS, MARKETPLACE, Scene, availability, merge, opened

SKU = "SKU-00001"
FBA_SKU = "SKU-00025"
WIDE = "棚 A/1+2,甲"
"""A SKU with everything in it that a path or a query can break."""
AT_AMAZON = {"fulfillment_channel_code": "AMAZON_JP", "quantity": 1}
MISSPELT = {"op": "merge", "path": "/attributes/fulfillmentAvailability", "value": [{}]}


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with opened() as scene:
        yield scene


@pytest.fixture
async def large() -> AsyncIterator[Scene]:
    async with opened(skus=1_200) as scene:
        yield scene


async def submitted(scene: Scene, sku: str = SKU) -> Any:
    return (await scene.item(sku, "attributes"))["attributes"]["fulfillment_availability"]


# --- patching --------------------------------------------------------------------------------------------------------


async def test_accepted_is_not_applied() -> None:
    """ACCEPTED is answered at once; the live quantity follows up to a minute later, what was submitted at once."""
    async with opened(scale=1.0) as scene:
        before = await scene.quantity(SKU)
        answer = await scene.patch(SKU, merge(7))
        assert (answer.status, answer.body["status"], answer.body["issues"]) == (200, "ACCEPTED", [])
        assert await scene.quantity(SKU) == before
        assert (await submitted(scene))[0]["quantity"] == 7
        scene.clock.advance(60)
        assert await scene.quantity(SKU) == 7
        assert [(entry.after, entry.by) for entry in scene.simulator.log] == [(7, By.API)]


async def test_a_write_can_be_lost(scene: Scene) -> None:
    """A write that is accepted and never applied leaves the live quantity, and what was submitted, apart."""
    scene.simulator.shop.knobs.lost_writes = 1.0
    before = await scene.quantity(SKU)
    assert (await scene.patch(SKU, merge(7))).body["status"] == "ACCEPTED"
    scene.clock.advance(3000)
    assert await scene.quantity(SKU) == before
    assert (await submitted(scene))[0]["quantity"] == 7


@pytest.mark.parametrize(
    ("op", "after"),
    [
        ("merge", {"fulfillment_channel_code": "DEFAULT", "quantity": 7, "lead_time_to_ship_max_days": 3}),
        ("replace", {"fulfillment_channel_code": "DEFAULT", "quantity": 7}),
        ("add", {"fulfillment_channel_code": "DEFAULT", "quantity": 7}),
    ],
)
async def test_only_merge_keeps_the_handling_time(scene: Scene, op: str, after: dict[str, Any]) -> None:
    """A merge keeps the lead time, every other operation drops it; all of them set the quantity."""
    await scene.patch(SKU, availability(op, {"fulfillment_channel_code": "DEFAULT", "quantity": 7}))
    assert await submitted(scene) == [after]
    assert await scene.quantity(SKU) == 7


async def test_a_merge_without_quantity_leaves_it(scene: Scene) -> None:
    """A merge of the lead time alone does not touch the quantity."""
    before = await scene.quantity(SKU)
    entry = {"fulfillment_channel_code": "DEFAULT", "lead_time_to_ship_max_days": 5}
    await scene.patch(SKU, availability("merge", entry))
    assert await scene.quantity(SKU) == before
    assert (await submitted(scene))[0]["lead_time_to_ship_max_days"] == 5


async def test_a_deleted_channel_shows_nothing(scene: Scene) -> None:
    """Deleting the channel's entry takes the quantity to zero."""
    await scene.patch(SKU, availability("delete", {"fulfillment_channel_code": "DEFAULT"}))
    assert await scene.quantity(SKU) == 0
    assert await submitted(scene) == []


async def test_patches_of_one_sku_keep_their_order() -> None:
    """Of many patches the last one is what is shown in the end."""
    async with opened(scale=1.0) as scene:
        for quantity in range(1, 20):
            await scene.patch(SKU, merge(quantity))
            scene.clock.advance(0.3)
        scene.clock.advance(61)
        assert await scene.quantity(SKU) == 19


async def test_an_absolute_quantity_overwrites_a_sale() -> None:
    """A unit that is sold before a patch takes effect is put back on sale by it."""
    async with opened(scale=1.0) as scene:
        await scene.patch(SKU, merge(7))
        scene.simulator.buy([(SKU, 1)])
        scene.clock.advance(61)
        assert await scene.quantity(SKU) == 7


@pytest.mark.parametrize(
    ("patch", "code", "attribute"),
    [
        (availability("merge", {"quantity": 7}), "90220", "fulfillment_channel_code"),
        (availability("merge"), "90220", "fulfillment_availability"),
        (merge(-1), "90000900", "fulfillment_availability"),
        (merge("7"), "90000900", "fulfillment_availability"),
        (merge(1.5), "90000900", "fulfillment_availability"),
        (merge([7]), "90000900", "fulfillment_availability"),
        (merge(7, lead_time_to_ship_max_days=31), "90000900", "fulfillment_availability"),
        (merge(7, qty=1), "90000900", "fulfillment_availability"),
        (availability("merge", {"fulfillment_channel_code": "AMAZON_NA"}), "90000900", "fulfillment_availability"),
        (availability("merge", AT_AMAZON), "90000900", "fulfillment_availability"),
        (MISSPELT, "90000900", "fulfillmentAvailability"),
    ],
)  # fmt: skip
async def test_invalid_is_a_200(scene: Scene, patch: dict[str, Any], code: str, attribute: str) -> None:
    """A submission that does not hold is answered 200 with INVALID and an issue, and changes nothing."""
    before = await scene.quantity(SKU), await submitted(scene)
    answer = await scene.patch(SKU, patch)
    assert (answer.status, answer.body["status"]) == (200, "INVALID")
    issue = answer.body["issues"][0]
    assert (issue["code"], issue["severity"], issue["attributeNames"]) == (code, "ERROR", [attribute])
    assert (await scene.quantity(SKU), await submitted(scene)) == before


async def test_the_product_type_must_fit(scene: Scene) -> None:
    """PRODUCT fits every offer, its own type too, another one is INVALID."""
    own = (await scene.item(SKU, "summaries"))["summaries"][0]["productType"]
    found = [(await scene.patch(SKU, merge(7), product_type=kind)).body["status"] for kind in ("PRODUCT", own, "SHOES")]
    assert found == ["ACCEPTED", "ACCEPTED", "INVALID"]


async def test_an_unknown_sku_is_invalid(scene: Scene) -> None:
    """A patch of a SKU that is not there is INVALID, or ACCEPTED without an effect where the knob says so."""
    assert (await scene.patch("SKU-9", merge(7))).body["status"] == "INVALID"
    scene.simulator.shop.knobs.unknown_accepted = True
    assert (await scene.patch("SKU-9", merge(7))).body["status"] == "ACCEPTED"
    assert (await scene.get(scene.item_path("SKU-9"), marketplaceIds=MARKETPLACE)).status == 404


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"productType": "PRODUCT", "patches": []},
        {"patches": [merge(7)]},
        {"productType": "PRODUCT", "patches": [{"op": "upsert", "path": "/attributes/item_name", "value": [{}]}]},
        {"productType": "PRODUCT", "patches": [{"op": "merge", "path": "/attributes/item_name", "value": {}}]},
        {"productType": "PRODUCT", "patches": [{"op": "merge", "path": "/attributes/item_name"}]},
        {"productType": "PRODUCT", "patches": [MISSPELT | {"path": "/attributes/fulfillment_availability/0"}]},
        {"productType": "PRODUCT", "patches": [MISSPELT | {"path": "/quantity"}]},
    ],
)  # fmt: skip
async def test_a_malformed_patch_is_400(scene: Scene, body: Any) -> None:
    """A body that the model's schema does not allow is refused, not INVALID."""
    answer = await scene.call("PATCH", scene.item_path(SKU), body=body, marketplaceIds=MARKETPLACE)
    assert (answer.status, answer.code) == (400, "BAD_REQUEST")


@pytest.mark.parametrize(
    "query",
    [
        {"marketplaceIds": ""},
        {"marketplaceIds": "ATVPDKIKX0DER"},
        {"mode": "FOO"},
        {"includedData": "stock"},
        {"marketplaceIds": f"{MARKETPLACE},ATVPDKIKX0DER"},
    ],
)
async def test_a_malformed_query_is_400(scene: Scene, query: dict[str, str]) -> None:
    """The marketplace must be there and be the seller's; words must be those of the model."""
    answer = await scene.patch(SKU, merge(7), **query)
    assert (answer.status, answer.code) == (400, "BAD_REQUEST")
    assert scene.first().quantity != 7


async def test_a_preview_stores_nothing(scene: Scene) -> None:
    """A validation preview is VALID or INVALID and changes nothing; identifiers come where they are asked for."""
    before = await scene.quantity(SKU)
    good = await scene.patch(SKU, merge(7), mode="VALIDATION_PREVIEW", includedData="identifiers,issues")
    bad = await scene.patch(SKU, merge(-1), mode="VALIDATION_PREVIEW")
    assert (good.body["status"], bad.body["status"]) == ("VALID", "INVALID")
    assert good.body["identifiers"][0]["marketplaceId"] == MARKETPLACE
    assert await scene.quantity(SKU) == before


# --- stock at Amazon -------------------------------------------------------------------------------------------------


async def test_fba_offers_have_no_number() -> None:
    """Of fifty offers one is fulfilled by Amazon: it has no quantity, and is not among what the seller shows."""
    async with opened(skus=50) as scene:
        assert await scene.quantity(FBA_SKU) is None
        found = await scene.item(FBA_SKU)
        assert found["fulfillmentAvailability"] == [{"fulfillmentChannelCode": "AMAZON_JP"}]
        assert len(scene.simulator.shown()) == 49
        with pytest.raises(Unknown):
            scene.simulator.set_shown(FBA_SKU, 3)


async def test_small_shops_have_none() -> None:
    """A shop of less than twenty goods has no offer that Amazon fulfils."""
    assert len(make(skus=19, seed=1, clock=ManualClock()).shown()) == 19


async def test_a_quantity_strands_fba_stock() -> None:
    """A quantity for an FBA offer makes it the seller's own, and its stock at Amazon unsellable."""
    async with opened(skus=50) as scene:
        await scene.patch(FBA_SKU, merge(5))
        found = (await scene.item(FBA_SKU))["fulfillmentAvailability"]
        assert found == [
            {"fulfillmentChannelCode": "DEFAULT", "quantity": 5},
            {"fulfillmentChannelCode": "AMAZON_JP"},
        ]
        assert scene.simulator.shop.goods.at(FBA_SKU).stranded > 0


# --- reading ---------------------------------------------------------------------------------------------------------


async def test_an_unknown_sku_is_404(scene: Scene) -> None:
    """Reading a SKU that is not there is NotFound."""
    answer = await scene.get(scene.item_path("SKU-9"), marketplaceIds=MARKETPLACE)
    assert (answer.status, answer.code) == (404, "NotFound")


async def test_the_sku_is_encoded_whole(scene: Scene) -> None:
    """A SKU with slash, space, plus, comma and Japanese is found when all of it is encoded, and a raw slash is 404."""
    scene.simulator.shop.goods.add(WIDE, 4, at=scene.clock.now())
    assert (await scene.item(WIDE))["sku"] == WIDE
    assert await scene.quantity(WIDE) == 4
    path = f"{ITEMS}/{scene.simulator.shop.seller}/a/b"
    assert (await scene.get(path, marketplaceIds=MARKETPLACE)).status == 404


async def test_skus_are_compared_letter_by_letter(scene: Scene) -> None:
    """Another case is another SKU."""
    assert (await scene.get(scene.item_path("sku-00001"), marketplaceIds=MARKETPLACE)).status == 404


async def test_only_what_is_asked_for_comes(scene: Scene) -> None:
    """Without includedData come summaries only, otherwise what was named."""
    plain = await scene.told(scene.item_path(SKU), marketplaceIds=MARKETPLACE)
    assert set(plain) == {"sku", "summaries"}
    assert set(await scene.item(SKU, "fulfillmentAvailability,issues")) == {"sku", "fulfillmentAvailability", "issues"}


async def test_without_stock_nobody_can_buy(scene: Scene) -> None:
    """An offer at zero is DISCOVERABLE and not BUYABLE; a closed one is neither."""
    scene.simulator.set_shown(SKU, 0)
    scene.simulator.hide("SKU-00002")
    found = [(await scene.item(sku, "summaries"))["summaries"][0]["status"] for sku in (SKU, "SKU-00002", "SKU-00003")]
    assert found == [["DISCOVERABLE"], [], ["BUYABLE", "DISCOVERABLE"]]


async def test_a_stale_read_looks_back(scene: Scene) -> None:
    """A stale read answers a number that was true a while ago."""
    scene.simulator.time_scale, scene.simulator.staleness_s = 1.0, 1000.0
    before = await scene.quantity(SKU)
    scene.clock.advance(1)
    scene.simulator.set_shown(SKU, 3)
    await scene.control("faults", {"stale_reads": 1.0})
    assert await scene.quantity(SKU) == before
    await scene.control("faults", {})
    assert await scene.quantity(SKU) == 3


# --- searching -------------------------------------------------------------------------------------------------------


async def test_twenty_skus_are_found_at_once(large: Scene) -> None:
    """A search by SKU answers those that exist, in one page of at most twenty."""
    skus = [f"SKU-{number:05d}" for number in range(1, 20)]
    answer = await large.search(
        identifiersType="SKU",
        identifiers=",".join([*skus, "SKU-9"]),
        pageSize=20,
        includedData="fulfillmentAvailability",
    )
    assert answer.body["numberOfResults"] == 19
    found = {item["sku"]: item["fulfillmentAvailability"][0]["quantity"] for item in answer.body["items"]}
    assert found == {shown.sku: shown.quantity for shown in large.simulator.shown()[:19]}
    assert "pagination" not in answer.body


async def test_the_default_page_is_smaller(large: Scene) -> None:
    """Without pageSize ten items come, and the rest by the token."""
    skus = ",".join(f"SKU-{number:05d}" for number in range(1, 21))
    first = await large.search(identifiersType="SKU", identifiers=skus)
    assert len(first.body["items"]) == 10
    token = first.body["pagination"]["nextToken"]
    second = await large.search(identifiersType="SKU", identifiers=skus, pageToken=token)
    assert len({item["sku"] for answer in (first, second) for item in answer.body["items"]}) == 20


async def test_a_comma_cannot_be_searched(scene: Scene) -> None:
    """A SKU with a comma falls apart in the list, encoded or not."""
    scene.simulator.shop.goods.add(WIDE, 4, at=scene.clock.now())
    assert (await scene.search(identifiersType="SKU", identifiers=WIDE)).body["numberOfResults"] == 0


@pytest.mark.parametrize(
    "query",
    [
        {"pageSize": 21},
        {"pageSize": 0},
        {"identifiers": SKU},
        {"identifiersType": "SKU"},
        {"identifiers": SKU, "identifiersType": "SKU", "variationParentSku": SKU},
        {"identifiers": ",".join(["A"] * 21), "identifiersType": "SKU"},
        {"pageToken": "none"},
        {"sortBy": "price"},
        {"createdAfter": "yesterday"},
        {"createdAfter": "2026-10-01T00:00:00"},
        {"marketplaceIds": "invalid"},
    ],
)
async def test_a_wrong_search_is_400(scene: Scene, query: dict[str, str | int]) -> None:
    """Each parameter holds what the model says, and those that belong together come together."""
    answer = await scene.search(**query)
    assert (answer.status, answer.code) == (400, "BAD_REQUEST")


async def test_a_token_fits_its_search_only(large: Scene) -> None:
    """A page token with other parameters is refused."""
    token = (await large.search(pageSize=20)).body["pagination"]["nextToken"]
    assert (await large.search(pageSize=10, pageToken=token)).status == 400


async def test_a_thousand_can_be_paged(large: Scene) -> None:
    """Of 1,200 offers a search tells the number, and pages through the first thousand of them."""
    found: list[str] = []
    query: dict[str, str | int] = {"pageSize": 20, "sortBy": "createdDate", "sortOrder": "ASC"}
    while True:
        large.clock.advance(0.2)
        body = (await large.search(**query)).body
        assert body["numberOfResults"] == 1_200
        found += [item["sku"] for item in body["items"]]
        if "nextToken" not in body["pagination"]:
            break
        query["pageToken"] = body["pagination"]["nextToken"]
    assert len(found) == len(set(found)) == 1_000
    assert "previousToken" in body["pagination"]


async def test_the_rest_comes_by_time(large: Scene) -> None:
    """What cannot be paged is found in windows of creation."""
    everything = {"pageSize": 1, "sortBy": "createdDate", "sortOrder": "DESC"}
    newest = (await large.search(**everything)).body["items"][0]["sku"]
    assert newest == "SKU-01200"
    middle = "2026-04-01T00:00:00Z"
    before = (await large.search(createdBefore=middle)).body["numberOfResults"]
    after = (await large.search(createdAfter=middle)).body["numberOfResults"]
    assert before + after == 1_200
    assert 0 < before < 1_000


async def test_a_search_by_status(scene: Scene) -> None:
    """What cannot be bought is found by its status."""
    scene.simulator.set_shown(SKU, 0)
    answer = await scene.search(withoutStatus="BUYABLE")
    assert [item["sku"] for item in answer.body["items"]] == [SKU]


# --- the shop behind it ----------------------------------------------------------------------------------------------


async def test_shoppers_buy_what_is_shown(scene: Scene) -> None:
    """A sale lowers the quantity at once; more than is shown, closed and unknown goods are not sold."""
    before = scene.first().quantity
    scene.simulator.buy([(SKU, 2)])
    assert await scene.quantity(SKU) == before - 2
    with pytest.raises(Refusal):
        scene.simulator.buy([(SKU, before)])
    scene.simulator.hide(SKU)
    with pytest.raises(Unknown):
        scene.simulator.buy([(SKU, 1)])
    with pytest.raises(Unknown):
        scene.simulator.buy([("SKU-9", 1)])


async def test_a_person_edits_by_listing(scene: Scene) -> None:
    """The remote id of a listing is its SKU, and there is no location."""
    scene.simulator.set_shown(ListingRef(remote_id=SKU), 5)
    assert await scene.quantity(SKU) == 5
    assert scene.first().ref == ListingRef(remote_id=SKU)
    with pytest.raises(Unknown):
        scene.simulator.set_shown(ListingRef(remote_id=SKU, remote_location="x"), 5)


def test_many_goods_are_made() -> None:
    """A large shop shows all of its goods but those at Amazon."""
    assert len(make(skus=20_000, seed=1, clock=ManualClock()).shown()) == 19_600
