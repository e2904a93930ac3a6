"""`syncd status` and `syncd healthcheck`: how it stands."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Annotated, Any, Final

import msgspec
import typer
from rich.console import Group, RenderableType
from rich.live import Live

from syncd.cli.frame import FAILED, UNAVAILABLE, USAGE, Config, Failure, Json, Terminal, guarded, open_terminal
from syncd.cli.show import grid, span, when
from syncd.cli.talk import Talk

WATCH_S: Final = 2.0


@guarded
def status(
    *,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Show it again and again until Ctrl-C.")] = False,
    config: Config = None,
    json: Json = False,
) -> None:
    """Show the daemon, each channel with its lag and what waits, and what needs a person."""
    terminal = open_terminal(config, json=json)
    if watch and json:
        raise Failure(USAGE, terminal.say("status.watch_json"))
    talk = Talk(terminal)
    if not watch:
        terminal.show(talk.get("status"), lambda found: parts(terminal, found))
        return
    with suppress(KeyboardInterrupt):
        _watch(terminal, talk)


def _watch(terminal: Terminal, talk: Talk) -> None:
    """Show the status until Ctrl-C: in place on a terminal, one after the other in a pipe."""
    if not sys.stdout.isatty():
        while True:
            terminal.show(talk.get("status"), lambda found: parts(terminal, found))
            time.sleep(WATCH_S)
    with Live(Group(*parts(terminal, talk.get("status"))), auto_refresh=False) as live:
        while True:
            time.sleep(WATCH_S)
            live.update(Group(*parts(terminal, talk.get("status"))), refresh=True)


def parts(terminal: Terminal, found: Mapping[str, Any]) -> Iterable[RenderableType]:
    """Yield the pieces of the status for people."""
    daemon = found["daemon"]
    yield terminal.say(
        "status.daemon",
        version=daemon["version"],
        instance=daemon["instance"],
        uptime=span(daemon["uptime_s"]),
        inbox=daemon["inbox_depth"],
        longest=f"{daemon['store']['longest_s'] * 1_000:.0f} ms",
    )
    if not daemon["ready"]:
        yield terminal.say("status.not_ready")
    if daemon["shadow"]:
        yield terminal.say("status.shadow")
    for sink, waiting in daemon["outbox"].items():
        yield terminal.say("status.outbox", sink=sink, count=waiting["events"], oldest=span(waiting["oldest_s"]))
    yield _accounts(terminal, found["accounts"])
    if any(account["lags"] or account["silent_s"] is not None for account in found["accounts"]):
        yield _lags(terminal, found["accounts"])
    for account in found["accounts"]:
        yield from _notes(terminal, account)
    if found["quarantine"]:
        yield terminal.say("status.quarantine", count=found["quarantine"])
    if found["oversold_units"]:
        yield terminal.say("status.oversold", count=found["oversold_units"])
    for brake in found["brakes"]:
        yield terminal.say("status.brake", **brake)
    if found["alerts"]:
        cells = ([when(alert["raised_at"]), alert["kind"], alert["key"], alert["text"]] for alert in found["alerts"])
        yield grid(terminal, "at alert key detail", cells)


def _accounts(terminal: Terminal, accounts: Iterable[Mapping[str, Any]]) -> RenderableType:
    return grid(
        terminal,
        "account state down lag >zero >fall >raise last_write >listings >unmapped >parked >held >drift reason",
        (
            [
                row["name"],
                terminal.say(f"state.{row['state']}"),
                when(row["down_since"]),
                span(row["feed_age_s"]),
                *(row["waiting"].get(lane, 0) for lane in ("zero", "fall", "raise")),
                when(row["last_write_at"]),
                *(row["listings"][what] for what in ("listings", "unmapped", "parked", "held")),
                row["drift_pending"],
                _reason(terminal, row),
            ]
            for row in accounts
        ),
    )


_STAGES: Final = ("feed", "message", "answer", "fall", "raise")


def _lags(terminal: Terminal, accounts: Iterable[Mapping[str, Any]]) -> RenderableType:
    """Return how long each channel has been silent, and its lags: half of them, 95 % and 99 % are not longer."""
    heads = "account >silent >lag_feed >lag_message >lag_answer >lag_fall >lag_raise"
    rows = []
    for account in accounts:
        measured = {one["stage"]: one for one in account["lags"]}
        rows.append([account["name"], span(account["silent_s"]), *(_lag(measured.get(stage)) for stage in _STAGES)])
    return grid(terminal, heads, rows)


def _lag(found: Mapping[str, Any] | None) -> str | None:
    return None if found is None else " / ".join(str(span(found[name])) for name in ("p50_s", "p95_s", "p99_s"))


def _reason(terminal: Terminal, row: Mapping[str, Any]) -> str:
    """Return what is the matter with an account: maintenance is no fault of it."""
    if row["maintenance_until"] is not None:
        return terminal.say("status.maintenance", until=when(row["maintenance_until"]))
    return str(row["down_reason"] or row["reason"])


def _notes(terminal: Terminal, account: Mapping[str, Any]) -> Iterable[RenderableType]:
    """Yield what else a person should know of an account: its keys, and orders without a ship-by date."""
    for key in account["keys"]:
        if key["left_s"] is not None:
            say = "status.key" if key["left_s"] > 0 else "status.key_ended"
            ends, left = when(key["expires_at"]), span(max(0.0, key["left_s"]))
            yield terminal.say(say, account=account["name"], name=key["name"], ends=ends, left=left)
    if account["undated_count"]:
        yield terminal.say("status.undated", account=account["name"], count=account["undated_count"])
        cells = ([one["order"], one["reason"]] for one in account["undated"])
        yield grid(terminal, "order detail", cells)


@guarded
def healthcheck(*, config: Config = None, json: Json = False) -> None:
    """Exit with 0 when the daemon is ready, with 1 when not; for Docker and monitors."""
    terminal = open_terminal(config, json=json)
    told = _readiness(terminal)
    terminal.show(told, lambda _: [terminal.say("health.ready")] if told["ready"] else told["reasons"])
    if not told["ready"]:
        raise typer.Exit(FAILED)


def _readiness(terminal: Terminal) -> dict[str, Any]:
    try:
        _, raw = Talk(terminal).plain("/readyz")
    except Failure as failure:
        if failure.code != UNAVAILABLE:
            raise
        return {"ready": False, "reasons": [failure.message]}
    told: dict[str, Any] = msgspec.json.decode(raw)
    return told
