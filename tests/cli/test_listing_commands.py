"""`syncd listings match`, and mappings in and out of files with Japanese codes."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncd.cli import entry
from tests.cli.conftest import Shell
from tests.web.rig import Rig


async def trade(rig: Rig) -> None:
    """Let a shop sell the same goods under codes that were typed differently."""
    await rig.catalogue("shop", ("r1", "UME-01"), ("r2", "味噌　2"), ("r3", "T100"))
    await rig.catalogue("mall", ("m1", "ＵＭＥ－01"), ("m2", "味噌2"), ("m3", "T100-赤"), ("m4", "T100-青"))
    await rig.count(**{"UME-01": 5, "味噌　2": 3})


async def test_suggestions_are_told_and_not_applied(rig: Rig, shell: Shell) -> None:
    """Codes that are only alike are shown with the rules that they need, and nothing is mapped, even with --yes."""
    await trade(rig)
    report = await shell.json("listings", "match", "--yes")
    assert report["rows"] == []
    assert [(row["remote_id"], row["sku"], row["rules"]) for row in report["suggestions"]] == [
        ("m1", "UME-01", ["width"]),
        ("m2", "味噌　2", ["blank"]),
    ]
    ended = await shell.run("listings", "match", "--yes")
    assert ended.code == 0
    assert all(word in ended.out for word in ("ＵＭＥ－01", "full and half width", "option rows elsewhere", "T100-青"))
    assert {row["sku"] for row in await shell.json("listings", "show", "--channel", "mall")} >= {"ＵＭＥ－01", "味噌2"}


async def test_a_named_rule_is_applied_and_no_other(rig: Rig, shell: Shell) -> None:
    """With --apply only the suggestions are mapped that the named rules explain; they share the counted stock."""
    await trade(rig)
    ended = await shell.run("listings", "match", "--apply", "case,width", "--yes")
    assert (ended.code, "1 listings mapped" in ended.out) == (0, True)
    skus = {row["remote_id"]: row for row in await shell.json("listings", "show", "--channel", "mall")}
    assert (skus["m1"]["sku"], skus["m1"]["target"], skus["m2"]["sku"]) == ("UME-01", 5, "味噌2")
    assert (await shell.json("listings", "match", "--apply", "blank", "--yes"))["duplicate"] is False
    skus = {row["remote_id"]: row["sku"] for row in await shell.json("listings", "show", "--channel", "mall")}
    assert skus["m2"] == "味噌　2"


async def test_a_person_is_asked(rig: Rig, shell: Shell) -> None:
    """Without --yes nothing is mapped where nobody can be asked, and JSON only tells."""
    await trade(rig)
    assert (await shell.run("listings", "match", "--apply", "width")).code == 64
    assert [row["remote_id"] for row in (await shell.json("listings", "match", "--apply", "width"))["rows"]] == ["m1"]
    assert (await shell.json("listings", "match"))["suggestions"] != []


async def test_an_exact_code_is_matched_without_a_rule(rig: Rig, shell: Shell) -> None:
    """A listing that lost its SKU gets the one of its own code back."""
    await trade(rig)
    path = shell.file("none.csv", "account,remote_id,sku\nshop,r1,\n")
    assert (await shell.run("listings", "import", path)).code == 0
    assert [row["remote_id"] for row in await shell.json("listings", "unmapped")] == ["r1"]
    assert (await shell.run("listings", "match", "--channel", "shop", "--yes")).code == 0
    assert await shell.json("listings", "unmapped") == []


async def test_an_unknown_rule_is_told(rig: Rig, shell: Shell) -> None:
    """A rule that is none ends the command, with those that there are."""
    ended = await shell.run("listings", "match", "--apply", "luck")
    assert (ended.code, "case, width, blank, hyphen, option" in ended.err) == (1, True)


async def test_nothing_to_match_is_told(rig: Rig, shell: Shell) -> None:
    """A shop whose listings all have their SKU is told so."""
    assert "Nothing to map" in (await shell.run("listings", "match")).out


@pytest.mark.parametrize(("encoding", "name"), [("utf-8", "a.csv"), ("utf-8-sig", "b.csv"), ("cp932", "c.tsv")])
async def test_mappings_come_back_as_they_went(
    rig: Rig, shell: Shell, tmp_path: Path, encoding: str, name: str
) -> None:
    """An export in UTF-8 or Shift_JIS is imported again with every Japanese code unchanged."""
    await trade(rig)
    assert (await shell.run("listings", "match", "--apply", "blank", "--yes")).code == 0
    before = {(row["account"], row["remote_id"]): row["sku"] for row in await shell.json("listings", "show")}
    path = tmp_path / name
    told = await shell.json("listings", "export", str(path), "--encoding", encoding)
    assert told["rows"] == len(before) == 7
    text = path.read_bytes().decode(encoding)
    assert "味噌　2" in text
    cleared = shell.file("cleared.csv", "account,remote_id,sku\nmall,m2,\nshop,r2,\n")
    assert (await shell.run("listings", "import", cleared)).code == 0
    assert (await shell.json("listings", "import", str(path)))["taken"] == 7
    after = {(row["account"], row["remote_id"]): row["sku"] for row in await shell.json("listings", "show")}
    assert after == before


def test_the_rules_are_named_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    """The help names the rules that --apply takes."""
    assert entry(["listings", "match", "--help"]) == 0
    assert "hyphen" in capsys.readouterr().out
