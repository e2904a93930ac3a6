"""`syncd adapter`: for those who write adapters. A skeleton, the conformance kit without pytest, what is installed.

What tests and simulators need is imported when it is asked for: most commands need none of it.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, Final, TypeAlias

import typer

from syncd import scaffold
from syncd.cli.frame import FAILED, USAGE, Config, Failure, Json, Terminal, guarded, open_terminal
from syncd.cli.show import grid
from syncd.sdk import channel as contract
from syncd.sdk import desk, features
from syncd.sdk.channel import Adapter
from syncd.sdk.desk import DeskAdapter
from syncd.settings.adapters import DESKS, GROUP, Installed, InstalledDesks

app = typer.Typer(help="For those who write adapters.", no_args_is_help=True)

PASSED: Final = "passed"
FAILED_CASE: Final = "failed"
EXEMPT: Final = "not_applicable"
GLOB: Final = "*?["

AnyAdapter: TypeAlias = Adapter | DeskAdapter


def find(terminal: Terminal, name: str) -> AnyAdapter:
    """Return an installed adapter of a channel or a desk, or the one that `module:NAME` names, also of this folder.

    Raises Failure where there is none.
    """
    module, colon, attribute = name.partition(":")
    if colon:
        return _named(terminal, module, attribute)
    channels, desks = Installed(), InstalledDesks()
    if name in channels:
        return channels[name]
    if name not in desks:
        raise Failure(USAGE, terminal.say("adapter.unknown", name=name, known=", ".join([*channels, *desks])))
    return desks[name]


def _named(terminal: Terminal, module: str, attribute: str) -> AnyAdapter:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found = getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise Failure(USAGE, terminal.say("adapter.no_import", name=f"{module}:{attribute}", reason=reason)) from None
    if not isinstance(found, Adapter | DeskAdapter):
        raise Failure(USAGE, terminal.say("adapter.no_adapter", name=f"{module}:{attribute}"))
    return found


def factory(terminal: Terminal, found: AnyAdapter) -> Any:
    """Return what makes an adapter's simulator; raises Failure where it has none."""
    if not found.simulator:
        raise Failure(FAILED, terminal.say("adapter.no_simulator", name=found.name))
    module, _, attribute = found.simulator.partition(":")
    return getattr(import_module(module), attribute)


# --- a new one ------------------------------------------------------------------------------------------------------


@app.command()
@guarded
def new(
    *,
    name: Annotated[str, typer.Argument(metavar="NAME", help="A lower-case Python name, such as `my_mall`.")],
    into: Annotated[
        Path, typer.Option("--into", file_okay=False, help="The folder that the new project's folder is made in.")
    ] = Path(),
    config: Config = None,
    json: Json = False,
) -> None:
    """Write the skeleton of an adapter: a package of its own that passes the kit, to be changed step by step."""
    terminal = open_terminal(config, json=json)
    try:
        made = scaffold.write(name, into, taken=Installed())
    except scaffold.Refused as refused:
        raise Failure(USAGE, terminal.say(refused.key, **refused.values)) from None
    except OSError as error:
        raise Failure(FAILED, f"{into}: {error.strerror}") from None
    folder = made[0].parent
    told = {"name": name, "package": scaffold.package(name), "folder": str(folder), "files": [str(f) for f in made]}
    after = terminal.say("adapter.next", folder=folder, package=scaffold.package(name), name=name)
    terminal.show(told, lambda _: [*(str(file) for file in made), "", after])


# --- the kit --------------------------------------------------------------------------------------------------------


# `test` is the command's word; a function of that name would be taken for a test.
@app.command(name="test")
@guarded
def conformance(
    *,
    name: Annotated[str, typer.Argument(metavar="NAME", help="An installed adapter, or `module:ADAPTER`.")],
    case: Annotated[str, typer.Option("--case", help="Only cases of this name or pattern, such as `push:*`.")] = "",
    virtual: Annotated[
        bool, typer.Option("--virtual/--sockets", help="In virtual time, or over real connections, faults left out.")
    ] = True,
    config: Config = None,
    json: Json = False,
) -> None:
    """Run the conformance kit and the checklist against an adapter's simulator; exit 1 when anything fails."""
    terminal = open_terminal(config, json=json)
    found = find(terminal, name)
    rows = list(conform(found, factory(terminal, found), pattern=case, virtual=virtual))
    if not rows:
        raise Failure(USAGE, terminal.say("conform.no_case", pattern=case))
    problems = [] if case else _open_rules(found)
    results = [row["result"] for row in rows]
    counts = {word: results.count(word) for word in (PASSED, FAILED_CASE, EXEMPT)}
    told = {"adapter": found.name, "virtual": virtual, **counts, "cases": rows, "checklist": problems}
    terminal.show(told, lambda _: _report(terminal, told))
    if counts[FAILED_CASE] or problems:
        raise typer.Exit(FAILED)


def _report(terminal: Terminal, told: Mapping[str, Any]) -> Iterator[Any]:
    cells = ([row["case"], terminal.say(f"conform.{row['result']}"), row["detail"]] for row in told["cases"])
    yield grid(terminal, "case result detail", cells)
    yield from told["checklist"]
    yield terminal.say("conform.sum", **{word: told[word] for word in (PASSED, FAILED_CASE, EXEMPT)})
    if told["checklist"]:
        yield terminal.say("conform.checklist", count=len(told["checklist"]))


def _open_rules(found: AnyAdapter) -> list[str]:
    """Return what is wrong with an adapter's checklist."""
    checklist: Any = import_module("syncd.testing.checklist")
    rules = checklist.DESK_RULES if isinstance(found, DeskAdapter) else checklist.RULES
    told: list[str] = checklist.problems(folder_of(found) / "checklist.toml", rules=rules)
    return told


def _kit(found: AnyAdapter, make: Any) -> tuple[Any, list[Any]]:
    """Return the kit of an adapter's kind, and its cases."""
    if isinstance(found, DeskAdapter):
        desks: Any = import_module("syncd.testing.desk_conformance")
        return desks.DeskKit(adapter=found, make=make), desks.desk_cases()
    channels: Any = import_module("syncd.testing.conformance")
    return channels.Kit(adapter=found, make=make), channels.cases()


def conform(found: AnyAdapter, make: Any, *, pattern: str = "", virtual: bool = True) -> Iterator[dict[str, str]]:
    """Run the kit; yield for each case that fits its name, its end (passed, failed, not_applicable), and why.

    A pattern without wildcards fits the names that hold it. Over sockets the cases of trouble are left out: they wait
    for minutes.
    """
    kit, cases = _kit(found, make)
    wanted = pattern if any(sign in pattern for sign in GLOB) else f"*{pattern}*"
    for case in cases:
        if fnmatchcase(case.name, wanted):
            result, detail = _play(case, kit, virtual=virtual)
            yield {"case": case.name, "text": " ".join(case.text.split()), "result": result, "detail": detail}


def _play(case: Any, kit: Any, *, virtual: bool) -> tuple[str, str]:
    run_virtual: Any = import_module("syncd.testing.loop").run_virtual
    not_applicable: Any = import_module("syncd.testing.conformance").NotApplicable
    if not virtual and case.name.startswith("trouble:"):
        return EXEMPT, "waits for minutes: played in virtual time only"
    try:
        run_virtual(lambda: case.run(kit)) if virtual else asyncio.run(case.run(kit))
    except not_applicable as reason:
        return EXEMPT, str(reason)
    except AssertionError as sentence:
        return FAILED_CASE, str(sentence)
    except Exception as error:  # noqa: BLE001  (whatever an adapter does wrong is the result)
        return FAILED_CASE, f"{type(error).__name__}: {error}"
    return PASSED, ""


def folder_of(found: AnyAdapter) -> Path:
    """Return the folder of an adapter's package: where its settings are declared."""
    return Path(sys.modules[found.settings.__module__].__file__ or "").parent


# --- what is installed ----------------------------------------------------------------------------------------------


@app.command(name="list")
@guarded
def installed(*, config: Config = None, json: Json = False) -> None:
    """Show the installed adapters: features, how each writes, the version of its API, where it comes from."""
    terminal = open_terminal(config, json=json)
    points = [*entry_points(group=GROUP), *entry_points(group=DESKS)]
    rows = [_described(point) for point in sorted(points, key=lambda point: point.name)]
    terminal.show(rows, lambda _: [_grid_of(terminal, rows)])


def _grid_of(terminal: Terminal, rows: list[dict[str, Any]]) -> Any:
    cells = (
        [
            row["name"],
            row["write_mode"] or row["kind"],
            row["api_version"],
            ", ".join(row["features"]),
            row["source"],
            row["problem"],
        ]
        for row in rows
    )
    return grid(terminal, "adapter write_mode api_version features source detail", cells)


def _described(point: EntryPoint) -> dict[str, Any]:
    """Return what an adapter is; what keeps it from being used is its `problem`."""
    source = f"{point.dist.name} {point.dist.version}" if point.dist is not None else ""
    row: dict[str, Any] = {"name": point.name, "source": source, "object": point.value}
    row |= {"kind": "desk" if point.group == DESKS else "channel"}
    row |= {"write_mode": "", "api_version": "", "features": [], "simulator": False, "problem": ""}
    try:
        found = point.load()
        told = _tried_desk(found) if isinstance(found, DeskAdapter) else _tried(found)
        return row | {"simulator": bool(found.simulator)} | told
    except Exception as error:  # noqa: BLE001  (an adapter of somebody else may fail in any way)
        return row | {"problem": f"{type(error).__name__}: {error}"}


def _tried(found: Adapter) -> dict[str, Any]:
    """Return what an adapter says of itself once it is opened, which it is on its own simulator."""
    if not found.simulator:
        return {}
    stage_module: Any = import_module("syncd.testing.stage")
    module, _, attribute = found.simulator.partition(":")
    kit = stage_module.Kit(adapter=found, make=getattr(import_module(module), attribute))

    async def look() -> dict[str, Any]:
        async with stage_module.staged(kit, skus=1) as stage:
            profile = stage.profile
            return {
                "write_mode": profile.write_mode.value,
                "api_version": profile.api_version,
                "features": [kind.__name__ for kind in kinds() if isinstance(stage.channel, kind)],
            }

    told: dict[str, Any] = import_module("syncd.testing.loop").run_virtual(look)
    return told


def _tried_desk(found: DeskAdapter) -> dict[str, Any]:
    """Return what a desk's adapter says of itself once it is opened on its own simulator."""
    if not found.simulator:
        return {}
    stage_module: Any = import_module("syncd.testing.desk_stage")
    module, _, attribute = found.simulator.partition(":")
    kit = stage_module.DeskKit(adapter=found, make=getattr(import_module(module), attribute))

    async def look() -> dict[str, Any]:
        async with stage_module.desk_staged(kit) as stage:
            held = [kind.__name__ for kind in kinds(desk, contract) if isinstance(stage.desk, kind)]
            return {"features": held}

    told: dict[str, Any] = import_module("syncd.testing.loop").run_virtual(look)
    return told


def kinds(*modules: ModuleType) -> list[Any]:
    """Return every feature that a channel, or what these modules declare, may have, in the order of their files."""
    return [
        value
        for module in modules or (contract, features)
        for value in vars(module).values()
        if getattr(value, "_is_runtime_protocol", False) and value.__module__ == module.__name__
    ]
