"""HTTP bodies: what the control of the simulated shop takes, and how replies are sent."""

from __future__ import annotations

import msgspec
from aiohttp import web

from adapters.rakuten.simulated.inquiries import RESTOCK
from adapters.rakuten.simulated.reply import Reply, fault


class Edit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Change the units of a SKU's line."""

    sku: str
    units: int
    restock: bool | None = None


class Key(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """End the newest licence key, or make one."""

    expire: bool = False


class Notify(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Send notices there."""

    url: str


class Wish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Press 再入荷お知らせ."""

    sku: str


class Ask(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Ask the shop; without a SKU about the shop itself."""

    category: str = RESTOCK
    sku: str = ""
    order_id: str = ""


async def no_such_path(request: web.Request) -> web.Response:
    """Answer an address under a known API that is none."""
    return response(fault("GE0007", f"The path does not exist: {request.path}"))


def response(reply: Reply) -> web.Response:
    """Make the HTTP answer of a reply."""
    if reply.body is None:
        return web.Response(status=reply.status)
    if isinstance(reply.body, str):
        return web.Response(text=reply.body, status=reply.status, content_type="text/html")
    body = msgspec.json.encode(reply.body)
    return web.Response(body=body, status=reply.status, content_type="application/json", charset="utf-8")
