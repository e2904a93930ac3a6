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
import io
import json
import math
import os
import sys
import time
from argparse import Namespace
from bisect import bisect
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean, pstdev

from syncd.core.exposure import Policy, even_targets, pool_target
from syncd.core.foresight import Foresight
from syncd.core.hindsight import DELIVERY, Event, Lag, Plain, Rule, Tally, replay
from syncd.testing.chance import SeededRandom
from tests.bench.report import arguments

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("SYNCD_SHARED", ROOT.parent / "shared")) / "data" / "online_retail_2011-09_10.csv.gz"
SHARES = (0.4, 0.3, 0.2, 0.1)
LAGS = (Lag(60.0, 120.0), Lag(30.0, 2.0), Lag(1.0, 1.0), Lag(120.0, 3.0))
CHANNELS = len(SHARES)
MOST_QUANTITY = 12
UNITS_PER_DELIVERY = 60
COVER = 0.85
BATCH_S = 900.0
BUFFERS = (1, 2, 3, 5, 8, 12)
LOSSES = (5, 20, 60, 150, 500, 1000, 2500, 4000, 20_000, 100_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """An order line as the file has it; `at_s` in seconds of the epoch."""

    invoice: str
    sku: int
    units: int
    at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """Demand and deliveries of one seed, in order of time."""

    events: Sequence[Event]
    skus: int
    demand: int


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
        events.append(Event((row.at_s - start_s + late_s) / compress, row.sku, row.units, channel, row.invoice))
        demand[row.sku] += row.units
    end_s = max(event.at_s for event in events)
    events.extend(_deliveries(demand, end_s, dice))
    # Deliveries before sales of the same instant; the rest only makes the order certain.
    events.sort(key=lambda event: (event.at_s, event.channel != DELIVERY, event.sku, event.order))
    return Shop(events=events, skus=skus, demand=sum(demand.values()))


def _channel(draw: float) -> int:
    for channel, share in enumerate(SHARES):
        draw -= share
        if draw < 0:
            return channel
    return CHANNELS - 1


def _deliveries(demand: Mapping[int, int], end_s: float, dice: SeededRandom) -> Iterator[Event]:
    for sku in sorted(demand):
        parts = max(1, round(demand[sku] / UNITS_PER_DELIVERY))
        total = round(COVER * demand[sku])
        for number in range(parts):
            at_s = -1.0 if number == 0 else (number + dice()) * end_s / parts
            yield Event(at_s, sku, total * (number + 1) // parts - total * number // parts, DELIVERY)


def play(shop: Shop, name: str) -> Tally:
    """Return what came of the policy of this name (see `NAMES`)."""
    kind, _, number = name.partition(" ")
    rule: Rule
    if kind == "adaptive":
        rule = Foresight(skus=shop.skus, lags=LAGS, loss=float(number))
    elif kind == "even":
        rule = Plain(lambda available: even_targets(available, CHANNELS))
    else:
        policy = Policy(safety_stock=int(number or 0))
        rule = Plain(lambda available: (pool_target(available, policy),) * CHANNELS)
    return replay(shop.events, skus=shop.skus, lags=LAGS, rule=rule, batch_s=BATCH_S if kind == "batch" else None)


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


def ratios(results: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Return how many times as much each fixed buffer oversells as the adaptive rule where that sells the same.

    Between two levels of the adaptive rule the logarithm of what is oversold is taken as straight. Where even the
    strictest level sells more than the buffer, that level stands for it: the ratio is at least so much. A buffer that
    sells more than every level has none. Less than half a unit counts as half a unit.
    """
    told = [(found["sold"], max(0.5, found["oversold"])) for name, found in results.items() if name[:8] == "adaptive"]
    levels = sorted(told)
    found_ratios = {}
    for name, found in results.items():
        if name.startswith("fixed") and levels and found["sold"] <= levels[-1][0]:
            place = bisect([sold for sold, _ in levels], found["sold"])
            low, high = levels[max(0, place - 1)], levels[min(place, len(levels) - 1)]
            part = (max(found["sold"], low[0]) - low[0]) / ((high[0] - low[0]) or 1.0)
            found_ratios[name] = found["oversold"] / (low[1] * (high[1] / low[1]) ** part)
    return found_ratios


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


def kept(path: Path | None, setting: Mapping[str, object]) -> dict[tuple[str, int], Tally]:
    """Return what a file of earlier runs holds of this setting, by policy and seed."""
    if path is None or not path.exists():
        return {}
    told = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return {(one["policy"], one["seed"]): Tally(**one["tally"]) for one in told if one["setting"] == setting}


def measure(rows: Sequence[Row], skus: int, options: Namespace) -> dict[str, list[Tally]]:
    """Return the tallies of all seeds by policy; those that `--keep` holds are not made again, new ones are added."""
    setting = {"trace": options.trace.name, "months": options.months, "compress": options.compress}
    known = kept(options.keep, setting)
    for seed in range(1, options.seeds + 1):
        left = [name for name in options.policies if (name, seed) not in known]
        if left:
            shop = make_shop(rows, skus=skus, compress=options.compress, seed=seed)
        for name in left:
            tally = known[name, seed] = play(shop, name)
            if options.keep is not None:
                line = json.dumps({"setting": setting, "policy": name, "seed": seed, "tally": asdict(tally)})
                with options.keep.open("a", encoding="utf-8") as file:
                    file.write(line + "\n")
    return {name: [known[name, seed] for seed in range(1, options.seeds + 1)] for name in options.policies}


def main() -> None:
    """Measure all policies and print what came of them."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--trace", type=Path, default=DATA)
    parser.add_argument("--compress", type=float, default=20.0)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--months", type=int, nargs="*", default=[], help="only these months; left out: all")
    parser.add_argument("--policies", nargs="*", default=list(NAMES), help="only these, by their names")
    parser.add_argument("--out", type=Path, help="draw the frontier into this SVG file")
    parser.add_argument(
        "--keep", type=Path, help="add each seed's numbers to this file; what it holds is not run again"
    )
    options = parser.parse_args()
    began_s = time.perf_counter()
    rows, skus = read_rows(options.trace, options.months)
    results = {name: summed(found) for name, found in measure(rows, skus, options).items()}
    settings = {"trace": options.trace.name, "compress": options.compress, "months": options.months}
    settings |= {"seeds": options.seeds, "demand": sum(row.units for row in rows), "lines": len(rows)}
    settings["seconds"] = round(time.perf_counter() - began_s, 1)
    times = ratios(results)
    beside = ", ".join(f"{name}: {ratio:.1f}" for name, ratio in times.items())
    sys.stdout.write("\n".join(show(results)) + f"\ntimes as much oversold at the same sold: {beside}\n{settings}\n")
    if options.out is not None:
        options.out.write_text(draw(results, f"{options.trace.name}, K = {options.compress:g}"), encoding="utf-8")
    if options.json:
        flat = {f"{name} {field}": number for name, found in results.items() for field, number in found.items()}
        flat |= {f"{name} ratio": ratio for name, ratio in times.items()}
        sys.stdout.write(json.dumps({"name": "frontier", "figures": flat, "settings": settings}) + "\n")


if __name__ == "__main__":
    main()
