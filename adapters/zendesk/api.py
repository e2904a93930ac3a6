"""Zendesk's API of one account: two ways in, one budget, and what an error answer means.

Limits (Zendesk, rate limits, and support article 8638126078234, 2026): so many calls a minute by plan, told by
`ratelimit-*` headers; incremental exports 10 a minute; search export 100; at most 30 jobs queued or running.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Any, Final, TypeVar

import msgspec

from adapters.zendesk.settings import ZendeskSettings
from adapters.zendesk.token import admin_way, run_way
from syncd.sdk.answer import retry_after_s
from syncd.sdk.desk import DeskContext
from syncd.sdk.errors import AuthError, NoTurn, ProtocolError, RateLimited, RejectedError, SyncdError
from syncd.sdk.http import Answer, Client, Timeouts
from syncd.sdk.limits import Budget, Window
from syncd.sdk.request import Query
from syncd.sdk.secret import sample

T = TypeVar("T")

USER_AGENT: Final = "syncd"
PREFIX: Final = "/api/v2"
RESERVE: Final = 0.15
"""Share of a minute's calls below which reading makes way, and everything slows down."""
MARGIN_S: Final = 1.0
"""Calls may reach Zendesk closer together than they were sent."""
TIMEOUTS = Timeouts(connect_s=5.0, total_s=30.0, budget_s=60.0)
TRIES: Final = 3
TOO_MANY_JOBS: Final = "TooManyJobs"
MINUTE_S: Final = 60.0


class Kind(StrEnum):
    """Kinds of calls; all but plain ones have a limit of their own beside the account's."""

    PLAIN = "plain"
    UPDATE = "update"
    EXPORT = "export"
    SEARCH = "search"


PER_MINUTE: Final = {Kind.UPDATE: 100, Kind.EXPORT: 10, Kind.SEARCH: 100}


class Fault(msgspec.Struct, frozen=True):
    """The body of a refusal. `error` is a word, or for some calls an object with a title."""

    error: Any = ""
    description: Any = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a refusal says: Zendesk's word for it, and a short redacted text."""

    word: str
    text: str


class Api:
    """Sends requests within the limits of the account."""

    def __init__(self, settings: ZendeskSettings, context: DeskContext) -> None:
        self._client = Client(
            context.session,
            base_url=settings.url,
            clock=context.clock,
            random=context.random,
            timeout=TIMEOUTS,
            tries=TRIES,
            user_agent=USER_AGENT,
        )
        self._run = run_way(self._client, settings, context.clock)
        self._admin = admin_way(self._client, settings, context.clock)
        name = f"zendesk {context.desk}"
        most = float(settings.calls_per_minute)
        self.budget = Budget(name, capacity=most, rate_per_s=most / MINUTE_S, clock=context.clock, reserve=RESERVE)
        self._windows = {
            kind: Window(f"{name} {kind}", calls=calls, per_s=MINUTE_S, clock=context.clock, margin_s=MARGIN_S)
            for kind, calls in PER_MINUTE.items()
        }

    async def call(
        self,
        method: str,
        path: str,
        *,
        params: Query | None = None,
        json: Any = None,
        expect: Collection[int] = (200,),
        kind: Kind = Kind.PLAIN,
        admin: bool = False,
        urgent: bool = False,
        key: str = "",
    ) -> Answer:
        """Send a request, and once more with a newer token where its token was refused.

        `admin` takes the admin's way in where there is one. `key` is an Idempotency-Key. Raises `NoTurn` where its kind
        of call has used up its minute, and what `judge` and the client's table say.
        """
        self._take_turn(kind)
        way = self._admin if admin and self._admin is not None else self._run
        header = await way.header()
        answer = await self._send(method, path, header, params=params, json=json, expect=expect, urgent=urgent, key=key)
        if answer.status == HTTPStatus.UNAUTHORIZED:
            header = await way.after(header) or ""
            if not header:
                raise refused(answer)
            answer = await self._send(
                method, path, header, params=params, json=json, expect=expect, urgent=urgent, key=key
            )
        if answer.status == HTTPStatus.UNAUTHORIZED:
            raise refused(answer)
        return answer

    def delay_s(self, kind: Kind) -> float:
        """Return seconds until a call of this kind would be sent at once."""
        window = self._windows.get(kind)
        return max(self.budget.delay_s(1.0), window.delay_s(1.0) if window is not None else 0.0)

    def _take_turn(self, kind: Kind) -> None:
        window = self._windows.get(kind)
        if window is None or window.take_now(1.0):
            return
        raise NoTurn(f"{window.name}: no turn in this minute", retry_after_s=window.delay_s(1.0))

    async def _send(
        self,
        method: str,
        path: str,
        header: str,
        *,
        params: Query | None,
        json: Any,
        expect: Collection[int],
        urgent: bool,
        key: str,
    ) -> Answer:
        headers = {"Authorization": header, "Content-Type": "application/json"}
        if key:
            headers["Idempotency-Key"] = key
        answer = await self._client.request(
            method,
            PREFIX + path,
            params=params,
            headers=headers,
            json=json,
            idempotent=method == "GET" or bool(key),
            budget=self.budget,
            urgent=urgent,
            expect=(*expect, HTTPStatus.UNAUTHORIZED),
            content="bytes" if HTTPStatus.NO_CONTENT in expect else "json",
            classify=lambda told: _fault(told, (*expect, HTTPStatus.UNAUTHORIZED)),
        )
        self._learn(answer)
        return answer

    def _learn(self, answer: Answer) -> None:
        """Believe what Zendesk says is left of this minute; below the reserve it has to last until the reset."""
        limit = _number(answer.headers.get("ratelimit-limit") or answer.headers.get("x-rate-limit"))
        left = _number(answer.headers.get("ratelimit-remaining") or answer.headers.get("x-rate-limit-remaining"))
        if limit is None or left is None:
            return
        rate_per_s = limit / MINUTE_S
        reset_s = _number(answer.headers.get("ratelimit-reset"))
        if left < RESERVE * limit and reset_s:
            rate_per_s = min(rate_per_s, max(left, 1.0) / reset_s)
        self.budget.correct(available=left, capacity=limit, rate_per_s=rate_per_s)


def _fault(answer: Answer, expect: Collection[int]) -> SyncdError | None:
    """Return what an answer is; a 429 that only says that jobs are taken is not one of the account's limit."""
    if answer.status in expect:
        limited = answer.status == HTTPStatus.TOO_MANY_REQUESTS and verdict(answer).word != TOO_MANY_JOBS
        return judge(answer) if limited else None
    return judge(answer)


def decode(answer: Answer, kind: type[T]) -> T:
    """Return an answer's body; raises `ProtocolError` without any of it: tickets hold what customers wrote."""
    try:
        return answer.decode(kind)
    except ProtocolError as fault:
        message = str(fault)
    raise ProtocolError(f"Zendesk: {message}")


def judge(answer: Answer) -> SyncdError | None:
    """Return what a refusal is; None for a status that the general table knows.

    Of the body only `error` and `description` are told; `details` may quote what was sent.
    """
    if answer.status == HTTPStatus.FORBIDDEN:
        said = verdict(answer).text
        return AuthError(f"Zendesk refuses this user ({said}); look at its role and the client's scopes")
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        told_s = retry_after_s(answer, now=answer.answered_at)
        return RateLimited("Zendesk: too many requests", retry_after_s=told_s)
    if HTTPStatus.BAD_REQUEST <= answer.status < HTTPStatus.INTERNAL_SERVER_ERROR and answer.status not in (408, 425):
        return RejectedError(f"Zendesk {answer.status} {verdict(answer).text}".strip())
    return None


def verdict(answer: Answer) -> Verdict:
    """Return what a refusal says."""
    try:
        fault = msgspec.json.decode(answer.body, type=Fault)
    except msgspec.DecodeError:
        fault = Fault()
    error = fault.error.get("title", "") if isinstance(fault.error, dict) else fault.error
    word = error if isinstance(error, str) else ""
    said = fault.description if isinstance(fault.description, str) else ""
    return Verdict(word=word, text=sample(": ".join(part for part in (word, said) if part)))


def refused(answer: Answer) -> AuthError:
    """Return the error of a way in that is not accepted."""
    return AuthError(f"Zendesk does not accept the credentials: {verdict(answer).text}".rstrip(": "))


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if 0.0 <= number <= 1e6 else None
