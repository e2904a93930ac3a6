"""Alerts by mail."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Final

from syncd.edges.letters import Letter
from syncd.log import logger
from syncd.sdk.errors import AuthError, ConfigError, Problem
from syncd.sdk.smtp import MailServer, MailSession, RecipientRefused, bare_address

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_log = logger("mail")


class MailRoute:
    """Sends letters to `recipients` by a mail server. A mail that may have gone out is not sent again.

    `url` and `tls` are those of `syncd.sdk.smtp.MailServer`. Raises ConfigError for a URL or an address that cannot be
    used.
    """

    name = "mail"

    def __init__(self, *, url: str, sender: str, recipients: Sequence[str], tls: ssl.SSLContext | None = None) -> None:
        self._server = MailServer(url, place="alerts.smtp_url", tls=tls)
        self._sender = sender
        self._from = bare_address("alerts.mail_from", sender)
        self._to = [bare_address("alerts.mail_to", recipient) for recipient in recipients]
        if not self._to:
            raise ConfigError([Problem(place="alerts.mail_to", message="nobody to write to", remedy="name somebody")])

    async def send(self, letter: Letter) -> None:
        """Send one mail to all; without the server's last word it counts as sent.

        Raises TransientError where it certainly did not go out, AuthError where a person must act, RejectedError
        where the server does not take this mail.
        """
        async with MailSession(self._server) as session:
            try:
                handed = await session.send(sender=self._from, recipients=self._to, mail=self._render(letter))
            except RecipientRefused as error:
                raise AuthError(str(error)) from None  # an address of the settings: a person must act
        if handed.refused:
            _log.warning("mail.recipients_refused", count=len(handed.refused), code=handed.refused[0])
        if not handed.certain:
            _log.warning("mail.uncertain", event_id=letter.event_id, reason=handed.reason)

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
