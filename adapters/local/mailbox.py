"""Reads a mailbox by IMAP, in a thread of its own, and changes nothing there: what is unread stays so for people."""

from __future__ import annotations

import asyncio
import imaplib
import ssl
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final, TypeVar
from urllib.parse import unquote, urlsplit

import imap_tools
from imap_tools.errors import ImapToolsError, MailboxFolderSelectError, MailboxLoginError, UnexpectedCommandStatusError

from syncd.sdk.address import LOOPBACK
from syncd.sdk.errors import AuthError, ProtocolError, TransientError
from syncd.sdk.secret import Secret

T = TypeVar("T")

CALL_S: Final = 20.0
"""Longest wait for one answer of the server."""
READ_S: Final = 90.0
"""Longest time for one look into the mailbox."""
MOST_MAILS: Final = 50
"""Mails that one look takes."""
MOST_WHOLE_BYTES: Final = 256_000
"""Of a mail that is read whole, so much is looked at."""
LOOK_BACK: Final = 500
"""Mails that are read again where the server counts anew."""

_PORTS: Final = {"imaps": 993, "imap": 143}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """How far a mailbox was read: up to the mail `uid`, as the server counts since `validity`."""

    validity: int
    uid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a look found: headers of mails by their uid, oldest first, how far it came, whether there is more."""

    mails: tuple[tuple[int, bytes], ...]
    place: Place
    more: bool


class ImapMailbox:
    """A mailbox by its URL: imaps://user:password@host:993, or imap:// with STARTTLS (none within this machine)."""

    def __init__(self, url: str, *, folder: str, tls: ssl.SSLContext | None = None) -> None:
        parts = urlsplit(url)
        self._scheme = parts.scheme
        self._host = parts.hostname or ""
        self._port = parts.port or _PORTS[parts.scheme]
        self._user, self._password = unquote(parts.username or ""), Secret(unquote(parts.password or ""))
        self._folder = folder
        self._tls = tls
        self._threads = ThreadPoolExecutor(max_workers=1, thread_name_prefix="mailbox")

    def close(self) -> None:
        """Take no more looks; one that is under way ends with its socket's timeout."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def look(self, after: Place | None) -> Look:
        """Return the headers of mails that came after a place; without one nothing but where it stands.

        Raises TransientError, AuthError, ProtocolError.
        """
        return await self._run(lambda: self._look(after))

    async def whole(self, uid: int) -> bytes:
        """Return one mail whole, up to a limit; empty where it is gone."""
        return await self._run(lambda: self._whole(uid))

    async def _run(self, work: Callable[[], T]) -> T:
        try:
            async with asyncio.timeout(READ_S):
                return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except TimeoutError:
            raise TransientError(f"the mailbox did not answer within {READ_S:.0f} s", sent=False) from None

    # --- in the thread ---

    def _look(self, after: Place | None) -> Look:
        with self._open() as box:
            status = box.folder.status(self._folder, ["UIDNEXT", "UIDVALIDITY"])
            validity, last = int(status["UIDVALIDITY"]), int(status["UIDNEXT"]) - 1
            if after is None:
                return Look(mails=(), place=Place(validity=validity, uid=last), more=False)
            start = after.uid if after.validity == validity else max(last - LOOK_BACK, 0)
            if last <= start:
                return Look(mails=(), place=Place(validity=validity, uid=start), more=False)
            uids = sorted(int(uid) for uid in box.uids(f"UID {start + 1}:{last}", charset=None))
            wanted = [uid for uid in uids if start < uid <= last][:MOST_MAILS]
            more = len(uids) > len(wanted)
            mails = self._headers(box, wanted)
        end = wanted[-1] if more else last
        return Look(mails=mails, place=Place(validity=validity, uid=end), more=more)

    def _headers(self, box: imap_tools.BaseMailBox, uids: list[int]) -> tuple[tuple[int, bytes], ...]:
        if not uids:
            return ()
        found = box.fetch(uid_list=[str(uid) for uid in uids], mark_seen=False, headers_only=True, bulk=MOST_MAILS)
        return tuple(sorted((int(mail.uid or 0), mail.obj.as_bytes()) for mail in found))

    def _whole(self, uid: int) -> bytes:
        with self._open() as box:
            mails = list(box.fetch(uid_list=[str(uid)], mark_seen=False))
        return mails[0].obj.as_bytes()[:MOST_WHOLE_BYTES] if mails else b""

    @contextmanager
    def _open(self) -> Iterator[imap_tools.BaseMailBox]:
        try:
            box = self._connect()
            try:
                box.login(self._user, self._password.reveal(), initial_folder=self._folder)
                yield box
            finally:
                with suppress(OSError, EOFError, imaplib.IMAP4.error, ImapToolsError):
                    box.logout()
        except MailboxLoginError:
            raise AuthError("the mailbox does not accept the login") from None
        except MailboxFolderSelectError:
            raise AuthError("the mailbox has no such folder") from None
        except (ssl.SSLCertVerificationError, UnexpectedCommandStatusError) as error:
            raise TransientError(f"the mailbox cannot be read ({type(error).__name__})", sent=False) from None
        except (OSError, EOFError, imaplib.IMAP4.error) as error:
            raise TransientError(f"the mailbox cannot be reached ({type(error).__name__})", sent=False) from None
        except (ImapToolsError, KeyError, ValueError) as error:
            raise ProtocolError(f"the mailbox answered strangely ({type(error).__name__})") from None

    def _connect(self) -> imap_tools.BaseMailBox:
        if self._scheme == "imaps":
            return imap_tools.MailBox(self._host, self._port, timeout=CALL_S, ssl_context=self._tls)
        if self._host in LOOPBACK:
            return imap_tools.MailBoxUnencrypted(self._host, self._port, timeout=CALL_S)
        return imap_tools.MailBoxStartTls(self._host, self._port, timeout=CALL_S, ssl_context=self._tls)
