"""The list in which cases of the conformance kit are entered."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from syncd.sdk.errors import ChannelError
from syncd.testing.stage import Kit, Stage, is_virtual, staged

FEW = 6
"""Goods of a case that needs no second page."""
CASE_S = 120.0
"""How long a case may take in real time."""
VIRTUAL_CASE_S = 86_400.0

Act: TypeAlias = Callable[[Stage], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One named demand on an adapter. `text` is the demand as a sentence."""

    name: str
    text: str
    act: Act
    many: bool = False

    async def run(self, kit: Kit) -> None:
        """Play it; raises `AssertionError` with a sentence, or `NotApplicable` with the reason.

        What no adapter may raise (a `KeyError`) comes out as it is, with its traceback.
        """
        try:
            async with asyncio.timeout(VIRTUAL_CASE_S if is_virtual() else CASE_S):
                async with staged(kit, skus=kit.many if self.many else FEW) as stage:
                    await self.act(stage)
        except (ChannelError, TimeoutError) as error:
            raise AssertionError(f"{type(error).__name__} came where none was expected: {error}") from error


class Group:
    """Cases of one subject. A case is an async function; its name and its docstring are those of the case."""

    def __init__(self, subject: str) -> None:
        self._subject = subject
        self.cases: list[Case] = []

    def case(self, act: Act) -> Act:
        """Enter a case with a few goods."""
        return self._enter(act, many=False)

    def large(self, act: Act) -> Act:
        """Enter a case with more goods than a page holds."""
        return self._enter(act, many=True)

    def _enter(self, act: Act, *, many: bool) -> Act:
        name = f"{self._subject}:{getattr(act, '__name__', '')}"
        self.cases.append(Case(name=name, text=act.__doc__ or "", act=act, many=many))
        return act
