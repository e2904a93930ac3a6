"""What a person should mend in a shop, said in sentences: pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from adapters.qoo10 import keys
from adapters.qoo10.settings import Qoo10Settings
from adapters.qoo10.shelf import Shelf
from adapters.qoo10.wire import DAY_US
from syncd.sdk.channel import Instant

MOST_NAMED = 5
ENDING_DAYS = 30
"""How long before the end of a sale a person is told."""


def advice(settings: Qoo10Settings, shelf: Shelf, *, refused: Sequence[str], now: Instant) -> list[str]:
    """Return a sentence per thing to mend, as far as the shop was read by now; empty when all is well.

    `refused` are the methods that the key may not call.
    """
    return [
        *(
            f"The key has no right to {name}: ask Qoo10 for it, or make the key with the shop's main user."
            for name in refused
        ),
        *keys.advice(settings, now=now),
        *_uncoded(shelf.uncoded()),
        *_doubles(shelf.doubles()),
        *_ending(shelf.ending(before=now + ENDING_DAYS * DAY_US)),
    ]


def _uncoded(items: Sequence[str]) -> Iterator[str]:
    if items:
        yield (
            f"{len(items)} items have option rows without a seller option code of their own ({_named(items)}): give "
            "each row one, orders name their rows by it."
        )


def _doubles(names: Sequence[str]) -> Iterator[str]:
    if names:
        yield f"{len(names)} SKUs stand on more than one listing ({_named(names)}): map their listings by hand."


def _ending(items: Sequence[str]) -> Iterator[str]:
    if items:
        yield (
            f"The sale of {len(items)} items ends within {ENDING_DAYS} days or has ended ({_named(items)}): set a "
            "later end of sale in QSM."
        )


def _named(names: Sequence[str]) -> str:
    return ", ".join(names[:MOST_NAMED]) + (", ..." if len(names) > MOST_NAMED else "")
