"""The gate of allotments, over what is stored: how far a write may go, and what a write adds to a claim."""

from __future__ import annotations

from collections.abc import Sequence

from syncd.core.exposure import among, kept_back
from syncd.core.gate import Claim, added_by_reading, added_by_write, ceiling, room_within, standing, unheard_left
from syncd.core.plan import Send
from syncd.core.shown import Range
from syncd.core.terms import UNPLACED, AccountId, Instant, SkuId
from syncd.engine.belief import range_of
from syncd.engine.divided import allots
from syncd.engine.rooms import Places, Rooms, available_at, coming, load_policies, policy_of
from syncd.engine.rules import Rules
from syncd.engine.work import Work
from syncd.store import accounts, history, listings
from syncd.store.claims import Unheard
from syncd.store.history import Unsettled
from syncd.store.listings import Listing


def standing_of(shown: Range, writes: Sequence[Unsettled], now: Instant) -> int:
    """Return what a listing may show beyond its unheard units."""
    return standing(shown, unguarded=[x.write for x in writes if not x.guarded], now=now)


class Gate:
    """The claims of all listings that share units with those that are decided; lives within one decision."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._standing: dict[int, int] = {}
        self._sharing: dict[SkuId, list[tuple[Listing, int]]] = {}
        self._passed: dict[AccountId, Instant | None] = {}

    def ceiling(self, listing: Listing, rules: Rules) -> tuple[int, Instant | None]:
        """Return the most that a listing with an allotment may be set to, and when that is likely to rise."""
        assert listing.sku_id is not None, "only a mapped listing has an allotment"  # noqa: S101  (our own invariant)
        work = self._work
        work.load_skus((listing.sku_id,))
        parts = work.parts_of(listing.sku_id)
        found: list[int] = []
        waits: list[Instant] = []
        # Units of which nobody has a part of its own are promised to nobody: they bound no allotment.
        for part, units in [(part, units) for part, units in parts if self._divides(part)] or parts:
            others = [(x, n) for x, n in self._of(part) if x.id != listing.id and self._meets(x, listing)]
            for other, _ in others:
                waits += self._wait(other)
            where = _places(listing, rules)
            left = room_within(
                self._allowed(part, listing, units, where=where),
                [(self._allowed(part, x, n, where=where), self._claim(x, n)) for x, n in others],
            )
            mine = self._claim(listing, units)
            found.append(ceiling(rules.profile.write_mode, room=left, mine=mine))
        waits += self._wait(listing)
        later = [at for at in waits if at > work.now]
        return min(found), min(later, default=None)

    def sent(self, listing: Listing, rules: Rules, send: Send) -> None:
        """Take that a write is under way: it may add to the claim at once."""
        claim = self._work.claims[listing.id]
        before = self._stands(listing)
        claim.sending = added_by_write(before, expected=send.expected, delta=send.delta)
        claim.add(claim.sending, self._work.now + rules.effect_us)
        claim.changed = True
        unguarded = send.expected is None and send.delta is None
        self._standing[listing.id] = send.quantity if unguarded else max(before, send.quantity)

    # --- what is stored ---

    def _allowed(self, part: SkuId, listing: Listing, units: int, *, where: Places) -> int:
        """Return how many units of a SKU at some places a listing may take that takes so many at once.

        What is kept back is kept of all its places together.
        """
        work, rules = self._work, self._work.house.rules.get(listing.account)
        found = available_at(work, part, (*where, UNPLACED))
        if listing.sku_id is None or rules is None:
            return found
        load_policies(work, (listing.sku_id,))
        accounts = {x.account for x, _ in self._of(part) if x.sku_id == listing.sku_id}
        policy = among(policy_of(work, listing.sku_id, listing.account), accounts)
        if policy.preorder:
            found += coming(work, part)
        if not set(rules.locations).issubset(where):
            return found
        there = Rooms(work).at(listing.sku_id, where, policy, listing.account)
        return found - units * kept_back(there, policy, account=listing.account)

    def _of(self, part: SkuId) -> list[tuple[Listing, int]]:
        """Return the listings that sell a SKU, by itself or in kits, with the units that each takes."""
        if part not in self._sharing:
            work = self._work
            work.load_skus((part,))
            takes = {part: 1} | {kit: n for kit, parts in work.kits.items() for one, n in parts if one == part}
            work.keep(listings.of_skus(work.conn, takes, known=work.listings))
            mine = [(x, takes[x.sku_id]) for x in work.listings.values() if x.sku_id in takes]
            work.load_claims([x.id for x, _ in mine])
            self._sharing[part] = [(x, n) for x, n in mine if x.managed and not x.vanished]
        return self._sharing[part]

    def _divides(self, part: SkuId) -> bool:
        """Say whether a listing that sells a SKU has an allotment by its own policy."""
        mine = [x for x, _ in self._of(part)]
        load_policies(self._work, {x.sku_id for x in mine if x.sku_id is not None})
        return any(allots(self._work, x) for x in mine)

    def _meets(self, other: Listing, listing: Listing) -> bool:
        """Say whether two listings sell from a common place."""
        theirs, mine = (self._work.house.rules.get(x.account) for x in (other, listing))
        if theirs is None or mine is None:
            return True
        return not set(_places(other, theirs)).isdisjoint(_places(listing, mine))

    def _claim(self, listing: Listing, units: int) -> Claim:
        return Claim(standing=self._stands(listing), unheard=self.unheard(listing), units=units)

    def _stands(self, listing: Listing) -> int:
        if listing.id not in self._standing:
            work, rules = self._work, self._work.house.rules.get(listing.account)
            if rules is None:
                self._standing[listing.id] = max(0, listing.high or 0)
            else:
                effects = history.effects(work.conn, [listing.id]).get(listing.id, ())
                writes = history.open_writes(work.conn, [listing.id]).get(listing.id, ())
                shown = range_of(listing, rules, effects, writes, now=work.now)
                self._standing[listing.id] = 0 if shown is None else standing_of(shown, writes, work.now)
        return self._standing[listing.id]

    def unheard(self, listing: Listing) -> int:
        """Return how many units of a listing may be sold unheard; forget those that the feed has passed."""
        claim = self._work.claims.get(listing.id)
        if claim is None:
            return 0
        left = unheard_left(claim.units, until=claim.until, passed=self.passed(listing.account))
        if left != claim.units:
            claim.units, claim.until, claim.changed = left, None, True
        return left

    def passed(self, account: AccountId) -> Instant | None:
        """Return up to when certainly every order of an account is known, by its configured maximum lateness."""
        if account not in self._passed:
            rules = self._work.house.rules.get(account)
            feed = accounts.feed(self._work.conn, account, accounts.ORDERS)
            known = None if feed is None else feed.scanned_at
            if feed is not None and feed.complete_until is not None and known is not None:
                known = min(known, feed.complete_until)
            lateness_us = 0 if rules is None else rules.passing_us + rules.skew_us
            self._passed[account] = None if known is None else known - lateness_us
        return self._passed[account]

    def _wait(self, listing: Listing) -> list[Instant]:
        claim, rules = self._work.claims.get(listing.id), self._work.house.rules.get(listing.account)
        if claim is None or rules is None or claim.until is None or not claim.units:
            return []
        return [claim.until + rules.passing_us + rules.skew_us]


def _places(listing: Listing, rules: Rules) -> Places:
    return (listing.location,) if listing.location else rules.locations


def note_reading(claim: Unheard, shown: Range, writes: Sequence[Unsettled], *, value: int, until: Instant) -> None:
    """Take that a listing with an allotment, which was believed to show `shown`, was read as `value`."""
    claim.add(added_by_reading(standing_of(shown, writes, until), low=shown.low, value=value), until)


def note_end(claim: Unheard, *, never: bool, until: Instant) -> None:
    """Take how a write ended: what it had added goes if it never works, and stays until it can work no more."""
    if never:
        claim.units = max(0, claim.units - claim.sending)
    elif claim.units:
        claim.until = until if claim.until is None else max(claim.until, until)
    claim.sending, claim.changed = 0, True
