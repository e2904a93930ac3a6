"""The codes and titles of all SKUs as one text to search in: a search that would read every row reads none.

It is a copy of the table as of a version. Whoever changes a code or a title raises the version in the same transaction;
a copy of another version is not used, and a search then reads the rows as before. So what is found is always the same.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, select, text

from syncd.store.rows import MetaRow, SkuRow
from syncd.store.statements import table

MOST_SKUS: Final = 1_000_000
"""Of a larger shop there is no copy."""
PIECE: Final = 2_000
"""SKUs read in one go, so that other readers wait no longer."""
_NAME: Final = "sku_words"
_RAISE: Final = text(
    "INSERT INTO meta (name, value) VALUES (:name, '1')"
    " ON CONFLICT (name) DO UPDATE SET value = CAST(CAST(meta.value AS BIGINT) + 1 AS VARCHAR)"
)
_SKU = table(SkuRow)
_META = table(MetaRow)


def raise_version(conn: Connection) -> None:
    """Note that a code or a title is another one now."""
    conn.execute(_RAISE, {"name": _NAME})


def version(conn: Connection) -> str:
    """Return the version of all codes and titles."""
    return conn.execute(select(_META.c.value).where(_META.c.name == _NAME)).scalar() or ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SkuWords:
    """All codes and titles of a version: UTF-8, a line per SKU. `starts` and `ids` are of the lines, in their order."""

    version: str
    raw: bytes
    starts: array[int]
    ids: array[int]

    def ids_of(self, wanted: str, *, most: int) -> list[int] | None:
        """Return the SKUs whose code or title holds a text, letters A to Z in either case; None for more than `most`.

        A text with a control character is in none.
        """
        sought = wanted.encode("utf-8", "replace").lower()
        if any(byte < 0x20 for byte in sought):
            return []
        found: list[int] = []
        at = self.raw.find(sought)
        while at >= 0:
            if len(found) == most:
                return None
            line = bisect_right(self.starts, at) - 1
            found.append(self.ids[line])
            end = self.raw.find(b"\n", at)
            at = self.raw.find(sought, end) if end >= 0 else -1
        return found


class Gathering:
    """Makes a copy piece by piece; `read` is called until it returns False, each time in a transaction of its own."""

    def __init__(self) -> None:
        self._version: str | None = None
        self._last = 0
        self._raw = bytearray()
        self._starts = array("q")
        self._ids = array("q")
        self._whole = False

    def read(self, conn: Connection) -> bool:
        """Read a piece; return whether there is more."""
        now = version(conn)
        if self._version is None:
            self._version = now
        if now != self._version or len(self._ids) > MOST_SKUS:
            return False
        c = _SKU.c
        rows = conn.execute(select(c.id, c.code, c.title).where(c.id > self._last).order_by(c.id).limit(PIECE)).all()
        for sku_id, code, title in rows:
            self._starts.append(len(self._raw))
            self._ids.append(sku_id)
            self._raw += f"{_line(code)}\t{_line(title)}\n".encode("utf-8", "replace").lower()
        self._last = self._ids[-1] if self._ids else 0
        self._whole = len(rows) < PIECE
        return not self._whole

    def done(self) -> SkuWords | None:
        """Return the copy; None where a name was changed meanwhile, or there are too many."""
        if not self._whole or self._version is None:
            return None
        return SkuWords(version=self._version, raw=bytes(self._raw), starts=self._starts, ids=self._ids)


def _line(words: str) -> str:
    """Return a code or a title as part of a line: what parts lines and columns is none of it."""
    return "".join(max(sign, " ") for sign in words) if not words.isprintable() else words
