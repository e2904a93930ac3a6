"""Alerts by mail."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from typing import Final
from urllib.parse import unquote, urlsplit

import aiosmtplib

from syncd.edges.letters import Letter
from syncd.log import logger
from syncd.sdk.address import LOOPBACK
from syncd.sdk.errors import AuthError, ChannelError, ConfigError, Problem, RejectedError, TransientError
from syncd.sdk.secret import Secret, redact

MAIL_S: Final = 40.0
"""Longest time until a server is ready for a mail, and again until it has taken it."""

LEAVE_S: Final = 5.0

_PORTS: Final = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}
_STARTTLS: Final = {"smtp": None, "smtp+starttls": True, "smtps": False}  # None: where the server offers it
_FOR_GOOD: Final = 500  # reply codes from here on will be the same next time (RFC 5321, section 4.2.1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_log = logger("mail")


class MailRoute:
    """Sends letters to `recipients` by a mail server. A mail that may have gone out is not sent again.

    `url` is smtps://user:password@host:465 (TLS), smtp+starttls://host:587 (STARTTLS or nothing) or smtp://host:25
    (STARTTLS where the server offers it, and none within this machine); user and password are percent-encoded. `tls`
    None trusts the system's certificates, or those of $SSL_CERT_FILE. A password never leaves this machine in clear.

    Raises ConfigError for a URL or an address that cannot be used.
    """

    name = "mail"

    def __init__(self, *, url: str, sender: str, recipients: Sequence[str], tls: ssl.SSLContext | None = None) -> None:
        self._scheme, self._host, self._port, self._username, self._password = _server(url)
        # A mail server on this machine often has a certificate of its own making, and nobody listens in between.
        self._start_tls = False if self._host in LOOPBACK and self._scheme == "smtp" else _STARTTLS[self._scheme]
        self._sender = sender
        self._from = _address("alerts.mail_from", sender)
        self._to = [_address("alerts.mail_to", recipient) for recipient in recipients]
        self._tls = tls
        if not self._to:
            raise ConfigError([Problem(place="alerts.mail_to", message="nobody to write to", remedy="name somebody")])

    async def send(self, letter: Letter) -> None:
        """Send one mail to all.

        Raises TransientError where it certainly did not go out, AuthError where a person must act, RejectedError
        where the server does not take this mail.
        """
        client = aiosmtplib.SMTP(
            hostname=self._host,
            port=self._port,
            use_tls=self._scheme == "smtps",
            start_tls=self._start_tls,
            tls_context=self._tls,
            local_hostname="[127.0.0.1]",  # the name of this machine is nobody's business
            timeout=MAIL_S,
        )
        try:
            await self._prepare(client)
            await self._hand_over(client, letter)
        finally:
            await _leave(client)

    async def _prepare(self, client: aiosmtplib.SMTP) -> None:
        """Go as far as can be repeated without harm: connect, log in, name sender and recipients."""
        try:
            async with asyncio.timeout(MAIL_S):
                await client.connect()
                await self._login(client)
                await client.mail(self._from)
                await self._name_recipients(client)
        except (aiosmtplib.SMTPException, TimeoutError, OSError) as error:
            raise _meaning(error) from None

    async def _login(self, client: aiosmtplib.SMTP) -> None:
        if not self._username:
            return
        if client.get_transport_info("sslcontext") is None and self._host not in LOOPBACK:
            raise AuthError("the mail server offers no TLS, and the password does not go out in clear")
        await client.login(self._username, self._password.reveal())

    async def _name_recipients(self, client: aiosmtplib.SMTP) -> None:
        refusals: list[aiosmtplib.SMTPRecipientRefused] = []
        for recipient in self._to:
            try:
                await client.rcpt(recipient)
            except aiosmtplib.SMTPRecipientRefused as error:
                refusals.append(error)
        if len(refusals) == len(self._to):
            raise refusals[0]
        if refusals:
            _log.warning("mail.recipients_refused", count=len(refusals), code=refusals[0].code)

    async def _hand_over(self, client: aiosmtplib.SMTP, letter: Letter) -> None:
        """Hand the mail over; without the server's last word nobody knows whether it went out: it counts as sent."""
        try:
            async with asyncio.timeout(MAIL_S):
                await client.data(self._render(letter))
        except aiosmtplib.SMTPDataError as error:
            if error.code >= _FOR_GOOD:
                raise RejectedError(f"the mail server refused the mail with {error.code}") from None
            raise TransientError(f"the mail server refused the mail for now with {error.code}", sent=False) from None
        except (aiosmtplib.SMTPException, TimeoutError, OSError) as error:
            _log.warning("mail.uncertain", event_id=letter.event_id, reason=type(error).__name__)

    def _render(self, letter: Letter) -> bytes:
        mail = EmailMessage(policy=SMTP)
        mail["Subject"] = letter.subject
        mail["From"] = self._sender
        mail["To"] = ", ".join(self._to)
        mail["Date"] = format_datetime(_EPOCH + timedelta(microseconds=letter.at))
        mail["Message-ID"] = f"<{letter.event_id}@{letter.instance}.syncd.invalid>"
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content("\n".join((*letter.lines, "")), cte="base64")
        return bytes(mail)


async def _leave(client: aiosmtplib.SMTP) -> None:
    with contextlib.suppress(aiosmtplib.SMTPException, TimeoutError, OSError):
        async with asyncio.timeout(LEAVE_S):
            await client.quit()
    client.close()


def _meaning(error: Exception) -> ChannelError:
    """Return what it means that a mail did not get as far as its text, without the server's words: they name people."""
    if isinstance(error, aiosmtplib.SMTPResponseException):
        refused = f"the mail server answered {error.code} ({type(error).__name__})"
        return AuthError(refused) if error.code >= _FOR_GOOD else TransientError(refused, sent=False)
    if type(error) in {aiosmtplib.SMTPException, aiosmtplib.SMTPNotSupported}:
        return AuthError(f"the mail server cannot do what is needed: {redact(str(error))}")
    return TransientError(
        f"the mail server cannot be reached: {redact(str(error)) or type(error).__name__}", sent=False
    )


def _server(url: str) -> tuple[str, str, int, str, Secret]:
    """Return scheme, host, port, user and password of a mail server's URL."""
    try:
        parts = urlsplit(url)
        port = parts.port
        if parts.scheme in _PORTS and parts.hostname:
            user, password = unquote(parts.username or ""), Secret(unquote(parts.password or ""))
            return parts.scheme, parts.hostname, port or _PORTS[parts.scheme], user, password
    except ValueError:
        pass  # a port that is no number
    raise ConfigError(
        [
            Problem(
                place="alerts.smtp_url",
                message="not the address of a mail server",
                remedy="write smtps://user:password@host:465",
            )
        ]
    )


def _address(place: str, text: str) -> str:
    """Return the bare address of `Name <address>`."""
    address = parseaddr(text)[1]
    if text.isprintable() and address.isascii() and "@" in address.strip("@"):
        return address
    raise ConfigError([Problem(place=place, message="not a mail address", remedy="write name@example.com")])
