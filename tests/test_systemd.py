"""What the daemon tells systemd, and that it never waits long to be heard."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from syncd.systemd import Notifier


def test_states_reach_the_manager(tmp_path: Path) -> None:
    """A state is one message at the address that systemd gave."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify")}).send("READY=1")
        assert manager.recv(100) == b"READY=1"


def test_a_manager_that_does_not_listen_holds_nothing_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody reads the messages any more, sending goes on without an error."""
    monkeypatch.setattr("syncd.systemd.SEND_S", 0.001)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify")})
        for _ in range(2_000):  # more than any queue of a socket holds
            notifier.send("WATCHDOG=1")
        assert manager.recv(100) == b"WATCHDOG=1"


def test_without_a_manager_nothing_is_sent(tmp_path: Path) -> None:
    """Without an address, and where nobody is at it, nothing happens."""
    Notifier({}).send("READY=1")
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")}).send("READY=1")
