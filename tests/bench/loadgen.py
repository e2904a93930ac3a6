"""A load generator that costs little: webhooks as ready bytes over a few kept connections."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

CONNECTIONS = 128
"""Requests under way at once; more wait here, and their wait counts."""


def request_bytes(url: str, path: str, *, headers: dict[str, str], body: bytes) -> bytes:
    """Return a POST as it goes over the wire."""
    host = urlsplit(url).netloc
    head = {"Host": host, "Content-Type": "application/json", **headers, "Content-Length": str(len(body))}
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    return f"POST {path} HTTP/1.1\r\n{lines}\r\n".encode() + body


class Line(asyncio.Protocol):
    """One connection; `answered` is told the status of each answer."""

    def __init__(self, answered: Callable[[Line, int], None]) -> None:
        self._answered = answered
        self._buffer = b""
        self.transport: Any = None
        self.asked_s = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def ask(self, request: bytes, asked_s: float) -> None:
        """Send a request; its latency counts from `asked_s`."""
        self.asked_s = asked_s
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        size = _length(self._buffer[:end].lower())
        if len(self._buffer) < end + 4 + size:
            return
        status = int(self._buffer[9:12])
        self._buffer = self._buffer[end + 4 + size :]
        self._answered(self, status)


def _length(head: bytes) -> int:
    place = head.find(b"content-length:")
    return int(head[place + 15 :].split(b"\r\n", 1)[0]) if place >= 0 else 0


class Sender:
    """Sends requests over a pool of connections; keeps the latency of every answer, and counts what is not 200."""

    def __init__(self) -> None:
        self._idle: list[Line] = []
        self._waiting: deque[tuple[bytes, float]] = deque()
        self._all: list[Line] = []
        self._quiet = asyncio.Event()
        self.under_way = 0
        self.latencies_s: list[float] = []
        self.refused = 0
        self.on_room: Callable[[], None] = lambda: None

    async def open(self, host: str, port: int, *, connections: int = CONNECTIONS) -> None:
        """Connect."""
        loop = asyncio.get_running_loop()
        for _ in range(connections):
            _, line = await loop.create_connection(lambda: Line(self._answered), host, port)
            self._all.append(line)
        self._idle = list(self._all)

    def close(self) -> None:
        """End the connections."""
        for line in self._all:
            line.transport.close()

    def send(self, request: bytes, *, asked_s: float | None = None) -> None:
        """Send a request as soon as a connection is free."""
        at = time.perf_counter() if asked_s is None else asked_s
        self.under_way += 1
        self._quiet.clear()
        if self._idle:
            self._idle.pop().ask(request, at)
        else:
            self._waiting.append((request, at))

    async def quiet(self) -> None:
        """Wait until everything is answered."""
        if self.under_way:
            await self._quiet.wait()

    def _answered(self, line: Line, status: int) -> None:
        self.latencies_s.append(time.perf_counter() - line.asked_s)
        self.refused += status != 200
        self.under_way -= 1
        if self._waiting:
            line.ask(*self._waiting.popleft())
        else:
            self._idle.append(line)
        if not self.under_way:
            self._quiet.set()
        self.on_room()


def percentile(values: list[float], share: float) -> float:
    """Return the value that this share of them does not exceed; 0 of none."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
