"""What systemd gives a daemon: readiness and watchdog messages, and sockets that are open before it starts.

Source: sd_notify(3) and sd_listen_fds(3) of systemd 252.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

FIRST_SOCKET = 3
"""The first inherited file descriptor."""
SEND_S = 0.5
"""How long a manager may take to listen: the loop waits meanwhile."""


class Notifier:
    """Sends states to the service manager; does nothing where there is none."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        path = environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + path[1:] if path.startswith("@") else path
        self._watchdog_us = int(environ.get("WATCHDOG_USEC", "0") or 0)

    @property
    def watchdog_s(self) -> float | None:
        """Return how often life is to be shown, a third of what systemd allows; None where it does not ask."""
        return self._watchdog_us / 1_000_000 / 3 if self._address and self._watchdog_us else None

    def send(self, state: str) -> None:
        """Send a state such as `READY=1`; a manager that is gone, or does not listen, is no error of ours."""
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as link:
            link.settimeout(SEND_S)
            try:
                link.sendto(state.encode(), self._address)
            except OSError:
                return


def inherited_socket(environ: Mapping[str, str]) -> socket.socket | None:
    """Return the socket that systemd opened for this process, None when it opened none."""
    if environ.get("LISTEN_PID") != str(os.getpid()) or int(environ.get("LISTEN_FDS", "0") or 0) < 1:
        return None
    return socket.socket(fileno=os.dup(FIRST_SOCKET))
