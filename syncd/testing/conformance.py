"""The conformance kit: what every channel adapter has to hold, played against its own simulator over HTTP.

The whole test of an adapter:

    from adapters.NAME import ADAPTER
    from adapters.NAME.simulator import make
    from syncd.testing.conformance import Case, Kit, cases

    KIT = Kit(adapter=ADAPTER, make=make)

    @pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
    async def test_conformance(case: Case) -> None:
        '''The adapter holds what every adapter has to hold.'''
        await case.run(KIT)

Without pytest a case is the same: `run` raises `AssertionError` with a sentence, or `NotApplicable` with the reason
why the channel need not hold it (pytest takes that for a skip). In a virtual loop (`syncd.testing.loop.run_virtual`)
it runs in no time, and with the case that waits for an answer that never comes:

    run_virtual(lambda: case.run(KIT))
"""

from __future__ import annotations

from syncd.testing.casebook import Case
from syncd.testing.cases.access import ACCESS
from syncd.testing.cases.catalogue import LISTINGS, PROFILE
from syncd.testing.cases.display import DISPLAY
from syncd.testing.cases.feed import FEED
from syncd.testing.cases.offers import OFFERS
from syncd.testing.cases.orders import FETCH, ORDERS
from syncd.testing.cases.readings import SEEN
from syncd.testing.cases.trouble import TROUBLE
from syncd.testing.cases.webhooks import WEBHOOKS
from syncd.testing.cases.writes import PUSH
from syncd.testing.stage import Kit, NotApplicable

__all__ = ["Case", "Kit", "NotApplicable", "cases", "samples"]

_GROUPS = (PROFILE, LISTINGS, FEED, ORDERS, FETCH, SEEN, PUSH, DISPLAY, OFFERS, TROUBLE, WEBHOOKS, ACCESS)


def cases() -> list[Case]:
    """Return every case, in the order in which they build on each other."""
    return [case for group in _GROUPS for case in group.cases]


def samples() -> list[Case]:
    """Return the first case of each group, for real sockets where a channel's rate limits would make all of them slow.

    Faults are left out: they are waited out, which virtual time is for.
    """
    return [group.cases[0] for group in _GROUPS if group is not TROUBLE]
