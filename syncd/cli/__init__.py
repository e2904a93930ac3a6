"""The command line. Commands that change something talk to the running daemon over its Unix socket."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from typing import Final

import typer

from syncd.cli import (
    adapter,
    daemon,
    desk,
    errands,
    goods,
    incidents,
    keys,
    letters,
    listings,
    orders,
    policies,
    postmortem,
    provision,
    release,
    status,
    stock,
    tickets,
    tokens,
    upkeep,
    waiting,
    waitlist,
    whatif,
    why,
)
from syncd.cli.frame import BUG, INTERRUPTED, USAGE

CLICK_USAGE: Final = 2
"""What the command line's library exits with when it does not understand."""

app = typer.Typer(
    name="syncd",
    help="Keeps a shop's stock right on every channel.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command(name="run")(daemon.run)
app.command(name="demo")(daemon.demo)
app.command(name="simulate")(daemon.simulate)
app.command(name="replay")(daemon.replay)
app.command(name="check")(upkeep.check)
app.command(name="doctor")(upkeep.doctor)
app.command(name="status")(status.status)
app.command(name="why")(why.why)
app.command(name="postmortem")(postmortem.postmortem)
app.command(name="whatif")(whatif.whatif)
app.command(name="healthcheck")(status.healthcheck)
app.command(name="adopt")(release.adopt)
app.command(name="go")(release.go)
app.command(name="pause")(release.pause)
app.command(name="provision")(provision.provision)
app.command(name="inquiries")(errands.inquiries)
app.command(name="health")(errands.health)
app.command(name="backup")(upkeep.backup)
app.command(name="restore")(upkeep.restore)
app.add_typer(stock.app, name="stock")
app.add_typer(goods.skus, name="skus")
app.add_typer(policies.policy, name="policy")
app.add_typer(listings.app, name="listings")
app.add_typer(orders.orders, name="orders")
app.add_typer(keys.key, name="key")
app.add_typer(tokens.token, name="token")
app.add_typer(orders.ledger, name="ledger")
app.add_typer(waiting.drift, name="drift")
app.add_typer(waiting.brake, name="brake")
app.add_typer(waiting.alerts, name="alerts")
app.add_typer(incidents.app, name="incidents")
app.add_typer(incidents.alternatives, name="alternatives")
app.add_typer(letters.app, name="letters")
app.add_typer(waitlist.waitlist, name="waitlist")
app.add_typer(tickets.app, name="tickets")
app.add_typer(waitlist.arrivals, name="arrivals")
app.add_typer(waitlist.deliveries, name="deliveries")
app.add_typer(desk.desk, name="desk")
app.add_typer(desk.messages, name="messages")
app.add_typer(adapter.app, name="adapter")


def main() -> None:
    """Run the command line and end the process."""
    sys.exit(entry(sys.argv[1:]))


def entry(argv: Sequence[str]) -> int:
    """Run one command; return its exit code, with the codes of sysexits.h (64 usage, 69 no daemon, 78 settings)."""
    try:
        app(list(argv), prog_name="syncd")
    except SystemExit as end:
        return USAGE if end.code == CLICK_USAGE else int(end.code or 0)
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception:  # noqa: BLE001  (a fault of ours: told with its trace, and with the exit code for it)
        traceback.print_exc()
        return BUG
    return 0
