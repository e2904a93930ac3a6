"""`syncd whatif`: what another rule would have made of the shop's own past."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer
from rich.console import RenderableType

from syncd.cli.errands import percent
from syncd.cli.frame import Config, Json, Terminal, guarded, open_terminal
from syncd.cli.show import grid, span, when
from syncd.cli.talk import Talk

ROWS = ("demand", "sold", "oversold", "hidden", "writes")


@guarded
def whatif(
    *,
    days: Annotated[int, typer.Option("--days", help="How many days to look back.", min=1, max=366)] = 30,
    policy: Annotated[
        str,
        typer.Option(
            "--policy", help="The other rule: pool, fixed 3, percent 10, even, adaptive 100 (loss), batch 15 (minutes)."
        ),
    ] = "adaptive 100",
    config: Config = None,
    json: Json = False,
) -> None:
    """Replay your own orders under another rule: units oversold, and refused though in stock, beside the present."""
    terminal = open_terminal(config, json=json)
    told = Talk(terminal).get("whatif", days=str(days), policy=policy)
    terminal.show(told, lambda found: _told(terminal, found))


def _told(terminal: Terminal, found: Mapping[str, Any]) -> Iterator[RenderableType]:
    present, other = found["present"], found["other"]
    yield terminal.say("whatif.since", since=when(found["since"]), orders=found["orders"])
    cells = [[terminal.say(f"whatif.{name}"), present[name], other[name]] for name in ROWS]
    cells += [
        [terminal.say(f"whatif.{name}"), percent(present[name]), percent(other[name])]
        for name in ("oversold_rate", "hidden_rate")
    ]
    yield grid(terminal, "figure >present >other", cells)
    yield terminal.say("whatif.other", policy=found["policy"])
    for lag in found["lags"]:
        yield terminal.say(
            "whatif.lag", account=lag["account"], heard=span(lag["heard_s"]), shown=span(lag["visible_s"])
        )
    if found["cut"]:
        yield terminal.say("whatif.cut")
    for name in found["left_out"]:
        yield terminal.say(f"whatif.left_out_{name}")
    yield terminal.say("whatif.explained")
