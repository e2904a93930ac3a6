"""`syncd skus`: what the shop has."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from syncd import tables
from syncd.cli.frame import FAILED, USAGE, Config, Failure, Force, Json, Terminal, guarded, open_terminal
from syncd.cli.talk import Talk
from syncd.cli.upload import FileIn, SkipBad, Upload, send, tell
from syncd.tables import Column

skus = typer.Typer(help="SKUs and kits: import and export.", no_args_is_help=True)

FileOut = Annotated[
    Path | None, typer.Argument(help="File to write; .tsv for tabs. Left out: standard output.", show_default=False)
]
Encoding = Annotated[str, typer.Option("--encoding", help="utf-8, utf-8-sig (for Excel) or cp932 (Shift_JIS).")]


@skus.command(name="import")
@guarded
def import_skus(
    *, file: FileIn, skip_bad: SkipBad = False, force: Force = False, config: Config = None, json: Json = False
) -> None:
    """Make SKUs and kits known: sku,[title],[components]; components as "A:2; B:1"."""
    terminal = open_terminal(config, json=json)
    upload = Upload(
        file=file, columns=tables.SKUS, path=("skus",), body={"force": force}, skip_bad=skip_bad, make=_sku_row
    )
    answer = send(terminal, upload)
    tell(terminal, answer, "skus.taken", count=answer["taken"])


def _sku_row(values: Mapping[str, Any]) -> dict[str, Any]:
    parts = [{"sku": code, "quantity": units} for code, units in values.get("components", ())]
    return {**values, "components": parts} if parts else dict(values)


@skus.command(name="export")
@guarded
def export_skus(
    *,
    file: FileOut = None,
    encoding: Encoding = "utf-8",
    text: Annotated[str, typer.Option("--text", help="Only SKUs with this in code or title.")] = "",
    config: Config = None,
    json: Json = False,
) -> None:
    """Write all SKUs: sku,title,components."""
    terminal = open_terminal(config, json=json)
    rows = list(Talk(terminal).pages("skus", text=text))
    export(terminal, rows, tables.SKUS, file=file, encoding=encoding)


def export(
    terminal: Terminal,
    rows: Sequence[Mapping[str, Any]],
    columns: Sequence[Column],
    *,
    file: Path | None,
    encoding: str,
) -> None:
    """Write rows to a file or to standard output; as JSON without a file where that was asked for."""
    if encoding not in tables.ENCODINGS:
        raise Failure(USAGE, terminal.say("export.encoding", known=", ".join(tables.ENCODINGS)))
    if terminal.json and file is None:
        terminal.show(rows, lambda _: ())
        return
    separator = "\t" if file is not None and file.suffix.lower() == ".tsv" else ","
    try:
        raw = tables.write(rows, columns, encoding=encoding, separator=separator)
    except tables.Wrong as wrong:
        raise Failure(FAILED, terminal.say(f"csv.{wrong.key}", **wrong.values)) from None
    if file is None:
        sys.stdout.buffer.write(raw)
        return
    file.write_bytes(raw)
    told = {"file": str(file), "rows": len(rows)}
    terminal.show(told, lambda _: [terminal.say("export.done", count=len(rows), file=file)])
