"""Benchmark `mission`: thousands wait at Zendesk, a truck comes, the daemon is killed -9 on the way; real processes.

    python -m tests.bench.mission --json

The account is the simulated one over HTTP, with its limits and jobs (a second in the queue, 20 ms for each ticket,
one job after the other). Two runs: one undisturbed, one with kills. Figures: `seconds` from the delivery to the last
ticket moved, `least_s` that the account's jobs need for so many, `ratio` of both, of the undisturbed run;
`killed_seconds` with the kills; `wrong` counts tickets moved or told twice or out of turn, and whatever in the ledger
does not sum: 0 is the bar. `--scale` multiplies the account's own delays.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from pathlib import Path

from syncd.testing.chance import SeededRandom
from tests.bench.report import arguments, report
from tests.system.waiters import Waiters, waiters

MOST_S = 60.0
"""Longest wait for the next piece of the work before the daemon is killed anyhow."""


async def undisturbed(scene: Waiters, *, units: int, scale: float) -> dict[str, float]:
    """Return the figures of a run that nobody disturbs."""
    await scene.deliver(units)
    seconds = await scene.done(units)
    await scene.quiet()
    least_s = scene.least_s(units, scale=scale)
    return {"seconds": seconds, "least_s": least_s, "ratio": seconds / least_s, "moving_s": scene.took_s()}


async def killed(scene: Waiters, *, units: int, kills: int) -> dict[str, float]:
    """Return the figures of a run with kills, all on the way."""
    await scene.deliver(units)
    await scene.kill(SeededRandom(1), kills=kills, units=units, most_s=MOST_S)
    seconds = await scene.done(units)
    await scene.quiet()
    on_the_way = [moved for moved in scene.killed_at if moved < units]
    return {"killed_seconds": seconds, "kills": len(scene.killed_at), "kills_on_the_way": len(on_the_way)}


async def measure(folder: Path, *, waiting: int, units: int, kills: int, scale: float) -> dict[str, float]:
    """Return the figures of both runs."""
    figures: dict[str, float] = {}
    wrong: list[str] = []
    for name in ("undisturbed", "killed"):
        async with waiters(folder / name, scale=scale) as scene:
            await scene.crowd(waiting)
            if name == "undisturbed":
                figures |= await undisturbed(scene, units=units, scale=scale)
            else:
                figures |= await killed(scene, units=units, kills=kills)
            wrong += scene.wrong(units)
            sys.stderr.write(f"{name}: {figures}\n")
    sys.stderr.writelines(f"WRONG {one}\n" for one in wrong[:20])
    return figures | {"wrong": len(wrong)}


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--waiting", type=int, default=10_000)
    parser.add_argument("--units", type=int, default=6_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--scale", type=float, default=1.0)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="syncd-bench-"))
    try:
        done = asyncio.run(
            measure(folder, waiting=options.waiting, units=options.units, kills=options.kills, scale=options.scale)
        )
        report("mission", done, vars(options), as_json=options.json)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
