"""Reports API 2021-06-30: the listings of the shop, and the health of the account.

Facts: steps and members (selling-partner-api-models, reports_2021-06-30); columns (SP-API docs,
inventory-reports-attributes); Japan's report is Shift_JIS with headers in Japanese (models issue 2293, docs issues 2086
and 3678); content is cached for hours, whatever its locale (SP-API docs, report-type-values-inventory); the schema of
the account health report (accountHealthReport-2020-11-18), whose own example spells three members otherwise.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

import msgspec

from adapters.amazon.simulated import health
from adapters.amazon.simulated.api import Call, Operation, Refused, Reply, invalid, missing
from adapters.amazon.simulated.documents import Document
from adapters.amazon.simulated.goods import FBA, Listing
from adapters.amazon.simulated.listing_items import status
from adapters.amazon.simulated.queries import FLAG
from adapters.amazon.simulated.shop import Shop
from adapters.amazon.simulated.times import local_day, precise
from syncd.sdk.channel import Instant

LISTINGS = "GET_MERCHANT_LISTINGS_ALL_DATA"
HEALTH = "GET_V2_SELLER_PERFORMANCE_REPORT"
LOCALE = "preferredReportDocumentLocale"

ENGLISH = (
    "item-name", "item-description", "listing-id", "seller-sku", "price", "quantity", "open-date", "image-url",
    "item-is-marketplace", "product-id-type", "zshop-shipping-fee", "item-note", "item-condition", "zshop-category1",
    "zshop-browse-path", "zshop-storefront-feature", "asin1", "asin2", "asin3", "will-ship-internationally",
    "expedited-shipping", "zshop-boldface", "product-id", "bid-for-featured-placement", "add-delete",
    "pending-quantity", "fulfillment-channel", "merchant-shipping-group", "status",
)  # fmt: skip
JAPANESE = {
    "item-name": "商品名",
    "listing-id": "出品ID",
    "seller-sku": "出品者SKU",
    "price": "価格",
    "quantity": "数量",
    "open-date": "出品日",
    "product-id-type": "商品IDタイプ",
    "item-note": "コンディション説明",
    "item-condition": "コンディション",
    "will-ship-internationally": "国外へ配送可",
    "expedited-shipping": "迅速な配送",
    "product-id": "商品ID",
    "pending-quantity": "在庫数",
    "fulfillment-channel": "フルフィルメント・チャンネル",
    "merchant-shipping-group": "merchant-shipping-group",
    "status": "ステータス",
}
"""The columns of Japan's report, as users list them; the order and the words are not confirmed by Amazon."""
_CODECS = {"Shift_JIS": "cp932", "UTF-8": "utf-8"}


@dataclass(slots=True, eq=False, kw_only=True)
class Report:
    """One report."""

    report_id: str
    report_type: str
    created_at: Instant
    english: bool
    status: str = "IN_QUEUE"
    started_at: Instant | None = None
    ended_at: Instant | None = None
    document: Document | None = None


class Reports:
    """The operations, and the making."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._reports: dict[str, Report] = {}
        self._numbers = count(60_000_000_001)
        self._kept: tuple[Instant, Document] | None = None

    def operations(self) -> list[Operation]:
        """Return them."""
        path = "/reports/2021-06-30"
        table: tuple[tuple[str, str, str, Callable[[Call], Reply]], ...] = (
            ("createReport", "POST", f"{path}/reports", self.create),
            ("getReport", "GET", f"{path}/reports/{{reportId}}", self.report),
            ("getReportDocument", "GET", f"{path}/documents/{{reportDocumentId}}", self.document),
        )
        query = {"getReportDocument": {"enableContentEncodingUrlHeader": FLAG}}
        return [
            Operation(name=name, method=method, path=where, answer=answer, query=query.get(name, {}))
            for name, method, where, answer in table
        ]

    def create(self, call: Call) -> Reply:
        """Take the order for a report."""
        kind, options = call.body.get("reportType"), call.body.get("reportOptions") or {}
        if kind not in {LISTINGS, HEALTH}:
            raise _wrong("reportType is not one that this seller can order.")
        if call.body.get("marketplaceIds") != [self._shop.marketplace]:
            raise _wrong("marketplaceIds is missing or not a marketplace of this seller.")
        if not isinstance(options, dict) or not all(isinstance(value, str) for value in options.values()):
            raise _wrong("reportOptions is not an object of texts.")
        now = self._shop.settle()
        english = options.get(LOCALE, "ja_JP").startswith("en")
        report = Report(report_id=str(next(self._numbers)), report_type=kind, created_at=now, english=english)
        self._reports[report.report_id] = report
        took_us = self._shop.drawn_us(self._shop.knobs.report_s)
        self._shop.later(took_us // 3, functools.partial(self._begin, report))
        self._shop.later(took_us, functools.partial(self._finish, report))
        return Reply(status=202, body={"reportId": report.report_id})

    def report(self, call: Call) -> Reply:
        """Answer how far a report is."""
        report = self._reports.get(call.path["reportId"])
        if report is None:
            raise missing("There is no report with this reportId.")
        body: dict[str, Any] = {
            "reportId": report.report_id,
            "reportType": report.report_type,
            "marketplaceIds": [self._shop.marketplace],
            "createdTime": precise(report.created_at),
            "processingStatus": report.status,
        }
        if report.started_at is not None:
            body["processingStartTime"] = precise(report.started_at)
        if report.ended_at is not None:
            body["processingEndTime"] = precise(report.ended_at)
        if report.document is not None:
            body["reportDocumentId"] = report.document.document_id
        return Reply(body=body)

    def document(self, call: Call) -> Reply:
        """Answer where a report can be taken down."""
        document = self._shop.documents.find(call.path["reportDocumentId"])
        if document is None:
            raise missing("There is no document with this reportDocumentId.")
        encoded = call.given["enableContentEncodingUrlHeader"] and document.zipped
        url = self._shop.documents.address(document, call.base_url, encoded=encoded)
        body = {"reportDocumentId": document.document_id, "url": url}
        if document.zipped:
            body["compressionAlgorithm"] = "GZIP"
        return Reply(body=body)

    # --- the making ---

    def _begin(self, report: Report, at: Instant) -> None:
        report.status, report.started_at = "IN_PROGRESS", at

    def _finish(self, report: Report, at: Instant) -> None:
        report.status, report.ended_at = self._shop.knobs.report_end, at
        if report.status == "DONE":
            report.document = self._health() if report.report_type == HEALTH else self._listings(report, at)

    def _health(self) -> Document:
        body = health.report(self._shop, as_example=self._shop.knobs.health_example)
        return self._shop.documents.offer(functools.partial(msgspec.json.encode, body), content_type="application/json")

    def _listings(self, report: Report, at: Instant) -> Document:
        if self._kept is not None and at < self._kept[0]:
            return self._kept[1]
        knobs = self._shop.knobs
        # What it says is what was true when it was made, not when somebody takes it down.
        content = listings(self._shop, english=report.english, charset=knobs.report_charset)
        document = self._shop.documents.offer(
            functools.partial(bytes, content),
            content_type=f"text/plain; charset={knobs.report_charset}",
            zipped=knobs.report_gzip,
        )
        self._kept = (at + self._shop.drawn_us((knobs.report_cache_s,) * 2), document)
        return document


def listings(shop: Shop, *, english: bool, charset: str) -> bytes:
    """Return the listings report: tab-separated, one row for each offer."""
    columns = ENGLISH if english else tuple(JAPANESE)
    head = columns if english else tuple(JAPANESE.values())
    rows = ("\t".join(row.get(name, "") for name in columns) for row in map(_row, shop.goods.all()))
    text = "\r\n".join(["\t".join(head), *rows, ""])
    return text.encode(_CODECS[charset], "replace")


def _row(listing: Listing) -> Mapping[str, str]:
    here = listing.fba is None
    buyable = "BUYABLE" in status(listing, listing.good.quantity)
    return {
        "item-name": f"{listing.good.title} 髙品質・送料無料～",
        "listing-id": f"0101{listing.good.serial:08d}",
        "seller-sku": listing.sku,
        "price": "1980",
        "quantity": str(max(0, listing.good.quantity)) if here else "",
        "open-date": local_day(listing.created_at),
        "item-is-marketplace": "y",
        "product-id-type": "1",
        "item-condition": "11",
        "asin1": listing.asin,
        "product-id": listing.asin,
        "pending-quantity": "0" if here else "",
        "fulfillment-channel": "DEFAULT" if here else FBA,
        "merchant-shipping-group": "Migrated Template",
        "status": "Active" if buyable else "Inactive",
    }


def _wrong(details: str) -> Refused:
    return invalid(details, code="400", message="Invalid input")
