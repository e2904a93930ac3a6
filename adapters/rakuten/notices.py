"""System event notifications (システムイベント通知サービス): who sent them, and which orders they name. Pure.

Rakuten posts small XML documents. They are not signed: the sender knows the key that stands in them, and the contract
and the shop. So nothing is believed but which order is to be read. Sources: the public C# client
`Rakuten.RMS.Api` (2024-01) for names and codes; EC店長's manuals: what was missed is not sent again.

A document with a DTD is refused before anything in it is expanded.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final
from xml.parsers import expat

from adapters.rakuten.settings import RakutenSettings
from syncd.sdk.channel import Forged, Notice, RawRequest
from syncd.sdk.errors import ProtocolError
from syncd.sdk.secret import sample

ANSWER_TYPE: Final = "text/xml"
OK: Final = "N-000-000"
WRONG_KEY: Final = "E-400-101"

ITEMS_EDITED: Final = ("3000", "1100")
ORDER_CHANGED: Final = ("4000", "1100")
RESTOCK_ASKED: Final = ("4100", "1100")
ORDER_JUDGED: Final = ("5000", "1100")
ORDER_WARNED: Final = ("5100", "1100")
_OF_ORDERS: Final = (ORDER_CHANGED, ORDER_JUDGED, ORDER_WARNED)

MOST_DEPTH = 16
MOST_ELEMENTS = 5_000

_ORDER = re.compile(r"\d{1,10}-\d{8}-\d{6,12}")


class _Broken(Exception):  # noqa: N818  (only known here)
    """The document is none, or more than is looked at."""


@dataclass(slots=True)
class Element:
    """An element of a document; namespaces and attributes are not looked at."""

    name: str
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def find(self, *path: str) -> str:
        """Return the text at a path of names; empty where there is none."""
        here: Element | None = self
        for name in path:
            here = next((child for child in here.children if child.name == name), None) if here else None
        return here.text.strip() if here else ""

    def all(self, name: str) -> Iterator[Element]:
        """Yield the children of a name."""
        return (child for child in self.children if child.name == name)


def read(body: bytes) -> Element:
    """Return the root of a document; raises `ProtocolError` for one that is none, has a DTD, or is too large."""
    root = Element("")
    stack = [root]
    count = 0

    def start(name: str, _: Any) -> None:
        nonlocal count
        count += 1
        if len(stack) > MOST_DEPTH or count > MOST_ELEMENTS:
            raise _Broken("too large")
        made = Element(name.rpartition(":")[2])
        stack[-1].children.append(made)
        stack.append(made)

    def refuse(*_: Any) -> None:
        raise _Broken("a DTD")

    def add(text: str) -> None:
        stack[-1].text += text

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.EndElementHandler = lambda _: stack.pop()
    parser.CharacterDataHandler = add
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(body, True)  # noqa: FBT003  (expat's own way)
    except (expat.ExpatError, _Broken, ValueError) as fault:
        message = f"Rakuten notification: not understood ({type(fault).__name__})"
    else:
        return root.children[0]
    raise ProtocolError(message, sample=sample(body))


def verify(request: RawRequest, settings: RakutenSettings) -> None:
    """Raise `Forged` unless the document holds the shop's key, contract and name."""
    if not settings.notify_auth_key:
        raise Forged(401, "no notify_auth_key is set, so that nothing can be verified")
    try:
        root = read(request.body)
    except ProtocolError as fault:
        raise Forged(401, "not a notification") from fault
    given = root.find("authModel", "authKey")
    if not given:
        raise Forged(400, "no authKey")
    fits = [
        hmac.compare_digest(given.encode(), settings.notify_auth_key.reveal().encode()),
        hmac.compare_digest(root.find("authModel", "contractId").encode(), settings.notify_contract_id.encode()),
        root.find("authModel", "shopUrl").lower() == settings.shop_url.lower(),
    ]
    if not all(fits):
        raise Forged(401, "wrong authKey, contract or shop")


def parse(request: RawRequest) -> Notice:
    """Say what a verified notification means: orders to be read, a catalogue that changed, or a word for a person.

    Raises `ProtocolError` for anything but the two kinds of documents. It has no id of its own in every case, so that
    equal documents are one notice.
    """
    root = read(request.body)
    key = hashlib.sha256(request.body).hexdigest()
    if root.name == "orderNotifyModel":
        numbers = [info.find("orderNumber") for info in root.all("orderInfoNotifyModel")]
        return Notice(dedupe_key=key, order_ids=_orders(numbers))
    if root.name == "notifyModel":
        info = next(root.all("notifyInfoModel"), None)
        if info is not None:
            return _event(info, key)
    raise ProtocolError("Rakuten notification: neither an order nor an event", sample=sample(request.body))


def _event(info: Element, key: str) -> Notice:
    event = (info.find("serviceId"), info.find("functionId"))
    if event in _OF_ORDERS:
        return Notice(dedupe_key=key, order_ids=_orders(child.text.strip() for child in info.children))
    if event == ITEMS_EDITED:
        return Notice(dedupe_key=key, catalogue=True)
    if event == RESTOCK_ASKED:
        about = sample(info.find("value2") or info.find("value1"))[:80]
        return Notice(dedupe_key=key, text=f"A shopper asks to be told when {about} is back in stock.")
    return Notice(dedupe_key=key)


def _orders(texts: Any) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for text in texts if _ORDER.fullmatch(text)))


def answer(*, accepted: bool) -> bytes:
    """Return the body that Rakuten expects."""
    code = OK if accepted else WRONG_KEY
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><responseModel><resultCode>{code}</resultCode></responseModel>'
    ).encode()
