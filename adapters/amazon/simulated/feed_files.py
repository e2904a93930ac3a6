"""Feed files: what stands in them, which messages are valid, and the processing report.

Facts: listings-feed-schema-v2, listings-feed-message-schema-v2 and the processing report's schema
(selling-partner-api-models, schemas/feeds): 1 to 25,000 messages, ids once each, PARTIAL_UPDATE is a patch by replace,
UPDATE replaces all attributes; an issue without messageId concerns the whole file. The order acknowledgement, as XML
and as a flat file, cancels orders (SP-API docs, order-feed-type-values); its exact form is not confirmed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree as ET

import msgspec

from adapters.amazon.simulated import patches as patching
from adapters.amazon.simulated.api import Refused
from adapters.amazon.simulated.goods import Goods, Listing
from adapters.amazon.simulated.patches import PREFIX, Patch

MOST_MESSAGES = 25_000
MOST_MESSAGE_ID = 2_147_483_647
VERSION = "2.0"
REASONS = frozenset({
    "NoInventory", "ShippingAddressUndeliverable", "CustomerExchange", "BuyerCanceled", "GeneralAdjustment",
    "PricingError", "CarrierCreditDecision", "RiskAssessmentInformationNotValid", "CarrierCoverageFailure",
    "CustomerReturn", "MerchandiseNotReceived",
})  # fmt: skip

_NEEDS = {
    "UPDATE": ({"productType", "attributes"}, {"patches"}),
    "PARTIAL_UPDATE": ({"productType", "attributes"}, {"requirements", "patches"}),
    "PATCH": ({"productType", "patches"}, {"requirements", "attributes"}),
    "DELETE": (set[str](), {"requirements", "attributes", "productType", "patches"}),
}


class BadFile(ValueError):  # noqa: N818  (a verdict)
    """A file that cannot be processed at all; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One valid message. `whole` says that it replaces every attribute, `delete` that the offer goes."""

    message_id: int
    listing: Listing
    patches: tuple[Patch, ...] = ()
    whole: bool = False
    delete: bool = False


@dataclass(slots=True, kw_only=True)
class ListingsFile:
    """What came out of a listings feed. `report` is the header's wish for data in the processing report."""

    messages: list[Message] = field(default_factory=list)
    issues: list[dict[str, Any]] = field(default_factory=list)
    processed: int = 0
    report: Mapping[str, Any] | None = None


def listings(raw: bytes, goods: Goods, *, seller: str) -> ListingsFile:
    """Read a JSON_LISTINGS_FEED; raises `BadFile`."""
    body = _document(raw)
    header, messages = body.get("header"), body.get("messages")
    if not isinstance(header, dict) or header.get("version") != VERSION:
        raise BadFile("The feed header is missing or its version is not 2.0.")
    if header.get("sellerId") != seller:
        raise BadFile("The sellerId of the header is not that of the seller.")
    if not isinstance(messages, list) or not 1 <= len(messages) <= MOST_MESSAGES:
        raise BadFile(f"The feed does not have 1 to {MOST_MESSAGES} messages.")
    found = ListingsFile(processed=len(messages), report=header.get("report"))
    seen: set[object] = set()
    for entry in messages:
        _read_message(entry, goods, found, seen)
    return found


def _document(raw: bytes) -> dict[str, Any]:
    try:
        body = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise BadFile("The feed content is not valid JSON.") from fault
    if not isinstance(body, dict):
        raise BadFile("The feed content is not a JSON object.")
    return body


def _read_message(entry: object, goods: Goods, found: ListingsFile, seen: set[object]) -> None:
    fault = _form_fault(entry, seen)
    if fault or not isinstance(entry, dict):
        found.issues.append({"code": "4000001", "severity": "ERROR", "message": fault})
        return
    number, sku, listing = entry["messageId"], entry["sku"], goods.find(entry["sku"])
    if listing is None:
        _tell(found, number, sku, [patching.unknown_sku(sku)])
        return
    if entry["operationType"] == "DELETE":
        found.messages.append(Message(message_id=number, listing=listing, delete=True))
        return
    try:
        patches = _patches(entry)
    except Refused as fault_of_patch:
        _tell(found, number, sku, [patching.issue("4000001", fault_of_patch.details, "INVALID_ATTRIBUTE", "patches")])
        return
    if wrong := patching.issues(entry["productType"], patches, listing):
        _tell(found, number, sku, wrong)
        return
    whole = entry["operationType"] == "UPDATE"
    found.messages.append(Message(message_id=number, listing=listing, patches=patches, whole=whole))


def _form_fault(entry: object, seen: set[object]) -> str:
    if not isinstance(entry, dict):
        return "A message is not an object."
    number, sku, needs = entry.get("messageId"), entry.get("sku"), _NEEDS.get(str(entry.get("operationType")))
    if not isinstance(number, int) or not 1 <= number <= MOST_MESSAGE_ID or number in seen:
        return "A messageId is not a whole number from 1, or is there twice."
    seen.add(number)
    if not isinstance(sku, str) or not sku or needs is None:
        return f"Message {number} has no sku or no operationType."
    if not needs[0] <= entry.keys() or needs[1] & entry.keys():
        return f"Message {number} has not what its operationType needs."
    return ""


def _patches(entry: Mapping[str, Any]) -> tuple[Patch, ...]:
    if entry["operationType"] == "PATCH":
        return patching.parsed(entry)[1]
    attributes = entry["attributes"]
    rows = [{"op": "replace", "path": f"{PREFIX}{name}", "value": value} for name, value in dict(attributes).items()]
    return patching.parsed({"productType": entry["productType"], "patches": rows})[1]


def _tell(found: ListingsFile, number: int, sku: str, issues: list[dict[str, Any]]) -> None:
    for each in issues:
        found.issues.append(
            {
                "messageId": number,
                "sku": sku,
                "code": each["code"],
                "severity": each["severity"],
                "message": each["message"],
                "attributeName": each["attributeNames"][0],
            }
        )


def processing_report(found: ListingsFile, *, seller: str, feed_id: str, items: list[dict[str, Any]] | None) -> bytes:
    """Return the processing report; `items` only where the header asked for data."""
    header: dict[str, Any] = {"sellerId": seller, "version": VERSION, "feedId": feed_id}
    summary: dict[str, Any] = {
        "errors": len(found.issues),
        "warnings": 0,
        "messagesProcessed": found.processed,
        "messagesAccepted": len(found.messages),
        "messagesInvalid": found.processed - len(found.messages),
    }
    body: dict[str, Any] = {"header": header, "issues": found.issues, "summary": summary}
    if items is not None and found.report is not None:
        header["report"] = found.report
        summary["itemSummary"] = {"items": len(items), "errors": 0, "warnings": 0}
        body["items"] = items
    return msgspec.json.encode(body)


# --- order acknowledgements --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """One order to be cancelled: whole where no items are named."""

    message_id: int
    order_id: str
    cancel: bool
    reason: str
    items: tuple[str, ...]


def acknowledgements(raw: bytes, *, seller: str) -> list[Acknowledgement]:
    """Read POST_ORDER_ACKNOWLEDGEMENT_DATA; raises `BadFile`.

    The file comes from the program that is tested, so that a hostile one is no concern.
    """
    try:
        envelope = ET.fromstring(raw)  # noqa: S314  (see above)
    except ET.ParseError as fault:
        raise BadFile("The feed content is not valid XML.") from fault
    if envelope.tag != "AmazonEnvelope" or envelope.findtext("MessageType") != "OrderAcknowledgement":
        raise BadFile("The feed is no AmazonEnvelope of OrderAcknowledgement.")
    if envelope.findtext("Header/MerchantIdentifier") != seller:
        raise BadFile("The MerchantIdentifier is not that of the seller.")
    return [_acknowledgement(message) for message in envelope.findall("Message")]


def _acknowledgement(message: ET.Element) -> Acknowledgement:
    number, body = message.findtext("MessageID", ""), message.find("OrderAcknowledgement")
    status = "" if body is None else body.findtext("StatusCode", "")
    if body is None or not number.isdigit() or status not in {"Success", "Failure"}:
        raise BadFile("A message has no MessageID, no OrderAcknowledgement or no StatusCode.")
    items = body.findall("Item")
    reasons = [item.findtext("CancelReason", "") for item in items]
    return Acknowledgement(
        message_id=int(number),
        order_id=body.findtext("AmazonOrderID", ""),
        cancel=status == "Failure",
        reason=reasons[0] if reasons else "",
        items=tuple(item.findtext("AmazonOrderItemCode", "") for item in items),
    )


def flat_acknowledgements(raw: bytes) -> list[Acknowledgement]:
    """Read POST_FLAT_FILE_ORDER_ACKNOWLEDGEMENT_DATA; raises `BadFile`."""
    try:
        lines = raw.decode("utf-8").splitlines()
    except UnicodeDecodeError as fault:
        raise BadFile("The feed content is not UTF-8.") from fault
    head = next((place for place, line in enumerate(lines) if line.startswith("order-id\t")), None)
    if head is None:
        raise BadFile("The header row is missing.")
    names = lines[head].split("\t")
    found = []
    for number, line in enumerate(lines[head + 1 :], start=1):
        row = dict(zip(names, line.split("\t"), strict=False))
        item = row.get("amazon-order-item-code", "")
        found.append(
            Acknowledgement(
                message_id=number,
                order_id=row.get("order-id", ""),
                cancel=True,
                reason=row.get("cancellation-reason-code", ""),
                items=(item,) if item else (),
            )
        )
    return found


def xml_report(results: Mapping[int, str], *, count: int, seller: str, feed_id: str) -> bytes:
    """Return the processing report of an XML feed; `results` are the errors by message."""
    root = ET.Element("AmazonEnvelope")
    header = ET.SubElement(root, "Header")
    ET.SubElement(header, "DocumentVersion").text = "1.02"
    ET.SubElement(header, "MerchantIdentifier").text = seller
    ET.SubElement(root, "MessageType").text = "ProcessingReport"
    message = ET.SubElement(root, "Message")
    ET.SubElement(message, "MessageID").text = "1"
    report = ET.SubElement(message, "ProcessingReport")
    ET.SubElement(report, "DocumentTransactionID").text = feed_id
    ET.SubElement(report, "StatusCode").text = "Complete"
    summary = ET.SubElement(report, "ProcessingSummary")
    figures = {"Processed": count, "Successful": count - len(results), "WithError": len(results), "WithWarning": 0}
    for name, figure in figures.items():
        ET.SubElement(summary, f"Messages{name}").text = str(figure)
    for number, text in results.items():
        result = ET.SubElement(report, "Result")
        ET.SubElement(result, "MessageID").text = str(number)
        ET.SubElement(result, "ResultCode").text = "Error"
        ET.SubElement(result, "ResultMessageCode").text = "18028"
        ET.SubElement(result, "ResultDescription").text = text
    content: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return content
