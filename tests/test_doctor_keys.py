"""The doctor on keys that end by themselves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from syncd import messages
from syncd.core.terms import SECOND_US, AccountId
from syncd.doctor import Patient, State, examine_channel
from syncd.sdk.channel import Adapter, Context
from syncd.sdk.features import Key
from syncd.settings import ChannelSettings
from tests.web.rig import START, Quiet, RigClock


@dataclass(frozen=True, kw_only=True)
class KeyedSettings:
    days: float | None


class Keyed(Quiet):
    def __init__(self, settings: KeyedSettings) -> None:
        days = settings.days
        self.ends = None if days is None else START + int(days * 86_400 * SECOND_US)

    async def check(self) -> list[str]:
        return []

    async def keys(self) -> list[Key]:
        return [Key(name="licence key", expires_at=self.ends)]


@asynccontextmanager
async def opened(settings: KeyedSettings, context: Context) -> AsyncIterator[Keyed]:
    yield Keyed(settings)


@pytest.mark.parametrize(
    ("days", "state", "words"),
    [
        (90.0, State.OK, "licence key holds for 90 days"),
        (14.5, State.OK, "licence key holds for 14 days"),
        (13.9, State.WARNING, "licence key expires in 13 days"),
        (-0.1, State.FAILED, "licence key has expired"),
        (None, None, ""),
    ],
)
async def test_a_key_is_told_by_what_is_left_of_it(
    tmp_path: Path, days: float | None, state: State | None, words: str
) -> None:
    """A key is well above 14 days, a warning below, and a failure after its end; one without an end is not told."""
    adapter = Adapter(name="keyed", settings=KeyedSettings, open=opened)
    patient = Patient(
        config=None,
        environ={"HOME": str(tmp_path)},
        say=lambda key, **values: messages.text(key, "en", **values),
        clock=RigClock(),
        status=dict,
        adapters={"keyed": adapter},
    )
    channel = ChannelSettings(name=AccountId("shop"), adapter="keyed", settings=KeyedSettings(days=days))
    well, *keys = await examine_channel(patient, channel)
    assert (well.state, well.check) == (State.OK, "channel shop")
    assert [key.state for key in keys] == ([] if state is None else [state])
    assert all(words in key.message for key in keys)
    assert all(bool(key.remedy) == (key.state is not State.OK) for key in keys)
