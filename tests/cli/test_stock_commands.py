"""Stock, SKUs, listings and orders on the command line."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Shell
from tests.web.rig import Rig


async def test_stock_is_counted_received_and_adjusted(rig: Rig, shell: Shell) -> None:
    """What a person enters is in the ledger, with reason and name."""
    await rig.know("A")
    assert (await shell.run("stock", "set", "A", "10", "--reason", "shelf")).out == "A: 10 counted.\n"
    await shell.json("stock", "receive", "A", "5")
    await shell.json("stock", "adjust", "A", "-2", "--damaged", "--reason", "rain")
    assert (await shell.run("stock", "adjust", "A", "-1")).out == "A: -1.\n"
    found = await shell.json("stock", "show", "A")
    assert found["stock"]["on_hand"] == 12
    kinds = [(row["kind"], row["reason"], row["source"]) for row in found["movements"]]
    assert kinds == [
        ("adjust", "", "cli"),
        ("damage", "rain", "cli"),
        ("receive", "", "cli"),
        ("opening", "shelf", "cli"),
    ]
    assert found["movements"][0]["actor"] != ""
    ended = await shell.run("stock", "show", "A")
    assert all(word in ended.out for word in ("on hand", "rain", "opening"))


async def test_a_refused_change_ends_with_1(rig: Rig, shell: Shell) -> None:
    """A change that cannot be made names what is wrong and ends with 1."""
    ended = await shell.run("stock", "set", "X", "1")
    assert ended.code == 1
    assert "unknown SKU X" in ended.err
    ended = await shell.run("stock", "show", "X", "--json")
    assert (ended.code, ended.json["error"]["message"]) == (1, "unknown SKU: X")


async def test_a_count_from_a_japanese_spreadsheet(rig: Rig, shell: Shell) -> None:
    """A Shift_JIS file with Japanese headings and wide digits is a count."""
    await rig.know("棚-1", "B")
    path = shell.file("棚卸.csv", "品番,数量,倉庫\r\n棚-1,１２,main\r\nB,3,\r\n", "cp932")
    answer = await shell.json("stock", "set", "--file", path)
    assert (answer["applied"], answer["taken"], answer["skipped"]) == (True, 2, 0)
    rows = await shell.json("stock", "show")
    assert [(row["sku"], row["on_hand"]) for row in rows] == [("B", 3), ("棚-1", 12)]


BAD = "sku,quantity\nA,1\nB,x\nNO,2\nC,3\n"


async def test_bad_rows_stop_all(rig: Rig, shell: Shell) -> None:
    """With bad rows in a file nothing is taken, and each is named with its line."""
    await rig.know("A", "B", "C")
    path = shell.file("counts.csv", BAD)
    ended = await shell.run("stock", "set", "--file", path)
    assert (ended.code, "counts.csv:3" in ended.err, "counts.csv:4" in ended.err) == (1, True, False)
    shell.file("counts.csv", BAD.replace("B,x", "B,2"))
    ended = await shell.run("stock", "set", "--file", path)
    assert (ended.code, "counts.csv:4: unknown SKU NO" in ended.err) == (1, True)
    assert [row["opened"] for row in await shell.json("stock", "show")] == [False] * 3


async def test_good_rows_are_taken_on_request(rig: Rig, shell: Shell) -> None:
    """With --skip-bad the good rows are taken, and what the file and the daemon find wrong is named."""
    await rig.know("A", "B", "C")
    path = shell.file("counts.csv", BAD)
    answer = await shell.json("stock", "set", "--file", path, "--skip-bad")
    assert (answer["taken"], answer["skipped"]) == (2, 2)
    assert [problem["place"] for problem in answer["problems"]] == ["counts.csv:3", "counts.csv:4"]
    assert [row["on_hand"] for row in await shell.json("stock", "show")] == [1, 0, 3]


async def test_skus_and_kits_go_in_and_out(rig: Rig, shell: Shell, tmp_path: Path) -> None:
    """What is imported is exported the same, in each encoding, and can be imported again."""
    text = "sku,title,components\n棚,'=危険,\nA,Apple,\nKIT,Set,A:2; 棚:1\n"
    answer = await shell.json("skus", "import", shell.file("in.csv", text))
    assert answer["taken"] == 3
    for encoding in ("utf-8", "utf-8-sig", "cp932"):
        path = tmp_path / f"{encoding}.tsv"
        told = await shell.json("skus", "export", str(path), "--encoding", encoding)
        assert told["rows"] == 3
        decoded = path.read_bytes().decode(encoding)
        assert list(csv.reader(io.StringIO(decoded), delimiter="\t")) == [
            ["sku", "title", "components"], ["A", "Apple", ""], ["KIT", "Set", "A:2; 棚:1"], ["棚", "'=危険", ""],
        ]  # fmt: skip
        assert (await shell.json("skus", "import", str(path)))["applied"] is True
    rows = await shell.json("skus", "export")
    assert [(row["sku"], row["title"]) for row in rows] == [("A", "Apple"), ("KIT", "Set"), ("棚", "=危険")]
    assert (await shell.run("skus", "export", "--encoding", "latin-1")).code == 64


async def test_a_sign_that_an_encoding_lacks_is_named(rig: Rig, shell: Shell, tmp_path: Path) -> None:
    """An export into an encoding that cannot hold a sign says which, and writes no half file."""
    await rig.know("A☃")
    path = tmp_path / "out.csv"
    ended = await shell.run("skus", "export", str(path), "--encoding", "cp932")
    assert (ended.code, "☃" in ended.err, path.exists()) == (1, True, False)


async def test_listings_are_mapped_from_a_file(rig: Rig, shell: Shell, tmp_path: Path) -> None:
    """Exported listings, with SKUs filled in, are imported as mappings."""
    await rig.know("A")
    await rig.catalogue("shop", ("r1", ""), ("r2", ""))
    assert [row["remote_id"] for row in await shell.json("listings", "unmapped")] == ["r1", "r2"]
    path = tmp_path / "listings.csv"
    await shell.json("listings", "export", str(path))
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    rows[0]["sku"] = "A"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    assert (await shell.json("listings", "import", str(path)))["taken"] == 2
    assert [row["remote_id"] for row in await shell.json("listings", "unmapped")] == ["r2"]
    assert "r2" in (await shell.run("listings", "unmapped")).out


async def test_listings_are_read_again(rig: Rig, shell: Shell) -> None:
    """A refresh names the accounts whose catalogue is read again."""
    assert (await shell.run("listings", "refresh", "shop")).out == "Reading again soon: shop\n"
    assert (await shell.run("listings", "refresh", "nobody")).code == 1


async def test_policies_are_set(rig: Rig, shell: Shell) -> None:
    """A policy is set for one SKU, or for the rows of a file."""
    await rig.know("A", "B")
    await rig.count(A=10, B=10)
    await rig.catalogue("shop", ("r1", "A"), ("r2", "B"))
    await shell.json("policy", "set", "A", "--channel", "shop", "--safety-stock", "0", "--cap", "4")
    await shell.json("policy", "set", "--file", shell.file("p.csv", "sku,安全在庫\nB,3\n"))
    assert [row["target"] for row in await shell.json("listings", "show")] == [4, 7]
    (policy,) = (await shell.json("stock", "show", "A"))["policies"]
    assert policy == {"account": "shop", "safety_stock": 0, "safety_percent": None, "cap": 4}


async def test_a_season_of_a_sku_has_days_of_the_shop(rig: Rig, shell: Shell) -> None:
    """Days are whole ones of the shop's zone, wherever the command runs; a name alone takes a season away."""
    await rig.know("A", "B")
    set_a = ("policy", "set", "A", "--season", "ny")
    await shell.json(*set_a, "--cap", "5", "--from", "2026-12-26", "--until", "2026-12-26")
    (told,) = (await shell.json("policy", "show", "A"))["own"]
    assert (told["since"], told["until"]) == ("2026-12-25T15:00:00Z", "2026-12-26T15:00:00Z")
    rows = "sku,cap,season,since,until\nB,1,ny,2026-12-26,2026-12-27T00:00+00:00\n"
    await shell.json("policy", "set", "--file", shell.file("p.csv", rows))
    (told,) = (await shell.json("policy", "show", "B"))["own"]
    assert (told["since"], told["until"]) == ("2026-12-25T15:00:00Z", "2026-12-27T00:00:00Z")
    assert (await shell.run(*set_a, "--cap", "5")).code == 1, "only what is taken away needs no dates"
    assert (await shell.run(*set_a, "--cap", "5", "--from", "2026-12-26")).code != 0
    assert (await shell.run(*set_a, "--cap", "5", "--from", "2026-12-26", "--until", "tomorrow")).code == 1
    await shell.json(*set_a)
    (told,) = (await shell.json("policy", "show", "A"))["own"]
    assert (told["values"], told["since"] == told["until"]) == ({}, True)
    assert "no season xmas" in (await shell.run("policy", "set", "A", "--season", "xmas")).err


async def test_orders_are_shown(rig: Rig, shell: Shell) -> None:
    """Orders come by filter, and one with its lines."""
    await rig.catalogue("shop", ("r1", "A"))
    await rig.count(A=1)
    await rig.order("shop", "S-1", ("r1", "A", 2))
    await rig.order("mall", "M-1", ("x", "", 1))
    assert [row["number"] for row in await shell.json("orders")] == ["M-1", "S-1"]
    assert [row["number"] for row in await shell.json("orders", "--delayed", "--status", "open")] == ["S-1"]
    assert [row["number"] for row in await shell.json("orders", "--limit", "1")] == ["M-1"]
    found = await shell.json("orders", "shop", "o-S-1")
    assert [line["sku"] for line in found["lines"]] == ["A"]
    assert "S-1" in (await shell.run("orders", "--channel", "shop")).out
    assert "x" in (await shell.run("orders", "shop", "o-S-1")).out
    assert (await shell.run("orders", "--status", "blue")).code == 1


async def test_many_rows_come_in_pages(rig: Rig, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list that is longer than a page of the daemon comes whole, and no longer than asked for."""
    monkeypatch.setattr("syncd.cli.talk.PAGE", 2)
    await rig.know(*(f"S{number}" for number in range(5)))
    rows: list[Any] = await shell.json("stock", "show")
    assert [row["sku"] for row in rows] == ["S0", "S1", "S2", "S3", "S4"]
    assert len(await shell.json("stock", "show", "--limit", "3")) == 3


@pytest.mark.parametrize("command", [("stock", "set"), ("stock", "receive"), ("stock", "adjust"), ("adopt",)])
async def test_help_names_every_column_of_a_file(shell: Shell, command: tuple[str, ...]) -> None:
    """The help of what takes a file names its columns, those that may be left out too."""
    ended = await shell.run(*command, "--help", config=False)
    words = "".join(ended.out.replace("│", " ").split())
    assert "sku,quantity" in words
    assert "location" in words.split("sku,quantity", 1)[1][:30]
