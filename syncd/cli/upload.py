"""Send a file of rows to the daemon: wrong lines are told by number; all rows are taken, the good ones, or none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, TypeAlias

import typer
from rich.console import RenderableType

from syncd import tables
from syncd.cli.frame import FAILED, Failure, Terminal
from syncd.cli.talk import Talk
from syncd.sdk.errors import Problem
from syncd.tables import Column, Row

SkipBad: TypeAlias = Annotated[
    bool,
    typer.Option("--skip-bad/--all-or-nothing", help="Take the good rows of a file with bad ones; or none of them."),
]
FileIn: TypeAlias = Annotated[Path, typer.Argument(help="CSV or TSV; UTF-8 or Shift_JIS.", exists=True, dir_okay=False)]
FileOption: TypeAlias = Annotated[
    Path | None,
    typer.Option("--file", "-f", help="CSV or TSV instead; UTF-8 or Shift_JIS.", exists=True, dir_okay=False),
]
_ROW: Final = "row "
MOST_TRIES: Final = 20
"""The daemon names a thousand wrong rows at once; a file with more than so many thousands is not worth its rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """What is sent: the file, its columns, where to, what goes beside the rows, and what a row becomes."""

    file: Path
    columns: Sequence[Column]
    path: tuple[str, ...]
    body: Mapping[str, Any]
    skip_bad: bool
    make: Callable[[Mapping[str, Any]], Mapping[str, Any]] = dict


def rows_of(terminal: Terminal, file: Path, columns: Sequence[Column], *, skip_bad: bool) -> tables.Table:
    """Read a file; raises Failure where rows are wrong and none may be left out, or where none is right."""
    table = tables.read(file.read_bytes(), columns, file=file.name, say=terminal.say)
    if table.problems and not (skip_bad and table.rows):
        raise Failure(FAILED, terminal.say("upload.none", count=len(table.problems)), table.problems)
    if not table.rows:
        raise Failure(FAILED, terminal.say("upload.empty", file=file.name))
    return table


def send(terminal: Terminal, upload: Upload) -> dict[str, Any]:
    """Send a file; return the daemon's answer with `taken`, `skipped` and the problems of what was skipped."""
    table = rows_of(terminal, upload.file, upload.columns, skip_bad=upload.skip_bad)
    rows, problems = list(table.rows), list(table.problems)
    talk = Talk(terminal)
    for _ in range(MOST_TRIES):
        try:
            answer = _post(talk, upload, rows)
        except Failure as failure:
            wrong = _at_lines(failure.problems, rows, upload.file.name)
            good = _without(rows, failure.problems)
            if not (upload.skip_bad and wrong and good):
                raise Failure(
                    failure.code, failure.message, [*problems, *wrong] if wrong else failure.problems
                ) from None
            rows, problems = good, [*problems, *wrong]
        else:
            skipped = len({problem.place for problem in problems})
            return {**answer, "taken": len(rows), "skipped": skipped, "problems": problems}
    raise Failure(FAILED, terminal.say("upload.none", count=len(problems)), problems)


def _post(talk: Talk, upload: Upload, rows: Sequence[Row]) -> dict[str, Any]:
    body = {**upload.body, "rows": [upload.make(row.values) for row in rows]}
    answer: dict[str, Any] = talk.post(*upload.path, body=body)
    return answer


def _number(problem: Problem) -> int | None:
    return int(problem.place.removeprefix(_ROW)) if problem.place.startswith(_ROW) else None


def _at_lines(problems: Iterable[Problem], rows: Sequence[Row], file: str) -> list[Problem]:
    """Return the daemon's problems with the lines of the file as their places."""
    found = []
    for problem in problems:
        number = _number(problem)
        if number is not None:
            place = f"{file}:{rows[number - 1].line}"
            found.append(Problem(place=place, message=problem.message, remedy=problem.remedy))
    return found


def _without(rows: Sequence[Row], problems: Iterable[Problem]) -> list[Row]:
    wrong = {_number(problem) for problem in problems}
    return [row for number, row in enumerate(rows, 1) if number not in wrong]


def tell(terminal: Terminal, answer: Mapping[str, Any], done: str, **values: object) -> None:
    """Tell how a change went, `done` being the text of one that was applied; a held one ends the command with 1."""

    def render(_: Any) -> Iterable[RenderableType]:
        if answer.get("held"):
            yield terminal.say("change.held", reason=answer["reason"])
        elif answer.get("pending"):
            yield terminal.say("change.pending", inbox_id=answer["inbox_id"])
        else:
            yield terminal.say(done, **values)
        if answer.get("duplicate"):
            yield terminal.say("change.duplicate")

    terminal.show(answer, render)
    if not terminal.json:
        for problem in answer.get("problems", ()):
            typer.echo(str(problem), err=True)
    if answer.get("held"):
        raise typer.Exit(FAILED)
