"""Decide what a listing shows beside its number: the limit of one order, a closed page, the day of a preorder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from syncd.core.exposure import Policy
from syncd.core.preorder import ready_day
from syncd.core.terms import SkuId
from syncd.engine.rooms import available_at, coming, today_of
from syncd.engine.slots import Slot, is_taken_down
from syncd.engine.work import Work
from syncd.store import displays
from syncd.store.displays import NOTHING, Display, Showing


def show_beside(work: Work, sku_id: SkuId, slots: Sequence[Slot], aims: Mapping[int, int]) -> None:
    """Have what is to stand beside the numbers of a SKU brought to the channels that can show it."""
    mine = [(x, slot) for slot in slots if slot.rules.displays for x in slot.listings]
    asked = any(_asks(slot.policy) for _, slot in mine)
    if not mine or not (asked or work.present.displays):
        return
    known = displays.load(work.conn, [listing.id for listing, _ in mine])
    for listing, slot in mine:
        one = known.get(listing.id)
        wanted = _wanted(work, sku_id, slot, aims.get(listing.id), closable=not is_taken_down(listing, one))
        if one is None and wanted != NOTHING:
            one = Display(listing_id=listing.id, account=slot.account)
        if one is not None and one.wanted != wanted:
            one.wanted, one.due_at, one.attempts, one.since = wanted, work.now, 0, work.now
            one.reason = "no unit to sell" if wanted.hidden else ""
            work.displays[listing.id] = one


def _asks(policy: Policy) -> bool:
    return policy.hide or policy.preorder or policy.purchase_limit is not None


def _wanted(work: Work, sku_id: SkuId, slot: Slot, aim: int | None, *, closable: bool) -> Showing:
    policy, rules, day = slot.policy, slot.rules, ""
    if rules.days and policy.preorder and coming(work, sku_id):
        parts = work.parts_of(sku_id)
        days = (
            ready_day(available_at(work, part, work.shelf(part)) // units, work.incoming[part], today=today_of(work))
            for part, units in parts
        )
        day = max(days, default="")
    return Showing(
        purchase_limit=policy.purchase_limit if rules.limits else None,
        hidden=rules.pages and policy.hide and aim == 0 and closable,
        ready_day=day if aim else "",
    )
