"""A channel that reads the body of the answer to its webhooks gets the one that it wants."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from syncd.edges.webhook import routes
from syncd.sdk.channel import Notice, RawRequest, SubscriptionReport
from syncd.store.session import StoreFull
from syncd.web.api import public_app
from tests.web.rig import Quiet, running, served


class Answering(Quiet):
    """A channel that wants XML."""

    def verify(self, request: RawRequest) -> None:
        pass

    def parse(self, request: RawRequest) -> Notice:
        return Notice(dedupe_key="d1", order_ids=(msgspec.json.decode(request.body)["id"],))

    async def subscribe(self, url: str) -> SubscriptionReport:
        return SubscriptionReport()

    def answer(self, accepted: bool) -> tuple[str, bytes]:
        return "application/xml", b"<ok/>" if accepted else b"<later/>"


@pytest.mark.parametrize(("full", "status", "body"), [(False, 200, b"<ok/>"), (True, 503, b"<later/>")])
async def test_the_body_says_what_the_status_says(tmp_path: Path, full: bool, status: int, body: bytes) -> None:
    """The channel's own body comes with the status, of a webhook that is stored and of one that is not."""

    async def refuse(_: Any) -> Any:
        raise StoreFull("the disk is full")

    async with running(tmp_path, channels={"shop": Answering()}) as rig:
        if full:
            rig.plant.intake.put_entries = refuse  # type: ignore[method-assign]
        async with served(public_app(rig.plant, routes(rig.plant))) as base, aiohttp.ClientSession() as session:
            async with session.post(f"{base}/webhooks/shop", data=b'{"id": "o1"}') as answer:
                assert (answer.status, await answer.read()) == (status, body)
                assert answer.headers["Content-Type"] == "application/xml"
