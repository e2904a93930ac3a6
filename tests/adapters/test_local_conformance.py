"""The local desk holds the desk kit: in virtual time without a mailbox, and over real sockets with one."""

from __future__ import annotations

import asyncio

import pytest

from adapters.local import ADAPTER
from adapters.local.simulator import make
from syncd.testing.desk_conformance import DeskCase, DeskKit, NotApplicable, desk_cases
from syncd.testing.loop import run_virtual


@pytest.mark.parametrize("case", desk_cases(), ids=lambda case: case.name)
def test_the_local_desk_conforms(case: DeskCase) -> None:
    """The adapter holds what every desk has to hold."""
    try:
        run_virtual(lambda: case.run(DeskKit(adapter=ADAPTER, make=make)))
    except NotApplicable as reason:
        pytest.skip(str(reason))


def test_it_hears_over_sockets() -> None:
    """With a mailbox read by IMAP the cases of reading hold as well."""
    for case in desk_cases():
        if case.name.startswith("reading:"):
            asyncio.run(case.run(DeskKit(adapter=ADAPTER, make=make)))
