"""Writes to Shopify: what goes out, and what each answer means for each row."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from adapters.shopify import push, wire
from adapters.shopify.documents import SET_QUANTITIES
from adapters.shopify.graphql import Written
from adapters.shopify.writer import judged
from syncd.sdk.channel import ListingRef, OutcomeKind, Write
from syncd.sdk.errors import AuthError, ProtocolError, RateLimited, TransientError

APPLIED, STALE, REJECTED = OutcomeKind.APPLIED, OutcomeKind.STALE, OutcomeKind.REJECTED
UNSENT, OPEN = OutcomeKind.UNSENT, OutcomeKind.INDETERMINATE

WRITES = [
    Write(
        key=f"key-{number}", ref=ListingRef(remote_id=f"50{number}", remote_location="9"), quantity=number, expected=7
    )
    for number in range(3)
]


def error(code: str, row: object = None) -> wire.UserError:
    place = ["input", "quantities", str(row), "quantity"] if row is not None else None
    return wire.UserError(message="no", code=code, field=place)


CASES = [
    ([], [APPLIED, APPLIED, APPLIED]),
    ([error("CHANGE_FROM_QUANTITY_STALE", 1)], [UNSENT, STALE, UNSENT]),
    ([error("COMPARE_QUANTITY_STALE", 0)], [STALE, UNSENT, UNSENT]),
    ([error("CHANGE_FROM_QUANTITY_STALE", 0), error("CHANGE_FROM_QUANTITY_STALE", 2)], [STALE, UNSENT, STALE]),
    ([error("CHANGE_FROM_QUANTITY_STALE")], [STALE, STALE, STALE]),
    ([error("INVALID_INVENTORY_ITEM", 2)], [UNSENT, UNSENT, REJECTED]),
    ([error("INVALID_LOCATION", 0), error("CHANGE_FROM_QUANTITY_STALE", 1)], [REJECTED, STALE, UNSENT]),
    ([error("INVALID_LOCATION", 1), error("CHANGE_FROM_QUANTITY_STALE", 1)], [UNSENT, REJECTED, UNSENT]),
    ([error("NON_MUTABLE_INVENTORY_ITEM", 0)], [REJECTED, UNSENT, UNSENT]),
    ([error("INVALID_QUANTITY_TOO_HIGH", 1)], [UNSENT, REJECTED, UNSENT]),
    ([error("ITEM_NOT_STOCKED_AT_LOCATION", 1)], [UNSENT, REJECTED, UNSENT]),
    ([error("IDEMPOTENCY_CONCURRENT_REQUEST")], [OPEN, OPEN, OPEN]),
    ([error("IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED")], [UNSENT, UNSENT, UNSENT]),
    ([error("IDEMPOTENCY_KEY_PARAMETER_MISMATCH")], [OPEN, OPEN, OPEN]),
    ([error("SERVICE_UNAVAILABLE")], [OPEN, OPEN, OPEN]),
    ([error("A_NEWER_CODE", 1)], [OPEN, OPEN, OPEN]),
    ([error("CHANGE_FROM_QUANTITY_STALE", 1), error("A_NEWER_CODE")], [OPEN, OPEN, OPEN]),
    ([wire.UserError(message="no code")], [OPEN, OPEN, OPEN]),
    ([error("CHANGE_FROM_QUANTITY_STALE", 99)], [STALE, STALE, STALE]),
    ([error("INVALID_LOCATION", "x")], [REJECTED, REJECTED, REJECTED]),
]


@pytest.mark.parametrize(("errors", "kinds"), CASES)
def test_errors_of_rows_are_told_apart(errors: list[wire.UserError], kinds: list[OutcomeKind]) -> None:
    """A stale or refused row is named, its neighbours were not applied, and what is not known leaves all open."""
    found = push.outcomes(WRITES, errors)
    assert [outcome.kind for outcome in found] == kinds
    assert [outcome.key for outcome in found] == [write.key for write in WRITES]


def test_refused_row_says_why() -> None:
    """The reason of a refused row is Shopify's code and message."""
    assert push.outcomes(WRITES, [error("INVALID_LOCATION", 0)])[0].reason == "INVALID_LOCATION: no"


def answer(body: dict[str, Any], *, doubtful: bool = False) -> Written:
    return Written(reply=wire.reply(msgspec.json.encode(body)), doubtful=doubtful)


def fault(code: str, *, with_data: bool = True) -> dict[str, Any]:
    body: dict[str, Any] = {"errors": [{"message": "no", "extensions": {"code": code}}]}
    return {**body, "data": {"inventorySetQuantities": None}} if with_data else body


DONE = {"data": {"inventorySetQuantities": {"inventoryAdjustmentGroup": None, "userErrors": []}}}

REFUSALS = [
    (fault("THROTTLED", with_data=False), RateLimited),
    (fault("ACCESS_DENIED"), AuthError),
    (fault("BAD_REQUEST"), ProtocolError),
    (fault("INVALID_FIELD_ARGUMENTS"), ProtocolError),
    (fault("INVALID_VARIABLE", with_data=False), ProtocolError),
    (fault("MAX_INPUT_SIZE_EXCEEDED", with_data=False), ProtocolError),
    (fault("MAX_COST_EXCEEDED", with_data=False), ProtocolError),
    (fault("undefinedField", with_data=False), ProtocolError),
]


def test_success_without_a_group_is_success() -> None:
    """A write of the number that is there already has no adjustment group, and is applied."""
    assert {outcome.kind for outcome in judged(WRITES, answer(DONE))} == {APPLIED}


@pytest.mark.parametrize(("body", "expected"), REFUSALS)
def test_refused_request_raises(body: dict[str, Any], expected: type[Exception]) -> None:
    """A request that was refused before anything happened raises what follows from it."""
    with pytest.raises(expected):
        judged(WRITES, answer(body))


@pytest.mark.parametrize(("body", "_expected"), REFUSALS)
def test_refused_repeat_leaves_all_open(body: dict[str, Any], _expected: type[Exception]) -> None:
    """A refusal of a second try does not say what became of the first."""
    assert {outcome.kind for outcome in judged(WRITES, answer(body, doubtful=True))} == {OPEN}


@pytest.mark.parametrize(
    "body",
    [
        fault("INTERNAL_SERVER_ERROR"),
        fault("INTERNAL_SERVER_ERROR", with_data=False),
        fault("A_NEWER_CODE"),
        {"errors": [{"message": "no code"}], "data": None},
        {"data": {"inventorySetQuantities": None}},
        {"data": {}},
        {"data": {"inventorySetQuantities": {"userErrors": "odd"}}},
    ],
)
def test_answer_that_says_nothing_leaves_all_open(body: dict[str, Any]) -> None:
    """An answer from which nothing follows never counts as applied or as not applied."""
    assert {outcome.kind for outcome in judged(WRITES, answer(body))} == {OPEN}


def test_no_answer_leaves_all_open() -> None:
    """A request without an understood answer leaves all rows open, with the reason."""
    found = judged(WRITES, Written(fault=TransientError("cut"), doubtful=True))
    assert {(outcome.kind, outcome.reason) for outcome in found} == {(OPEN, "cut")}


@pytest.mark.parametrize("code", sorted(push.REQUEST_CODES))
def test_fault_of_every_request_stops(code: str) -> None:
    """A refusal of what every request says is our own fault: it stops the channel instead of parking rows."""
    body = {"data": {"inventorySetQuantities": {"userErrors": [{"code": code, "message": "no", "field": None}]}}}
    with pytest.raises(ProtocolError, match=code):
        judged(WRITES, answer(body))


# --- what goes out -----------------------------------------------------------------------------------------------


def test_request_is_as_documented() -> None:
    """A write is an absolute `available` with its reason, the origin of the change, and the number it changes from."""
    made = push.variables([replace(WRITES[2], expected=None)])
    assert made["input"] == {
        "name": "available",
        "reason": "correction",
        "referenceDocumentUri": "gid://syncd/Push/key-2",
        "quantities": [
            {
                "inventoryItemId": "gid://shopify/InventoryItem/502",
                "locationId": "gid://shopify/Location/9",
                "quantity": 2,
                "changeFromQuantity": None,
            }
        ],
    }
    assert uuid.UUID(made["idempotencyKey"])


def test_equal_writes_are_equal_bytes() -> None:
    """A request made twice of the same writes is the same bytes with the same key."""
    first, second = (wire.request_body(SET_QUANTITIES, push.variables(list(WRITES))) for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    "writes",
    [
        WRITES[:2],
        WRITES[::-1],
        [replace(WRITES[0], key="other"), *WRITES[1:]],
        [replace(WRITES[0], quantity=9), *WRITES[1:]],
        [replace(WRITES[0], expected=None), *WRITES[1:]],
        [*WRITES[:2], replace(WRITES[2], ref=ListingRef(remote_id="502", remote_location="8"))],
    ],
)
def test_other_writes_have_another_key(writes: list[Write]) -> None:
    """One key never stands for two contents, whatever differs between them."""
    assert push.batch_key(writes) != push.batch_key(WRITES)


# --- the envelope ------------------------------------------------------------------------------------------------


def throttled(requested: float, available: float, rate: float) -> bytes:
    status = {"maximumAvailable": 2000.0, "currentlyAvailable": available, "restoreRate": rate}
    cost = {"requestedQueryCost": requested, "actualQueryCost": None, "throttleStatus": status}
    return msgspec.json.encode(
        {"errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}], "extensions": {"cost": cost}}
    )


@pytest.mark.parametrize(
    ("body", "wait_s"),
    [
        (throttled(752, 666, 50.0), 1.72),
        (throttled(10, 9.5, 100), 0.1),
        (throttled(10, 500, 100), 0.1),
        (b'{"errors":[{"message":"Throttled","extensions":{"code":"THROTTLED"}}]}', 1.0),
    ],
)
def test_throttled_answer_says_how_long(body: bytes, wait_s: float) -> None:
    """The wait after THROTTLED is what the bucket lacks at its rate, whole or broken numbers alike."""
    found = wire.failure(wire.reply(body))
    assert isinstance(found, RateLimited)
    assert found.retry_after_s == pytest.approx(wait_s)


def test_ignored_filter_is_a_fault() -> None:
    """A search whose filter was ignored matched everything, so its answer is not believed."""
    body = b'{"data":{},"extensions":{"search":[{"path":["orders"],"warnings":[{"code":"invalid_field"}]}]}}'
    assert isinstance(wire.failure(wire.reply(body)), ProtocolError)
    quiet = b'{"data":{},"extensions":{"search":[{"path":["orders"],"warnings":[]}]}}'
    assert wire.failure(wire.reply(quiet)) is None


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"extensions":{}}', b'{"data":1', b'{"errors":"no"}'])
def test_other_answers_are_not_understood(body: bytes) -> None:
    """What is no GraphQL answer is a protocol error."""
    with pytest.raises(ProtocolError):
        wire.reply(body)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (200, None),
        (401, AuthError),
        (402, AuthError),
        (403, AuthError),
        (423, AuthError),
        (430, AuthError),
        (404, ProtocolError),
    ],
)
def test_status_is_judged(status: int, expected: type[Exception] | None) -> None:
    """A refusal by status is for a person to mend, one of another kind is not understood."""
    found = wire.refusal(status, b"no")
    assert type(found) is (expected or type(None))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T00:00:01Z", 1_000_000),
        ("1970-01-01T09:00:00+09:00", 0),
        ("1969-12-31T19:00:00-05:00", 0),
        ("1970-01-01T00:00:00.123456789Z", 123_456),
        ("2026-11-22T00:00:00Z", 1_795_305_600_000_000),
    ],
)
def test_times_are_microseconds(text: str, expected: int) -> None:
    """Times come with any offset and any number of digits."""
    assert wire.instant(text) == expected


@pytest.mark.parametrize("text", ["", "yesterday", "2026-11-22T00:00:00"])
def test_odd_times_are_refused(text: str) -> None:
    """A time without a zone, or none at all, is not guessed."""
    with pytest.raises(ProtocolError):
        wire.instant(text)


@pytest.mark.parametrize(
    ("identifier", "expected"),
    [
        ("gid://shopify/Order/820982911946154508", "820982911946154508"),
        ("12", "12"),
        ("gid://shopify/L/1?inventory_item_id=2", "1"),
    ],
)
def test_ids_are_numbers(identifier: str, expected: str) -> None:
    """Global ids and plain numbers give the same id."""
    assert wire.number(identifier) == expected


@pytest.mark.parametrize("identifier", ["", "gid://shopify/Order/", "gid://shopify/Order/x", "gid://shopify/Order/１"])
def test_odd_ids_are_refused(identifier: str) -> None:
    """An id without a plain number is not understood."""
    with pytest.raises(ProtocolError):
        wire.number(identifier)
