"""Exit codes, languages and help of the command line."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from syncd.cli import app, daemon, entry, frame
from syncd.store.owner import OwnedElsewhere
from tests.cli.conftest import Shell
from tests.web.rig import Rig


def walk(command: Any, names: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    children = getattr(command, "commands", {})
    if not children:
        yield names
    for name, child in children.items():
        yield from walk(child, (*names, name))


COMMANDS = sorted(walk(typer.main.get_command(app)))


@pytest.mark.parametrize("names", COMMANDS, ids=" ".join)
def test_every_command_explains_itself(names: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """Each command has help, and takes --json and --config."""
    assert entry([*names, "--help"]) == 0
    told = capsys.readouterr().out
    assert "--json" in told
    assert "--config" in told


def test_the_commands_are_those_of_the_readme() -> None:
    """The commands that a shop owner reads of are there."""
    assert {
        ("run",), ("demo",), ("simulate",), ("check",), ("status",), ("stock", "show"), ("stock", "set"),
        ("stock", "receive"), ("stock", "adjust"), ("skus", "import"), ("skus", "export"), ("listings", "import"),
        ("listings", "export"), ("listings", "match"), ("listings", "unmapped"), ("listings", "refresh"),
        ("orders", "list"), ("orders", "cancel"), ("key", "issue"), ("inquiries",), ("health",),
        ("ledger", "verify"), ("replay",), ("adopt",), ("go",), ("pause",), ("drift", "list"), ("drift", "accept"),
        ("drift", "overwrite"), ("brake", "list"), ("brake", "release"), ("brake", "refuse"), ("policy", "set"),
        ("doctor",), ("backup",), ("restore",), ("healthcheck",), ("adapter", "test"),
    } <= set(COMMANDS)  # fmt: skip


async def test_without_a_daemon_the_remedy_is_told(shell: Shell) -> None:
    """A command that needs the daemon ends with 69 and says how to start it, in JSON too."""
    ended = await shell.run("status")
    assert (ended.code, ended.out) == (69, "")
    assert "syncd run" in ended.err
    ended = await shell.run("status", "--json")
    assert (ended.code, "syncd run" in ended.json["error"]["message"]) == (69, True)
    assert (await shell.run("healthcheck")).code == 1


@pytest.mark.parametrize(
    "argv", [["nonsense"], ["stock", "set"], ["go"], ["drift", "accept"], ["stock", "show", "--x"]]
)
async def test_wrong_use_ends_with_64(shell: Shell, argv: list[str]) -> None:
    """An unknown command or option, or one that is missing, ends with 64."""
    assert (await shell.run(*argv, config=argv[0] != "nonsense")).code == 64


async def test_wrong_settings_end_with_78(shell: Shell) -> None:
    """All problems of the settings are told at once with file, key and remedy, and the command ends with 78."""
    shell.config.write_text('[http]\nlisten = "x"\n[nonsense]\n[channels.shop]\nadapter = "none"\n')
    ended = await shell.run("check")
    assert ended.code == 78
    assert all(word in ended.err for word in ("[http] listen", "[nonsense]", "[channels.shop] adapter", "3 problems"))
    ended = await shell.run("check", "--json")
    assert (ended.code, len(ended.json["error"]["problems"])) == (78, 3)
    ended = await shell.run("run")
    assert ended.code == 78


async def test_settings_that_a_command_does_not_need_do_not_hinder(rig: Rig, shell: Shell) -> None:
    """A command that only talks to the daemon works although a channel's settings are wrong."""
    shell.config.write_text('[daemon]\ndata_dir = "."\n[channels.shop]\nadapter = "none"\n')
    assert (await shell.run("status")).code == 0


def test_the_daemon_s_exit_code_is_the_command_s(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """`syncd run` ends with the code of the daemon, and takes --shadow into its settings."""
    seen: list[bool] = []

    class App:
        @staticmethod
        def run(settings: Any) -> int:
            seen.append(settings.daemon.shadow)
            return 75

    monkeypatch.setattr(daemon, "import_module", lambda name: App)
    assert entry(["run", "--shadow", "--config", str(shell.config)]) == 75
    assert seen == [True]


def test_faults_end_with_their_codes(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that somebody else owns ends with 75, a fault of ours with 70 and its trace."""

    def fail(error: Exception) -> Any:
        def load(*_: Any, **__: Any) -> Any:
            raise error

        return load

    monkeypatch.setattr(frame, "load", fail(OwnedElsewhere("pid 1 on host")))
    assert entry(["run", "--config", str(shell.config)]) == 75
    monkeypatch.setattr(frame, "load", fail(KeyError("bug")))
    assert entry(["run", "--config", str(shell.config)]) == 70


@pytest.mark.parametrize(
    ("file", "environ", "language"),
    [
        ('[daemon]\nlanguage = "ja"', {"LANG": "en_US.UTF-8"}, "ja"),
        ('[daemon]\nlanguage = "en"', {"LANG": "ja_JP.UTF-8"}, "en"),
        ("", {"LANG": "ja_JP.UTF-8"}, "ja"),
        ("", {"LANG": "ja_JP.UTF-8", "LC_ALL": "C"}, "en"),
        ("", {"SYNCD_DAEMON__LANGUAGE": "ja"}, "ja"),
        ("not toml", {}, "en"),
        ("daemon = 3", {"LANG": "ja_JP.UTF-8"}, "ja"),
        (None, {}, "en"),
    ],
)
def test_the_language_is_the_settings_or_the_shell_s(
    tmp_path: Path, file: str | None, environ: dict[str, str], language: str
) -> None:
    """The settings name the language, else the environment does, else it is English."""
    path = tmp_path / "syncd.toml"
    if file is not None:
        path.write_text(file)
    assert frame.language_of(path, environ) == language


async def test_a_japanese_shop_reads_japanese(rig: Rig, shell: Shell) -> None:
    """Headings and sentences are Japanese where the settings say so; JSON is the same in every language."""
    english = await shell.run("status", "--json")
    shell.config.write_text('[daemon]\ndata_dir = "."\nlanguage = "ja"\n', encoding="utf-8")
    ended = await shell.run("status")
    assert "チャネル" in ended.out
    assert "未開始" in ended.out
    assert (await shell.run("status", "--json")).json["accounts"] == english.json["accounts"]


async def test_a_question_needs_somebody_to_answer(rig: Rig, shell: Shell) -> None:
    """A command that would ask does nothing when nobody is there, unless --yes says so."""
    ended = await shell.run("go", "--all")
    assert (ended.code, "--yes" in ended.err) == (64, True)
    assert (await shell.run("go", "--all", "--yes")).code == 0


def test_json_is_one_value(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    """With --json nothing but one JSON value is on standard output."""
    entry(["doctor", "--offline", "--json", "--config", str(shell.config)])
    out = capsys.readouterr().out
    assert re.fullmatch(r"\{.*\}\n", out)
    assert {"ok", "findings"} == set(json.loads(out))


NOISY = """
import structlog
import syncd.cli.status
from syncd.cli import main

talk = syncd.cli.status.Talk

def noisy(terminal):
    structlog.get_logger().error("something.happened")
    return talk(terminal)

syncd.cli.status.Talk = noisy
main()
"""


def test_the_log_stays_out_of_the_result(shell: Shell) -> None:
    """In a process of its own a command ends with its code, and only its JSON is on standard output."""
    command = [sys.executable, "-c", NOISY, "status", "--json", "--config", str(shell.config)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 69
    assert set(json.loads(ended.stdout)) == {"error"}
    assert "something.happened" in ended.stderr
