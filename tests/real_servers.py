"""Real servers for tests: started by the test that needs them, on a port or socket of their own, and stopped after."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import NullPool, create_engine, make_url, text
from sqlalchemy.exc import SQLAlchemyError

START_S = 30.0
"""Longest wait for a server to accept connections."""
_MOSQUITTO = ("/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto", "/opt/homebrew/sbin/mosquitto")


class Missing(Exception):  # noqa: N818  (says what is the matter)
    """A server is not on this machine; the text says what to install."""


def skip_or_fail(missing: Missing) -> None:
    """Skip the test, saying what to install; fail it where SYNCD_REQUIRE_SERVERS=1 asks for real servers."""
    if os.environ.get("SYNCD_REQUIRE_SERVERS") == "1":
        pytest.fail(str(missing))
    pytest.skip(str(missing))


# --- PostgreSQL ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Postgres:
    """A running server; `admin_url` leads to a database from which others may be made."""

    admin_url: str

    @contextmanager
    def database(self, name: str) -> Iterator[str]:
        """Make a database, give its URL, drop it with all its sessions."""
        self.run(f'CREATE DATABASE "{name}"')
        try:
            yield make_url(self.admin_url).set(database=name).render_as_string(hide_password=False)
        finally:
            self.run(f'DROP DATABASE "{name}" WITH (FORCE)')

    def run(self, statement: str) -> None:
        """Run one statement outside of a transaction."""
        engine = create_engine(self.admin_url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(statement))


@contextmanager
def postgres() -> Iterator[Postgres]:
    """Give a PostgreSQL server: that of SYNCD_TEST_PG, else one of our own, else one that runs on this machine."""
    if given := os.environ.get("SYNCD_TEST_PG"):
        yield Postgres(admin_url=given)
    elif binaries := _postgres_binaries():
        with _own_postgres(binaries) as server:
            yield server
    else:
        yield _local_postgres()


def _postgres_binaries() -> Path | None:
    found = [*Path("/usr/lib/postgresql").glob("*/bin/initdb"), *Path("/usr/pgsql").glob("*/bin/initdb")]
    if not found and (initdb := shutil.which("initdb")):
        found = [Path(initdb)]
    return max(found, key=lambda path: path.parts).parent if found else None


def _local_postgres() -> Postgres:
    for user in ("postgres", "root"):
        for host in ("/var/run/postgresql", "127.0.0.1"):
            url = f"postgresql+psycopg://{user}@/postgres?host={host}&connect_timeout=2"
            with suppress(SQLAlchemyError):
                Postgres(admin_url=url).run("SELECT 1")
                return Postgres(admin_url=url)
    raise Missing("install postgresql (its initdb is enough), or set SYNCD_TEST_PG to the URL of an admin database")


@contextmanager
def _own_postgres(binaries: Path) -> Iterator[Postgres]:
    """Run a cluster in a folder of its own; it is reached by a socket in there, so that no port is taken."""
    user = "postgres" if os.geteuid() == 0 else None  # the server refuses to run as root
    folder = Path(tempfile.mkdtemp(prefix="syncd-pg-", dir="/tmp"))  # a socket's path has room for 107 bytes only
    try:
        if user is not None:
            shutil.chown(folder, user)
        _make_cluster(binaries, folder, user)
        try:
            yield Postgres(admin_url=f"postgresql+psycopg://postgres@/postgres?host={folder}")
        finally:
            _call([binaries / "pg_ctl", "stop", "-D", folder / "data", "-m", "immediate", "-w"], user, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _make_cluster(binaries: Path, folder: Path, user: str | None) -> None:
    data = folder / "data"
    _call(
        [binaries / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"],
        user,
        folder,
    )
    options = f"-c listen_addresses='' -c unix_socket_directories='{folder}' -c max_connections=50"
    start = ["start", "-D", data, "-w", "-t", str(int(START_S)), "-l", folder / "log", "-o", options]
    _call([binaries / "pg_ctl", *start], user, folder)


def _call(command: Sequence[str | Path], user: str | None, folder: Path) -> None:
    ended = subprocess.run(
        [str(part) for part in command],
        user=user,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,  # the server keeps it open: a pipe would never end
        stderr=subprocess.DEVNULL,
        timeout=2 * START_S,
        check=False,
    )
    if ended.returncode != 0:
        log = folder / "log"
        raise RuntimeError(f"{command[0]} failed: {log.read_text() if log.exists() else 'no log'}")


# --- mosquitto ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Mosquitto:
    """A running broker on the loopback; `process` may be killed by a test."""

    port: int
    process: subprocess.Popen[bytes]


@contextmanager
def mosquitto(config_lines: Sequence[str] = (), *, port: int | None = None) -> Iterator[Mosquitto]:
    """Run a mosquitto broker for anybody on the loopback, with these lines added to its configuration.

    With `port` it listens there, so that a test can bring a broker back; else on a free one.
    """
    binary = _mosquitto_binary()
    taken = _free_port() if port is None else port
    folder = Path(tempfile.mkdtemp(prefix="syncd-mqtt-"))
    try:
        config = folder / "mosquitto.conf"
        # A broker that is started by root gives up its rights, and could not read the folder any more.
        user = ["user root"] if os.geteuid() == 0 else []
        lines = [f"listener {taken} 127.0.0.1", "allow_anonymous true", *user, *config_lines]
        config.write_text("\n".join(lines) + "\n")
        with _running([binary, "-c", str(config)], port=taken) as process:
            yield Mosquitto(port=taken, process=process)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _mosquitto_binary() -> str:
    for name in ("mosquitto", *_MOSQUITTO):
        if found := shutil.which(name):
            return found
    raise Missing("install mosquitto")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _running(command: list[str], *, port: int) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        _wait_until_accepting(process, port)
        yield process
    finally:
        process.terminate()
        try:
            process.communicate(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def _wait_until_accepting(process: subprocess.Popen[bytes], port: int) -> None:
    for _ in range(int(START_S / 0.05)):
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        try:
            process.wait(timeout=0.05)
        except subprocess.TimeoutExpired:
            continue
        assert process.stderr is not None
        raise RuntimeError(f"{process.args!r} ended: {process.stderr.read().decode(errors='replace')}")
    raise RuntimeError(f"nothing accepts connections on port {port}")
