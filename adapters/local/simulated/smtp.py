"""A small SMTP server (RFC 5321, RFC 4954) for the simulated provider: enough for one client at a time, with moods."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from adapters.local.simulated.post import PASSWORD, USER, Post
from syncd.testing.faults import Trouble

MOST_MAIL_BYTES: Final = 4 * 1024 * 1024
IDLE_S: Final = 600.0

Draw = Callable[[], Trouble]
Answer = Callable[[str], Awaitable[None]]

_REFUSALS: Final = {
    Trouble.TOO_MANY: "451 4.7.1 greylisted, come again",
    Trouble.UNAVAILABLE: "451 4.3.2 not now",
    Trouble.BROKEN: "452 4.3.1 no room",
    Trouble.HTML: "554 5.7.1 refused for its content",
}


class SmtpServer:
    """Speaks SMTP over a stream. `draw` says before each mail what becomes of it."""

    def __init__(self, post: Post, draw: Draw) -> None:
        self._post = post
        self._draw = draw

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until it ends."""
        with suppress(ConnectionError, asyncio.IncompleteReadError, TimeoutError, ValueError):
            async with asyncio.timeout(IDLE_S):
                await _Talk(self._post, self._draw, reader, writer).run()
        writer.close()


class _Talk:
    """One connection."""

    def __init__(self, post: Post, draw: Draw, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._post = post
        self._draw = draw
        self._reader = reader
        self._writer = writer
        self._sender = ""
        self._recipients: list[str] = []
        self._known = False

    async def run(self) -> None:
        await self._say("220 mail.invalid ready")
        while not self._writer.is_closing():
            line = (await self._reader.readline()).decode("utf-8", "replace").strip()
            if not line:
                return
            verb, _, rest = line.partition(" ")
            if not await self._obey(verb.upper(), rest):
                return

    async def _obey(self, verb: str, rest: str) -> bool:
        match verb:
            case "EHLO":
                await self._say("250-mail.invalid\r\n250-AUTH PLAIN\r\n250 8BITMIME")
            case "HELO" | "NOOP" | "RSET":
                await self._say("250 yes")
            case "AUTH":
                await self._login(rest)
            case "MAIL":
                self._sender, self._recipients = _path(rest), []
                await self._say("250 yes" if self._known else "530 5.7.0 log in first")
            case "RCPT":
                await self._name(_path(rest))
            case "DATA":
                return await self._take()
            case "QUIT":
                await self._say("221 bye")
                return False
            case _:
                await self._say("502 no such thing here")
        return True

    async def _login(self, rest: str) -> None:
        given = base64.b64decode(rest.rpartition(" ")[2]).decode().split("\0")
        self._known = given[1:] == [USER, PASSWORD]
        await self._say("235 welcome" if self._known else "535 5.7.8 not this way")

    async def _name(self, recipient: str) -> None:
        if recipient in self._post.unknown:
            await self._say("550 5.1.1 no such mailbox")
            return
        self._recipients.append(recipient)
        await self._say("250 yes")

    async def _take(self) -> bool:
        """Take a mail, or not, as the mood is; return whether the talk goes on."""
        trouble = self._draw()
        if refusal := _REFUSALS.get(trouble):
            await self._say(refusal)
            return True
        await self._say("354 go on")
        raw = await self._reader.readuntil(b"\r\n.\r\n")
        if trouble is Trouble.DROPPED:
            self._abort()
            return False
        self._post.deliver(self._sender, self._recipients, raw[:-5].replace(b"\r\n..", b"\r\n.") + b"\r\n")
        if trouble is Trouble.CUT:
            self._abort()
            return False
        await self._say("250 taken")
        return True

    def _abort(self) -> None:
        self._writer.transport.abort()

    async def _say(self, text: str) -> None:
        self._writer.write(f"{text}\r\n".encode())
        await self._writer.drain()


def _path(text: str) -> str:
    return text.partition("<")[2].partition(">")[0]
