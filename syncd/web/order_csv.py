"""Orders as a file for spreadsheets: CSV in UTF-8 with BOM or in Shift_JIS, Japanese or English heads."""

from __future__ import annotations

import csv
import io
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta, timezone
from enum import StrEnum
from typing import Any, Final

from syncd.core.carriers import name_of
from syncd.store.views_orders import OrderView

JAPAN: Final = timezone(timedelta(hours=9), "JST")
"""Times are told as the shop's staff reads them."""


class Coding(StrEnum):
    """How the file is written; Excel opens both with a double click."""

    UTF_8 = "utf-8"
    SHIFT_JIS = "shift_jis"


_CODECS: Final = {Coding.UTF_8: "utf-8", Coding.SHIFT_JIS: "cp932"}
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def _time(at: datetime | None) -> str:
    return "" if at is None else at.astimezone(JAPAN).strftime("%Y-%m-%d %H:%M")


def _mark(value: bool) -> str:  # noqa: FBT001  (a cell)
    return "1" if value else ""


_COLUMNS: Final[tuple[tuple[str, str, Callable[[OrderView, str], str]], ...]] = (
    ("channel", "モール", lambda order, _: order.account),
    ("order", "注文番号", lambda order, _: order.number),
    ("ordered at", "注文日時", lambda order, _: _time(order.ordered_at)),
    ("payment", "支払い状況", lambda order, _: order.payment),
    ("fulfilment", "発送状況", lambda order, _: order.fulfilment),
    ("returns", "返品状況", lambda order, _: order.returns),
    ("cancelled", "キャンセル", lambda order, _: _mark(order.cancelled)),
    ("units", "個数", lambda order, _: str(order.units)),
    ("shipped", "発送済み個数", lambda order, _: str(order.units_shipped)),
    ("cancelled units", "キャンセル個数", lambda order, _: str(order.units_cancelled)),
    ("waits for stock", "入荷待ち", lambda order, _: _mark(order.delayed)),
    ("ship by", "発送期限", lambda order, _: _time(order.ship_by)),
    ("late", "発送遅延", lambda order, _: _mark(order.late)),
    ("promised", "お届け予定", lambda order, _: _time(order.deliver_by)),
    ("carriers", "運送会社", lambda order, language: " ".join(name_of(k, language=language, word=k)
                                                              for k in order.carriers)),
    ("parcels", "荷物数", lambda order, _: str(order.parcels)),
    ("amount", "金額", lambda order, _: order.amount),
    ("currency", "通貨", lambda order, _: order.currency),
)  # fmt: skip


def head(*, coding: Coding, language: str) -> bytes:
    """Return the first line, with a byte order mark where the coding has one."""
    names = [japanese if language == "ja" else english for english, japanese, _ in _COLUMNS]
    return (BOM_UTF8 if coding is Coding.UTF_8 else b"") + _encoded([names], coding)


def rows(orders: Iterable[OrderView], *, coding: Coding, language: str) -> bytes:
    """Return the lines of orders; a cell that a spreadsheet would compute has an apostrophe before it."""
    return _encoded(([_safe(cell(order, language)) for _, _, cell in _COLUMNS] for order in orders), coding)


def _safe(cell: str) -> str:
    return "'" + cell if cell.startswith(_FORMULA) else cell


def _encoded(lines: Iterable[list[Any]], coding: Coding) -> bytes:
    out = io.StringIO()
    csv.writer(out).writerows(lines)
    return out.getvalue().encode(_CODECS[coding], "replace")
