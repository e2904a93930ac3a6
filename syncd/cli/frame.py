"""What all commands share: their options, how they speak, and what ends them with which exit code."""

from __future__ import annotations

import functools
import os
import sys
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn, ParamSpec, TypeAlias, TypeVar

import msgspec
import typer
from rich.console import Console, RenderableType

from syncd import log, messages
from syncd.messages import Language
from syncd.sdk.errors import ConfigError, Problem, SyncdError
from syncd.settings import Daemon, Settings, load, load_daemon, locate

P = ParamSpec("P")
R = TypeVar("R")

OK: Final = 0
FAILED: Final = 1
USAGE: Final = 64
UNAVAILABLE: Final = 69
BUG: Final = 70
OWNED: Final = 75
CONFIG: Final = 78
INTERRUPTED: Final = 130

PIPE_COLUMNS: Final = 200
"""Width of tables that go into a pipe or a file."""

Config: TypeAlias = Annotated[
    Path | None,
    typer.Option("--config", "-c", envvar="SYNCD_CONFIG", help="Settings file; where it is looked for: see README."),
]
Json: TypeAlias = Annotated[bool, typer.Option("--json", help="Print one JSON value and nothing else.")]
Yes: TypeAlias = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Force: TypeAlias = Annotated[bool, typer.Option("--force", help="Pass the brake.")]
Reason: TypeAlias = Annotated[str, typer.Option("--reason", help="Why; it is kept in the ledger.")]
Limit: TypeAlias = Annotated[int, typer.Option("--limit", min=1, max=1_000_000, help="Most rows.")]
Place: TypeAlias = Annotated[str, typer.Option("--location", help="Location; left out: the shop's first.")]


class Failure(Exception):  # noqa: N818  (an end, not a fault of ours)
    """A command ends with this code; `message` says why and `problems` name everything that is wrong."""

    def __init__(self, code: int, message: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminal:
    """Where a command speaks. With `json` its standard output is one JSON value; questions and notes go elsewhere."""

    json: bool
    language: Language
    config: Path | None

    def say(self, key: str, **values: object) -> str:
        """Return a text in the person's language."""
        return messages.text(key, self.language, **values)

    def show(self, value: Any, render: Callable[[Any], Iterable[RenderableType]]) -> None:
        """Print a value: as JSON, or as `render` makes it for people."""
        if self.json:
            typer.echo(msgspec.json.encode(value).decode())
            return
        console = _console(sys.stdout)
        for part in render(value):
            console.print(part)

    def note(self, key: str, **values: object) -> None:
        """Tell a person something beside the result."""
        typer.echo(self.say(key, **values), err=True)

    def ask(self, question: str, *, yes: bool) -> None:
        """Go on only when a person agrees; a run that nobody watches has to say `--yes`."""
        if yes:
            return
        if self.json or not sys.stdin.isatty():
            raise Failure(USAGE, self.say("ask.needs_yes", question=question))
        if not typer.confirm(question, err=True):
            raise Failure(FAILED, self.say("ask.declined"))

    def settings(self) -> Settings:
        """Return all settings; raises ConfigError."""
        return load(self.config, environ=os.environ)

    def daemon(self) -> Daemon:
        """Return `[daemon]` alone; the rest of the settings may be wrong."""
        return load_daemon(self.config, environ=os.environ)


def _console(stream: Any) -> Console:
    width = None if stream.isatty() else PIPE_COLUMNS
    return Console(file=stream, width=width, highlight=False, emoji=False, markup=False)


def open_terminal(config: Path | None, *, json: bool) -> Terminal:
    """Return the terminal of a command; the log goes to standard error, for the other is the result's."""
    log.configure(form="console", level="error")
    path = config if config is not None else locate(os.environ)
    return Terminal(json=json, language=language_of(path, os.environ), config=path)


def language_of(path: Path | None, environ: Mapping[str, str]) -> Language:
    """Return the language: what the settings say, else what the shell says, else English."""
    named = environ.get("SYNCD_DAEMON__LANGUAGE") or _named_in(path)
    if named in messages.LANGUAGES:
        return named
    shell = environ.get("LC_ALL") or environ.get("LC_MESSAGES") or environ.get("LANG") or ""
    return "ja" if shell.lower().startswith("ja") else "en"


def _named_in(path: Path | None) -> str:
    """Return the language of a settings file that may be wrong or missing in any way."""
    try:
        daemon = tomllib.loads(path.read_text(encoding="utf-8"))["daemon"] if path is not None else {}
        return str(daemon.get("language", ""))
    except (OSError, ValueError, KeyError, AttributeError):
        return ""


# --- ends -----------------------------------------------------------------------------------------------------------


def guarded(command: Callable[P, R]) -> Callable[P, R]:
    """Wrap a command: whatever ends it is told in words, or as JSON where that was asked for, with its exit code."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        json = bool(kwargs.get("json"))
        try:
            return command(*args, **kwargs)
        except Failure as failure:
            end(failure, json=json)
        except ConfigError as error:
            end(
                Failure(
                    CONFIG, f"{len(error.problems)} problem{'s' if len(error.problems) > 1 else ''}", error.problems
                ),
                json=json,
            )
        except SyncdError as error:
            end(Failure(OWNED if hasattr(error, "owner") else FAILED, str(error)), json=json)
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None

    return run


def end(failure: Failure, *, json: bool) -> NoReturn:
    """Tell how a command ended, and end it."""
    if json:
        told = {"error": {"message": failure.message, "problems": failure.problems}}
        typer.echo(msgspec.json.encode(told).decode())
    elif failure.problems:
        for problem in failure.problems:
            typer.echo(str(problem), err=True)
        typer.echo(failure.message, err=True)
    else:
        typer.echo(failure.message, err=True)
    raise typer.Exit(failure.code)
