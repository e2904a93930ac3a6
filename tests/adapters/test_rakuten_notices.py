"""System event notifications: who sent them, and what they lead to."""

from __future__ import annotations

import pytest

from adapters.rakuten import RakutenSettings, notices
from syncd.sdk.channel import Forged, RawRequest
from syncd.sdk.errors import ProtocolError
from syncd.sdk.secret import Secret

SETTINGS = RakutenSettings(
    service_secret=Secret("SP000000_EXAMPLE"),
    license_key=Secret("SL000000_EXAMPLE"),
    shop_url="my-shop",
    notify_contract_id="C-1",
    notify_auth_key=Secret("auth-key-example"),
)
ORDER = "123456-20260101-0207814266"
AUTH = (
    "<authModel><contractId>C-1</contractId><shopUrl>my-shop</shopUrl><authKey>auth-key-example</authKey></authModel>"
)


def order_notice(auth: str = AUTH, number: str = ORDER, head: str = '<?xml version="1.0" encoding="UTF-8"?>') -> bytes:
    return (
        f"{head}<orderNotifyModel>{auth}<orderInfoNotifyModel><orderNumber>{number}</orderNumber><seqId>1</seqId>"
        "<orderDate>2026/01/01 00:00:00</orderDate><orderType>1</orderType><basketModel><itemId>1</itemId>"
        "<units>2</units></basketModel></orderInfoNotifyModel></orderNotifyModel>"
    ).encode()


def event(service: str, function: str = "1100", **values: str) -> bytes:
    told = "".join(f'<{name} name="x">{text}</{name}>' for name, text in values.items())
    return (
        f"<notifyModel>{AUTH}<notifyInfoModel><requestId>R1</requestId><serviceId>{service}</serviceId>"
        f"<functionId>{function}</functionId>{told}</notifyInfoModel></notifyModel>"
    ).encode()


def request(body: bytes) -> RawRequest:
    return RawRequest(headers={}, body=body)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (order_notice(), None),
        (event("4000", value2=ORDER), None),
        (order_notice().replace(b"auth-key-example", b"auth-key-examplf"), 401),
        (order_notice().replace(b">C-1<", b">C-2<"), 401),
        (order_notice().replace(b">my-shop<", b">other<"), 401),
        (order_notice(auth=""), 400),
        (order_notice(auth="<authModel><authKey/></authModel>"), 400),
        (b"", 401),
        (b"\xff\xfe", 401),
        (b"{}", 401),
        (order_notice()[:-5], 401),
    ],
)
def test_who_sent_it(body: bytes, status: int | None) -> None:
    """Only a document with the shop's key, contract and name is genuine."""
    if status is None:
        notices.verify(request(body), SETTINGS)
        return
    with pytest.raises(Forged) as caught:
        notices.verify(request(body), SETTINGS)
    assert caught.value.status == status
    assert "auth-key-example" not in str(caught.value)


def test_without_a_key_nothing_is_genuine() -> None:
    """Where no key is set a document without one does not pass."""
    bare = RakutenSettings(service_secret=Secret("a"), license_key=Secret("b"))
    with pytest.raises(Forged):
        notices.verify(request(order_notice(auth="<authModel><authKey></authKey></authModel>")), bare)


@pytest.mark.parametrize(
    ("body", "orders"),
    [
        (order_notice(), (ORDER,)),
        (order_notice(number="not a number"), ()),
        (event("4000", value1="update", value2=ORDER, value5="units"), (ORDER,)),
        (event("5000", value1=ORDER, value2="2"), (ORDER,)),
        (event("5100", value3=ORDER), (ORDER,)),
        (event("3100", value1=ORDER), ()),
        (event("9999"), ()),
    ],
)
def test_what_it_leads_to(body: bytes, orders: tuple[str, ...]) -> None:
    """A notification about an order has it read; one that is of no use means nothing."""
    notice = notices.parse(request(body))
    assert notice.order_ids == orders
    assert notice.orders == ()
    assert not notice.stop
    assert notice.dedupe_key


def test_items_and_wishes() -> None:
    """A finished bulk edit has the catalogue read; a wish for a restock is a word for a person."""
    assert notices.parse(request(event("3000"))).catalogue
    wish = notices.parse(request(event("4100", value1="https://item.example/x", value2="abc-1")))
    assert "abc-1" in wish.text


def test_equal_documents_are_one() -> None:
    """The key of a document is the document."""
    one, same, other = (notices.parse(request(body)) for body in (order_notice(), order_notice(), event("4000")))
    assert one.dedupe_key == same.dedupe_key != other.dedupe_key


BOMB = (
    '<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">'
    '<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>'
)


@pytest.mark.parametrize(
    "body",
    [
        order_notice(head=BOMB, number="&c;"),
        order_notice(head='<!DOCTYPE l [<!ENTITY x SYSTEM "file:///etc/hostname">]>', number="&x;"),
        order_notice(head='<!DOCTYPE l SYSTEM "http://127.0.0.1/x.dtd">'),
        order_notice(head=BOMB).decode().replace('version="1.0"?', 'version="1.0" encoding="UTF-16"?').encode("utf-16"),
        b"<a>" * 40 + b"</a>" * 40,
        b"<a>" + b"<b/>" * 6_000 + b"</a>",
        b"<html><body>Maintenance</body></html>",
        b"<notifyModel/>",
        b"<orderNotifyModel>&undefined;</orderNotifyModel>",
        b"[]",
        b"\xff",
    ],
)
def test_dangerous_and_strange_documents(body: bytes) -> None:
    """No DTD is followed, nothing large is built, and what is no notification is a protocol error."""
    with pytest.raises(ProtocolError):
        notices.parse(request(body))


def test_the_answer_is_what_rakuten_expects() -> None:
    """The answer holds the code of success, or of a wrong key."""
    assert notices.read(notices.answer(accepted=True)).find("resultCode") == "N-000-000"
    assert notices.read(notices.answer(accepted=False)).find("resultCode") == "E-400-101"
