"""Four simulated channels to rehearse on, as different from each other as the real ones: for demo and replay."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from syncd.core.terms import AccountId
from syncd.sdk.channel import Adapter, Clock
from syncd.settings import load
from syncd.settings.shape import Settings
from syncd.testing.simulators import Simulator, serve

CHANNELS = ("amazon", "rakuten", "shopify", "qoo10")
SHARES = {"amazon": 0.4, "rakuten": 0.3, "shopify": 0.2, "qoo10": 0.1}
"""Which share of the orders goes where; the bars of the project's benchmarks use the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A channel of the rehearsal: which adapter plays it, how it takes numbers, and how late it is.

    `settings` are adapter settings that stand in place of the simulator's own.
    """

    adapter: str
    write_mode: str = ""
    effect_s: tuple[float, float] = (0.0, 0.0)
    confirms: bool = True
    feed_lateness_s: tuple[float, float] = (0.0, 0.0)
    precision_s: float = 0.0
    poll_s: float = 15.0
    settings: Mapping[str, object] = field(default_factory=dict)


PARTS: Mapping[str, Part] = {
    "amazon": Part(
        adapter="memory",
        write_mode="absolute",
        effect_s=(1.0, 30.0),
        confirms=False,
        feed_lateness_s=(5.0, 60.0),
        poll_s=30.0,
    ),
    "rakuten": Part(adapter="memory", write_mode="delta", effect_s=(0.0, 2.0), feed_lateness_s=(0.0, 30.0)),
    "shopify": Part(adapter="shopify"),
    "qoo10": Part(
        adapter="memory", write_mode="absolute", effect_s=(0.0, 3.0), feed_lateness_s=(0.0, 60.0), precision_s=1.0
    ),
}


def make_simulator(part: Part, adapter: Adapter, *, skus: int, seed: int, clock: Clock) -> Simulator:
    """Return the simulated remote that plays a part."""
    module, _, name = adapter.simulator.partition(":")
    made: Simulator = getattr(import_module(module), name)(skus=skus, seed=seed, clock=clock)
    if part.write_mode:
        _teach(made, part)
    return made


def _teach(simulator: Any, part: Part) -> None:
    """Give a memory shop the habits of the marketplace that it plays."""
    habits = simulator.shop.habits
    changes = {
        "effect_s": part.effect_s,
        "confirms": part.confirms,
        "feed_lateness_s": part.feed_lateness_s,
        "precision_s": part.precision_s,
    }
    simulator.shop.habits = type(habits)(**{name: changes.get(name, getattr(habits, name)) for name in _fields(habits)})
    simulator.write_mode = type(simulator.write_mode)(part.write_mode)


def _fields(value: Any) -> tuple[str, ...]:
    return tuple(value.__dataclass_fields__)


@asynccontextmanager
async def open_simulators(
    adapters: Mapping[str, Adapter],
    *,
    skus: int,
    seed: int,
    clock: Clock,
    port: int = 0,
    parts: Mapping[str, Part] = PARTS,
) -> AsyncIterator[dict[str, Simulator]]:
    """Serve all parts; `port` is the first of their ports, 0 takes free ones."""
    async with AsyncExitStack() as stack:
        made: dict[str, Simulator] = {}
        for number, (name, part) in enumerate(parts.items()):
            simulator = make_simulator(part, adapters[part.adapter], skus=skus, seed=seed + number, clock=clock)
            await stack.enter_async_context(serve(simulator, port=port + number if port else 0))
            made[name] = simulator
        yield made


def settings_text(
    simulators: Mapping[str, Simulator],
    *,
    listen: str,
    mqtt_url: str = "",
    extra: str = "",
    parts: Mapping[str, Part] = PARTS,
) -> str:
    """Return the TOML of a daemon that keeps these simulators in step."""
    lines = [
        "[http]",
        f'listen = "{listen}"',
        f'public_url = "http://{listen}"',
        "",
        "[brake]",
        "minimum = 1000000",
        "",
    ]
    if mqtt_url:
        lines += ["[mqtt]", f'url = "{mqtt_url}"', 'protocol = "3.1.1"', ""]
    for name, simulator in simulators.items():
        part = parts[name]
        lines += [f"[channels.{name}]", f'adapter = "{part.adapter}"', f"poll_s = {part.poll_s}", "hand_edit_days = 0"]
        lines += ["", f"[channels.{name}.settings]"]
        settings = {**simulator.settings(simulator.url), **part.settings}
        lines += [f"{key} = {_toml(value)}" for key, value in settings.items()]
        lines.append("")
    return "\n".join([*lines, extra])


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)


def settings_of(text: str, folder: Path, adapters: Mapping[str, Adapter]) -> Settings:
    """Return the settings of such a TOML, with their data in `folder`."""
    path = folder / "rehearsal.toml"
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")
    environ = {"SYNCD_DAEMON__DATA_DIR": str(folder), "HOME": str(folder)}
    return load(path, environ=environ, adapters=adapters)


def accounts_of(simulators: Mapping[str, Simulator]) -> list[AccountId]:
    """Return the names of the accounts."""
    return [AccountId(name) for name in simulators]
