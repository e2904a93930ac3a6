"""The one HTTP client of adapters: budgets, timeouts, quick tries, the error table, redaction, strict JSON.

A request is serialised once, so that every try sends the same bytes. Quick tries inside one call (by tenacity, with
short jittered waits) happen only where they cannot apply anything twice: when no connection came about, and for
`idempotent` requests after a timeout, a reset or a 5xx without a Retry-After. Each try is paid from the budget.
Everything longer is the engine's: it raises, and the table says when it is due again.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import aiohttp
import tenacity
from yarl import URL

from syncd.sdk.answer import Answer, Classify, Content, Expectation, place
from syncd.sdk.channel import Clock
from syncd.sdk.errors import NoTurn, ProtocolError, RateLimited, SyncdError, TransientError
from syncd.sdk.limits import Budget, Window
from syncd.sdk.request import Call, Origin, Query, kind_headers, payload
from syncd.sdk.strict import MOST_BYTES

__all__ = ["MOST_BYTES", "MOST_LINE_BYTES", "Answer", "Classify", "Client", "Content", "Timeouts"]

MOST_LINE_BYTES = 4 * 1024 * 1024
"""The longest line of a bulk file."""
MOST_STREAM_S = 3_600.0
"""The longest time that reading one bulk file takes."""
FIRST_WAIT_S = 0.2
"""The wait before the second try, times 0.5 to 1.5; each further one is three times as long."""
UNTOLD_PENALTY_S = 1.0
"""How long a budget stays shut after a refusal that does not say how long."""
_COPIED_BYTES = 1024 * 1024  # aiohttp warns of larger bodies unless they come as a file


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long a call waits: for a connection, for one whole try, and for its turn in the rate budget."""

    connect_s: float = 5.0
    total_s: float = 30.0
    budget_s: float = 60.0


class _Dropped(aiohttp.ClientError):
    """The connection broke on the way; not an error after which aiohttp sends PUT and DELETE again by itself."""


class Client:
    """Calls one API at `base_url`.

    `session` is shared and gives connections only. `random` answers numbers in [0, 1), for jitter. `tries` counts the
    first one. Plain http is refused unless the host is this machine or `allow_http` is set. Headers that may hold a
    credential are sent to the origin of `base_url` only.

    Raises `ConfigError` for a `base_url` that cannot be used.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        *,
        base_url: str,
        clock: Clock,
        random: Callable[[], float],
        timeout: Timeouts = Timeouts(),
        tries: int = 3,
        user_agent: str,
        allow_http: bool = False,
    ) -> None:
        self._session = session
        self._origin = Origin.parse(base_url, allow_http=allow_http)
        self._clock = clock
        self._random = random
        self._timeouts = timeout
        self._tries = tries
        self._user_agent = user_agent
        # Waiting for a free connection ends well before the whole try does: so it is known that nothing was sent.
        self._aiohttp_timeout = aiohttp.ClientTimeout(
            total=None, connect=max(timeout.connect_s, timeout.total_s / 2), sock_connect=timeout.connect_s
        )

    async def request(
        self,
        method: str,
        path_or_url: str,
        *,
        params: Query | None = None,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        body: bytes | None = None,
        form: Mapping[str, str] | None = None,
        idempotent: bool,
        budget: Budget | Window | None = None,
        cost: float = 1.0,
        urgent: bool = True,
        expect: Collection[int] = (200,),
        content: Content = "json",
        classify: Classify | None = None,
        most_bytes: int = MOST_BYTES,
    ) -> Answer:
        """Send a request and return its answer, or raise what `syncd.sdk.answer` says that it is.

        At most one of `json` (encoded once, in the order given), `body` and `form` (UTF-8) is the body. `idempotent`
        says that the request may be applied twice without harm. `cost` is taken from `budget` for every try, and put
        to the line of `urgent` calls or behind it. Where an earlier try may have had an effect, the answer is marked
        `doubtful`, and a `TransientError` has `sent` set, whatever became of the last try.
        """
        sent, kind = payload(json=json, body=body, form=form)
        url = self._origin.url(path_or_url, params)
        call = Call(
            method=method,
            url=url,
            headers=self._headers(url, headers, content=content, kind=kind),
            body=sent,
            idempotent=idempotent,
            budget=budget,
            cost=cost,
            urgent=urgent,
            expectation=Expectation(place=place(method, url), statuses=expect, content=content, classify=classify),
            most_bytes=most_bytes,
        )
        return await self._try(call)

    async def stream_lines(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        most_line_bytes: int = MOST_LINE_BYTES,
        most_s: float = MOST_STREAM_S,
        classify: Classify | None = None,
    ) -> AsyncIterator[bytes]:
        """Read a bulk file line by line, without line ends, empty lines left out. One try; the file may be of any size.

        Each wait for more of it is bounded by `Timeouts.total_s`, the whole by `most_s`. Use it under
        `contextlib.aclosing`, so that leaving early closes the connection. Raises as `request`, and `ProtocolError`
        for a line above `most_line_bytes`.
        """
        target = self._origin.url(url)
        expectation = Expectation(place=place("GET", target), content="bytes", classify=classify)
        response = await self._open(target, self._headers(target, headers, content="bytes"), expectation)
        ends_s = self._clock.monotonic() + most_s
        rest = b""
        try:
            while chunk := await self._more(response, expectation.place):
                *lines, rest = (rest + chunk).split(b"\n")
                _bound_lines(lines, rest, most=most_line_bytes, where=expectation.place)
                _bound_time(self._clock.monotonic(), ends_s, expectation.place)
                for line in lines:
                    if stripped := line.rstrip(b"\r"):
                        yield stripped
            if rest.rstrip(b"\r"):
                yield rest.rstrip(b"\r")
        finally:
            response.close()

    def _headers(
        self, url: URL, given: Mapping[str, str] | None, *, content: Content, kind: str = ""
    ) -> dict[str, str]:
        general = kind_headers(user_agent=self._user_agent, content=content, kind=kind)
        return general | self._origin.headers(url, given)

    async def _try(self, call: Call) -> Answer:
        try:
            return await self._once(call)
        except TransientError as fault:
            first = fault
        # Tenacity comes in only now: asking it costs more than all the rest of a call that works.
        return await self._try_again(call, first)

    async def _try_again(self, call: Call, first: TransientError) -> Answer:
        """Go on after a first try that failed; it counts as one of the tries."""
        known = [first]
        doubts: list[bool] = []

        async def attempt() -> Answer:
            if known:
                raise known.pop()
            return await self._once(call)

        retrying = tenacity.AsyncRetrying(
            stop=tenacity.stop_after_attempt(self._tries),
            wait=self._wait_s,
            retry=tenacity.retry_if_exception(call.may_repeat),
            before_sleep=lambda state: doubts.append(_may_have_worked(state)),
            sleep=asyncio.sleep,
            reraise=True,
        )
        try:
            answer: Answer = await retrying(attempt)
        except TransientError as fault:
            fault.sent = fault.sent or any(doubts)
            raise
        return replace(answer, doubtful=any(doubts))

    def _wait_s(self, state: tenacity.RetryCallState) -> float:
        return FIRST_WAIT_S * 3.0 ** (state.attempt_number - 1) * (0.5 + self._random())

    async def _once(self, call: Call) -> Answer:
        """Pay for one try, send it, and judge what comes back."""
        await self._pay(call)
        try:
            answer = await self._exchange(call)
        finally:
            if call.budget is not None:
                call.budget.done(call.cost)
        fault = call.expectation.fault(answer, now=answer.answered_at)
        if fault is None:
            return answer
        _slow_down(call.budget, fault)
        raise fault

    async def _pay(self, call: Call) -> None:
        if call.budget is None or call.budget.take_now(call.cost, call.urgent):
            return
        try:
            async with asyncio.timeout(self._timeouts.budget_s):
                await call.budget.take(call.cost, urgent=call.urgent)
        except TimeoutError:
            delay_s = call.budget.delay_s(call.cost, urgent=call.urgent)
        else:
            return
        raise NoTurn(
            f"{call.place}: no turn in budget {call.budget.name} within {self._timeouts.budget_s:g} s",
            retry_after_s=delay_s,
        )

    async def _exchange(self, call: Call) -> Answer:
        """Send one try and read its answer whole; every failure on the way comes out as an error of ours."""
        asked_at = self._clock.now()
        where = call.place
        try:
            async with asyncio.timeout(self._timeouts.total_s), self._send(call) as response:
                body = await _read(response, call.most_bytes, where)
                return Answer(response.status, _lower(response), body, asked_at, self._clock.now())
        except (aiohttp.ClientError, OSError) as fault:  # TimeoutError is an OSError
            error = _broken(fault, where)
        # Outside the handler: the library's error, which holds headers and the query, is not kept as context.
        raise error

    def _send(self, call: Call) -> Any:
        body = call.body
        return self._session.request(
            call.method,
            call.url,
            data=io.BytesIO(body) if body is not None and len(body) > _COPIED_BYTES else body,
            headers=call.headers,
            allow_redirects=False,
            timeout=self._aiohttp_timeout,
            middlewares=(_no_silent_repeat,),
        )

    async def _open(self, url: URL, headers: Mapping[str, str], expectation: Expectation) -> aiohttp.ClientResponse:
        """Start reading a file; the answer's head is judged, its body is still to come."""
        asked_at = self._clock.now()
        try:
            async with asyncio.timeout(self._timeouts.total_s):
                response = await self._session.get(
                    url, headers=headers, allow_redirects=False, timeout=self._aiohttp_timeout
                )
                if response.status in expectation.statuses:
                    return response
                async with response:
                    body = await _read(response, MOST_BYTES, expectation.place)
        except (aiohttp.ClientError, OSError) as fault:
            error = _broken(fault, expectation.place)
        else:
            answer = Answer(response.status, _lower(response), body, asked_at, self._clock.now())
            error = expectation.refusal(answer, now=answer.answered_at)
        raise error

    async def _more(self, response: aiohttp.ClientResponse, where: str) -> bytes:
        try:
            async with asyncio.timeout(self._timeouts.total_s):
                return await response.content.readany()
        except (aiohttp.ClientError, OSError) as fault:
            error = _broken(fault, where)
        raise error


def _may_have_worked(state: tenacity.RetryCallState) -> bool:
    """Say whether a try that failed may have had an effect all the same."""
    fault = state.outcome.exception() if state.outcome is not None else None
    return isinstance(fault, TransientError) and fault.sent


async def _no_silent_repeat(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Keep aiohttp from sending PUT and DELETE a second time by itself when a kept connection breaks.

    It takes them for idempotent by their name; a PUT that adds a delta is not.
    """
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as fault:
        name = type(fault).__name__
    raise _Dropped(name)


async def _read(response: aiohttp.ClientResponse, most_bytes: int, where: str) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_any():
        size += len(chunk)
        if size > most_bytes:
            response.close()
            raise ProtocolError(f"{where}: the answer is larger than {most_bytes} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


def _lower(response: aiohttp.ClientResponse) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in response.headers.items():
        low = name.lower()
        headers[low] = f"{headers[low]}, {value}" if low in headers else value
    return headers


def _bound_lines(lines: Sequence[bytes], rest: bytes, *, most: int, where: str) -> None:
    if len(rest) > most or any(len(line) > most for line in lines):
        raise ProtocolError(f"{where}: a line is longer than {most} bytes")


def _bound_time(now_s: float, ends_s: float, where: str) -> None:
    if now_s > ends_s:
        raise TransientError(f"{where}: the file did not end in time", sent=True)


def _slow_down(budget: Budget | Window | None, fault: SyncdError) -> None:
    """Shut the budget for as long as the channel asks."""
    if budget is None or not isinstance(fault, TransientError):
        return
    if isinstance(fault, RateLimited) or fault.retry_after_s is not None:
        budget.penalize(UNTOLD_PENALTY_S if fault.retry_after_s is None else fault.retry_after_s)


def _broken(fault: Exception, where: str) -> SyncdError:
    """Return our error for a call that got no whole answer; its text is made here, for the library's holds headers."""
    match fault:
        case aiohttp.ConnectionTimeoutError():
            return TransientError(f"{where}: no connection in time", sent=False)
        case aiohttp.ClientConnectorDNSError():
            return TransientError(f"{where}: the name is not found", sent=False)
        case aiohttp.ClientConnectorCertificateError():
            return TransientError(f"{where}: its certificate is not accepted", sent=False)
        case aiohttp.ClientConnectorError():
            return TransientError(f"{where}: no connection ({fault.strerror or 'refused'})", sent=False)
        case aiohttp.ClientResponseError():
            return ProtocolError(f"{where}: the answer is not HTTP")
        case TimeoutError():
            return TransientError(f"{where}: no whole answer in time", sent=True)
        case _Dropped():
            return TransientError(f"{where}: the connection broke ({fault})", sent=True)
    return TransientError(f"{where}: the connection broke ({type(fault).__name__})", sent=True)
