"""What Qoo10's answers mean: envelopes, result codes, rows, statuses, dates."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from adapters.qoo10 import wire
from adapters.qoo10.wire import Refused, Row
from syncd.sdk.errors import AuthError, ProtocolError, RejectedError, TransientError

US = 1_000_000


def error_of(answer: Any) -> object:
    body = answer if isinstance(answer, bytes) else msgspec.json.encode(answer)
    return wire.failure(wire.reply(body, place="Class.Method"), place="Class.Method")


@pytest.mark.parametrize(
    "answer",
    [
        {"ResultCode": 0, "ResultMsg": "SUCCESS", "ResultObject": []},
        {"ResultCode": "0", "ResultMsg": "SUCCESS. But No Result", "ResultObject": []},
        {"resultcode": 0, "resultmsg": "", "resultobject": None},
    ],
)
def test_success_is_no_error(answer: Any) -> None:
    """Code 0 is success, as number or text and whatever the case of the names."""
    assert error_of(answer) is None


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ({"ResultCode": -10000, "ResultMsg": "", "ResultObject": None}, AuthError),
        ({"ErrorCode": -90001, "ErrorMsg": "存在しないAPIです。"}, AuthError),
        ({"ErrorCode": "-90005", "ErrorMsg": ""}, AuthError),
        ({"ErrorCode": 0, "ErrorMsg": ""}, AuthError),
        ({"ResultCode": -90002, "ResultMsg": ""}, AuthError),
        ({"ResultCode": -10001, "ResultMsg": ""}, Refused),
        ({"ResultCode": "-10003", "ResultMsg": ""}, Refused),
        ({"ResultCode": -1, "ResultMsg": ""}, Refused),
        ({"ResultCode": 7, "ResultMsg": ""}, RejectedError),
        ({"ResultCode": -10101, "ResultMsg": "[-112] 7|17"}, TransientError),
    ],
)
def test_codes_are_errors(answer: Any, kind: type[Exception]) -> None:
    """Each code is the error that says what happens next."""
    assert isinstance(error_of(answer), kind)


def test_refusal_has_its_code_and_no_words_of_others() -> None:
    """A refusal says the code in our words; what Qoo10 wrote may name a buyer and is left out."""
    found = error_of({"ResultCode": -10004, "ResultMsg": "Canary Person", "ResultObject": None})
    assert isinstance(found, Refused)
    assert found.code == -10004
    assert "not allowed in this state" in str(found)
    assert "Canary" not in str(found)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"<html>busy</html>", TransientError),
        (b"", TransientError),
        (b"[]", TransientError),
        (b"Can't find service Name X", ProtocolError),
        (b"{}", ProtocolError),
        (b'{"ResultCode": "many"}', ProtocolError),
        (b'{"ResultCode": 0', ProtocolError),
    ],
)
def test_what_is_no_envelope_is_told(body: bytes, kind: type[Exception]) -> None:
    """A page or a text passes over; an object that is no envelope, and a method that is not known, do not."""
    with pytest.raises(kind):
        wire.reply(body, place="Class.Method")


@pytest.mark.parametrize(
    ("label", "found"),
    [
        ("On request(2)", 2),
        ("On Waiting(1)", 1),
        ("Delivere(5)", 5),
        ("3", 3),
        ("取消完了(3)", 3),
        ("", None),
        ("x", None),
    ],
)
def test_status_is_its_digit(label: str, found: int | None) -> None:
    """The number at the end of a status counts, whatever the label."""
    assert wire.digit(label) == found


@pytest.mark.parametrize(
    ("text", "start", "seconds"),
    [
        ("2026-11-22 09:12:33", datetime(2026, 11, 22, 0, 12, 33, tzinfo=UTC), 1),
        ("2026/11/22 9:12", datetime(2026, 11, 22, 0, 12, tzinfo=UTC), 60),
        ("2026-11-22", datetime(2026, 11, 21, 15, tzinfo=UTC), 86_400),
        ("20261122", datetime(2026, 11, 21, 15, tzinfo=UTC), 86_400),
        ("20261122091233", datetime(2026, 11, 22, 0, 12, 33, tzinfo=UTC), 1),
        ("2026-11-22T09:12:33.123", datetime(2026, 11, 22, 0, 12, 33, tzinfo=UTC), 1),
    ],
)
def test_date_is_as_wide_as_it_is_told(text: str, start: datetime, seconds: int) -> None:
    """A date is a span of its day, minute or second in Japan, in any layout."""
    span = wire.moment(text)
    assert span is not None
    assert span.earliest == round(start.timestamp()) * US
    assert span.latest == span.earliest + seconds * US


@pytest.mark.parametrize("text", ["0001-01-01 00:00:00", "1900-01-01"])
def test_date_before_2000_is_none(text: str) -> None:
    """A year that cannot be stands for no date."""
    assert wire.moment(text) is None


@pytest.mark.parametrize("text", ["22.11.2026", "2026-13-01", "soon", "2026-11-22 25:00:00"])
def test_date_that_is_none_is_not_understood(text: str) -> None:
    """A date in another layout, or that does not exist, is a ProtocolError."""
    with pytest.raises(ProtocolError):
        wire.moment(text)


def test_times_of_searches_are_in_japan() -> None:
    """A search names times in Japan, without separators."""
    at = round(datetime(2026, 11, 21, 15, 0, 1, tzinfo=UTC).timestamp()) * US
    assert wire.searched(at) == "20261122000001"


def test_row_reads_any_case_and_kind() -> None:
    """Fields are found whatever the case of their names, numbers as numbers or texts."""
    row = Row({"ORDERNO": 998877661, "orderQty": "1,200", "Total": 10.0, "empty": None})
    assert row.needed("OrderNo") == "998877661"
    assert row.number("OrderQty") == 1200
    assert row.text("total") == "10"
    assert row.text("missing", "empty") == ""
    with pytest.raises(ProtocolError):
        row.needed("missing")
    with pytest.raises(ProtocolError):
        Row([])


def test_rows_are_a_list_an_object_or_nothing() -> None:
    """One object alone is one row."""
    assert [len(wire.rows(content)) for content in (None, "", [], {"a": 1}, [{"a": 1}, {"a": 2}])] == [0, 0, 0, 1, 2]
