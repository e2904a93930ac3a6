"""What all tests share: how many cases are generated, and a place to try settings at."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from syncd.sdk import secret
from tests.settings_desk import Desk

# No deadline: tests share the machine with other work, and how long a case takes is what benchmarks are for.
settings.register_profile("tests", deadline=None)
settings.register_profile("campaign", deadline=None, max_examples=20_000)
settings.load_profile("tests")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Spread the slow tests, which mostly wait, over the first half: no worker has them all, and none comes last."""
    slow = [item for item in items if item.get_closest_marker("slow") is not None]
    others = [item for item in items if item.get_closest_marker("slow") is None]
    apart = len(others) // (2 * len(slow) + 1)
    spread: list[pytest.Item] = []
    for place, item in enumerate(slow):
        spread += [item, *others[place * apart : (place + 1) * apart]]
    items[:] = [*spread, *others[len(slow) * apart :]]


@pytest.fixture(autouse=True)
def _own_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget the secrets of other tests: what one test plants is an ordinary word in another."""
    monkeypatch.setattr(secret, "_registry", type(secret._registry)())


@pytest.fixture
def quick_path(tmp_path: Path) -> Iterator[Path]:
    """Return a folder in memory where there is one, for tests whose files need not survive anything."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory, prefix="syncd-test-") as folder:
        yield Path(folder)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """Return a place to try settings at."""
    return Desk(tmp_path)
