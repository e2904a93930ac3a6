"""What a person should mend in a shop, said in sentences: pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import msgspec

from adapters.rakuten import wire
from adapters.rakuten.goods import Known
from syncd.sdk.channel import Instant

MOST_NAMED = 5
WARNED_DAYS = 14
DAY_US = 86_400 * wire.SECOND_US


class Expiry(msgspec.Struct, frozen=True, rename="camel"):
    """Answer of license.expiryDate.get; its time has no zone and is Japanese (measured by a public client, 2026)."""

    expiry_date: str


def advice(*, refused: Sequence[str], expires_at: Instant | None, known: Known, now: Instant) -> list[str]:
    """Return a sentence per thing to mend; empty when all is well. `refused` names functions that were refused."""
    return [*_rights(refused), *_ending(expires_at, now), *_stock(known)]


def _rights(refused: Sequence[str]) -> Iterator[str]:
    for name in refused:
        yield f"The function {name} is refused: set it to 利用中 in RMS (WEB APIサービス, 利用機能編集)."


def _ending(expires_at: Instant | None, now: Instant) -> Iterator[str]:
    if expires_at is None:
        return
    days = (expires_at - now) // DAY_US
    if expires_at <= now:
        yield "The licenseKey is over: make a new one in RMS and put it into license_key."
    elif days < WARNED_DAYS:
        yield (
            f"The licenseKey ends in {days} days: make a new one in RMS, and keep this one until the new one works "
            "(that may take more than an hour)."
        )


def _stock(known: Known) -> Iterator[str]:
    if known.unlimited:
        yield (
            f"Stock is not limited (在庫設定なし, unlimitedInventoryFlag) for {_named(known.unlimited)}: "
            "Rakuten sells them at zero. Set them to limited stock."
        )
    if known.backordered:
        yield (
            f"Backorders are taken (backOrderFlag) for {_named(known.backordered)}: Rakuten sells them at zero. "
            "Switch this off unless you mean it."
        )
    if known.restocking:
        yield (
            f"Rakuten puts units back by itself at a cancel (restockOnCancel) for {_named(known.restocking)}: "
            "switch this off, syncd does it, and a unit may otherwise be for sale twice for a while."
        )


def _named(names: Collection[str]) -> str:
    more = ", ..." if len(names) > MOST_NAMED else ""
    return f"{len(names)} SKUs ({', '.join(sorted(names)[:MOST_NAMED])}{more})"
