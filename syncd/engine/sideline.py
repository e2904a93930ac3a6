"""Calls to a channel beside its orders and stock: their failure is told once and slows nothing but themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import structlog

from syncd.core.retry import RetryRule, delay_s
from syncd.core.terms import Outcome, OutcomeKind
from syncd.engine.channels import AUTH_WAIT_S, Account, Ending
from syncd.sdk.errors import AuthError, ChannelError, ProtocolError, RejectedError, TransientError

T = TypeVar("T")

_RETRY = RetryRule(first_s=1.0, factor=2.0, most_s=600.0)
_log = structlog.get_logger("syncd.sideline")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered(Generic[T]):
    """What a channel answered."""

    value: T


@dataclass(slots=True, kw_only=True)
class Sideline:
    """One kind of such calls on one account. `wait_s` is how long to leave it alone after failures, 0.0 after none."""

    account: Account
    name: str
    random: Callable[[], float]
    failures: int = 0
    wait_s: float = 0.0
    reason: str = ""

    async def ask(
        self, call: Callable[[], Awaitable[T]], *, within_s: float, stop: asyncio.Event
    ) -> Answered[T] | None:
        """Call once the account may be asked; None where it failed, or where `stop` came first."""
        async with asyncio.TaskGroup() as group:
            asking = group.create_task(self._ask(call, within_s), name=f"{self.name}.{self.account.name}")
            stopping = group.create_task(stop.wait(), name="stop")
            await asyncio.wait((asking, stopping), return_when=asyncio.FIRST_COMPLETED)
            asking.cancel()
            stopping.cancel()
        return None if asking.cancelled() else asking.result()

    async def _ask(self, call: Callable[[], Awaitable[T]], within_s: float) -> Answered[T] | None:
        try:
            await self.account.pulse.ready()
            async with asyncio.timeout(within_s):
                found = await call()
        except TimeoutError:
            self._failed(TransientError(f"no answer within {within_s:.0f} s"))
            return None
        except Ending:
            return None
        except ChannelError as error:
            self._failed(error)
            return None
        self._answered()
        return Answered(value=found)

    def _failed(self, error: ChannelError) -> None:
        self.failures += 1
        asked = error.retry_after_s if isinstance(error, TransientError) else None
        self.wait_s = delay_s(self.failures, rule=_RETRY, retry_after_s=asked, draw=self.random())
        if isinstance(error, AuthError):
            self.wait_s = max(self.wait_s, AUTH_WAIT_S)
        if not self.reason:
            sample = error.sample if isinstance(error, ProtocolError) else ""
            reason = f"{type(error).__name__}: {error}"
            _log.warning("sideline.failed", account=self.account.name, what=self.name, reason=reason, sample=sample)
        self.reason = f"{type(error).__name__}: {error}"[:200]

    def _answered(self) -> None:
        if self.reason:
            _log.info("sideline.answered", account=self.account.name, what=self.name)
        self.failures, self.wait_s, self.reason = 0, 0.0, ""


async def attempt(call: Callable[[], Awaitable[Outcome]], *, key: str, within_s: float) -> Outcome:
    """Change something at a channel once; return how it ended, never an error. What got lost is not known."""
    try:
        async with asyncio.timeout(within_s):
            return await call()
    except TimeoutError:
        return Outcome(key=key, kind=OutcomeKind.INDETERMINATE, reason=f"no answer within {within_s:.0f} s")
    except RejectedError as error:
        return Outcome(key=key, kind=OutcomeKind.REJECTED, reason=str(error)[:200])
    except ChannelError as error:
        unknown = isinstance(error, ProtocolError) or (isinstance(error, TransientError) and error.sent)
        kind = OutcomeKind.INDETERMINATE if unknown else OutcomeKind.UNSENT
        return Outcome(key=key, kind=kind, reason=f"{type(error).__name__}: {error}"[:200])
