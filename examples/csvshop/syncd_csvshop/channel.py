"""A CSV shop as a channel: two files that are read, one that is written."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from syncd.sdk import channel as sdk
from syncd.sdk.errors import ProtocolError, TransientError
from syncd.sdk.http import Answer, Client, Timeouts
from syncd.sdk.secret import Secret
from syncd_csvshop import wire

PROFILE = sdk.Profile(
    write_mode=sdk.WriteMode.ABSOLUTE, max_push=1_000, max_seen=10_000, feed_lateness_s=60.0, feed_complete=False
)
"""The shop sets numbers, whatever they were, and does not say up to when its orders are complete."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvSettings:
    """`base_url` is the folder of the shop's files, `token` opens it."""

    base_url: str
    token: Secret


class CsvChannel:
    """One open shop."""

    def __init__(self, settings: CsvSettings, context: sdk.Context) -> None:
        self._headers = {"Authorization": f"Bearer {settings.token.reveal()}"}
        self._client = Client(
            context.session,
            base_url=settings.base_url,
            clock=context.clock,
            random=context.random,
            timeout=Timeouts(connect_s=2.0, total_s=5.0),  # three tries of one push end before `effect_delay_s`
            user_agent="syncd-csvshop",
        )

    @property
    def profile(self) -> sdk.Profile:
        """Return what the shop can do."""
        return PROFILE

    async def orders(self, cursor: str | None) -> sdk.OrderPage:
        """Read what changed after the cursor, a change number; an empty page is the end."""
        answer = await self._call("GET", "orders.csv", params={"after": cursor or "0"})
        rows = wire.rows(answer.text(), wire.OrderRow)
        last = str(rows[-1].change) if rows else cursor or "0"
        return sdk.OrderPage(orders=tuple(wire.snapshots(rows, answer.asked_at)), cursor=last, more=bool(rows))

    async def fetch(self, order_ids: Sequence[str]) -> list[sdk.OrderSnapshot]:
        """Read these orders as they are now."""
        answer = await self._call("GET", "orders.csv", params={"orders": ",".join(order_ids)})
        return wire.snapshots(wire.rows(answer.text(), wire.OrderRow), answer.asked_at, fresh=True)

    async def listings(self, cursor: str | None) -> sdk.ListingPage:  # noqa: ARG002  (the whole catalogue is one file)
        """Read the catalogue."""
        products = wire.rows((await self._call("GET", "products.csv")).text(), wire.Product)
        return sdk.ListingPage(listings=tuple(wire.listing(product) for product in products), cursor=None)

    async def seen(self, refs: Sequence[sdk.ListingRef]) -> list[sdk.Seen]:
        """Read what these products show, out of the file of all of them."""
        answer = await self._call("GET", "products.csv")
        products = {product.product: product for product in wire.rows(answer.text(), wire.Product)}
        return [wire.seen(ref, products.get(ref.remote_id), answer) for ref in refs]

    async def push(self, writes: Sequence[sdk.Write]) -> list[sdk.Outcome]:
        """Set these numbers; setting one twice does no harm, so a lost answer is tried again, and then not known."""
        try:
            answer = await self._call("POST", "stock.csv", body=wire.stock_file(writes))
            return wire.outcomes(writes, wire.rows(answer.text(), wire.Result))
        except (ProtocolError, TransientError) as fault:
            if isinstance(fault, TransientError) and not fault.sent:
                raise
            return wire.outcomes(writes, [])

    async def _call(self, method: str, path: str, **given: Any) -> Answer:
        return await self._client.request(method, path, headers=self._headers, idempotent=True, content="text", **given)


@asynccontextmanager
async def open_channel(settings: CsvSettings, context: sdk.Context) -> AsyncIterator[CsvChannel]:
    """Open a shop; nothing is sent before the first call. Raises `ConfigError` for an address that is none."""
    yield CsvChannel(settings, context)
