"""Talk with the running daemon over its Unix socket. The store's file is never touched."""

from __future__ import annotations

import getpass
import http.client
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

import msgspec

from syncd.cli.frame import FAILED, UNAVAILABLE, Failure, Terminal
from syncd.sdk.errors import Problem

PREFIX: Final = "/api/v1"
CONNECT_S: Final = 5.0
ANSWER_S: Final = 600.0
"""Longest wait for an answer: a proof of a large ledger takes minutes."""
PAGE: Final = 1_000


class _Link(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("syncd", timeout=ANSWER_S)
        self._path = path

    def connect(self) -> None:
        """Open the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(CONNECT_S)
        self.sock.connect(str(self._path))
        self.sock.settimeout(ANSWER_S)


class Talk:
    """The daemon as a command sees it. An answer above 299 is a `Failure`; so is a daemon that is not there."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._path = terminal.daemon().socket_path

    def get(self, *path: str, **query: Any) -> Any:
        """Return what is at `/path[0]/path[1]/...`; parameters that are None or empty are left out."""
        given = {name: _plain(value) for name, value in query.items() if value not in (None, "", False)}
        target = PREFIX + "".join(f"/{quote(part, safe='')}" for part in path)
        return self._ask("GET", f"{target}?{urlencode(given)}" if given else target, None)

    def post(self, *path: str, body: Mapping[str, Any]) -> Any:
        """Send a change; what is None or empty in it is left out. The actor is who runs the command."""
        given = {name: value for name, value in {"actor": actor(), **body}.items() if value not in (None, "")}
        target = PREFIX + "".join(f"/{quote(part, safe='')}" for part in path)
        return self._ask("POST", target, msgspec.json.encode(given))

    def pages(self, *path: str, cursor: str = "after", limit: int | None = None, **query: Any) -> Iterator[Any]:
        """Yield the rows of all pages, at most `limit`; `cursor` is the parameter by which pages go on."""
        left, after = limit, None
        while left is None or left > 0:
            size = PAGE if left is None else min(left, PAGE)
            page = self.get(*path, **query, **{cursor: after, "limit": size})
            yield from page["rows"]
            left = None if left is None else left - len(page["rows"])
            after = page["next"]
            if after is None:
                return

    def plain(self, path: str) -> tuple[int, bytes]:
        """Return status and body of a page beside the API, such as `/readyz`."""
        return self._exchange("GET", path, None)

    def _ask(self, method: str, target: str, body: bytes | None) -> Any:
        status, raw = self._exchange(method, target, body)
        try:
            told = msgspec.json.decode(raw)
        except msgspec.DecodeError:
            raise Failure(UNAVAILABLE, self._lost(f"HTTP {status}")) from None
        if status < http.client.MULTIPLE_CHOICES:
            return told
        problems = [Problem(**problem) for problem in told["error"]["problems"]]
        raise Failure(FAILED, told["error"]["message"], problems)

    def _exchange(self, method: str, target: str, body: bytes | None) -> tuple[int, bytes]:
        link = _Link(self._path)
        try:
            link.request(method, target, body=body, headers={"Content-Type": "application/json"} if body else {})
            answer = link.getresponse()
            return answer.status, answer.read()
        except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
            raise Failure(UNAVAILABLE, self._terminal.say("talk.not_running", socket=self._path)) from None
        except PermissionError:
            raise Failure(UNAVAILABLE, self._terminal.say("talk.forbidden", socket=self._path)) from None
        except (OSError, http.client.HTTPException) as error:
            raise Failure(UNAVAILABLE, self._lost(f"{type(error).__name__}: {error}")) from None
        finally:
            link.close()

    def _lost(self, reason: str) -> str:
        return self._terminal.say("talk.lost", socket=self._path, reason=reason)


def actor() -> str:
    """Return who runs the command."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


def _plain(value: Any) -> str:
    return "true" if value is True else str(value)
