"""QAPI: the name of a method and its parameters in, an envelope out.

Facts (QAPI guide and recorded calls, 2026): everything is answered with HTTP 200; names of methods do not mind case;
what is wanted as JSON must say so, the default is XML; `null` in a JSON body is answered -90001; unknown classes and
methods are answered as text. That a call without `QAPIVersion` is refused is this simulator's own strictness.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from adapters.qoo10.simulated import reads, sending, shipping, writes
from adapters.qoo10.simulated.answers import Denied, NoSuch, Refused, as_json, as_xml, denied, done, mixed, refused
from adapters.qoo10.simulated.call import BAD_PARAMETER, PROCESSING, Call, Shop
from adapters.qoo10.simulated.keys import NO_SUCH_API

Method: TypeAlias = Callable[[Shop, Call], Any]

CREATE_KEY = "certificationapi.createcertificationkey"
VERSIONS = ("1.0", "1.1", "1.2")
JSON_WORDS = ("application/json", "json")

METHODS: dict[str, Method] = {
    "ItemsBasic.EditGoodsStatus": writes.edit_status,
    "ItemsBasic.UpdateGoods": writes.update_goods,
    "ItemsLookup.GetAllGoodsInfo": reads.all_goods,
    "ItemsLookup.GetGoodsInventoryInfo": reads.inventory,
    "ItemsLookup.GetItemDetailInfo": reads.item_detail,
    "ItemsOptions.EditGoodsInventory": writes.replace_rows,
    "ItemsOptions.UpdateInventoryDataBulk": writes.set_row_data_bulk,
    "ItemsOptions.UpdateInventoryDataUnit": writes.set_row_data,
    "ItemsOptions.UpdateInventoryQtyPlusUnit": writes.add_to_row,
    "ItemsOptions.UpdateInventoryQtyUnit": writes.set_row_quantity,
    "ItemsOrder.SetGoodsPriceQty": writes.set_price_and_quantity,
    "ItemsOrder.SetGoodsPriceQtyBulk": writes.set_price_and_quantity_bulk,
    "ShippingBasic.GetClaimInfo_V3": shipping.claims,
    "ShippingBasic.GetShippingAndClaimInfoByOrderNo_V2": shipping.by_order_no,
    "ShippingBasic.GetShippingInfo_v2": shipping.orders_v2,
    "ShippingBasic.GetShippingInfo_v3": shipping.orders_v3,
    "ShippingBasic.SetSellerCheckYN_V2": sending.confirm,
    "ShippingBasic.SetSellerCheckYNBulk": sending.confirm_bulk,
    "ShippingBasic.SetSendingInfo": sending.send,
    "ShippingBasic.SetSendingInfoBulk": sending.send_bulk,
    "Claim.SetCancelProcess": sending.cancel,
}

_BY_NAME = {name.lower(): method for name, method in METHODS.items()}
_CLASSES = {name.partition(".")[0] for name in (*_BY_NAME, CREATE_KEY)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A call as it came in. `given` holds None where the body has `null`."""

    method: str
    key: str
    version: str
    given: Mapping[str, str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What goes back, always with HTTP 200."""

    body: bytes
    content_type: str


def answer(shop: Shop, asked: Asked, *, stale_us: int) -> Answered:
    """Answer a call; what it reads was true `stale_us` ago."""
    try:
        envelope = _envelope(shop, asked, stale_us)
    except NoSuch as unknown:
        return Answered(body=str(unknown).encode(), content_type="text/plain")
    told = mixed(envelope, shop.world.random, shop.world.knobs.texts)
    if asked.given.get("returnType") in JSON_WORDS:
        return Answered(body=as_json(told), content_type="application/json")
    return Answered(body=as_xml(told), content_type="text/xml")


def _envelope(shop: Shop, asked: Asked, stale_us: int) -> dict[str, Any]:
    name = asked.method.lower()
    _exists(name, asked.method)
    try:
        call = _call(shop, asked, stale_us)
        if name == CREATE_KEY:
            return done(shop.keys.create(asked.key, call.needed("user_id"), call.needed("pwd")))
        shop.keys.check(asked.key, next(known for known in METHODS if known.lower() == name))
        return done(_result(shop, call, _BY_NAME[name]))
    except Refused as verdict:
        return refused(verdict)
    except Denied as verdict:
        return denied(verdict)


def _result(shop: Shop, call: Call, method: Method) -> Any:
    if shop.world.random.happens(shop.world.knobs.processing_errors):
        raise Refused(PROCESSING, BAD_PARAMETER)
    return method(shop, call)


def _exists(name: str, written: str) -> None:
    service, _, method = written.partition(".")
    if name.partition(".")[0] not in _CLASSES:
        raise NoSuch(f"Can't find service Name {service}")
    if name not in _BY_NAME and name != CREATE_KEY:
        raise NoSuch(f"Can't find method Info {method}")


def _call(shop: Shop, asked: Asked, stale_us: int) -> Call:
    if asked.version not in VERSIONS or None in asked.given.values():
        raise Denied(NO_SUCH_API)
    now = shop.world.settle()
    given = {name: value for name, value in asked.given.items() if value is not None}
    return Call(given=given, version=asked.version, now=now, seen_at=now - stale_us)
