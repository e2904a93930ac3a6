"""A fresh store for each test, on SQLite and on PostgreSQL."""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from syncd.store.schema import migrate
from syncd.store.session import Store
from tests.real_servers import Missing, Postgres, postgres, skip_or_fail

START = 1_790_000_000_000_000
"""2026-09-21 14:13:20 UTC, in microseconds."""


class TestClock:
    """Wall time that stands still until a test moves it; monotonic time that runs."""

    __test__ = False

    def __init__(self) -> None:
        self.instant = START

    def now(self) -> int:
        return self.instant

    def monotonic(self) -> float:
        return time.perf_counter()


@pytest.fixture
def clock() -> TestClock:
    return TestClock()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    try:
        with postgres() as server:
            yield server
    except Missing as missing:
        skip_or_fail(missing)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/syncd.db"


@pytest.fixture
def postgres_url(postgres_server: Postgres) -> Iterator[str]:
    with postgres_server.database(f"syncd_{secrets.token_hex(6)}") as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.real)])
def store_url(request: pytest.FixtureRequest) -> str:
    """Give the URL of an empty database."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
async def store(store_url: str, clock: TestClock) -> AsyncIterator[Store]:
    """Give an open store with the newest schema."""
    migrate(store_url, backup_dir=None, clock=clock)
    async with Store.open(store_url, clock=clock) as opened:
        yield opened
