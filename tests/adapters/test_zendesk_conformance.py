"""The Zendesk adapter holds the desk kit: in virtual time, on a slow account, and over real sockets."""

from __future__ import annotations

import pytest

from adapters.zendesk import ADAPTER
from adapters.zendesk.simulator import make
from syncd.testing.desk_conformance import DeskCase, DeskKit, desk_cases
from syncd.testing.loop import run_virtual

KIT = DeskKit(adapter=ADAPTER, make=make)


@pytest.mark.parametrize("case", desk_cases(), ids=lambda case: case.name)
def test_zendesk_conforms(case: DeskCase) -> None:
    """The adapter holds what every desk has to hold."""
    run_virtual(lambda: case.run(KIT))


SOCKETS = ("reading:a_ticket_is_told_as_it_is", "update:a_letter_reaches_the_customer", "create:a_key_opens_one_ticket")


@pytest.mark.parametrize("name", SOCKETS)
async def test_zendesk_conforms_over_sockets(name: str) -> None:
    """The adapter holds some of it over real connections."""
    case = next(case for case in desk_cases() if case.name == name)
    await case.run(KIT)


SLOW = DeskKit(adapter=ADAPTER, make=make, time_scale=1.0)


@pytest.mark.parametrize("name", [case.name for case in desk_cases() if case.name.startswith(("reading:", "trouble:"))])
def test_zendesk_conforms_on_a_slow_account(name: str) -> None:
    """The adapter holds it also where jobs and the index take their whole time."""
    case = next(case for case in desk_cases() if case.name == name)
    run_virtual(lambda: case.run(SLOW))
