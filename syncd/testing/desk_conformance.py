"""The desk kit: what every desk adapter has to hold, played against its own simulator over HTTP.

The whole test of a desk adapter:

    from adapters.NAME import ADAPTER
    from adapters.NAME.simulator import make
    from syncd.testing.desk_conformance import DeskCase, DeskKit, desk_cases

    KIT = DeskKit(adapter=ADAPTER, make=make)

    @pytest.mark.parametrize("case", desk_cases(), ids=lambda case: case.name)
    async def test_conformance(case: DeskCase) -> None:
        '''The adapter holds what every desk has to hold.'''
        await case.run(KIT)

It runs as the kit of channels does (`syncd.testing.conformance`): with pytest or without, over sockets or in virtual
time. Words that a desk need not hold raise `NotApplicable` with the reason.
"""

from __future__ import annotations

from syncd.testing.desk_casebook import DeskCase
from syncd.testing.desk_cases.changing import CREATE, UPDATE
from syncd.testing.desk_cases.forgetting import FORGET
from syncd.testing.desk_cases.reading import READING
from syncd.testing.desk_cases.setup import PROVISION
from syncd.testing.desk_cases.trouble import ACCESS, TROUBLE
from syncd.testing.desk_cases.webhooks import WEBHOOKS
from syncd.testing.desk_stage import DeskKit
from syncd.testing.stage import NotApplicable

__all__ = ["DeskCase", "DeskKit", "NotApplicable", "desk_cases"]

_GROUPS = (READING, UPDATE, CREATE, TROUBLE, WEBHOOKS, PROVISION, ACCESS, FORGET)


def desk_cases() -> list[DeskCase]:
    """Return every case, in the order in which they build on each other."""
    return [case for group in _GROUPS for case in group.cases]
