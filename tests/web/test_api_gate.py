"""The gate of the API on the network: tokens and their scopes, rates, and requests that come twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from syncd.sdk.secret import Secret
from syncd.store import api_answers, api_tokens
from syncd.store.api_answers import FORGOTTEN, KEPT_US, Kept
from syncd.store.api_tokens import Token
from syncd.web.api import public_app
from syncd.web.api_gate import Rates, digest_of
from syncd.web.api_shape import Scope
from syncd.web.metrics import Metrics
from syncd.web.status import Standings
from syncd.web.strangers import PLACES, Strangers
from tests.web.conftest import Api
from tests.web.rig import TOKEN, Rig, running, served, settings_of

MINUTE_US = 60_000_000


def token_of(name: str) -> str:
    return f"syncd_{name:x<12}_{'t' * 43}"


async def make(rig: Rig, name: str, scope: Scope) -> str:
    made = token_of(name)
    token = Token(name=name, public_id=f"{name:x<12}", scope=scope, digest=digest_of(made), created_at=rig.clock.now())
    assert await rig.plant.store.write(lambda conn: api_tokens.add(conn, token))
    return made


class Net:
    """Asks the API on the network."""

    def __init__(self, session: aiohttp.ClientSession, base: str) -> None:
        self._session = session
        self._base = base

    async def ask(
        self, method: str, path: str, *, token: str = TOKEN, body: Any = None, key: str | None = None
    ) -> tuple[int, Any, Any]:
        """Return status, JSON and headers of an answer."""
        headers = {"Authorization": f"Bearer {token}"}
        if key is not None:
            headers["Idempotency-Key"] = key
        async with self._session.request(method, f"{self._base}/api/v1{path}", json=body, headers=headers) as answer:
            return answer.status, await answer.json(), answer.headers


@asynccontextmanager
async def network(rig: Rig) -> AsyncIterator[Net]:
    async with served(public_app(rig.plant)) as base, aiohttp.ClientSession() as session:
        yield Net(session, base)


@pytest.fixture
async def net(rig: Rig) -> AsyncIterator[Net]:
    async with network(rig) as made:
        yield made


READ = ("GET", "/stock", None)
OPERATE = ("POST", "/stock/count", {"rows": [{"sku": "A", "quantity": 3}]})
ADMIN = ("POST", "/accounts/shop/pause", {})


@pytest.mark.parametrize(
    ("scope", "statuses"),
    [(Scope.READ, (200, 403, 403)), (Scope.OPERATE, (200, 200, 403)), (Scope.ADMIN, (200, 200, 200))],
)
async def test_a_token_reaches_as_far_as_its_scope(rig: Rig, net: Net, scope: Scope, statuses: tuple[int, ...]) -> None:
    """Reading, operating and administering need a token each that may do it; the answer names what is missing."""
    await rig.know("A")
    token = await make(rig, "t", scope)
    for (method, path, body), wanted in zip((READ, OPERATE, ADMIN), statuses, strict=True):
        status, told, _ = await net.ask(method, path, token=token, body=body)
        assert status == wanted, told
        if status == 403:
            assert (told["error"]["code"], "scope" in told["error"]["message"]) == ("forbidden", True)


async def test_a_wrong_or_revoked_token_opens_nothing(rig: Rig, net: Net) -> None:
    """Another secret under a known id, a token that was revoked, and one that nobody made are all refused alike."""
    good = await make(rig, "t", Scope.ADMIN)
    assert (await net.ask("GET", "/stock", token=good))[0] == 200
    answers = [await net.ask("GET", "/stock", token=bad) for bad in (good[:-1] + "u", token_of("nobody"), "", "x")]
    assert await rig.plant.store.write(lambda conn: api_tokens.revoke(conn, "t", now=rig.clock.now()))
    answers.append(await net.ask("GET", "/stock", token=good))
    assert [status for status, _, _ in answers] == [401] * 5
    assert len({str(told) for _, told, _ in answers}) == 1


async def test_it_is_noted_when_a_token_was_used(rig: Rig, net: Net) -> None:
    """The last use is noted, at most once a minute."""
    token = await make(rig, "t", Scope.READ)
    first = rig.clock.now()
    for later in (0, 1_000_000, MINUTE_US):
        rig.clock.instant = first + later
        await net.ask("GET", "/stock", token=token)
        (found,) = await rig.plant.store.read(api_tokens.all_of_them)
        assert found.last_used_at == (first + later if later in (0, MINUTE_US) else first)


async def test_an_actor_is_who_asks(rig: Rig, net: Net) -> None:
    """A change by a token has its name in the ledger, unless the request names somebody."""
    await rig.know("A")
    token = await make(rig, "till", Scope.OPERATE)
    await net.ask(*OPERATE[:2], token=token, body=OPERATE[2])
    await net.ask(*OPERATE[:2], token=token, body={"rows": [{"sku": "A", "quantity": 4}], "actor": "Hana"})
    _, told, _ = await net.ask("GET", "/stock/A", token=token)
    assert {entry["actor"] for entry in told["movements"]} == {"token:till", "Hana"}


async def test_too_many_requests_have_to_wait(tmp_path: Any) -> None:
    """A token that asks too often is told when to go on; another one is served meanwhile."""
    settings = settings_of(tmp_path, ["shop", "mall"])
    settings = replace(settings, http=replace(settings.http, requests_per_minute=2))
    async with running(tmp_path, settings=settings) as rig, network(rig) as net:
        other = await make(rig, "t", Scope.READ)
        found = [await net.ask("GET", "/stock") for _ in range(4)]
        assert [status for status, _, _ in found][:2] == [200, 200]
        status, told, headers = found[-1]
        assert (status, told["error"]["code"]) == (429, "too_many")
        assert 1 <= int(headers["Retry-After"]) <= 30
        assert (await net.ask("GET", "/stock", token=other))[0] == 200


class Ticks:
    """Time that a test sets."""

    at = 0.0

    def monotonic(self) -> float:
        return self.at

    def now(self) -> int:
        return 0


def test_a_bucket_fills_evenly() -> None:
    """Of 60 requests a minute one more is free every second, and never more than 60 at once."""
    clock = Ticks()
    rates = Rates(per_minute=60, clock=clock)
    assert [rates.take("a") for _ in range(60)] == [0.0] * 60
    assert rates.take("a") == pytest.approx(1.0)
    clock.at = 1.0
    assert [rates.take("a"), rates.take("b")] == [0.0, 0.0]
    clock.at = 1_000.0
    assert [rates.take("a") for _ in range(61)].count(0.0) == 60


async def test_a_repeat_gets_the_first_answer(rig: Rig, net: Net) -> None:
    """A request under an idempotency key is done once, also with another body's worth of time in between."""
    await rig.know("A")
    await rig.count(A=1)
    move = {"move": "receive", "rows": [{"sku": "A", "quantity": 5}]}
    first, again = [await net.ask("POST", "/stock/move", body=move, key="k-1") for _ in range(2)]
    assert (first[0], first[1]) == (again[0], again[1]) == (200, first[1])
    assert ("Idempotency-Replayed" in first[2], again[2]["Idempotency-Replayed"]) == (False, "true")
    status, told, _ = await net.ask("POST", "/stock/move", body={**move, "reason": "x"}, key="k-1")
    assert (status, told["error"]["code"]) == (422, "key_reused")
    assert (await net.ask("POST", "/stock/move", body=move, key="k-2"))[0] == 200
    assert (await net.ask("GET", "/stock/A"))[1]["stock"]["on_hand"] == 11
    rig.clock.instant += KEPT_US + 1


async def test_a_key_belongs_to_its_token(rig: Rig, net: Net) -> None:
    """Two tokens may use the same key for different things."""
    await rig.know("A")
    other = await make(rig, "t", Scope.OPERATE)
    assert (await net.ask("POST", "/stock/count", body={"rows": [{"sku": "A", "quantity": 1}]}, key="k"))[0] == 200
    body = {"rows": [{"sku": "A", "quantity": 2}]}
    status, _, headers = await net.ask("POST", "/stock/count", body=body, key="k", token=other)
    assert (status, "Idempotency-Replayed" in headers) == (200, False)


async def test_a_lost_answer_is_no_second_change(rig: Rig, net: Net) -> None:
    """Where a change was made and its answer was not kept, a repeat finds the change by the same key."""
    await rig.know("A")
    move = {"move": "receive", "rows": [{"sku": "A", "quantity": 5}]}
    await net.ask("POST", "/stock/move", body=move, key="k")
    rig.clock.instant += KEPT_US + 1
    status, told, _ = await net.ask("POST", "/stock/move", body=move, key="k")
    assert (status, told["duplicate"]) == (200, True)
    assert (await net.ask("GET", "/stock/A"))[1]["stock"]["on_hand"] == 5


async def test_twins_at_once_are_one_request(rig: Rig, net: Net) -> None:
    """Of two requests under one key at the same moment one is told to wait or gets the answer of the other."""
    await rig.know("A")
    move = {"move": "receive", "rows": [{"sku": "A", "quantity": 5}]}
    async with asyncio.TaskGroup() as group:
        twins = [group.create_task(net.ask("POST", "/stock/move", body=move, key="k")) for _ in range(4)]
    statuses = sorted(task.result()[0] for task in twins)
    assert statuses[0] == 200
    assert set(statuses) <= {200, 409}
    assert (await net.ask("GET", "/stock/A"))[1]["stock"]["on_hand"] == 5


@pytest.mark.parametrize("key", ["", "two words", "x" * 256, "鍵"])
async def test_a_strange_key_is_refused(net: Net, key: str) -> None:
    """A key has 1 to 255 visible ASCII signs."""
    status, told, _ = await net.ask("POST", "/stock/count", body={}, key=key)
    assert (status, told["error"]["code"]) == (400, "bad_request")


async def test_a_wrong_request_is_kept_and_an_unsettled_one_is_not(tmp_path: Any) -> None:
    """A repeat of a wrong request is as wrong; what waits for a person is asked anew, and then it has ended."""
    async with running(tmp_path) as rig, network(rig) as net:
        wrong = {"rows": [{"sku": "NONE", "quantity": 1}]}
        first, again = [await net.ask("POST", "/stock/count", body=wrong, key="k") for _ in range(2)]
        assert (first[:2], "Idempotency-Replayed" in again[2]) == (again[:2], True)
        assert first[0] == 400


async def test_old_answers_go(rig: Rig) -> None:
    """Answers older than a day are taken away as new ones come."""
    kept = Kept(fingerprint="f", status=200, body=b"{}")
    for number in range(FORGOTTEN + 1):
        await rig.plant.store.write(lambda conn, n=number: api_answers.keep(conn, "t", f"k{n}", kept, now=n + 1))
    now = rig.clock.now()
    await rig.plant.store.write(lambda conn: api_answers.keep(conn, "t", "new", kept, now=now))
    await rig.plant.store.write(lambda conn: api_answers.keep(conn, "t", "k0", kept, now=now + 1))
    found = await rig.plant.store.read(lambda conn: api_answers.find(conn, "t", "k0", now=now + 2))
    assert found == kept
    assert await rig.plant.store.read(lambda conn: api_answers.find(conn, "t", "k5", now=now)) is None


async def test_tokens_are_an_admins_word(rig: Rig, api: Api, net: Net) -> None:
    """Tokens are listed, made and revoked by an admin, each once however often it is said; no answer holds a hash."""
    secret = token_of("till")
    made = {"name": "till", "scope": "read", "public_id": secret[6:18], "digest": digest_of(secret)}
    staff = await make(rig, "staff", Scope.OPERATE)
    for method, path, body in (
        ("GET", "/tokens", None),
        ("POST", "/tokens", made),
        ("POST", "/tokens/till/revoke", {}),
    ):
        assert (await net.ask(method, path, body=body, token=staff))[0] == 403
    assert (await net.ask("GET", "/stock", token=secret))[0] == 401
    assert [(await net.ask("POST", "/tokens", body=made))[0] for _ in range(2)] == [201, 201]
    assert (await net.ask("GET", "/stock", token=secret))[0] == 200
    assert (await api.post("/tokens", {**made, "scope": "admin"}))[0] == 409
    assert (await api.post("/tokens", {**made, "public_id": "b" * 12}))[0] == 409
    assert (await api.post("/tokens", {**made, "name": "settings", "public_id": "b" * 12}))[0] == 409
    _, told, _ = await net.ask("GET", "/tokens")
    named = [(row["name"], row["scope"], row["created_by"], row["revoked_at"]) for row in told["rows"]]
    assert named == [("staff", "operate", "", None), ("till", "read", "token:settings", None)]
    assert made["digest"] not in str(told)
    assert [(await net.ask("POST", "/tokens/till/revoke", body={}))[0] for _ in range(2)] == [200, 200]
    assert (await net.ask("GET", "/stock", token=secret))[0] == 401
    assert (await api.post("/tokens/nobody/revoke", {}))[0] == 404


async def test_answers_are_counted(rig: Rig, net: Net) -> None:
    """Metrics tell how many requests of each scope were served, and how many were refused."""
    token = await make(rig, "t", Scope.READ)
    await net.ask("GET", "/stock", token=token)
    await net.ask(*ADMIN[:2], token=token, body={})
    told = await Metrics(rig.plant, Standings(rig.plant)).text()
    assert 'syncd_api_requests_total{scope="read",code="2xx"} 1' in told
    assert 'syncd_api_requests_total{scope="admin",code="4xx"} 1' in told


async def test_without_any_token_nobody_gets_in(tmp_path: Any) -> None:
    """A daemon whose settings have no token and that knows none refuses every request."""
    settings = settings_of(tmp_path, ["shop", "mall"])
    settings = replace(settings, http=replace(settings.http, api_token=Secret("")))
    async with running(tmp_path, settings=settings) as rig, network(rig) as net:
        assert [(await net.ask("GET", "/stock", token=token))[0] for token in ("", TOKEN, "settings")] == [401] * 3


def test_strangers_are_counted_by_address() -> None:
    """An address has a minute's requests at once, and gets them back evenly; another has its own; nothing grows."""
    clock = Ticks()
    strangers = Strangers(per_minute=5, key=b"k", clock=clock)
    assert [strangers.take("a") for _ in range(5)] == [0.0] * 5
    assert strangers.wait_s("a") == strangers.take("a") == pytest.approx(12.0)
    assert strangers.take("b") == 0.0
    clock.at += 11.0
    assert strangers.take("a") == pytest.approx(1.0)
    clock.at += 1.0
    assert strangers.take("a") == 0.0
    assert strangers.take("a") == pytest.approx(12.0)
    for number in range(1_000):
        strangers.take(f"2001:db8:{number:x}::/64")
    assert len(strangers._taken) == len(strangers._at_s) == PLACES


async def test_who_has_no_token_asks_only_so_often(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wrong tokens cost the store nothing after a while and are told when to come again; who has one is served on."""
    settings = rig.plant.settings
    rig.plant.settings = replace(settings, http=replace(settings.http, stranger_requests_per_minute=5))
    async with network(rig) as net:
        good, late = await make(rig, "till", Scope.READ), await make(rig, "late", Scope.READ)
        assert (await net.ask("GET", "/stock", token=good))[0] == 200
        for wrong in (token_of("nobody"), "x", "", token_of("none"), token_of("till")[:-1] + "u"):
            assert (await net.ask("GET", "/stock", token=wrong))[0] == 401
        status, told, headers = await net.ask("GET", "/stock", token=token_of("nobody"))
        assert (status, told["error"]["code"]) == (429, "too_many")
        assert 1 <= int(headers["Retry-After"]) <= 12
        asked: list[str] = []
        monkeypatch.setattr(api_tokens, "by_id", lambda _, public_id: asked.append(public_id))
        assert (await net.ask("GET", "/stock", token=token_of("more")))[0] == 429
        assert asked == []
        monkeypatch.undo()
        assert (await net.ask("GET", "/stock", token=good))[0] == 200
        assert (await net.ask("GET", "/stock"))[0] == 200
        assert (await net.ask("GET", "/stock", token=late))[0] == 429
