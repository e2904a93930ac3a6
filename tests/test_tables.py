"""Tables in and out of files: encodings, separators, every kind of wrong cell, and the way there and back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from syncd import messages, tables
from syncd.tables import COUNTS, MAPPINGS, POLICIES, SKUS, Column, Table, Wrong, read, write


def say(key: str, **values: object) -> str:
    return messages.text(key, "en", **values)


def table(text: str, columns: tuple[Column, ...] = COUNTS, encoding: str = "utf-8") -> Table:
    return read(text.encode(encoding), columns, file="f.csv", say=say)


def problems(found: Table) -> list[str]:
    return [f"{problem.place} {problem.message}" for problem in found.problems]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp932"])
@pytest.mark.parametrize("separator", [",", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_files_of_spreadsheets_are_read(encoding: str, separator: str, end: str) -> None:
    """UTF-8 with and without BOM and Shift_JIS, commas and tabs, and all line ends are read alike."""
    lines = [["品番", "数量", "倉庫"], ["髙島屋①", "5", ""], ['"a, b"' if separator == "," else "a, b", "１０", "東"]]
    text = "".join(separator.join(cells) + end for cells in lines)
    found = table(text, encoding=encoding)
    assert problems(found) == []
    assert [(row.line, dict(row.values)) for row in found.rows] == [
        (2, {"sku": "髙島屋①", "quantity": 5}),
        (3, {"sku": "a, b", "quantity": 10, "location": "東"}),
    ]


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("x", "quantity: x is not a whole number"),
        ("1.5", "1.5 is not a whole number"),
        ("1,000", "1,000 is not a whole number"),
        ("1_0", "not a whole number"),
        ("-1", "is not between 0 and"),
        ("－1", "is not between 0 and"),
        ("▲1", "is not between 0 and"),
        ("9999999999", "is not between 0 and 1000000000"),
        (" ", "quantity is empty"),
    ],
)
def test_wrong_quantities_are_named(cell: str, expected: str) -> None:
    """What is no quantity is named with its line, and the other lines are read."""
    found = table(f'sku,quantity\nA,"{cell}"\nB,2\n')
    (problem,) = problems(found)
    assert problem.startswith("f.csv:2 ")
    assert expected in problem
    assert [row.values["sku"] for row in found.rows] == ["B"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["f.csv the file is empty"]),
        ("\n \n", ["f.csv the file is empty"]),
        ("sku\nA\n", ["f.csv:1 the column quantity is missing"]),
        ("sku,sku,quantity\n", ["f.csv:1 the column sku stands twice"]),
        ("sku,quantity,colour\nA,1,red\n", ["f.csv:1 unknown column colour"]),
        ("sku,quantity\nA,1,2\n", ["f.csv:2 3 cells, but 2 columns"]),
        ("sku,quantity\n,1\n", ["f.csv:2 sku is empty"]),
        ('sku,quantity\nA,1\n"B,2\nC,3\n', ["f.csv:3 a quotation mark is not closed"]),
        ('sku,quantity\n"A"x,1\n', ["f.csv:2 a quotation mark"]),
        ("sku,quantity\n4.9E+12,1\n", ["f.csv:2 sku: 4.9E+12 is what a spreadsheet made"]),
        (f"sku,quantity\n{'A' * 256},1\n", ["f.csv:2 sku: longer than 255"]),
        ('sku,quantity\n"A\nB",1\nC,2\nD,x\n', ["f.csv:2 sku: holds a control", "f.csv:5 quantity: x"]),
        ("sku,quantity,counted\nA,1,both\n", ["f.csv:2 counted: both is none of on_hand, available"]),
        ("sku,quantity,counted_at\nA,1,2026-01-01 10:00\n", ["f.csv:2 counted_at: 2026-01-01 10:00 is not a time"]),
    ],
)
def test_wrong_files_are_named(text: str, expected: list[str]) -> None:
    """What is wrong with a file or a line is told with the number that an editor shows."""
    found = problems(table(text))
    assert len(found) == len(expected), found
    assert all(line.startswith(start) for line, start in zip(found, expected, strict=True)), found


@pytest.mark.parametrize(
    "raw", [b"\xff\xfes\0k\0u\0", b"sku\0,quantity\n", b"sku,quantity\nA,\x81\n", b"\xef\xbb\xbfsku\n\x83e\n"]
)
def test_what_is_no_text_is_refused(raw: bytes) -> None:
    """UTF-16, binary files and broken Shift_JIS are refused as a whole."""
    found = read(raw, COUNTS, file="f.csv", say=say)
    assert found.rows == ()
    assert "neither UTF-8 nor Shift_JIS" in problems(found)[0]


def test_a_file_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file above the limit is not looked at."""
    monkeypatch.setattr(tables, "MOST_BYTES", 10)
    assert "larger than 10 bytes" in problems(table("sku,quantity\nA,1\n"))[0]


def test_headings_are_read_as_people_write_them() -> None:
    """Case, width, spaces and hyphens of a heading do not matter, and a column behind # is left alone."""
    found = table("ＳＫＵ, Counted-At ,QTY,#memo\nA,2026-09-01T10:00:00+09:00,1,anything\n")
    assert problems(found) == []
    assert dict(found.rows[0].values) == {"sku": "A", "counted_at": "2026-09-01T10:00:00+09:00", "quantity": 1}


def test_what_is_only_shown_is_left_alone() -> None:
    """The columns that an export has for people are not read, and need not be right."""
    found = table("account,remote_id,sku,title,target\nshop,r1,,x,not a number\n", MAPPINGS)
    assert problems(found) == []
    assert dict(found.rows[0].values) == {"account": "shop", "remote_id": "r1"}


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("A:2; B:1", (("A", 2), ("B", 1))),
        ("A", (("A", 1),)),
        ("a:b:３", (("a:b", 3),)),
        (" ; A:1;", (("A", 1),)),
        ("A:0", None),
        ("A:x", None),
    ],
)
def test_components_are_read(cell: str, expected: Any) -> None:
    """What a kit is made of is codes with units of at least one."""
    found = table(f'sku,components\nK,"{cell}"\n', SKUS)
    if expected is None:
        assert len(found.problems) == 1
    else:
        assert found.rows[0].values["components"] == expected


def test_percentages_stay_below_a_hundred() -> None:
    """A percentage above 100 is wrong."""
    assert "not between 0 and 100" in problems(table("sku,safety_percent\nA,101\n", POLICIES))[0]


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("2026-12-04", "2026-12-04"),
        (" 2026-12-04T20:00+09:00", "2026-12-04T20:00:00+09:00"),
        ("2026-12-04T20:00", None),
        ("2026-13-04", None),
        ("20261204", None),
    ],
)
def test_a_season_begins_with_a_day_or_a_time(cell: str, expected: str | None) -> None:
    """A whole day stays a day, to be read in the shop's zone; a time needs its offset."""
    found = table(f"sku,season,since\nA,s,{cell}\n", POLICIES)
    assert [row.values["since"] for row in found.rows] == ([] if expected is None else [expected])
    assert bool(found.problems) == (expected is None)


def test_formulas_are_defused() -> None:
    """A title that a spreadsheet would run is written so that it does not, and read back as it was."""
    titles = ["=1+1", "+1", "-1", "@x", "'quoted", "plain"]
    raw = write([{"sku": f"S{n}", "title": title} for n, title in enumerate(titles)], SKUS)
    assert b"\r\nS0,'=1+1,\r\n" in raw
    assert [row.values["title"] for row in read(raw, SKUS, file="f", say=say).rows] == titles


def test_a_sign_that_an_encoding_lacks_is_told() -> None:
    """A sign that Shift_JIS does not have is named instead of replaced."""
    with pytest.raises(Wrong) as caught:
        write([{"sku": "☃"}], SKUS, encoding="cp932")
    assert caught.value.values == {"sign": "☃", "encoding": "cp932"}


TWINS = "¢£¬‖−〜"


@pytest.mark.parametrize("sign", TWINS)
def test_a_sign_that_would_come_back_as_another(sign: str) -> None:
    """Shift_JIS gives some signs back as others: a code with one is refused, a title is written all the same."""
    write([{"sku": "A", "title": f"5{sign}6"}], SKUS, encoding="cp932")
    for row in ({"sku": f"A{sign}"}, {"sku": "K", "components": [{"sku": sign, "quantity": 1}]}):
        with pytest.raises(Wrong):
            write([row], SKUS, encoding="cp932")


CODES = st.text(
    st.characters(codec="cp932", exclude_categories=("Cc", "Cs", "Zs", "Zl", "Zp"), exclude_characters=TWINS),
    min_size=1,
    max_size=20,
).filter(lambda code: not code.startswith(("'", "#")))


@given(
    rows=st.lists(st.fixed_dictionaries({"sku": CODES, "title": CODES}), max_size=8),
    encoding=st.sampled_from(tables.ENCODINGS),
    separator=st.sampled_from([",", "\t"]),
)
def test_what_is_written_is_read_the_same(rows: list[dict[str, str]], encoding: str, separator: str) -> None:
    """Every table of signs that Japanese Windows knows comes back as it went, in each encoding."""
    kept = [row for row in rows if not tables._MANGLED.fullmatch(row["sku"])]
    raw = write(kept, SKUS, encoding=encoding, separator=separator)
    # A few signs of Shift_JIS are, byte for byte, other signs of UTF-8; in a file with real words that does not happen.
    assume(encoding != "cp932" or raw.isascii() or not is_utf8(raw))
    found = read(raw, SKUS, file="f.csv", say=say)
    assert problems(found) == []
    assert [dict(row.values) for row in found.rows] == kept


def is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def test_columns_are_told() -> None:
    """The columns that a person writes are told, those in brackets may be left out."""
    assert tables.names(COUNTS) == "sku,quantity,[location],[counted],[counted_at]"
    assert tables.names(MAPPINGS) == "account,remote_id,[remote_location],[sku]"
