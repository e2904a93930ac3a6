"""A network in memory for the virtual loop: streams with latency, resets, refusals and silence, all from one seed."""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from syncd.testing.chance import SeededRandom

Address: TypeAlias = tuple[str, int]
Factory: TypeAlias = Callable[[], asyncio.BaseProtocol]
Tell: TypeAlias = Callable[[str], None]

FIRST_FREE_PORT = 49_152
HIGH_WATER_BYTES = 256 * 1024
"""Bytes on the way at which a sender is asked to pause; at a quarter of it, it may go on."""
_ANYWHERE = "*"
_NAMES = {"localhost": "127.0.0.1", "::1": "127.0.0.1", "0.0.0.0": _ANYWHERE, "::": _ANYWHERE, "": _ANYWHERE}  # noqa: S104  (names of addresses, nothing binds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """What goes wrong, as chances in [0, 1].

    `latency_s` is the range of one way. `refuse` is per connection. `reset` is per piece of data, in either direction:
    it is lost and both ends hear of a reset (on the way back: cut after effect). `black_hole` is per connection
    attempt and per piece of data: from then on nothing arrives in that direction, and nobody is told.
    """

    latency_s: tuple[float, float] = (0.001, 0.02)
    refuse: float = 0.0
    reset: float = 0.0
    black_hole: float = 0.0


@dataclass(slots=True)
class Network:
    """Who listens where, and what goes wrong. `faults` may be changed at any time; `down` addresses refuse."""

    loop: asyncio.AbstractEventLoop
    random: SeededRandom
    tell: Tell
    faults: Faults = field(default_factory=Faults)
    down: set[Address] = field(default_factory=set)
    listeners: dict[Address, Factory] = field(default_factory=dict)
    _next_port: int = FIRST_FREE_PORT
    _connections: int = 0

    def listen(self, factory: Factory, host: str | None, port: int | None) -> Address:
        """Open an address for connections; port 0 gets a free one."""
        address = (_name(host), port or self._free_port())
        if address in self.listeners:
            raise OSError(98, f"address in use: {address}")
        self.listeners[address] = factory
        return address

    def close(self, address: Address) -> None:
        """Stop listening there."""
        self.listeners.pop(address, None)

    async def connect(self, factory: Factory, host: str, port: int) -> tuple[VirtualTransport, asyncio.BaseProtocol]:
        """Open a stream to a listener; raises `ConnectionRefusedError`, or never returns in a black hole."""
        name = f"{host}:{port}"
        await asyncio.sleep(self.latency_s())
        if self.random.happens(self.faults.black_hole):
            self.tell(f"lost connect {name}")
            await self.loop.create_future()
        listener = self._listener(_name(host), port)
        if listener is None or self.random.happens(self.faults.refuse):
            self.tell(f"refused {name}")
            raise ConnectionRefusedError(111, f"connection to {name} refused")
        return self._join(factory, listener, (host, port))

    def latency_s(self) -> float:
        """Return the time of one way."""
        return self.random.between(*self.faults.latency_s)

    def resets(self) -> bool:
        """Say whether this piece of data meets a reset."""
        return self.random.happens(self.faults.reset)

    def swallows(self) -> bool:
        """Say whether this piece of data, and all after it, is lost."""
        return self.random.happens(self.faults.black_hole)

    def _free_port(self) -> int:
        self._next_port += 1
        return self._next_port - 1

    def _listener(self, host: str, port: int) -> Factory | None:
        if (host, port) in self.down or (_ANYWHERE, port) in self.down:
            return None
        return self.listeners.get((host, port)) or self.listeners.get((_ANYWHERE, port))

    def _join(
        self, factory: Factory, listener: Factory, address: Address
    ) -> tuple[VirtualTransport, asyncio.BaseProtocol]:
        self._connections += 1
        own = ("127.0.0.1", 1_024 + self._connections)
        number = self._connections
        near = VirtualTransport(self, f"{number}>", {"peername": address, "sockname": own})
        far = VirtualTransport(self, f"{number}<", {"peername": own, "sockname": address})
        near.attach(factory(), far)
        far.attach(listener(), near)
        self.tell(f"connect {number} {address[0]}:{address[1]}")
        far.protocol.connection_made(far)
        near.protocol.connection_made(near)
        return near, near.protocol


def _name(host: str | None) -> str:
    host = (host or "").lower()
    return _NAMES.get(host, host)


class VirtualTransport(asyncio.Transport):
    """One end of a stream. Pieces arrive in order, each after its latency."""

    protocol: Any
    _peer: VirtualTransport

    def __init__(self, network: Network, name: str, extra: dict[str, Any]) -> None:
        super().__init__(extra)
        self._network = network
        self.name = name
        self._last_arrival_s = 0.0
        self._on_way = 0
        self._sender_paused = False
        self._reading = True
        self._held: deque[bytes | None] = deque()
        self._swallowed = False
        self._closing = False
        self._gone = False

    def attach(self, protocol: asyncio.BaseProtocol, peer: VirtualTransport) -> None:
        """Set what receives here, and the other end."""
        self.protocol = protocol
        self._peer = peer

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send a piece."""
        if self._closing or self._gone or not data:
            return
        if self._network.resets():
            self._network.tell(f"reset {self.name}")
            self.lose(ConnectionResetError(104, "connection reset"))
            self._peer.lose(ConnectionResetError(104, "connection reset"))
            return
        self._on_way += len(data)
        self._send(bytes(data))
        if self._on_way > HIGH_WATER_BYTES and not self._sender_paused:
            self._sender_paused = True
            self.protocol.pause_writing()

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        """Send pieces as one."""
        self.write(b"".join(list_of_data))

    def write_eof(self) -> None:
        """Say that nothing more comes from here."""
        if not self._closing and not self._gone:
            self._send(None)

    def can_write_eof(self) -> bool:
        """Say that an end can be sent."""
        return True

    def close(self) -> None:
        """Send what was written, then end."""
        if not self._closing and not self._gone:
            self._closing = True
            self._send(None)
            self._network.loop.call_soon(self.lose, None)

    def abort(self) -> None:
        """End at once; the other end hears of a reset."""
        if not self._gone:
            self.lose(None)
            self._network.loop.call_later(
                self._network.latency_s(), self._peer.lose, ConnectionResetError(104, "connection reset")
            )

    def is_closing(self) -> bool:
        """Say whether it is on its way out."""
        return self._closing or self._gone

    def pause_reading(self) -> None:
        """Hold back what arrives."""
        self._reading = False

    def resume_reading(self) -> None:
        """Hand over what was held back, and go on."""
        self._reading = True
        self._network.loop.call_soon(self._hand_over)

    def is_reading(self) -> bool:
        """Say whether arrivals are handed over."""
        return self._reading and not self.is_closing()

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Return what receives here."""
        protocol: asyncio.BaseProtocol = self.protocol
        return protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Change what receives here."""
        self.protocol = protocol

    def get_write_buffer_size(self) -> int:
        """Return the bytes on the way."""
        return self._on_way

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """Return when a sender is woken and paused."""
        return HIGH_WATER_BYTES // 4, HIGH_WATER_BYTES

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Keep the limits as they are: they are the network's."""

    def _send(self, piece: bytes | None) -> None:
        network = self._network
        if self._swallowed or network.swallows():
            if not self._swallowed:
                network.tell(f"lost {self.name}")
            self._swallowed = True
            return
        # Never before the piece sent earlier: a stream keeps its order.
        self._last_arrival_s = max(network.loop.time() + network.latency_s(), self._last_arrival_s + 1e-6)
        network.loop.call_at(self._last_arrival_s, self._peer.arrive, piece)

    def arrive(self, piece: bytes | None) -> None:
        """Take what the other end sent; None is its end."""
        self._network.tell(f"{self._peer.name} {-1 if piece is None else len(piece)}")
        if self._gone:
            return
        self._held.append(piece)
        self._hand_over()

    def _hand_over(self) -> None:
        while self._held and self._reading and not self._gone:
            piece = self._held.popleft()
            if piece is None:
                if not self.protocol.eof_received():
                    self.close()
            else:
                self.protocol.data_received(piece)
                self._peer.arrived(len(piece))

    def arrived(self, count: int) -> None:
        """Hear that so many bytes were taken there."""
        self._on_way -= count
        if self._sender_paused and self._on_way <= HIGH_WATER_BYTES // 4 and not self._gone:
            self._sender_paused = False
            self.protocol.resume_writing()

    def lose(self, fault: Exception | None) -> None:
        """Hear that the connection is gone."""
        if not self._gone:
            self._gone = True
            self._network.loop.call_soon(self.protocol.connection_lost, fault)


class VirtualServer(asyncio.AbstractServer):
    """What `create_server` answers: it listens until it is closed."""

    def __init__(self, network: Network, address: Address) -> None:
        self._network = network
        self._address = address
        self._open = True

    @property
    def sockets(self) -> tuple[Any, ...]:
        """What is needed to ask for the address."""
        return (_Name(self._address),) if self._open else ()

    def close(self) -> None:
        """Stop listening; connections stay."""
        if self._open:
            self._open = False
            self._network.close(self._address)

    async def wait_closed(self) -> None:
        """Return at once: nothing is left to wait for."""

    def is_serving(self) -> bool:
        """Say whether it listens."""
        return self._open

    async def start_serving(self) -> None:
        """Return at once: it listens since it was made."""

    async def serve_forever(self) -> None:
        """Listen until cancelled."""
        try:
            await self._network.loop.create_future()
        finally:
            self.close()

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """Return its loop."""
        return self._network.loop


@dataclass(frozen=True, slots=True)
class _Name:
    """A socket that knows its address, and nothing else."""

    address: Address
    family: socket.AddressFamily = socket.AF_INET

    def getsockname(self) -> Address:
        """Return where it listens."""
        return ("127.0.0.1", self.address[1]) if self.address[0] == _ANYWHERE else self.address
