"""The functions of RMS WEB SERVICE that are used: keys, budgets, tries.

One shop has one licence and one set of limits. Rates (an overview page of RMS WEB SERVICE as public clients copied it,
2026): stock writes 1 a second, bulk-get, item search and item get 5, item patch 20, stock settings 1. None is published
for orders; 1 a second for each function is what clients live by.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from urllib.parse import quote

from adapters.rakuten import goods, wire
from syncd.sdk.channel import Clock
from syncd.sdk.errors import ChannelError, ProtocolError, TransientError
from syncd.sdk.http import Answer, Client, Timeouts
from syncd.sdk.limits import Window
from syncd.sdk.request import Query
from syncd.sdk.secret import Secret

if TYPE_CHECKING:
    import aiohttp

T = TypeVar("T")

USER_AGENT = "syncd"
TRIES = 3
MARGIN_S = 0.03
"""Two calls may reach Rakuten closer together than they were sent."""
READ_TIMEOUTS = Timeouts(connect_s=5.0, total_s=30.0, budget_s=60.0)
LOOK_TIMEOUTS = Timeouts(connect_s=2.0, total_s=4.0, budget_s=2.0)
"""A look within a push."""
WRITE_TIMEOUTS = Timeouts(connect_s=3.0, total_s=10.0, budget_s=2.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Spec:
    method: str
    path: str
    calls: int = 1
    media: str = "application/json; charset=utf-8"


_ITEM = "/es/2.0/items/manage-numbers/"


class Function(Enum):
    """A function as RMS names it in 利用機能編集, with its address and its calls a second."""

    LICENSE = _Spec(method="GET", path="/es/1.0/license-management/license-key/expiry-date")
    STOCK_READ = _Spec(method="POST", path="/es/2.0/inventories/bulk-get", calls=5, media="application/json")
    STOCK_WRITE = _Spec(method="POST", path="/es/2.0/inventories/bulk-upsert", media="application/json")
    ORDER_SEARCH = _Spec(method="POST", path="/es/2.0/purchaseItem/searchOrderItem/")
    ORDER_READ = _Spec(method="POST", path="/es/2.0/purchaseItem/getOrderItem/")
    ORDER_CANCEL = _Spec(method="POST", path="/es/2.0/order/cancelOrder/")
    ITEM_SEARCH = _Spec(method="GET", path="/es/2.0/items/search", calls=5)
    STOCK_SETTINGS = _Spec(method="GET", path="/es/2.0/items/inventory-related-settings/manage-numbers/")
    ITEM_READ = _Spec(method="GET", path=_ITEM, calls=5)
    ITEM_PATCH = _Spec(method="PATCH", path=_ITEM, calls=20)
    INQUIRIES = _Spec(method="GET", path="/es/1.0/inquirymng-api/inquiries")
    INQUIRY = _Spec(method="GET", path="/es/1.0/inquirymng-api/inquiry/")
    INQUIRY_REPLY = _Spec(method="POST", path="/es/1.0/inquirymng-api/inquiry/reply")
    INQUIRY_COMPLETE = _Spec(method="PATCH", path="/es/1.0/inquirymng-api/inquiries/complete")
    INQUIRY_REOPEN = _Spec(method="PATCH", path="/es/1.0/inquirymng-api/inquiries/incomplete")

    @property
    def title(self) -> str:
        """Return the name that a shop finds in RMS."""
        return _TITLES[self]


_TITLES = {
    Function.LICENSE: "license.expiryDate.get",
    Function.STOCK_READ: "inventories.bulk.get",
    Function.STOCK_WRITE: "inventories.bulk.upsert",
    Function.ORDER_SEARCH: "purchaseItem.searchOrderItem",
    Function.ORDER_READ: "purchaseItem.getOrderItem",
    Function.ORDER_CANCEL: "rpay.order.cancelOrder",
    Function.ITEM_SEARCH: "itemapi_2.0.items.search",
    Function.STOCK_SETTINGS: "items.inventory-related-settings.get",
    Function.ITEM_READ: "itemapi_2.0.items.get",
    Function.ITEM_PATCH: "itemapi_2.0.items.patch",
    Function.INQUIRIES: "inquirymngapi.inquiries.get",
    Function.INQUIRY: "inquirymngapi.inquiry.get",
    Function.INQUIRY_REPLY: "inquirymngapi.reply.post",
    Function.INQUIRY_COMPLETE: "inquirymngapi.inquiries.patch.complete/incomplete",
    Function.INQUIRY_REOPEN: "inquirymngapi.inquiries.patch.complete/incomplete",
}


class Keys(Protocol):
    """What is needed of settings: the two keys, and where the API is."""

    @property
    def service_secret(self) -> Secret:
        """Return the serviceSecret."""

    @property
    def license_key(self) -> Secret:
        """Return the licenseKey."""

    @property
    def url(self) -> str:
        """Return where the API is, without a slash at the end."""


class Tools(Protocol):
    """What is needed of the context in which a channel or a desk is opened."""

    @property
    def session(self) -> aiohttp.ClientSession:
        """Return the session of all connections."""

    @property
    def clock(self) -> Clock:
        """Return the clock."""

    @property
    def random(self) -> Callable[[], float]:
        """Return what draws numbers in [0, 1)."""


class Rms:
    """Calls the API of one shop."""

    def __init__(self, settings: Keys, context: Tools, *, name: str, pushes_per_s: float = 1.0) -> None:
        pair = f"{settings.service_secret.reveal()}:{settings.license_key.reveal()}"
        self._token = Secret(base64.b64encode(pair.encode()).decode())
        self._key = settings.license_key
        self._reads = _client(settings, context, READ_TIMEOUTS, TRIES)
        self._looks = _client(settings, context, LOOK_TIMEOUTS, 1)
        self._writes = _client(settings, context, WRITE_TIMEOUTS, TRIES)
        self._name = name
        self._budgets = {each: self._window(each, context, pushes_per_s) for each in Function}

    def _window(self, function: Function, context: Tools, pushes_per_s: float) -> Window:
        per_s = 1.0 / pushes_per_s if function is Function.STOCK_WRITE else 1.0
        name, calls = f"rakuten {self._name} {function.title}", function.value.calls
        return Window(name, calls=calls, per_s=per_s, clock=context.clock, margin_s=MARGIN_S * per_s)

    def delay_s(self, function: Function) -> float:
        """Return seconds until a call would be sent at once."""
        return self._budgets[function].delay_s(1.0)

    async def read(
        self,
        function: Function,
        kind: type[T],
        *,
        json: Any = None,
        params: Query | None = None,
        tail: str = "",
        quick: bool = False,
    ) -> T:
        """Call a function that changes nothing and return its answer. `quick` is for a look within a push."""
        client = self._looks if quick else self._reads
        answer = await self._send(client, function, json=json, params=params, tail=tail, repeatable=True)
        return answer.decode(kind)

    async def settings_of(self, number: str) -> goods.StockSettings | None:
        """Return the stock settings of an item; None where it is not there."""
        answer = await self._send(
            self._reads,
            Function.STOCK_SETTINGS,
            tail=quote(number, safe=""),
            repeatable=True,
            expect=(200, 404),
        )
        return answer.decode(goods.StockSettings) if answer.status == 200 else None

    async def item(self, number: str) -> goods.Item | None:
        """Return an item page as it is now; None where it is not there."""
        answer = await self._send(
            self._reads, Function.ITEM_READ, tail=quote(number, safe=""), repeatable=True, expect=(200, 404)
        )
        return answer.decode(goods.Item) if answer.status == 200 else None

    async def find(self, function: Function, kind: type[T], *, params: Query | None = None, tail: str = "") -> T | None:
        """Call a search that may answer 404 where it finds nothing; None then."""
        answer = await self._send(self._reads, function, params=params, tail=tail, repeatable=True, expect=(200, 404))
        return answer.decode(kind) if answer.status == 200 else None

    async def expiry(self, kind: type[T]) -> T:
        """Return what Rakuten says of the end of the licence key."""
        return await self.read(Function.LICENSE, kind, params={"licenseKey": self._key.reveal()})

    async def write(
        self, function: Function, body: bytes, *, tail: str = "", repeatable: bool, expect: tuple[int, ...]
    ) -> Answer:
        """Send a request that changes something; raises only where it had certainly no effect, or is not understood."""
        return await self._send(self._writes, function, body=body, tail=tail, repeatable=repeatable, expect=expect)

    async def _send(
        self,
        client: Client,
        function: Function,
        *,
        json: Any = None,
        body: bytes | None = None,
        params: Query | None = None,
        tail: str = "",
        repeatable: bool,
        expect: tuple[int, ...] = (200,),
    ) -> Answer:
        spec = function.value
        return await client.request(
            spec.method,
            spec.path + tail,
            params=params,
            headers=self._headers(spec, has_body=json is not None or body is not None),
            json=json,
            body=body,
            idempotent=repeatable,
            budget=self._budgets[function],
            expect=expect,
            content="json" if 200 in expect else "bytes",  # a stock write is answered by nothing at all
            classify=wire.judge(function.title, expected=expect),
        )

    def _headers(self, spec: _Spec, *, has_body: bool) -> Mapping[str, str]:
        headers = {"Authorization": f"ESA {self._token.reveal()}"}
        return headers | {"Content-Type": spec.media} if has_body else headers


def _client(settings: Keys, context: Tools, timeout: Timeouts, tries: int) -> Client:
    return Client(
        context.session,
        base_url=settings.url,
        clock=context.clock,
        random=context.random,
        timeout=timeout,
        tries=tries,
        user_agent=USER_AGENT,
    )


def is_open(fault: ChannelError) -> bool:
    """Tell whether a failed write may have had an effect: it was sent and not refused."""
    return isinstance(fault, ProtocolError) or (isinstance(fault, TransientError) and fault.sent)
