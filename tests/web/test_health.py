"""Health, metrics and the doors of the two applications."""

from __future__ import annotations

import asyncio
import re
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from syncd.core.plan import Lane
from syncd.core.terms import AccountId, OutcomeKind
from syncd.sdk.errors import ConfigError
from syncd.sdk.secret import Secret
from syncd.store import history
from syncd.store.history import Intent
from syncd.store.session import StoreBusy, StoreFull
from syncd.web import health
from syncd.web.api import control_app, control_socket, public_app
from syncd.web.kept import Kept
from syncd.web.metrics import labelled, render
from tests.web.conftest import Api
from tests.web.rig import TOKEN, Rig, served


async def text_of(api: Api, path: str) -> tuple[int, str]:
    async with api.session.get(f"http://syncd{path}") as answer:
        return answer.status, await answer.text()


async def test_health_says_ready(rig: Rig, api: Api) -> None:
    """A daemon whose store takes writes is alive and ready; before its inbox is decided it is only alive."""
    assert await text_of(api, "/livez") == (200, "ok\n")
    assert await text_of(api, "/readyz") == (200, '{"ready":true,"reasons":[]}')
    rig.plant.ready.clear()
    status, told = await text_of(api, "/readyz")
    assert (status, "last run" in told) == (503, True)
    assert (await text_of(api, "/livez"))[0] == 200


class Failing:
    """A store whose writes end so; the daemon's own store stays whole."""

    def __init__(self, error: Exception | None) -> None:
        self.error = error

    async def write(self, _: Callable[..., Any]) -> None:
        if self.error is not None:
            raise self.error
        await asyncio.Event().wait()


async def readiness(rig: Rig, store: Failing) -> health.Readiness:
    plant: Any = SimpleNamespace(store=store, ready=rig.plant.ready, clock=rig.plant.clock)
    return await health.Health(plant).readiness()


async def test_health_says_what_the_store_does(rig: Rig) -> None:
    """A store that takes no writes makes the daemon not ready, and says why."""
    found = await readiness(rig, Failing(StoreFull("no space left on device")))
    assert (found.ready, found.reasons) == (False, ("the store does not take writes: no space left on device",))


async def test_a_store_that_hangs_is_not_ready(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that does not end is given up after its limit."""
    monkeypatch.setattr(health, "PROBE_S", 0.01)
    found = await readiness(rig, Failing(None))
    assert (found.ready, "did not take a write" in found.reasons[0]) == (False, True)


async def test_a_question_that_was_just_answered_is_not_asked_again(rig: Rig) -> None:
    """Those who ask at once, and soon after, share one answer."""
    asked = 0

    async def ask() -> int:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0)
        return asked

    kept = Kept(ask, seconds=60.0, clock=rig.clock)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(kept.get()) for _ in range(3)]
    assert [task.result() for task in tasks] == [1, 1, 1]
    assert await Kept(ask, seconds=0.0, clock=rig.clock).get() == 2


async def test_metrics_stay_few(rig: Rig, api: Api) -> None:
    """The number of series does not grow with the SKUs, and each line is of the text form."""
    await rig.catalogue("shop", *((f"r{number}", f"S{number}") for number in range(500)))
    await rig.count(**{f"S{number}": number for number in range(500)})
    status, told = await text_of(api, "/metrics")
    assert status == 200
    lines = [line for line in told.splitlines() if not line.startswith("#")]
    assert len(lines) < 80
    assert all(
        re.fullmatch(r'syncd_[a-z_]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? -?[0-9.e+-]+', line) for line in lines
    )
    assert "S1" not in told
    assert 'syncd_listings{account="shop",what="listings"} 500' in lines
    assert 'syncd_writes_waiting{account="shop",lane="read"} 500' in lines
    assert 'syncd_channel_up{account="mall"} 1' in lines


async def test_writes_are_counted_once(rig: Rig, api: Api) -> None:
    """Ended writes are counted from the first question on, each once, and one that has no outcome not yet."""
    await rig.catalogue("shop", ("r1", "A"))
    await text_of(api, "/metrics")
    await rig.plant.store.write(lambda conn: add_writes(conn, ["k1", "k2", "k3"]))
    await rig.plant.store.write(lambda conn: end(conn, "k1"))
    assert await counted(api) == {"applied": "1"}
    assert await counted(api) == {"applied": "1"}
    await rig.plant.store.write(lambda conn: end(conn, "k3"))
    assert await counted(api) == {"applied": "1"}
    await rig.plant.store.write(lambda conn: end(conn, "k2"))
    assert await counted(api) == {"applied": "3"}


async def counted(api: Api) -> dict[str, str]:
    _, told = await text_of(api, "/metrics")
    return dict(re.findall(r'syncd_writes_total\{account="shop",outcome="(\w+)"\} (\d+)', told))


def add_writes(conn: Any, keys: list[str]) -> None:
    intents = [
        Intent(
            listing_id=1,
            account=AccountId("shop"),
            key=key,
            mode="absolute",
            quantity=1,
            expected=None,
            delta=None,
            target=1,
            lane=Lane.RAISE,
            intended_at=1,
            effect_until=2,
        )
        for key in keys
    ]
    history.add_intents(conn, intents)


def end(conn: Any, key: str) -> None:
    (sent,) = history.sent(conn, [key]).values()
    row = {"k": sent.id, "v_state": OutcomeKind.APPLIED.value, "v_open": False, "v_answered_at": 3}
    history.end_writes(conn, [{**row, "v_effect_until": 3, "v_reason": ""}])


def test_a_label_is_escaped() -> None:
    """Quotes, backslashes and line ends in a label do not break a line."""
    made = labelled("x", "Text.", by=("name",), values=[(('a"\\\n',), 1.0)])
    assert render(iter([made])).splitlines()[-1] == 'syncd_x{name="a\\"\\\\\\n"} 1'


# --- doors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (None, 401),
        ("", 401),
        ("Bearer wrong", 401),
        (TOKEN, 401),
        (f"Basic {TOKEN}", 401),
        (f"Bearer {TOKEN}x", 401),
        (f"Bearer {TOKEN}", 200),
        (f"bearer  {TOKEN}", 200),
    ],
)
async def test_the_network_asks_for_the_token(rig: Rig, header: str | None, status: int) -> None:
    """On the network each call of the API needs the token, and what comes in carries the source `api`."""
    async with served(public_app(rig.plant)) as url, aiohttp.ClientSession() as session:
        headers = {} if header is None else {"Authorization": header}
        for path in ("/api/v1/status", "/api/v1/nothing"):
            async with session.get(url + path, headers=headers) as answer:
                assert answer.status == (404 if status == 200 and path.endswith("nothing") else status)
                assert ("WWW-Authenticate" in answer.headers) is (status == 401)


async def test_without_a_token_the_api_lets_nobody_in(rig: Rig) -> None:
    """Without a token the network has health, metrics and webhooks, and the API lets nobody in."""
    settings = rig.plant.settings
    rig.plant.settings = replace(settings, http=replace(settings.http, api_token=Secret("")))

    async def hook(_: web.Request) -> web.Response:
        return web.Response(text="hooked")

    app = public_app(rig.plant, [web.post("/webhooks/{account}", hook)])
    async with served(app) as url, aiohttp.ClientSession() as session:
        expected = {"/livez": 200, "/readyz": 200, "/metrics": 200, "/api/v1/status": 401}
        for path, status in expected.items():
            async with session.get(url + path, headers={"Authorization": "Bearer "}) as answer:
                assert answer.status == status, path
        async with session.post(url + "/webhooks/shop") as answer:
            assert await answer.text() == "hooked"


async def test_metrics_can_be_switched_off(rig: Rig) -> None:
    """A shop that wants no metrics on the network has none there."""
    settings = rig.plant.settings
    rig.plant.settings = replace(settings, http=replace(settings.http, metrics=False))
    async with (
        served(public_app(rig.plant)) as url,
        aiohttp.ClientSession() as session,
        session.get(url + "/metrics") as answer,
    ):
        assert answer.status == 404


def test_the_control_socket_is_its_owner_s(tmp_path: Path) -> None:
    """The socket has mode 0600, replaces one that a dead daemon left, and nothing else."""
    path = tmp_path / "syncd.sock"
    control_socket(path).close()
    with control_socket(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    other = tmp_path / "precious"
    other.write_text("data")
    with pytest.raises(ConfigError):
        control_socket(other)
    assert other.read_text() == "data"
    with pytest.raises(ConfigError):
        control_socket(tmp_path / "nowhere" / "syncd.sock")


@pytest.mark.parametrize(
    ("error", "status", "retry_after"), [(StoreBusy("1000 reads wait"), 503, "5"), (KeyError("secret"), 500, None)]
)
async def test_faults_are_told_as_json(rig: Rig, error: Exception, status: int, retry_after: str | None) -> None:
    """A busy store is 503 with a time to come again, and a bug is 500 without its text."""

    class Unreadable:
        async def read(self, _: Callable[..., Any]) -> None:
            raise error

    store: Any = Unreadable()
    app = control_app(replace(rig.plant, store=store))
    async with served(app) as url, aiohttp.ClientSession() as session, session.get(f"{url}/api/v1/stock") as answer:
        told = await answer.json()
        assert (answer.status, answer.headers.get("Retry-After")) == (status, retry_after)
        assert (set(told["error"]), "secret" in str(told)) == ({"code", "message", "problems"}, False)


async def test_what_is_not_there_is_told(rig: Rig, api: Api) -> None:
    """A path or a method that is not there is 404 as JSON."""
    told = (await api.get("/nothing"))[1]["error"]
    assert told == {"code": "not_found", "message": "there is no GET /api/v1/nothing", "problems": []}
    assert (await api.post("/status", {}))[0] == 404


async def test_bodies_are_strict(rig: Rig, api: Api) -> None:
    """A key that stands twice, a number that is none, and a body above the limit are refused."""
    url = "http://syncd/api/v1/stock/count"
    for body in (b'{"rows": [], "rows": []}', b'{"rows": NaN}', b"[", b"\xff"):
        async with api.session.post(url, data=body) as answer:
            assert answer.status == 400, body
