"""Rows for tests, given as row objects: what a test does not speak of has the default of its class."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, insert
from sqlmodel import SQLModel

from syncd.store.statements import table


def plant(conn: Connection, *rows: SQLModel) -> None:
    """Insert rows one by one."""
    for row in rows:
        conn.execute(insert(table(type(row))), values(row))


def values(row: SQLModel) -> dict[str, Any]:
    """Return the columns of a row; an id that is not set is left to the database."""
    names = [column.name for column in table(type(row)).columns]
    found = {name: getattr(row, name) for name in names}
    return {name: value for name, value in found.items() if not (name == "id" and value is None)}
