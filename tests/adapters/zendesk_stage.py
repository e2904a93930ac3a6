"""The Zendesk adapter opened on a simulated account, in virtual time."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, cast

from adapters.zendesk import ADAPTER
from adapters.zendesk.desk import ZendeskDesk
from adapters.zendesk.simulator import ZendeskSimulator, make
from syncd.sdk.channel import Clock
from syncd.sdk.desk import Language, Step
from syncd.testing.desk_stage import DeskKit, DeskStage, PlainTexts, desk_staged
from syncd.testing.loop import run_virtual

HOOK = "https://hooks.example/webhooks/zendesk"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A stage, with the account and the desk as what they are."""

    stage: DeskStage

    @property
    def account(self) -> ZendeskSimulator:
        return cast("ZendeskSimulator", self.stage.simulator)

    @property
    def desk(self) -> ZendeskDesk:
        return cast("ZendeskDesk", self.stage.desk)

    async def provision(self, *, language: Language = Language.EN, edition: str = "", hook: str = "") -> list[Step]:
        return await self.desk.provision(language=language, texts=PlainTexts(edition), webhook_url=hook)


def play(
    scene: Callable[[Scene], Coroutine[Any, Any, None]],
    *,
    tickets: int = 0,
    bare: bool = False,
    time_scale: float = 1.0,
    **changes: Any,
) -> None:
    """Run a scene; `changes` are settings that differ from the account's own, or how to make them of the account."""

    def made(*, skus: int, seed: int, clock: Clock) -> ZendeskSimulator:
        simulator = make(skus=skus, seed=seed, clock=clock)
        own = simulator.settings
        told = {name: value(simulator) if callable(value) else value for name, value in changes.items()}
        simulator.settings = lambda url: {**own(url), **told}  # type: ignore[method-assign]  # one account of many
        return simulator

    async def main() -> None:
        kit = DeskKit(adapter=ADAPTER, make=made, time_scale=time_scale)
        async with desk_staged(kit, tickets=tickets, bare=bare) as stage:
            await scene(Scene(stage=stage))

    run_virtual(main)
