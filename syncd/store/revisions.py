"""Which schema a store has, and which this version of syncd knows."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from syncd.sdk.errors import ConfigError, Problem

_MIGRATIONS = Path(__file__).parent / "migrations"


def configuration() -> Config:
    """Return alembic's settings; there is no alembic.ini, a store is migrated by `syncd` alone."""
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


@cache
def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(configuration())


def head() -> str:
    """Return the newest revision that this version of syncd knows."""
    revision = _scripts().get_current_head()
    if revision is None:
        raise AssertionError("there is at least one migration")
    return revision


def current(connection: Connection) -> str | None:
    """Return the revision of a store, None where it was never migrated."""
    return MigrationContext.configure(connection).get_current_revision()


def refuse_newer(connection: Connection, *, place: str) -> str | None:
    """Return the revision of a store; raises ConfigError where this version of syncd does not know it."""
    revision = current(connection)
    known = {script.revision for script in _scripts().walk_revisions()}
    if revision is None or revision in known:
        return revision
    message = f"its schema is {revision}, this version of syncd knows up to {head()}"
    remedy = "install the version of syncd that wrote it, or restore a backup made before the upgrade"
    raise ConfigError([Problem(place=place, message=message, remedy=remedy)])
