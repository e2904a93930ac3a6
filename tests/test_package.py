"""The package as it is delivered: entry points, declared libraries, locks."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from importlib.metadata import entry_points, packages_distributions
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent

PIN = re.compile(r"^([a-z0-9][\w.-]*)==([^ ]+) \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", flags=re.MULTILINE)

MADE_OF = {"sqlalchemy": "sqlmodel", "yarl": "aiohttp", "paho": "aiomqtt"}
"""Libraries that are used under the name of another one, which is made of them and pins them."""


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def plain(name: str) -> str:
    return name.lower().replace("_", "-")


def declared() -> set[str]:
    """Return the distributions that pyproject.toml asks for, in any extra."""
    extras = project()["optional-dependencies"].values()
    wanted = [*project()["dependencies"], *(one for extra in extras for one in extra)]
    return {plain(re.split(r"[^A-Za-z0-9_.-]", one)[0]) for one in wanted}


def imported() -> Iterator[str]:
    """Answer the top names of all absolute imports."""
    for path in (file for top in ("syncd", "adapters", "tests") for file in (ROOT / top).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from (name.name.partition(".")[0] for name in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield node.module.partition(".")[0]


def test_every_library_is_declared() -> None:
    """What is imported is in pyproject.toml and not there by another library's grace."""
    known = packages_distributions()
    strangers = set(imported()) - {"syncd", "adapters", "tests", *sys.stdlib_module_names}
    homes = {top: {plain(one) for one in known.get(top, [MADE_OF.get(top, top)])} for top in strangers}
    homes |= {top: {MADE_OF[top]} for top in strangers & set(MADE_OF)}
    assert {top for top, home in homes.items() if not home & declared()} == set()


@pytest.mark.parametrize("group", ["syncd.channels", "syncd.desks", "console_scripts"])
def test_entry_points_resolve(group: str) -> None:
    """Every entry point that pyproject.toml declares can be loaded."""
    table = project()
    wanted = table["scripts"] if group == "console_scripts" else table["entry-points"].get(group, {})
    found = {point.name: point for point in entry_points(group=group) if point.dist and point.dist.name == "syncd"}
    again = "what is installed is older than pyproject.toml: pip install --no-deps --no-build-isolation -e ."
    assert {name: point.value for name, point in found.items()} == wanted, again
    for point in found.values():
        point.load()


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-run.lock"])
def test_locks_are_hashed(lock: str) -> None:
    """Every pinned version has hashes, and no line says where to fetch it from."""
    text = (ROOT / lock).read_text(encoding="utf-8")
    assert len(PIN.findall(text)) == len(re.findall(r"^[^#\s]", text, flags=re.MULTILINE)) > 20
    assert not re.search(r"://|--index|--find|--trusted", text)


def test_the_run_lock_is_part_of_the_lock() -> None:
    """The image installs the very versions that the tests ran with."""
    run, everything = (
        {(name, version) for name, version, _ in PIN.findall((ROOT / lock).read_text(encoding="utf-8"))}
        for lock in ("requirements-run.lock", "requirements.lock")
    )
    assert run <= everything


def test_the_lock_satisfies_the_project() -> None:
    """Every library that pyproject.toml asks for is in the lock."""
    pins = {name for name, _, _ in PIN.findall((ROOT / "requirements.lock").read_text(encoding="utf-8"))}
    assert declared() <= pins


def test_a_wheel_has_the_texts_of_letters(tmp_path: Path) -> None:
    """What is installed elsewhere has every text that the source has."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=60)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        packed = {name for name in wheel.namelist() if name.startswith("syncd/templates/")}
        lists = {name for name in wheel.namelist() if name.startswith("syncd/escalation/")}
    texts = (ROOT / "config" / "templates").rglob("*.txt")
    assert packed == {f"syncd/templates/{path.parent.name}/{path.name}" for path in texts} != set()
    words = (ROOT / "config" / "escalation").rglob("*.txt")
    assert lists == {f"syncd/escalation/{path.parent.name}/{path.name}" for path in words} != set()
