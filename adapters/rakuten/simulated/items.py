"""ItemAPI 2.0: the search and the settings of stock, and the two functions that cost extra (get, patch).

Shapes and rules: RMS WEB SERVICE, items.search, items.patch and items.inventory-related-settings.update; the search's
envelope as public clients read it (numFound, offset, nextCursorMark, results[].item). Its 400 codes are assumed.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from adapters.rakuten.simulated.goods import Goods, Page, Variant
from adapters.rakuten.simulated.reply import DONE, BadBody, Reply, fault, parsed
from adapters.rakuten.simulated.times import DAY_US, read_plain_time, stock_time
from adapters.rakuten.simulated.world import World
from syncd.sdk.channel import Instant

MOST_HITS: Final = 100
MOST_OFFSET: Final = 10_000
START: Final = "*"

_FLAGS: Final = (
    "isVariantStockout",
    "isItemStockout",
    "isHiddenItem",
    "isHiddenVariant",
    "isBackOrder",
    "isInventoryIncluded",
)
_TEXTS: Final = ("manageNumber", "variantId", "merchantDefinedSkuId", "updatedFrom", "updatedTo", "cursorMark")
_NUMBERS: Final = ("hits", "offset")
_SORTS: Final = ("sortKey", "sortOrder")
_SETTINGS: Final = frozenset({"unlimitedInventoryFlag", "features", "variants"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wish:
    """A search. `after` is where a cursor goes on: a serial, and how many were found at its start (None: it starts).

    It is None where the search counts by offset.
    """

    hits: int
    offset: int
    after: tuple[int, int | None] | None
    mark: str
    texts: Mapping[str, str]
    flags: Mapping[str, bool]
    sort_key: str
    newest_first: bool


class Items:
    """The functions of the API; each answers a `Reply`."""

    def __init__(self, world: World, goods: Goods) -> None:
        self._world = world
        self._goods = goods

    # --- the search ---

    def search(self, query: Mapping[str, str]) -> Reply:
        """Answer pages by offset, the last changed first unless told otherwise, or by cursor until it repeats.

        A page that was deleted a short while ago comes with its manageNumber and nothing else.
        """
        wish = _wish(query)
        if isinstance(wish, Reply):
            return wish
        if wish.after is None:
            found = sorted(self._matching(wish, 0), key=_SORT_KEYS[wish.sort_key], reverse=wish.newest_first)
            part = found[wish.offset : wish.offset + wish.hits]
            return Reply(body={"numFound": len(found), "offset": wish.offset, "results": self._results(wish, part)})
        serial, total = wish.after
        part = list(islice(self._matching(wish, serial), wish.hits))
        total = sum(1 for _ in self._matching(wish, 0)) if total is None else total
        following = _mark(part[-1].serial + 1, total) if part else wish.mark
        results = self._results(wish, part)
        return Reply(body={"numFound": total, "offset": 0, "nextCursorMark": following, "results": results})

    def _matching(self, wish: _Wish, after: int) -> Iterator[Page]:
        now = self._world.now()
        for serial in range(after, len(self._goods.pages)):
            page = self._goods.pages[serial]
            known = page.found_from <= now and (page.lost_from is None or page.lost_from > now)
            if known and _fits(page, wish):
                yield page

    def _results(self, wish: _Wish, pages: list[Page]) -> list[dict[str, Any]]:
        with_inventory = wish.flags.get("isInventoryIncluded", False)
        return [
            {"item": {"manageNumber": page.manage_number}}
            if page.lost_from is not None
            else {"item": _item(page)} | ({"inventory": _lead_times(page)} if with_inventory else {})
            for page in pages
        ]

    # --- one page ---

    def get(self, number: str) -> Reply:
        """Answer one page; needs the paid 商品一括編集機能."""
        page = self._goods.by_number.get(number.lower())
        return _no_page(number) if page is None else Reply(body=_item(page))

    def patch(self, number: str, raw: bytes) -> Reply:
        """Hide or show a page or its variants; needs the paid 商品一括編集機能. Other fields are not kept here."""
        page = self._goods.by_number.get(number.lower())
        if page is None:
            return _no_page(number)
        try:
            body = parsed(raw)
        except BadBody:
            return fault("IE0002", "Request body is invalid.")
        if page.unlimited and body.get("unlimitedInventoryFlag") is not False:
            return fault("IE0002", "unlimitedInventoryFlag must be false.")
        changes = body.get("variants") or {}
        if any(name not in page.variants for name in changes):
            return fault("GE0014", f"Not found for inputs; manageNumber={page.manage_number}", status=404)
        page.unlimited = False if "unlimitedInventoryFlag" in body else page.unlimited
        page.hidden = bool(body.get("hideItem", page.hidden))
        for name, change in changes.items():
            page.variants[name].hidden = bool(change.get("hidden", page.variants[name].hidden))
        page.updated = self._world.now()
        return DONE

    # --- settings of stock ---

    def settings(self, number: str) -> Reply:
        """Answer the settings of stock of a page."""
        page = self._goods.by_number.get(number.lower())
        if page is None:
            return _no_page(number)
        variants = {name: _setting(variant) for name, variant in page.variants.items()}
        body = {
            "unlimitedInventoryFlag": page.unlimited,
            "features": {"inventoryDisplay": "HIDDEN_STOCK", "lowStockThreshold": 5},
            "variants": variants,
        }
        return Reply(body=body)

    def set_settings(self, number: str, raw: bytes) -> Reply:
        """Change the settings of stock of a page; what a variant's entry leaves out goes back to its default."""
        page = self._goods.by_number.get(number.lower())
        try:
            body = parsed(raw)
        except BadBody:
            return fault("IE0002", "Request body is invalid.")
        missing = sorted(_SETTINGS - body.keys())
        if missing:
            return fault("IE0001", f"{missing[0]} is mandatory.")
        changes = body["variants"]
        stranger = next((name for name in changes if page is None or name not in page.variants), None)
        if page is None or stranger is not None:
            text = f"Not found for inputs; manageNumber={number.lower()}, variantId={stranger}"
            return fault("GE0014", text, status=404)
        page.unlimited = bool(body["unlimitedInventoryFlag"])
        for name, change in changes.items():
            page.variants[name].restock_on_cancel = bool(change.get("restockOnCancel", False))
            page.variants[name].back_order = bool(change.get("backOrderFlag", False))
        page.updated = self._world.now()
        return DONE


def _no_page(number: str) -> Reply:
    return fault("GE0014", f"Not found for inputs; manageNumber={number.lower()}", status=404)


def _wish(query: Mapping[str, str]) -> _Wish | Reply:
    known = (*_TEXTS, *_FLAGS, *_NUMBERS, *_SORTS)
    stranger = next((name for name in query if name not in known), None)
    if stranger is not None:
        return fault("IE0002", f"Unrecognized field: {stranger}")
    if wrong := next((name for name in _FLAGS if query.get(name, "true") not in {"true", "false"}), None):
        return fault("IE0002", f"{wrong} is invalid.")
    numbers = {name: query.get(name, default) for name, default in zip(_NUMBERS, ("10", "0"), strict=True)}
    if wrong := next((name for name, text in numbers.items() if not (text.isascii() and text.isdigit())), None):
        return fault("IE0002", f"{wrong} is invalid.")
    hits, offset = int(numbers["hits"]), int(numbers["offset"])
    if not 1 <= hits <= MOST_HITS or offset > MOST_OFFSET:
        return fault("IE0003", f"hits must be within {MOST_HITS} and offset within {MOST_OFFSET}.")
    mark = query.get("cursorMark", "")
    after = _place(mark) if mark else None
    if mark and (after is None or any(name in query for name in ("offset", *_SORTS))):
        return fault("IE0002", "cursorMark is invalid.")
    if wrong := next(
        (name for name in ("updatedFrom", "updatedTo") if name in query and _day(query[name]) is None), None
    ):
        return fault("IE0002", f"{wrong} is invalid.")
    sort_key, order = query.get("sortKey", "updated"), query.get("sortOrder", "desc")
    if sort_key not in _SORT_KEYS or order not in {"asc", "desc"}:
        return fault("IE0002", "sortKey is invalid.")
    texts = {name: query[name] for name in _TEXTS if name in query}
    flags = {name: query[name] == "true" for name in _FLAGS if name in query}
    return _Wish(
        hits=hits,
        offset=offset,
        after=after,
        mark=mark,
        texts=texts,
        flags=flags,
        sort_key=sort_key,
        newest_first=order == "desc",
    )


def _mark(serial: int, total: int) -> str:
    return base64.b64encode(f"{serial}:{total}".encode()).decode()


def _place(mark: str) -> tuple[int, int | None] | None:
    if mark == START:
        return 0, None
    try:
        serial, _, total = base64.b64decode(mark, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (int(serial), int(total)) if serial.isdigit() and total.isdigit() else None


def _day(text: str) -> Instant | None:
    return read_plain_time(f"{text}T00:00:00")


_SORT_KEYS: Final[Mapping[str, Callable[[Page], Any]]] = {
    "updated": lambda page: page.updated,
    "created": lambda page: page.created,
    "manageNumber": lambda page: page.manage_number,
}
_CHECKS: Final[Mapping[str, Callable[[Page], bool]]] = {
    "isVariantStockout": lambda page: any(each.stock.quantity == 0 for each in page.variants.values()),
    "isItemStockout": lambda page: all(each.stock.quantity == 0 for each in page.variants.values()),
    "isHiddenItem": lambda page: page.hidden,
    "isHiddenVariant": lambda page: any(each.hidden for each in page.variants.values()),
    "isBackOrder": lambda page: any(each.back_order for each in page.variants.values()),
}


def _fits(page: Page, wish: _Wish) -> bool:
    if any(_CHECKS[name](page) != value for name, value in wish.flags.items() if name in _CHECKS):
        return False
    texts = wish.texts
    if texts.get("manageNumber", "").lower() not in page.manage_number:
        return False
    if not any(texts.get("variantId", "") in name for name in page.variants):
        return False
    if not any(texts.get("merchantDefinedSkuId", "") in each.merchant_sku for each in page.variants.values()):
        return False
    since, until = _day(texts.get("updatedFrom", "")), _day(texts.get("updatedTo", ""))
    return (since is None or page.updated >= since) and (until is None or page.updated < until + DAY_US)


def _item(page: Page) -> dict[str, Any]:
    return {
        "manageNumber": page.manage_number,
        "itemNumber": page.manage_number,
        "title": page.title,
        "itemType": "NORMAL",
        "hideItem": page.hidden,
        "unlimitedInventoryFlag": page.unlimited,
        "variants": {name: _variant(variant) for name, variant in page.variants.items()},
        "created": stock_time(page.created),
        "updated": stock_time(page.updated),
    }


def _variant(variant: Variant) -> dict[str, Any]:
    named = {"merchantDefinedSkuId": variant.merchant_sku} if variant.merchant_sku else {}
    # The page on items.search has samples without `hidden`: it may be missing where it is false.
    hidden = {"hidden": variant.hidden} if variant.hidden or len(variant.page.variants) > 1 else {}
    return {
        **named,
        **hidden,
        "standardPrice": "1000",
        "restockOnCancel": variant.restock_on_cancel,
        "backOrderFlag": variant.back_order,
        "features": {"restockNotification": True},
    }


def _lead_times(page: Page) -> dict[str, Any]:
    rows: dict[str, Any] = {
        name: {"operationLeadTime": each.stock.lead_time, "shipFromIds": list(each.stock.ship_from)}
        for name, each in page.variants.items()
    }
    return rows | {"created": stock_time(page.created), "updated": stock_time(page.updated)}


def _setting(variant: Variant) -> dict[str, Any]:
    return {
        "restockOnCancel": variant.restock_on_cancel,
        "backOrderFlag": variant.back_order,
        "backOrderDeliveryDateId": 2,
        "normalDeliveryDateId": 1,
    }
