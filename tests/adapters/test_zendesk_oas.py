"""Requests of the adapter and answers of the simulated account are valid by Zendesk's own description of its API.

The description (OpenAPI 3.0) lies beside the project where it was fetched; without it these tests are left out,
visibly. What it does not know is named in `UNKNOWN`, `EXTRA...` and `RELAXED`, each with its reason.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import jsonschema
import pytest
from aiohttp import web

from adapters.zendesk import ADAPTER
from adapters.zendesk.simulator import ZendeskSimulator, make
from syncd.sdk.channel import Clock
from syncd.sdk.desk import Language, NewTicket, TicketChange, TicketState, TicketStatus
from syncd.testing.desk_cases.changing import new_ticket, restock
from syncd.testing.desk_stage import DeskKit, DeskStage, PlainTexts, desk_staged
from syncd.testing.loop import run_virtual

OAS = Path(__file__).resolve().parents[2].parent / "shared" / "reference" / "zendesk-oas.patched.json"

UNKNOWN = {
    "/oauth/tokens": "the description has no OAuth",
    "/api/v2/webhooks": "the description has no webhooks",
}
EXTRA_QUERY = {
    ("ExportSearchResults", "page[after]"): "the description has page[size] only; the cursor is documented in words",
    ("IncrementalTicketExportCursor", "include"): "side-loads are documented in words (Side-Loading)",
    ("TicketsShowMany", "include"): "the same",
}
NOT_NEEDED = {("IncrementalTicketExportCursor", "start_time"): "a cursor takes its place"}
EXTRA_STATUSES = {
    ("IncrementalTicketExportCursor", 403): "the description tells no refusal of an agent",
    ("CreateTicketForm", 403): "nor of a plan without forms",
    ("ShowJobStatus", 404): "nor of a job whose data are gone",
    ("CreateTicket", 422): "nor of a ticket that is refused",
}
RELAXED = {
    "ActionObject": "the value of an action is a text here; the reference of actions has a list for a notification",
    "JobStatusResultObject": "one of two shapes here; rows of an update have an index too (Job Statuses, 2026)",
}
DELETED = "deleted"
"""A status that the export tells and the description's list lacks (Incremental Exports, 2026)."""

WANTED = {
    "CreateAutomation", "CreateMacro", "CreateOrUpdateTicketFieldOption", "CreateTicket", "CreateTicketField",
    "CreateTicketForm", "CreateTrigger", "CreateTriggerCategory", "CreateView", "ExportSearchResults",
    "IncrementalTicketExportCursor", "ListAutomations", "ListGroups", "ListMacros", "ListTicketFields",
    "ListTicketForms", "ListTickets", "ListTriggerCategories", "ListTriggers", "ListViews", "ShowCurrentUser",
    "ShowJobStatus", "TicketsShowMany", "TicketsUpdateMany", "UpdateAutomation", "UpdateMacro", "UpdateTicketField",
    "UpdateTicketForm", "UpdateTrigger", "UpdateView",
}  # fmt: skip
"""What the adapter uses of the API, as the description calls it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request and its answer."""

    method: str
    path: str
    query: str = ""
    body: bytes = b""
    status: int = 200
    answer: bytes = b"{}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation of the description."""

    name: str
    method: str
    path: re.Pattern[str]
    placeholders: int
    parameters: tuple[Mapping[str, Any], ...]
    body: Mapping[str, Any] | None
    responses: Mapping[str, Any]


@cache
def description() -> dict[str, Any]:
    """Return the description with what is nullable in the words of JSON Schema."""
    told: dict[str, Any] = _plain(json.loads(OAS.read_bytes()))
    schemas = told["components"]["schemas"]
    schemas["ActionObject"]["properties"]["value"] = {"type": ["string", "integer", "array"]}
    rows = schemas["JobStatusResultObject"]
    rows["anyOf"] = rows.pop("oneOf")
    return told


def _plain(value: Any) -> Any:
    """Turn `nullable` into a type, and let what is read only be answered."""
    if isinstance(value, list):
        return [_plain(part) for part in value]
    if not isinstance(value, dict):
        return value
    made = {key: _plain(part) for key, part in value.items() if key not in ("example", "examples")}
    if made.pop("nullable", False) is True:
        return {"anyOf": [made, {"type": "null"}]}
    return made


@cache
def operations() -> tuple[Operation, ...]:
    """Return every operation."""
    return tuple(_operations())


def _operations() -> Iterator[Operation]:
    for path, methods in description()["paths"].items():
        shared = methods.get("parameters", [])
        for method, told in methods.items():
            if isinstance(told, dict) and "operationId" in told:
                given = [_resolved(each) for each in [*told.get("parameters", []), *shared]]
                yield Operation(
                    name=told["operationId"],
                    method=method.upper(),
                    path=re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path))),
                    placeholders=path.count("{"),
                    parameters=tuple(each for each in given if each.get("in") == "query"),
                    body=_json_of(told.get("requestBody")),
                    responses=told["responses"],
                )


def _resolved(part: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in part:
        return part
    found: Any = description()
    for name in part["$ref"].removeprefix("#/").split("/"):
        found = found[name]
    return dict(found)


def _json_of(part: Any) -> Mapping[str, Any] | None:
    schema = (_resolved(part) if part else {}).get("content", {}).get("application/json", {}).get("schema")
    return schema if isinstance(schema, dict) else None


def operation_of(method: str, path: str) -> Operation | None:
    """Return the operation of a request; a literal path is before one with a placeholder."""
    fitting = [each for each in operations() if each.method == method and each.path.fullmatch(path)]
    return min(fitting, key=lambda each: each.placeholders) if fitting else None


def schema_faults(value: Any, schema: Mapping[str, Any]) -> list[str]:
    """Return what does not fit a schema."""
    whole = {"allOf": [schema], "components": description()["components"]}
    found = jsonschema.Draft202012Validator(whole).iter_errors(value)
    return [f"{each.json_path}: {each.message}"[:300] for each in found]


def request_faults(exchange: Exchange, operation: Operation) -> list[str]:
    """Return what is wrong with a request."""
    known = {each["name"]: each for each in operation.parameters}
    given = dict(parse_qsl(exchange.query, keep_blank_values=True))
    faults = [
        f"query {name} is not known"
        for name in given
        if name not in known and (operation.name, name) not in EXTRA_QUERY
    ]
    faults += [
        f"query {name} is missing"
        for name, each in known.items()
        if each.get("required") and name not in given and (operation.name, name) not in NOT_NEEDED
    ]
    if exchange.body and operation.body is not None:
        faults += schema_faults(json.loads(exchange.body), operation.body)
    elif exchange.body:
        faults.append("a body where none is known")
    elif operation.body is not None:
        faults.append("the body is missing")
    return faults


def answer_faults(exchange: Exchange, operation: Operation) -> list[str]:
    """Return what is wrong with an answer."""
    told = operation.responses.get(str(exchange.status))
    if told is None:
        exempt = (operation.name, exchange.status) in EXTRA_STATUSES
        return [] if exempt else [f"status {exchange.status} is not known"]
    schema = _json_of(told)
    body = json.loads(exchange.answer)
    for ticket in body.get("tickets", []) if isinstance(body, dict) else []:
        if isinstance(ticket, dict) and ticket.get("status") == DELETED:
            ticket["status"] = "closed"
    return [] if schema is None else schema_faults(body, schema)


def faults_of(exchange: Exchange) -> list[str]:
    """Return all that is wrong with a request and its answer."""
    if any(exchange.path.startswith(path) for path in UNKNOWN):
        return []
    operation = operation_of(exchange.method, exchange.path)
    if operation is None:
        return [f"{exchange.method} {exchange.path}: no such operation"]
    told = request_faults(exchange, operation) + answer_faults(exchange, operation)
    return [f"{operation.name} ({exchange.status}): {fault}" for fault in told]


# --- the run --------------------------------------------------------------------------------------------------------


def recorded(into: list[Exchange]) -> Any:
    """Return a maker of accounts that keep what they are asked and what they answer."""

    @web.middleware
    async def record(request: web.Request, handler: Any) -> web.StreamResponse:
        body = await request.read()
        answer = await handler(request)
        if not request.path.startswith("/_sim/"):
            path, query = request.rel_url.raw_path, request.rel_url.raw_query_string
            told = {"status": answer.status, "answer": bytes(answer.body or b"")}
            into.append(Exchange(method=request.method, path=path, query=query, body=body, **told))
        return answer  # type: ignore[no-any-return]  # it is what the handler answered

    def made(*, skus: int, seed: int, clock: Clock) -> ZendeskSimulator:
        simulator = make(skus=skus, seed=seed, clock=clock)
        app = simulator.app

        def with_record() -> web.Application:
            application = app()
            application.middlewares.insert(0, record)
            return application

        simulator.app = with_record  # type: ignore[method-assign]  # one account of many
        return simulator

    return made


async def everything(stage: DeskStage) -> None:
    """Use every call, and most of them in more than one way."""
    given = {"language": Language.JA, "webhook_url": "https://hooks.example/webhooks/zendesk"}
    desk: Any = stage.desk
    await desk.plan(texts=PlainTexts(), **given)
    await desk.provision(texts=PlainTexts(), **given)
    await desk.provision(texts=PlainTexts(" (new)"), **given | {"language": Language.EN})
    await desk.check()
    ids = await stage.waiting(4, state=TicketState.PENDING, sku="A", quantity=2, text="#1001")
    await stage.make(*(restock(each, stage.event()) for each in ids))
    await stage.settled()
    change = TicketChange(
        ticket_id=ids[0], event=stage.event(), status=TicketStatus.SOLVED, amount="120000", expected="2026-12-01",
        note="n", quantity=3, order_number="#1001",
    )  # fmt: skip
    await stage.make(change)
    stage.simulator.close(ids[1])
    stage.simulator.delete(ids[2])
    await stage.settled()
    await stage.make(*(restock(each, stage.event()) for each in ids))
    await desk.create([new_ticket(stage, "k1")])
    task = NewTicket(key="k2", event=stage.event(), subject="s", note="n", follow_up_of=ids[1])
    await desk.create([task])
    await stage.wait(3_600.0)
    _, cursor = await stage.scan(None)
    await stage.wait(3_600.0)
    await stage.scan(cursor)


def few_of_each(exchanges: list[Exchange]) -> Iterator[Exchange]:
    """Yield of each call and status the first ones and the last: forty macros are all of one shape."""
    kinds: dict[tuple[str, int], list[Exchange]] = {}
    for exchange in exchanges:
        operation = operation_of(exchange.method, exchange.path)
        kinds.setdefault((operation.name if operation else exchange.path, exchange.status), []).append(exchange)
    for found in kinds.values():
        yield from [*found[:FEW], *found[FEW:][-1:]]


FEW = 4
needs_oas = pytest.mark.skipif(not OAS.exists(), reason="Zendesk's description of its API is not beside this project")


@needs_oas
def test_requests_and_answers_are_valid() -> None:
    """Every request of the adapter and every answer of the simulated account is valid by Zendesk's description."""
    exchanges: list[Exchange] = []

    async def main() -> None:
        async with desk_staged(DeskKit(adapter=ADAPTER, make=recorded(exchanges)), tickets=120, bare=True) as stage:
            await everything(stage)

    run_virtual(main)
    assert sorted({fault for exchange in few_of_each(exchanges) for fault in faults_of(exchange)}) == []
    used = {found.name for each in exchanges if (found := operation_of(each.method, each.path))}
    assert used == WANTED


GOOD: dict[str, Any] = {
    "method": "PUT",
    "path": "/api/v2/tickets/update_many",
    "body": b'{"tickets":[{"id":1,"safe_update":true,"status":"open","additional_tags":["a"]}]}',
    "answer": b'{"job_status":{"id":"a","status":"queued","total":1,"progress":0,"message":null,"results":null}}',
}


@needs_oas
@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({}, ""),
        ({"query": "colour=red"}, "colour is not known"),
        ({"body": b""}, "the body is missing"),
        ({"body": b'{"tickets":[{"id":1,"status":"waiting"}]}'}, "update_many"),
        ({"body": b'{"tickets":[]}'}, "[]"),
        ({"answer": b'{"job_status":{"id":5}}'}, "5 is not of type"),
        ({"status": 302}, "302"),
        ({"path": "/api/v2/tickets/1/nothing"}, "no such operation"),
        ({"method": "GET", "path": "/api/v2/tickets/show_many", "body": b"", "answer": b"{}"}, "ids is missing"),
        ({"method": "GET", "path": "/api/v2/ticket_fields", "answer": b"{}"}, "a body where none is known"),
    ],
)  # fmt: skip
def test_the_checker_finds_faults(changes: dict[str, Any], fault: str) -> None:
    """The check of requests and answers finds what is wrong, and nothing in what is right."""
    told = faults_of(Exchange(**(GOOD | changes)))
    if not fault:
        assert told == []
    elif fault == "update_many":
        assert told
    else:
        assert any(fault in each for each in told), told
