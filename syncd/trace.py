"""Real orders from a file, as demand: who asks for what when, and which deliveries come."""

from __future__ import annotations

import csv
import gzip
import io
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from syncd.sdk.errors import ConfigError, Problem
from syncd.testing.chance import SeededRandom

COLUMNS = ("invoice", "sku", "quantity", "at")
MOST_QUANTITY = 12
"""A line's quantity is cut here: wholesale lots would empty every shelf at once."""
UNITS_PER_DELIVERY = 60
COVER = 0.85
"""Which share of a SKU's whole demand is ever delivered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """An invoice: a shopper on one channel asks for these lines `at_s` seconds after the start."""

    at_s: float
    channel: str
    lines: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A delivery of `quantity` units of a SKU, `at_s` seconds after the start; 0 is the opening stock."""

    at_s: float
    sku: str
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """Demand and deliveries, in order of time. `lines` counts the order lines taken, all times are over `compress`."""

    asks: tuple[Ask, ...]
    arrivals: tuple[Arrival, ...]
    skus: tuple[str, ...]
    lines: int
    seconds: float
    compress: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    invoice: str
    sku: str
    quantity: int
    at_s: float


def read_trace(
    path: Path, *, shares: Mapping[str, float], seed: int, compress: float, most_lines: int | None = None
) -> Trace:
    """Read a trace; raises ConfigError that names file, line and what is wrong.

    Lines with a negative quantity and invoices that begin with C are left out, a quantity is cut at 12, an invoice
    goes to a channel by `shares` at its minute plus up to 60 s, all times are divided by `compress`. A SKU with demand
    D gets max(1, round(D / 60)) equal deliveries worth 0.85 D, the first at the start, the k-th at a random moment of
    its k-th part.
    """
    rows = list(_rows(path, most_lines))
    if not rows:
        raise ConfigError([Problem(place=str(path), message="has no order lines", remedy="is it the right file?")])
    dice = SeededRandom(seed)
    start = min(row.at_s for row in rows)
    asks = _asks(rows, start, shares=shares, dice=dice, compress=compress)
    end = asks[-1].at_s
    demand = Counter[str]()
    for row in rows:
        demand[row.sku] += row.quantity
    arrivals = sorted(_arrivals(demand, end, dice), key=lambda arrival: (arrival.at_s, arrival.sku))
    skus = tuple(sorted(demand))
    return Trace(asks=asks, arrivals=tuple(arrivals), skus=skus, lines=len(rows), seconds=end, compress=compress)


def _rows(path: Path, most: int | None) -> Iterator[_Line]:
    with _opened(path) as file:
        reader = csv.DictReader(file)
        missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
        if missing:
            remedy = f"the first line names the columns {', '.join(COLUMNS)}"
            raise ConfigError([Problem(place=f"{path}:1", message=f"no column {', '.join(missing)}", remedy=remedy)])
        taken = 0
        for row in reader:
            if row["invoice"].startswith("C") or row["quantity"].startswith("-"):
                continue
            if most is not None and taken >= most:
                return
            taken += 1
            yield _line(row, f"{path}:{reader.line_num}")


def _opened(path: Path) -> io.TextIOBase:
    try:
        if path.suffix == ".gz":
            return io.TextIOWrapper(gzip.open(path, "rb"), encoding="utf-8", newline="")
        return path.open(encoding="utf-8", newline="")
    except OSError as error:
        problem = Problem(
            place=str(path), message=error.strerror or "cannot be read", remedy="name a CSV or CSV.gz file"
        )
        raise ConfigError([problem]) from None


def _line(row: Mapping[str, str], place: str) -> _Line:
    try:
        at = datetime.fromisoformat(row["at"]).replace(tzinfo=UTC)
        quantity = min(MOST_QUANTITY, int(row["quantity"]))
    except (ValueError, TypeError):
        remedy = "quantity is a whole number, at is a time such as 2011-09-01 08:25:00"
        raise ConfigError([Problem(place=place, message="cannot be understood", remedy=remedy)]) from None
    return _Line(invoice=row["invoice"], sku=row["sku"], quantity=quantity, at_s=at.timestamp())


def _asks(
    rows: list[_Line], start: float, *, shares: Mapping[str, float], dice: SeededRandom, compress: float
) -> tuple[Ask, ...]:
    invoices: dict[str, list[_Line]] = {}
    for row in rows:
        if row.quantity > 0:
            invoices.setdefault(row.invoice, []).append(row)
    asks = []
    for invoice in sorted(invoices):
        lines = invoices[invoice]
        wanted = Counter[str]()
        for line in lines:
            wanted[line.sku] += line.quantity
        at_s = (lines[0].at_s - start + dice.between(0, 60)) / compress
        asks.append(Ask(at_s=at_s, channel=_channel(shares, dice()), lines=tuple(sorted(wanted.items()))))
    return tuple(sorted(asks, key=lambda ask: ask.at_s))


def _channel(shares: Mapping[str, float], draw: float) -> str:
    left = draw * sum(shares.values())
    for name, share in shares.items():
        left -= share
        if left < 0:
            return name
    return list(shares)[-1]


def _arrivals(demand: Mapping[str, int], end: float, dice: SeededRandom) -> Iterator[Arrival]:
    for sku in sorted(demand):
        parts = max(1, round(demand[sku] / UNITS_PER_DELIVERY))
        total = round(COVER * demand[sku])
        for number in range(parts):
            quantity = total * (number + 1) // parts - total * number // parts
            at_s = 0.0 if number == 0 else (number + dice()) * end / parts
            if quantity or number == 0:
                yield Arrival(at_s=at_s, sku=sku, quantity=quantity)
