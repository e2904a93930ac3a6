"""Tables of a shop in and out of files: CSV and TSV, UTF-8 with or without BOM and Shift_JIS, as Excel writes them.

Reading takes each line by itself: what is wrong is told with its line number, the rest can be used. Text that a
spreadsheet would take for a formula is written with an apostrophe before it, and read without.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final, Protocol

from syncd.sdk.errors import Problem

MOST_BYTES: Final = 64 * 1024 * 1024
MOST_UNITS: Final = 1_000_000_000
MOST_TEXT: Final = 255
JAPANESE: Final = "cp932"
"""Shift_JIS with the signs that Windows adds."""
ENCODINGS: Final = ("utf-8", "utf-8-sig", JAPANESE)


class Say(Protocol):
    """Gives a text in the language of the person, by its key."""

    def __call__(self, key: str, **values: object) -> str:
        """Return the text with the values in it."""


class Wrong(Exception):  # noqa: N818  (a verdict on a cell)
    """A cell cannot be read: the key of the text that says why, and its values."""

    def __init__(self, key: str, **values: object) -> None:
        super().__init__(key)
        self.key = key
        self.values = values


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column: its name, other names by which it goes, how a cell is read; `needed` ones must be there and filled.

    One that is `shown` only is written and, when read, left alone.
    """

    name: str
    read: Callable[[str], Any] = str
    aliases: tuple[str, ...] = ()
    needed: bool = False
    shown: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A line that could be read: its number in the file and its values by column; an empty cell has none."""

    line: int
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A file that was read: the good rows, and what is wrong with the others."""

    rows: tuple[Row, ...]
    problems: tuple[Problem, ...]


# --- reading ------------------------------------------------------------------------------------------------------


def read(raw: bytes, columns: Sequence[Column], *, file: str, say: Say) -> Table:
    """Read a table; what is wrong is among its problems, with `file:line` as the place."""
    return _Reader(columns=columns, file=file, say=say).table(raw)


@dataclass(slots=True, kw_only=True)
class _Reader:
    columns: Sequence[Column]
    file: str
    say: Say
    problems: list[Problem] = field(default_factory=list)

    def table(self, raw: bytes) -> Table:
        text = self._decode(raw)
        rows = [] if text is None else list(self._rows(text))
        return Table(rows=tuple(rows), problems=tuple(self.problems))

    def _wrong(self, line: int, key: str, **values: object) -> None:
        place = f"{self.file}:{line}" if line else self.file
        self.problems.append(Problem(place=place, message=self.say(f"csv.{key}", **values)))

    def _decode(self, raw: bytes) -> str | None:
        if len(raw) > MOST_BYTES:
            self._wrong(0, "too_large", bytes=MOST_BYTES)
            return None
        if raw.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in raw:
            self._wrong(0, "not_text")
            return None
        for encoding in ("utf-8-sig",) if raw.startswith(BOM_UTF8) else ("utf-8", JAPANESE):
            try:
                return raw.decode(encoding)
            except UnicodeDecodeError as error:
                line = raw.count(b"\n", 0, error.start) + 1
        self._wrong(line, "not_text")
        return None

    def _rows(self, text: str) -> Iterator[Row]:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=_separator(text), strict=True)
        names: list[Column | None] | None = None
        line = 1
        try:
            for cells in reader:
                if any(cell.strip() for cell in cells):
                    if names is None:
                        names = self._header(cells)
                        if names is None:
                            return
                    elif (row := self._row(line, cells, names)) is not None:
                        yield row
                line = reader.line_num + 1
        except csv.Error:
            self._wrong(line, "bad_quotes")
        if names is None:
            self._wrong(0, "empty")

    def _header(self, cells: Sequence[str]) -> list[Column | None] | None:
        known = {_folded(name): column for column in self.columns for name in (column.name, *column.aliases)}
        found = [known.get(_folded(cell)) for cell in cells]
        before = len(self.problems)
        for cell, column in zip(cells, found, strict=True):
            if column is None and cell.strip() and not cell.startswith("#"):
                names = ", ".join(column.name for column in self.columns)
                self._wrong(1, "unknown_column", column=cell.strip(), known=names)
        for column in self.columns:
            if found.count(column) > 1:
                self._wrong(1, "column_twice", column=column.name)
            if column.needed and column not in found:
                self._wrong(1, "no_column", column=column.name)
        return found if len(self.problems) == before else None

    def _row(self, line: int, cells: Sequence[str], names: Sequence[Column | None]) -> Row | None:
        if len(cells) > len(names) and any(cell.strip() for cell in cells[len(names) :]):
            self._wrong(line, "too_many_cells", found=len(cells), expected=len(names))
            return None
        before = len(self.problems)
        values: dict[str, Any] = {}
        for column, cell in zip(names, cells, strict=False):
            if column is not None and not column.shown and cell.strip():
                self._cell(line, column, cell, values)
        for column in self.columns:
            if column.needed and column.name not in values and len(self.problems) == before:
                self._wrong(line, "missing", column=column.name)
        return Row(line=line, values=values) if len(self.problems) == before else None

    def _cell(self, line: int, column: Column, cell: str, values: dict[str, Any]) -> None:
        try:
            values[column.name] = column.read(cell)
        except Wrong as wrong:
            self._wrong(line, wrong.key, column=column.name, value=cell.strip()[:60], **wrong.values)


def _separator(text: str) -> str:
    """Return what stands between cells, by the first line."""
    head = text.lstrip().partition("\n")[0]
    return "\t" if head.count("\t") > head.count(",") else ","


def _folded(name: str) -> str:
    return re.sub(r"[\s_-]+", "_", unicodedata.normalize("NFKC", name).strip().casefold())


# --- cells --------------------------------------------------------------------------------------------------------

_SIGNS: Final = str.maketrans({"−": "-", "‐": "-", "–": "-", "▲": "-", "△": "-"})
"""Signs for minus: U+2212, hyphens, and the triangles of Japanese bookkeeping."""
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,18}")
_MANGLED: Final = re.compile(r"[0-9](\.[0-9]+)?E\+[0-9]{2,}")
_TWINS: Final = re.compile("[\u00a2\u00a3\u00ac\u2016\u2212\u301c]")
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def text_cell(cell: str) -> str:
    """Read a text."""
    found = cell.strip()
    if found.startswith("'") and found[1:2] in _FORMULA:
        found = found[1:]
    if len(found) > MOST_TEXT:
        raise Wrong("too_long", most=MOST_TEXT)
    if any(unicodedata.category(char) == "Cc" for char in found):
        raise Wrong("control_character")
    return found


def code_cell(cell: str) -> str:
    """Read a SKU or a channel's id: taken exactly, but not what a spreadsheet made of a long number."""
    found = text_cell(cell)
    if _MANGLED.fullmatch(found):
        raise Wrong("mangled")
    return found


def number_cell(least: int, most: int = MOST_UNITS) -> Callable[[str], int]:
    """Return a reader of whole numbers, in either width."""

    def read_number(cell: str) -> int:
        found = unicodedata.normalize("NFKC", cell).strip().translate(_SIGNS)
        if not _NUMBER.fullmatch(found):
            raise Wrong("not_a_number")
        if not least <= int(found) <= most:
            raise Wrong("out_of_range", least=least, most=most)
        return int(found)

    return read_number


def choice_cell(*choices: str) -> Callable[[str], str]:
    """Return a reader of one of these words."""

    def read_choice(cell: str) -> str:
        found = _folded(cell)
        if found not in choices:
            raise Wrong("not_a_choice", choices=", ".join(choices))
        return found

    return read_choice


def switch_cell(cell: str) -> bool:
    """Read yes or no."""
    found = _folded(cell)
    if found not in SWITCHES:
        raise Wrong("not_a_choice", choices=", ".join(SWITCHES))
    return SWITCHES[found]


SWITCHES: Final = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}


def moment_cell(cell: str) -> str:
    """Read a time with its offset, as RFC 3339."""
    try:
        found = datetime.fromisoformat(cell.strip())
    except ValueError:
        raise Wrong("not_a_time") from None
    if found.tzinfo is None:
        raise Wrong("not_a_time")
    return found.isoformat()


def dated_cell(cell: str) -> str:
    """Read a whole day, 2026-12-04, or a time with its offset."""
    text = cell.strip()
    try:
        return date.fromisoformat(text).isoformat() if len(text) == len("2026-12-04") else moment_cell(text)
    except (ValueError, Wrong):
        raise Wrong("not_dated") from None


def parts_cell(cell: str) -> tuple[tuple[str, int], ...]:
    """Read what a kit is made of: `A:2; B` is two units of A and one of B. The last colon counts."""
    found = []
    for part in filter(None, (part.strip() for part in cell.split(";"))):
        code, colon, units = part.rpartition(":")
        found.append((code_cell(code if colon else part), number_cell(1)(units) if colon else 1))
    return tuple(found)


# --- the shop's tables --------------------------------------------------------------------------------------------

_SKU: Final = Column(
    name="sku", read=code_cell, aliases=("品番", "商品コード", "商品番号", "商品管理番号"), needed=True
)
_LOCATION: Final = Column(name="location", read=text_cell, aliases=("倉庫", "場所", "拠点"))
_TITLE: Final = Column(name="title", read=text_cell, aliases=("name", "商品名", "名称"))

SKUS: Final = (_SKU, _TITLE, Column(name="components", read=parts_cell, aliases=("構成品", "セット内容")))
COUNTS: Final = (
    _SKU,
    Column(name="quantity", read=number_cell(0), aliases=("qty", "数量", "在庫数", "在庫"), needed=True),
    _LOCATION,
    Column(name="counted", read=choice_cell("on_hand", "available")),
    Column(name="counted_at", read=moment_cell),
)
MOVES: Final = (
    _SKU,
    Column(name="quantity", read=number_cell(-MOST_UNITS), aliases=("qty", "数量", "増減"), needed=True),
    _LOCATION,
)
WAITING: Final = (
    Column(name="key", read=text_cell, aliases=("id",), needed=True),
    _SKU,
    Column(name="quantity", read=number_cell(1), aliases=("qty", "数量")),
    Column(name="account", read=text_cell, aliases=("channel", "モール", "店舗")),
    Column(name="order_number", read=text_cell, aliases=("order", "注文番号")),
    Column(name="language", read=choice_cell("ja", "en", "zh")),
    Column(name="amount", read=text_cell, aliases=("金額",)),
    Column(name="currency", read=text_cell),
    Column(name="due_on", read=text_cell),
    Column(name="address", read=text_cell, aliases=("mail", "email", "メール")),
    Column(name="note", read=text_cell, aliases=("message", "備考", "メモ")),
)
ARRIVALS: Final = (
    Column(name="number", read=text_cell, aliases=("order", "発注番号"), needed=True),
    _SKU,
    Column(name="quantity", read=number_cell(0), aliases=("qty", "数量"), needed=True),
    Column(name="expected", read=text_cell, aliases=("date", "入荷予定日")),
    _LOCATION,
)
MAPPINGS: Final = (
    Column(name="account", read=text_cell, aliases=("channel", "モール", "店舗"), needed=True),
    Column(name="remote_id", read=code_cell, needed=True),
    Column(name="remote_location", read=text_cell),
    Column(name="sku", read=code_cell, aliases=_SKU.aliases),
    *(
        Column(name=name, shown=True)
        for name in (
            "remote_sku", "title", "location", "active", "managed", "vanished", "target", "low", "high", "seen", "held",
            "parked",
        )
    ),
)  # fmt: skip
ALTERNATIVES: Final = (
    _SKU,
    Column(name="alternative", read=code_cell, aliases=("代替",), needed=True),
    Column(name="note", read=text_cell, aliases=("補足", "備考")),
)
POLICIES: Final = (
    _SKU,
    Column(name="account", read=text_cell, aliases=("channel", "モール", "店舗")),
    Column(name="safety_stock", read=number_cell(0), aliases=("安全在庫",)),
    Column(name="safety_percent", read=number_cell(0, 100)),
    Column(name="cap", read=number_cell(0), aliases=("上限",)),
    Column(name="exposure", read=choice_cell("pool", "allotment", "adaptive"), aliases=("配分方式",)),
    Column(name="loss", read=number_cell(1)),
    Column(name="share", read=number_cell(0, 100), aliases=("割合",)),
    Column(name="priority", read=text_cell, aliases=("優先",)),
    Column(name="priority_units", read=number_cell(0)),
    Column(name="preorder", read=switch_cell, aliases=("予約",)),
    Column(name="hide", read=switch_cell, aliases=("非公開",)),
    Column(name="purchase_limit", read=number_cell(1), aliases=("購入制限",)),
    Column(name="season", read=text_cell, aliases=("期間名",)),
    Column(name="since", read=dated_cell, aliases=("開始",)),
    Column(name="until", read=dated_cell, aliases=("終了",)),
)


def names(columns: Sequence[Column]) -> str:
    """Return the columns that are read, as a person writes them; those in brackets may be left out."""
    return ",".join(column.name if column.needed else f"[{column.name}]" for column in columns if not column.shown)


# --- writing ------------------------------------------------------------------------------------------------------


def write(
    rows: Iterable[Mapping[str, Any]], columns: Sequence[Column], *, encoding: str = "utf-8", separator: str = ","
) -> bytes:
    """Write rows; raises `Wrong` for a sign that the encoding lacks, or that would come back as another in a code."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=separator, lineterminator="\r\n")
    writer.writerow([column.name for column in columns])
    for row in rows:
        cells = [_written(row.get(column.name)) for column in columns]
        if encoding == JAPANESE:
            _check_codes(cells, columns)
        writer.writerow(cells)
    try:
        return out.getvalue().encode(encoding)
    except UnicodeEncodeError as error:
        raise Wrong("not_in_encoding", sign=error.object[error.start], encoding=encoding) from None


def _check_codes(cells: Sequence[str], columns: Sequence[Column]) -> None:
    """Refuse codes with one of the six signs, such as the wave dash, that Shift_JIS gives back as their twins."""
    for cell, column in zip(cells, columns, strict=True):
        lost = _TWINS.search(cell) if column.read in (code_cell, parts_cell) else None
        if lost is not None:
            raise Wrong("not_in_encoding", sign=lost[0], encoding=JAPANESE)


def _written(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case str():
            return f"'{value}" if value.startswith(_FORMULA) else value
        case list() | tuple():
            return "; ".join(f"{part['sku']}:{part['quantity']}" for part in value)
        case _:
            return str(value)
