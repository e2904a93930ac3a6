"""Questions in R-Messe about stock: pure.

Facts (RMS WEB SERVICE, InquiryManagementAPI inquiries.get, 2026): Japanese times without a zone, a search spans at most
31 days, 100 rows a page; the category of questions about stock is 再入荷・在庫. What customers write, and who they are,
is not decoded. Where nothing fits, the page names 404 as the answer; an empty list is taken as well.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from adapters.rakuten import wire
from syncd.sdk.channel import Instant
from syncd.sdk.errors import ProtocolError
from syncd.sdk.features import Inquiry, InquiryPage
from syncd.sdk.strict import decode

CATEGORY: Final = "再入荷・在庫"
PAGE = 100
BACK_US = 30 * 86_400 * wire.SECOND_US
MOST_TITLE = 200


class Reply(msgspec.Struct, frozen=True, rename="camel"):
    """An answer to a question, without its text."""

    reply_from: str | None = None


class Row(msgspec.Struct, frozen=True, rename="camel"):
    """A question, without its text and its author."""

    inquiry_number: str
    reg_date: str
    item_url: str | None = None
    item_name: str | None = None
    item_number: str | None = None
    is_completed: bool | None = None
    order_number: str | None = None
    category: str | None = None
    replies: list[Reply] | None = None


class Rows(msgspec.Struct, frozen=True, rename="camel"):
    """Answer of inquiries.get."""

    rows: list[Row] | None = msgspec.field(default=None, name="list")
    total_page_count: int | None = None


class Place(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a reading stands: the end of its span, and the page."""

    until: Instant
    page: int = 1


def resume(cursor: str | None, *, now: Instant) -> Place:
    """Return where to read; raises `ProtocolError` for a text that is no cursor of ours."""
    return Place(until=now) if cursor is None else decode(cursor, Place)


def query(place: Place) -> dict[str, Any]:
    """Return the search of a page."""
    return {
        "fromDate": wire.local_time(place.until - BACK_US),
        "toDate": wire.local_time(place.until),
        "limit": PAGE,
        "page": place.page,
    }


def page(answer: Rows, place: Place) -> InquiryPage:
    """Return the open questions about stock on a page."""
    rows = [row for row in answer.rows or () if row.category == CATEGORY and not row.is_completed]
    more = place.page < (answer.total_page_count or 0)
    following = msgspec.json.encode(msgspec.structs.replace(place, page=place.page + 1)).decode()
    return InquiryPage(inquiries=tuple(_inquiry(row) for row in rows), cursor=following if more else None)


def _inquiry(row: Row) -> Inquiry:
    if not row.inquiry_number:
        raise ProtocolError("Rakuten: an inquiry without a number")
    return Inquiry(
        inquiry_id=row.inquiry_number,
        category=row.category or "",
        asked_at=wire.instant(row.reg_date),
        about=row.item_number or "",
        title=(row.item_name or "")[:MOST_TITLE],
        order_number=row.order_number or "",
        url=row.item_url or "",
        answered=any(reply.reply_from == "merchant" for reply in row.replies or ()),
    )
