"""One way to a mail server, for alerts and for letters: as far as can be repeated without harm, and then the text.

A mail that may have gone out is never handed over again: without the server's last word the end is not known, and that
is what is answered. No message of an error has the server's words: they name people.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import parseaddr
from typing import Final, Self
from urllib.parse import unquote, urlsplit

import aiosmtplib

from syncd.sdk.address import LOOPBACK
from syncd.sdk.errors import AuthError, ChannelError, ConfigError, Problem, RejectedError, TransientError
from syncd.sdk.secret import Secret, redact

__all__ = ["LEAVE_S", "MAIL_S", "Handed", "MailServer", "MailSession", "RecipientRefused", "bare_address"]

MAIL_S: Final = 40.0
"""Longest time until a server is ready for a mail, and again until it has taken it."""

LEAVE_S: Final = 5.0

_PORTS: Final = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}
_STARTTLS: Final = {"smtp": None, "smtp+starttls": True, "smtps": False}  # None: where the server offers it
_FOR_GOOD: Final = 500  # reply codes from here on will be the same next time (RFC 5321, section 4.2.1)


class RecipientRefused(RejectedError):  # noqa: N818  (what the server did)
    """No recipient of this mail is taken, now and later; `code` is the server's."""

    def __init__(self, code: int) -> None:
        super().__init__(f"the mail server refused the recipient with {code}")
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Handed:
    """A mail was handed over. `certain` is False where the server's last word got lost: nobody knows whether it went.

    `refused` are codes of recipients that were not taken, while others were.
    """

    certain: bool
    refused: tuple[int, ...] = ()
    reason: str = ""


class MailServer:
    """A mail server by its address.

    `url` is smtps://user:password@host:465 (TLS), smtp+starttls://host:587 (STARTTLS or nothing) or smtp://host:25
    (STARTTLS where the server offers it, and none within this machine); user and password are percent-encoded. `tls`
    None trusts the system's certificates, or those of $SSL_CERT_FILE. A password never leaves this machine in clear.

    Raises ConfigError, with `place`, for a URL that cannot be used.
    """

    def __init__(self, url: str, *, place: str, tls: ssl.SSLContext | None = None) -> None:
        self._scheme, self._host, self._port, self._username, self._password = _parts(url, place)
        # A mail server on this machine often has a certificate of its own making, and nobody listens in between.
        self._start_tls = False if self._host in LOOPBACK and self._scheme == "smtp" else _STARTTLS[self._scheme]
        self._tls = tls

    def client(self) -> aiosmtplib.SMTP:
        """Return a client that is not connected yet."""
        return aiosmtplib.SMTP(
            hostname=self._host,
            port=self._port,
            use_tls=self._scheme == "smtps",
            start_tls=self._start_tls,
            tls_context=self._tls,
            local_hostname="[127.0.0.1]",  # the name of this machine is nobody's business
            timeout=MAIL_S,
        )

    async def login(self, client: aiosmtplib.SMTP) -> None:
        """Log in, where there is a name to do it with."""
        if not self._username:
            return
        if client.get_transport_info("sslcontext") is None and self._host not in LOOPBACK:
            raise AuthError("the mail server offers no TLS, and the password does not go out in clear")
        await client.login(self._username, self._password.reveal())


class MailSession:
    """A connection that is opened when it is needed, and opened anew after anything went wrong.

    Use it as an async context manager.
    """

    def __init__(self, server: MailServer) -> None:
        self._server = server
        self._client: aiosmtplib.SMTP | None = None

    async def __aenter__(self) -> Self:
        """Return itself; nothing is connected yet."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Leave the server."""
        await self._leave()

    async def connect(self) -> None:
        """Connect and log in; raises as `send`."""
        try:
            async with asyncio.timeout(MAIL_S):
                await self._open()
        except (aiosmtplib.SMTPException, TimeoutError, OSError) as error:
            await self._leave()
            raise _meaning(error) from None

    async def send(self, *, sender: str, recipients: Sequence[str], mail: bytes) -> Handed:
        """Send one mail; `sender` and `recipients` are bare addresses.

        Raises TransientError where it certainly did not go out, AuthError where a person must act, RejectedError
        where the server does not take this mail.
        """
        try:
            refused = await self._prepare(sender, recipients)
            return await self._hand_over(mail, refused)
        except BaseException:
            await self._leave()
            raise

    async def _prepare(self, sender: str, recipients: Sequence[str]) -> tuple[int, ...]:
        """Go as far as can be repeated without harm: connect, log in, name sender and recipients."""
        try:
            async with asyncio.timeout(MAIL_S):
                client = await self._open()
                await client.mail(sender)
                return await _name_recipients(client, recipients)
        except (aiosmtplib.SMTPException, TimeoutError, OSError) as error:
            raise _meaning(error) from None

    async def _open(self) -> aiosmtplib.SMTP:
        if self._client is not None and not self._client.is_connected:
            await self._leave()
        if self._client is None:
            self._client = self._server.client()
            await self._client.connect()
            await self._server.login(self._client)
        return self._client

    async def _hand_over(self, mail: bytes, refused: tuple[int, ...]) -> Handed:
        """Hand the mail over; without the server's last word nobody knows whether it went out."""
        client = self._client
        if client is None:
            raise TransientError("the mail server went away", sent=False)
        try:
            async with asyncio.timeout(MAIL_S):
                await client.data(mail)
        except aiosmtplib.SMTPDataError as error:
            if error.code >= _FOR_GOOD:
                raise RejectedError(f"the mail server refused the mail with {error.code}") from None
            raise TransientError(f"the mail server refused the mail for now with {error.code}", sent=False) from None
        except (aiosmtplib.SMTPException, TimeoutError, OSError) as error:
            await self._leave()
            return Handed(certain=False, refused=refused, reason=type(error).__name__)
        return Handed(certain=True, refused=refused)

    async def _leave(self) -> None:
        client, self._client = self._client, None
        if client is None:
            return
        with contextlib.suppress(aiosmtplib.SMTPException, TimeoutError, OSError):
            async with asyncio.timeout(LEAVE_S):
                await client.quit()
        client.close()


async def _name_recipients(client: aiosmtplib.SMTP, recipients: Sequence[str]) -> tuple[int, ...]:
    refusals: list[aiosmtplib.SMTPRecipientRefused] = []
    for recipient in recipients:
        try:
            await client.rcpt(recipient)
        except aiosmtplib.SMTPRecipientRefused as error:
            refusals.append(error)
    if len(refusals) == len(recipients):
        raise refusals[0]
    return tuple(refusal.code for refusal in refusals)


def _meaning(error: Exception) -> ChannelError:
    """Return what it means that a mail did not get as far as its text."""
    if isinstance(error, aiosmtplib.SMTPRecipientRefused) and error.code >= _FOR_GOOD:
        return RecipientRefused(error.code)
    if isinstance(error, aiosmtplib.SMTPResponseException):
        refused = f"the mail server answered {error.code} ({type(error).__name__})"
        return AuthError(refused) if error.code >= _FOR_GOOD else TransientError(refused, sent=False)
    if type(error) in {aiosmtplib.SMTPException, aiosmtplib.SMTPNotSupported}:
        return AuthError(f"the mail server cannot do what is needed: {redact(str(error))}")
    return TransientError(
        f"the mail server cannot be reached: {redact(str(error)) or type(error).__name__}", sent=False
    )


def _parts(url: str, place: str) -> tuple[str, str, int, str, Secret]:
    """Return scheme, host, port, user and password of a mail server's URL."""
    try:
        parts = urlsplit(url)
        port = parts.port
        if parts.scheme in _PORTS and parts.hostname:
            user, password = unquote(parts.username or ""), Secret(unquote(parts.password or ""))
            return parts.scheme, parts.hostname, port or _PORTS[parts.scheme], user, password
    except ValueError:
        pass  # a port that is no number
    remedy = "write smtps://user:password@host:465"
    raise ConfigError([Problem(place=place, message="not the address of a mail server", remedy=remedy)])


def bare_address(place: str, text: str) -> str:
    """Return the bare address of `Name <address>`; raises ConfigError with `place` where it is none."""
    address = parseaddr(text)[1]
    if text.isprintable() and address.isascii() and "@" in address.strip("@"):
        return address
    raise ConfigError([Problem(place=place, message="not a mail address", remedy="write name@example.com")])
