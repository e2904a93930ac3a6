"""The list in which cases of the desk kit are entered."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from syncd.sdk.errors import ChannelError
from syncd.testing.casebook import CASE_S, VIRTUAL_CASE_S
from syncd.testing.desk_stage import DeskKit, DeskStage, desk_staged
from syncd.testing.stage import is_virtual

DeskAct: TypeAlias = Callable[[DeskStage], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskCase:
    """One named demand on a desk adapter. `text` is the demand as a sentence."""

    name: str
    text: str
    act: DeskAct
    bare: bool = False

    async def run(self, kit: DeskKit) -> None:
        """Play it; raises `AssertionError` with a sentence, or `NotApplicable` with the reason.

        What no adapter may raise (a `KeyError`) comes out as it is, with its traceback.
        """
        try:
            async with asyncio.timeout(VIRTUAL_CASE_S if is_virtual() else CASE_S):
                async with desk_staged(kit, bare=self.bare) as stage:
                    await self.act(stage)
        except (ChannelError, TimeoutError) as error:
            raise AssertionError(f"{type(error).__name__} came where none was expected: {error}") from error


class DeskGroup:
    """Cases of one subject. A case is an async function; its name and its docstring are those of the case."""

    def __init__(self, subject: str) -> None:
        self._subject = subject
        self.cases: list[DeskCase] = []

    def case(self, act: DeskAct) -> DeskAct:
        """Enter a case that plays on a desk which is set up."""
        return self._enter(act, bare=False)

    def bare(self, act: DeskAct) -> DeskAct:
        """Enter a case that plays on a desk as it is bought."""
        return self._enter(act, bare=True)

    def _enter(self, act: DeskAct, *, bare: bool) -> DeskAct:
        name = f"{self._subject}:{getattr(act, '__name__', '')}"
        self.cases.append(DeskCase(name=name, text=act.__doc__ or "", act=act, bare=bare))
        return act
