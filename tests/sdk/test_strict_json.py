"""JSON that is not plainly JSON is refused, with the place of the fault."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import pytest

from syncd.sdk.errors import ProtocolError
from syncd.sdk.secret import Secret
from syncd.sdk.strict import CHECKED_BYTES, MOST_DEPTH, decode, loads

HOSTILE: list[tuple[bytes, int]] = [
    (b"", 0),
    (b"   ", 3),
    (b"NaN", 0),
    (b"[NaN]", 1),
    (b"Infinity", 0),
    (b"-Infinity", 1),
    (b'{"price":1e400}', 9),
    (b"-1e400", 0),
    (b"[1, 2e99999]", 4),
    (b'{"n":' + b"9" * 5_000 + b"}", 5),
    (b'{"a":1,"a":2}', 7),
    (b'{"a":1,"\\u0061":2}', 7),
    (b'{"x":{"q":1,"q":1}}', 12),
    (b'[{"ok":1},{"b":[],"b":[]}]', 18),
    (b'{"say \\"q\\"":1,"say \\"q\\"":2}', 15),
    (b"[" * 65 + b"]" * 65, 64),
    (b"[" * 100_000, 64),
    (b'{"a":' * 65 + b"1" + b"}" * 65, 320),
    (b"[" * 3_000 + b"]" * 3_000, 64),
    (b'"\xff"', 1),
    (b'"\xc0\x80"', 1),
    (b'"\xed\xa0\x80"', 1),
    (b'{"caf\xe9":1}', 5),
    (b"\xef\xbb\xbf{}", 0),
    (b'{}\x00"', 2),
    (b"\x00", 0),
    (b"1 2", 2),
    (b"{} {}", 3),
    (b'{"a":1}<script>', 7),
    (b"[1,]", 3),
    (b'{"a":1,}', 7),
    (b"[1 2]", 3),
    (b'{"a"}', 4),
    (b'{"a" 1}', 5),
    (b"{'a':1}", 1),
    (b"{1:2}", 1),
    (b"01", 1),
    (b"+1", 0),
    (b".5", 0),
    (b"1.", 2),
    (b"1e", 2),
    (b"-", 1),
    (b"tru", 3),
    (b"True", 0),
    (b"undefined", 0),
    (b'"open', 5),
    (b'"tab\there"', 4),
    (b'"\\x41"', 3),
    (b'"\\u12"', 6),
    (b'"\\ud800"', 8),
    (b"/* c */1", 0),
    (b'{"a":[1,{"b":2}', 15),
    (b"<html>", 0),
]


@dataclass(frozen=True)
class Line:
    sku: str
    quantity: int


@pytest.mark.parametrize(("body", "offset"), HOSTILE)
def test_hostile_bodies_are_refused_at_their_place(body: bytes, offset: int) -> None:
    """Each hostile body raises a protocol error that names its offset, give or take a byte."""
    with pytest.raises(ProtocolError, match="byte") as told:
        loads(body)
    place = int(str(told.value).rpartition("(byte ")[2].rstrip(")"))
    assert abs(place - offset) <= 1
    assert len(told.value.sample) <= 200
    assert told.value.__cause__ is None


def test_there_are_forty_hostile_bodies() -> None:
    """The table does not shrink."""
    assert len(HOSTILE) >= 40


@pytest.mark.parametrize(("body", "offset"), HOSTILE)
def test_typed_reading_refuses_them_too(body: bytes, offset: int) -> None:
    """Reading into a type is as strict."""
    with pytest.raises(ProtocolError):
        decode(body, object)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"{}", {}),
        ("{}", {}),
        (b' [1, -0, 1.5e3, "x", true, false, null] \n', [1, 0, 1500.0, "x", True, False, None]),
        (b'"\\ud83d\\ude00 \\u00e9"', "😀 é"),
        ('"花"'.encode(), "花"),
        (b"18446744073709551616", 18_446_744_073_709_551_616),
        (b'[{"a":1},{"a":2}]', [{"a": 1}, {"a": 2}]),
        (b'{"a":{"a":{"a":1}}}', {"a": {"a": {"a": 1}}}),
        (b'{"\\"a\\":1":2,"{[":"]}"}', {'"a":1': 2, "{[": "]}"}),
        (b'{"":1}', {"": 1}),
    ],
)
def test_plain_json_is_read(body: bytes | str, value: object) -> None:
    """What is plainly JSON comes out as it is."""
    assert loads(body) == value


def test_nesting_up_to_the_limit_is_read() -> None:
    """Nesting as deep as allowed is fine, beside many shallow objects too."""
    assert loads(b"[" * MOST_DEPTH + b"]" * MOST_DEPTH)
    assert loads(b"[" + b",".join([b'{"a":[]}'] * 500) + b"]")


def test_large_bodies_are_read_once() -> None:
    """Above the checked size the contract says that the last of two equal keys counts."""
    filler = b" " * CHECKED_BYTES
    assert loads(b'{"a":1,"a":2}' + filler) == {"a": 2}
    with pytest.raises(ProtocolError):
        loads(b"[" * 100_000 + filler)


def test_too_large_a_body_is_refused() -> None:
    """A body above the limit is not parsed."""
    with pytest.raises(ProtocolError, match="at most 4"):
        loads(b"12345", most_bytes=4)


def test_a_text_that_cannot_be_encoded_is_refused() -> None:
    """A lone surrogate in a text is named by its place."""
    with pytest.raises(ProtocolError, match="character 1"):
        loads('"\ud800"')


def test_typed_reading_gives_the_type_or_names_the_field() -> None:
    """A dataclass comes out, or the error tells the path of what does not fit and not its value."""
    assert decode(b'[{"sku":"A","quantity":3}]', list[Line]) == [Line("A", 3)]
    with pytest.raises(ProtocolError, match=r"\$\[0\]\.quantity"):
        decode(b'[{"sku":"A","quantity":"many"}]', list[Line])
    with pytest.raises(ProtocolError, match="quantity"):
        decode(b'{"sku":"A"}', Line)


def test_errors_hold_no_secret() -> None:
    """Neither message nor sample of an error shows a registered secret."""
    kept = Secret("s3cr3t-value-0001")
    for body in (b'{"s3cr3t-value-0001":1,"s3cr3t-value-0001":2}', b'{"a":"s3cr3t-value-0001" x}'):
        with pytest.raises(ProtocolError) as told:
            loads(body)
        assert "s3cr3t" not in str(told.value) + told.value.sample
    with pytest.raises(ProtocolError) as told:
        decode(b'{"sku":1,"k":"s3cr3t-value-0001"}', Line)
    assert "s3cr3t" not in str(told.value) + told.value.sample
    del kept


def test_bulk_answers_are_read_fast() -> None:
    """A large bulk answer costs about what its parser costs."""
    body = msgspec.json.encode([{"id": number, "sku": f"SKU-{number}"} for number in range(40_000)])
    assert len(body) > CHECKED_BYTES
    assert len(loads(body)) == 40_000
