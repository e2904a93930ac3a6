"""The description of the API: valid, whole, and true of what is answered."""

from __future__ import annotations

from typing import Any

import aiohttp
import jsonschema
import pytest
from aiohttp.test_utils import make_mocked_request
from openapi_spec_validator import validate

from syncd.web.api import PREFIX, api_routes, control_app, public_app
from syncd.web.api_shape import shape_of, shaped
from syncd.web.api_wire import SHAPE, query_of
from syncd.web.openapi import _PART
from syncd.web.status import Standings
from tests.web.conftest import Api
from tests.web.rig import TOKEN, Rig, served


async def described(api: Api) -> Any:
    status, found = await api.get("/openapi.json")
    assert status == 200
    return found


async def test_the_description_is_valid(api: Api) -> None:
    """The description is OpenAPI 3.1 by its own schema."""
    found = await described(api)
    assert found["openapi"] == "3.1.0"
    validate(found)


async def test_every_route_is_in_it_with_its_shapes(rig: Rig, api: Api) -> None:
    """Each route that the applications serve stands in the description, and its handler tells its shapes."""
    found = await described(api)
    listed = {(method.upper(), path) for path, place in found["paths"].items() for method in place}
    for app in (control_app(rig.plant), public_app(rig.plant)):
        known = {
            (route.method, route.resource.canonical.removeprefix(PREFIX))
            for route in app.router.routes()
            if route.resource is not None and route.resource.canonical.startswith(PREFIX)
        }
        there = {(method, path) for method, path in known if method not in {"HEAD", "*"}}
        assert {(method, _PART.sub(r"{\1}", path)) for method, path in there} == listed
    untold = [path for _, path, handler in api_routes(Standings(rig.plant), None) if shape_of(handler) is None]
    assert untold == []


async def test_every_operation_has_a_name_a_summary_and_a_scope(api: Api) -> None:
    """Operations have names of their own, say in a sentence what they do, and which scope they need."""
    found = await described(api)
    operations = [operation for place in found["paths"].values() for operation in place.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations) > 30
    assert [operation["operationId"] for operation in operations if not operation["summary"]] == []
    assert {operation["security"][0]["token"][0] for operation in operations} == {"read", "operate", "admin"}


async def fill(rig: Rig) -> None:
    await rig.know("A", KIT={"A": 2})
    await rig.catalogue("shop", ("r1", "A"))
    await rig.count(A=5)
    await rig.see("shop", r1=5)
    await rig.order("shop", "S-1", ("r1", "A", 1))


PLACES = {"sku": "A", "name": "A", "account": "shop", "order_id": "o-S-1"}


UNLIKE = {"/openapi.json", "/orders.csv", "/figures.csv", "/tickets/figures.csv", "/why/{sku}"}
"""The description itself, files, and what needs more than this rig has."""


async def test_answers_are_as_described(rig: Rig, api: Api) -> None:
    """Everything that can be read is answered in the shape that the description gives it."""
    await fill(rig)
    found = await described(api)
    checked = set()
    for path, place in found["paths"].items():
        names = set(_PART.findall(path))
        if "get" not in place or path in UNLIKE or not names <= PLACES.keys():
            continue
        status, told = await api.get(path.format(**PLACES))
        assert status == 200, (path, told)
        schema = place["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        jsonschema.validate(told, {**schema, "components": found["components"]})
        checked |= {path} if schema else set()
    assert {"/stock", "/stock/{sku}", "/orders", "/orders/{account}/{order_id}", "/status", "/listings"} <= checked


async def test_changes_and_faults_are_as_described(rig: Rig, api: Api) -> None:
    """A change is answered as described, and so is a fault."""
    await rig.know("A")
    found = await described(api)
    responses = found["paths"]["/stock/count"]["post"]["responses"]
    for body, wanted in (({"rows": [{"sku": "A", "quantity": 1}]}, "200"), ({"rows": []}, "400"), ({"x": 1}, "400")):
        status, told = await api.post("/stock/count", body)
        assert str(status) == wanted
        response = responses[wanted]
        if "$ref" in response:
            response = found["components"]["responses"][response["$ref"].rpartition("/")[2]]
        schema = response["content"]["application/json"]["schema"]
        jsonschema.validate(told, {**schema, "components": found["components"]})


async def test_pages_go_on_by_cursor(rig: Rig, api: Api) -> None:
    """What a page calls `next` is the `cursor` of the one after it, whatever the rows are."""
    await rig.know("A", "B", "C")
    for number in ("1", "2", "3"):
        await rig.order("shop", number, ("r", "A", 1))
    for path, name in (("/stock", "sku"), ("/orders", "number")):
        _, first = await api.get(path, limit="2")
        _, rest = await api.get(path, limit="2", cursor=str(first["next"]))
        assert len({row[name] for row in first["rows"] + rest["rows"]}) == 3
        assert rest["next"] is None


async def test_the_description_needs_no_token(rig: Rig) -> None:
    """On the network everybody may read the description, and nothing else."""
    async with served(public_app(rig.plant)) as base, aiohttp.ClientSession() as session:
        async with session.get(f"{base}{PREFIX}/openapi.json") as answer:
            assert answer.status == 200
            assert TOKEN not in await answer.text()
        async with session.get(f"{base}{PREFIX}/nowhere") as answer:
            assert answer.status == 401


def test_a_handler_cannot_read_another_shape_than_it_tells() -> None:
    """A handler whose description would be wrong fails at its first request."""

    @shaped(query=int)
    async def handler() -> None:
        """Tell one thing."""

    request = make_mocked_request("GET", "/x")
    request[SHAPE] = shape_of(handler)
    with pytest.raises(AssertionError, match="reads str as its query, and tells"):
        query_of(request, str)
