"""What is written agrees with what is there: settings, commands, terms, change log, both languages."""

from __future__ import annotations

import ast
import importlib
import re
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest

from syncd.sdk.secret import Secret
from syncd.settings import load, policies, shape, shape_public, shape_waiting
from syncd.settings.adapters import Installed

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "config" / "syncd.example.toml"

TABLES = {
    "Daemon": "daemon",
    "Http": "http",
    "Pages": "pages",
    "Mqtt": "mqtt",
    "Alerts": "alerts",
    "Letters": "letters",
    "TimeRules": "timerules",
    "Incidents": "incidents",
    "PolicyDefaults": "policy",
    "SeasonSettings": "seasons.super_sale",
    "Brake": "brake",
    "Retention": "retention",
    "OrderPageSettings": "orderpage",
    "WebhookSettings": "webhooks.books",
    "ChannelSettings": "channels.shopify",
    "ShipDateSettings": "channels.shopify.ship_dates",
    "Waitlist": "waitlist",
    "Escalation": "escalation",
    "DeskSettings": "desks.local",
}
GIVEN_ELSEWHERE = {
    ("WebhookSettings", "name"),
    ("ChannelSettings", "name"),
    ("ChannelSettings", "settings"),
    ("ChannelSettings", "ship_dates"),
    ("DeskSettings", "name"),
    ("DeskSettings", "settings"),
}
"""The title of a table, and tables of their own."""

TERMS = frozenset({
    "account", "adapter", "allotment", "audit", "available", "backorder", "balance", "base", "brake", "channel",
    "committed", "compare-and-set", "count", "delta", "desk", "dispatch", "drift", "exposure", "fact", "gate", "gives",
    "held", "inbox", "indeterminate", "ingest", "kit", "lane", "ledger", "listing", "location", "movement", "on_hand",
    "outbox", "oversell", "pool", "quarantine", "relay", "safety stock", "seen", "shown", "snapshot", "suspect sale",
    "sweep", "takes", "target", "watermark",
})  # fmt: skip
"""The words that code, log, settings and messages use in one meaning each."""

SECRETS = {
    "desk_smtp_url": "smtps://shop:pass@mail.example.org:465",
    "daemon_database_url": "postgresql://syncd:pass@127.0.0.1/syncd",
    "alerts_smtp_url": "smtps://syncd:pass@mail.example.org:465",
    "alerts_webhook_url": "https://hooks.example.org/x",
    "orderpage_smtp_url": "smtps://syncd:pass@mail.example.org:465",
    "webhook_books_secret": "a secret of more than 24 characters",
}


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def documented() -> Iterator[tuple[str, str, str]]:
    """Answer class, field and text of everything that the settings' own source documents."""
    files = [Path(module.__file__) for module in (shape, shape_public, shape_waiting, policies)]
    for node in (node for file in files for node in ast.parse(file.read_text(encoding="utf-8")).body):
        if isinstance(node, ast.ClassDef) and node.name in TABLES:
            for item, text in zip(node.body, node.body[1:], strict=False):
                if isinstance(item, ast.AnnAssign) and isinstance(text, ast.Expr):
                    yield node.name, ast.unparse(item.target), " ".join(ast.literal_eval(text.value).split())


def example_keys(text: str) -> dict[tuple[str, str], tuple[str, str]]:
    """Return comment and value of each key of an example, by table and key; `_file` of secrets is taken off."""
    keys: dict[tuple[str, str], tuple[str, str]] = {}
    table, comment = "", []
    for line in text.splitlines():
        if title := re.fullmatch(r"#?\[([\w.]+)\]", line):
            table, comment = title[1], []
        elif key := re.fullmatch(r"#{0,2}(\w+?)(?:_file)? = (.*)", line):
            keys[table, key[1]] = (" ".join(comment), key[2])
            comment = []
        elif line.startswith("# "):
            comment.append(line[2:])
        else:
            comment = []
    return keys


def uncommented(text: str) -> str:
    """Return the example as it is when a person takes every single # away."""
    return re.sub(r"^#(?=[a-z\[])", "", text, flags=re.MULTILINE)


def test_every_field_of_the_settings_is_documented() -> None:
    """Each field of each settings class has a text below it."""
    there = {(name, field.name) for name in TABLES for field in fields(getattr(shape, name))}
    assert {(name, key) for name, key, _ in documented()} == there


def test_every_setting_is_in_the_example() -> None:
    """The example has every setting with the very text that the source has."""
    keys = example_keys(EXAMPLE.read_text(encoding="utf-8"))
    wanted = {(TABLES[name], key): text for name, key, text in documented() if (name, key) not in GIVEN_ELSEWHERE}
    assert {place: text for place, (text, _) in keys.items() if place in wanted} == wanted
    assert {place for place in keys if not place[0].endswith(".settings")} == set(wanted)


def plain_defaults() -> dict[tuple[str, str], Any]:
    """Return each default that can be written down as it is, by table and key."""
    defaults = {
        (table, field.name): field.default
        for name, table in TABLES.items()
        for field in fields(getattr(shape, name))
        if (name, field.name) not in GIVEN_ELSEWHERE
    }
    return {place: value for place, value in defaults.items() if isinstance(value, str | int | float) and value != ""}


def test_the_example_shows_defaults() -> None:
    """A value in the example is the default, unless the default is empty or depends on the machine."""
    keys = example_keys(EXAMPLE.read_text(encoding="utf-8"))
    shown = {place: tomllib.loads(f"v = {keys[place][1]}")["v"] for place in plain_defaults()}
    assert repr(shown) == repr(plain_defaults())


def test_the_example_loads() -> None:
    """The example as it is delivered means the defaults."""
    environ = {"HOME": "/home/shop"}
    assert load(EXAMPLE, environ=environ, adapters={}).daemon == load(None, environ=environ, adapters={}).daemon


def test_the_example_loads_with_everything_set(tmp_path: Path) -> None:
    """With each # taken away and each secret in its file, the example is accepted as a whole."""
    path = tmp_path / "syncd.toml"
    path.write_text(text := uncommented(EXAMPLE.read_text(encoding="utf-8")), encoding="utf-8")
    (tmp_path / "secrets").mkdir()
    for name in re.findall(r'^\w+_file = "secrets/(\w+)"', text, flags=re.MULTILINE):
        (tmp_path / "secrets" / name).write_text(SECRETS.get(name, "x" * 40), encoding="utf-8")
    settings = load(path, environ={"HOME": "/home/shop"}, run_secrets=tmp_path)
    assert settings.channels["shopify"].settings is not None
    assert isinstance(settings.http.api_token, Secret)


def test_every_setting_of_an_adapter_is_in_the_example() -> None:
    """The example has every key of the Shopify adapter, and its folder's README names each that is for a shop."""
    keys = {field.name for field in fields(Installed()["shopify"].settings)}
    there = example_keys(EXAMPLE.read_text(encoding="utf-8"))
    assert {key for table, key in there if table == "channels.shopify.settings"} == keys
    told = read("adapters/shopify/README.md")
    assert {key for key in keys if f"`{key}`" not in told} <= {"base_url"}


def commands() -> list[str]:
    """Return every command of the command line, as one types it: `stock set`."""
    typer = importlib.import_module("typer")
    app = importlib.import_module("syncd.cli").app
    return sorted(walk(typer.main.get_command(app), []))


def walk(command: Any, names: list[str]) -> Iterator[str]:
    children = getattr(command, "commands", {})
    if not children and not command.hidden:
        yield " ".join(names)
    for name, child in children.items():
        yield from walk(child, [*names, name])


def told_commands(text: str) -> list[str]:
    """Return the commands in the first columns of a README's tables: `stock set` of `syncd stock set SKU N`."""
    cells = re.findall(r"^\| `syncd ([^`]+)`", text, flags=re.MULTILINE)
    return [" ".join(takewhile(re.compile("[a-z]+").fullmatch, cell.split())) for cell in cells]


@pytest.mark.parametrize("name", ["README.md", "README.ja.md"])
def test_every_command_is_in_the_readme(name: str) -> None:
    """The tables of both READMEs tell exactly the commands that there are."""
    assert sorted(told_commands(read(name))) == commands()


def test_commands_are_read_from_tables() -> None:
    """Arguments and commands outside of tables are not counted."""
    text = "| `syncd run [--shadow]` | a |\n| `syncd stock set SKU N` | b |\n`syncd hidden`"
    assert told_commands(text) == ["run", "stock set"]


def headings(text: str) -> list[int]:
    """Return the depth of each heading, outside of blocks of code."""
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    return [len(mark) for mark in re.findall(r"^(#+) ", prose, flags=re.MULTILINE)]


def test_both_readmes_have_the_same_shape() -> None:
    """The Japanese README has the headings, the blocks of code and the tables of the English one."""
    english, japanese = read("README.md"), read("README.ja.md")
    assert headings(japanese) == headings(english)
    assert japanese.count("```") == english.count("```")
    assert japanese.count("\n|") == english.count("\n|")


def glossary() -> dict[str, str]:
    section = read("ARCHITECTURE.md").partition("\n## Glossary\n")[2]
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", section, flags=re.MULTILINE)
    return {word.strip(" `"): meaning for cell, meaning in rows for word in cell.split(",")}


def test_every_term_is_in_the_glossary() -> None:
    """The glossary of ARCHITECTURE.md explains every term of the field that the code uses."""
    assert set(glossary()) >= TERMS


def test_every_floor_is_in_the_architecture() -> None:
    """ARCHITECTURE.md names every part of the package."""
    text = read("ARCHITECTURE.md")
    parts = {
        path.stem for path in (ROOT / "syncd").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert {part for part in parts if f"`{part}`" not in text} <= {"__init__", "__main__"}


def test_every_link_leads_somewhere() -> None:
    """A relative link in a document of the project names a file that is there."""
    for name in ("README.md", "README.ja.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"):
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", read(name)):
            assert (ROOT / target).exists(), f"{name}: {target}"


def test_the_change_log_is_kept() -> None:
    """The change log has the form of Keep a Changelog, newest first, and begins with what is not released."""
    text = read("CHANGELOG.md")
    titles = re.findall(r"^## (.+)$", text, flags=re.MULTILINE)
    assert titles[0] == "[Unreleased]"
    assert all(re.fullmatch(r"\[\d+\.\d+\.\d+\] - 20\d\d-\d\d-\d\d", title) for title in titles[1:])
    sections = set(re.findall(r"^### (.+)$", text, flags=re.MULTILINE))
    assert sections <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_the_licence_is_whole() -> None:
    """The licence that pyproject.toml names is delivered in full."""
    text = read("LICENSE")
    assert "Apache License" in text
    assert text.count("\n") > 200
