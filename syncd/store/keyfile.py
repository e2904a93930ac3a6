"""A key that lies beside the store and never in it: a copy of the store alone does not tell what it hides."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from syncd.sdk.errors import ConfigError, Problem

KEY_BYTES: Final = 32


def key_beside(path: Path, *, chance: Callable[[int], bytes]) -> bytes:
    """Return the key of a file, made with mode 0600 where there is none. Raises ConfigError where it is no key."""
    try:
        found = path.read_bytes() if path.exists() else _make(path, chance(KEY_BYTES))
    except OSError as error:
        raise _problem(path, f"cannot be used: {error.strerror}", "check the path and its rights") from None
    if len(found) != KEY_BYTES:
        raise _problem(path, f"has not {KEY_BYTES} bytes", "move it away: a new one is made, and the proofs anew")
    return found


def _make(path: Path, key: bytes) -> bytes:
    # Whole or not at all: a key that was cut would be taken for another one.
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with open(draft, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(key)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    return key


def _problem(path: Path, message: str, remedy: str) -> ConfigError:
    return ConfigError([Problem(place=str(path), message=message, remedy=remedy)])
