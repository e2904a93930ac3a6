"""Mails as they go out and as they come in. Pure.

What comes in is a reply, a mail that came back, or nothing that concerns us: answers of machines (RFC 3834, section 2
and 5, read 2026-11-28), lists, and our own mails are never taken for a customer's words.
"""

from __future__ import annotations

import email
import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, default
from email.utils import format_datetime, getaddresses, parsedate_to_datetime
from html import unescape
from typing import Final

from adapters.local.wire import TicketDoc
from syncd.sdk.desk import Instant, Letter

MOST_REFERENCES: Final = 12
"""Ids of earlier mails that one names."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MARK: Final = re.compile(r"[0-9a-f]{16}")
_OURS: Final = re.compile(r"<syncd\.([0-9a-f]{16})\.[0-9a-f]{16}@")
_IN_SUBJECT: Final = re.compile(r"\[#([0-9a-f]{16})\]")
_MACHINES: Final = re.compile(r"(?i)^(mailer-daemon|postmaster|no-?reply|do-?not-?reply|auto-?reply)\b")
_ABSENT: Final = re.compile(
    r"(?i)(out of (the )?office|auto(matic)?[- ]?(reply|response)|自動(返信|応答)|不在(通知|のお知らせ)|自动[回答]复)"
)
_SIGNS: Final = ("X-Autoreply", "X-Autorespond", "X-Auto-Reply")
_BULK: Final = frozenset({"bulk", "junk", "list", "auto_reply"})
_STATUS: Final = re.compile(rb"(?im)^Status:\s*([245]\.\d{1,3}\.\d{1,3})\s*$")
_ACTION: Final = re.compile(rb"(?im)^Action:\s*(\w+)\s*$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Who letters come from: the header `text`, its bare `address`, and what replies are known by."""

    text: str
    address: str
    marks: str

    @property
    def domain(self) -> str:
        """Return the domain of the address."""
        return self.address.rpartition("@")[2]

    def plus(self, mark: str) -> str:
        """Return the address that carries a mark."""
        local, _, domain = self.address.rpartition("@")
        return f"{local}+{mark}@{domain}"

    def return_path(self, mark: str) -> str:
        """Return where a mail goes that cannot be delivered."""
        return self.plus(mark) if self.marks == "plus" else self.address


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What a mail means: `reply` or `bounce` of the ticket with this mark, or nothing (`why` says what it was).

    `whole` says that only the whole mail can tell more: what came back may name our mail in its body alone.
    """

    mark: str = ""
    mail_id: str = ""
    at: Instant = 0
    reply: bool = False
    bounce: bool = False
    status: str = ""
    why: str = ""
    whole: bool = False


# --- out -------------------------------------------------------------------------------------------------------------


def mail_id_of(mark: str, event: str, domain: str) -> str:
    """Return the id of a letter's mail: the same event always has the same."""
    return f"<syncd.{mark}.{hashlib.sha256(event.encode()).hexdigest()[:16]}@{domain}>"


def render(doc: TicketDoc, letter: Letter, *, event: str, sender: Sender, now: Instant) -> bytes:
    """Return a letter as a mail to the ticket's customer."""
    mail = EmailMessage(policy=SMTP)
    mail["Subject"] = f"{letter.subject} [#{doc.mark}]" if sender.marks == "subject" else letter.subject
    mail["From"] = sender.text
    mail["To"] = _recipient(doc)
    if sender.marks == "plus":
        mail["Reply-To"] = sender.plus(doc.mark)
    mail["Date"] = format_datetime(_EPOCH + timedelta(microseconds=now))
    mail["Message-ID"] = mail_id_of(doc.mark, event, sender.domain)
    if doc.thread:
        mail["In-Reply-To"] = doc.thread[-1]
        mail["References"] = " ".join(doc.thread[-MOST_REFERENCES:])
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    if letter.leave_url:
        mail["List-Unsubscribe"] = f"<{letter.leave_url}>"
        mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"  # RFC 8058, section 3.1
    mail.set_content(letter.body, cte="base64")
    mail["Content-Language"] = {"ja": "ja", "en": "en", "zh": "zh-Hans"}[letter.language]
    return bytes(mail)


def _recipient(doc: TicketDoc) -> Address | str:
    if not doc.name or not doc.name.isprintable():
        return doc.address
    return Address(display_name=doc.name, addr_spec=doc.address)


# --- in --------------------------------------------------------------------------------------------------------------


def understand(raw: bytes, *, sender: Sender, now: Instant, whole: bool) -> Heard:
    """Say what a mail means: by its headers, or where they do not suffice (`whole`) by all of it."""
    mail = email.message_from_bytes(raw, policy=default)
    mail_id = _text(mail, "Message-ID")[:998]
    if _is_report(mail):
        return _bounce(mail, raw, mail_id, sender, whole=whole)
    if why := _machine(mail, sender):
        return Heard(mail_id=mail_id, why=why)
    mark = _mark(mail, sender)
    if not mark:
        return Heard(mail_id=mail_id, why="no ticket of ours")
    return Heard(mark=mark, mail_id=mail_id or _nameless(raw), at=_sent_at(mail, now), reply=True)


def _text(mail: EmailMessage, name: str) -> str:
    """Return a header on one line, empty where there is none or it cannot be read."""
    try:
        return " ".join(str(mail.get(name, "")).split())
    except (ValueError, LookupError, AttributeError, TypeError):
        return ""


def _is_report(mail: EmailMessage) -> bool:
    kind = _text(mail, "Content-Type").lower()
    return kind.startswith("multipart/report") or _from(mail).lower().startswith(("mailer-daemon@", "postmaster@"))


def _machine(mail: EmailMessage, sender: Sender) -> str:
    """Say why a mail is not a person's words to us, empty where it is."""
    submitted = _text(mail, "Auto-Submitted").lower()
    if submitted and submitted.partition(";")[0].strip() != "no":
        return "an automatic answer"
    if _from(mail).lower() == sender.address.lower() or _OURS.match(_text(mail, "Message-ID")):
        return "our own mail"
    if _text(mail, "Precedence").lower() in _BULK or mail.get("List-Id") is not None:
        return "a list"
    if _text(mail, "Return-Path") == "<>" or any(mail.get(name) is not None for name in _SIGNS):
        return "an automatic answer"
    if _MACHINES.match(_from(mail)) or _ABSENT.search(_text(mail, "Subject")):
        return "an automatic answer"
    return ""


def _from(mail: EmailMessage) -> str:
    found = getaddresses([_text(mail, "From")])
    return found[0][1] if found else ""


def _mark(mail: EmailMessage, sender: Sender) -> str:
    """Return the mark of the ticket that a mail belongs to: by address, by headers, by subject."""
    local, _, domain = sender.address.lower().rpartition("@")
    names = ("To", "Cc", "Delivered-To", "X-Original-To", "Envelope-To")
    for _, address in getaddresses([_text(mail, name) for name in names]):
        found_local, _, found_domain = address.lower().rpartition("@")
        mark = found_local.removeprefix(f"{local}+")
        if found_domain == domain and mark != found_local and _MARK.fullmatch(mark):
            return mark
    named = _OURS.findall(f"{_text(mail, 'In-Reply-To')} {_text(mail, 'References')}")
    return named[-1] if named else next(iter(_IN_SUBJECT.findall(_text(mail, "Subject"))), "")


def _bounce(mail: EmailMessage, raw: bytes, mail_id: str, sender: Sender, *, whole: bool) -> Heard:
    mark = _mark(mail, sender)
    if not whole:
        return Heard(mail_id=mail_id, mark=mark, whole=True, why="a report")
    named = _OURS.search(raw.decode("utf-8", "replace"))
    mark = mark or (named[1] if named else "")
    statuses = [found.decode() for found in _STATUS.findall(raw)]
    actions = {found.lower() for found in _ACTION.findall(raw)}
    final = next((status for status in statuses if status.startswith("5")), "")
    if not mark or not (final or b"failed" in actions):
        return Heard(mail_id=mail_id, why="a report of no end of ours")
    return Heard(mark=mark, mail_id=mail_id or _nameless(raw), bounce=True, status=final)


def _sent_at(mail: EmailMessage, now: Instant) -> Instant:
    """Return when a mail was written, never later than now; a clock that is far off is not believed."""
    try:
        written = parsedate_to_datetime(_text(mail, "Date"))
        at = (written.astimezone(UTC) - _EPOCH) // timedelta(microseconds=1)
    except (ValueError, TypeError, OverflowError, IndexError):
        return now
    return at if now - 14 * 86_400_000_000 <= at <= now else now


def _nameless(raw: bytes) -> str:
    return f"<{hashlib.sha256(raw).hexdigest()[:32]}@nameless.invalid>"


def words_of(raw: bytes) -> str:
    """Return the subject and the text of a mail, for a look and no more; what cannot be read is left out."""
    mail = email.message_from_bytes(raw, policy=default)
    try:
        part = mail.get_body(preferencelist=("plain", "html"))
        text = "" if part is None else str(part.get_content())
    except (LookupError, ValueError, AttributeError, TypeError):
        return _text(mail, "Subject")
    if part is not None and part.get_content_subtype() == "html":
        text = unescape(_TAG.sub("\n", _UNSEEN.sub("", text)))
    return f"{_text(mail, 'Subject')}\n{text}"


_UNSEEN: Final = re.compile(r"(?is)<(style|script|blockquote)\b.*?</\1\s*>")
"""What nobody sees, and what HTML quotes."""
_TAG: Final = re.compile(r"<[^<>]{0,2000}>")
