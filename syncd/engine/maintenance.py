"""Say once that a channel is in announced maintenance, and once that it is over."""

from __future__ import annotations

import asyncio

import msgspec
import structlog
from sqlalchemy import Connection

from syncd.core.terms import SECOND_US, AccountId, Instant
from syncd.engine.channels import Account
from syncd.engine.plant import Plant
from syncd.engine.rules import House
from syncd.engine.timing import nap
from syncd.settings.windows import moment_of
from syncd.store import accounts, outbox

LOOK_S = 15.0
_REASON = "maintenance until"

_log = structlog.get_logger("syncd.maintenance")


async def run_maintenance(plant: Plant, account: Account, stop: asyncio.Event) -> None:
    """Watch the windows of one account until told to stop."""
    end = account.pulse.maintenance_until
    await _note(plant, account.name, end)
    while not stop.is_set():
        left = LOOK_S if end is None else (end - plant.clock.now()) / SECOND_US
        await nap(min(LOOK_S, max(0.01, left)), stop)
        found = account.pulse.maintenance_until
        if found != end:
            end = found
            await _note(plant, account.name, end)


async def _note(plant: Plant, account: AccountId, end: Instant | None) -> None:
    now, house = plant.clock.now(), plant.house
    if await plant.store.write(lambda conn: _write_down(conn, account, end, now=now, house=house)):
        if end is None:
            plant.house.lags.resume(account, now)
            _log.info("maintenance.ended", account=account)
        else:
            _log.info("maintenance.began", account=account, until=moment_of(end).isoformat())


def _write_down(conn: Connection, account: AccountId, end: Instant | None, *, now: Instant, house: House) -> bool:
    """Note begin or end; return False where the store says so already. A channel that was down before stays so."""
    known = accounts.accounts(conn).get(account)
    noted = known is not None and known.down_reason.startswith(_REASON)
    reason = "" if end is None else f"{_REASON} {moment_of(end).isoformat()}"
    if known is None or known.down_reason == reason or (end is None and not noted):
        return False
    if noted or known.down_since is None:
        down_since = None if end is None else now
        accounts.set_account(conn, account, {"down_since": down_since, "down_reason": reason})
    until = None if end is None else moment_of(end).isoformat()
    body = msgspec.json.encode({"account": account, "until": until})
    outbox.put(conn, house.events("channel.maintenance", key=account, body=body), now=now)
    return True
