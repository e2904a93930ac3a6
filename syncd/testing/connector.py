"""Brings aiohttp's client into the network of the virtual loop."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any, cast

import aiohttp
from aiohttp.client_proto import ResponseHandler

from syncd.testing.network import Network


class VirtualConnector(aiohttp.BaseConnector):
    """Connects an aiohttp session to the network of the virtual loop it is made in.

    https is taken and spoken in the clear: a server for `https://shop.example` listens on ("shop.example", 443).
    Kept connections never end by themselves, for aiohttp times them by the real clock; servers end them.
    """

    def __init__(self, *, limit: int = 100) -> None:
        self._network = _network()
        loop = self._network.loop
        super().__init__(limit=limit, keepalive_timeout=None)
        numbers = itertools.count(1)
        self._factory = cast("Any", lambda: _Handler(loop, next(numbers)))

    async def _create_connection(
        self,
        req: aiohttp.ClientRequest,
        traces: Any,  # noqa: ARG002  (aiohttp's signature)
        timeout: Any,  # noqa: ASYNC109  (the same)
    ) -> ResponseHandler:
        host, port = req.url.raw_host or "", req.url.port or 0
        try:
            async with asyncio.timeout(timeout.sock_connect):
                _, protocol = await self._network.connect(cast("Any", self._factory), host, port)
        except ConnectionRefusedError as fault:
            raise aiohttp.ClientConnectorError(req.connection_key, fault) from fault
        return cast("ResponseHandler", protocol)


class _Handler(ResponseHandler):
    """aiohttp's own, which it keeps in a set; hashes by its number."""

    def __init__(self, loop: asyncio.AbstractEventLoop, number: int) -> None:
        super().__init__(loop)
        self._number = number

    def __hash__(self) -> int:
        return self._number


def _network() -> Network:
    network = getattr(asyncio.get_running_loop(), "network", None)
    if not isinstance(network, Network):
        raise TypeError("this connects in a virtual loop only")
    return network
