"""Find the settings file, read it with environment and secrets, and answer frozen settings or every problem."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeVar

from syncd.core.terms import AccountId
from syncd.core.tickets import DeskId
from syncd.sdk.channel import Adapter
from syncd.sdk.desk import DeskAdapter
from syncd.sdk.errors import ConfigError, Problem
from syncd.settings import checks
from syncd.settings.adapters import Installed, InstalledDesks
from syncd.settings.credentials import Credentials
from syncd.settings.policies import Brake, PolicyDefaults, SeasonSettings
from syncd.settings.reading import Reader, Table
from syncd.settings.report import Report, closest
from syncd.settings.shape import (
    Alerts,
    ChannelSettings,
    Daemon,
    Http,
    Incidents,
    Letters,
    Mqtt,
    Pages,
    Retention,
    Settings,
    ShipDateSettings,
    TimeRules,
)
from syncd.settings.shape_public import OrderPageSettings, WebhookSettings
from syncd.settings.shape_waiting import DeskSettings, Escalation, Waitlist

RUN_SECRETS: Final = Path("/run/secrets")

SYSTEM_FILE: Final = Path("/etc/syncd/syncd.toml")

SECTIONS: Final[Mapping[str, type[Any]]] = {
    "daemon": Daemon,
    "http": Http,
    "pages": Pages,
    "mqtt": Mqtt,
    "alerts": Alerts,
    "letters": Letters,
    "timerules": TimeRules,
    "incidents": Incidents,
    "orderpage": OrderPageSettings,
    "policy": PolicyDefaults,
    "brake": Brake,
    "retention": Retention,
    "waitlist": Waitlist,
    "escalation": Escalation,
}

Named = TypeVar("Named", ChannelSettings, DeskSettings)

TITLES: Final = frozenset(SECTIONS) | {"channels", "desks", "seasons", "webhooks"}


def locate(environ: Mapping[str, str]) -> Path | None:
    """Return the settings file to use where none is named, None where there is none.

    The order: $SYNCD_CONFIG (taken as it is), then the first that exists of $CONFIGURATION_DIRECTORY/syncd.toml,
    $XDG_CONFIG_HOME/syncd/syncd.toml (~/.config) and /etc/syncd/syncd.toml.
    """
    if named := environ.get("SYNCD_CONFIG"):
        return Path(named)
    home = environ.get("XDG_CONFIG_HOME") or str(Path(environ.get("HOME", "/")) / ".config")
    folders = [environ.get("CONFIGURATION_DIRECTORY", ""), f"{home}/syncd"]
    candidates = [Path(folder) / SYSTEM_FILE.name for folder in folders if folder]
    return next((path for path in (*candidates, SYSTEM_FILE) if path.is_file()), None)


def load(
    path: Path | None,
    *,
    environ: Mapping[str, str],
    adapters: Mapping[str, Adapter] | None = None,
    desks: Mapping[str, DeskAdapter] | None = None,
    run_secrets: Path = RUN_SECRETS,
) -> Settings:
    """Return all settings; without a file the defaults, with no channels.

    `adapters` and `desks` stand in for the installed ones. Raises `ConfigError` with every problem that there is,
    followed by the warnings, which may tell why.
    """
    document = _open(path, environ=environ, run_secrets=run_secrets)
    report = document.report
    sections = {name: document.section(name) for name in SECTIONS}
    channels = document.channels(Installed() if adapters is None else adapters)
    found = document.desks(InstalledDesks() if desks is None else desks)
    seasons = document.seasons()
    webhooks = document.webhooks()
    checks.check_webhooks(webhooks, report)
    document.note_unknown()
    _check(sections, channels, report)
    checks.check_seasons(seasons, sections["policy"], channels, report)
    checks.check_desks(found, channels, sections["waitlist"], report)
    if report.problems:
        raise ConfigError([*report.problems, *report.warnings])
    made = {**sections, "channels": channels, "desks": found, "seasons": seasons, "webhooks": webhooks}
    return Settings(**made, path=path, warnings=tuple(report.warnings), kept=tuple(document.reader.kept))


def load_daemon(path: Path | None, *, environ: Mapping[str, str]) -> Daemon:
    """Return `[daemon]` alone, for a command that only talks to the daemon: the rest may be wrong or unreadable.

    Raises `ConfigError` with the problems of that table.
    """
    document = _open(path, environ=environ, run_secrets=RUN_SECRETS)
    daemon: Daemon | None = document.section("daemon")
    if daemon is not None:
        checks.check_daemon(daemon, document.report)
    if daemon is None or document.report.problems:
        raise ConfigError(document.report.problems)
    return daemon


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """The settings file, parsed but not yet understood."""

    tables: Mapping[str, Any]
    reader: Reader

    @property
    def report(self) -> Report:
        """Return what was wrong so far."""
        return self.reader.report

    def section(self, name: str) -> Any:
        """Return one of SECTIONS as its dataclass, None where it is wrong."""
        given = self._table(self.tables, name, title=name)
        if name == "daemon":
            given = {**default_paths(self.reader.environ), **given}
        found = self.reader.read(SECTIONS[name], Table(title=name, given=given, secrets=name))
        return replace(found, socket=found.socket_path) if isinstance(found, Daemon) else found

    def channels(self, adapters: Mapping[str, Adapter]) -> dict[str, ChannelSettings]:
        """Return the channels that are right, in the order of the file."""
        given = self._table(self.tables, "channels", title="channels")
        checks.check_channel_names(list(given), frozenset(SECTIONS), self.report)
        tables = {name: self._table(given, name, title=f"channels.{name}") for name in given}
        found = [self._channel(name, tables[name], adapters) for name in given if tables[name] is given[name]]
        return {channel.name: channel for channel in found if channel is not None}

    def desks(self, adapters: Mapping[str, DeskAdapter]) -> dict[str, DeskSettings]:
        """Return the desks that are right, in the order of the file."""
        given = self._table(self.tables, "desks", title="desks")
        checks.check_channel_names(list(given), frozenset(SECTIONS), self.report, what="desk")
        tables = {name: self._table(given, name, title=f"desks.{name}") for name in given}
        found = [self._desk(name, tables[name], adapters) for name in given if tables[name] is given[name]]
        return {desk.name: desk for desk in found if desk is not None}

    def _desk(self, name: str, given: Mapping[str, Any], adapters: Mapping[str, DeskAdapter]) -> DeskSettings | None:
        title = f"desks.{name}"
        own = Table(title=title, given={"adapter": name, **given}, secrets=name, extra=frozenset({"settings"}))
        theirs = Table(
            title=f"{title}.settings", given=self._table(given, "settings", title=f"{title}.settings"), secrets=name
        )
        desk = self.reader.read(DeskSettings, own, name=DeskId(name), settings=None)
        if desk is None or not desk.enabled:
            self._skip(theirs)
            return desk
        return self._with_adapter(desk, theirs, adapters, title=title)

    def seasons(self) -> dict[str, SeasonSettings]:
        """Return the seasons that are right, in the order of the file."""
        given = self._table(self.tables, "seasons", title="seasons")
        found = {}
        for name in given:
            title = f"seasons.{name}"
            table = Table(title=title, given=self._table(given, name, title=title), secrets=name)
            season = self.reader.read(SeasonSettings, table)
            if season is not None:
                found[name] = season
        return found

    def webhooks(self) -> dict[str, WebhookSettings]:
        """Return the endpoints for events that are right, in the order of the file."""
        tables = self._table(self.tables, "webhooks", title="webhooks")
        found = {}
        for name in tables:
            title = f"webhooks.{name}"
            table = Table(title=title, given=self._table(tables, name, title=title), secrets=f"webhook_{name}")
            made = self.reader.read(WebhookSettings, table, name=name)
            if made is not None:
                found[name] = made
        return found

    def note_unknown(self) -> None:
        """Note tables and environment variables that nothing reads."""
        for title in sorted(set(self.tables) - TITLES):
            self.report.problem(self.report.place(title), "unknown table", closest(title, TITLES))
        for name in sorted(self.reader.environ):
            if name.startswith("SYNCD_") and "__" in name and name not in self.reader.meanings:
                self.report.problem(name, "overrides no setting", closest(name, self.reader.meanings))

    def _channel(self, name: str, given: Mapping[str, Any], adapters: Mapping[str, Adapter]) -> ChannelSettings | None:
        own = Table(
            title=f"channels.{name}",
            given={"adapter": name, **given},
            secrets=name,
            extra=frozenset({"settings", "ship_dates"}),
        )
        title = f"{own.title}.ship_dates"
        dates = Table(title=title, given=self._table(given, "ship_dates", title=title), secrets=name)
        ship_dates = self.reader.read(ShipDateSettings, dates)
        theirs = Table(
            title=f"{own.title}.settings",
            given=self._table(given, "settings", title=f"{own.title}.settings"),
            secrets=name,
        )
        channel = self.reader.read(
            ChannelSettings, own, name=AccountId(name), settings=None, ship_dates=ship_dates or ShipDateSettings()
        )
        if channel is None or not channel.enabled:
            self._skip(theirs)
            return channel
        return self._with_adapter(channel, theirs, adapters, title=own.title)

    def _with_adapter(self, named: Named, table: Table, adapters: Mapping[str, Any], *, title: str) -> Named | None:
        adapter = self._adapter(named.adapter, adapters, title=title)
        if adapter is None:
            self._skip(table)
            return None
        settings = self.reader.read(adapter.settings, table)
        if settings is None:
            return None
        for problem in own_problems(settings):
            place = self.report.place(table.title, problem.place.removeprefix("settings."))
            self.report.problem(place, problem.message, problem.remedy)
        return replace(named, settings=settings)

    def _adapter(self, name: str, adapters: Mapping[str, Any], *, title: str) -> Any:
        place = self.report.place(title, "adapter")
        if name not in adapters:
            self.report.problem(place, f"no adapter is called {name!r}", closest(name, adapters))
            return None
        try:
            return adapters[name]
        except (ImportError, AttributeError, TypeError) as error:
            self.report.problem(place, f"the adapter cannot be loaded: {error}", "install it again")
            return None

    def _skip(self, table: Table) -> None:
        # A table that is not read has no known keys, so overrides of it are neither used nor strange.
        prefix = table.env("")
        self.reader.meanings.update(name for name in self.reader.environ if name.startswith(prefix))

    def _table(self, parent: Mapping[str, Any], key: str, *, title: str) -> Mapping[str, Any]:
        given = parent.get(key, {})
        if isinstance(given, dict):
            return given
        self.report.problem(self.report.place(title), "expected a table", f"write [{title}] and its keys below it")
        return {}


def default_paths(environ: Mapping[str, str]) -> dict[str, str]:
    """Return where data and socket go when nobody says so; systemd may name several directories, the first is ours."""
    home = environ.get("XDG_STATE_HOME") or str(Path(environ.get("HOME", "/")) / ".local/state")
    state = environ.get("STATE_DIRECTORY", "").partition(":")[0]
    paths = {"data_dir": state or f"{home}/syncd"}
    if runtime := environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]:
        paths["socket"] = f"{runtime}/syncd.sock"
    return paths


def own_problems(settings: Any) -> list[Problem]:
    """Return what an adapter's settings say of themselves by a method `problems`, which is optional."""
    ask = getattr(settings, "problems", None)
    found = ask() if callable(ask) else ()
    return [item if isinstance(item, Problem) else Problem(place="", message=str(item)) for item in found]


def _open(path: Path | None, *, environ: Mapping[str, str], run_secrets: Path) -> Document:
    report = Report(file="settings" if path is None else str(path))
    tables = {} if path is None else _parse(path, report)
    credentials = Credentials(
        environ=environ,
        run_secrets=run_secrets,
        folder=Path.cwd() if path is None else path.absolute().parent,
        path=path,
        report=report,
    )
    return Document(tables=tables, reader=Reader(environ=environ, credentials=credentials, report=report))


def _parse(path: Path, report: Report) -> dict[str, Any]:
    """Return the file's tables; a file that cannot be read is the only problem there is, so it is raised at once."""
    try:
        return tomllib.loads(path.read_bytes().decode())
    except OSError as error:
        message, remedy = f"cannot be read: {error.strerror}", "check the path and its rights"
    except UnicodeDecodeError as error:
        message, remedy = f"is not UTF-8 text (byte {error.start})", "save it as UTF-8"
    except tomllib.TOMLDecodeError as error:
        message, remedy = f"is not TOML: {error}", "texts stand in quotes; see config/syncd.example.toml"
    report.problem(str(path), message, remedy)
    raise ConfigError(report.problems)


def _check(sections: Mapping[str, Any], channels: Mapping[str, ChannelSettings], report: Report) -> None:
    checks.check_channels(channels, report)
    for name, check in SECTION_CHECKS.items():
        if sections[name] is not None:
            check(sections[name], report)


SECTION_CHECKS: Final[Mapping[str, Callable[[Any, Report], None]]] = {
    "daemon": checks.check_daemon,
    "http": checks.check_http,
    "pages": checks.check_pages,
    "mqtt": checks.check_mqtt,
    "alerts": checks.check_alerts,
    "orderpage": checks.check_order_page,
    "letters": checks.check_letters,
    "timerules": checks.check_time_rules,
}
