"""The inquiries of Rakuten hold the desk kit: in virtual time, and some of it over real sockets."""

from __future__ import annotations

import asyncio

import pytest

from adapters.rakuten.desk import ADAPTER
from adapters.rakuten.desk.simulator import make
from syncd.testing.desk_conformance import DeskCase, DeskKit, NotApplicable, desk_cases
from syncd.testing.loop import run_virtual

KIT = DeskKit(adapter=ADAPTER, make=make)


@pytest.mark.parametrize("case", desk_cases(), ids=lambda case: case.name)
def test_rakutens_inquiries_conform(case: DeskCase) -> None:
    """The adapter holds what every desk has to hold."""
    try:
        run_virtual(lambda: case.run(KIT))
    except NotApplicable as reason:
        pytest.skip(str(reason))


@pytest.mark.parametrize("name", ["reading:a_ticket_is_told_as_it_is", "update:the_same_event_twice_is_one_change"])
def test_it_holds_over_sockets(name: str) -> None:
    """Some of it holds over real connections."""
    case = next(case for case in desk_cases() if case.name == name)
    asyncio.run(case.run(KIT))
