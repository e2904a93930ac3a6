"""Real seconds that an hour of virtual time of the whole engine takes: three channels, shoppers, and faults."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

from tests.bench.report import arguments, report
from tests.engine.double import Rates
from tests.engine.test_hour import FAULTS, run_world

MEMORY = Path("/dev/shm")
BUSY_SHARE = 2 / 3
"""For so much of the hour shoppers buy; then everything comes to rest."""


def measure(rates: Rates, *, virtual_s: int, seed: int) -> tuple[float, int]:
    """Return real seconds, and how many numbers are wrong at the end."""
    folder = MEMORY if os.access(MEMORY, os.W_OK) else None
    busy_s = int(virtual_s * BUSY_SHARE)
    with tempfile.TemporaryDirectory(prefix="syncd-bench-", dir=folder) as name:
        began_s = time.perf_counter()
        wrong = run_world(Path(name) / "hour.db", seed, rates, busy_s=busy_s, quiet_s=virtual_s - busy_s)
        return time.perf_counter() - began_s, len(wrong)


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--virtual-s", type=int, default=3_600)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    size = {"virtual_s": options.virtual_s, "seed": options.seed}
    seconds, wrong = measure(Rates(), **size)
    faulty_s, faulty_wrong = measure(FAULTS, **size)
    figures = {"seconds": seconds, "faulty_seconds": faulty_s, "wrong": wrong + faulty_wrong}
    report("hour", figures, {**size, "load_1min": round(os.getloadavg()[0], 2)}, as_json=options.json)


if __name__ == "__main__":
    main()
