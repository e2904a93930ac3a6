"""Units oversold against units not sold although in stock, on real orders: buffers, allotments, adaptive exposure.

The rules, so that others can repeat it. Lines with a quantity below one and invoices that begin with C are left out; a
quantity is cut at 12; an invoice goes to Amazon (40 %), Rakuten (30 %), Shopify (20 %) or Qoo10 (10 %) by seed, at its
minute plus up to 60 s; times are divided by K. A SKU with total demand D gets max(1, round(D / 60)) equal deliveries
worth 0.85 D in all, the first at the start, the k-th at a random moment of its k-th part. A line is taken whole if the
listing shows enough, else refused. We hear of a sale after 60, 30, 1, 120 s; a write is visible after 120, 2, 1, 3 s;
these are not divided. Writes change a listing by a difference, so that no own sale is put back; the batch, every 15
minutes, writes absolute numbers. Oversold: units taken beyond what is there, served by the next delivery. Hidden:
units of refused lines that were wholly there. Every target comes from `syncd.core`.
"""

from __future__ import annotations

import csv
import gzip
import heapq
import io
import json
import math
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean, pstdev

from syncd.core.adaptive import Reach, targets
from syncd.core.demand import Demand, Pace, add_size
from syncd.core.exposure import Policy, even_targets, pool_target
from syncd.testing.chance import SeededRandom
from tests.bench.report import arguments

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("SYNCD_SHARED", ROOT.parent / "shared")) / "data" / "online_retail_2011-09_10.csv.gz"
SHARES = (0.4, 0.3, 0.2, 0.1)
HEARD_S = (60.0, 30.0, 1.0, 120.0)
VISIBLE_S = (120.0, 2.0, 1.0, 3.0)
CHANNELS = len(SHARES)
MOST_QUANTITY = 12
UNITS_PER_DELIVERY = 60
COVER = 0.85
BATCH_S = 900.0
BUFFERS = (1, 2, 3, 5, 8, 12)
LOSSES = (10, 30, 100, 300, 1000, 2500)
LOOK_ORDERS = 40
"""After so many orders of the shop all SKUs are looked at: where the demand moved, the targets are computed anew."""
MOVED = 1.6
"""By which factor a demand has to move for that."""
NEVER = float("inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """An order line as the file has it; `at_s` in seconds of the epoch."""

    invoice: str
    sku: int
    units: int
    at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """Demand and deliveries of one seed, in order of time: (seconds, SKU, units, channel or -1, invoice)."""

    events: Sequence[tuple[float, int, int, int, str]]
    skus: int
    demand: int


@dataclass(slots=True, kw_only=True)
class Tally:
    """What came of a policy, in units; writes are counted one by one."""

    demand: int
    sold: int = 0
    oversold: int = 0
    hidden: int = 0
    writes: int = 0


def read_rows(path: Path, months: Sequence[int]) -> tuple[list[Row], int]:
    """Return the lines of these months (all where none is named), and how many SKUs they have."""
    content = path.read_bytes()
    text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode("utf-8")
    numbers: dict[str, int] = {}
    rows = []
    for row in csv.DictReader(io.StringIO(text, newline="")):
        at = datetime.fromisoformat(row["at"]).replace(tzinfo=UTC)
        units = min(MOST_QUANTITY, int(row["quantity"]))
        if units < 1 or row["invoice"].startswith("C") or (months and at.month not in months):
            continue
        sku = numbers.setdefault(row["sku"], len(numbers))
        rows.append(Row(invoice=row["invoice"], sku=sku, units=units, at_s=at.timestamp()))
    return rows, len(numbers)


def make_shop(rows: Sequence[Row], *, skus: int, compress: float, seed: int) -> Shop:
    """Return the demand of these lines on four channels, and the deliveries, by seed."""
    dice = SeededRandom(seed)
    start_s = min(row.at_s for row in rows)
    drawn = {invoice: (dice.between(0, 60), _channel(dice())) for invoice in sorted({row.invoice for row in rows})}
    events = []
    demand = Counter[int]()
    for row in rows:
        late_s, channel = drawn[row.invoice]
        events.append(((row.at_s - start_s + late_s) / compress, row.sku, row.units, channel, row.invoice))
        demand[row.sku] += row.units
    end_s = max(event[0] for event in events)
    events.extend(_deliveries(demand, end_s, dice))
    # Deliveries before sales of the same instant; the rest only makes the order certain.
    events.sort(key=lambda event: (event[0], event[3] >= 0, event[1], event[4]))
    return Shop(events=events, skus=skus, demand=sum(demand.values()))


def _channel(draw: float) -> int:
    for channel, share in enumerate(SHARES):
        draw -= share
        if draw < 0:
            return channel
    return CHANNELS - 1


def _deliveries(
    demand: Mapping[int, int], end_s: float, dice: SeededRandom
) -> Iterator[tuple[float, int, int, int, str]]:
    for sku in sorted(demand):
        parts = max(1, round(demand[sku] / UNITS_PER_DELIVERY))
        total = round(COVER * demand[sku])
        for number in range(parts):
            at_s = -1.0 if number == 0 else (number + dice()) * end_s / parts
            yield at_s, sku, total * (number + 1) // parts - total * number // parts, -1, ""


Decide = Callable[[int, int], Sequence[int]]
"""From a SKU and what we know to be available: what each of its listings should show."""


class Brain:
    """What the shop knows of its demand, and the adaptive targets that follow; `loss` per oversold unit."""

    def __init__(self, skus: int, loss: float) -> None:
        self.loss = loss
        self.pace = Pace()
        self.known = [Demand()] * skus
        self.shares = [10.0] * CHANNELS
        self.sizes: tuple[float, ...] = (1.0,) * MOST_QUANTITY
        self.lines = 10.0
        self.invoices: set[str] = set()
        self.decided = [0.0] * skus
        self.next_look = 2

    def heard(self, at_s: float, *, sku: int, units: int, channel: int, invoice: str, available: int) -> None:
        """Learn of a line."""
        if invoice not in self.invoices:
            self.invoices.add(invoice)
            self.pace = self.pace.heard(at_s)
            self.shares[channel] += 1
        self.lines += 1
        self.sizes = add_size(self.sizes, units, kept=0.999)
        self.known[sku] = self.known[sku].heard(units=units, pace=self.pace, open_=available > 0)

    def arrived(self, sku: int, available: int) -> None:
        """Learn of a delivery."""
        self.known[sku] = self.known[sku].heard(units=0, pace=self.pace, open_=available > 0)

    def moved(self, available: Sequence[int]) -> list[int]:
        """Return the SKUs whose demand has moved since their targets were computed; looked for now and then."""
        if self.pace.orders < self.next_look:
            return []
        self.next_look = self.pace.orders + min(LOOK_ORDERS, self.pace.orders)
        found = []
        for sku, units in enumerate(available):
            if units > 0:
                lines_per_s, before = self.lines_per_s(sku), self.decided[sku]
                if lines_per_s > before * MOVED or lines_per_s * MOVED < before:
                    found.append(sku)
        return found

    def lines_per_s(self, sku: int) -> float:
        """Return how many lines of a SKU come per second, on all channels."""
        usual = self.lines / (self.pace.orders + 10) / len(self.known)
        return self.known[sku].per_order(usual) * self.pace.per_s

    def decide(self, sku: int, available: int) -> Sequence[int]:
        """Return what each listing should show."""
        demand = self.known[sku]
        lines_per_s = self.decided[sku] = self.lines_per_s(sku)
        return targets(
            available,
            reach=[
                Reach(share=share, heard_s=heard_s, visible_s=visible_s)
                for share, heard_s, visible_s in zip(self.shares, HEARD_S, VISIBLE_S, strict=True)
            ],
            lines_per_s=lines_per_s,
            sizes=demand.sized(self.sizes),
            loss=self.loss,
        )


class Market:
    """Four channels with all listings of a shop, under one policy: an event loop of its own."""

    def __init__(self, shop: Shop, decide: Decide, *, batch: bool = False, brain: Brain | None = None) -> None:
        self.shop = shop
        self.decide = decide
        self.batch = batch
        self.brain = brain
        self.tally = Tally(demand=shop.demand)
        self.there = [0] * shop.skus
        self.available = [0] * shop.skus
        self.believed = [[0] * CHANNELS for _ in range(shop.skus)]
        self.shown = [[0] * CHANNELS for _ in range(shop.skus)]
        self.dirty: set[int] = set()
        self.waiting: list[tuple[float, int, int, int, int, int, str]] = []
        self.number = 0

    def run(self) -> Tally:
        """Play all events and return what came of it."""
        ticks = BATCH_S if self.batch else NEVER
        for event in self.shop.events:
            while min(ticks, self.waiting[0][0] if self.waiting else NEVER) <= event[0]:
                if ticks <= (self.waiting[0][0] if self.waiting else NEVER):
                    self._write_batch(ticks)
                    ticks += BATCH_S
                else:
                    self._happen()
            if event[3] < 0:
                self._arrive(event[0], event[1], event[2])
            else:
                self._ask(*event)
        return self.tally

    def _later(self, at_s: float, kind: int, sku: int, channel: int, units: int, invoice: str = "") -> None:
        self.number += 1
        heapq.heappush(self.waiting, (at_s, self.number, kind, sku, channel, units, invoice))

    def _happen(self) -> None:
        at_s, _, kind, sku, channel, units, invoice = heapq.heappop(self.waiting)
        if kind == 1:
            self.shown[sku][channel] += units
        elif kind == 2:
            self.shown[sku][channel] = units
        else:
            self.available[sku] -= units
            self.believed[sku][channel] -= units
            if self.brain is not None:
                known = self.available[sku]
                self.brain.heard(at_s, sku=sku, units=units, channel=channel, invoice=invoice, available=known)
            self._replan(sku, at_s)
            if self.brain is not None:
                for moved in self.brain.moved(self.available):
                    self._replan(moved, at_s)

    def _arrive(self, at_s: float, sku: int, units: int) -> None:
        self.there[sku] += units
        self.available[sku] += units
        if self.brain is not None:
            self.brain.arrived(sku, self.available[sku])
        if at_s < 0:
            opening = self.decide(sku, self.available[sku])
            self.believed[sku], self.shown[sku] = list(opening), list(opening)
        else:
            self._replan(sku, at_s)

    def _ask(self, at_s: float, sku: int, units: int, channel: int, invoice: str) -> None:
        there = max(0, self.there[sku])
        if self.shown[sku][channel] >= units:
            over = max(0, units - there)
            self.tally.oversold += over
            self.tally.sold += units - over
            self.there[sku] -= units
            self.shown[sku][channel] -= units
            self._later(at_s + HEARD_S[channel], 0, sku, channel, units, invoice)
        elif there >= units:
            self.tally.hidden += units

    def _replan(self, sku: int, at_s: float) -> None:
        if self.batch:
            self.dirty.add(sku)
            return
        believed = self.believed[sku]
        for channel, target in enumerate(self.decide(sku, self.available[sku])):
            if target != believed[channel]:
                self.tally.writes += 1
                self._later(at_s + VISIBLE_S[channel], 1, sku, channel, target - believed[channel])
                believed[channel] = target

    def _write_batch(self, at_s: float) -> None:
        for sku in sorted(self.dirty):
            for channel, target in enumerate(self.decide(sku, self.available[sku])):
                self.tally.writes += 1
                self._later(at_s + VISIBLE_S[channel], 2, sku, channel, target)
        self.dirty.clear()


def play(shop: Shop, name: str) -> Tally:
    """Return what came of the policy of this name (see `NAMES`)."""
    kind, _, number = name.partition(" ")
    if kind == "adaptive":
        brain = Brain(shop.skus, float(number))
        return Market(shop, brain.decide, brain=brain).run()
    if kind == "even":
        return Market(shop, lambda _, available: even_targets(available, CHANNELS)).run()
    policy = Policy(safety_stock=int(number or 0))
    return Market(shop, lambda _, n: (pool_target(n, policy),) * CHANNELS, batch=kind == "batch").run()


NAMES = ("batch", "pool", *(f"fixed {n}" for n in BUFFERS), "even", *(f"adaptive {n}" for n in LOSSES))
FIELDS = ("sold", "oversold", "hidden", "writes")


def summed(tallies: Sequence[Tally]) -> dict[str, float]:
    """Return mean and spread (standard deviation) of each number over the seeds."""
    found: dict[str, float] = {"demand": fmean(tally.demand for tally in tallies)}
    for field in FIELDS:
        values = [getattr(tally, field) for tally in tallies]
        found[field] = fmean(values)
        found[f"{field}_spread"] = pstdev(values)
    return found


def draw(results: Mapping[str, Mapping[str, float]], title: str) -> str:
    """Return the frontier as an SVG: units sold to the right, oversold units (logarithmic) upwards."""
    points = {name: (found["sold"], math.log10(max(0.1, found["oversold"]))) for name, found in results.items()}
    left, right = min(x for x, _ in points.values()), max(x for x, _ in points.values())
    top = max(1.0, math.ceil(max(y for _, y in points.values())))

    def place(point: tuple[float, float]) -> str:
        across = 90 + 760 * (point[0] - left) / max(1.0, right - left)
        return f"{across:.1f},{40 + 480 * (top - point[1]) / (top + 1):.1f}"

    parts = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 960 600" font-family="sans-serif" font-size="12">']
    parts.append(f'<rect width="960" height="600" fill="white"/><text x="90" y="24" font-size="15">{title}</text>')
    for power in range(-1, int(top) + 1):
        y = place((left, float(power))).split(",")[1]
        parts.append(f'<path d="M90,{y}H850" stroke="#ddd"/>')
        parts.append(f'<text x="84" y="{y}" text-anchor="end">{10.0**power:g}</text>')
    for share in range(5):
        sold = left + (right - left) * share / 4
        x = place((sold, 0.0)).split(",")[0]
        parts.append(f'<text x="{x}" y="545" text-anchor="middle">{sold:,.0f}</text>')
    for kind, colour in (("fixed", "#888"), ("adaptive", "#06c")):
        line = " ".join(place(points[name]) for name in points if name.startswith(kind) or name == "pool")
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
    for name, point in points.items():
        x, y = place(point).split(",")
        parts.append(f'<circle cx="{x}" cy="{y}" r="4"/>')
        parts.append(f'<text x="{float(x) + 7:.1f}" y="{float(y) - 5:.1f}">{name}</text>')
    parts.append('<text x="470" y="575" text-anchor="middle">units sold (across), units oversold (up)</text></svg>')
    return "\n".join(parts) + "\n"


def show(results: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    """Yield a table, one policy a line."""
    yield f"{'policy':<16}" + "".join(f"{field:>12}{'+/-':>9}" for field in FIELDS)
    for name, found in results.items():
        yield f"{name:<16}" + "".join(f"{found[field]:>12,.1f}{found[field + '_spread']:>9,.1f}" for field in FIELDS)


def main() -> None:
    """Measure all policies and print what came of them."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--trace", type=Path, default=DATA)
    parser.add_argument("--compress", type=float, default=20.0)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--months", type=int, nargs="*", default=[], help="only these months; left out: all")
    parser.add_argument("--policies", nargs="*", default=list(NAMES), help="only these, by their names")
    parser.add_argument("--out", type=Path, help="draw the frontier into this SVG file")
    options = parser.parse_args()
    began_s = time.perf_counter()
    rows, skus = read_rows(options.trace, options.months)
    tallies: dict[str, list[Tally]] = {name: [] for name in options.policies}
    for seed in range(1, options.seeds + 1):
        shop = make_shop(rows, skus=skus, compress=options.compress, seed=seed)
        for name, found in tallies.items():
            found.append(play(shop, name))
    results = {name: summed(found) for name, found in tallies.items()}
    settings = {"trace": options.trace.name, "compress": options.compress, "months": options.months}
    settings |= {"seeds": options.seeds, "demand": sum(row.units for row in rows), "lines": len(rows)}
    settings["seconds"] = round(time.perf_counter() - began_s, 1)
    sys.stdout.write("\n".join(show(results)) + f"\n{settings}\n")
    if options.out is not None:
        options.out.write_text(draw(results, f"{options.trace.name}, K = {options.compress:g}"), encoding="utf-8")
    if options.json:
        flat = {f"{name} {field}": number for name, found in results.items() for field, number in found.items()}
        sys.stdout.write(json.dumps({"name": "frontier", "figures": flat, "settings": settings}) + "\n")


if __name__ == "__main__":
    main()
