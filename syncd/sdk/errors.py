"""Errors, named by what happens next.

    SyncdError
    ├── ConfigError        all problems at once, exit 78, no traceback
    └── ChannelError
        ├── TransientError     due later with jitter, bounded; the channel slows
        │   ├── RateLimited    the same, told by the channel's own limit
        │   └── NoTurn         our own budget of one kind of call is spent: that kind waits, nothing else
        ├── AuthError          channel paused, a person told once, attempts not spent
        ├── RejectedError      that row parked and shown, the others go on
        └── ProtocolError      the answer was not understood: channel paused, redacted sample kept
    AssertionError         our own bug: stop, exit 70

No message may hold a secret or personal data: messages are logged, shown and sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing wrong in what a person gave us: where it stands, what is wrong, and how to mend it."""

    place: str
    message: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" + (f" ({self.remedy})" if self.remedy else "")


class SyncdError(Exception):
    """Any failure that syncd names."""


class ConfigError(SyncdError):
    """Settings cannot be used; `problems` holds every one of them."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(str(problem) for problem in self.problems))


class ChannelError(SyncdError):
    """A call to a channel failed as a whole."""


class TransientError(ChannelError):
    """It may work later. `retry_after_s` is the channel's own word, None where it gave none.

    `sent` is False only where the request certainly had no effect (refused, never connected).
    """

    def __init__(self, message: str, *, retry_after_s: float | None = None, sent: bool = True) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.sent = sent


class RateLimited(TransientError):  # noqa: N818  (the field's own word)
    """The channel's limit was hit; the request had no effect."""

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message, retry_after_s=retry_after_s, sent=False)


class NoTurn(TransientError):  # noqa: N818  (a state of our own budget, not a fault of the channel)
    """The budget of this kind of call has no turn soon; nothing was sent, and other kinds of calls are not slowed."""

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message, retry_after_s=retry_after_s, sent=False)


class AuthError(ChannelError):
    """The channel does not accept our credentials or rights; a person must act."""


class RejectedError(ChannelError):
    """The channel understood the request and refuses it for good."""


class ProtocolError(ChannelError):
    """The answer was not understood. `sample` is a short redacted piece of it."""

    def __init__(self, message: str, *, sample: str = "") -> None:
        super().__init__(message)
        self.sample = sample
