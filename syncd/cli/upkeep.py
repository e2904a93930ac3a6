"""`syncd check`, `doctor`, `backup` and `restore`: keep the installation in health."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import RenderableType

from syncd.cli.frame import CONFIG, FAILED, Config, Failure, Json, Terminal, Yes, guarded, open_terminal
from syncd.cli.show import grid
from syncd.cli.talk import Talk
from syncd.clock import SystemClock
from syncd.sdk.errors import Problem, TransientError

if TYPE_CHECKING:
    from syncd.doctor import Finding, Patient

_FAILED: Final = "failed"
# The doctor and the database's libraries cost half a second; they are imported by the commands that need them.


@guarded
def check(*, config: Config = None, json: Json = False) -> None:
    """Check settings and credentials: opens each channel and asks for its health. All problems at once, exit 78."""
    from syncd.doctor import examine_channel  # noqa: PLC0415
    from syncd.letters import load_lexicon, load_texts  # noqa: PLC0415

    terminal = open_terminal(config, json=json)
    settings = terminal.settings()
    load_texts(settings.letters.templates, shop=settings.letters.shop)
    load_lexicon(settings.escalation.words)
    patient = _patient(terminal, offline=False)
    findings = [
        finding for channel in settings.channels.values() for finding in asyncio.run(examine_channel(patient, channel))
    ]
    problems = [
        Problem(place=finding.check, message=finding.message, remedy=finding.remedy)
        for finding in findings
        if finding.state == _FAILED
    ]
    if problems:
        raise Failure(CONFIG, terminal.say("check.wrong", count=len(problems)), problems)
    told = {"ok": True, "channels": findings, "warnings": settings.warnings}
    warnings = [str(warning) for warning in settings.warnings]
    right = terminal.say("check.right", count=len(settings.channels), path=settings.path)
    terminal.show(told, lambda _: [_findings(terminal, findings), *warnings, right])


@guarded
def doctor(
    *,
    offline: Annotated[bool, typer.Option("--offline", help="Ask nobody outside of this machine.")] = False,
    config: Config = None,
    json: Json = False,
) -> None:
    """Examine the installation, each finding with a remedy; exit 1 when something failed."""
    from syncd.doctor import examine  # noqa: PLC0415

    terminal = open_terminal(config, json=json)
    findings = examine(_patient(terminal, offline=offline))
    failed = [finding for finding in findings if finding.state == _FAILED]
    terminal.show(
        {"ok": not failed, "findings": findings},
        lambda _: [
            _findings(terminal, findings),
            terminal.say("doctor.failed" if failed else "doctor.well", count=len(failed)),
        ],
    )
    if failed:
        raise typer.Exit(FAILED)


def _patient(terminal: Terminal, *, offline: bool) -> Patient:
    from syncd.doctor import Patient  # noqa: PLC0415

    def status() -> Mapping[str, Any]:
        try:
            found: Mapping[str, Any] = Talk(terminal).get("status")
        except Failure as failure:
            raise TransientError(failure.message, sent=False) from None
        return found

    return Patient(
        config=terminal.config,
        environ=os.environ,
        say=terminal.say,
        clock=SystemClock(),
        status=status,
        offline=offline,
    )


def _findings(terminal: Terminal, findings: Sequence[Finding]) -> RenderableType:
    rows: Iterable[list[str]] = (
        [terminal.say(f"finding.{finding.state}"), finding.check, finding.message, finding.remedy]
        for finding in findings
    )
    return grid(terminal, "state check finding remedy", rows)


@guarded
def backup(
    *,
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="DIR", help="Where to; left out: backups/ in the data directory.", show_default=False),
    ] = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Write a verified copy of the store; works beside a running daemon, and keeps 7 daily and 4 weekly ones."""
    from syncd.cli.files import backup_store  # noqa: PLC0415

    terminal = open_terminal(config, json=json)
    path = backup_store(terminal.daemon(), folder)
    told = {"path": str(path), "bytes": path.stat().st_size}
    terminal.show(told, lambda _: [terminal.say("backup.done", **told)])


@guarded
def restore(
    *,
    file: Annotated[Path, typer.Argument(help="A backup.", exists=True, dir_okay=False)],
    yes: Yes = False,
    config: Config = None,
    json: Json = False,
) -> None:
    """Put a backup in the place of the store. The daemon must not run; all channels are paused after it."""
    from syncd.cli.files import restore_store  # noqa: PLC0415

    terminal = open_terminal(config, json=json)
    daemon = terminal.daemon()
    terminal.ask(terminal.say("restore.ask", file=file), yes=yes)
    before = restore_store(daemon, file)
    told = {"restored": str(file), "before": None if before is None else str(before)}
    terminal.show(told, lambda _: [terminal.say("restore.done", **told), terminal.say("restore.next")])
