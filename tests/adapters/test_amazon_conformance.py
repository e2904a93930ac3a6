"""The Amazon adapter holds the conformance kit: in virtual time, at its real pace, and over real sockets."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.amazon import ADAPTER, AmazonSettings
from adapters.amazon.simulator import AmazonSimulator, make
from syncd.sdk.channel import Clock
from syncd.testing.conformance import Case, Kit, cases, samples
from syncd.testing.loop import run_virtual

KIT = Kit(adapter=ADAPTER, make=make)


class Unhurried(AmazonSimulator):
    """An account that is opened with what the settings are by themselves."""

    def settings(self, url: str) -> dict[str, Any]:
        """Return settings with their own pace."""
        fields = AmazonSettings.__dataclass_fields__
        return super().settings(url) | {name: fields[name].default for name in ("sweep_s", "confirm_s")}


def unhurried(*, skus: int, seed: int, clock: Clock) -> Unhurried:
    """Make such an account."""
    return Unhurried(skus=skus, seed=seed, clock=clock)


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_amazon_conforms(case: Case) -> None:
    """The adapter holds what every adapter has to hold."""
    run_virtual(lambda: case.run(KIT))


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_amazon_conforms_at_its_real_pace(case: Case) -> None:
    """The adapter holds it also with its usual settings, where patches and orders take their whole time."""
    run_virtual(lambda: case.run(Kit(adapter=ADAPTER, make=unhurried, time_scale=1.0)))


@pytest.mark.parametrize("case", samples(), ids=lambda case: case.name)
async def test_amazon_conforms_over_sockets(case: Case) -> None:
    """The adapter holds some of it over real connections, at the pace of the real limits."""
    await case.run(KIT)
