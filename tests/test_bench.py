"""Every benchmark runs, in a tiny size, and ends with one JSON object that has the figures others hold it by."""

from __future__ import annotations

import json
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import pytest

from syncd.core.hindsight import Tally
from tests.bench import frontier
from tests.bench.frontier import measure, ratios, read_rows

ROOT = Path(__file__).resolve().parents[1]
TRACE = """invoice,sku,quantity,at
1,A,2,2011-09-01 08:25:00
1,B,1,2011-09-01 08:25:00
2,A,1,2011-09-01 09:00:00
3,B,3,2011-09-01 09:10:00
"""
BENCHES = {
    "ingest": (
        "--orders 40 --skus 50 --ledger 100",
        {"lines_per_s", "ratio_to_raw", "ratio_full_to_empty"},
    ),
    "reaction": ("--skus 200 --seconds 0.2 --orders 40", {"p50_ms", "p99_ms", "ack_p99_ms", "orders_per_s"}),
    "saturation": ("--listings 300 --only shopify --only rakuten", {"shopify", "rakuten"}),
    "memory": ("--skus 50 --rest-s 0.1", {"rss_mb", "ready_s"}),
    "replay": ("--file {trace}", {"wrong", "unbalanced", "same", "oversold", "hidden", "writes"}),
    "frontier": ("--trace {trace} --seeds 1 --policies pool batch", {"pool sold", "pool oversold", "batch writes"}),
    "allotment": ("--seeds 3", {"oversold", "sold", "raises", "runs_per_s"}),
    "guarded": ("--seeds 1", {"delta wrong", "delta naive wrong", "mixed wrong", "listings"}),
    "overtake": (
        "--listings 300 --falls 2 --tick-s 0.2",
        {"p50_ticks", "worst_ticks", "worst_taken_ticks", "raises_left"},
    ),
    "planning": ("--skus 40", {"plan_s", "rss_mb", "longest_hold_ms"}),
    "pages": (
        "--skus 60 --orders 60 --rounds 2",
        {"stock_ms", "empty_ms", "stock_ratio", "search_ms", "search_nothing_cpu_ms", "orders_ms", "html_kb"},
    ),
    "restock": ("--waiting 50 --units 30", {"seconds_to_decide", "ack_p99_ms", "longest_transaction_ms", "moved"}),
    "mission": (
        "--waiting 6 --units 4 --kills 1 --scale 0.05",
        {"seconds", "least_s", "ratio", "killed_seconds", "wrong"},
    ),
    "hour": ("--virtual-s 60", {"seconds", "wrong"}),
}
"""The options of a tiny run, and figures that it has to print."""


def figures_of(name: str, options: list[str]) -> dict[str, float]:
    """Run a benchmark as a person would; return its figures."""
    command = [sys.executable, "-m", f"tests.bench.{name}", "--json", *options]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=400, check=False)
    assert ended.returncode == 0, ended.stderr[-2_000:]
    told = json.loads(ended.stdout.splitlines()[-1])
    assert told.keys() == {"name", "figures", "settings"}
    assert told["name"] == name
    figures: dict[str, float] = told["figures"]
    return figures


@pytest.mark.bench
@pytest.mark.slow
@pytest.mark.parametrize("name", BENCHES)
def test_a_benchmark_prints_its_figures(name: str, tmp_path: Path) -> None:
    """A tiny run ends with one JSON object whose figures are numbers under the fixed names."""
    trace = tmp_path / "trace.csv"
    trace.write_text(TRACE, encoding="utf-8")
    options, wanted = BENCHES[name]
    figures = figures_of(name, options.format(trace=trace).split())
    assert wanted <= figures.keys()
    assert all(isinstance(value, int | float) for value in figures.values())
    assert name != "replay" or figures["wrong"] == figures["unbalanced"] == 0


def test_every_benchmark_is_tried() -> None:
    """There is no benchmark that this file does not run."""
    there = {path.stem for path in (ROOT / "tests" / "bench").glob("*.py") if "__main__" in path.read_text()}
    assert there == set(BENCHES)


def test_the_frontier_goes_on_where_it_was_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seeds whose numbers are kept are not run again, and those of another setting are not taken for them."""
    trace = tmp_path / "trace.csv"
    trace.write_text(TRACE, encoding="utf-8")
    rows, skus = read_rows(trace, [])
    keep = tmp_path / "kept.jsonl"

    def measured(seeds: int, compress: float) -> list[Tally]:
        options = Namespace(
            trace=trace, months=[], compress=compress, seeds=seeds, policies=["pool", "adaptive 20"], keep=keep
        )
        return [tally for tallies in measure(rows, skus, options).values() for tally in tallies]

    first = measured(2, 1.0)
    assert len(first) == len(keep.read_text(encoding="utf-8").splitlines()) == 4
    assert len(measured(1, 20.0)) == 2
    monkeypatch.setattr(frontier, "play", None)
    assert measured(2, 1.0) == first
    with pytest.raises(TypeError):
        measured(3, 1.0)


def test_the_frontier_is_compared_at_the_same_units_sold() -> None:
    """Between two levels what is oversold is read off the line through them, beyond the strictest off that level."""
    told = {"adaptive 5": (200.0, 100.0), "adaptive 50": (100.0, 1.0), "fixed 1": (150.0, 50.0)}
    told |= {"fixed 2": (90.0, 3.0), "fixed 3": (200.0, 200.0), "fixed 5": (201.0, 9.0), "pool": (300.0, 900.0)}
    found = ratios({name: {"sold": sold, "oversold": oversold} for name, (sold, oversold) in told.items()})
    assert found == pytest.approx({"fixed 1": 5.0, "fixed 2": 3.0, "fixed 3": 2.0})
