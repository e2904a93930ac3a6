"""The order functions: search and detail by both APIs, confirm, cancel.

Limits and messages: RMS WEB SERVICE, searchOrder, getOrder and getOrderItem; codes 009, 010 and 011 as recorded from
the real one. No list of the further codes is public: a range that is refused answers 023 here, a cancel or confirm
that does not fit the status an ERROR within a 200, as its messages are given per order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from adapters.rakuten.simulated.order_models import ECHO_VERSION, Buyer, item_order, whole_order
from adapters.rakuten.simulated.reply import BadBody, Reply, message, parsed
from adapters.rakuten.simulated.sales import (
    AFTER_SHIPMENT,
    BEFORE_SHIPMENT,
    Order,
    Progress,
    Restore,
    Sales,
)
from adapters.rakuten.simulated.times import DAY_US, read_order_time
from adapters.rakuten.simulated.world import World
from syncd.sdk.channel import Instant

MOST_SPAN_DAYS: Final = 63
MOST_AGE_DAYS: Final = 730
MOST_PAGE: Final = 1_000
USUAL_PAGE: Final = 30
MOST_FOUND: Final = 15_000
MOST_DETAILS: Final = 100
VERSIONS: Final = range(3, 11)
REASONS: Final = range(1, 16)

_SEARCH: Final = "ORDER_EXT_API_SEARCH_ORDER"
_DETAIL: Final = "ORDER_EXT_API_GET_ORDER"
_CANCEL: Final = "ORDER_EXT_API_CANCEL_ORDER"
_CONFIRM: Final = "ORDER_EXT_API_CONFIRM_ORDER"
_KEYWORD_VARIANT, _KEYWORD_MERCHANT_SKU = 7, 8

_DATES: Final[Mapping[int, Callable[[Order], Instant | None]]] = {
    1: lambda order: order.at,
    2: lambda order: order.confirmed_at,
    3: lambda order: order.fixed_at,
    4: lambda order: order.shipped_at,
    5: lambda order: order.shipped_at,
    6: lambda order: order.settled_at,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Search:
    """A search that may be made."""

    date_type: int
    low: Instant
    high: Instant
    progress: frozenset[int] | None
    kinds: frozenset[int] | None
    keyword: tuple[int, str]
    amount: int
    page: int
    newest_first: bool


class Orders:
    """The functions of both order APIs; each answers a `Reply`."""

    def __init__(self, world: World, sales: Sales, buyer: Buyer) -> None:
        self._world = world
        self._sales = sales
        self._buyer = buyer

    # --- search ---

    def search(self, raw: bytes, *, stale_us: int = 0) -> Reply:
        """Answer order numbers by time; it learns of orders and of their changes late."""
        try:
            wish = self._search(parsed(raw))
        except BadBody:
            wish = [message("ERROR", f"{_SEARCH}_ERROR_009", "dateTypeの項目を指定して下さい。")]
        if isinstance(wish, list):
            body = {"orderNumberList": None, "MessageModelList": wish, "PaginationResponseModel": None}
            return Reply(status=400, body=body)
        found = self._found(wish, stale_us)
        start = (wish.page - 1) * wish.amount
        numbers = [order.number for order in found[:MOST_FOUND][start : start + wish.amount]]
        if not found:
            return self._nothing()
        pages = {
            "totalRecordsAmount": len(found),
            "totalPages": -(-len(found) // wish.amount),
            "requestPage": wish.page,
        }
        told = message("INFO", f"{_SEARCH}_INFO_101", "注文検索に成功しました。")
        return Reply(body={"orderNumberList": numbers, "MessageModelList": [told], "PaginationResponseModel": pages})

    def _nothing(self) -> Reply:
        """Answer no hits, in one of the forms in which the real one was seen to."""
        told = message("INFO", f"{_SEARCH}_INFO_102", "注文検索に成功しました。(検索結果０件)")
        form = int(self._world.random.between(0, 3))
        nulls = dict.fromkeys(("totalRecordsAmount", "totalPages", "requestPage"))
        body: dict[str, Any] = {"MessageModelList": [told], "PaginationResponseModel": nulls if form else {}}
        return Reply(body=body if form == 1 else body | {"orderNumberList": []})

    def _found(self, wish: _Search, stale_us: int) -> list[Order]:
        if wish.date_type == 0:
            return []  # no error either (seen at a live shop, 2026)
        newest = self._world.now() - stale_us
        if wish.date_type == 1:
            orders = self._sales.between(wish.low, wish.high)
        else:
            when = _DATES[wish.date_type]
            orders = [
                order for order in self._sales.sequence if wish.low <= (when(order) or -1) < wish.high + 1_000_000
            ]
        found = [order for order in orders if order.at <= newest and _fits(order, wish)]
        return found[::-1] if wish.newest_first else found

    def _search(self, body: Mapping[str, Any]) -> _Search | list[dict[str, str]]:
        wrong = [*_date_type_faults(body), *_datetime_faults(body)]
        low, high = read_order_time(body.get("startDatetime")), read_order_time(body.get("endDatetime"))
        if not wrong and low is not None and high is not None:
            wrong += self._range_faults(low, high)
        pages = body.get("PaginationRequestModel") or {}
        amount, page = pages.get("requestRecordsAmount", USUAL_PAGE), pages.get("requestPage", 1)
        if not (_is_int(amount) and 1 <= amount <= MOST_PAGE and _is_int(page) and page >= 1):
            wrong.append(_malformed(_SEARCH, "requestRecordsAmount"))
        if wrong or low is None or high is None:
            return wrong
        sorts = pages.get("SortModelList") or [{}]
        return _Search(
            date_type=body["dateType"],
            low=low,
            high=high,
            progress=_numbers(body.get("orderProgressList")),
            kinds=_numbers(body.get("orderTypeList")),
            keyword=(body.get("searchKeywordType") or 0, body.get("searchKeyword") or ""),
            amount=amount,
            page=page,
            newest_first=sorts[0].get("sortDirection") == 2,
        )

    def _range_faults(self, low: Instant, high: Instant) -> list[dict[str, str]]:
        if high < low or high - low > MOST_SPAN_DAYS * DAY_US:
            text = f"期間は{MOST_SPAN_DAYS}日以内で指定して下さい。"
            return [message("ERROR", f"{_SEARCH}_ERROR_023", text)]
        if low < self._world.now() - MOST_AGE_DAYS * DAY_US:
            text = f"startDatetimeは過去{MOST_AGE_DAYS}日以内で指定して下さい。"
            return [message("ERROR", f"{_SEARCH}_ERROR_023", text)]
        return []

    # --- detail ---

    def detail(self, raw: bytes) -> Reply:
        """Answer orders with the buyer, in the form of the version that is asked for."""
        body = _body(raw)
        version = body.get("version")
        version = int(version) if isinstance(version, str) and version.isdigit() else version
        if version is None:
            return _refused_detail([_missing(_DETAIL, "version")])
        if version not in VERSIONS:
            return _refused_detail([_malformed(_DETAIL, "version")])
        answer = self._details(body, lambda order: whole_order(order, version=version, buyer=self._buyer))
        if version >= ECHO_VERSION and answer.status == 200:
            return Reply(body=answer.body | {"version": version})
        return answer

    def item_detail(self, raw: bytes) -> Reply:
        """Answer orders without the buyer."""
        return self._details(_body(raw), item_order)

    def _details(self, body: Mapping[str, Any], render: Callable[[Order], dict[str, Any]]) -> Reply:
        numbers = body.get("orderNumberList")
        if not numbers:
            return _refused_detail([_missing(_DETAIL, "orderNumberList")])
        if not isinstance(numbers, list) or len(numbers) > MOST_DETAILS or not all(isinstance(n, str) for n in numbers):
            return _refused_detail([_malformed(_DETAIL, "orderNumberList")])
        known = self._sales.by_number
        wanted = dict.fromkeys(numbers)
        orders = [render(known[number]) for number in wanted if number in known]
        text = f"受注情報取得に成功しました。(取得件数{len(orders)}件)"
        told = [message("INFO", f"{_DETAIL}_INFO_101", text)] if orders else []
        told += [
            message("INFO", f"{_DETAIL}_INFO_102", "受注情報が取得できませんでした。", orderNumber=number)
            for number in wanted
            if number not in known
        ]
        return Reply(body={"MessageModelList": told, "OrderModelList": orders})

    # --- what changes an order ---

    def confirm(self, raw: bytes) -> Reply:
        """Confirm orders: 100 to 200. It ends the buyer's own cancel."""
        numbers = _body(raw).get("orderNumberList")
        if not isinstance(numbers, list) or not 1 <= len(numbers) <= MOST_DETAILS:
            return _refused_list([_missing(_CONFIRM, "orderNumberList")])
        return Reply(body={"MessageModelList": [self._confirmed(str(number)) for number in numbers]})

    def _confirmed(self, number: str) -> dict[str, str]:
        order = self._sales.by_number.get(number)
        if order is None or order.progress is Progress.CANCELLED:
            text = "注文確認に失敗しました。"
            return message("ERROR", f"{_CONFIRM}_ERROR_102", text, orderNumber=number)
        if order.progress is not Progress.WAITING_CONFIRMATION:
            text = "注文確認待ちではありません。"
            return message("ERROR", f"{_CONFIRM}_ERROR_103", text, orderNumber=number)
        self._sales.move(order, Progress.RAKUTEN_PROCESSING)
        return message("INFO", f"{_CONFIRM}_INFO_101", "注文確認に成功しました。", orderNumber=number)

    def cancel(self, raw: bytes, *, shipped: bool = False) -> Reply:
        """Cancel a whole order; stock goes back by `inventoryRestoreType`: 0 as the SKU is set, 1 yes, 2 no."""
        body = _body(raw)
        wrong = _cancel_faults(body)
        if wrong:
            return _refused_list(wrong)
        number = body["orderNumber"]
        order = self._sales.by_number.get(number)
        if order is None or order.progress not in (AFTER_SHIPMENT if shipped else BEFORE_SHIPMENT):
            text = "キャンセル申請に失敗しました。"
            told = message("ERROR", f"{_CANCEL}_ERROR_102", text, orderNumber=number)
            return Reply(body={"MessageModelList": [told]})
        restore = Restore(body["inventoryRestoreType"])
        self._sales.cancel(order, restore, pending=self._world.knobs.cancel_settle_s)
        told = message("INFO", f"{_CANCEL}_INFO_101", "キャンセル申請に成功しました。", orderNumber=number)
        return Reply(body={"MessageModelList": [told]})


def _fits(order: Order, wish: _Search) -> bool:
    if order.told is None or (wish.progress is not None and order.told not in wish.progress):
        return False
    if wish.kinds is not None and 1 not in wish.kinds:
        return False
    kind, word = wish.keyword
    if kind == _KEYWORD_VARIANT:
        return any(item.variant.variant_id == word for item in order.items)
    if kind == _KEYWORD_MERCHANT_SKU:
        return any(item.variant.merchant_sku == word for item in order.items)
    return True


def _body(raw: bytes) -> dict[str, Any]:
    try:
        return parsed(raw)
    except BadBody:
        return {}


def _missing(prefix: str, name: str) -> dict[str, str]:
    return message("ERROR", f"{prefix}_ERROR_009", f"{name}の項目を指定して下さい。")


def _empty(prefix: str, name: str) -> dict[str, str]:
    return message("ERROR", f"{prefix}_ERROR_010", f"{name}の値を指定して下さい。")


def _malformed(prefix: str, name: str) -> dict[str, str]:
    return message("ERROR", f"{prefix}_ERROR_011", f"{name}の書式が不正です。")


def _date_type_faults(body: Mapping[str, Any]) -> list[dict[str, str]]:
    given = body.get("dateType")
    if given is None:
        return [_missing(_SEARCH, "dateType")]
    return [] if _is_int(given) and (given == 0 or given in _DATES) else [_malformed(_SEARCH, "dateType")]


def _datetime_faults(body: Mapping[str, Any]) -> list[dict[str, str]]:
    faults: list[dict[str, str]] = []
    for name in ("startDatetime", "endDatetime"):
        given = body.get(name)
        if given is None:
            faults.append(_missing(_SEARCH, name))
        elif given == "":
            faults.append(_empty(_SEARCH, name))
        elif read_order_time(given) is None:
            faults.append(_malformed(_SEARCH, name))
    return faults


def _cancel_faults(body: Mapping[str, Any]) -> list[dict[str, str]]:
    faults = [
        _missing(_CANCEL, name)
        for name in ("orderNumber", "inventoryRestoreType", "changeReasonDetailApply")
        if body.get(name) is None
    ]
    if faults:
        return faults
    if body["inventoryRestoreType"] not in set(Restore) or not _is_int(body["inventoryRestoreType"]):
        faults.append(_malformed(_CANCEL, "inventoryRestoreType"))
    if not _is_int(body["changeReasonDetailApply"]) or body["changeReasonDetailApply"] not in REASONS:
        faults.append(_malformed(_CANCEL, "changeReasonDetailApply"))
    return faults


def _refused_detail(messages: list[dict[str, str]]) -> Reply:
    return Reply(status=400, body={"MessageModelList": messages, "OrderModelList": []})


def _refused_list(messages: list[dict[str, str]]) -> Reply:
    return Reply(status=400, body={"MessageModelList": messages})


def _numbers(given: Any) -> frozenset[int] | None:
    return frozenset(int(number) for number in given) if given else None


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
