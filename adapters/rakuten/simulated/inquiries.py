"""InquiryManagementAPI (R-Messe): what customers ask.

Shapes, categories and words of refusals: RMS WEB SERVICE, inquiries.get, counts.get, inquiry.get, patch.read,
reply.post; times in a request have no offset, times in an answer have +09:00. Attachments are not simulated. The words
with which a reply is refused, and that one with the text of the last is a duplicate (409), are assumed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

from adapters.rakuten.simulated.order_models import Buyer
from adapters.rakuten.simulated.reply import BadBody, Reply, inquiry_fault, parsed
from adapters.rakuten.simulated.sales import SHOP_ID
from adapters.rakuten.simulated.times import DAY_US, jst, read_plain_time, stock_time
from adapters.rakuten.simulated.world import World
from syncd.sdk.channel import Instant

RESTOCK: Final = "再入荷・在庫"
CATEGORIES: Final = (RESTOCK, "商品詳細", "配送", RESTOCK, "返品・交換・キャンセル", "", "店舗サービス")
"""What customers have asked before the shop was made; old questions have no category."""
MOST_DAYS: Final = 31
MOST_LIMIT: Final = 100
MOST_PAGE: Final = 10_000
MOST_ROWS: Final = 10_000
MOST_PATCHED: Final = 20
USUAL_LIMIT: Final = 10
PATCHES: Final = ("read", "complete", "incomplete")

MOST_TEXT: Final = 2_000
MOST_LINE: Final = 300
_LINK: Final = re.compile(r"https?://[^\s]+")
_OWN_LINK: Final = re.compile(r"https?://([a-z0-9-]+\.)*rakuten\.(co\.jp|ne\.jp)(/|$)")
_NUMBER: Final = re.compile(r"[0-9a-zA-Z-]{1,40}", re.ASCII)
_NO_TIME: Final = r'must match "^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}$"'
_NO_NUMBER: Final = 'must match "^[0-9a-zA-Z-]+$"'


@dataclass(slots=True, eq=False, kw_only=True)
class Inquiry:
    """One question. `about` is the manage number of a page, `""` where it is about the shop."""

    number: str
    category: str
    at: Instant
    about: str = ""
    title: str = ""
    order_number: str = ""
    text: str = ""
    completed_at: Instant | None = None
    read: bool = False
    updated: Instant = 0
    replies: list[dict[str, Any]] = field(default_factory=list)


class Inquiries:
    """All questions of the shop's customers, and the functions of the API."""

    def __init__(self, world: World, buyer: Buyer) -> None:
        self._world = world
        self._buyer = buyer
        self._numbers = count(1)
        self.all: list[Inquiry] = []
        self.on_reply: Callable[[Inquiry, str], None] = lambda _inquiry, _by: None

    def ask(
        self, category: str, *, about: str = "", title: str = "", order_number: str = "", text: str = ""
    ) -> Inquiry:
        """Let a customer ask now."""
        made = self.seed(category, at=self._world.now(), about=about, title=title, order_number=order_number)
        made.text = text
        return made

    def seed(self, category: str, *, at: Instant, about: str = "", title: str = "", order_number: str = "") -> Inquiry:
        """Let a customer have asked at a time."""
        made = Inquiry(
            number=f"{SHOP_ID}-{jst(at):%Y%m%d}-{next(self._numbers)}t",
            category=category,
            at=at,
            about=about,
            title=title,
            order_number=order_number,
            updated=at,
        )
        self.all.append(made)
        return made

    def reply(self, inquiry: Inquiry, *, by: str = "merchant", text: str | None = None) -> None:
        """Let the shop (`merchant`) or the customer (`user`) write again."""
        inquiry.updated = self._world.now()
        answer = {
            "id": len(inquiry.replies),
            "message": f"{self._buyer.name} {self._buyer.mail}" if text is None else text,
            "regDate": stock_time(inquiry.updated),
            "replyFrom": by,
            "isRead": False,
            "attachments": [],
            "isMessageDeleted": False,
        }
        inquiry.replies.append(answer)
        self.on_reply(inquiry, by)

    # --- the API ---

    def listed(self, query: Mapping[str, str]) -> Reply:
        """Answer a page of questions by the time when they were asked first, the newest first; none is a 200 too."""
        refusal = _range_refusal(query) or _page_refusal(query)
        if refusal is not None:
            return refusal
        found = self._found(query)
        limit, page = int(query.get("limit", USUAL_LIMIT)), int(query.get("page", 1))
        rows = [self._rendered(inquiry) for inquiry in found[(page - 1) * limit : page * limit]]
        pages = -(-len(found) // limit)
        return Reply(body={"totalCount": len(found), "totalPageCount": pages, "page": page, "list": rows})

    def counted(self, query: Mapping[str, str]) -> Reply:
        """Answer how many there are."""
        return _range_refusal(query) or Reply(body={"result": {"count": len(self._found(query))}})

    def one(self, number: str) -> Reply:
        """Answer one question."""
        found = next((inquiry for inquiry in self.all if inquiry.number == number), None)
        if found is None:
            return inquiry_fault({"inquiryNumber": "not found."}, code="IE003", status=404)
        return Reply(body={"result": self._rendered(found)})

    def answered(self, raw: bytes) -> Reply:
        """Take a reply of the shop: at most 2000 signs, 300 in a line, links to Rakuten alone."""
        try:
            given = parsed(raw)
        except BadBody:
            return inquiry_fault({})
        text, number = given.get("message"), given.get("inquiryNumber")
        found = next((inquiry for inquiry in self.all if inquiry.number == number), None)
        if found is None:
            return inquiry_fault({"inquiryNumber": "not found."}, code="IE003", status=404)
        if given.get("shopId") != str(SHOP_ID):
            return inquiry_fault({"shopId": "must match the shop"})
        if not isinstance(text, str) or not 1 <= len(text) <= MOST_TEXT:
            return inquiry_fault({"message": f"size must be between 1 and {MOST_TEXT}"})
        if any(len(line) > MOST_LINE for line in text.splitlines()):
            return inquiry_fault({"message": f"a line must be within {MOST_LINE}"})
        if any(not _OWN_LINK.match(link) for link in _LINK.findall(text)):
            return inquiry_fault({"message": "contains a URL that is not allowed"})
        if found.replies and found.replies[-1]["message"] == text:
            return inquiry_fault({"message": "duplicate"}, code="IE004", status=409)
        self.reply(found, text=text)
        return Reply(status=201, body={"result": {"id": len(found.replies) - 1}})

    def patch(self, how: str, raw: bytes) -> Reply:
        """Mark up to 20 questions as read, completed, or open again; each has its own result."""
        try:
            numbers = parsed(raw).get("inquiryNumbers")
        except BadBody:
            numbers = None
        if not isinstance(numbers, list) or not 1 <= len(numbers) <= MOST_PATCHED:
            return inquiry_fault({"inquiryNumbers": f"size must be between 1 and {MOST_PATCHED}"})
        if not all(isinstance(number, str) and _NUMBER.fullmatch(number) for number in numbers):
            return inquiry_fault({"inquiryNumbers[]": _NO_NUMBER})
        wrong = {number: fault for number in numbers if (fault := self._patched(number, how))}
        failed = [{"inquiryNumber": number, "errorMessage": fault} for number, fault in wrong.items()]
        return Reply(body={"result": {"ok": [number for number in numbers if number not in wrong], "error": failed}})

    def _patched(self, number: str, how: str) -> str:
        """Mark one question; answers why not, `""` when it is done."""
        inquiry = next((each for each in self.all if each.number == number), None)
        if inquiry is None:
            return "not found."
        now = {"read": inquiry.read, "complete": bool(inquiry.completed_at), "incomplete": not inquiry.completed_at}
        if now[how]:
            return "already set value as specified"
        if how == "read":
            inquiry.read = True
        else:
            inquiry.completed_at = self._world.now() if how == "complete" else None
            inquiry.updated = self._world.now()
        return ""

    def _found(self, query: Mapping[str, str]) -> list[Inquiry]:
        low, high = read_plain_time(query["fromDate"]) or 0, read_plain_time(query["toDate"]) or 0
        unanswered = query.get("noMerchantReply") == "true"
        found = [
            inquiry
            for inquiry in self.all
            if low <= inquiry.at <= high and not (unanswered and _is_answered(inquiry.replies))
        ]
        return sorted(found, key=lambda inquiry: inquiry.at, reverse=True)

    def _rendered(self, inquiry: Inquiry) -> dict[str, Any]:
        completed = inquiry.completed_at
        kind = "受注問い合わせ" if inquiry.order_number else "商品問い合わせ" if inquiry.about else "店舗問い合わせ"
        return {
            "inquiryNumber": inquiry.number,
            "shopId": SHOP_ID,
            "userName": self._buyer.name,
            "userMaskEmail": self._buyer.mail,
            "message": f"いつ入荷しますか。{inquiry.text} {self._buyer.name} {self._buyer.phone}",
            "regDate": stock_time(inquiry.at),
            "itemUrl": f"/_shop/{inquiry.about}/" if inquiry.about else "/_shop/",
            "itemName": inquiry.title or "店舗トップページ",
            "itemNumber": inquiry.about or None,
            "isCompleted": completed is not None,
            "completedDate": None if completed is None else stock_time(completed),
            "orderNumber": inquiry.order_number or None,
            "readByMerchant": inquiry.read,
            "attachments": [],
            "replies": inquiry.replies,
            "category": inquiry.category,
            "type": kind,
            "lastUpdateDate": stock_time(inquiry.updated),
            "isMessageDeleted": False,
            "socialGiftUserType": None,
        }


def _is_answered(replies: Sequence[Mapping[str, Any]]) -> bool:
    return any(reply["replyFrom"] == "merchant" for reply in replies)


def _range_refusal(query: Mapping[str, str]) -> Reply | None:
    times = {name: read_plain_time(query.get(name)) for name in ("fromDate", "toDate")}
    if unreadable := [name for name, at in times.items() if at is None]:
        return inquiry_fault(dict.fromkeys(unreadable, _NO_TIME))
    low, high = times["fromDate"] or 0, times["toDate"] or 0
    if high < low:
        return inquiry_fault(dict.fromkeys(times, "date time range is invalid."))
    if high - low > MOST_DAYS * DAY_US:
        return inquiry_fault(dict.fromkeys(times, f"date time range should be within {MOST_DAYS} days."))
    if query.get("noMerchantReply", "true") not in {"true", "false"}:
        return inquiry_fault({"noMerchantReply": "must be true or false"})
    return None


def _page_refusal(query: Mapping[str, str]) -> Reply | None:
    limit, page = query.get("limit", str(USUAL_LIMIT)), query.get("page", "1")
    for name, text in (("limit", limit), ("page", page)):
        if not text.isdigit() or int(text) < 1:
            return inquiry_fault({name: "should be greater than equal 1"})
    if int(limit) > MOST_LIMIT:
        return inquiry_fault({"limit": f"should be less than equal {MOST_LIMIT}"})
    if int(page) > MOST_PAGE:
        return inquiry_fault({})
    return inquiry_fault({}, code="IE000") if int(limit) * int(page) > MOST_ROWS else None
