"""A mail provider in memory: what it took, whom it delivered to, and the mailbox of the shop."""

from __future__ import annotations

import email
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import SMTP, default

PASSWORD = "made up, for a simulator"  # noqa: S105  (opens nothing but this)
USER = "shop"
ADDRESS = "shop@mail.invalid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """A mail as a customer got it."""

    recipient: str
    sender: str
    mail: EmailMessage


@dataclass(slots=True, kw_only=True)
class Post:
    """All mails. `mailbox` holds the shop's by their uid, from 1 on; `validity` changes when a server is rebuilt."""

    delivered: list[Delivered] = field(default_factory=list)
    mailbox: dict[int, bytes] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)
    """Addresses that are refused at once."""
    flags: dict[int, set[str]] = field(default_factory=dict)
    validity: int = 1
    next_uid: int = 1

    def deliver(self, sender: str, recipients: list[str], raw: bytes) -> None:
        """Deliver a mail: to the shop's own mailbox, or to customers."""
        mail = email.message_from_bytes(raw, policy=default)
        for recipient in recipients:
            if recipient.lower().partition("+")[0].partition("@")[0] == USER and recipient.endswith("@mail.invalid"):
                self.arrive(raw)
            else:
                self.delivered.append(Delivered(recipient=recipient, sender=sender, mail=mail))

    def arrive(self, raw: bytes) -> int:
        """Put a mail into the shop's mailbox; return its uid."""
        uid, self.next_uid = self.next_uid, self.next_uid + 1
        self.mailbox[uid] = raw
        self.flags[uid] = set()
        return uid

    def rebuild(self) -> None:
        """Give all mails new numbers, as a server does that lost its index."""
        mails = list(self.mailbox.values())
        self.mailbox.clear()
        self.validity += 1
        self.next_uid = 1
        for raw in mails:
            self.arrive(raw)


def written(*, sender: str, subject: str, text: str, mail_id: str, recipient: str = ADDRESS, **headers: str) -> bytes:
    """Return a mail that somebody wrote; `_` in names of headers stands for `-`."""
    mail = EmailMessage(policy=SMTP)
    mail["From"] = sender
    mail["To"] = recipient
    mail["Subject"] = subject
    mail["Message-ID"] = mail_id
    for name, value in headers.items():
        mail[name.replace("_", "-")] = value
    mail.set_content(text or "\n")
    return bytes(mail)


_REPORT = """\
From: Mail Delivery Subsystem <MAILER-DAEMON@mail.invalid>
To: {to}
Subject: Undelivered Mail Returned to Sender
Message-ID: <report-{number}@mail.invalid>
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="=report="

--=report=
Content-Type: text/plain

The mail could not be delivered.

--=report=
Content-Type: message/delivery-status

Reporting-MTA: dns; mail.invalid

Final-Recipient: rfc822; somebody
Action: {action}
Status: {status}

--=report=
Content-Type: text/rfc822-headers

{head}

--=report=--
"""


def bounced(raw: bytes, *, status: str, action: str = "failed", number: int = 1) -> bytes:
    """Return the report that a mail could not be delivered (RFC 3464), with the headers of that mail in it."""
    mail = email.message_from_bytes(raw, policy=default)
    head = raw.replace(b"\r\n", b"\n").partition(b"\n\n")[0].decode("utf-8", "replace")
    text = _REPORT.format(to=mail["From"], number=number, action=action, status=status, head=head)
    return text.replace("\n", "\r\n").encode()
