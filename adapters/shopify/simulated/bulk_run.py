"""How a bulk operation runs: slice by slice over the shop's time, so that its rows are read at different moments."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from adapters.shopify.simulated.access import granted
from adapters.shopify.simulated.api import Api, Prepared, run
from adapters.shopify.simulated.bulk import BulkOperation, lines_of
from adapters.shopify.simulated.shop import Request, Shop

SLICE = 250

Sleep = Callable[[float], Awaitable[None]]


async def run_bulk(shop: Shop, api: Api, operation: BulkOperation, *, sleep: Sleep) -> None:
    """Bring an operation to its end; `sleep` waits seconds of the shop's time."""
    prepared = api.prepare(operation.query)
    await sleep(shop.knobs.bulk_wait_s)
    if operation.status == "CREATED":
        operation.status = "RUNNING"
    error = _refusal(shop, prepared)
    start, more = 0, True
    while more and error is None and operation.status == "RUNNING":
        answer = run(prepared, Request(shop=shop, rows=slice(start, start + SLICE)))
        more = _add(operation, answer.data or {})
        start += SLICE
        await sleep(SLICE / shop.knobs.bulk_rows_per_s if more else 0.0)
        error = "INTERNAL_SERVER_ERROR" if answer.errors else shop.knobs.bulk_error
    shop.bulk.finish(operation, error=error)
    shop.announce("bulk_operations/finish", operation)


def _refusal(shop: Shop, prepared: Prepared) -> str | None:
    scopes = granted(shop.knobs.scopes)
    return "ACCESS_DENIED" if any(not scopes.intersection(need.scopes) for need in prepared.needs) else None


def _add(operation: BulkOperation, data: Mapping[str, Any]) -> bool:
    """Add the rows of one slice; answers whether there were any."""
    lines = list(lines_of(data))
    if not operation.grouped:  # children stand apart from their parents
        lines.sort(key=lambda line: b'"__parentId"' in line)
    operation.lines += lines
    operation.object_count += len(lines)
    roots = sum(b'"__parentId"' not in line for line in lines)
    operation.root_object_count += roots
    return roots > 0
