"""The order lines that are remembered, so that an order is always told with all its lines: pure.

A search brings lines of one state; the other lines of the same cart may be in another state, or cancelled. A line that
is missing from what is told would count as cancelled. So a cart is told from here: with everything that was ever read
of it. After a start nothing is told before one deep scan has read everything again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from adapters.qoo10 import orders
from adapters.qoo10.orders import Claim, Known, Line
from syncd.sdk.channel import Instant, OrderSnapshot


@dataclass(slots=True)
class _Entry:
    """What is known of one line, and when each part of it was read."""

    line: Line | None = None
    line_at: Instant = 0
    cancel: Claim | None = None
    cancel_at: Instant = 0
    back: Claim | None = None
    back_at: Instant = 0
    paid_by: Instant | None = None


@dataclass(slots=True)
class Book:
    """The lines of one shop.

    `running` is the start of the scan that runs, `touched` the carts that it has brought. `warm` says that a deep scan
    was read to its end.
    """

    warm: bool = False
    running: Instant = 0
    touched: dict[str, None] = field(default_factory=dict)
    _entries: dict[str, _Entry] = field(default_factory=dict)
    _packs: dict[str, dict[str, None]] = field(default_factory=dict)
    _gone: set[str] = field(default_factory=set)
    _not_there: set[str] = field(default_factory=set)
    _told: dict[str, tuple[OrderSnapshot, Instant]] = field(default_factory=dict)

    def begin(self, began: Instant) -> None:
        """Start noting what a scan brings, unless it is the one that runs already."""
        if began != self.running:
            self.running = began
            self.touched = {}
            self._gone = set()

    # --- learning ---

    def learn_line(self, line: Line, *, at: Instant, touch: bool = True) -> None:
        """Note a line as it was read in a read that began at `at`."""
        entry = self._entry(line.order_no, line.pack_no)
        if touch:
            self.touched[line.pack_no] = None
        if at < entry.line_at:
            return
        entry.line, entry.line_at = line, at
        if entry.paid_by is None and line.status != orders.UNPAID:
            entry.paid_by = at
        if line.paid is not None:
            entry.paid_by = line.paid.latest

    def learn_claim(self, claim: Claim, *, at: Instant, touch: bool) -> None:
        """Note a claim; one that is final is not replaced by one that is not."""
        pack_no = claim.pack_no or self.pack_of(claim.order_no) or claim.order_no
        entry = self._entry(claim.order_no, pack_no)
        if touch:
            self.touched[pack_no] = None
        if claim.kind in orders.CANCELS:
            if _replaces(entry.cancel, entry.cancel_at, claim, at):
                entry.cancel, entry.cancel_at = claim, at
        elif _replaces(entry.back, entry.back_at, claim, at):
            entry.back, entry.back_at = claim, at

    def learn_exact(self, line: Line, claim: Claim | None, *, at: Instant) -> None:
        """Note a line that was read by its number, with the claim that it has now, if any."""
        self.learn_line(line, at=at)
        self._drop_open_claims(line.order_no, before=at)
        if claim is not None:
            self.learn_claim(claim, at=at, touch=True)

    def learn_not_there(self, order_no: str) -> None:
        """Note that we asked for a cancel for want of stock: claims do not state reasons in words that are known."""
        self._not_there.add(order_no)

    def learn_missing(self, order_no: str) -> None:
        """Note that a number leads to no line; it is not asked for again in this scan."""
        self._gone.add(order_no)

    def deep_done(self, began: Instant, *, farthest: Instant) -> None:
        """Note that a deep scan ends: claims that it did not find any more were taken back, old carts are forgotten."""
        self.warm = True
        for order_no, entry in self._entries.items():
            covered = entry.line is not None and entry.line.ordered.earliest >= farthest
            if covered and self._drop_open_claims(order_no, before=began):
                self.touched[self.pack_of(order_no)] = None
        self._forget(before=farthest)

    def _drop_open_claims(self, order_no: str, *, before: Instant) -> bool:
        entry = self._entries[order_no]
        cancel = entry.cancel is not None and entry.cancel.kind not in orders.FINAL and entry.cancel_at < before
        back = entry.back is not None and entry.back.kind not in orders.FINAL and entry.back_at < before
        entry.cancel = None if cancel else entry.cancel
        entry.back = None if back else entry.back
        return cancel or back

    def _forget(self, *, before: Instant) -> None:
        """Forget carts that are done with and older than what a deep scan reads, and claims that it did not find."""
        for pack_no in [pack_no for pack_no in self._packs if pack_no not in self.touched]:
            known = self.known(pack_no)
            if any(one.open or one.line.ordered.earliest >= before for one in known):
                continue
            entries = [self._entries[order_no] for order_no in self._packs[pack_no]]
            if known or all(max(entry.cancel_at, entry.back_at) < self.running for entry in entries):
                self._told.pop(pack_no, None)
                for order_no in self._packs.pop(pack_no):
                    del self._entries[order_no]
                    self._not_there.discard(order_no)

    def _entry(self, order_no: str, pack_no: str) -> _Entry:
        entry = self._entries.get(order_no)
        if entry is None:
            entry = self._entries[order_no] = _Entry()
        elif (old := self.pack_of(order_no)) and old != pack_no:
            self._packs[old].pop(order_no, None)
        self._packs.setdefault(pack_no, {})[order_no] = None
        return entry

    # --- telling ---

    def pack_of(self, order_no: str) -> str:
        """Return the cart of a line; `""` where it is not known."""
        entry = self._entries.get(order_no)
        if entry is None:
            return ""
        for stated in (entry.line, entry.cancel, entry.back):
            if stated is not None and stated.pack_no:
                return stated.pack_no
        return ""

    def numbers(self, pack_no: str) -> list[str]:
        """Return the numbers of the lines of a cart; none for a cart that is not known."""
        return list(self._packs.get(pack_no, ()))

    def known(self, pack_no: str) -> list[Known]:
        """Return the lines of a cart, by their numbers; those of which only a claim was read are left out."""
        entries = [self._entries[order_no] for order_no in sorted(self._packs.get(pack_no, ()), key=_in_order)]
        return [
            Known(line=entry.line, cancel=self._reasoned(entry.cancel), back=entry.back, paid_by=entry.paid_by)
            for entry in entries
            if entry.line is not None
        ]

    def _reasoned(self, claim: Claim | None) -> Claim | None:
        if claim is None or claim.order_no not in self._not_there:
            return claim
        return replace(claim, for_want_of_stock=True)

    def unread(self, packs: Iterable[str]) -> list[str]:
        """Return the numbers of lines of these carts that were named somewhere and not read yet."""
        wanted: dict[str, None] = {}
        for pack_no in packs:
            for order_no in self.numbers(pack_no):
                line = self._entries[order_no].line
                for number in (order_no,) if line is None else line.related:
                    if number not in self._gone and not self._is_read(number):
                        wanted[number] = None
        return list(wanted)

    def is_news(self, order: OrderSnapshot, *, since: Instant) -> bool:
        """Say whether an order is to be told, and note that the running scan tells it.

        It is not where the same was told by a scan that began by `since`: the cursor that a scan leaves behind says
        that all it told is stored.
        """
        timeless = replace(order, read_at=0)
        before = self._told.get(order.order_id)
        if before is None or before[0] != timeless:
            self._told[order.order_id] = (timeless, self.running)
            return True
        return before[1] > since

    def _is_read(self, order_no: str) -> bool:
        entry = self._entries.get(order_no)
        return entry is not None and entry.line is not None


def _replaces(old: Claim | None, old_at: Instant, new: Claim, new_at: Instant) -> bool:
    if old is None:
        return True
    if (old.kind in orders.FINAL) != (new.kind in orders.FINAL):
        return new.kind in orders.FINAL
    return new_at >= old_at


def _in_order(order_no: str) -> tuple[int, str]:
    return len(order_no), order_no
