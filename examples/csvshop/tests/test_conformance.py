"""The adapter holds the conformance kit, in virtual time and over real sockets."""

# ruff: noqa: INP001  (a folder of tests is no package)

from __future__ import annotations

import asyncio

import pytest
from syncd_csvshop import ADAPTER
from syncd_csvshop.simulator import make

from syncd.testing.conformance import Case, Kit, cases
from syncd.testing.loop import run_virtual

KIT = Kit(adapter=ADAPTER, make=make)
QUICK = [case for case in cases() if not case.name.startswith("trouble:")]
"""Faults are waited out: they are played in virtual time only."""


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_conformance(case: Case) -> None:
    """The adapter holds what every adapter has to hold."""
    run_virtual(lambda: case.run(KIT))


@pytest.mark.parametrize("case", QUICK, ids=lambda case: case.name)
def test_conformance_over_sockets(case: Case) -> None:
    """It holds it over real connections too."""
    asyncio.run(case.run(KIT))
