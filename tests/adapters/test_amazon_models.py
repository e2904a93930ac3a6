"""What the adapter sends, and what the simulated account answers, is valid by Amazon's own models."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import jsonschema
import pytest
from aiohttp import web

from adapters.amazon.simulator import AmazonSimulator
from syncd.sdk.channel import ListingRef
from syncd.sdk.features import CancelReason, CancelWish
from syncd.testing.loop import run_virtual
from tests.adapters.amazon_stage import Stage, staged
from tests.adapters.test_amazon_end_to_end import known, patiently, told_late

MODELS = Path(__file__).resolve().parents[3] / "shared/reference/amazon-models"
NAMES = (
    "listingsItems_2021-08-01",
    "orders_2026-01-01",
    "feeds_2021-06-30",
    "reports_2021-06-30",
    "notifications",
    "sellers",
    "fbaInventory",
)
WANTED = {
    "patchListingsItem",
    "getListingsItem",
    "searchListingsItems",
    "searchOrders",
    "getOrder",
    "createFeedDocument",
    "createFeed",
    "getFeed",
    "getFeeds",
    "getFeedDocument",
    "createReport",
    "getReport",
    "getReportDocument",
    "getMarketplaceParticipations",
    "getSubscription",
    "createSubscription",
    "getDestinations",
    "createDestination",
}
"""Every operation that the adapter uses."""
FORMATS = jsonschema.FormatChecker(formats=())


@FORMATS.checks("date-time", raises=ValueError)
def is_date_time(value: object) -> bool:
    """Say whether a text is a time with its zone."""
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


@dataclass(frozen=True, kw_only=True)
class Operation:
    """An operation of a model."""

    name: str
    method: str
    path: re.Pattern[str]
    parameters: tuple[dict[str, Any], ...]
    responses: dict[str, Any]
    definitions: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """A request as it came in and the answer to it."""

    method: str
    path: str
    query: str
    body: bytes
    status: int
    answer: bytes


@cache
def operations() -> tuple[Operation, ...]:
    """Return every operation of the models."""
    return tuple(
        operation for name in NAMES for operation in _of_model(json.loads((MODELS / f"{name}.json").read_text()))
    )


def _of_model(model: dict[str, Any]) -> Iterator[Operation]:
    for path, methods in model["paths"].items():
        shared = methods.get("parameters", [])
        for method, told in methods.items():
            if isinstance(told, dict) and "operationId" in told:
                yield Operation(
                    name=told["operationId"],
                    method=method.upper(),
                    path=re.compile(re.sub(r"\\\{\w+\\\}|\{\w+\}", "[^/]+", path)),
                    parameters=(*told.get("parameters", []), *shared),
                    responses=told["responses"],
                    definitions=model["definitions"],
                )


def operation_of(method: str, path: str) -> Operation | None:
    """Return the operation of a request."""
    fitting = [each for each in operations() if each.method == method and each.path.fullmatch(path)]
    return fitting[0] if fitting else None


def request_faults(exchange: Exchange, operation: Operation) -> list[str]:
    """Return what is wrong with a request: parameters that are not known, missing or of a wrong form, and its body."""
    known_ = {each["name"]: each for each in operation.parameters if each.get("in") == "query"}
    given = parse_qsl(exchange.query, keep_blank_values=True)
    faults = [f"query {name} is not known" for name, _ in given if name not in known_]
    faults += [f"query {name} comes twice" for name in known_ if sum(each == name for each, _ in given) > 1]
    present = dict(given)
    faults += [
        f"query {name} is missing" for name, each in known_.items() if each.get("required") and name not in present
    ]
    for name, text in given:
        if name in known_:
            faults += [f"query {name}: {fault}" for fault in value_faults(text, known_[name])]
    bodies = [each for each in operation.parameters if each.get("in") == "body"]
    if bodies:
        faults += schema_faults(json.loads(exchange.body or b"null"), bodies[0]["schema"], operation.definitions)
    elif exchange.body:
        faults.append("a body where none is known")
    return faults


def value_faults(text: str, parameter: dict[str, Any]) -> list[str]:
    """Return what is wrong with a parameter's text; lists are separated by commas, the format's default."""
    schema = {
        key: parameter[key] for key in ("type", "items", "enum", "format", "maximum", "maxItems") if key in parameter
    }
    value: Any = text
    if parameter.get("type") == "array":
        value = text.split(",")
    elif parameter.get("type") == "integer":
        value = int(text) if re.fullmatch(r"-?\d+", text) else text
    elif parameter.get("type") == "boolean":
        value = {"true": True, "false": False}.get(text, text)
    return schema_faults(value, schema, {})


def answer_faults(exchange: Exchange, operation: Operation) -> list[str]:
    """Return what is wrong with an answer."""
    told = operation.responses.get(str(exchange.status))
    if told is None:
        return [f"status {exchange.status} is not known"]
    if "schema" not in told:
        return []
    return schema_faults(json.loads(exchange.answer), told["schema"], operation.definitions)


def schema_faults(value: Any, schema: dict[str, Any], definitions: dict[str, Any]) -> list[str]:
    """Return what does not fit a schema of a model."""
    whole = (
        {**schema, "definitions": definitions}
        if "$ref" not in schema
        else {
            "allOf": [schema],
            "definitions": definitions,
        }
    )
    validator = jsonschema.Draft4Validator(whole, format_checker=FORMATS)
    return [f"{'/'.join(map(str, each.absolute_path))}: {each.message}"[:300] for each in validator.iter_errors(value)]


def faults_of(exchange: Exchange) -> list[str]:
    """Return all that is wrong with a request and its answer."""
    operation = operation_of(exchange.method, exchange.path)
    if operation is None:
        return [f"{exchange.method} {exchange.path}: no such operation"]
    told = request_faults(exchange, operation) + answer_faults(exchange, operation)
    return [f"{operation.name} ({exchange.status}): {fault}" for fault in told]


# --- the run -----------------------------------------------------------------------------------------------------


def recorded(simulator: AmazonSimulator, into: list[Exchange]) -> None:
    """Let an account keep what it is asked and what it answers."""
    make = simulator.app

    @web.middleware
    async def record(request: web.Request, handler: Any) -> web.StreamResponse:
        body = await request.read()
        answer = await handler(request)
        if request.path.startswith(("/listings/", "/orders/", "/feeds/", "/reports/", "/notifications/", "/sellers/")):
            into.append(
                Exchange(
                    method=request.method,
                    path=request.rel_url.raw_path,
                    query=request.rel_url.raw_query_string,
                    body=body,
                    status=answer.status,
                    answer=bytes(answer.body or b""),
                )
            )
        return answer  # type: ignore[no-any-return]  # it is what the handler answered

    def app() -> web.Application:
        application = make()
        application.middlewares.insert(0, record)
        return application

    simulator.app = app  # type: ignore[method-assign]  # one account of many


async def everything(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Use every operation once, and most of them in more than one way."""
    _, cursor = await stage.feed(None)
    receipts = [stage.shop.buy([(sku, 1)]) for sku in list(stage.truth())[:3]]
    await stage.catalogue()
    monkeypatch.setattr("adapters.amazon.listing_reader.MOST_BY_SEARCH", 0)
    await stage.catalogue()
    await stage.channel.seen([ListingRef(remote_id=sku) for sku in ("SKU-00001", "a,b", "no/such +1 赤")])
    await stage.channel.push([stage.write("SKU-00001", 4), stage.write("SKU-00002", 0)])
    await stage.channel.push([stage.write(sku, 8) for sku in list(stage.truth())[:60]])
    await told_late(stage)
    await stage.channel.check()
    await stage.channel.provision()
    await patiently(stage.channel.account_health)
    await known(stage, receipts[0].order_id, lambda order: order.fulfilment_raw == "UNSHIPPED")
    wish = CancelWish(key="w", order_id=receipts[0].order_id, reason=CancelReason.OTHER)
    await stage.channel.cancel(wish)
    await asyncio.sleep(600.0)
    await stage.feed(cursor)
    await stage.channel.fetch([receipts[0].order_id, "250-0000000-0000000"])


def test_requests_and_answers_are_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every request of the adapter and every answer of the simulated account is valid by Amazon's models."""
    if not MODELS.exists():
        pytest.skip("the vendor's models are not beside this project")
    exchanges: list[Exchange] = []

    async def main() -> None:
        async with staged(skus=80, queue=True, tamper=lambda simulator: recorded(simulator, exchanges)) as stage:
            await everything(stage, monkeypatch)

    run_virtual(main)
    assert [fault for exchange in exchanges for fault in faults_of(exchange)] == []
    used = {found.name for each in exchanges if (found := operation_of(each.method, each.path))}
    assert used >= WANTED


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({}, ""),
        ({"query": "marketplaceIds=X&colour=red"}, "colour is not known"),
        ({"query": ""}, "marketplaceIds is missing"),
        ({"query": "marketplaceIds=X&includedData=issues,stock"}, "stock"),
        ({"body": b'{"patches":[]}'}, "productType"),
        ({"body": b'{"productType":"P","patches":[{"op":"upsert","path":"/a"}]}'}, "upsert"),
        ({"answer": b'{"sku":"A","status":"FINE","submissionId":"s"}'}, "FINE"),
        ({"answer": b'{"sku":"A","status":"VALID"}'}, "submissionId"),
        ({"status": 302}, "302"),
        ({"path": "/listings/2021-08-01/items/S/A/B"}, "no such operation"),
    ],
)
def test_checker_finds_faults(changes: dict[str, Any], fault: str) -> None:
    """The check of requests and answers finds what is wrong, and nothing in what is right."""
    if not MODELS.exists():
        pytest.skip("the vendor's models are not beside this project")
    good: dict[str, Any] = {
        "method": "PATCH",
        "path": "/listings/2021-08-01/items/S/A",
        "query": "marketplaceIds=X&includedData=issues",
        "body": b'{"productType":"P","patches":[{"op":"merge","path":"/a","value":[{}]}]}',
        "status": 200,
        "answer": b'{"sku":"A","status":"VALID","submissionId":"s"}',
    }
    found = faults_of(Exchange(**(good | changes)))
    assert any(fault in each for each in found) if fault else found == []
