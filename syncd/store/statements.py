"""Statements that SQLite and PostgreSQL both understand, made once."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from itertools import islice
from operator import itemgetter
from typing import Any, TypeVar

import msgspec
from sqlalchemy import ColumnElement, Connection, Executable, Table, bindparam, insert, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import psycopg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.dml import Insert, Update
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import NullType
from sqlmodel import SQLModel

T = TypeVar("T")
CHUNK = 500
"""Most values in one IN list."""


def table(row: type[SQLModel]) -> Table:
    """Return the table of a row class."""
    return row.__table__  # type: ignore[attr-defined,no-any-return]  # SQLModel adds it to table classes at run time


@cache
def inserting(row: type[SQLModel], dialect: str, keys: tuple[str, ...], changes: tuple[str, ...]) -> Insert:
    """Return INSERT that on a conflict in `keys` sets `changes` from the new row; nothing is set when empty."""
    maker = sqlite.insert if dialect == "sqlite" else postgresql.insert
    statement: Any = maker(table(row))
    if not changes:
        return statement.on_conflict_do_nothing(index_elements=list(keys))  # type: ignore[no-any-return]
    new = {name: statement.excluded[name] for name in changes}
    return statement.on_conflict_do_update(index_elements=list(keys), set_=new)  # type: ignore[no-any-return]


class Among(FunctionElement[Any]):
    """A column is one of the values of a parameter: one text of SQL however many values there are.

    The parameter is bound by `listed`. SQLite reads a JSON array, PostgreSQL an array of its own.
    """

    inherit_cache = True
    type = NullType()
    name = "among"

    def __init__(self, column: ColumnElement[Any], name: str) -> None:
        super().__init__(column, bindparam(name))


@compiles(Among, "sqlite")
def _among_sqlite(element: Among, compiler: Any, **kw: Any) -> str:
    column, values = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({values}))"  # noqa: S608  (the compiler's own texts)


@compiles(Among, "postgresql")
def _among_postgresql(element: Among, compiler: Any, **kw: Any) -> str:
    column, values = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"{column} = ANY({values})"


def listed(conn: Connection, values: Collection[Any]) -> Any:
    """Return values as the parameter of an `Among`."""
    return msgspec.json.encode(list(values)).decode() if conn.dialect.name == "sqlite" else list(values)


def run_many(
    conn: Connection, statement: Executable, columns: tuple[str, ...], rows: Sequence[Mapping[str, Any]]
) -> None:
    """Run a statement for many rows by the driver alone: values go as they are, without SQLAlchemy's work per row.

    `columns` are the columns that an INSERT is given; the others take the default of their table.
    """
    text, order, defaults = _text_of(statement, columns, conn.dialect.name)
    full = [{**defaults, **row} for row in rows] if defaults else rows
    if order is None:
        conn.exec_driver_sql(text, list(full))
    elif len(order) > 1:
        _write(conn, text, list(map(itemgetter(*order), full)), many=True)
    else:
        _write(conn, text, [(row[order[0]],) for row in full], many=True)


@cache
def _text_of(
    statement: Executable, columns: tuple[str, ...], dialect: str
) -> tuple[str, tuple[str, ...] | None, dict[str, Any]]:
    """Return the SQL, the names of its parameters in order (None: by name), and the defaults of those not given."""
    target = sqlite.dialect() if dialect == "sqlite" else psycopg.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy's own
    compiled: Any = statement.compile(dialect=target, column_keys=list(columns))  # type: ignore[attr-defined]  # statements of this house compile
    defaults = {name: value for name, value in compiled.params.items() if value is not None}
    if isinstance(statement, Insert):
        defaults |= _defaults(statement.table, columns)
    order = None if compiled.positiontup is None else tuple(compiled.positiontup)
    return str(compiled), order, defaults


def _defaults(target: Any, given: Collection[str]) -> dict[str, Any]:
    return {c.name: c.default.arg for c in target.c if c.name not in given and c.default is not None}


def upsert(conn: Connection, row: type[SQLModel], *, keys: Sequence[str], values: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows, or set all their other columns where the key is there. Every mapping has the same names."""
    if values:
        columns = tuple(values[0])
        changes = tuple(name for name in columns if name not in keys)
        run_many(conn, inserting(row, conn.dialect.name, tuple(keys), changes), columns, values)


def insert_new(
    conn: Connection, row: type[SQLModel], *, keys: Sequence[str], values: Sequence[Mapping[str, Any]]
) -> None:
    """Insert rows; one whose key is there already changes nothing."""
    if values:
        run_many(conn, inserting(row, conn.dialect.name, tuple(keys), ()), tuple(values[0]), values)


def append(conn: Connection, row: type[SQLModel], values: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows; every mapping has the same names, and all columns without a default of the database."""
    if values:
        run_many(conn, _plain_insert(row), tuple(values[0]), values)


def insert_one(conn: Connection, row: type[SQLModel], values: Mapping[str, Any]) -> int | None:
    """Insert one row by the driver alone; return the id that it was given, None where a key of it is there already."""
    text, order, defaults = _text_of(_insert_or_not(row, conn.dialect.name), tuple(values), conn.dialect.name)
    full = {**defaults, **values}
    given: Any = full if order is None else tuple([full[name] for name in order])
    found = _write(conn, text, given).fetchall()
    return int(found[0][0]) if found else None


@cache
def _insert_or_not(row: type[SQLModel], dialect: str) -> Insert:
    maker = sqlite.insert if dialect == "sqlite" else postgresql.insert
    statement: Any = maker(table(row))
    return statement.on_conflict_do_nothing().returning(table(row).c.id)  # type: ignore[no-any-return]


def fetch_all(conn: Connection, statement: Executable, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Return the rows of a query by the driver alone: plain tuples, values as the driver gives them.

    SQLite has no booleans of its own: they come as 0 and 1.
    """
    text, order, defaults = _text_of(statement, (), conn.dialect.name)
    full = {**defaults, **values} if defaults else values
    return _rows(conn, text, full if order is None else tuple([full[name] for name in order]))


def _rows(conn: Connection, text: str, given: Any) -> list[tuple[Any, ...]]:
    """Run a query; on SQLite past SQLAlchemy, whose description of a result costs more than most results.

    `syncd.store.driver.failure` understands what SQLite's driver raises.
    """
    if conn.dialect.name == "sqlite" and conn.in_transaction():
        driver: Any = conn.connection.dbapi_connection
        return driver.execute(text, given).fetchall()  # type: ignore[no-any-return]
    found: Any = conn.exec_driver_sql(text, given).cursor
    return found.fetchall()  # type: ignore[no-any-return]


def _write(conn: Connection, text: str, given: Any, *, many: bool = False) -> Any:
    """Run a statement, or one for `many` rows; return the driver's cursor. On SQLite past SQLAlchemy, as `_rows`.

    Raises what SQLAlchemy raises: callers tell a constraint from other errors by it.
    """
    if conn.dialect.name != "sqlite" or not conn.in_transaction():
        return conn.exec_driver_sql(text, given).cursor
    driver: Any = conn.connection.dbapi_connection
    try:
        return driver.executemany(text, given) if many else driver.execute(text, given)
    except sqlite3.Error as error:
        raise DBAPIError.instance(text, None, error, sqlite3.Error, hide_parameters=True) from None


@contextmanager
def savepoint(conn: Connection) -> Iterator[None]:
    """Take back what was written inside where it raises, and nothing else of the transaction."""
    _write(conn, "SAVEPOINT inside", ())
    try:
        yield
    except BaseException:
        with suppress(DBAPIError):  # the whole transaction is gone already: what was raised says why
            _write(conn, "ROLLBACK TO SAVEPOINT inside", ())
            _write(conn, "RELEASE SAVEPOINT inside", ())
        raise
    _write(conn, "RELEASE SAVEPOINT inside", ())


def new_id(conn: Connection, row: type[SQLModel], values: Mapping[str, Any]) -> int:
    """Insert one row; return the id that it was given."""
    key: Any = conn.execute(_plain_insert(row), dict(values)).inserted_primary_key
    return int(key[0])


@cache
def _plain_insert(row: type[SQLModel]) -> Insert:
    return insert(table(row))


def change(conn: Connection, row: type[SQLModel], key: str, values: Sequence[Mapping[str, Any]]) -> None:
    """Update rows by one key column, bound as `k`; every mapping has the same names, a column's with a `v_` before."""
    if values:
        columns = tuple(name.removeprefix("v_") for name in values[0] if name != "k")
        run_many(conn, updating(row, key, columns), (), values)


def change_rows(conn: Connection, row: type[SQLModel], names: tuple[str, ...], rows: Sequence[tuple[Any, ...]]) -> None:
    """Update many rows by the column that is the last of `names`; a row has its values in the order of `names`."""
    if not rows:
        return
    *columns, key = names
    text, order, _ = _text_of(updating(row, key, tuple(columns)), (), conn.dialect.name)
    given = (*[f"v_{name}" for name in columns], "k")
    if order is None:
        conn.exec_driver_sql(text, [dict(zip(given, values, strict=True)) for values in rows])
    else:
        _write(conn, text, rows if order == given else list(map(itemgetter(*map(given.index, order)), rows)), many=True)


@cache
def updating(row: type[SQLModel], key: str, columns: tuple[str, ...]) -> Update:
    """Return UPDATE by one key column; the key is bound as `k`, each column by its name with a `v_` before it."""
    source = table(row)
    return update(source).where(source.c[key] == bindparam("k")).values({c: bindparam(f"v_{c}") for c in columns})


def chunks(values: Iterable[T], size: int = CHUNK) -> Iterator[list[T]]:
    """Cut into lists of at most `size`."""
    rest = iter(values)
    while piece := list(islice(rest, size)):
        yield piece
