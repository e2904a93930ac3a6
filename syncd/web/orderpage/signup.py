"""Sign up for a notice that something is back: confirmed by a mail first, left by one click.

Until it is confirmed an address is only in memory, for a day; from then on the inbox alone holds it, as the contact of
the entry. Whether an address is on a list already, or is one at all, no answer tells.
"""

from __future__ import annotations

import asyncio
import hmac
import re
from base64 import urlsafe_b64encode
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from typing import Final
from urllib.parse import quote

import structlog
from aiohttp import web
from sqlalchemy import Connection, select

from syncd.core.leaving import SOURCE, keyed, leave_token, mark_of
from syncd.core.proofs import ProofKind, normalised
from syncd.core.terms import SECOND_US, Instant, Sku
from syncd.core.tickets import Contact, Language, MessageKind
from syncd.core.waitlist import LeaveFact, WaitFact, WaitRow
from syncd.sdk.errors import AuthError, RejectedError, SyncdError, TransientError
from syncd.sdk.smtp import MailServer, MailSession, bare_address
from syncd.store.rows import SkuRow
from syncd.store.rows_waiting import EntryRow
from syncd.store.statements import table
from syncd.web.orderpage.shell import Shell, Visit, fields_of
from syncd.web.orderpage.tries import Tries
from syncd.web.plant import Plant

BASE: Final = "/back"
PENDING_US: Final = 86_400 * SECOND_US
MOST_PENDING: Final = 10_000
MOST_UNITS: Final = 20
MAIL_S: Final = 30.0
COMMIT_S: Final = 30.0
SETTLE_S: Final = 5.0
DAY_S: Final = 86_400.0
MINUTE_S: Final = 60.0
MAILS_A_DAY: Final = 3
"""Mails to one address in a day: the page must not become a way to trouble somebody."""
_LEAVE: Final = re.compile(r"[0-9a-f]{40}\.[0-9a-f]{40}")
_KEY_MORE: Final = 12
"""Digits of a key behind its mark: somebody may sign up for the same thing again, once it has come."""
_SKU: Final = table(SkuRow)
_ENTRY: Final = table(EntryRow)

_log = structlog.get_logger("syncd.signup")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Pending:
    """Somebody who did not confirm yet."""

    mail: str
    sku: str
    quantity: int
    language: Language
    until: Instant


class Post:
    """Sends one mail to one person."""

    def __init__(self, url: str, sender: str) -> None:
        self._server = MailServer(url, place="signup.smtp_url")
        self.sender = sender
        self._from = bare_address("signup.mail_from", sender)

    async def send(self, recipient: str, mail: bytes) -> None:
        """Send it; raises as `MailSession.send`. Without the server's last word it counts as sent."""
        async with asyncio.timeout(MAIL_S), MailSession(self._server) as session:
            handed = await session.send(sender=self._from, recipients=[recipient], mail=mail)
        if not handed.certain:
            _log.warning("signup.uncertain", reason=handed.reason)


class SignUp:
    """The page. `chance` makes the links that nobody guesses."""

    def __init__(self, plant: Plant, shell: Shell, *, post: Post, chance: Callable[[int], bytes]) -> None:
        settings = plant.settings.orderpage
        self._plant = plant
        self._shell = shell
        self._post = post
        self._chance = chance
        self._key = plant.proof_key
        self._pending: OrderedDict[str, Pending] = OrderedDict()
        key, clock = self._key, plant.clock
        self._by_address = Tries(most=settings.tries_per_minute, window_s=MINUTE_S, key=key, clock=clock)
        self._by_mail = Tries(most=MAILS_A_DAY, window_s=DAY_S, key=key, clock=clock)

    # --- signing up ---

    async def show(self, request: web.Request) -> web.Response:
        """Show the form for a SKU."""
        visit = self._shell.visit(request)
        sku = request.match_info["sku"]
        title = await self._plant.store.read(lambda conn: _title(conn, sku))
        if title is None:
            return self._word(visit, "back.unknown", status=404)
        return self._shell.page(visit, "back.html", here=self._place(sku), title=title or sku, note="")

    async def take(self, request: web.Request) -> web.Response:
        """Take an address, and send it the mail by which it confirms."""
        visit, fields = self._shell.visit(request), await fields_of(request)
        sku = request.match_info["sku"]
        title = await self._plant.store.read(lambda conn: _title(conn, sku))
        if title is None:
            return self._word(visit, "back.unknown", status=404)
        if self._shell.is_too_often(request, self._by_address):
            return self._word(visit, "many.text", status=429)
        mail = normalised(ProofKind.MAIL, fields.get("mail", ""))
        if not mail:
            place = self._place(sku)
            return self._shell.page(visit, "back.html", here=place, title=title or sku, note="back.no_mail", status=400)
        if not self._by_mail.is_full(mail):
            self._by_mail.note(mail)
            pending = Pending(
                mail=mail,
                sku=sku,
                quantity=_units(fields.get("quantity", "")),
                language=Language(visit.language),
                until=self._plant.clock.now() + PENDING_US,
            )
            if not await self._ask(pending, title or sku):
                return self._word(visit, "trouble.text", status=503)
        return self._word(visit, "back.sent")

    async def _ask(self, pending: Pending, title: str) -> bool:
        """Send the mail; return False where it certainly did not go out and may do so later."""
        link = urlsafe_b64encode(self._chance(24)).decode()
        try:
            mail = self._mail(pending, title, link)
        except (RejectedError, UnicodeError) as error:
            _log.error("signup.unwritten", reason=type(error).__name__)
            return False
        try:
            await self._post.send(pending.mail, mail)
        except RejectedError:
            return True  # nobody is there to be asked; the answer does not tell
        except (AuthError, TransientError, TimeoutError) as error:
            _log.warning("signup.unsent", reason=type(error).__name__)
            return False
        self._pending[link] = pending
        while len(self._pending) > MOST_PENDING:
            self._pending.popitem(last=False)
        return True

    def _mail(self, pending: Pending, title: str, link: str) -> bytes:
        home = self._plant.settings.http.public_url.rstrip("/")
        leave = f"{home}{BASE}/leave?t={leave_token(self._entry_mark(pending), key=self._key)}"
        values = {"product": title, "confirm_url": f"{home}{BASE}/confirm?t={link}", "leave_url": leave}
        letter = self._plant.texts.letter(MessageKind.SIGN_UP_CONFIRM, pending.language, values)
        mail = EmailMessage(policy=SMTP)
        mail["Subject"] = letter.subject
        mail["From"] = self._post.sender
        mail["To"] = pending.mail
        mail["Auto-Submitted"] = "auto-generated"
        mail["List-Unsubscribe"] = f"<{leave}>"
        mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        mail.set_content(letter.body)
        return mail.as_bytes()

    # --- confirming ---

    async def show_confirm(self, request: web.Request) -> web.Response:
        """Show the button that confirms: a mail program that looks at links confirms nothing."""
        visit, link = self._shell.visit(request), request.query.get("t", "")
        if self._known(link) is None:
            return self._word(visit, "back.late", status=404)
        return self._shell.page(visit, "button.html", here=f"{BASE}/confirm", token=link, words="confirm")

    async def confirm(self, request: web.Request) -> web.Response:
        """Put a confirmed address on the list, once."""
        visit, fields = self._shell.visit(request), await fields_of(request)
        link = fields.get("t", "")
        pending = self._known(link)
        if pending is None:
            return self._word(visit, "back.late", status=404)
        mark = self._entry_mark(pending)
        key = f"{mark}.{self._mark(link)[:_KEY_MORE]}"
        row = WaitRow(
            key=key,
            sku=Sku(pending.sku),
            quantity=pending.quantity,
            language=pending.language,
            since=self._plant.clock.now(),
            contact=Contact(address=pending.mail),
        )
        waits = await self._plant.store.read(lambda conn: _waiting(conn, mark))
        if not waits and not await self._put(WaitFact(source=SOURCE, rows=(row,)), key=key):
            return self._word(visit, "trouble.text", status=503)
        self._pending.pop(link, None)
        return self._word(visit, "back.confirmed")

    def _known(self, link: str) -> Pending | None:
        found = self._pending.get(link)
        return found if found is not None and self._plant.clock.now() < found.until else None

    # --- leaving ---

    async def show_leave(self, request: web.Request) -> web.Response:
        """Show the button that leaves."""
        visit, token = self._shell.visit(request), request.query.get("t", "")
        if self._left_mark(token) is None:
            return self._word(visit, "back.late", status=404)
        return self._shell.page(visit, "button.html", here=f"{BASE}/leave", token=token, words="leave")

    async def leave(self, request: web.Request) -> web.Response:
        """Leave the list; a mail program may do it by itself with one click (RFC 8058)."""
        visit, fields = self._shell.visit(request), await fields_of(request)
        mark = self._left_mark(fields.get("t", "") or request.query.get("t", ""))
        if mark is None:
            return self._word(visit, "back.late", status=404)
        keys = await self._plant.store.read(lambda conn: _waiting(conn, mark))
        fact = LeaveFact(source=SOURCE, keys=keys, reason="left by their own word", actor=SOURCE)
        if keys and not await self._put(fact, key=f"{mark}.leave.{self._plant.clock.now()}"):
            return self._word(visit, "trouble.text", status=503)
        return self._word(visit, "back.left")

    async def _put(self, fact: WaitFact | LeaveFact, *, key: str) -> bool:
        try:
            async with asyncio.timeout(COMMIT_S):
                receipt = await self._plant.intake.put_one(fact, source=SOURCE, key=key)
            with suppress(TimeoutError):  # decided late is decided
                await self._plant.intake.settle(receipt.inbox_id, timeout_s=SETTLE_S)
        except (SyncdError, TimeoutError) as error:
            _log.warning("signup.uncommitted", reason=type(error).__name__)
            return False
        return True

    # --- keys ---

    def _entry_mark(self, pending: Pending) -> str:
        """Return what stands for an address and a SKU; it does not tell the address."""
        return self._mark(f"entry\n{pending.sku}\n{pending.mail}")

    def _left_mark(self, token: str) -> str | None:
        if not _LEAVE.fullmatch(token):
            return None
        mark = mark_of(token)
        return mark if hmac.compare_digest(token, leave_token(mark, key=self._key)) else None

    def _mark(self, text: str) -> str:
        return keyed(text, key=self._key)

    # --- showing ---

    def _place(self, sku: str) -> str:
        return f"{BASE}/{quote(sku, safe='')}"

    def _word(self, visit: Visit, note: str, *, status: int = 200) -> web.Response:
        return self._shell.page(visit, "said.html", note=note, status=status)


def _title(conn: Connection, sku: str) -> str | None:
    """Return the title of a SKU, None for one that is not known."""
    found = conn.execute(select(_SKU.c.title).where(_SKU.c.code == sku)).first()
    return None if found is None else str(found[0])


def _waiting(conn: Connection, mark: str) -> tuple[str, ...]:
    """Return the keys of entries that still wait for what a mark stands for."""
    c = _ENTRY.c
    query = select(c.key).where(c.source == SOURCE, c.key.startswith(f"{mark}."), c.closed_at.is_(None))
    return tuple(conn.execute(query).scalars())


def _units(text: str) -> int:
    return min(max(int(text), 1), MOST_UNITS) if text.isascii() and text.isdigit() and len(text) < 4 else 1
