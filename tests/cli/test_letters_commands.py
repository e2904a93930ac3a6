"""`syncd letters`."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncd.core.terms import AccountId, Sku
from syncd.core.tickets import MessageKind
from syncd.core.waitlist import WaitFact, WaitRow
from tests.cli.conftest import Shell
from tests.web.rig import Rig


@pytest.fixture
def quiet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Return a command line without a daemon: these commands need none."""
    return Shell(tmp_path, capsys)


async def test_texts_are_listed(quiet: Shell) -> None:
    """Every kind is listed with what it is filled with, and the shop's own texts are marked."""
    folder = quiet.folder / "mine" / "zh"
    folder.mkdir(parents=True)
    folder.joinpath("late.txt").write_text("Subject: a\n\n{{ product }}\n", encoding="utf-8")
    quiet.config.write_text('[letters]\ntemplates = "mine"\n', encoding="utf-8")
    rows = (await quiet.json("letters", "list"))["letters"]
    assert [row["kind"] for row in rows] == list(MessageKind)
    assert {row["kind"]: row["own"] for row in rows if row["own"]} == {"late": ["zh"]}
    assert "confirm_url" in next(row["needed"] for row in rows if row["kind"] == "sign_up_confirm")
    assert "Apology: delivery is late" in (await quiet.run("letters", "list")).out


async def test_a_letter_is_shown_as_a_customer_reads_it(quiet: Shell) -> None:
    """A preview has subject and text in the language asked for, with the shop's own name."""
    quiet.config.write_text('[letters]\nname = "Aoi"\n', encoding="utf-8")
    shown = await quiet.json("letters", "preview", "cancelled", "--language", "en", "--payment", "points")
    assert shown["subject"].startswith("Aoi: ")
    assert "points" in shown["body"]
    told = await quiet.run("letters", "preview", "due-soon")
    assert told.out.startswith("【Aoi】まもなく入荷予定です\n\nお客様")


@pytest.mark.parametrize("language", ["ja", "en", "zh"])
async def test_a_private_way_to_buy_is_shown(quiet: Shell, language: str) -> None:
    """To somebody without an order the letter has the link and until when it holds, and reads well without them."""
    argv = ("letters", "preview", "restocked", "--no-order", "--language", language)
    with_link = (await quiet.json(*argv))["body"]
    assert "https://shop.example/buy/1001" in with_link
    assert "18:00" in with_link
    without = (await quiet.json(*argv, "--bare"))["body"]
    assert "https://" not in without
    assert len(without) > 50
    assert (
        "https://"
        not in (await quiet.json("letters", "preview", "restocked", "--language", language, "--bare"))["body"]
    )


async def test_a_letter_to_somebody_who_waits_is_shown(rig: Rig, shell: Shell) -> None:
    """With the number of an entry the letter has the words of that entry; a number that there is not is said."""
    await rig.know("A")
    await rig.catalogue("shop", ("s1", "A"))
    row = WaitRow(key="k1", sku=Sku("A"), quantity=3, account=AccountId("shop"))
    assert await rig.tell(WaitFact(source="test", rows=(row,))) is None
    shown = await shell.json("letters", "preview", "acknowledged", "--language", "en", "--entry", "1")
    assert "Product:  A\nQuantity: 3" in shown["body"]
    assert (await shell.run("letters", "preview", "acknowledged", "--entry", "7")).code == 1
    lacking = await shell.run("letters", "preview", "due_soon", "--entry", "1")
    assert (lacking.code, "lacks expected" in lacking.err) == (1, True)


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["love"], "known: acknowledged"),
        (["late", "--language", "de"], "known: ja, en, zh"),
        (["late", "--payment", "gold"], "known: card"),
    ],
)
async def test_what_there_is_not_is_named(quiet: Shell, argv: list[str], said: str) -> None:
    """An unknown kind, language or way of paying ends with 64 and with those that there are."""
    ended = await quiet.run("letters", "preview", *argv)
    assert ended.code == 64
    assert said in ended.err


async def test_a_faulty_text_ends_with_the_code_for_settings(quiet: Shell) -> None:
    """A text of the shop's with an unknown name ends `letters` and `check` with 78, file and line."""
    folder = quiet.folder / "mine" / "ja"
    folder.mkdir(parents=True)
    folder.joinpath("late.txt").write_text("Subject: a\n\n{{ who }}\n", encoding="utf-8")
    quiet.config.write_text('[letters]\ntemplates = "mine"\n', encoding="utf-8")
    for argv in (["letters", "list"], ["check"]):
        ended = await quiet.run(*argv)
        assert ended.code == 78
        assert "late.txt:3: nothing is called who" in ended.err
