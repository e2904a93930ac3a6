"""The settings of a local desk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal
from urllib.parse import urlsplit

from msgspec import Meta

from syncd.sdk.errors import ConfigError, Problem
from syncd.sdk.secret import Secret
from syncd.sdk.smtp import MailServer, bare_address

_UNSET = Secret("")

IMAP_SCHEMES = frozenset({"imaps", "imap"})


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalSettings:
    """What `[desks.NAME.settings]` says of a local desk.

    `smtp_url` is the mail server, as smtps://user:password@host:465, smtp+starttls://host:587 or smtp://host:25.
    `mail_from` is who letters come from, and where replies go. `imap_url` is the mailbox of that address, as
    imaps://user:password@host:993; empty: replies are not heard of, and nobody is reminded of a question. `folder` is
    where replies arrive. `marks` says what replies are known by beside their headers: "none", "plus" (the address
    shop+MARK@example.com, where the provider delivers it) or "subject" ([#MARK] at its end). `mails_per_minute` is the
    most that is sent.
    """

    smtp_url: Secret
    mail_from: str
    imap_url: Secret = _UNSET
    folder: Annotated[str, Meta(min_length=1, max_length=200)] = "INBOX"
    marks: Literal["none", "plus", "subject"] = "none"
    mails_per_minute: Annotated[int, Meta(ge=1, le=6_000)] = 60

    def problems(self) -> list[Problem]:
        """Return everything that keeps these settings from being used."""
        return list(self._problems())

    def _problems(self) -> Iterator[Problem]:
        try:
            MailServer(self.smtp_url.reveal(), place="settings.smtp_url")
        except ConfigError as error:
            yield from error.problems
        try:
            bare_address("settings.mail_from", self.mail_from)
        except ConfigError as error:
            yield from error.problems
        if self.imap_url and not is_mailbox(self.imap_url.reveal()):
            yield Problem(
                place="settings.imap_url",
                message="not the address of a mailbox",
                remedy="write imaps://user:password@host:993, or leave it out",
            )


def is_mailbox(url: str) -> bool:
    """Return whether a URL names a mailbox and who opens it."""
    try:
        parts = urlsplit(url)
        return parts.scheme in IMAP_SCHEMES and bool(parts.hostname and parts.username) and parts.port != 0
    except ValueError:
        return False
