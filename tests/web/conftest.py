"""The API of a small daemon, over a real Unix socket and over TCP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from syncd.web.api import control_app, control_socket
from tests.web.rig import Rig, running, served


class Api:
    """Asks the API; `get` and `post` answer status and JSON."""

    def __init__(self, session: aiohttp.ClientSession, base: str) -> None:
        self.session = session
        self._base = base

    async def get(self, path: str, **query: str) -> tuple[int, Any]:
        async with self.session.get(f"{self._base}/api/v1{path}", params=query) as answer:
            return answer.status, await answer.json()

    async def post(self, path: str, body: Any) -> tuple[int, Any]:
        async with self.session.post(f"{self._base}/api/v1{path}", json=body) as answer:
            return answer.status, await answer.json()


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with running(tmp_path) as made:
        yield made


@pytest.fixture
async def api(rig: Rig) -> AsyncIterator[Api]:
    """Give the API on the control socket."""
    path = rig.plant.settings.daemon.socket_path
    connector = aiohttp.UnixConnector(str(path))
    async with (
        served(control_app(rig.plant), sock=control_socket(path)),
        aiohttp.ClientSession(connector=connector) as s,
    ):
        yield Api(s, "http://syncd")
