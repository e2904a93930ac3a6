"""A place to try settings at: a folder, an environment, secrets, and an adapter that only tests know."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import pytest
from msgspec import Meta

from syncd.sdk.channel import Adapter
from syncd.sdk.errors import ConfigError, Problem
from syncd.sdk.secret import Secret
from syncd.settings import Settings, load

HOME = {"HOME": "/home/shop"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TillSettings:
    """The settings of an adapter that only these tests know."""

    shop: str
    key: Secret
    old_key: Secret | None = None
    page: Annotated[int, Meta(ge=1, le=250)] = 50
    regions: tuple[str, ...] = ()

    def problems(self) -> list[Problem]:
        """Return what is wrong with the whole."""
        if self.shop == "closed":
            return [Problem(place="shop", message="is closed", remedy="open it")]
        return []


def never(settings: Any, context: Any) -> Any:
    raise AssertionError("settings open nothing")


ADAPTERS = {"till": Adapter(name="till", settings=TillSettings, open=never)}

TILL = """
[channels.shop]
adapter = "till"
[channels.shop.settings]
shop = "one"
key = "plain-secret"
"""


@dataclass
class Desk:
    """A place with a settings file, secrets and an environment."""

    folder: Path
    environ: dict[str, str] = field(default_factory=lambda: dict(HOME))

    def write(self, text: str, *, name: str = "syncd.toml", mode: int = 0o600) -> Path:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)
        return path

    def load(
        self, text: str | None = None, *, adapters: Mapping[str, Adapter] = ADAPTERS, mode: int = 0o600
    ) -> Settings:
        path = None if text is None else self.write(text, mode=mode)
        return load(path, environ=self.environ, adapters=adapters, run_secrets=self.folder / "run-secrets")

    def problems(self, text: str | None = None) -> list[Problem]:
        with pytest.raises(ConfigError) as caught:
            self.load(text)
        return [
            dataclasses.replace(one, place=one.place.replace(f"{self.folder}/", "")) for one in caught.value.problems
        ]

    def texts(self, text: str | None = None) -> list[str]:
        return [f"{one.place}: {one.message}" for one in self.problems(text)]
