"""The documents that a desk keeps here: its own keys, its own bytes, each with a version that counts up."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from syncd.store.rows_waiting import DocumentRow
from syncd.store.session import Store
from syncd.store.statements import table

_DOCUMENT = table(DocumentRow)
MOST_SCANNED = 1_000
"""Most documents of one scan."""


class StoreShelf:
    """The shelf of one desk (`syncd.sdk.desk.Shelf`)."""

    def __init__(self, store: Store, desk: str) -> None:
        self._store = store
        self._desk = desk

    async def get(self, key: str) -> tuple[bytes, int] | None:
        """Return a document and its version, or None."""
        return await self._store.read(lambda conn: _get(conn, self._desk, key))

    async def put(self, key: str, body: bytes, *, version: int) -> bool:
        """Store a document over this version (0: there is none yet); False where it is another by now."""
        return await self._store.write(lambda conn: _put(conn, self._desk, key, body, version))

    async def delete(self, key: str, *, version: int) -> bool:
        """Delete a document of this version; False where it is another by now."""
        return await self._store.write(lambda conn: _delete(conn, self._desk, key, version))

    async def scan(self, prefix: str, *, after: str = "", limit: int = 100) -> list[tuple[str, bytes, int]]:
        """Return documents in the order of their keys, beginning after `after`."""
        most = min(limit, MOST_SCANNED)
        return await self._store.read(lambda conn: _scan(conn, self._desk, prefix, after, most))


def _get(conn: Connection, desk: str, key: str) -> tuple[bytes, int] | None:
    d = _DOCUMENT.c
    row = conn.execute(select(d.body, d.version).where(d.desk == desk, d.key == key)).one_or_none()
    return None if row is None else (bytes(row.body), row.version)


def _put(conn: Connection, desk: str, key: str, body: bytes, version: int) -> bool:
    d = _DOCUMENT.c
    if version:
        mine = (d.desk == desk, d.key == key, d.version == version)
        return conn.execute(update(_DOCUMENT).where(*mine).values(body=body, version=version + 1)).rowcount == 1
    try:
        with conn.begin_nested():
            conn.execute(insert(_DOCUMENT).values(desk=desk, key=key, body=body, version=1))
    except IntegrityError:
        return False
    return True


def _delete(conn: Connection, desk: str, key: str, version: int) -> bool:
    d = _DOCUMENT.c
    conn.execute(delete(_DOCUMENT).where(d.desk == desk, d.key == key, d.version == version))
    return _get(conn, desk, key) is None


def _scan(conn: Connection, desk: str, prefix: str, after: str, limit: int) -> list[tuple[str, bytes, int]]:
    d = _DOCUMENT.c
    # By code points on both databases, whatever the language of a PostgreSQL server.
    key = d.key if conn.dialect.name == "sqlite" else d.key.collate("C")
    query = select(d.key, d.body, d.version).where(d.desk == desk, key > after, key >= prefix)
    if prefix:
        query = query.where(key < prefix[:-1] + chr(ord(prefix[-1]) + 1))
    rows = conn.execute(query.order_by(key).limit(limit))
    return [(row.key, bytes(row.body), row.version) for row in rows]
