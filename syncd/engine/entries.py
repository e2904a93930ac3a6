"""Make entries: the rows of those who wait, and their place in the line."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from syncd.core import restock
from syncd.core.kits import explode
from syncd.core.restock import WITHOUT_ORDER
from syncd.core.terms import SECOND_US, AccountId, Instant, SkuId
from syncd.core.tickets import TicketState
from syncd.engine.escalating import weigh
from syncd.engine.work import Work
from syncd.store import listings, waiting
from syncd.store.open_lines import Owed
from syncd.store.waiting import Entry


def add_order_entry(work: Work, line: Owed) -> Entry:
    """Make an entry for an order line."""
    key = f"{line.account}:{line.order_id}:{line.line_id}"
    values = entry_values(
        source="order",
        key=key,
        sku_id=line.sku_id,
        quantity=line.units,
        state=TicketState.PENDING.value,
        since=line.ordered_at,
        account=line.account,
        order_row=line.order_row,
        line_id=line.line_id,
        order_number=line.number,
        amount=line.amount,
        currency=line.currency,
    )
    new = waiting.add_entry(work.conn, values)
    entry = waiting.by_keys(work.conn, "order", [key])[key]
    if new is not None:
        weigh(work, entry)
    return entry


def entry_values(**values: Any) -> dict[str, Any]:
    """Return the columns of a new entry; what is not given is empty."""
    empty = dict.fromkeys(("account", "line_id", "order_number", "amount", "currency", "language", "due_on"), "")
    return {**empty, "order_row": None, "contact_id": None, **values}


def need_row(work: Work, entry: Entry, sku_id: SkuId, units: int, *, tier: int) -> dict[str, int]:
    """Return the row of what an entry lacks, at its place in the line."""
    due = day_start(entry.due_on)
    place = restock.rank(work.house.waiting.line, since=entry.since, amount=entry.amount, due=due)
    return {"entry_id": entry.id, "sku_id": sku_id, "units": units, "tier": tier, "rank": place}


def day_start(day: str) -> Instant | None:
    """Return the begin of a day as 2026-12-01 (UTC), None for an empty one; raises ValueError for what is no day."""
    if not day:
        return None
    found = date.fromisoformat(day)
    return int(datetime(found.year, found.month, found.day, tzinfo=UTC).timestamp()) * SECOND_US


def is_day(text: str) -> bool:
    """Say whether a text is a day, or empty."""
    try:
        day_start(text)
    except ValueError:
        return False
    return len(text) in (0, 10)


def join_line(work: Work, entry: Entry) -> None:
    """Let an entry without an order stand in the line of its SKU, or of its kit's components."""
    work.load_skus([entry.sku_id])
    parts = explode(entry.sku_id, entry.quantity, work.kits)
    rows = [need_row(work, entry, part, units, tier=WITHOUT_ORDER) for part, units in parts]
    waiting.add_needs(work.conn, rows)
    for part, _ in parts:
        work.touch(part)


def way_to_buy(work: Work, sku_id: SkuId, account: AccountId | None) -> str:
    """Return the channel on which somebody may buy a SKU: the one that is named, else the first that lists it.

    Empty where nobody sells it.
    """
    if account is not None and account in work.house.rules:
        return account
    accounts = {listing.account for listing in listings.of_skus(work.conn, [sku_id]) if not listing.vanished}
    return next((name for name in work.house.rules if name in accounts), "")


def reopen(entry: Entry) -> None:
    """Let an entry wait again that was done; one that left stays so."""
    if entry.closed_at is not None and entry.reason in {state.value for state in TicketState}:
        entry.closed_at, entry.reason, entry.state = None, "", TicketState.PENDING
