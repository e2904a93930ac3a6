"""The HTTP client against a real server: what is sent, what is tried again, and what an answer becomes."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from aiohttp import web

from syncd.clock import SystemClock
from syncd.sdk.errors import (
    AuthError,
    ConfigError,
    ProtocolError,
    RateLimited,
    RejectedError,
    SyncdError,
    TransientError,
)
from syncd.sdk.http import Answer, Timeouts
from syncd.sdk.limits import Budget, Window

HASTY = Timeouts(connect_s=2.0, total_s=0.1)
NO_TURN = Timeouts(budget_s=0.05)


def budget(capacity: float = 100.0) -> Budget:
    """Make a budget that hardly refills while a test runs."""
    return Budget("b", capacity=capacity, rate_per_s=1e-6, clock=SystemClock())


async def closed_port() -> str:
    """Return an address where nobody listens."""
    server = await asyncio.start_server(lambda _r, _w: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    return f"http://127.0.0.1:{port}"


# --- what is sent ------------------------------------------------------------------------------------------------


async def test_a_json_request_and_its_answer(remote: Any, client_of: Any) -> None:
    """A JSON body keeps its order, the answer is read strictly and its headers have lower-case names."""
    remote.says(web.Response(text='{"a":[1]}', headers={"X-Left": "39", "Content-Type": "application/json"}))
    client = client_of(f"{remote.url}/admin/api/")
    answer = await client.request(
        "POST", "/graph.json", params={"q": "a b&c", "n": 3}, json={"b": 1, "a": "花"}, idempotent=False
    )
    assert answer.json() == {"a": [1]}
    assert answer.decode(dict[str, list[int]]) == {"a": [1]}
    assert answer.text() == '{"a":[1]}'
    assert answer.headers["x-left"] == "39"
    assert 0 < answer.asked_at <= answer.answered_at
    assert repr(answer) == "Answer(200, 9 bytes)"
    method, path, headers, body = remote.seen[0]
    assert (method, path) == ("POST", "/admin/api/graph.json?q=a+b%26c&n=3")
    assert body == '{"b":1,"a":"花"}'.encode()
    assert headers["user-agent"] == "syncd-test/1"
    assert headers["accept"] == headers["content-type"] == "application/json"


async def test_a_form_and_raw_bytes(remote: Any, client_of: Any) -> None:
    """A form is UTF-8, raw bytes go as they are, large ones too."""
    client = client_of(remote)
    await client.request("POST", "a", form={"k": "花 &"}, idempotent=True)
    await client.request("PUT", "b", body=b"\x00" * 2_000_000, headers={"Content-Type": "text/csv"}, idempotent=True)
    assert remote.seen[0][3] == b"k=%E8%8A%B1+%26"
    assert remote.seen[0][2]["content-type"] == "application/x-www-form-urlencoded"
    assert len(remote.seen[1][3]) == 2_000_000
    assert remote.seen[1][2]["content-type"] == "text/csv"


async def test_two_bodies_are_a_mistake(client_of: Any) -> None:
    """A request with two bodies is refused before anything is sent."""
    with pytest.raises(TypeError):
        await client_of("http://127.0.0.1:9").request("POST", "/", json={}, body=b"", idempotent=True)


async def test_a_retry_sends_the_same_bytes(remote: Any, client_of: Any) -> None:
    """Every try of a call has equal bytes and headers, large bodies included."""
    for body in (b'{"key":"0198"}', b"x" * 1_500_000):
        remote.seen.clear()
        remote.says(500, remote.cuts, 200)
        answer = await client_of(remote).request("POST", "/", body=body, headers={"X-Key": "k1"}, idempotent=True)
        assert answer.doubtful
        assert len(remote.seen) == 3
        assert (
            len({(method, path, str(sorted(headers.items())), body) for method, path, headers, body in remote.seen})
            == 1
        )


async def test_connections_are_kept(remote: Any, client_of: Any) -> None:
    """Calls one after the other share one connection."""
    client = client_of(remote)
    for _ in range(20):
        await client.request("GET", "/", idempotent=True)
    assert len(remote.connections) == 1


async def test_credentials_go_to_their_own_origin_only(remote: Any, other: Any, client_of: Any) -> None:
    """An address in an answer that leads elsewhere gets no header that may hold a credential."""
    client = client_of(remote)
    headers = {
        "Authorization": "Bearer abcdef123",
        "X-Shopify-Access-Token": "t",
        "x-amz-access-token": "t",
        "Cookie": "a=b",
        "X-Other": "Bearer abcdefghij",
        "X-Page": "2",
    }
    await client.request("GET", f"{remote.url}/own", headers=headers, idempotent=True)
    await client.request("GET", f"{other.url}/foreign", headers=headers, idempotent=True)
    assert set(headers) <= {name for name in headers if name.lower() in remote.seen[0][2]}
    assert [name for name in headers if name.lower() in other.seen[0][2]] == ["X-Page"]


async def test_an_address_that_we_were_told_keeps_its_spelling(remote: Any, client_of: Any) -> None:
    """A signed address is sent as it is spelled."""
    path = "/f%2Fx.jsonl?X-Sig=a%2Fb%2B&e=%7e&q=a+b"
    await client_of(remote).request("GET", remote.url + path, idempotent=True)
    assert remote.seen[0][1] == path


@pytest.mark.parametrize(
    "url",
    [
        "http://shop.example",
        "ftp://shop.example",
        "shop.example",
        "https://",
        "https://u:p@shop.example",
        "",
        "http://[::",
    ],
)
async def test_a_base_address_must_be_https(client_of: Any, url: str) -> None:
    """An address that would send credentials readable, or is none, is refused with a remedy."""
    with pytest.raises(ConfigError, match="https"):
        client_of(url)


@pytest.mark.parametrize("url", ["http://localhost:1", "http://127.0.0.1:1", "http://[::1]:1", "https://shop.example"])
async def test_this_machine_may_be_plain(client_of: Any, url: str) -> None:
    """Simulators on this machine are reached without TLS, and others where it is allowed."""
    client_of(url)
    client_of("http://simulator:8080", allow_http=True)


@pytest.mark.parametrize("url", ["http://evil.example/x", "http://127.0.0.1:1/x", "https:///x", "https://[::/x"])
async def test_addresses_in_answers_are_not_trusted(client_of: Any, url: str) -> None:
    """A channel cannot send us to plain http, nor to this machine, nor nowhere."""
    with pytest.raises(ProtocolError):
        await client_of("https://shop.example").request("GET", url, idempotent=True)


# --- what is tried again -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("idempotent", [True, False])
async def test_a_refused_connection_is_tried_again_and_had_no_effect(client_of: Any, *, idempotent: bool) -> None:
    """When nobody listens the call is tried three times, paid three times, and certainly had no effect."""
    limit = budget()
    client = client_of(await closed_port())
    with pytest.raises(TransientError, match="no connection") as told:
        await client.request("POST", "/push", json={}, idempotent=idempotent, budget=limit, cost=10)
    assert not told.value.sent
    assert limit.available == pytest.approx(70, abs=0.1)
    assert limit.in_flight == 0


async def test_a_name_that_is_not_found_had_no_effect(client_of: Any) -> None:
    """A host that does not exist is a passing fault without effect."""
    with pytest.raises(TransientError) as told:
        await client_of("https://no-such-host.invalid").request("GET", "/", idempotent=False)
    assert not told.value.sent


@pytest.mark.parametrize(("idempotent", "tries"), [(True, 3), (False, 1)])
@pytest.mark.parametrize("fault", ["hangs", "cuts"])
async def test_a_lost_answer_is_repeated_only_where_it_is_harmless(
    remote: Any, client_of: Any, *, fault: str, idempotent: bool, tries: int
) -> None:
    """After a timeout or a cut the effect is not known, and only an idempotent call is sent again."""
    remote.says(getattr(remote, fault))
    limit = budget()
    with pytest.raises(TransientError) as told:
        await client_of(remote, timeout=HASTY).request("POST", "/", json={}, idempotent=idempotent, budget=limit)
    assert told.value.sent
    assert len(remote.seen) == tries
    assert limit.available == pytest.approx(100 - tries, abs=0.1)


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_a_broken_kept_connection_repeats_nothing_behind_our_back(
    remote: Any, client_of: Any, method: str
) -> None:
    """A PUT that is not idempotent is sent once, although the library would repeat it by its name."""
    remote.says(200, remote.cuts)
    client = client_of(remote)
    await client.request("GET", "/", idempotent=True)
    with pytest.raises(TransientError) as told:
        await client.request(method, "/delta", json={"by": -1}, idempotent=False)
    assert told.value.sent
    assert len(remote.seen) == 2


async def test_a_server_error_is_tried_again(remote: Any, client_of: Any) -> None:
    """A 5xx followed by an answer is an answer, marked as doubtful."""
    remote.says(500, 502, 200)
    answer = await client_of(remote).request("GET", "/", idempotent=True)
    assert answer.status == 200
    assert answer.doubtful
    assert len(remote.seen) == 3


async def test_a_server_error_is_not_tried_again_where_it_may_harm(remote: Any, client_of: Any) -> None:
    """A 5xx of a call that is not idempotent ends it, with the effect unknown."""
    remote.says(500)
    with pytest.raises(TransientError, match="500") as told:
        await client_of(remote).request("POST", "/", idempotent=False)
    assert told.value.sent
    assert len(remote.seen) == 1


async def test_a_doubt_outlives_the_next_try(remote: Any, client_of: Any) -> None:
    """Where the first try may have worked, no later refusal says that the call had no effect."""
    remote.says(remote.cuts, 429)
    with pytest.raises(RateLimited) as told:
        await client_of(remote).request("POST", "/", idempotent=True)
    assert told.value.sent


async def test_a_server_that_names_a_time_is_not_hurried(remote: Any, client_of: Any) -> None:
    """A 503 with Retry-After is left alone for so long, by everybody who shares the budget."""
    remote.says(web.Response(status=503, headers={"Retry-After": "7"}))
    limit = budget()
    with pytest.raises(TransientError) as told:
        await client_of(remote).request("GET", "/", idempotent=True, budget=limit)
    assert told.value.retry_after_s == 7
    assert 6 < limit.delay_s(0.0) <= 7
    assert len(remote.seen) == 1


async def test_a_single_try_can_be_asked_for(remote: Any, client_of: Any) -> None:
    """With one try nothing is repeated."""
    remote.says(500)
    with pytest.raises(TransientError):
        await client_of(remote, tries=1).request("GET", "/", idempotent=True)
    assert len(remote.seen) == 1


async def test_a_callers_own_timeout_passes_through(remote: Any, client_of: Any) -> None:
    """A cancelled call is cancelled, not turned into an error of ours, and is no longer in flight."""
    remote.says(remote.hangs)
    limit = budget()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await client_of(remote).request("GET", "/", idempotent=True, budget=limit)
    assert limit.in_flight == 0


# --- budgets -----------------------------------------------------------------------------------------------------


async def test_a_call_without_a_turn_is_not_sent(remote: Any, client_of: Any) -> None:
    """When the budget gives no turn in time, the call ends unsent and says when to come back."""
    limit = Budget("b", capacity=10, rate_per_s=0.1, clock=SystemClock())
    client = client_of(remote, timeout=NO_TURN)
    await client.request("GET", "/", idempotent=True, budget=limit, cost=10)
    with pytest.raises(TransientError, match="budget b") as told:
        await client.request("GET", "/", idempotent=True, budget=limit, cost=1)
    assert not told.value.sent
    assert told.value.retry_after_s == pytest.approx(10, abs=0.5)
    assert len(remote.seen) == 1


async def test_calls_that_are_not_urgent_leave_the_reserve(remote: Any, client_of: Any) -> None:
    """A window with a reserve lets only urgent calls into it."""
    limit = Window("w", calls=2, per_s=3_600, clock=SystemClock(), reserve=0.5)
    client = client_of(remote, timeout=NO_TURN)
    await client.request("GET", "/", idempotent=True, budget=limit, urgent=False)
    with pytest.raises(TransientError):
        await client.request("GET", "/", idempotent=True, budget=limit, urgent=False)
    await client.request("GET", "/", idempotent=True, budget=limit, urgent=True)


def http_date(after_s: float) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=after_s), usegmt=True)  # noqa: TID251  (a server's clock)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("12", 12), ("0.5", 0.5), ("in 30", 30), ("in -30", 0), ("-3", 0), ("1e9", 86_400), ("soon", None),
     ("nan", None), ("", None), ("Wed, 99 Foo 2026 25:61:61 GMT", None)],
)  # fmt: skip
async def test_a_rate_limit_tells_when_to_come_back(
    remote: Any, client_of: Any, header: str, seconds: float | None
) -> None:
    """429 is not repeated, its Retry-After is read as a number or a date, and shuts the budget."""
    text = http_date(float(header.removeprefix("in "))) if header.startswith("in ") else header
    remote.says(web.Response(status=429, headers={"Retry-After": text} if text else {}))
    limit = budget()
    with pytest.raises(RateLimited) as told:
        await client_of(remote).request("POST", "/", idempotent=True, budget=limit)
    assert len(remote.seen) == 1
    assert not told.value.sent
    assert told.value.retry_after_s == (None if seconds is None else pytest.approx(seconds, abs=2))
    assert limit.delay_s(0.0) == pytest.approx(1.0 if seconds is None else min(seconds, 3_600), abs=2)


# --- what an answer becomes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "error"),
    [(201, ProtocolError), (204, ProtocolError), (301, ProtocolError), (302, ProtocolError), (304, ProtocolError),
     (400, RejectedError), (401, AuthError), (402, AuthError), (403, AuthError), (404, RejectedError),
     (405, RejectedError), (408, TransientError), (409, RejectedError), (410, RejectedError), (422, RejectedError),
     (423, AuthError), (425, TransientError), (429, RateLimited), (430, AuthError), (451, RejectedError),
     (500, TransientError), (502, TransientError), (503, TransientError), (504, TransientError), (599, TransientError)],
)  # fmt: skip
async def test_the_table_of_statuses(remote: Any, client_of: Any, status: int, error: type[SyncdError]) -> None:
    """Each status that was not expected is the error that says what happens next."""
    remote.says(web.Response(status=status, text="" if status in (204, 304) else '{"message":"why"}'))
    with pytest.raises(SyncdError) as told:
        await client_of(remote).request("POST", "/orders/7", idempotent=False)
    assert type(told.value) is error
    assert str(status) in str(told.value)
    assert "POST 127.0.0.1/orders/7" in str(told.value)
    if error in (RejectedError, AuthError):
        assert "why" in str(told.value)


async def test_what_is_expected_is_an_answer(remote: Any, client_of: Any) -> None:
    """A status that the caller expects is an answer, whatever it is."""
    for status in (201, 204, 302, 404, 429, 503):
        remote.says(status)
        assert (await client_of(remote).request("POST", "/", idempotent=False, expect=(status,))).status == status


async def test_redirects_are_not_followed(remote: Any, other: Any, client_of: Any) -> None:
    """A redirect is not understood; its message names the host and not the query."""
    remote.says(web.Response(status=302, headers={"Location": "https://login.example/x?token=abcdef"}))
    with pytest.raises(ProtocolError, match=r"login\.example") as told:
        await client_of(remote).request("GET", "/", idempotent=True)
    assert "abcdef" not in str(told.value)
    remote.says(web.Response(status=307, headers={"Location": other.url}))
    with pytest.raises(ProtocolError):
        await client_of(remote).request("POST", "/", idempotent=True)
    assert other.seen == []


PAGE = "<!DOCTYPE html><html><body>Scheduled maintenance</body></html>"


@pytest.mark.parametrize(
    ("content", "kind", "body", "page"),
    [("json", "text/html", PAGE, True), ("json", "application/json", "  <html>", True),
     ("json", "text/html; charset=utf-8", "Service Unavailable", True),
     ("json", "text/plain", "<?xml version='1.0'?>", True),
     ("json", "text/html", "", False), ("json", "text/plain", "{}", False), ("xml", "text/html", PAGE, True),
     ("xml", "text/xml", "<?xml version='1.0'?><a/>", False), ("xml", "text/html", "<Result/>", False),
     ("text", "text/html", PAGE, False), ("bytes", "text/html", PAGE, False)],
)  # fmt: skip
async def test_a_web_page_is_not_an_answer(
    remote: Any, client_of: Any, *, content: str, kind: str, body: str, page: bool
) -> None:
    """A page where data was expected is not understood, and a sample of it is kept."""
    remote.says(web.Response(body=body.encode(), headers={"Content-Type": kind}))
    call = client_of(remote).request("GET", "/", idempotent=True, content=content)
    if not page:
        assert (await call).body == body.encode()
        return
    with pytest.raises(ProtocolError, match="web page") as told:
        await call
    assert told.value.sample.startswith(body.strip()[:20])
    assert len(remote.seen) == 1


async def test_json_that_is_none_is_told_when_it_is_read(remote: Any, client_of: Any) -> None:
    """A body that is not strict JSON, or not UTF-8, raises when it is read."""
    remote.says(web.Response(body=b'{"a":NaN,"b":"\xff"}', content_type="application/json"))
    answer = await client_of(remote).request("GET", "/", idempotent=True)
    for read in (answer.json, answer.text):
        with pytest.raises(ProtocolError, match="byte"):
            read()


async def test_an_adapters_own_table_comes_first(remote: Any, client_of: Any) -> None:
    """`classify` decides before the general table, for expected answers too, and its limits shut the budget."""

    def classify(answer: Answer) -> SyncdError | None:
        if answer.status == 403:
            return RateLimited("quota", retry_after_s=5)
        return RejectedError("no such shop") if b"nope" in answer.body else None

    client = client_of(remote)
    remote.says(web.json_response({"error": "nope"}))
    with pytest.raises(RejectedError, match="no such shop"):
        await client.request("GET", "/", idempotent=True, classify=classify)
    limit = budget()
    remote.says(403)
    with pytest.raises(RateLimited, match="quota"):
        await client.request("GET", "/", idempotent=True, classify=classify, budget=limit)
    assert limit.delay_s(0.0) > 4
    remote.says(404)
    with pytest.raises(RejectedError, match="404"):
        await client.request("GET", "/", idempotent=True, classify=classify)
