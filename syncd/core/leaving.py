"""Leaving a list by one click: what stands for somebody who signed up, and the word by which they leave. Pure.

A mark is a keyed hash (BLAKE2b) of an address and a SKU and does not tell the address. The word is the mark with a
keyed hash of its own, so that nobody else can make it, and nothing has to be stored for it.
"""

from __future__ import annotations

import hashlib
from typing import Final

SOURCE: Final = "signup"
"""Where entries of the sign-up page come from; with the key it makes them unique."""


def keyed(text: str, *, key: bytes) -> str:
    """Return 40 digits that stand for a text; without the key they tell nothing of it."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), key=key, digest_size=20).hexdigest()


def mark_of(entry_key: str) -> str:
    """Return the mark of an entry by its key: the part before the first dot."""
    return entry_key.partition(".")[0]


def leave_token(mark: str, *, key: bytes) -> str:
    """Return the word by which a mark leaves."""
    return f"{mark}.{keyed(f'leave {mark}', key=key)}"
