"""`syncd run`, `demo`, `simulate` and `replay`: what runs instead of talking to the daemon.

Everything here is imported when it is asked for: most commands need none of it, and the daemon needs no simulators.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from syncd.cli.adapter import factory, find
from syncd.cli.frame import USAGE, Config, Failure, Json, Terminal, guarded, open_terminal
from syncd.clock import SystemClock
from syncd.sdk.channel import Adapter
from syncd.sdk.desk import DeskAdapter
from syncd.settings.policies import ExposureName

SKUS: Final = 20
Skus = Annotated[int, typer.Option("--skus", min=1, max=1_000_000, help="Goods that it has.")]
Seed = Annotated[int, typer.Option("--seed", help="The same seed, the same shop.")]
Shared = Annotated[ExposureName, typer.Option("--exposure", help="How channels share units.")]


@guarded
def run(
    *,
    shadow: Annotated[bool, typer.Option("--shadow", help="Write nothing to any channel; log what would be.")] = False,
    config: Config = None,
    json: Json = False,
) -> None:
    """Run the daemon until SIGTERM or Ctrl-C."""
    terminal = open_terminal(config, json=json)
    settings = terminal.settings()
    if shadow:
        settings = replace(settings, daemon=replace(settings.daemon, shadow=True))
    code: int = import_module("syncd.app").run(settings)
    _end(terminal, code)


def _end(terminal: Terminal, code: int) -> None:
    if terminal.json:
        terminal.show({"exit_code": code}, lambda _: ())
    raise typer.Exit(code)


@guarded
def demo(
    *,
    seconds: Annotated[float | None, typer.Option("--seconds", min=1, help="End after so long.")] = None,
    skus: Skus = 12,
    seed: Seed = 1,
    exposure: Shared = "adaptive",
    keep: Annotated[bool, typer.Option("--keep", help="Keep what the daemon logged and stored.")] = False,
    config: Config = None,
    json: Json = False,
) -> None:
    """Show a flash sale: four simulated channels, the daemon, a broker, and a crowd of shoppers."""
    open_terminal(config, json=json)
    code: int = import_module("syncd.demo").run_demo(seconds, skus, seed, exposure=exposure, as_json=json, keep=keep)
    raise typer.Exit(code)


@guarded
def replay(
    *,
    file: Annotated[Path, typer.Argument(help="Orders: CSV or CSV.gz.", exists=True, dir_okay=False)],
    compress: Annotated[float, typer.Option("--compress", min=1, help="So many seconds of the file in one.")] = 200.0,
    seed: Seed = 1,
    share: Annotated[
        list[str] | None, typer.Option("--share", help="Share of the orders, as shopify=0.2; once per channel.")
    ] = None,
    lines: Annotated[int | None, typer.Option("--lines", min=1, help="Only so many lines.")] = None,
    exposure: Shared = "adaptive",
    config: Config = None,
    json: Json = False,
) -> None:
    """Run real orders through four simulated channels, and tell what was sold, oversold, hidden and written."""
    terminal = open_terminal(config, json=json)
    module: Any = import_module("syncd.replay")
    shares = _shares(terminal, share) if share else module.SHARES
    code: int = module.run_replay(
        file, compress=compress, seed=seed, shares=shares, most_lines=lines, exposure=exposure, as_json=json
    )
    raise typer.Exit(code)


def _shares(terminal: Terminal, given: Iterable[str]) -> dict[str, float]:
    found = {}
    for item in given:
        name, _, number = item.partition("=")
        try:
            found[name] = float(number)
        except ValueError:
            raise Failure(USAGE, terminal.say("replay.share", given=item)) from None
    return found


# --- one adapter ----------------------------------------------------------------------------------------------------


@guarded
def simulate(
    *,
    name: Annotated[str, typer.Argument(metavar="ADAPTER", help="Whose simulator.")],
    port: Annotated[int, typer.Option("--port", min=0, max=65_535, help="0 takes a free one.")] = 0,
    skus: Skus = SKUS,
    seed: Seed = 1,
    seconds: Annotated[float | None, typer.Option("--seconds", min=0, help="End after so long.")] = None,
    time_scale: Annotated[
        float,
        typer.Option("--time-scale", min=0, max=1, help="Its own delays, times this: 0.1 makes it ten times as fast."),
    ] = 1.0,
    config: Config = None,
    json: Json = False,
) -> None:
    """Start the simulated remote of an adapter, and tell its URL and the settings to connect; until Ctrl-C."""
    terminal = open_terminal(config, json=json)
    found = find(terminal, name)
    simulator = factory(terminal, found)(skus=skus, seed=seed, clock=SystemClock())
    simulator.time_scale = time_scale
    asyncio.run(_serve(terminal, found, simulator, port=port, seconds=seconds))


async def _serve(
    terminal: Terminal, found: Adapter | DeskAdapter, simulator: Any, *, port: int, seconds: float | None
) -> None:
    serve = import_module("syncd.testing.simulators").serve
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with serve(simulator, port=port) as url:
        settings = {**simulator.settings(url), **simulator.queue_settings(url)}
        told = {"adapter": found.name, "url": url, "control": f"{url}/_sim", "settings": settings}
        table = "desks" if isinstance(found, DeskAdapter) else "channels"
        block = settings_block(found.name, settings, table=table)
        terminal.show(
            told, lambda _: [terminal.say("simulate.serving", url=url), "", block, terminal.say("simulate.stop")]
        )
        sys.stdout.flush()
        try:
            async with asyncio.timeout(seconds):
                await stop.wait()
        except TimeoutError:
            return


def settings_block(name: str, settings: Mapping[str, Any], *, table: str = "channels") -> str:
    """Return the lines of a settings file that open an adapter with these settings."""
    lines = [f"[{table}.{name}]", f'adapter = "{name}"', "", f"[{table}.{name}.settings]"]
    return "\n".join([*lines, *(f"{key} = {toml(value)}" for key, value in settings.items())])


def toml(value: Any) -> str:
    """Return a value as one writes it in TOML."""
    match value:
        case bool():
            return str(value).lower()
        case int() | float():
            return str(value)
        case list() | tuple():
            return "[" + ", ".join(toml(item) for item in value) + "]"
        case dict():
            return "{ " + ", ".join(f'"{key}" = {toml(item)}' for key, item in value.items()) + " }"
        case _:
            escaped = str(value).replace("\\", "\\\\").replace('"', '\\"')
            return f'"{escaped}"'
