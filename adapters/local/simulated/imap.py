"""A small IMAP server (RFC 3501) for the simulated provider: log in, ask where it stands, search by uid, fetch."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from typing import Final

from adapters.local.simulated.post import PASSWORD, USER, Post

IDLE_S: Final = 600.0

_RANGE: Final = re.compile(r"(\d+)(?::(\d+|\*))?")


class ImapServer:
    """Speaks IMAP over a stream. `sulks` lets it end every connection at its first command."""

    def __init__(self, post: Post) -> None:
        self._post = post
        self.sulks = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until it ends."""
        with suppress(ConnectionError, asyncio.IncompleteReadError, TimeoutError, ValueError):
            async with asyncio.timeout(IDLE_S):
                writer.write(b"* OK mail.invalid ready\r\n")
                await self._talk(reader, writer)
        writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := (await reader.readline()).decode("utf-8", "replace").strip():
            if self.sulks:
                return
            tag, _, rest = line.partition(" ")
            verb, _, words = rest.partition(" ")
            for piece in self._answer(verb.upper(), words):
                writer.write(piece)
            writer.write(f"{tag} {self._end(verb.upper(), words)}\r\n".encode())
            await writer.drain()
            if verb.upper() == "LOGOUT":
                return

    def _end(self, verb: str, words: str) -> str:
        if verb == "LOGIN":
            right = words.replace('"', "").split(" ", 1) == [USER, PASSWORD]
            return "OK welcome" if right else "NO not this way"
        if verb in {"SELECT", "EXAMINE", "STATUS"} and "INBOX" not in words:
            return "NO no such folder"
        return "OK done"

    def _answer(self, verb: str, words: str) -> list[bytes]:
        post = self._post
        match verb:
            case "CAPABILITY":
                return [b"* CAPABILITY IMAP4rev1\r\n"]
            case "SELECT" | "EXAMINE":
                return [
                    f"* {len(post.mailbox)} EXISTS\r\n* OK [UIDVALIDITY {post.validity}]\r\n".encode(),
                    f"* OK [UIDNEXT {post.next_uid}]\r\n".encode(),
                ]
            case "STATUS":
                told = f"UIDNEXT {post.next_uid} UIDVALIDITY {post.validity}"
                return [f'* STATUS "INBOX" ({told})\r\n'.encode()]
            case "UID" if words.upper().startswith("SEARCH"):
                found = [uid for uid in sorted(post.mailbox) if _holds(words, uid)]
                return [f"* SEARCH {' '.join(map(str, found))}".rstrip().encode() + b"\r\n"]
            case "UID" if words.upper().startswith("FETCH"):
                return self._fetched(words)
            case "LOGOUT":
                return [b"* BYE\r\n"]
            case _:
                return []

    def _fetched(self, words: str) -> list[bytes]:
        _, asked, parts = words.split(" ", 2)
        wanted = [int(uid) for uid in asked.split(",") if int(uid) in self._post.mailbox]
        whole = "HEADER" not in parts
        pieces: list[bytes] = []
        for uid in wanted:
            if "PEEK" not in parts:
                self._post.flags[uid].add("\\Seen")
            raw = self._post.mailbox[uid]
            body = raw if whole else raw.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
            flags = " ".join(sorted(self._post.flags[uid]))
            head = f"* {uid} FETCH (UID {uid} FLAGS ({flags}) RFC822.SIZE {len(raw)} BODY[{'' if whole else 'HEADER'}]"
            pieces += [f"{head} {{{len(body)}}}\r\n".encode(), body, b")\r\n"]
        return pieces


def _holds(words: str, uid: int) -> bool:
    """Return whether a search by uid, `UID 3:9`, finds this one."""
    found = _RANGE.search(words)
    if found is None:
        return True
    last = found[2]
    return int(found[1]) <= uid <= (uid if last == "*" else int(last or found[1]))
