"""Bodies that are too large, streams of lines, and secrets that must show nowhere."""

from __future__ import annotations

import asyncio
import gzip
import io
import logging
import traceback
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest
from aiohttp import web

from syncd import log
from syncd.sdk.errors import ProtocolError, RejectedError, SyncdError, TransientError
from syncd.sdk.http import Answer, Client, Timeouts
from syncd.sdk.secret import Secret

HASTY = Timeouts(connect_s=2.0, total_s=0.1)


class Source:
    """Streams the given pieces, then ends, hangs or cuts."""

    def __init__(self, *pieces: bytes, ending: str = "ends") -> None:
        self.pieces = pieces
        self.ending = ending
        self.closed = asyncio.Event()

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        try:
            for piece in self.pieces:
                await response.write(piece)
            if self.ending == "hangs":
                await asyncio.Event().wait()
            if self.ending == "cuts":
                assert request.transport is not None
                request.transport.abort()
            while self.ending == "goes on":
                await response.write(b"more\n" * 1_000)
        finally:
            self.closed.set()
        return response


async def lines_of(client: Client, url: str, **options: Any) -> list[bytes]:
    async with aclosing(generator(client, url, **options)) as lines:
        return [line async for line in lines]


def generator(client: Client, url: str, **options: Any) -> Any:
    stream: AsyncIterator[bytes] = client.stream_lines(url, **options)
    return stream


@pytest.mark.parametrize("chunked", [True, False])
async def test_a_body_above_the_limit_is_not_read(remote: Any, client_of: Any, *, chunked: bool) -> None:
    """A body larger than the limit is not understood, whether its length is told or not."""
    remote.says(Source(b"x" * 600, b"x" * 600) if chunked else web.Response(body=b"x" * 1_200))
    client = client_of(remote)
    with pytest.raises(ProtocolError, match="larger than 1000 bytes"):
        await client.request("GET", "/", idempotent=True, content="bytes", most_bytes=1_000)
    assert len(remote.seen) == 1
    remote.says(Source(b"x" * 500, b"x" * 500))
    answer = await client.request("GET", "/", idempotent=True, content="bytes", most_bytes=1_000)
    assert len(answer.body) == 1_000


async def test_a_compressed_bomb_is_cut_at_the_limit(remote: Any, client_of: Any) -> None:
    """A small body that unpacks to a large one counts as the large one."""
    bomb = gzip.compress(b"0" * 20_000_000)
    assert len(bomb) < 50_000
    remote.says(web.Response(body=bomb, headers={"Content-Encoding": "gzip", "Content-Type": "application/json"}))
    with pytest.raises(ProtocolError, match="larger than 1000000 bytes"):
        await client_of(remote).request("GET", "/", idempotent=True, most_bytes=1_000_000)


async def test_a_broken_body_is_a_lost_answer(remote: Any, client_of: Any) -> None:
    """A body that is cut in the middle is no answer, and the effect is not known."""
    remote.says(Source(b'{"a":', ending="cuts"))
    with pytest.raises(TransientError) as told:
        await client_of(remote).request("POST", "/", idempotent=False)
    assert told.value.sent


async def test_bytes_that_are_no_http_are_not_understood(client_of: Any) -> None:
    """A server that does not speak HTTP is not tried again."""
    calls = 0

    async def nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal calls
        calls += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"220 mail.example ESMTP ready\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(nonsense, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        with pytest.raises(ProtocolError, match="not HTTP"):
            await client_of(url).request("GET", "/", idempotent=True)
    assert calls == 1


# --- lines -------------------------------------------------------------------------------------------------------


async def test_lines_come_whole_whatever_the_pieces(remote: Any, client_of: Any) -> None:
    """Lines are put together across pieces, without line ends, empty ones left out, the last one without end too."""
    remote.says(Source(b'{"a":1}\n{"b', b'":2}\r\n', b"\n\r\n", b"x" * 100_000, b"y\nla", b"st"))
    assert await lines_of(client_of(remote), remote.url) == [
        b'{"a":1}',
        b'{"b":2}',
        b"x" * 100_000 + b"y",
        b"last",
    ]
    remote.says(Source())
    assert await lines_of(client_of(remote), remote.url) == []


async def test_a_compressed_file_is_unpacked(remote: Any, client_of: Any) -> None:
    """A file with a Content-Encoding comes as its lines."""
    remote.says(web.Response(body=gzip.compress(b"a\nb\n"), headers={"Content-Encoding": "gzip"}))
    assert await lines_of(client_of(remote), remote.url) == [b"a", b"b"]


@pytest.mark.parametrize("pieces", [(b"a\n" + b"x" * 2_000 + b"\n",), (b"x" * 600, b"x" * 600)])
async def test_a_line_has_a_longest_length(remote: Any, client_of: Any, pieces: tuple[bytes, ...]) -> None:
    """A line above the limit is not understood, before it is whole."""
    remote.says(Source(*pieces))
    with pytest.raises(ProtocolError, match="longer than 1000"):
        await lines_of(client_of(remote), remote.url, most_line_bytes=1_000)


async def test_a_file_that_is_cut_is_not_whole(remote: Any, client_of: Any) -> None:
    """The lines before a cut come, then the fault, never a silent end."""
    remote.says(Source(b"a\nb\n", b"c", ending="cuts"))
    lines = generator(client_of(remote), remote.url)
    assert [await anext(lines), await anext(lines)] == [b"a", b"b"]
    with pytest.raises(TransientError):
        await anext(lines)


async def test_a_file_that_stands_still_is_given_up(remote: Any, client_of: Any) -> None:
    """A wait for more of a file ends by itself."""
    remote.says(Source(b"a\n", ending="hangs"))
    with pytest.raises(TransientError, match="in time"):
        await lines_of(client_of(remote, timeout=HASTY), remote.url)


async def test_a_file_without_end_is_given_up(remote: Any, client_of: Any) -> None:
    """Reading one file has a longest time."""
    remote.says(Source(ending="goes on"))
    with pytest.raises(TransientError, match="did not end in time"):
        await lines_of(client_of(remote), remote.url, most_s=0.05)


async def test_leaving_early_closes_the_connection(remote: Any, client_of: Any) -> None:
    """Who has seen enough leaves, and the server hears of it."""
    source = Source(ending="goes on")
    remote.says(source)
    async with aclosing(generator(client_of(remote), remote.url)) as lines:
        async for line in lines:
            assert line == b"more"
            break
    async with asyncio.timeout(2):
        await source.closed.wait()


async def test_a_file_that_is_not_there_is_told_as_any_answer(remote: Any, client_of: Any) -> None:
    """The table of statuses, and an adapter's own, hold for files too."""

    def classify(answer: Answer) -> SyncdError | None:
        return TransientError("made anew") if answer.status == 403 else None

    remote.says(404)
    with pytest.raises(RejectedError, match="404"):
        await lines_of(client_of(remote), remote.url)
    remote.says(403)
    with pytest.raises(TransientError, match="made anew"):
        await lines_of(client_of(remote), remote.url, classify=classify)
    remote.says(302)
    with pytest.raises(ProtocolError, match="302"):
        await lines_of(client_of(remote), remote.url)


async def test_a_foreign_file_gets_no_credentials(remote: Any, other: Any, client_of: Any) -> None:
    """A bulk file on another host is read without the headers that hold credentials."""
    other.says(Source(b"a\n"))
    headers = {"Authorization": "Bearer abcdefgh", "X-Shopify-Access-Token": "t"}
    assert await lines_of(client_of(remote), f"{other.url}/bulk", headers=headers) == [b"a"]
    assert not {"authorization", "x-shopify-access-token"} & set(other.seen[0][2])
    with pytest.raises(TransientError) as told:
        await lines_of(client_of(remote), "http://127.0.0.1:9/bulk", headers=headers)
    assert not told.value.sent


# --- secrets -----------------------------------------------------------------------------------------------------

CANARIES = ("canary-header-0001", "canary-query-0002", "canary-body-0003", "canary-path-0004", "canary-echo-0005")


async def failing(remote: Any, client: Client, fault: Any) -> BaseException:
    """Make a call full of secrets fail, and return its error."""
    header, query, body, path, _ = CANARIES
    remote.says(fault)
    try:
        await client.request(
            "POST",
            f"/hook/{path}/x",
            params={"access": query},
            headers={"Authorization": f"Bearer {header}", "X-Key": header},
            json={"password": body},
            idempotent=False,
        )
    except SyncdError as error:
        return error
    raise AssertionError("the call did not fail")


def echo(status: int, **headers: str) -> web.Response:
    text = " ".join(CANARIES)
    return web.Response(status=status, text=f'{{"error":"{text}"}}', headers=headers)


@pytest.mark.parametrize(
    "fault",
    [echo(400), echo(401), echo(404), echo(500), echo(201), echo(429), echo(302, Location="http://x/?t=canary-echo-0005"),
     echo(200, **{"Content-Type": "text/html"}), "cuts", "hangs", "refused"],
    ids=["400", "401", "404", "500", "201", "429", "302", "page", "cuts", "hangs", "refused"],
)  # fmt: skip
@pytest.mark.usefixtures("logging_restored")
async def test_no_secret_in_any_error_or_log(remote: Any, client_of: Any, fault: Any) -> None:
    """Whatever fails, no text, traceback or log line of it holds a secret that was sent or echoed."""
    kept = [Secret(canary) for canary in CANARIES]
    named = {"cuts": remote.cuts, "hangs": remote.hangs, "refused": remote.hangs}
    client = client_of("http://127.0.0.1:9" if fault == "refused" else remote, timeout=HASTY)
    error = await failing(remote, client, named[fault] if isinstance(fault, str) else fault)
    lines = io.StringIO()
    log.configure(form="json", level="debug", stream=lines)
    log.logger("test").error("call.failed", error=error, text=str(error), exc_info=error)
    logging.getLogger("some.package").error("failed: %s", error, exc_info=error)
    context = error.__context__
    shown = [str(error), repr(error), repr(vars(error)), "".join(traceback.format_exception(error)), lines.getvalue()]
    for canary in CANARIES:
        assert canary not in "\n".join([*shown, repr(context), str(context)])
    assert lines.getvalue().count("\n") == 2
    del kept


async def test_no_unregistered_secret_in_messages(remote: Any, client_of: Any) -> None:
    """Headers, query and request body stay out of messages even where nobody registered them as secrets."""
    for fault in (remote.cuts, 404, 500, 302):
        error = await failing(remote, client_of(remote), fault)
        assert error.__context__ is None, "a library's error holds the headers"
        shown = "".join(traceback.format_exception(error)) + repr(vars(error))
        for canary in CANARIES[:3]:
            assert canary not in shown
