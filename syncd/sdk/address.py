"""Addresses in an adapter's settings: https, or a simulator on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from syncd.sdk.errors import Problem

__all__ = ["LOOPBACK", "address_problems", "is_simulator"]

LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
"""Names of this machine."""


def is_simulator(url: str) -> bool:
    """Say whether an address is plain http on this machine."""
    parts = urlsplit(url)
    return parts.scheme == "http" and parts.hostname in LOOPBACK


def address_problems(name: str, url: str) -> Iterator[Problem]:
    """Yield what is wrong with the address in the setting `name`; an empty one is the channel's own."""
    parts = urlsplit(url)
    if url and not (is_simulator(url) or (parts.scheme == "https" and parts.hostname)):
        yield Problem(
            place=f"settings.{name}",
            message="is neither https nor a simulator on this machine",
            remedy="leave it out; it is only for simulators",
        )
