"""`syncd adapter`: a skeleton that works at once, the kit without pytest, what is installed, and the example shop."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from syncd.cli import adapter, entry
from syncd.sdk.channel import Profile
from syncd.testing import checklist
from syncd.testing.casebook import Case
from syncd.testing.conformance import NotApplicable, cases
from tests.cli.conftest import Shell
from tests.test_house import code_lines

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "csvshop"
MOST_LINES = 149
"""Code of the example without its simulator: an adapter for a plain shop is an afternoon's work."""


def syncd(*argv: str, path: Path | None = None, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own; `path` is a folder that packages were installed into."""
    environ = {**os.environ, "PYTHONPATH": str(path or ""), "PYTHONDONTWRITEBYTECODE": "1", "LANG": "C"}
    command = [sys.executable, "-m", "syncd", *argv]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environ, timeout=120, check=False)


def install(project: Path, target: Path) -> None:
    """Install a package into a folder, with nothing fetched."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--no-build-isolation", "--no-index", "--target", str(target), str(project)]
    subprocess.run(command, check=True, timeout=120)


def ends(told: dict[str, Any]) -> list[tuple[str, str]]:
    return [(row["case"], row["detail"]) for row in told["cases"] if row["result"] == "failed"]


# --- a new one ------------------------------------------------------------------------------------------------------


def test_a_new_adapter_passes_at_once(tmp_path: Path) -> None:
    """A skeleton that was just written and installed passes the whole kit and its checklist, and is listed."""
    made = syncd("adapter", "new", "my_mall", "--into", str(tmp_path), "--json", cwd=tmp_path)
    folder = Path(json.loads(made.stdout)["folder"])
    assert (made.returncode, folder) == (0, tmp_path / "syncd-my-mall")
    install(folder, tmp_path / "target")
    played = syncd("adapter", "test", "my_mall", "--json", path=tmp_path / "target", cwd=tmp_path)
    told = json.loads(played.stdout)
    assert (played.returncode, ends(told), told["checklist"]) == (0, [], [])
    assert len(told["cases"]) == len(cases())
    listed = json.loads(syncd("adapter", "list", "--json", path=tmp_path / "target", cwd=tmp_path).stdout)
    (row,) = [row for row in listed if row["name"] == "my_mall"]
    assert (row["write_mode"], row["features"], row["source"], row["problem"]) == (
        "compare_and_set", ["Paced", "Health"], "syncd-my-mall 0.1.0", "",
    )  # fmt: skip


def test_a_new_adapter_is_whole(tmp_path: Path) -> None:
    """Every file of a skeleton is there with the names filled in, and it passes the house's linter and its types."""
    assert entry(["adapter", "new", "till", "--into", str(tmp_path), "--json"]) == 0
    folder = tmp_path / "syncd-till"
    assert "{{" not in "".join(path.read_text(encoding="utf-8") for path in folder.rglob("*.*"))
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["entry-points"]["syncd.channels"] == {"till": "syncd_till:ADAPTER"}
    assert checklist.problems(folder / "syncd_till" / "checklist.toml") == []
    for tool in (["ruff", "check"], ["ruff", "format", "--check"]):
        command = [sys.executable, "-m", *tool, "--no-cache", "--config", str(ROOT / "pyproject.toml"), str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=60, check=False)
        assert done.returncode == 0, done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("of", ["skeleton", "example"])
def test_it_is_typed(of: str, tmp_path: Path) -> None:
    """The skeleton and the example pass mypy in strict mode."""
    assert entry(["adapter", "new", "till", "--into", str(tmp_path), "--json"]) == 0
    folder, package = (tmp_path / "syncd-till", "syncd_till") if of == "skeleton" else (EXAMPLE, "syncd_csvshop")
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), package, "tests"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=300, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", ["My", "1st", "a-b", "class", "a__b", "a_", "", "a" * 41, "memory", "../x"])
def test_a_bad_name_is_refused(name: str, tmp_path: Path) -> None:
    """A name that is no lower-case identifier, or is taken, is refused, and nothing is written."""
    assert entry(["adapter", "new", "--into", str(tmp_path), "--", name]) == 64
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where the folder is there already, it stays as it is."""
    (tmp_path / "syncd-till").mkdir()
    assert entry(["adapter", "new", "till", "--into", str(tmp_path)]) == 64
    assert "is there already" in capsys.readouterr().err
    assert list((tmp_path / "syncd-till").iterdir()) == []


def test_what_to_do_next_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """After the files the next steps are told, with the names that were chosen."""
    assert entry(["adapter", "new", "till", "--into", str(tmp_path)]) == 0
    out = capsys.readouterr().out.replace("\n", "")
    assert "syncd adapter test till" in out
    assert "syncd_till:ADAPTER" in out


# --- the example ----------------------------------------------------------------------------------------------------


def test_the_example_is_short() -> None:
    """The CSV shop, without its simulator, is under 150 lines of code."""
    files = [path for path in (EXAMPLE / "syncd_csvshop").glob("*.py") if path.name != "simulator.py"]
    assert len(files) == 3
    assert sum(code_lines(path.read_text(encoding="utf-8")) for path in files) <= MOST_LINES


def test_the_example_passes_where_it_is_installed(tmp_path: Path) -> None:
    """The CSV shop, installed from its own project, is found by its entry point and passes, in virtual time and not."""
    install(EXAMPLE, tmp_path / "target")
    for way, faults in (("--virtual", "passed"), ("--sockets", "not_applicable")):
        played = syncd("adapter", "test", "csvshop", way, "--json", path=tmp_path / "target", cwd=tmp_path)
        told = json.loads(played.stdout)
        assert (played.returncode, ends(told), told["checklist"]) == (0, [], []), played.stderr
        assert told["passed"] > 50
        assert {row["result"] for row in told["cases"] if row["case"] == "trouble:it_recovers"} == {faults}


def test_a_bug_in_the_example_is_found(tmp_path: Path) -> None:
    """An adapter that calls a lost answer a success fails by name and sentence, and the command ends with 1."""
    folder = tmp_path / "bugged"
    shutil.copytree(EXAMPLE, folder)
    wire = folder / "syncd_csvshop" / "wire.py"
    right = wire.read_text(encoding="utf-8")
    wire.write_text(right.replace("lost = sdk.OutcomeKind.INDETERMINATE", "lost = sdk.OutcomeKind.APPLIED"))
    assert wire.read_text(encoding="utf-8") != right
    played = syncd("adapter", "test", "syncd_csvshop:ADAPTER", "--case", "trouble:*", "--json", cwd=folder)
    told = json.loads(played.stdout)
    assert played.returncode == 1
    assert dict(ends(told))["trouble:any_mixture_keeps_the_truth"] == "a write is said to be applied and is not"


def test_the_example_is_found_by_its_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """An adapter that is not installed is tested by `module:ADAPTER` in its folder, and its settings are printed."""
    monkeypatch.chdir(EXAMPLE)
    monkeypatch.setattr(sys, "path", list(sys.path))
    assert entry(["adapter", "test", "syncd_csvshop:ADAPTER", "--case", "push:*", "--json"]) == 0
    assert entry(["simulate", "syncd_csvshop:ADAPTER", "--seconds", "0.01", "--json"]) == 0


# --- the kit --------------------------------------------------------------------------------------------------------


def planted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the kit have three cases: one holds, one does not apply, one fails."""

    def case(name: str, error: Exception | None) -> Case:
        async def act(_: Any) -> None:
            if error is not None:
                raise error

        return Case(name=name, text="It holds.", act=act)

    named = {"a:holds": None, "b:exempt": NotApplicable("no webhooks"), "c:fails": AssertionError("a unit is missing")}
    monkeypatch.setattr("syncd.testing.conformance.cases", lambda: [case(name, error) for name, error in named.items()])


async def test_each_case_is_told(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """A case is told as passed, failed with its sentence, or not applicable with the reason; a failure ends with 1."""
    planted(monkeypatch)
    ended = await shell.run("adapter", "test", "memory", "--json")
    rows = [(row["case"], row["result"], row["detail"]) for row in ended.json["cases"]]
    assert (ended.code, rows) == (
        1,
        [
            ("a:holds", "passed", ""),
            ("b:exempt", "not_applicable", "no webhooks"),
            ("c:fails", "failed", "a unit is missing"),
        ],
    )
    ended = await shell.run("adapter", "test", "memory")
    assert "1 cases passed, 1 failed, 1 are not applicable" in ended.out
    assert re.search(r"c:fails +FAILED +a unit is missing", ended.out)


@pytest.mark.parametrize(
    ("pattern", "code", "names"),
    [("a:*", 0, ["a:holds"]), ("holds", 0, ["a:holds"]), ("*:fails", 1, ["c:fails"]), ("nothing", 64, [])],
)
async def test_cases_are_chosen_by_name(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, pattern: str, code: int, names: Sequence[str]
) -> None:
    """A pattern or a part of a name chooses the cases; one that fits none is wrong use."""
    planted(monkeypatch)
    ended = await shell.run("adapter", "test", "memory", "--case", pattern, "--json")
    assert ended.code == code
    assert [row["case"] for row in ended.json.get("cases", [])] == names


async def test_an_open_checklist_fails(shell: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An adapter whose checklist is not whole does not pass, although every case holds."""
    holds = [case for case in cases() if case.name == "push:nothing_given_nothing_written"]
    monkeypatch.setattr("syncd.testing.conformance.cases", lambda: holds)
    assert (await shell.run("adapter", "test", "memory")).code == 0
    monkeypatch.setattr("syncd.cli.adapter.folder_of", lambda _: tmp_path)
    ended = await shell.run("adapter", "test", "memory")
    assert (ended.code, "checklist.toml: is missing" in ended.out.replace("\n", "")) == (1, True)


@pytest.mark.parametrize("name", ["nobody", "syncd.nothing:ADAPTER", "syncd.sdk.channel:Adapter", "syncd.sdk:ADAPTER"])
async def test_an_adapter_that_is_none_is_told(shell: Shell, name: str) -> None:
    """A name that is not installed, and a module or object that is not there or no adapter, ends with 64."""
    ended = await shell.run("adapter", "test", name)
    assert (ended.code, ended.out) == (64, "")
    assert name in ended.err


# --- what is installed ----------------------------------------------------------------------------------------------


async def test_installed_adapters_are_listed(shell: Shell) -> None:
    """Each adapter is told with its write mode, API version, features and package."""
    rows = {row["name"]: row for row in await shell.json("adapter", "list")}
    assert set(rows["shopify"]["features"]) >= {"Webhooks", "BulkSeen", "Health"}
    assert rows["shopify"]["write_mode"] == "compare_and_set"
    assert re.fullmatch(r"20\d\d-\d\d", rows["shopify"]["api_version"])
    assert rows["memory"]["source"].startswith("syncd ")
    assert "shopify" in (await shell.run("adapter", "list")).out


async def test_installed_desks_are_listed(shell: Shell) -> None:
    """A desk is told as one, with the features that it has."""
    rows = {row["name"]: row for row in await shell.json("adapter", "list")}
    assert (rows["zendesk"]["kind"], rows["shopify"]["kind"]) == ("desk", "channel")
    assert rows["zendesk"]["features"] == ["DeskWebhooks", "PacedDesk", "LateTicketOutcomes", "Provisionable", "Health"]
    assert rows["zendesk"]["problem"] == ""


async def test_a_desk_is_tested_by_its_own_kit(shell: Shell) -> None:
    """The kit of desks is run for a desk, and a case of channels is none of it."""
    ended = await shell.run("adapter", "test", "zendesk", "--case", "update:*", "--json")
    assert ended.code == 0
    assert {row["result"] for row in ended.json["cases"]} == {"passed"}
    assert len(ended.json["cases"]) > 5
    assert (await shell.run("adapter", "test", "zendesk", "--case", "push:*")).code == 64


def test_a_desk_is_simulated(capsys: pytest.CaptureFixture[str]) -> None:
    """The simulated account of a desk tells the settings to connect, in the table of desks."""
    assert entry(["simulate", "zendesk", "--seconds", "0.01"]) == 0
    out = capsys.readouterr().out
    assert "[desks.zendesk.settings]" in out
    assert 'client_id = "syncd_run"' in out


async def test_a_broken_adapter_is_listed(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """An adapter that cannot be imported is told with what is wrong, beside the others."""
    real = adapter.entry_points(group=adapter.GROUP)
    broken = type(next(iter(real)))(name="broken", value="no_such_module:ADAPTER", group=adapter.GROUP)
    monkeypatch.setattr(adapter, "entry_points", lambda group: [broken, *real] if group == adapter.GROUP else [])
    rows = {row["name"]: row for row in await shell.json("adapter", "list")}
    assert "no_such_module" in rows["broken"]["problem"]
    assert rows["memory"]["problem"] == ""


def section(title: str) -> str:
    """Return a part of the guide for authors."""
    guide = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    return guide.partition(f"### {title}\n")[2].partition("\n### ")[0]


def test_the_guide_names_every_feature() -> None:
    """The table of features in CONTRIBUTING.md has exactly those that the sdk declares, with their methods."""
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \|", section("Features"), flags=re.MULTILINE)
    told = {name: set(re.findall(r"`(\w+)`", cell)) for name, cell in rows}
    there = {kind.__name__: {name for name in vars(kind) if not name.startswith("_")} for kind in adapter.kinds()}
    assert told == there


def test_the_guide_explains_the_whole_profile() -> None:
    """Every field of the profile has its row in CONTRIBUTING.md."""
    cells = re.findall(r"^\| (`[^|]+`) \|", section("The profile"), flags=re.MULTILINE)
    told = {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}
    assert told == {field.name for field in fields(Profile)}


def test_the_guide_tells_what_the_kit_asks() -> None:
    """Every group of cases has its row in CONTRIBUTING.md."""
    told = set(re.findall(r"`(\w+):`", section("What the kit asks")))
    assert told == {case.name.partition(":")[0] for case in cases()}
