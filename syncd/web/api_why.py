"""The API of explanations: why a listing shows its number, and how more came to be sold than there was."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, TypeAlias

import msgspec
from aiohttp import web
from sqlalchemy import Connection

from syncd.core.exposure import Policy, PolicyLike, overlay
from syncd.core.history import History, RuleNow
from syncd.core.terms import AccountId, Instant, Sku
from syncd.store import ledger, policies
from syncd.store.views_history import order_histories, sku_histories
from syncd.store.views_incidents import IncidentView, incidents
from syncd.web.api_facts import When, instant_of
from syncd.web.api_listings import require_account
from syncd.web.api_shape import shaped
from syncd.web.api_wire import Answer, Fault, Route, Service, query_of
from syncd.web.plant import Plant
from syncd.web.postmortem import postmortem

READ_S: Final = 30.0
"""Longest wait for what the store knows."""
MOST_RECORDS: Final = 1_000
"""Incidents of one SKU whose orders are looked up, the last ones."""

Explain: TypeAlias = Callable[[str, str], Awaitable[object | None]]
"""Explains a SKU on one account, or with an empty one on all; None for an unknown SKU."""


class WhyQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """On which account; empty: on all."""

    account: str = ""


class HistoryQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of which account, and from when on; left out: of all, from shortly before the last incident on."""

    account: str = ""
    since: When | None = None


@shaped(query=HistoryQuery)
async def get_postmortem(service: Service, request: web.Request) -> Answer:
    """Return the timeline of a SKU, or of every SKU of an order by its number or id; SKUs come first."""
    name, asked = request.match_info["name"], query_of(request, HistoryQuery)
    if asked.account:
        require_account(service.plant, asked.account)
    now = service.plant.clock.now()
    since = None if asked.since is None else instant_of(asked.since, now=now, name="since")
    async with asyncio.timeout(READ_S):
        orders, found = await service.plant.store.read(lambda conn: _found(conn, name, asked.account, since))
    if len(orders) > 1:
        raise Fault(409, f"several orders are called {name}: {', '.join(orders)}; name the account")
    if not orders and found is None:
        raise Fault(404, f"neither a SKU nor an order is called {name}")
    account = "" if orders else asked.account
    codes = [Sku(history.sku) for history in found or ()]
    rules = await service.plant.store.read(lambda conn: rules_now(conn, service.plant, codes))
    records = await service.plant.store.read(lambda conn: records_of(conn, codes))
    told = [
        postmortem(x, account=account, since=since, rules=rules.get(x.sku, ()), records=records) for x in found or ()
    ]
    return Answer(body={"order": orders[0] if orders else None, "skus": told})


def records_of(conn: Connection, codes: Sequence[Sku]) -> list[IncidentView]:
    """Return the incidents of SKUs, whose word holds on which orders lose."""
    return [one for code in codes for one in incidents(conn, sku=code, limit=MOST_RECORDS)]


def rules_now(conn: Connection, plant: Plant, codes: Sequence[Sku]) -> dict[str, tuple[RuleNow, ...]]:
    """Return by what rule each channel keeps units of these SKUs back: its settings, and rows of the SKU over them."""
    known = ledger.skus_by_code(conn, codes)
    rows = policies.policies(conn, [sku.sku_id for sku in known.values()])
    return {
        code: tuple(_rule(name, rules.policy, rows.get(sku.sku_id)) for name, rules in plant.house.rules.items())
        for code, sku in known.items()
    }


def _rule(name: AccountId, defaults: Policy, rows: Mapping[str, PolicyLike] | None) -> RuleNow:
    policy = overlay(defaults, *((rows or {})[key] for key in ("", name) if key in (rows or {})))
    return RuleNow(
        account=name,
        exposure=policy.exposure.value,
        loss=policy.loss,
        safety_stock=policy.safety_stock,
        safety_percent=policy.safety_percent,
        cap=policy.cap,
    )


def _found(conn: Connection, name: str, account: str, since: Instant | None) -> tuple[list[str], list[History] | None]:
    found = sku_histories(conn, name, since=since)
    return ([], found) if found is not None else _of_order(conn, name, account, since)


def _of_order(
    conn: Connection, name: str, account: str, since: Instant | None
) -> tuple[list[str], list[History] | None]:
    orders, found = order_histories(conn, name, account=account, since=since)
    return orders, found if orders else None


def routes_of(explain: Explain | None) -> tuple[Route, ...]:
    """Return the routes; without somebody who explains there is the history only."""

    @shaped(query=WhyQuery)
    async def get_why(service: Service, request: web.Request) -> Answer:
        """Return why each listing of a SKU shows its number."""
        sku, asked = request.match_info["sku"], query_of(request, WhyQuery)
        if asked.account:
            require_account(service.plant, asked.account)
        if explain is None:
            raise Fault(501, "this daemon was started without its explanations")
        async with asyncio.timeout(READ_S):
            found = await explain(sku, asked.account)
        if found is None:
            raise Fault(404, f"unknown SKU: {sku}")
        return Answer(body=found)

    return (("GET", "/why/{sku:.+}", get_why), ("GET", "/postmortem/{name:.+}", get_postmortem))
