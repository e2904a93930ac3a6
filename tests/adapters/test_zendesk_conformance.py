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
