"""Which desk opens tickets for those who have none."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from syncd.app import wait_rules
from syncd.core.tickets import DeskId
from syncd.sdk.desk import DeskProfile
from syncd.settings import Escalation, Letters, Settings, Waitlist


@pytest.mark.parametrize(
    ("desks", "named", "chosen"),
    [
        ({"a": True}, "", "a"),
        ({"a": True, "inbox": False}, "", "a"),
        ({"a": True, "b": True, "inbox": False}, "", None),
        ({"a": True, "b": True}, "b", "b"),
        ({"a": True, "inbox": False}, "inbox", "a"),
        ({"inbox": False}, "", None),
    ],
)
def test_a_desk_at_which_only_customers_open_tickets_is_never_chosen(
    desks: dict[str, bool], named: str, chosen: str | None
) -> None:
    """The desk of the settings opens tickets, else the only one that can; without such a one nobody does."""
    settings = SimpleNamespace(waitlist=Waitlist(desk=named), letters=Letters(), escalation=Escalation())
    open_ = {
        DeskId(name): SimpleNamespace(
            desk=SimpleNamespace(profile=DeskProfile(opens=opens)), settings=SimpleNamespace(account=f"{name}-shop")
        )
        for name, opens in desks.items()
    }
    plant = SimpleNamespace(settings=cast("Settings", settings), desks=open_, roster={})
    rules = wait_rules(cast("Any", plant))
    assert rules.desk == chosen
    assert rules.homes == {name: f"{name}-shop" for name in desks}
