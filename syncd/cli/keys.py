"""`syncd key issue`: have a new key made, and put it where the settings read it."""

from __future__ import annotations

import asyncio
import getpass
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Final

import typer

from syncd.cli.frame import FAILED, USAGE, Config, Failure, Json, Terminal, guarded, open_terminal
from syncd.cli.show import when
from syncd.clock import SystemClock
from syncd.sdk.channel import Adapter
from syncd.sdk.errors import TransientError
from syncd.sdk.features import IssuedKey, KeyIssue
from syncd.sdk.secret import Secret
from syncd.settings import ChannelSettings
from syncd.settings.windows import moment_of

key = typer.Typer(help="Keys of the channels that end by themselves.", no_args_is_help=True)

ISSUE_S: Final = 60.0
"""Longest wait for a new key."""


@key.command()
@guarded
def issue(
    *,
    channel: Annotated[str, typer.Argument(help="The account.")],
    user: Annotated[str, typer.Option("--user", help="Login at the channel; syncd does not keep it.")],
    out: Annotated[Path, typer.Option("--out", help="File for the key, readable by you alone.", dir_okay=False)],
    password_file: Annotated[
        Path | None,
        typer.Option("--password-file", help="File with the password; left out: it is asked.", exists=True),
    ] = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Have a new key made at a channel, and write it to a file; tells only how long it holds."""
    from syncd.settings.adapters import Installed  # noqa: PLC0415  (only this command opens a channel)

    terminal = open_terminal(config, json=json)
    settings = terminal.settings().channels.get(channel)
    if settings is None or not settings.enabled:
        raise Failure(FAILED, terminal.say("key.no_channel", channel=channel))
    password = _password(terminal, password_file, user=user, channel=channel)
    draft = _Draft(terminal, out)
    try:
        issued = asyncio.run(_issue(terminal, settings, Installed(), user=user, password=password))
        draft.keep(issued.key)
    finally:
        draft.drop()
    ends = moment_of(issued.expires_at).isoformat()
    told = {"account": channel, "file": str(out), "expires_at": ends}
    terminal.show(told, lambda _: [terminal.say("key.issued", channel=channel, file=out, ends=when(ends))])


def _password(terminal: Terminal, file: Path | None, *, user: str, channel: str) -> Secret:
    """Return the password: of a file, or as it is typed; it is never kept."""
    if file is not None:
        return Secret(file.read_text(encoding="utf-8").strip())
    if not sys.stdin.isatty():
        raise Failure(USAGE, terminal.say("key.no_terminal"))
    typed = getpass.getpass(terminal.say("key.password", user=user, channel=channel))
    if not typed:
        raise Failure(FAILED, terminal.say("ask.declined"))
    return Secret(typed)


async def _issue(
    terminal: Terminal, settings: ChannelSettings, adapters: Mapping[str, Adapter], *, user: str, password: Secret
) -> IssuedKey:
    from syncd.machine import opened  # noqa: PLC0415  (the network's libraries cost half a second)

    try:
        async with (
            asyncio.timeout(ISSUE_S),
            opened(settings, adapters=adapters, clock=SystemClock()) as found,
        ):
            if not isinstance(found, KeyIssue):
                raise Failure(FAILED, terminal.say("key.no_feature", channel=settings.name))
            return await found.issue_key(user, password)
    except TimeoutError:
        raise TransientError(f"{settings.name} did not answer within {ISSUE_S:.0f} s") from None


class _Draft:
    """The file beside the one that is wanted, made before the key: a key that cannot be stored would be lost."""

    def __init__(self, terminal: Terminal, out: Path) -> None:
        self._out = out
        self._path = out.with_name(f".{out.name}.{os.getpid()}")
        try:
            self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise Failure(FAILED, terminal.say("key.unwritable", file=out, reason=error.strerror)) from None

    def keep(self, made: Secret) -> None:
        """Write the key and put it in the place of the file, at once and whole."""
        os.write(self._file, f"{made.reveal()}\n".encode())
        os.fsync(self._file)
        self._path.replace(self._out)

    def drop(self) -> None:
        """Leave nothing beside the file."""
        os.close(self._file)
        with suppress(FileNotFoundError):
            self._path.unlink()
