"""The skeleton of a new adapter: a package of its own that passes the conformance kit, to be changed step by step."""

from __future__ import annotations

import keyword
import re
from collections.abc import Collection
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Final

__all__ = ["Refused", "package", "project", "write"]

MOST_NAME: Final = 40
_NAME: Final = re.compile(rf"[a-z][a-z0-9_]{{0,{MOST_NAME - 1}}}")
_INSIDE: Final = (
    "README.md", "__init__.py", "channel.py", "checklist.toml", "settings.py", "simulator.py", "wire.py",
)  # fmt: skip
"""The files of the package itself; the others stand around it."""


class Refused(Exception):  # noqa: N818  (a verdict, not a fault)
    """A skeleton cannot be made: the key of the text that says why, and its values."""

    def __init__(self, key: str, **values: object) -> None:
        super().__init__(key)
        self.key = key
        self.values = values


def package(name: str) -> str:
    """Return the import name of an adapter's package: no name of a channel shadows another library by it."""
    return f"syncd_{name}"


def project(name: str) -> str:
    """Return the name of an adapter's distribution, and of its folder."""
    return f"syncd-{name.replace('_', '-')}"


def write(name: str, into: Path, *, taken: Collection[str]) -> list[Path]:
    """Write the skeleton of an adapter into a new folder below `into`; return the files, the folder's own first.

    Raises `Refused` for a name that is no lower-case identifier or is taken, and where the folder is there already:
    nothing is ever overwritten.
    """
    _check(name, taken)
    folder = into / project(name)
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise Refused("adapter.exists", folder=folder) from None
    made = [folder / place for place in _places(name)]
    for path, template in zip(made, _places("NAME"), strict=True):
        path.parent.mkdir(exist_ok=True)
        path.write_text(_filled(template.name, name), encoding="utf-8")
    return made


def _check(name: str, taken: Collection[str]) -> None:
    if not _NAME.fullmatch(name) or keyword.iskeyword(name) or name.endswith("_") or "__" in name:
        raise Refused("adapter.bad_name", name=name)
    if name in taken or find_spec(package(name)) is not None:
        raise Refused("adapter.taken", name=name)


def _places(name: str) -> list[Path]:
    inside = [Path(package(name)) / file for file in _INSIDE]
    return [Path("pyproject.toml"), *inside, Path("tests") / "test_conformance.py"]


def _filled(template: str, name: str) -> str:
    """Return a template with the names in it."""
    text = files(__package__).joinpath("templates", f"{template}.txt").read_text(encoding="utf-8")
    camel = "".join(part.capitalize() for part in name.split("_"))
    return text.replace("syncd-{{name}}", project(name)).replace("{{name}}", name).replace("{{Name}}", camel)
