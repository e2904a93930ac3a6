"""Columns that many tables have."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String, false, text


def instant(*, nullable: bool = False) -> Column[int]:
    """Return a column of microseconds since 1970-01-01 UTC."""
    return Column(BigInteger, nullable=nullable)


def other_id(*, nullable: bool = False) -> Column[int]:
    """Return a column for the id of a row of another table."""
    return Column(BigInteger, nullable=nullable)


def key_part() -> Column[int]:
    """Return a column of ids of other rows that belongs to the primary key."""
    return Column(BigInteger, primary_key=True, autoincrement=False)


def later_flag() -> Column[bool]:
    """Return a column of yes or no that came to a table later: no in the rows that were there."""
    return Column(Boolean, nullable=False, default=False, server_default=false())


def later_text() -> Column[str]:
    """Return a column of text that came to a table later: empty in the rows that were there."""
    return Column(String, nullable=False, default="", server_default=text("''"))


def identity() -> Column[int]:
    """Return the column of a row's own number."""
    # SQLite gives ascending 64-bit ids only to the type INTEGER; PostgreSQL needs BIGINT to hold as many.
    return Column(BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=True)


def some_index(name: str, *columns: str, where: str) -> Index:
    """Return an index of those rows only for which a condition holds."""
    return Index(name, *columns, sqlite_where=text(where), postgresql_where=text(where))
