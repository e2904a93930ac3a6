"""Tokens of the API on the command line."""

from __future__ import annotations

import aiohttp

from syncd.store import api_tokens
from syncd.web.api import public_app
from syncd.web.api_gate import TOKEN
from tests.cli.conftest import Shell
from tests.web.rig import Rig, served


async def test_a_token_is_made_used_listed_and_revoked(shell: Shell, rig: Rig) -> None:
    """A new token opens the API at once and is shown only once; the daemon knows its hash; revoked it opens nothing."""
    made = await shell.run("token", "new", "till", "--scope", "operate")
    token = made.out.strip()
    assert (made.code, TOKEN.fullmatch(token) is not None, "till" in made.err) == (0, True, True)
    (kept,) = await rig.plant.store.read(api_tokens.all_of_them)
    assert token.rpartition("_")[2] not in repr(kept)
    async with served(public_app(rig.plant)) as base, aiohttp.ClientSession() as session:

        async def status() -> int:
            async with session.get(f"{base}/api/v1/stock", headers={"Authorization": f"Bearer {token}"}) as answer:
                return answer.status

        assert await status() == 200
        listed = (await shell.json("token", "list"))["rows"]
        assert [(row["name"], row["scope"], row["last_used_at"] is None) for row in listed] == [
            ("till", "operate", False)
        ]
        assert (await shell.run("token", "revoke", "till", "--yes")).code == 0
        assert await status() == 401
    shown = await shell.run("token", "list")
    assert "till" in shown.out
    assert token not in shown.out


async def test_mistakes_are_told(shell: Shell, rig: Rig) -> None:
    """A scope that is none, a name that is taken and a token that is not there end with a reason and an exit code."""
    assert (await shell.run("token", "new", "till", "--scope", "all")).code == 64
    assert (await shell.run("token", "new", "till")).code == 0
    again = await shell.run("token", "new", "till")
    assert (again.code, "till" in again.err, again.out) == (1, True, "")
    assert (await shell.run("token", "revoke", "none", "--yes")).code == 1
