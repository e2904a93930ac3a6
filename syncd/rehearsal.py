"""The four marketplaces, simulated, to rehearse on: for demo and replay."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from syncd.core.plan import EASE_US
from syncd.core.terms import SECOND_US, AccountId
from syncd.engine.plant import Plant
from syncd.engine.replan import margin_of
from syncd.sdk.channel import Adapter, Clock
from syncd.settings import load
from syncd.settings.shape import Settings
from syncd.store import accounts, listings
from syncd.testing.simulators import Simulator, serve

CHANNELS = ("amazon", "rakuten", "shopify", "qoo10")
SHARES = {"amazon": 0.4, "rakuten": 0.3, "shopify": 0.2, "qoo10": 0.1}
"""Which share of the orders goes where; the bars of the project's benchmarks use the same."""


MOST_LISTINGS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A channel of the rehearsal: its adapter, and how its simulated remote behaves.

    `time_scale` multiplies every delay of the remote. `knobs` are turned there, `settings` stand in place of the
    adapter settings that the remote itself says. `notices` says whether it may send any.
    """

    adapter: str
    poll_s: float = 15.0
    time_scale: float = 1.0
    knobs: Mapping[str, object] = field(default_factory=dict)
    settings: Mapping[str, object] = field(default_factory=dict)
    notices: bool = True


PARTS: Mapping[str, Part] = {
    "amazon": Part(adapter="amazon", poll_s=180.0, settings={"sweep_s": 180.0}),
    "rakuten": Part(adapter="rakuten", poll_s=30.0),
    "shopify": Part(adapter="shopify"),
    "qoo10": Part(adapter="qoo10", poll_s=60.0),
}
"""The four marketplaces as their own simulators have them: a search of orders every three minutes at Amazon, numbers
that show after up to ten minutes at Qoo10."""


USUAL = 20.0
"""How much faster than the trace's own shop one may trade before its channels give it higher limits."""


def sized(compress: float) -> Mapping[str, Part]:
    """Return the channels of a shop that trades `compress` times as fast: delays stay, limits grow with it."""
    size = max(1.0, compress / USUAL)
    changes: Mapping[str, Mapping[str, Mapping[str, object]]] = {
        "amazon": {"knobs": {"rate_factor": size}},
        "rakuten": {
            "knobs": {"rate_factor": 1.1 * size, "order_rate": 5.0 * size},
            "settings": {"pushes_per_s": min(5.0, size)},
        },
        "shopify": {"knobs": {"plan": "plus"} if size > 1 else {}},
        "qoo10": {"knobs": {"calls_per_s": 12.0 * size, "burst": 24.0 * size}, "settings": {"calls_per_s": 2.0 * size}},
    }
    return {name: _changed(part, changes[name]) for name, part in PARTS.items()}


def _changed(part: Part, changes: Mapping[str, Mapping[str, object]]) -> Part:
    knobs, settings = changes.get("knobs", {}), changes.get("settings", {})
    return replace(part, knobs={**part.knobs, **knobs}, settings={**part.settings, **settings})


def make_simulator(part: Part, adapter: Adapter, *, skus: int, seed: int, clock: Clock) -> Simulator:
    """Return the simulated remote that plays a part."""
    module, _, name = adapter.simulator.partition(":")
    made: Any = getattr(import_module(module), name)(skus=skus, seed=seed, clock=clock)
    made.time_scale = part.time_scale
    if part.knobs:
        made.turn(**part.knobs)
    return made  # type: ignore[no-any-return]  # what the contract says it makes


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
        simulator.notify_url = f"http://{listen}/webhooks/{name}"
        lines += [f"[channels.{name}]", f'adapter = "{part.adapter}"', f"poll_s = {part.poll_s}", "hand_edit_days = 0"]
        lines += ["", f"[channels.{name}.settings]"]
        queue = simulator.queue_settings(simulator.url) if part.notices else {}
        settings = {**simulator.settings(simulator.url), **queue, **part.settings}
        lines += [f"{key} = {toml(value)}" for key, value in settings.items()]
        lines.append("")
    return "\n".join([*lines, extra])


def toml(value: object) -> str:
    """Return a value as TOML has it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return "[" + ", ".join(toml(item) for item in value) + "]"
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


def margins(conn: Connection, plant: Plant) -> dict[tuple[str, str], int]:
    """Return how far each listing of an absolute channel may stay below its target, by account and SKU.

    A margin is looked at again every `EASE_US`, and the feed may have been one poll older then: it may be as large as
    that made it.
    """
    found: dict[tuple[str, str], int] = {}
    now = plant.clock.now() - EASE_US
    book = plant.house.outlook.book
    for name, account in plant.roster.items():
        if account.rules.absolute:
            feed = accounts.feed(conn, name, accounts.ORDERS)
            mark = None if feed is None else feed.complete_until
            if mark is not None:
                mark -= EASE_US + round(account.settings.poll_s * SECOND_US)
            for listing in listings.page(conn, after=0, limit=MOST_LISTINGS, account=name):
                found[name, listing.remote_sku] = margin_of(listing, account.rules, mark, now, book=book)
    return found
