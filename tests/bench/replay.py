"""Real orders through the whole daemon and four simulated channels in virtual time, twice: the results are to be equal.

`wrong` listings do not show their target at the end (on absolute channels: within their margin), `unbalanced` are
differences in the ledger; `same` is 1 when both runs ended alike. `seconds` is the real time of one run.
"""

from __future__ import annotations

import os
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from syncd.rehearsal import SHARES
from syncd.replay import Result, replay
from syncd.trace import Trace, read_trace
from tests.bench.report import arguments, report

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("SYNCD_SHARED", ROOT.parent / "shared")) / "data" / "online_retail_2011-09_10.csv.gz"
MEMORY = Path("/dev/shm")


def measure(trace: Trace, *, seed: int) -> tuple[Result, float]:
    """Return what one run found, and its real seconds."""
    folder = MEMORY if os.access(MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="syncd-bench-", dir=folder) as name:
        began_s = time.perf_counter()
        result = replay(trace, seed=seed, folder=Path(name))
        return result, time.perf_counter() - began_s


def figures_of(result: Result) -> dict[str, float]:
    """Return the numbers of a result, those of a channel under its name."""
    found: dict[str, Any] = asdict(result)
    channels = found.pop("by_channel")
    found.pop("examples")
    return {**found, **{f"sold_{name}": units for name, units in sorted(channels.items())}}


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--file", type=Path, default=DATA)
    parser.add_argument("--lines", type=int, help="only so many order lines; left out: all")
    parser.add_argument("--compress", type=float, default=200.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--once", action="store_true", help="do not run it again to compare")
    options = parser.parse_args()
    trace = read_trace(
        options.file, shares=SHARES, seed=options.seed, compress=options.compress, most_lines=options.lines
    )
    result, seconds = measure(trace, seed=options.seed)
    figures = {**figures_of(result), "seconds": seconds, "lines_per_s": result.lines / seconds}
    if not options.once:
        figures["same"] = float(measure(trace, seed=options.seed)[0] == result)
    settings = {"file": options.file.name, "compress": options.compress, "seed": options.seed, "lines": options.lines}
    report("replay", figures, settings, as_json=options.json)


if __name__ == "__main__":
    main()
