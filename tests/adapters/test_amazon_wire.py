"""Listings of Amazon: tables of shapes, the report in two languages, files and notices."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from adapters.amazon import account_health, api, feeds, listing_report, notices, push, reports, wire
from adapters.amazon.wire import Issue, Item, Offer, Submission
from syncd.sdk.channel import ListingRef, Notice, OutcomeKind, Write
from syncd.sdk.errors import AuthError, ProtocolError, RateLimited, RejectedError, TransientError
from syncd.sdk.http import Answer
from tests.adapters.amazon_stub import JAPAN, SELLER, item

SCHEMAS = Path(__file__).resolve().parents[3] / "shared/reference/amazon-models/schemas"


def parsed(raw: Any) -> Item:
    return msgspec.convert(raw, Item)


@pytest.mark.parametrize(
    ("raw", "quantity", "amazons", "active"),
    [
        (item("A", 7), 7, False, True),
        (item("A", 0, status=()), 0, False, True),
        (item("A", 3, status=("DISCOVERABLE",)), 3, False, False),
        (item("A", None), 0, False, True),
        (item("A", None, channel="AMAZON_JP"), None, True, True),
        (item("A", 4, channel="AMAZON_JP"), 4, True, True),
        ({"sku": "A"}, 0, False, True),
        (
            {
                "sku": "A",
                "fulfillmentAvailability": [
                    {"fulfillmentChannelCode": "AMAZON_JP"},
                    {"fulfillmentChannelCode": "DEFAULT", "quantity": 2},
                ],
            },
            2,
            False,
            False,
        ),
    ],
)
def test_listings_are_read(raw: Any, quantity: int | None, amazons: bool, active: bool) -> None:
    """A listing shows its own quantity, is Amazon's to fulfil without a channel of ours, and is active or sold out."""
    found = parsed(raw)
    listing = wire.listing_of(found, JAPAN)
    assert (wire.quantity_of(found), not listing.managed, listing.active) == (quantity, amazons, active)


@pytest.mark.parametrize("quantity", [0, 7, -3])
def test_patch_merges_and_says_its_channel(quantity: int) -> None:
    """A patch sets the quantity by merge, with the channel code, and never a number below zero."""
    body = wire.patch_body("", quantity)
    assert body == {
        "productType": "PRODUCT",
        "patches": [
            {
                "op": "merge",
                "path": "/attributes/fulfillment_availability",
                "value": [{"fulfillment_channel_code": "DEFAULT", "quantity": max(quantity, 0)}],
            }
        ],
    }


@pytest.mark.parametrize(
    ("text", "rate"),
    [("5.0", 5.0), ("0.0056", 0.0056), ("string", None), ("", None), ("0", None), ("-1", None), ("nan", None)],
)
def test_rate_header_is_read_with_care(text: str, rate: float | None) -> None:
    """A rate is believed where it is one."""
    assert api.rate_of(text) == rate


@pytest.mark.parametrize(
    ("sku", "text"), [("A/B", "A%2FB"), ("a+b c", "a%2Bb%20c"), ("赤", "%E8%B5%A4"), ("~.-_", "~.-_")]
)
def test_skus_are_encoded_whole(sku: str, text: str) -> None:
    """Nothing in a SKU is left to be read as a part of the address."""
    assert api.encoded(sku) == text


# --- the report --------------------------------------------------------------------------------------------------

ENGLISH = (
    "item-name\titem-description\tlisting-id\tseller-sku\tprice\tquantity\tasin1\tfulfillment-channel\tstatus\r\n"
    "Bag\t\tL1\tBAG-1\t100\t3\tB0\tDEFAULT\tActive\r\n"
    "Hat\t\tL2\tHAT-1\t100\t0\tB0\tDEFAULT\tInactive\r\n"
    "Old\t\tL3\tOLD-1\t100\t4\tB0\tDEFAULT\tInactive\r\n"
    "Far\t\tL4\tFAR-1\t100\t\tB0\tAMAZON_JP\tActive\r\n"
)
JAPANESE = (
    "商品名\t出品ID\t出品者SKU\t価格\t数量\tフルフィルメント・チャンネル\tステータス\n"
    "鞄 ①\tL1\tBAG-1\t100\t3\tDEFAULT\tActive\n"
    "帽子\tL2\tHAT-1\t100\t0\tDEFAULT\tInactive\n"
    "古\tL3\tOLD-1\t100\t4\tDEFAULT\t停止中\n"
    "遠\tL4\tFAR-1\t100\t\tAMAZON_JP\tActive\n"
)
ROWS = [("BAG-1", True, True), ("HAT-1", True, True), ("OLD-1", False, True), ("FAR-1", True, False)]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (ENGLISH.encode(), "text/plain; charset=UTF-8"),
        (ENGLISH.encode(), ""),
        (JAPANESE.encode("cp932"), "text/plain; charset=Shift_JIS"),
        (JAPANESE.encode("cp932"), "text/plain;charset=cp932"),
        (JAPANESE.encode("cp932"), ""),
        (JAPANESE.encode("cp932"), "text/plain; charset=UTF-8"),
        (JAPANESE.encode("utf-8-sig"), "text/plain; charset=utf8"),
        (JAPANESE.encode(), "text/plain; charset=no-such"),
    ],
)
def test_report_is_read_in_both_languages(body: bytes, kind: str) -> None:
    """The report of all listings is understood in English and Japanese, in UTF-8 and Shift_JIS."""
    listings = listing_report.listings(listing_report.decoded(body, kind))
    assert [(listing.sku, listing.active, listing.managed) for listing in listings] == ROWS


def test_report_without_skus_is_refused() -> None:
    """A report in which no column is that of the SKUs is a fault that is told."""
    for text in ("", "a\tb\n1\t2\n"):
        with pytest.raises(ProtocolError):
            listing_report.listings(text)
    with pytest.raises(ProtocolError):
        listing_report.decoded(b"\x81\xff\xfe\xfd", "")


def test_report_bears_odd_rows() -> None:
    """Short rows, empty ones, repeated SKUs and signs that look like line ends do not disturb a report."""
    text = "seller-sku\titem-name\tfulfillment-channel\nA\tone\u2028two\tDEFAULT\n\nB\nA\tagain\tDEFAULT\n\tno sku\n"
    assert [(each.sku, each.title) for each in listing_report.listings(text)] == [("A", "again"), ("B", "")]


def test_packed_files_are_bounded() -> None:
    """A packed file is unpacked whole, and refused where it is broken, cut or too large."""
    packed = gzip.compress(b"x" * 10_000)
    assert reports.unpacked(packed, most_bytes=10_001) == b"x" * 10_000
    for body, most in ((packed, 5_000), (packed[:-20], 20_000), (b"no", 20_000)):
        with pytest.raises(ProtocolError):
            reports.unpacked(body, most_bytes=most)


# --- writes ------------------------------------------------------------------------------------------------------


def write(quantity: int = 5, sku: str = "A") -> Write:
    return Write(key=f"k-{sku}", ref=ListingRef(remote_id=sku), quantity=quantity)


@pytest.mark.parametrize(
    ("quantity", "in_feed", "shown", "waits"),
    [
        (0, 3, 3, False),
        (2, 3, 1, False),
        (3, 3, 1, False),
        (5, 3, 9, False),
        (5, 3, None, False),
        (5, 3, 4, True),
        (5, None, 4, False),
    ],
)
def test_only_a_certain_raise_waits_for_a_feed(
    quantity: int, in_feed: int | None, shown: int | None, waits: bool
) -> None:
    """Beside an open feed nothing waits but what certainly raises the number."""
    assert push.waits_for_feed(write(quantity), Offer(shown=shown), in_feed) is waits


@pytest.mark.parametrize(
    ("status", "kind", "said"),
    [
        ("ACCEPTED", OutcomeKind.ACCEPTED, ""),
        ("VALID", OutcomeKind.ACCEPTED, ""),
        ("INVALID", OutcomeKind.REJECTED, "90220 (quantity) is required"),
        ("LATER", OutcomeKind.INDETERMINATE, "not known"),
    ],
)
def test_status_of_a_patch_decides(status: str, kind: OutcomeKind, said: str) -> None:
    """HTTP 200 says nothing: the status of the submission does, and a refusal has its code and attribute."""
    issues = [
        Issue(code="1", severity="WARNING"),
        Issue(code="90220", message="is required", severity="ERROR", attribute_names=["quantity"]),
    ]
    outcome = push.judged(write(), Submission(sku="A", status=status, issues=issues), effect_s=900.0)
    assert (outcome.kind, said in outcome.reason) == (kind, True)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (RejectedError("400"), OutcomeKind.REJECTED),
        (AuthError("403"), OutcomeKind.UNSENT),
        (RateLimited("429"), OutcomeKind.UNSENT),
        (TransientError("refused", sent=False), OutcomeKind.UNSENT),
        (TransientError("cut", sent=True), OutcomeKind.INDETERMINATE),
        (ProtocolError("page"), OutcomeKind.INDETERMINATE),
    ],
)
def test_fault_of_a_patch_is_told_for_its_row(fault: Any, kind: OutcomeKind) -> None:
    """What certainly had no effect is told so, a lost answer is never guessed."""
    assert push.failed(write(), fault, effect_s=1.0).kind is kind


def test_feed_file_holds_patches_only() -> None:
    """A feed's messages are numbered patches by merge, and the file says which writes are in it."""
    file = feeds.file([write(5, "A"), write(6, "B,赤")], seller_id=SELLER, types={"A": "LUGGAGE"})
    body = json.loads(file.body)
    assert body["header"] == {"sellerId": SELLER, "version": "2.0", "issueLocale": "ja_JP"}
    assert [(each["messageId"], each["sku"], each["productType"]) for each in body["messages"]] == [
        (1, "A", "LUGGAGE"),
        (2, "B,赤", "PRODUCT"),
    ]
    assert all(each["operationType"] == "PATCH" for each in body["messages"])
    assert [each["patches"][0]["value"][0]["quantity"] for each in body["messages"]] == [5, 6]


def test_feed_file_is_cut_at_its_limits() -> None:
    """A file has at most 25,000 messages and 10 MiB; what does not fit is left for later."""
    many = [write(1, f"S{number}") for number in range(feeds.MOST_ROWS + 5)]
    assert len(feeds.file(many, seller_id=SELLER, types={}).writes) == feeds.MOST_ROWS
    long = [write(1, f"{number}" + "x" * 3_000) for number in range(5_000)]
    file = feeds.file(long, seller_id=SELLER, types={})
    assert len(file.body) <= feeds.MOST_BYTES
    assert 3_000 < len(file.writes) < 5_000
    assert len(json.loads(file.body)["messages"]) == len(file.writes)


@pytest.mark.parametrize(
    ("waiting", "least", "factor", "size"),
    [
        (10, 3_000, 1.0, 40),
        (2_999, 3_000, 1.0, 40),
        (3_000, 3_000, 1.0, 3_000),
        (3_000, 0, 1.0, 40),
        (3_000, 3_000, 3.0, 40),
        (60_000, 3_000, 1.0, 25_000),
        (41, 1, 1.0, 40),
    ],
)
def test_feed_is_used_where_it_is_faster(waiting: int, least: int, factor: float, size: int) -> None:
    """A push is as large as a feed only where all that waits is done sooner so."""
    assert feeds.size(waiting, by_patch=40, least=least, rate_per_s=5.0, factor=factor) == size


def test_report_of_a_feed_names_refused_rows() -> None:
    """Of the vendor's own report the first error of each message is kept, and warnings are not."""
    sample = SCHEMAS / "feeds/listings-feed-processing-report-schema-v2.example.json"
    if not sample.exists():
        pytest.skip("the vendor's samples are not beside this project")
    report = msgspec.json.decode(sample.read_bytes(), type=feeds.FeedReport)
    refused = feeds.refusals(report)
    assert set(refused) == {4, 5}
    assert refused[4].startswith("90220")
    assert "purchasable_offer.our_price" in refused[5]
    assert not report.failed


# --- notices -----------------------------------------------------------------------------------------------------

META = {"NotificationId": "n-1"}


def heard(message: Any) -> notices.Heard:
    body = message if isinstance(message, str) else json.dumps(message)
    return notices.heard(body, seller_id=SELLER, marketplace_id=JAPAN)


def change(**summary: Any) -> dict[str, Any]:
    return {
        "NotificationType": "ORDER_CHANGE",
        "Payload": {
            "OrderChangeNotification": {
                "SellerId": SELLER,
                "AmazonOrderId": "903-1",
                "Summary": {"MarketplaceId": JAPAN, "FulfillmentType": "MFN", **summary},
            }
        },
        "NotificationMetadata": META,
    }


def listing(kind: str, **payload: Any) -> dict[str, Any]:
    return {
        "NotificationType": kind,
        "Payload": {"SellerId": SELLER, "Sku": "A/1", **payload},
        "NotificationMetadata": META,
    }


FINISHED = {
    "notificationType": "FEED_PROCESSING_FINISHED",
    "payload": {"feedProcessingFinishedNotification": {"sellerId": SELLER, "feedId": "77"}},
    "notificationMetadata": {"notificationId": "n-1"},
}
NOTHING = Notice(dedupe_key="n-1")
READ = Notice(dedupe_key="n-1", refs=(ListingRef(remote_id="A/1"),))


@pytest.mark.parametrize(
    ("message", "notice", "feed"),
    [
        (change(), Notice(dedupe_key="n-1", order_ids=("903-1",)), ""),
        ({"detail-type": "x", "detail": change()}, Notice(dedupe_key="n-1", order_ids=("903-1",)), ""),
        (change(FulfillmentType="AFN"), NOTHING, ""),
        (change(MarketplaceId="ATVPDKIKX0DER"), NOTHING, ""),
        (listing("LISTINGS_ITEM_MFN_QUANTITY_CHANGE", Quantity=9), READ, ""),
        (listing("LISTINGS_ITEM_STATUS_CHANGED", MarketplaceId=JAPAN), READ, ""),
        (listing("LISTINGS_ITEM_STATUS_CHANGE", MarketplaceId="ATVPDKIKX0DER"), NOTHING, ""),
        (listing("LISTINGS_ITEM_ISSUES_CHANGE"), READ, ""),
        (listing("LISTINGS_ITEM_ISSUES_CHANGE", SellerId="A0SOMEBODY"), NOTHING, ""),
        (listing("SOMETHING_NEW"), NOTHING, ""),
        (FINISHED, NOTHING, "77"),
        ("{", notices.NOT_UNDERSTOOD, ""),
        ("[]", notices.NOT_UNDERSTOOD, ""),
        ({"detail": "text"}, notices.NOT_UNDERSTOOD, ""),
        ({"NotificationType": 3}, notices.NOT_UNDERSTOOD, ""),
    ],
)
def test_notifications_are_hints(message: Any, notice: Notice, feed: str) -> None:
    """A notification names what is to be looked at, in both spellings and wrapped; nonsense is told and ended."""
    found = heard(message)
    assert (found.notice, found.feed_id) == (notice, feed)


def test_status_of_the_account_is_told() -> None:
    """A change of the account's status is a text for a person, with the new status and not the old one."""
    payload = {
        "AccountStatusChangeNotification": {"PreviousAccountStatus": "NORMAL", "CurrentAccountStatus": "AT_RISK"}
    }
    text = heard({"NotificationType": "ACCOUNT_STATUS_CHANGED", "Payload": payload}).notice.text
    assert "AT_RISK" in text
    assert "NORMAL" not in text


def test_vendors_own_notifications_are_understood() -> None:
    """The samples in the vendor's schemas mean something, each what its type says."""
    if not SCHEMAS.exists():
        pytest.skip("the vendor's samples are not beside this project")
    folder = SCHEMAS / "notifications"
    names = {
        "OrderChangeNotification.json": "order_ids",
        "ListingsItemMfnQuantityChange.json": "refs",
        "ListingsItemStatusChangeNotification.json": "refs",
        "ListingsItemIssuesChangeNotification.json": "refs",
    }
    for name, attribute in names.items():
        for sample in json.loads((folder / name).read_bytes())["examples"]:
            payload = sample["Payload"]
            inner = payload.get("OrderChangeNotification", payload)
            place = inner.get("Summary", inner).get("MarketplaceId", JAPAN)
            found = notices.heard(json.dumps(sample), seller_id=inner["SellerId"], marketplace_id=place)
            assert getattr(found.notice, attribute), name
            assert found.notice.dedupe_key


# --- account health and errors -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["preFulfillmentCancellationRate", "prefulfillmentCancelRate"])
def test_account_health_is_computed(name: str) -> None:
    """The rate is computed, the limit is the report's, in both spellings."""
    part = {"orderCount": 17197, "cancellationCount": 551, "status": "GOOD", "rate": 0.005, "targetValue": 0.01}
    report = {
        "accountStatuses": [],
        "performanceMetrics": [{"marketplaceId": JAPAN, name: part}, {"marketplaceId": "X", name: part}],
    }
    (figure,) = account_health.figures(report, JAPAN)
    assert (figure.name, figure.count, figure.total, figure.limit) == (account_health.CANCEL_RATE, 551, 17197, 0.01)
    assert round(figure.rate or 0.0, 3) == 0.032


def test_vendors_own_health_report_is_understood() -> None:
    """The vendor's own example gives three rates."""
    sample = SCHEMAS / "reports/accountHealthReport-2020-11-18.json"
    if not sample.exists():
        pytest.skip("the vendor's samples are not beside this project")
    report = json.loads(sample.read_bytes())["examples"][0]
    figures = account_health.figures(report, "ATVPDKIKX0DER")
    assert [figure.name for figure in figures] == [
        account_health.CANCEL_RATE,
        account_health.LATE_RATE,
        account_health.DEFECT_RATE,
    ]
    assert all(figure.limit for figure in figures)


@pytest.mark.parametrize("report", [None, [], {}, {"performanceMetrics": 3}])
def test_other_health_report_is_refused(report: Any) -> None:
    """A report of another form is a fault that is told."""
    with pytest.raises(ProtocolError):
        account_health.figures(report, JAPAN)


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (400, b'{"errors":[{"code":"InvalidInput","message":"bad","details":""}]}', "400 InvalidInput: bad"),
        (404, b"", "404"),
        (413, b"<html>", "413"),
        (415, b"[]", "415"),
    ],
)
def test_refusals_for_good_have_their_reason(status: int, body: bytes, said: str) -> None:
    """A request that is refused for good says why, in Amazon's words."""
    assert str(api.refusal(Answer(status=status, body=body))) == said
    assert api.refusal(Answer(status=200)) is None
    assert api.refusal(Answer(status=429)) is None
