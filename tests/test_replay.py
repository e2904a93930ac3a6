"""Real orders through the whole daemon in virtual time."""

from __future__ import annotations

import gzip
import json
import os
import random
from pathlib import Path

import pytest

from syncd.replay import run_replay
from syncd.sdk.errors import ConfigError
from syncd.settings.policies import ExposureName
from syncd.trace import read_trace

SHARED = Path(os.environ.get("SYNCD_SHARED", Path(__file__).parents[1] / ".." / "shared"))
ORDERS = SHARED / "data" / "online_retail_2011-09_10.csv.gz"
HEAD = "invoice,sku,title,quantity,at,unit_price,country\n"


def a_file(path: Path, *, invoices: int) -> Path:
    dice = random.Random(5)
    lines = [
        f"{565000 + number},S{dice.randint(1, 8)},TEA,{dice.choice((1, 1, 2, 6))},2011-09-01 {8 + number // 30:02d}:"
        f"{number % 30 * 2:02d}:00,1.25,United Kingdom"
        for number in range(invoices)
        for _ in range(dice.randint(1, 3))
    ]
    path.write_text(HEAD + "\n".join(lines) + "\n", encoding="utf-8")
    return path


def figures(
    path: Path, *, seed: int, most_lines: int | None = None, exposure: ExposureName = "adaptive"
) -> tuple[int, dict[str, object]]:
    said: list[str] = []
    code = run_replay(
        path, compress=20.0, seed=seed, most_lines=most_lines, exposure=exposure, as_json=True, say=said.append
    )
    found: dict[str, object] = json.loads(said[-1])["figures"]
    return code, found


def test_a_replay_converges_and_repeats(tmp_path: Path) -> None:
    """Every channel ends at its target, the books balance, and the same seed gives the same result."""
    path = a_file(tmp_path / "orders.csv", invoices=40)
    code, first = figures(path, seed=3)
    assert code == 0
    assert (first["wrong"], first["unbalanced"]) == (0, 0)
    assert first["sold"]
    assert figures(path, seed=3)[1] == first
    assert figures(path, seed=4)[1] != first


def test_a_pool_ends_with_all_units_on_every_channel(tmp_path: Path) -> None:
    """With the pool every channel shows at the end all that is there."""
    code, found = figures(a_file(tmp_path / "orders.csv", invoices=20), seed=3, exposure="pool")
    assert (code, found["wrong"]) == (0, 0)
    assert found["sold"]


def test_a_slice_of_real_orders_converges() -> None:
    """The first real orders end with every channel at its target."""
    if not ORDERS.is_file():
        pytest.skip(f"no real orders at {ORDERS}; set SYNCD_SHARED to the folder that has data/")
    code, found = figures(ORDERS, seed=1, most_lines=150)
    assert code == 0
    assert found["lines"] == 150


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "no column invoice"),
        ("invoice,sku\n1,A\n", "no column quantity, at"),
        (HEAD, "has no order lines"),
        (HEAD + "1,A,TEA,many,2011-09-01 08:00:00,1,UK\n", ":2"),
        (HEAD + "1,A,TEA,1,2011-09-01 08:00:00,1,UK\n2,A,TEA,1,yesterday,1,UK\n", ":3"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, text: str, word: str) -> None:
    """What is wrong with a file is said with its line."""
    path = tmp_path / "orders.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=word):
        read_trace(path, shares={"amazon": 1.0}, seed=1, compress=1.0)


def test_a_trace_follows_the_stated_rules(tmp_path: Path) -> None:
    """Cancellations are left out, lots are cut at 12, deliveries cover 85 % and begin at the start; gzip is read."""
    path = tmp_path / "orders.csv.gz"
    rows = [f"{n},A,TEA,24,2011-09-01 08:{n % 60:02d}:00,1,UK" for n in range(20)]
    rows += ["C99,A,TEA,-24,2011-09-01 09:00:00,1,UK", "98,A,TEA,-1,2011-09-01 09:00:00,1,UK"]
    path.write_bytes(gzip.compress((HEAD + "\n".join(rows) + "\n").encode()))
    trace = read_trace(path, shares={"amazon": 0.5, "qoo10": 0.5}, seed=1, compress=2.0)
    assert trace.lines == 20
    assert {quantity for ask in trace.asks for _, quantity in ask.lines} == {12}
    assert sum(arrival.quantity for arrival in trace.arrivals) == round(0.85 * 240)
    assert len(trace.arrivals) == 4
    assert trace.arrivals[0].at_s == 0.0
    assert {ask.channel for ask in trace.asks} == {"amazon", "qoo10"}


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """A file that is not there is said to be so."""
    with pytest.raises(ConfigError, match=r"none\.csv"):
        read_trace(tmp_path / "none.csv", shares={"amazon": 1.0}, seed=1, compress=1.0)
