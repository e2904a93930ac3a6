"""The migrations make what the tables declare, all or nothing, and never go back."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlmodel import SQLModel

from syncd.sdk.errors import ConfigError
from syncd.store import revisions, schema
from syncd.store.backup import restore
from syncd.store.driver import sqlite_path, writer_engine
from syncd.store.schema import MigrationReport, SchemaInfo, info, migrate
from tests.real_servers import Postgres

LAST = revisions.head()
FOLLOWING = f"{int(LAST) + 1:04d}"

NEXT = f"""
import sqlalchemy as sa
from alembic import op
revision = "{FOLLOWING}"
down_revision = "{LAST}"
def upgrade():
    op.add_column("sku", sa.Column("colour", sa.String(), nullable=True))
    {{then}}
"""


@pytest.fixture
def next_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give the version of syncd after this one: a file of its newest migration, to be written by the test."""
    migrations = tmp_path / "migrations"
    shutil.copytree(revisions._MIGRATIONS, migrations, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(revisions, "_MIGRATIONS", migrations)
    revisions._scripts.cache_clear()
    yield migrations / "versions" / f"{FOLLOWING}_next.py"
    revisions._scripts.cache_clear()


def execute(url: str, statement: str) -> None:
    with writer_engine(url).begin() as connection:
        connection.execute(sa.text(statement))


def columns(url: str, table: str) -> set[str]:
    with writer_engine(url).connect() as connection:
        return {column["name"] for column in sa.inspect(connection).get_columns(table)}


def differences(url: str, metadata: sa.MetaData) -> list[Any]:
    with writer_engine(url).connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        return list(compare_metadata(context, metadata))


def test_migrations_make_what_the_tables_declare(store_url: str, clock: Any) -> None:
    """A migrated store has the tables, columns, types and indexes of the row classes, no more and no less."""
    migrate(store_url, backup_dir=None, clock=clock)
    assert differences(store_url, SQLModel.metadata) == []


def test_a_drift_of_the_tables_is_seen(store_url: str, clock: Any) -> None:
    """The comparison finds a column that no migration makes."""
    migrate(store_url, backup_dir=None, clock=clock)
    before = differences(store_url, SQLModel.metadata)
    changed = sa.MetaData()
    for table in SQLModel.metadata.tables.values():
        table.to_metadata(changed)
    changed.tables["sku"].append_column(sa.Column("colour", sa.String()))
    assert len(differences(store_url, changed)) == len(before) + 1


def sqlite_schema(url: str) -> dict[str, str]:
    """Return the statement that made each table and index, with the spaces evened out."""
    with writer_engine(url).connect() as connection:
        query = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name <> 'alembic_version'"
        return {name: " ".join(sql.split()) for name, sql in connection.execute(sa.text(query))}


def postgres_schema(url: str) -> set[tuple[Any, ...]]:
    """Return all columns and index definitions."""
    columns = """SELECT table_name, column_name, ordinal_position, data_type, is_nullable, column_default
                 FROM information_schema.columns WHERE table_schema = 'public'"""
    indexes = "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"
    with writer_engine(url).connect() as connection:
        rows = [*connection.execute(sa.text(columns)), *connection.execute(sa.text(indexes))]
    return {tuple(row) for row in rows if row[0] != "alembic_version"}


def declared(url: str) -> str:
    with writer_engine(url).begin() as connection:
        SQLModel.metadata.create_all(connection)
    return url


def test_sqlite_is_the_same_to_the_letter(sqlite_url: str, tmp_path: Path, clock: Any) -> None:
    """What alembic cannot compare is equal too: conditions of indexes, tables without row ids, defaults."""
    migrate(sqlite_url, backup_dir=None, clock=clock)
    assert sqlite_schema(sqlite_url) == sqlite_schema(declared(f"sqlite:///{tmp_path}/declared.db"))


@pytest.mark.real
def test_postgres_is_the_same_to_the_letter(postgres_url: str, postgres_server: Postgres, clock: Any) -> None:
    """The same holds on PostgreSQL, with the order of columns and the conditions of indexes."""
    migrate(postgres_url, backup_dir=None, clock=clock)
    with postgres_server.database("syncd_declared") as other:
        assert postgres_schema(postgres_url) == postgres_schema(declared(other))


def test_a_new_store_is_made_without_a_backup(store_url: str, tmp_path: Path, clock: Any) -> None:
    """A new store goes to the newest revision; going there again changes nothing; neither makes a backup."""
    assert info(store_url) == SchemaInfo(current=None, head=revisions.head())
    first = migrate(store_url, backup_dir=tmp_path / "backups", clock=clock)
    again = migrate(store_url, backup_dir=tmp_path / "backups", clock=clock)
    assert first == MigrationReport(before=None, after=revisions.head(), backup=None)
    assert again == MigrationReport(before=revisions.head(), after=revisions.head(), backup=None)
    assert info(store_url) == SchemaInfo(current=revisions.head(), head=revisions.head())
    assert not (tmp_path / "backups").exists()


def test_looking_creates_nothing(sqlite_url: str) -> None:
    """Asking for the revision of a store that is not there does not make its file."""
    info(sqlite_url)
    assert not Path(sqlite_url.removeprefix("sqlite:///")).exists()


def test_a_store_with_data_is_copied_before_it_changes(
    store_url: str, tmp_path: Path, clock: Any, next_version: Path
) -> None:
    """An upgrade of a SQLite store makes a backup first, which can be restored; PostgreSQL has its own tools."""
    migrate(store_url, backup_dir=None, clock=clock)
    execute(store_url, "INSERT INTO sku (code, title) VALUES ('A', '')")
    next_version.write_text(NEXT.format(then="pass"))
    revisions._scripts.cache_clear()
    report = migrate(store_url, backup_dir=tmp_path / "backups", clock=clock)
    assert (report.before, report.after) == (LAST, FOLLOWING)
    assert "colour" in columns(store_url, "sku")
    if sqlite_path(store_url) is None:
        assert report.backup is None
        return
    assert report.backup is not None
    assert report.backup.stat().st_mode & 0o777 == 0o600
    restore(report.backup, store_url)
    assert "colour" not in columns(store_url, "sku")


def test_a_store_of_the_first_version_is_upgraded(store_url: str, clock: Any) -> None:
    """A store that the first migration made comes to the newest revision, and what it holds stays."""
    config = revisions.configuration()
    with writer_engine(store_url).begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    execute(store_url, "INSERT INTO sku (code, title) VALUES ('A', '')")
    report = migrate(store_url, backup_dir=None, clock=clock)
    assert (report.before, report.after) == ("0001", LAST)
    assert "state" in columns(store_url, "order_action")
    with writer_engine(store_url).connect() as connection:
        assert list(connection.execute(sa.text("SELECT code FROM sku")).scalars()) == ["A"]


def test_a_migration_that_fails_changes_nothing(store_url: str, clock: Any, next_version: Path) -> None:
    """All changes of a failing migration are taken back, on SQLite too."""
    migrate(store_url, backup_dir=None, clock=clock)
    next_version.write_text(NEXT.format(then='raise RuntimeError("broken")'))
    revisions._scripts.cache_clear()
    with pytest.raises(RuntimeError, match="broken"):
        migrate(store_url, backup_dir=None, clock=clock)
    assert "colour" not in columns(store_url, "sku")
    assert info(store_url).current == LAST


def test_a_newer_store_is_refused_with_the_remedy(store_url: str, clock: Any) -> None:
    """A store that a newer version wrote is left alone, and the error says what to do."""
    migrate(store_url, backup_dir=None, clock=clock)
    execute(store_url, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(ConfigError, match=r"9999.*install the version.*or restore a backup"):
        migrate(store_url, backup_dir=None, clock=clock)


def test_another_programs_database_is_refused(store_url: str, clock: Any) -> None:
    """A database that holds tables of our names, but not made by us, is left alone."""
    execute(store_url, "CREATE TABLE orders (number INTEGER)")
    with pytest.raises(ConfigError, match=r"orders.*database of its own"):
        migrate(store_url, backup_dir=None, clock=clock)


def test_there_is_one_way_and_it_leads_forward() -> None:
    """There is one head, every migration has its number, and none offers a way down."""
    scripts = list(ScriptDirectory.from_config(revisions.configuration()).walk_revisions())
    assert all(re.fullmatch(r"\d{4}", script.revision) for script in scripts)
    assert not [script.revision for script in scripts if hasattr(script.module, "downgrade")]
    assert not [name for name in vars(schema) if "downgrade" in name]
    assert max(script.revision for script in scripts) == revisions.head()
