"""The simulated Zendesk account: its rules for tickets, bodies, ways in, limits, webhooks, and its control API."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from adapters.zendesk.simulated.rules import UnknownRule
from adapters.zendesk.simulator import ADMIN_CLIENT_ID, CLIENT_ID, ZendeskSimulator, make
from syncd.sdk.desk import TicketId
from syncd.testing.clock import ManualClock
from syncd.testing.desk_simulators import Wish, serve
from syncd.testing.loop import VirtualConnector, run_virtual, running


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Somebody who calls a served account."""

    account: ZendeskSimulator
    session: aiohttp.ClientSession
    token: str

    async def call(
        self, method: str, path: str, told: Any = None, *, raw: bytes | None = None, token: str | None = None,
        **headers: str,
    ) -> tuple[int, Any, Any]:  # fmt: skip
        """Return status, body and headers of an answer."""
        body = raw if raw is not None else None if told is None else json.dumps(told).encode()
        given = {"Authorization": f"Bearer {token or self.token}", "Content-Type": "application/json", **headers}
        async with self.session.request(method, self.account.url + path, data=body, headers=given) as response:
            text = await response.read()
            return response.status, json.loads(text) if text else None, response.headers

    async def wait(self, seconds: float) -> None:

        await asyncio.sleep(seconds)


Scene = Callable[[Caller], Awaitable[None]]


def play(scene: Scene, *, role: str = "run", skus: int = 0) -> None:
    """Serve an account and let somebody with a token call it, in virtual time."""

    async def main() -> None:
        account = make(skus=skus, seed=7, clock=running().clock)
        account.prepare()
        async with serve(account) as url, aiohttp.ClientSession(connector=VirtualConnector()) as session:
            secret = account.client_secret if role == "run" else account.admin_secret
            given = {
                "grant_type": "client_credentials", "scope": "read write",
                "client_id": CLIENT_ID if role == "run" else ADMIN_CLIENT_ID, "client_secret": secret,
            }  # fmt: skip
            async with session.post(f"{url}/oauth/tokens", json=given) as response:
                token = (await response.json())["access_token"]
            await scene(Caller(account=account, session=session, token=token))

    run_virtual(main)


NEW = {"ticket": {"subject": "A", "comment": {"body": "B", "public": True}, "tags": ["VIP", "a b"]}}


def test_bodies_are_judged() -> None:
    """A body of another kind is 415, one that is no JSON 400, one without what is needed 422, a good one 201."""

    async def scene(caller: Caller) -> None:
        assert (await caller.call("POST", "/api/v2/tickets", NEW, **{"Content-Type": "text/plain"}))[0] == 415
        assert (await caller.call("POST", "/api/v2/tickets", raw=b"{"))[0] == 400
        assert (await caller.call("POST", "/api/v2/tickets", {}))[0] == 422
        assert (await caller.call("POST", "/api/v2/tickets", {"ticket": {"subject": "A"}}))[0] == 422
        status, told, _ = await caller.call("POST", "/api/v2/tickets.json", NEW)
        assert (status, told["ticket"]["status"], told["ticket"]["tags"]) == (201, "new", ["vip", "ab"])
        odd = {"ticket": {**NEW["ticket"], "status": "waiting"}}
        assert (await caller.call("POST", "/api/v2/tickets", odd))[0] == 422

    play(scene)


def test_tags_replace_and_add() -> None:
    """`tags` replaces all of them; `additional_tags` and `remove_tags` name only what comes and goes."""

    async def scene(caller: Caller) -> None:
        await caller.call("POST", "/api/v2/tickets", NEW)
        change = {"ticket": {"additional_tags": ["x"], "remove_tags": ["ab"]}}
        _, told, _ = await caller.call("PUT", "/api/v2/tickets/1", change)
        assert told["ticket"]["tags"] == ["vip", "x"]
        _, told, _ = await caller.call("PUT", "/api/v2/tickets/1", {"ticket": {"tags": ["y"]}})
        assert told["ticket"]["tags"] == ["y"]

    play(scene)


def test_an_option_is_a_tag() -> None:
    """The option of a dropdown is a tag, changes with it, and goes when the tag is taken away."""

    async def scene(caller: Caller) -> None:
        field = caller.account.field_ids()["state"]
        await caller.call("POST", "/api/v2/tickets", NEW)

        async def put(ticket: dict[str, Any]) -> tuple[Any, list[str]]:
            _, told, _ = await caller.call("PUT", "/api/v2/tickets/1", {"ticket": ticket})
            row = told["ticket"]
            value = next(each["value"] for each in row["custom_fields"] if each["id"] == field)
            return value, [tag for tag in row["tags"] if tag.startswith("bo_")]

        assert await put({"custom_fields": [{"id": field, "value": "bo_pending"}]}) == ("bo_pending", ["bo_pending"])
        assert await put({"custom_fields": [{"id": field, "value": "bo_shipped"}]}) == ("bo_shipped", ["bo_shipped"])
        assert await put({"additional_tags": ["bo_refunded"]}) == ("bo_refunded", ["bo_refunded"])
        assert await put({"remove_tags": ["bo_refunded"]}) == (None, [])
        wrong = {"ticket": {"custom_fields": [{"id": field, "value": "bo_lost"}]}}
        assert (await caller.call("PUT", "/api/v2/tickets/1", wrong))[0] == 422

    play(scene)


def test_a_guard_is_held() -> None:
    """A guarded change of a ticket that is another by now is 409 UpdateConflict, within the same second it is not."""

    async def scene(caller: Caller) -> None:
        _, told, _ = await caller.call("POST", "/api/v2/tickets", NEW)
        stamp = told["ticket"]["updated_at"]
        guarded = {"ticket": {"priority": "high", "safe_update": True, "updated_stamp": stamp}}
        assert (await caller.call("PUT", "/api/v2/tickets/1", guarded))[0] == 200
        await caller.wait(2.0)
        await caller.call("PUT", "/api/v2/tickets/1", {"ticket": {"priority": "low"}})
        status, told, _ = await caller.call("PUT", "/api/v2/tickets/1", guarded)
        assert (status, told["error"]) == (409, "UpdateConflict")

    play(scene)


def test_a_key_is_remembered_for_two_hours() -> None:
    """The same key answers the same ticket, with another body 400, and after two hours it opens a second one."""

    async def scene(caller: Caller) -> None:
        named = {"Idempotency-Key": "k"}
        ids = [(await caller.call("POST", "/api/v2/tickets", NEW, **named))[1]["ticket"]["id"] for _ in range(2)]
        other = {"ticket": {**NEW["ticket"], "subject": "other"}}
        status, told, _ = await caller.call("POST", "/api/v2/tickets", other, **named)
        assert (ids, status, told["error"]) == ([1, 1], 400, "IdempotentRequestError")
        await caller.wait(1_000.0)
        caller.account.access.per_minute = 2_000
        await caller.wait(6_300.0)
        token = caller.account.access.grant({
            "grant_type": "client_credentials", "client_id": CLIENT_ID,
            "client_secret": caller.account.client_secret, "scope": "write",
        })["access_token"]  # fmt: skip
        _, told, _ = await caller.call("POST", "/api/v2/tickets", NEW, token=token, **named)
        assert told["ticket"]["id"] == 2

    play(scene)


def test_closed_tickets_are_frozen_and_followed() -> None:
    """A closed ticket takes no change; a follow-up has its tags unless others are given, and only of a closed one."""

    async def scene(caller: Caller) -> None:
        await caller.call("POST", "/api/v2/tickets", NEW)
        follow = {"ticket": {"subject": "F", "comment": {"body": "B"}, "via_followup_source_id": 1}}
        assert (await caller.call("POST", "/api/v2/tickets", follow))[0] == 422
        caller.account.close(TicketId("1"))
        assert (await caller.call("PUT", "/api/v2/tickets/1", {"ticket": {"priority": "low"}}))[0] == 422
        _, told, _ = await caller.call("POST", "/api/v2/tickets", follow)
        assert told["ticket"]["tags"] == ["vip", "ab"]
        assert told["ticket"]["via"]["source"]["from"]["ticket_id"] == 1
        _, told, _ = await caller.call("POST", "/api/v2/tickets", {"ticket": {**follow["ticket"], "tags": ["mine"]}})
        assert told["ticket"]["tags"] == ["mine"]

    play(scene)


def test_jobs_wait_progress_and_are_forgotten() -> None:
    """A job is queued, works row by row, is completed with every row, and its data are gone after an hour."""

    async def scene(caller: Caller) -> None:
        for _ in range(3):
            await caller.call("POST", "/api/v2/tickets", NEW)
        rows = [{"id": number, "priority": "high"} for number in (1, 2, 99, 3)]
        _, told, _ = await caller.call("PUT", "/api/v2/tickets/update_many", {"tickets": rows})
        job = told["job_status"]
        assert (job["status"], job["total"], job["results"]) == ("queued", 4, None)
        path = f"/api/v2/job_statuses/{job['id']}.json"
        await caller.wait(1.03)
        _, told, _ = await caller.call("GET", path)
        assert told["job_status"]["status"] == "working"
        await caller.wait(1.0)
        _, told, _ = await caller.call("GET", path)
        assert [row["success"] for row in told["job_status"]["results"]] == [True, True, False, True]
        await caller.wait(3_500.0)
        assert (await caller.call("GET", path))[0] in (200, 401)
        assert len(caller.account.bulk._jobs) == 1
        await caller.wait(200.0)
        caller.account.settle()
        assert caller.account.bulk._jobs == []

    play(scene)


def test_a_bulk_has_its_limits() -> None:
    """A hundred and one tickets are refused, and the thirty-first job is TooManyJobs with those that run."""

    async def scene(caller: Caller) -> None:
        await caller.call("POST", "/api/v2/tickets", NEW)
        many = {"tickets": [{"id": 1}] * 101}
        assert (await caller.call("PUT", "/api/v2/tickets/update_many", many))[0] == 400
        answers = [await caller.call("PUT", "/api/v2/tickets/update_many", {"tickets": [{"id": 1}]}) for _ in range(31)]
        status, told, _ = answers[-1]
        assert (status, told["error"], len(told["current_job_ids"])) == (429, "TooManyJobs", 30)
        by_ids = await caller.call("PUT", "/api/v2/tickets/update_many?ids=1", {"ticket": {"priority": "low"}})
        assert by_ids[0] == 429

    play(scene)


def test_roles_scopes_and_limits() -> None:
    """An agent may not export or set up, a read token may not write, and calls of a minute are counted and told."""

    async def scene(caller: Caller) -> None:
        start = running().clock.now() // 1_000_000 - 120
        export = f"/api/v2/incremental/tickets/cursor?start_time={start}"
        assert (await caller.call("GET", export))[0] == 403
        field = {"ticket_field": {"type": "text", "title": "A"}}
        assert (await caller.call("POST", "/api/v2/ticket_fields", field))[0] == 403
        given = {
            "grant_type": "client_credentials", "client_id": CLIENT_ID,
            "client_secret": caller.account.client_secret, "scope": "tickets:read unknown:scope",
        }  # fmt: skip
        granted = caller.account.access.grant(given)
        assert granted["scope"] == "tickets:read"
        assert (await caller.call("POST", "/api/v2/tickets", NEW, token=granted["access_token"]))[0] == 403
        assert (await caller.call("GET", "/api/v2/users/me", token="wrong"))[0] == 401
        caller.account.access.per_minute = 10
        answers = [await caller.call("GET", "/api/v2/groups") for _ in range(10)]
        status, _, headers = answers[-1]
        assert (status, headers["ratelimit-remaining"]) == (429, "0")
        assert int(headers["Retry-After"]) >= 1

    play(scene)


TAKEN = {"name": "x", "value": "bo_pending"}


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("ticket_fields", {"type": "colour", "title": "A"}),
        ("ticket_fields", {"type": "tagger", "title": "A", "custom_field_options": [TAKEN]}),
        ("automations", {"title": "A", "all": [{"field": "status", "operator": "is", "value": "open"}],
                         "actions": [{"field": "status", "value": "solved"}]}),
        ("automations", {"title": "A", "all": [{"field": "status", "operator": "is", "value": "open"},
                                               {"field": "OPEN", "operator": "greater_than", "value": "1"}],
                         "actions": [{"field": "priority", "value": "low"}]}),
        ("views", {"title": "A", "all": [{"field": "current_tags", "operator": "includes", "value": "a"}]}),
        ("views", {"title": "A", "all": [{"field": "status", "operator": "is", "value": "open"}],
                   "output": {"columns": list("abcdefghijk")}}),
        ("triggers", {"title": "A", "actions": []}),
        ("macros", {"title": "A"}),
        ("ticket_forms", {}),
    ],
)  # fmt: skip
def test_what_cannot_be_set_up(kind: str, given: dict[str, Any]) -> None:
    """What Zendesk does not take is refused: a taken option, a rule without time or end, a view without state."""
    one = {"ticket_fields": "ticket_field", "ticket_forms": "ticket_form"}.get(kind, kind[:-1])

    async def scene(caller: Caller) -> None:
        before = dict(caller.account.own_setup())
        assert (await caller.call("POST", f"/api/v2/{kind}", {one: given}))[0] == 422
        assert dict(caller.account.own_setup()) == before

    play(scene, role="admin")


def test_an_unknown_rule_is_no_rule() -> None:
    """A condition that the simulation does not know is an error of it, and never silently true."""
    account = make(skus=0, seed=1, clock=ManualClock())
    row = {"field": "weather", "operator": "is", "value": "fine"}
    account.setup.add("triggers", {
        "title": "A", "conditions": {"all": [row], "any": []}, "actions": [{"field": "priority", "value": "low"}],
    })  # fmt: skip
    with pytest.raises(UnknownRule, match="weather"):
        account.open_ticket(Wish())


def test_a_webhook_is_signed_and_tried_again() -> None:
    """A webhook has the signature over time and body, a new invocation with each try, and the event's own id stays."""
    got: list[tuple[dict[str, str], bytes]] = []

    async def scene(caller: Caller) -> None:
        from aiohttp import web

        async def take(request: web.Request) -> web.Response:
            got.append((dict(request.headers), await request.read()))
            return web.Response(status=503 if len(got) == 1 else 200)

        app = web.Application()
        app.router.add_post("/hook", take)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 8095).start()
        caller.account.prepare(webhook_url="http://127.0.0.1:8095/hook")
        caller.account.open_ticket(Wish())
        await caller.wait(200.0)
        await runner.cleanup()
        assert len(got) == 2
        hook = caller.account.setup.rows("webhooks")[0]["id"]
        _, told, _ = await caller.call("GET", f"/api/v2/webhooks/{hook}/signing_secret")
        secret = told["signing_secret"]["secret"]
        for headers, body in got:
            told_at = headers["X-Zendesk-Webhook-Signature-Timestamp"]
            digest = hmac.new(secret.encode(), told_at.encode() + body, hashlib.sha256).digest()
            assert headers["X-Zendesk-Webhook-Signature"] == base64.b64encode(digest).decode()
        assert got[0][1] == got[1][1]
        invocations = {headers["X-Zendesk-Webhook-Invocation-Id"] for headers, _ in got}
        assert len(invocations) == 2

    play(scene, role="admin")


def test_the_control_api() -> None:
    """The control API opens, answers, edits, closes and deletes tickets, tells them and the log, and sets faults."""

    async def scene(caller: Caller) -> None:
        call = caller.call
        status, told, _ = await call("POST", "/_sim/tickets", {"state": "pending", "sku": "A", "quantity": 2})
        assert (status, told["state"], told["sku"], told["quantity"]) == (201, "pending", "A", 2)
        assert (await call("POST", "/_sim/tickets/1/edit", {"status": "waiting"}))[1]["status"] == "waiting"
        assert (await call("POST", "/_sim/tickets/1/reply", {"text": "Hi"}))[1]["status"] == "open"
        assert (await call("POST", "/_sim/tickets/1/close"))[1]["status"] == "closed"
        assert (await call("POST", "/_sim/tickets/1/reply", {}))[0] == 409
        assert (await call("POST", "/_sim/tickets/9/reply", {}))[0] == 404
        await call("POST", "/_sim/tickets")
        await call("POST", "/_sim/tickets/2/delete")
        assert [row["ticket_id"] for row in (await call("GET", "/_sim/tickets"))[1]] == ["1"]
        log = (await call("GET", "/_sim/log"))[1]
        assert [entry["what"] for entry in log if entry["ticket_id"] == "1"] == [
            "opened", "state", "reply", "status", "status", "reply", "closed",
        ]  # fmt: skip
        assert (await call("GET", f"/_sim/log?after={len(log)}"))[1] == []
        _, faults, _ = await call("POST", "/_sim/faults", {"lost_jobs": 0.5, "index_lag_s": 5})
        assert (faults["lost_jobs"], faults["index_lag_s"], faults["held_back_s"]) == (0.5, 5, 60.0)
        assert (await call("POST", "/_sim/faults", {"weather": 1}))[0] == 400
        assert (await call("POST", "/_sim/faults", {}))[1]["lost_jobs"] == 0.0
        assert (await call("GET", "/_sim/health"))[1]["status"] == "ok"
        assert set((await call("GET", "/_sim/zendesk/setup"))[1]) >= {"triggers", "macros"}
        assert (await call("POST", "/_sim/zendesk/tokens", {"end": True}))[0] == 200
        assert (await call("GET", "/api/v2/groups"))[0] == 401

    play(scene)
