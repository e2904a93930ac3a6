"""`syncd token`: tokens of the API. A token is made here and shown once; the daemon only ever gets its hash."""

from __future__ import annotations

import hashlib
import secrets
import string
from collections.abc import Iterable
from typing import Annotated, Any, Final

import typer
from rich.console import RenderableType

from syncd.cli.frame import USAGE, Config, Failure, Json, Yes, guarded, open_terminal
from syncd.cli.show import grid, when
from syncd.cli.talk import Talk

token = typer.Typer(help="Tokens of the API.", no_args_is_help=True)

SCOPES: Final = ("read", "operate", "admin")
_SIGNS: Final = string.ascii_lowercase + string.digits


@token.command()
@guarded
def new(
    *,
    name: Annotated[str, typer.Argument(help="Name of the token: who or what uses it.")],
    scope: Annotated[str, typer.Option("--scope", help="read, operate or admin.")] = "read",
    config: Config = None,
    json: Json = False,
) -> None:
    """Make a token and show it, this once."""
    terminal = open_terminal(config, json=json)
    if scope not in SCOPES:
        raise Failure(USAGE, terminal.say("token.no_scope", scope=scope))
    public_id = "".join(secrets.choice(_SIGNS) for _ in range(12))
    made = f"syncd_{public_id}_{secrets.token_urlsafe(32)}"
    digest = hashlib.sha256(made.encode()).hexdigest()
    told = Talk(terminal).post("tokens", body={"name": name, "scope": scope, "public_id": public_id, "digest": digest})
    terminal.note("token.made", name=told["name"], scope=told["scope"])
    terminal.show({**told, "token": made}, lambda _: [made])


@token.command(name="list")
@guarded
def show(*, config: Config = None, json: Json = False) -> None:
    """Show the tokens, with their scopes and when they were used last."""
    terminal = open_terminal(config, json=json)
    found = Talk(terminal).get("tokens")

    def rows(told: Any) -> Iterable[RenderableType]:
        cells = (
            [row["name"], row["scope"], *(when(row[name]) for name in ("created_at", "last_used_at", "revoked_at"))]
            for row in told["rows"]
        )
        yield grid(terminal, "name scope made used revoked", cells)

    terminal.show(found, rows)


@token.command()
@guarded
def revoke(
    *,
    name: Annotated[str, typer.Argument(help="Name of the token.")],
    yes: Yes = False,
    config: Config = None,
    json: Json = False,
) -> None:
    """Revoke a token: from now on it opens nothing."""
    terminal = open_terminal(config, json=json)
    terminal.ask(terminal.say("token.ask_revoke", name=name), yes=yes)
    told = Talk(terminal).post("tokens", name, "revoke", body={})
    terminal.show(told, lambda _: [terminal.say("token.revoked", name=name)])
