"""The files of a CSV shop, and what they mean: pure. Each class is a row, its fields the columns."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import TypeVar

import msgspec

from syncd.sdk import channel as sdk
from syncd.sdk.answer import Answer
from syncd.sdk.errors import ProtocolError
from syncd.sdk.secret import sample

Row = TypeVar("Row", bound=msgspec.Struct)

SECOND_US = 1_000_000
ENDS = {"ok": sdk.OutcomeKind.APPLIED, "unknown": sdk.OutcomeKind.REJECTED, "refused": sdk.OutcomeKind.REJECTED}


class Product(msgspec.Struct, frozen=True):
    """A row of `products.csv`."""

    product: str
    sku: str
    title: str
    quantity: int
    active: bool
    tracked: bool


class OrderRow(msgspec.Struct, frozen=True):
    """A row of `orders.csv`: one line of an order as it is now. `at` is Unix time."""

    change: int
    order: str
    revision: int
    at: int
    line: str
    product: str
    sku: str
    quantity: int
    cancelled: int
    shipped: int


class Result(msgspec.Struct, frozen=True):
    """A row of the answer to `stock.csv`."""

    product: str
    result: str


def rows(text: str, kind: type[Row]) -> list[Row]:
    """Return the rows of a file; raises `ProtocolError` for one that is not what we know, such as a web page."""
    columns = list(kind.__struct_fields__)
    try:
        header, *found = csv.reader(io.StringIO(text, newline=""), strict=True)
        if header == columns:
            return [msgspec.convert(dict(zip(columns, row, strict=True)), kind, strict=False) for row in found]
    except (csv.Error, ValueError):  # ValidationError is among them
        pass
    raise ProtocolError(f"not a file of {', '.join(columns)}", sample=sample(text.encode()))


def snapshots(lines: Iterable[OrderRow], read_at: sdk.Instant, *, fresh: bool = False) -> list[sdk.OrderSnapshot]:
    """Return the orders that the rows of a file make; rows of one order stand together."""
    grouped = groupby(lines, key=lambda row: (row.change, row.order))
    return [_snapshot(list(group), read_at, fresh=fresh) for _, group in grouped]


def _snapshot(lines: Sequence[OrderRow], read_at: sdk.Instant, *, fresh: bool) -> sdk.OrderSnapshot:
    at = lines[0].at * SECOND_US
    return sdk.OrderSnapshot(
        order_id=lines[0].order,
        number=lines[0].order,
        version=lines[0].revision,
        read_at=read_at,
        ordered_at=at,
        lines=tuple(_line(row, sdk.Span(earliest=at, latest=at + SECOND_US)) for row in lines),
        cancelled=all(row.cancelled == row.quantity for row in lines),
        closed=all(row.cancelled + row.shipped == row.quantity for row in lines),
        fresh=fresh,
    )


def _line(row: OrderRow, take: sdk.Span) -> sdk.OrderLine:
    return sdk.OrderLine(
        line_id=row.line,
        remote_id=row.product,
        remote_sku=row.sku,
        quantity=row.quantity,
        cancelled=row.cancelled,
        shipped=row.shipped,
        take=take,
    )


def listing(row: Product) -> sdk.ListingInfo:
    """Return a product as syncd states it."""
    ref = sdk.ListingRef(remote_id=row.product)
    return sdk.ListingInfo(ref=ref, sku=row.sku, title=row.title, active=row.active, managed=row.tracked)


def seen(ref: sdk.ListingRef, row: Product | None, answer: Answer) -> sdk.Seen:
    """Return a reading; a product that is not in the file is not there."""
    number, active = (None, False) if row is None else (row.quantity, row.active)
    return sdk.Seen(ref=ref, quantity=number, active=active, asked_at=answer.asked_at, answered_at=answer.answered_at)


def stock_file(writes: Iterable[sdk.Write]) -> bytes:
    """Return the file that sets these numbers."""
    out = io.StringIO()
    csv.writer(out).writerows([("product", "quantity"), *((write.ref.remote_id, write.quantity) for write in writes)])
    return out.getvalue().encode()


def outcomes(writes: Sequence[sdk.Write], results: Iterable[Result]) -> list[sdk.Outcome]:
    """Return one outcome per write, in order; of what was not answered, or by a strange word, nothing is known."""
    found = {result.product: result.result for result in results}
    ends = [(write.key, found.get(write.ref.remote_id, "no answer")) for write in writes]
    lost = sdk.OutcomeKind.INDETERMINATE
    return [sdk.Outcome(key=key, kind=ENDS.get(word, lost), reason=word) for key, word in ends]
