"""Times and faults as RMS WEB SERVICE writes them: pure.

Rakuten has at least four shapes of an error: `errors[]` (inventory, items), `Results` (the gateway before them),
`MessageModelList` (orders) and `error` (inquiries). Sources: RMS WEB SERVICE pages of InventoryAPI 2.1 (error codes),
RakutenPayOrderAPI, PurchaseItemAPI and InquiryManagementAPI, 2026; public clients for what the gateway answers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

import msgspec

from syncd.sdk.answer import Answer
from syncd.sdk.channel import Instant
from syncd.sdk.errors import AuthError, ProtocolError, RejectedError, SyncdError, TransientError
from syncd.sdk.secret import sample
from syncd.sdk.strict import loads

SECOND_US = 1_000_000
JST = timezone(timedelta(hours=9))
CONFLICT_S = 1.0
"""When to ask again after a conflict; Rakuten names no time."""
MOST_SAID = 160

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_CODE = re.compile(r"[A-Za-z0-9_-]{2,60}")

AUTH_CODES: Final = frozenset({"GA0001", "ES04-01"})
"""The keys are wrong or over, or the function is not switched on."""
OUR_CODES: Final = frozenset({"GE0007", "GE0011", "ES04-03", "IE0105", "IE0113", "IE1101", "IE1102"})
"""What only a fault of this adapter brings about."""
NOT_MIGRATED: Final = "IE1105"
CONFLICT: Final = "CE0001"


# --- times -------------------------------------------------------------------------------------------------------


def instant(text: str) -> Instant:
    """Return the instant of a time; one without a zone is Japanese. Raises `ProtocolError`."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None:
        raise ProtocolError("Rakuten: a time that is none", sample=sample(text))
    aware = moment if moment.tzinfo else moment.replace(tzinfo=JST)
    return (aware - _EPOCH) // _MICROSECOND


def order_time(at: Instant) -> str:
    """Return an instant as the order search takes it: `+09:00` with a colon is refused (measured by public clients)."""
    return f"{_local(at):%Y-%m-%dT%H:%M:%S}+0900"


def local_time(at: Instant) -> str:
    """Return an instant as the inquiry search takes it: Japanese, without a zone."""
    return f"{_local(at):%Y-%m-%dT%H:%M:%S}"


def _local(at: Instant) -> datetime:
    return (_EPOCH + timedelta(microseconds=at)).astimezone(JST)


# --- faults ------------------------------------------------------------------------------------------------------


class Metadata(msgspec.Struct, frozen=True, rename="camel"):
    """What stands beside an inventory error."""

    property_path: str | None = None


class Fault(msgspec.Struct, frozen=True):
    """An error of the inventory and item APIs; also of the inquiry API, where it stands alone."""

    code: str | None = None
    message: str | None = None
    metadata: Metadata | None = None


class Gateway(msgspec.Struct, frozen=True, rename="camel"):
    """An error of the gateway."""

    error_code: str | None = None
    message: str | None = None


class Message(msgspec.Struct, frozen=True, rename="camel"):
    """A message of the order APIs; `message_type` is INFO, WARNING or ERROR."""

    message_type: str = ""
    message_code: str = ""
    message: str = ""
    order_number: str | None = None


class Complaint(msgspec.Struct, frozen=True):
    """Every shape of an error in one."""

    errors: list[Fault] | None = None
    error: Fault | None = None
    results: Gateway | None = msgspec.field(default=None, name="Results")
    messages: list[Message] | None = msgspec.field(default=None, name="MessageModelList")

    def faults(self) -> list[Fault]:
        """Return its errors, whatever their shape."""
        gateway = self.results
        return [
            *(self.errors or ()),
            *([self.error] if self.error else ()),
            *([Fault(code=gateway.error_code, message=gateway.message)] if gateway else ()),
            *(Fault(code=one.message_code, message=one.message) for one in errors_of(self.messages or ())),
        ]


def errors_of(messages: Iterable[Message]) -> list[Message]:
    """Return the messages that are errors."""
    return [one for one in messages if one.message_type.upper() == "ERROR"]


def faults(body: bytes) -> list[Fault]:
    """Return the errors in an answer; none where it is not one of the known shapes (a web page, nothing at all)."""
    try:
        return msgspec.convert(loads(body), Complaint).faults()
    except (ProtocolError, msgspec.ValidationError):
        return []


def said(found: Iterable[Fault]) -> str:
    """Return errors as a short text without anything personal."""
    return sample("; ".join(f"{one.code or '?'} {one.message or ''}".strip() for one in found))[:MOST_SAID]


def codes(found: Iterable[Fault]) -> set[str]:
    """Return the codes of errors."""
    return {one.code for one in found if one.code and _CODE.fullmatch(one.code)}


def judge(function: str, *, expected: Collection[int] = ()) -> Callable[[Answer], SyncdError | None]:
    """Return the error table of one function, by the code in the answer; None leaves it to the general table.

    An answer with an `expected` status is read by who asked for it.

    GA0001, ES04-01, any 401    AuthError: keys wrong or over, or the function not switched on
    IE1105                      AuthError: the shop was not moved to SKUs, a person must act
    CE0001                      TransientError: a conflict with another process
    GE0007, GE0011, ES04-03 ... ProtocolError: a fault of this adapter
    other codes with 400        RejectedError with the code
    """

    def found(answer: Answer) -> SyncdError | None:
        if answer.status < 400 or answer.status in expected:
            return None
        complaints = faults(answer.body)
        known = codes(complaints)
        if answer.status == 401 or known & AUTH_CODES:
            return AuthError(
                f"Rakuten refuses {function} ({said(complaints) or answer.status}): is the licenseKey over, is a key"
                " wrong, or is the function not switched on (利用機能編集)?"
            )
        if NOT_MIGRATED in known:
            return AuthError(f"Rakuten refuses {function} ({NOT_MIGRATED}): the shop has not been moved to SKUs yet")
        if CONFLICT in known:
            return TransientError(f"{function}: conflict with another process", retry_after_s=CONFLICT_S)
        if known & OUR_CODES:
            return ProtocolError(f"Rakuten does not understand {function}: {said(complaints)}")
        if answer.status == 400 and complaints:
            return RejectedError(f"Rakuten refuses {function}: {said(complaints)}")
        return None

    return found
