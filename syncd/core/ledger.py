"""Derive movements from order snapshots: the new statement of an order against what is stored of it.

A channel's orders are statements, not events. Every number of a line is cumulative, so the difference between two
statements is what happened in between, whatever was lost, doubled or out of order on the way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from syncd.core.terms import UNPLACED, Comeback, Instant, Location, OrderLine, OrderSnapshot, SkuId


class MovementKind(StrEnum):
    """Why the numbers of a SKU at a location changed."""

    OPENING = "opening"
    """The first count; from here on the SKU may be written to channels."""
    COMMIT = "commit"
    """Units are promised to an order."""
    RELEASE = "release"
    """Units are not promised any more."""
    SHIP = "ship"
    """Promised units left the house."""
    RETURN = "return"
    """Shipped units came back and can be sold."""
    PHANTOM = "phantom"
    """A cancelled unit was never there: it leaves the count."""
    DAMAGE = "damage"
    """Units cannot be sold any more."""
    RECEIVE = "receive"
    ADJUST = "adjust"
    COUNT = "count"
    """A later count found another number."""
    HOLD = "hold"
    """Units are kept back without an order: a sale that a channel seems to have made, a waiting ticket."""
    UNHOLD = "unhold"


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """A movement to be written: differences, in units. `reference` is unique per source."""

    reference: str
    sku_id: SkuId
    location: Location
    kind: MovementKind
    on_hand: int = 0
    committed: int = 0
    held: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredLine:
    """A line as it is stored: cumulative numbers, `sku_id` None while it is in quarantine."""

    line_id: str
    sku_id: SkuId | None
    location: Location
    quantity: int
    cancelled: int
    shipped: int
    returned: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredOrder:
    """An order as it is stored; `lines` by line id."""

    version: int | None
    read_at: Instant
    cancelled: bool
    ignored: bool
    lines: Mapping[str, StoredLine]


class Standing(StrEnum):
    """What a snapshot is, compared with what is stored."""

    NEW = "new"
    CHANGED = "changed"
    DUPLICATE = "duplicate"
    """No line and no cancel differs. Its version and read still count where they are later than those stored."""
    OLDER = "older"
    """It states an earlier moment: nothing changes."""
    IGNORED = "ignored"
    """A test order, or one that was closed before the shop was adopted."""
    REFETCH = "refetch"
    """A cancelled order seems open again: nothing changes until it is read by its id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What follows from a snapshot.

    `lines` is the new state of the lines that changed, and only of those. `unmapped` names the lines of the snapshot
    that are in quarantine, changed or not. Only NEW, CHANGED and (`unmapped` alone) DUPLICATE carry anything.
    """

    standing: Standing
    postings: tuple[Posting, ...] = ()
    lines: tuple[StoredLine, ...] = ()
    unmapped: tuple[str, ...] = ()


_OLDER: Final = Comparison(standing=Standing.OLDER)
_IGNORED: Final = Comparison(standing=Standing.IGNORED)
_REFETCH: Final = Comparison(standing=Standing.REFETCH)
_NO_LINES: Final[Mapping[str, StoredLine]] = {}
_NOTHING: Final = StoredLine(line_id="", sku_id=None, location=UNPLACED, quantity=0, cancelled=0, shipped=0, returned=0)


def outstanding(line: StoredLine) -> int:
    """Return the units of a line that are still to be shipped; 0 also when more left than was ordered."""
    return max(0, line.quantity - line.cancelled - line.shipped)


def compare(
    order: OrderSnapshot,
    *,
    stored: StoredOrder | None,
    resolved: Mapping[str, SkuId | None],
    locations: Mapping[str, Location],
    kits: Mapping[SkuId, tuple[tuple[SkuId, int], ...]],
    adopted_at: Instant | None,
) -> Comparison:
    """Say what a snapshot changes: movements to write and lines to store.

    `resolved` and `locations` go by line id; a line that `resolved` does not know is unmapped and moves nothing, a line
    that `locations` does not know stays where it is. A line once mapped keeps its SKU. A line mapped since it was
    stored moves as if nothing of it had been stored, also when the snapshot repeats what is stored. A line that is
    gone from the snapshot counts as cancelled, sellable. A number that falls back is posted in reverse, by what the
    line now says of cancelled and returned units.

    References are `order:line:what:cumulative@version`, for components of a kit with `/component` after it: a repeat is
    the same reference, a number reached a second time under a later version is another one.
    """
    early = adopted_at is not None and order.ordered_at < adopted_at
    if _is_ignored(order, stored=stored, early=early):
        return _IGNORED
    age = 1 if stored is None else _age(order, stored)
    if age < 0:
        return _OLDER
    reopens = stored is not None and stored.cancelled and not order.cancelled
    if reopens and age > 0 and not order.fresh:
        return _REFETCH
    draft = _Draft(order, kits=kits, stamp=_stamp(order, stored))
    draft.restated = stored is not None and stored.cancelled != order.cancelled
    draft.outstanding_only = early and stored is None
    _state_lines(draft, order=order, stored=stored, resolved=resolved, locations=locations)
    if age == 0 and draft.restated:
        return _OLDER
    return draft.comparison(first=stored is None)


def _is_ignored(order: OrderSnapshot, *, stored: StoredOrder | None, early: bool) -> bool:
    """Tell whether the order moves nothing, now and later."""
    if stored is not None:
        return stored.ignored or order.test
    return order.test or (early and (order.closed or order.cancelled))


def _age(order: OrderSnapshot, stored: StoredOrder) -> int:
    """Return -1 for a snapshot older than what is stored, 1 for one that may change it, 0 for one that may not.

    Two statements can have one version (a channel that counts in seconds): then the later read wins, or the one that
    was read for its own sake. A repeat is 0: it may map a line, but it cannot bring other numbers.
    """
    if order.version is None or stored.version is None:
        return -1 if order.read_at < stored.read_at else 1
    if order.version != stored.version:
        return 1 if order.version > stored.version else -1
    return 1 if order.fresh or order.read_at > stored.read_at else 0


def _stamp(order: OrderSnapshot, stored: StoredOrder | None) -> str:
    """Return the end of all references of this snapshot.

    Where the version alone does not tell it from what is stored, the read does.
    """
    if order.version is None:
        return f"@{order.read_at}"
    if stored is not None and (stored.version is None or stored.version == order.version):
        return f"@{order.version}+{order.read_at}"
    return f"@{order.version}"


class _Draft:
    """What one comparison has found so far; lives within one call of `compare`.

    `restated` is set when the snapshot brings other numbers or places than are stored, not when a line got mapped.
    """

    __slots__ = ("kits", "lines", "order_id", "outstanding_only", "postings", "restated", "stamp", "unmapped")

    def __init__(
        self, order: OrderSnapshot, *, kits: Mapping[SkuId, tuple[tuple[SkuId, int], ...]], stamp: str
    ) -> None:
        self.order_id = order.order_id
        self.kits = kits
        self.stamp = stamp
        self.restated = False
        self.outstanding_only = False
        self.postings: list[Posting] = []
        self.lines: list[StoredLine] = []
        self.unmapped: list[str] = []

    def comparison(self, *, first: bool) -> Comparison:
        """Return what was found."""
        standing = Standing.CHANGED if self.restated or self.lines else Standing.DUPLICATE
        return Comparison(
            standing=Standing.NEW if first else standing,
            postings=tuple(self.postings),
            lines=tuple(self.lines),
            unmapped=tuple(self.unmapped),
        )

    def post(
        self,
        kind: MovementKind,
        *,
        line: StoredLine,
        what: str,
        cumulative: int,
        on_hand: int = 0,
        committed: int = 0,
    ) -> None:
        """Write a movement at the place of `line`, or one per component of its kit; nothing where nothing moves."""
        sku_id = line.sku_id
        assert sku_id is not None, "a line in quarantine moves nothing"
        if on_hand == 0 and committed == 0:
            return
        reference = f"{self.order_id}:{line.line_id}:{what}:{cumulative}{self.stamp}"
        for component_id, per_line in self.kits.get(sku_id) or ((sku_id, 1),):
            self.postings.append(
                Posting(
                    reference=reference if component_id == sku_id else f"{reference}/{component_id}",
                    sku_id=component_id,
                    location=line.location,
                    kind=kind,
                    on_hand=on_hand * per_line,
                    committed=committed * per_line,
                )
            )


def _state_lines(
    draft: _Draft,
    *,
    order: OrderSnapshot,
    stored: StoredOrder | None,
    resolved: Mapping[str, SkuId | None],
    locations: Mapping[str, Location],
) -> None:
    """State every line of the snapshot, and cancel those that it has lost."""
    known = _NO_LINES if stored is None else stored.lines
    line_ids = {line.line_id for line in order.lines}
    assert len(line_ids) == len(order.lines), "line ids are unique in an order"
    for line in order.lines:
        before = known.get(line.line_id)
        after = _restate(
            line,
            before=before,
            order_cancelled=order.cancelled,
            sku_id=resolved.get(line.line_id),
            location=locations.get(line.line_id),
        )
        if after.sku_id is None:
            draft.unmapped.append(line.line_id)
        if after is not before:
            _change(draft, before=before, after=after, line=line)
    for line_id, before in known.items():
        if line_id not in line_ids and outstanding(before):
            _vanish(draft, before)


def _restate(
    line: OrderLine,
    *,
    before: StoredLine | None,
    order_cancelled: bool,
    sku_id: SkuId | None,
    location: Location | None,
) -> StoredLine:
    """Return the line as it is to be stored: `before` itself when nothing differs."""
    quantity, cancelled, shipped, returned = line.quantity, line.cancelled, line.shipped, line.returned
    assert min(quantity, cancelled, shipped, returned) >= 0, "quantities were checked when they came in"
    if order_cancelled and quantity - shipped > cancelled:
        cancelled = quantity - shipped
    if before is not None:
        sku_id = sku_id if before.sku_id is None else before.sku_id
        location = before.location if location is None else location
        if (
            before.quantity == quantity
            and before.cancelled == cancelled
            and before.shipped == shipped
            and before.returned == returned
            and before.location == location
            and before.sku_id == sku_id
        ):
            return before
    return StoredLine(
        line_id=line.line_id,
        sku_id=sku_id,
        location=UNPLACED if location is None else location,
        quantity=quantity,
        cancelled=cancelled,
        shipped=shipped,
        returned=returned,
    )


def _vanish(draft: _Draft, before: StoredLine) -> None:
    """Cancel what is outstanding of a line that the channel does not state any more."""
    after = replace(before, cancelled=before.quantity - before.shipped)
    draft.restated = True
    draft.lines.append(after)
    if after.sku_id is not None:
        _post_cancelled(draft, before=before, after=after, cancelled_as=Comeback.SELLABLE)


def _change(draft: _Draft, *, before: StoredLine | None, after: StoredLine, line: OrderLine) -> None:
    """Note a line that differs from what is stored, and post its movements unless it is in quarantine."""
    draft.lines.append(after)
    if before is None or _differs(before, after):
        draft.restated = True
    if after.sku_id is None:
        return
    if draft.outstanding_only:
        # What left the house before the opening count is not in that count.
        draft.post(
            MovementKind.COMMIT, line=after, what="commit", cumulative=after.quantity, committed=outstanding(after)
        )
        return
    if before is None or before.sku_id is None:
        before = _NOTHING
    elif before.location != after.location:
        _post_moved(draft, before=before, after=after)
    _post_numbers(draft, before=before, after=after, line=line)


def _differs(before: StoredLine, after: StoredLine) -> bool:
    """Tell whether the channel states something else; a line that only got mapped states the same."""
    return (
        before.quantity != after.quantity
        or before.cancelled != after.cancelled
        or before.shipped != after.shipped
        or before.returned != after.returned
        or (before.location != after.location and before.sku_id is not None)
    )


def _post_moved(draft: _Draft, *, before: StoredLine, after: StoredLine) -> None:
    """Move what was outstanding from the line's old place to its new one."""
    units = outstanding(before)
    draft.post(MovementKind.RELEASE, line=before, what="release.moved", cumulative=units, committed=-units)
    draft.post(MovementKind.COMMIT, line=after, what="commit.moved", cumulative=units, committed=units)


def _post_numbers(draft: _Draft, *, before: StoredLine, after: StoredLine, line: OrderLine) -> None:
    """Post what changed in the order ordered, cancelled, shipped, returned.

    Each step commits the difference of what is outstanding before and after it, so that the sum of all commits is what
    is outstanding, however odd the numbers are.
    """
    if before.quantity != after.quantity:
        _post_ordered(draft, before=before, after=after)
    if before.cancelled != after.cancelled:
        _post_cancelled(draft, before=before, after=after, cancelled_as=line.cancelled_as)
    if before.shipped != after.shipped:
        owed = after.quantity - after.cancelled
        draft.post(
            MovementKind.SHIP,
            line=after,
            what="ship",
            cumulative=after.shipped,
            on_hand=before.shipped - after.shipped,
            committed=max(0, owed - after.shipped) - max(0, owed - before.shipped),
        )
    if before.returned != after.returned and line.returned_as is Comeback.SELLABLE:
        draft.post(
            MovementKind.RETURN,
            line=after,
            what="return",
            cumulative=after.returned,
            on_hand=after.returned - before.returned,
        )


def _post_ordered(draft: _Draft, *, before: StoredLine, after: StoredLine) -> None:
    """Commit units ordered in addition, release units that the order was cut by."""
    gone = before.cancelled + before.shipped
    change = max(0, after.quantity - gone) - max(0, before.quantity - gone)
    if change >= 0:
        draft.post(MovementKind.COMMIT, line=after, what="commit", cumulative=after.quantity, committed=change)
    else:
        # A cancel in the same snapshot may reach the same number: the two must not share a reference.
        draft.post(
            MovementKind.RELEASE, line=after, what="release.ordered", cumulative=after.quantity, committed=change
        )


def _post_cancelled(draft: _Draft, *, before: StoredLine, after: StoredLine, cancelled_as: Comeback) -> None:
    """Release cancelled units, and take off the count those that cannot be sold."""
    owed, cancelled = after.quantity - before.shipped, after.cancelled
    draft.post(
        MovementKind.RELEASE,
        line=after,
        what="release",
        cumulative=cancelled,
        committed=max(0, owed - cancelled) - max(0, owed - before.cancelled),
    )
    if cancelled_as is Comeback.SELLABLE:
        return
    kind = MovementKind.DAMAGE if cancelled_as is Comeback.DAMAGED else MovementKind.PHANTOM
    draft.post(kind, line=after, what=kind.value, cumulative=cancelled, on_hand=before.cancelled - cancelled)
