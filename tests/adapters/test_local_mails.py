"""Mails of the local desk as they go out and come in, by tables."""

from __future__ import annotations

import email
from email.message import EmailMessage
from email.policy import default
from typing import Any

import msgspec
import pytest

from adapters.local import wire
from adapters.local.mails import Sender, mail_id_of, render, understand, words_of
from adapters.local.simulated.post import bounced, written
from adapters.local.wire import TicketDoc
from syncd.sdk.desk import TicketStatus
from syncd.sdk.errors import ProtocolError
from syncd.testing.clock import ManualClock
from tests.adapters.local_stage import LETTER, change

NOW = ManualClock().now()
MARK = "0123456789abcdef"
OURS = mail_id_of(MARK, "e1", "shop.test")
SENDER = Sender(text="店 <shop@shop.test>", address="shop@shop.test", marks="none")
DOC = TicketDoc(
    ticket_id="L1", key="k", mark=MARK, subject="s", created_at=NOW, changed_at=NOW, address="a@b.test", name="山田"
)


def parsed(raw: bytes) -> EmailMessage:
    return email.message_from_bytes(raw, policy=default)


def test_a_mail_has_what_mail_programs_need() -> None:
    """A letter is encoded, dated, of a fixed id, and says that a machine wrote it."""
    mail = parsed(render(DOC, LETTER, event="e1", sender=SENDER, now=NOW))
    assert (str(mail["Subject"]), str(mail["To"]), str(mail["From"])) == (
        LETTER.subject,
        "山田 <a@b.test>",
        "店 <shop@shop.test>",
    )
    assert (mail["Message-ID"], mail["Auto-Submitted"], mail["Content-Language"]) == (OURS, "auto-generated", "ja")
    assert mail["In-Reply-To"] is mail["Reply-To"] is None
    assert mail.get_content() == LETTER.body.replace("\n", "\r\n") or mail.get_content() == LETTER.body
    assert all(len(line) <= 998 for line in bytes(render(DOC, LETTER, event="e1", sender=SENDER, now=NOW)).splitlines())


@pytest.mark.parametrize(
    ("marks", "header", "value"),
    [
        ("plus", "Reply-To", f"shop+{MARK}@shop.test"),
        ("subject", "Subject", f"{LETTER.subject} [#{MARK}]"),
        ("none", "Subject", LETTER.subject),
    ],
)
def test_marks_are_where_the_settings_say(marks: str, header: str, value: str) -> None:
    """Beside its id a mail bears its mark in the answer's address or in the subject, as the owner likes."""
    sender = Sender(text="shop@shop.test", address="shop@shop.test", marks=marks)
    assert str(parsed(render(DOC, LETTER, event="e", sender=sender, now=NOW))[header]) == value
    assert sender.return_path(MARK) == (f"shop+{MARK}@shop.test" if marks == "plus" else "shop@shop.test")


def test_a_name_cannot_write_headers() -> None:
    """A name with a line break is left out."""
    doc = msgspec.structs.replace(DOC, name="a\r\nBcc: x@y.test")
    mail = parsed(render(doc, LETTER, event="e", sender=SENDER, now=NOW))
    assert (str(mail["To"]), mail["Bcc"]) == ("a@b.test", None)


def incoming(**headers: str) -> bytes:
    given: dict[str, Any] = {"sender": "a@b.test", "subject": "Re: x", "text": "t", "mail_id": "<i@b.test>"}
    return written(**{**given, "recipient": "shop@shop.test", **headers})


CASES = [
    ({"In_Reply_To": OURS}, "reply"),
    ({"References": f"<z@z> {OURS} <y@y>"}, "reply"),
    ({"subject": f"RE: x [#{MARK}]"}, "reply"),
    ({"recipient": f"Shop <shop+{MARK}@shop.test>"}, "reply"),
    ({"Delivered_To": f"shop+{MARK}@SHOP.test"}, "reply"),
    ({"In_Reply_To": OURS, "Auto_Submitted": "no"}, "reply"),
    ({"In_Reply_To": OURS, "Auto_Submitted": "auto-replied; x=y"}, "an automatic answer"),
    ({"In_Reply_To": OURS, "Auto_Submitted": "auto-generated"}, "an automatic answer"),
    ({"In_Reply_To": OURS, "Precedence": "AUTO_REPLY"}, "a list"),
    ({"In_Reply_To": OURS, "List_Id": "<l.b>"}, "a list"),
    ({"In_Reply_To": OURS, "subject": "Out of office: x"}, "an automatic answer"),
    ({"In_Reply_To": OURS, "subject": "不在のお知らせ"}, "an automatic answer"),
    ({"In_Reply_To": OURS, "subject": "自动回复：x"}, "an automatic answer"),
    ({"In_Reply_To": OURS, "sender": "noreply@b.test"}, "an automatic answer"),
    ({"In_Reply_To": OURS, "sender": "Shop <SHOP@shop.test>"}, "our own mail"),
    ({"mail_id": OURS}, "our own mail"),
    ({}, "no ticket of ours"),
    ({"subject": f"[#{MARK[:-1]}]"}, "no ticket of ours"),
    ({"recipient": f"other+{MARK}@shop.test"}, "no ticket of ours"),
    ({"recipient": f"shop+{MARK}@other.test"}, "no ticket of ours"),
]


@pytest.mark.parametrize(("headers", "meaning"), CASES)
def test_what_comes_in_is_understood(headers: dict[str, str], meaning: str) -> None:
    """Each mail is a person's reply to one of our letters, or said to be none and why."""
    heard = understand(incoming(**headers), sender=SENDER, now=NOW, whole=False)
    assert (heard.why or "reply") == meaning
    assert heard.reply is (meaning == "reply")
    assert heard.mark == (MARK if heard.reply else "")


@pytest.mark.parametrize(
    ("status", "action", "ends"),
    [("5.1.1", "failed", True), ("4.4.7", "failed", True), ("4.4.1", "delayed", False), ("2.0.0", "delivered", False)],
)
def test_reports_are_read_whole(status: str, action: str, ends: bool) -> None:
    """A report of delivery is read whole, and only a final one about our mail ends anything."""
    raw = bounced(render(DOC, LETTER, event="e1", sender=SENDER, now=NOW), status=status, action=action)
    head = understand(raw.partition(b"\r\n\r\n")[0] + b"\r\n\r\n", sender=SENDER, now=NOW, whole=False)
    heard = understand(raw, sender=SENDER, now=NOW, whole=True)
    assert head.whole
    assert not head.bounce
    assert (heard.bounce, heard.mark) == (ends, MARK if ends else "")


def test_a_report_about_somebody_elses_mail_is_nothing() -> None:
    """A report that names none of our mails ends nothing."""
    raw = bounced(incoming(), status="5.1.1")
    assert not understand(raw, sender=SENDER, now=NOW, whole=True).bounce


DATES = [
    ("Fri, 20 Nov 2026 10:00:00 +0900", None),
    ("yesterday", NOW),
    ("Fri, 01 Jan 1990 00:00:00 +0000", NOW),
    ("Fri, 01 Jan 2100 00:00:00 +0000", NOW),
]


@pytest.mark.parametrize(("date", "at"), DATES)
def test_a_reply_is_dated_with_care(date: str, at: int | None) -> None:
    """A date that cannot be, or lies far off, is not believed."""
    now = NOW if at is not None else 1_795_136_400_000_000 + 3_600_000_000
    heard = understand(incoming(In_Reply_To=OURS, Date=date), sender=SENDER, now=now, whole=False)
    assert heard.at == (1_795_136_400_000_000 if at is None else at)


@pytest.mark.parametrize("raw", [b"", b"\xff\xfe\x00", b"Subject: =?x?q?=?=\r\n\r\n", b"From: <\r\nTo: @\r\n\r\n"])
def test_noise_is_nothing(raw: bytes) -> None:
    """Bytes that are hardly a mail raise nothing and concern nobody."""
    heard = understand(raw, sender=SENDER, now=NOW, whole=False)
    assert not heard.reply
    assert not heard.bounce


def test_a_mail_without_an_id_gets_one_of_its_content() -> None:
    """A reply without Message-ID is still told apart from another one, and known again."""
    raw = incoming(In_Reply_To=OURS).replace(b"Message-ID: <i@b.test>\r\n", b"")
    ids = {understand(one, sender=SENDER, now=NOW, whole=False).mail_id for one in (raw, raw, raw + b"more")}
    assert len(ids) == 2
    assert "" not in ids


def test_documents_are_read_strictly() -> None:
    """A ticket is packed and read again whole; what is none is refused without its content."""
    assert wire.unpack(wire.pack(DOC)) == DOC
    with pytest.raises(ProtocolError) as caught:
        wire.unpack(b'{"address": "a@b.test"}')
    assert "a@b.test" not in str(caught.value)


def test_what_a_ticket_keeps_is_limited_and_markers_are_not() -> None:
    """Notes leave when there are too many; an event once borne is borne for ever."""
    doc = DOC
    for number in range(wire.MOST_KEPT + 5):
        doc = wire.marked(wire.noted(doc, f"n{number}", event="e", now=NOW), f"e{number}")
    assert (len(doc.notes), doc.notes[-1].text) == (wire.MOST_KEPT, f"n{wire.MOST_KEPT + 4}")
    assert len(doc.markers) == wire.MOST_KEPT + 5


def test_a_change_leaves_the_rest() -> None:
    """What a change does not name stays as it is, and a reply never opens what is closed."""
    doc = wire.changed(DOC, change("L1", expected="2026-12-01"))
    assert (doc.expected, doc.quantity, doc.state) == ("2026-12-01", 1, None)
    closed = msgspec.structs.replace(DOC, status=TicketStatus.CLOSED)
    assert wire.replied(closed, mail_id="<x>", at=NOW).status is TicketStatus.CLOSED
    assert wire.touched(DOC, NOW - 5).changed_at == NOW + 1


HTML = (
    b"Subject: Re: x\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<style>p{}</style><p>a &amp; b</p>"
    b"<blockquote>quoted</blockquote><div>end</div>"
)


def test_the_words_of_a_mail_are_its_own_text() -> None:
    """HTML is read as text without what it quotes; of what cannot be read only the subject is left."""
    assert words_of(HTML).split() == ["Re:", "x", "a", "&", "b", "end"]
    assert words_of(b"Subject: hello\r\nContent-Type: text/plain; charset=no-such\r\n\r\nx").split()[0] == "hello"
    assert words_of(b"Subject: hello\r\nContent-Type: image/png\r\n\r\n\x00").strip() == "hello"
