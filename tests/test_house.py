"""The house rules that no linter knows: floors, the pure core, sizes, tasks, words.

A checker takes a path and a source and answers faults; each is tried on planted faults at the end.
"""

from __future__ import annotations

import ast
import io
import re
import subprocess
import tokenize
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

FLOORS: tuple[frozenset[str], ...] = (
    frozenset({"core"}),
    frozenset({"sdk"}),
    frozenset({"store", "settings", "log", "clock", "systemd", "letters"}),
    frozenset({"engine", "edges", "web"}),
    frozenset({"listening", "machine"}),
    frozenset({"app"}),
    frozenset({"rehearsal", "trace"}),
    frozenset({"demo", "replay", "doctor", "messages", "tables", "scaffold"}),
    frozenset({"cli"}),
    frozenset({"__main__"}),
)
"""From the ground up: a part imports from lower floors and from itself; its neighbours are strangers."""

TESTING_MAY_IMPORT = frozenset({"sdk", "core", "testing"})
MAY_IMPORT_TESTING = frozenset({"testing", "rehearsal", "trace", "demo", "replay", "cli"})

CORE_MAY_IMPORT = frozenset({
    "__future__", "bisect", "collections", "dataclasses", "decimal", "enum", "fractions", "functools", "hashlib",
    "heapq", "itertools", "math", "numpy", "operator", "re", "statistics", "string", "types", "typing", "unicodedata",
})  # fmt: skip
CORE_MAY_NOT_CALL = frozenset({"open", "print", "input", "exec", "eval", "__import__", "breakpoint"})

FUNCTION_LINES = 50
FILE_CODE_LINES = 300
FILE_LINES = 450

EMPTY_NAMES = frozenset({"utils", "util", "helpers", "helper", "common", "manager", "managers", "base", "misc"})

# Written in two parts, so that this file does not trip over itself.
UNFINISHED_WORDS = ("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK", "Not" + "ImplementedError")
UNFINISHED = re.compile(rf"\b({'|'.join(UNFINISHED_WORDS)})\b")
ELSEWHERE_PATTERNS = (
    r"/wo" + r"rk/(main|shared|\.lib" + r"rary)",
    r"/ro" + r"ot/",
    r"\.pye" + r"nv\b",
    r"\bpy" + r"pi\.org",
    r"python" + r"hosted\.org",
    r"\bregistry\.np" + r"mjs",
    r"\bdeb\.deb" + r"ian\.org",
    r"--(extra-)?index" + r"-url[ =]+\S",
    r"--find" + r"-links[ =]+\S",
)
ELSEWHERE = re.compile("|".join(ELSEWHERE_PATTERNS))


# --- checkers: source in, faults out -----------------------------------------------------------------------------


def imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Answer line and dotted name of all that is imported, wherever in the file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, name.name) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield node.lineno, module
            yield from ((node.lineno, f"{module}.{name.name}") for name in node.names)


def floor_of(part: str) -> int | None:
    return next((level for level, parts in enumerate(FLOORS) if part in parts), None)


def may_import(part: str, target: str) -> bool:
    if part == target:
        return True
    if part == "testing":
        return target in TESTING_MAY_IMPORT
    if target == "testing":
        return part in MAY_IMPORT_TESTING
    here, there = floor_of(part), floor_of(target)
    return here is not None and there is not None and there < here


def floor_faults(path: str, source: str) -> list[str]:
    """Say which imports of a file in `syncd/` go up or sideways."""
    parts = Path(path).with_suffix("").parts
    part = parts[1]
    if part != "testing" and part != "__init__" and floor_of(part) is None:
        return [f"{path}: syncd.{part} has no floor"]
    faults = []
    for line, name in imports(ast.parse(source)):
        top, _, rest = name.partition(".")
        target = rest.partition(".")[0]
        if top == "adapters" or (top == "syncd" and target and not may_import(part, target)) or not top:
            faults.append(f"{path}:{line}: imports {name}")
    return faults


def adapter_faults(path: str, source: str) -> list[str]:
    """Say which imports of a file in `adapters/` leave the contract."""
    parts = Path(path).parts
    simulates = parts[-1] == "simulator.py" or "simulated" in parts[2:-1]
    allowed = ["syncd.sdk", f"adapters.{parts[1]}"] + ["syncd.testing"] * simulates
    ours = [(line, name) for line, name in imports(ast.parse(source)) if re.match(r"(syncd|adapters|\.)(\.|$)", name)]
    inside = re.compile("|".join(rf"{re.escape(name)}(\.|$)" for name in allowed))
    return [f"{path}:{line}: imports {name}" for line, name in ours if not inside.match(name)]


def core_faults(path: str, source: str) -> list[str]:
    """Say where core waits, reaches outside, or imports what could."""
    tree = ast.parse(source)
    faults = [
        f"{path}:{line}: imports {name}"
        for line, name in imports(tree)
        if name.partition(".")[0] not in CORE_MAY_IMPORT and not name.startswith("syncd.core")
    ]
    for node in ast.walk(tree):
        if isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith):
            faults.append(f"{path}:{node.lineno}: waits")
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CORE_MAY_NOT_CALL:
            faults.append(f"{path}:{node.lineno}: calls {node.func.id}")
    return faults


def size_faults(path: str, source: str) -> list[str]:
    """Say which functions and files are too long."""
    tree = ast.parse(source)
    faults = [
        f"{path}:{node.lineno}: {node.name} has {length} lines"
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := (node.end_lineno or 0) - node.lineno + 1) > FUNCTION_LINES
    ]
    if (lines := source.count("\n")) > FILE_LINES:
        faults.append(f"{path}: {lines} lines")
    if (lines := code_lines(source)) > FILE_CODE_LINES:
        faults.append(f"{path}: {lines} lines of code")
    return faults


def code_lines(source: str) -> int:
    """Count the lines that hold code: no blank ones, no comments, no texts that stand alone."""
    skipped = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in skipped:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            lines.difference_update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(lines)


def task_faults(path: str, source: str) -> list[str]:
    """Say where a task starts that no TaskGroup holds."""
    loose = {"asyncio", "loop", "get_running_loop", "get_event_loop", "_loop"}
    faults = [
        f"{path}:{line}: imports {name}"
        for line, name in imports(ast.parse(source))
        if name in {"asyncio.gather", "asyncio.create_task", "asyncio.ensure_future"}
    ]
    for node in ast.walk(ast.parse(source)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        owner = last_name(node.func.value)
        if node.func.attr in {"gather", "ensure_future"} or (node.func.attr == "create_task" and owner in loose):
            faults.append(f"{path}:{node.lineno}: {owner}.{node.func.attr}")
    return faults


def last_name(node: ast.AST) -> str:
    """Return the last name of an expression: `loop` of `self.loop`, `get_running_loop` of its call."""
    if isinstance(node, ast.Call):
        return last_name(node.func)
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def docstring_faults(path: str, source: str) -> list[str]:
    """Say which tests do not tell in one sentence what is expected."""
    faults = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test"):
            text = " ".join((ast.get_docstring(node) or "").split())
            if not text.endswith(".") or re.search(r"(?<!e\.g)(?<!i\.e)\.\s+[A-Z]", text):
                faults.append(f"{path}:{node.lineno}: {node.name}")
    return faults


def word_faults(path: str, source: str) -> list[str]:
    """Say where a file is unfinished, or names a place that only one machine knows."""
    return [
        f"{path}:{number}: {match[0]}"
        for number, line in enumerate(source.splitlines(), start=1)
        for pattern in (UNFINISHED, ELSEWHERE)
        if (match := pattern.search(line))
    ]


# --- the tree ----------------------------------------------------------------------------------------------------


@cache
def tree_files() -> tuple[str, ...]:
    """Return every file of the project that git would take, as a path from the top."""
    command = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return tuple(sorted(name for name in set(listed) if (ROOT / name).is_file()))


def python_files(*tops: str) -> list[str]:
    return [name for name in tree_files() if name.endswith(".py") and name.split("/")[0] in tops]


def faults(check: Callable[[str, str], list[str]], names: list[str]) -> list[str]:
    assert names, "nothing to check"
    return [fault for name in names for fault in check(name, (ROOT / name).read_text(encoding="utf-8"))]


def test_floors_are_kept() -> None:
    """No file in syncd imports from its own height or above, or from an adapter."""
    assert faults(floor_faults, python_files("syncd")) == []


def test_adapters_import_only_the_sdk() -> None:
    """An adapter imports the sdk and itself, and its simulator syncd.testing too."""
    assert faults(adapter_faults, [name for name in python_files("adapters") if name.count("/") > 1]) == []


def test_core_is_pure() -> None:
    """The core neither waits nor reaches outside."""
    assert faults(core_faults, [name for name in python_files("syncd") if name.startswith("syncd/core/")]) == []


def test_sizes_are_kept() -> None:
    """No function is longer than 50 lines and no file longer than 300 lines of code; tables of cases may be longer."""
    assert faults(size_faults, python_files("syncd", "adapters")) == []


def test_tasks_belong_to_groups() -> None:
    """No task is started outside of a TaskGroup."""
    assert faults(task_faults, python_files("syncd", "adapters")) == []


def test_tests_say_what_they_expect() -> None:
    """Every test has a docstring of one sentence."""
    assert faults(docstring_faults, python_files("tests")) == []


def test_nothing_is_unfinished_or_tied_to_a_machine() -> None:
    """No file holds a note of unfinished work, a path of one machine or the host of a registry."""
    texts = [name for name in tree_files() if b"\0" not in (ROOT / name).read_bytes()[:8192]]
    assert faults(word_faults, texts) == []


def test_modules_have_names_that_say_something() -> None:
    """No module is called after a drawer for odds and ends."""
    named = [
        name
        for name in python_files("syncd", "adapters", "tests")
        if EMPTY_NAMES & set(Path(name).with_suffix("").parts)
    ]
    assert named == []


def test_test_files_have_different_names() -> None:
    """Two test files never share a name."""
    counts = Counter(Path(name).name for name in python_files("tests"))
    assert [name for name, count in counts.items() if count > 1 and name.startswith("test_")] == []


# --- the checkers themselves -------------------------------------------------------------------------------------

PLANTED = [
    (floor_faults, "syncd/core/a.py", "from syncd.sdk import channel", 2),
    (floor_faults, "syncd/engine/a.py", "def f():\n    import syncd.web.pages", 1),
    (floor_faults, "syncd/store/a.py", "from syncd import settings", 1),
    (floor_faults, "syncd/app.py", "import adapters.shopify", 1),
    (floor_faults, "syncd/engine/a.py", "from syncd.testing.loop import Loop", 2),
    (floor_faults, "syncd/testing/a.py", "from syncd.store import rows", 2),
    (floor_faults, "syncd/novel/a.py", "", 1),
    (floor_faults, "syncd/engine/a.py", "from . import b", 2),
    (floor_faults, "syncd/engine/a.py", "import syncd.store.rows, syncd.core.terms, syncd.engine.poll, aiohttp", 0),
    (adapter_faults, "adapters/x/channel.py", "from syncd.core.terms import Sku", 2),
    (adapter_faults, "adapters/x/channel.py", "from syncd.testing.faults import Hostile", 2),
    (adapter_faults, "adapters/x/channel.py", "import adapters.xy", 1),
    (adapter_faults, "adapters/x/simulator.py", "import syncd.testing.simulators\nimport adapters.x.wire", 0),
    (core_faults, "syncd/core/a.py", "async def f():\n    await g()", 2),
    (core_faults, "syncd/core/a.py", "import time", 1),
    (core_faults, "syncd/core/a.py", "from datetime import datetime", 2),
    (core_faults, "syncd/core/a.py", "import msgspec", 1),
    (core_faults, "syncd/core/a.py", "print(open('x'))", 2),
    (core_faults, "syncd/core/a.py", "from dataclasses import dataclass\nfrom syncd.core.terms import Sku", 0),
    (size_faults, "syncd/a.py", "def f():\n" + "    x = 1\n" * 50, 1),
    (size_faults, "syncd/a.py", "def f():\n" + "    x = 1\n" * 49, 0),
    (size_faults, "syncd/a.py", "x = 1\n" * 301, 1),
    (size_faults, "syncd/a.py", '"""A.\n\nB.\n"""\n' + "# why\n\n" * 100 + "x = 1\n" * 200, 0),
    (size_faults, "syncd/a.py", "\n" * 451, 1),
    (task_faults, "syncd/a.py", "import asyncio\nasyncio.gather(f())", 1),
    (task_faults, "syncd/a.py", "asyncio.get_running_loop().create_task(f())\nself.loop.create_task(f())", 2),
    (task_faults, "syncd/a.py", "from asyncio import create_task", 1),
    (task_faults, "syncd/a.py", "async with asyncio.TaskGroup() as group:\n    group.create_task(f())", 0),
    (docstring_faults, "tests/test_a.py", "def test_a():\n    pass", 1),
    (docstring_faults, "tests/test_a.py", "def test_a():\n    '''One. Two.'''", 1),
    (docstring_faults, "tests/test_a.py", "def test_a():\n    '''The disk is full.'''\ndef other(): ...", 0),
    (word_faults, "a.md", "TO" + "DO: later", 1),
    (word_faults, "a.md", "see /wo" + "rk/main/x and py" + "pi.org", 1),
    (word_faults, "a.md", "a methodology of hacking hexxxx", 0),
]  # fmt: skip


@pytest.mark.parametrize(("check", "path", "source", "count"), PLANTED)
def test_checkers_see_planted_faults(
    check: Callable[[str, str], list[str]], path: str, source: str, count: int
) -> None:
    """Each checker reports a planted fault and lets right code pass."""
    assert len(check(path, source)) == count, check(path, source)
