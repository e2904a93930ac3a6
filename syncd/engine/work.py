"""The work of one decision: everything read for it, everything it changes, written at its end in one piece.

Nothing is written before `flush`, so a decision can be made for trial and dropped.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any

from sqlalchemy import Connection

from syncd.core.exposure import Policy
from syncd.core.facts import AccountState
from syncd.core.ledger import Posting
from syncd.core.promises import Incoming
from syncd.core.season import Season
from syncd.core.shown import Base
from syncd.core.terms import SECOND_US, AccountId, Instant, Location, SkuId
from syncd.engine.demand import Sold
from syncd.engine.rules import House
from syncd.store import (
    accounts,
    alerts,
    claims,
    conduct,
    displays,
    doubts,
    history,
    ledger,
    listings,
    outbox,
    seasons,
    tickets,
    waiting,
)
from syncd.store.claims import Unheard
from syncd.store.displays import Display
from syncd.store.doubts import Suspect
from syncd.store.history import NewEffect
from syncd.store.ledger import Balance, KnownSku, Shelf
from syncd.store.listings import Listing
from syncd.store.policies import set_policies
from syncd.store.rows_exposure import PolicyRow


class Hint(StrEnum):
    """What somebody who acts may find due."""

    WRITE = "write"
    READ = "read"
    FETCH = "fetch"
    TELL = "tell"
    SERVE = "serve"
    OFFER = "offer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """An alert to raise (`values` fill its text) or, with `values` None, to clear."""

    kind: str
    key: str
    values: Mapping[str, str | int] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sale:
    """An order that was not known before: where, when, and whether a message of the channel told of it."""

    account: AccountId
    at: Instant
    by_message: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A channel took a write."""

    account: AccountId
    listing_id: int
    intended_at: Instant
    at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class CameIn:
    """Goods came in: what was posted for them, and the fact that said so."""

    posting: Posting
    source: str
    reference: str
    at: Instant


AHEAD_US = 60 * SECOND_US
"""By so much clocks differ, and are put right, without anybody setting them back."""
_EVERYBODY = (AccountId(""), Hint.TELL)
SERVE = (AccountId(""), Hint.SERVE)
"""Something is left to be done for those who wait."""


def is_ahead(at: Instant, now: Instant) -> bool:
    """Say whether a moment that was noted by our clock lies ahead: it was set back since, and `at` says little."""
    return at > now + AHEAD_US


class Work:
    """Loads on demand, remembers, and writes at the end. One instance per decision, on the writer's thread."""

    def __init__(self, conn: Connection, *, house: House, now: Instant) -> None:
        self.conn = conn
        self.house = house
        self.now = now
        self.accounts = accounts.accounts(conn)
        self.skus: dict[SkuId, KnownSku] = {}
        self.kits: ledger.Kits = {}
        self.policies: dict[SkuId, dict[str, PolicyRow]] = {}
        self.seasons: dict[SkuId, list[Season]] = {}
        self.incoming: dict[SkuId, list[Incoming]] = {}
        self.claims: dict[int, Unheard] = {}
        self.unclaimed: set[int] = set()
        self.displays: dict[int, Display] = {}
        self.season_rows: list[dict[str, Any]] = []
        self.sold: list[Sold] = []
        self.crossed: list[tuple[SkuId, bool]] = []
        self._policies: dict[AccountId, Policy] = {}
        self._claims_known: set[int] = set()
        self.listings: dict[int, Listing] = {}
        self.touched: set[SkuId] = set()
        self.before: dict[SkuId, int] = {}
        self.stirred: set[int] = set()
        self.effects: list[NewEffect] = []
        self.bases: dict[int, Base] = {}
        self.suspects: dict[int, Suspect] = {}
        self.suspects_of: set[AccountId] = set()
        self.events: list[outbox.Event] = []
        self.alarms: list[Alarm] = []
        self.opened: set[SkuId] = set()
        self.policy_rows: list[dict[str, Any]] = []
        self.targets_before: dict[int, int | None] = {}
        self.hints: set[tuple[AccountId, Hint]] = set()
        self.messages: set[tuple[AccountId, str]] = set()
        self.sales: list[Sale] = []
        self.answers: list[Answer] = []
        self.cancels: list[conduct.NewCancel] = []
        self.heard: dict[int, Instant] = {}
        self.stated: set[int] = set()
        self.bought: dict[tuple[AccountId, SkuId], int] = {}
        self.redeemed: list[tuple[str, str]] = []
        self.came_in: list[CameIn] = []
        self.opened_for: dict[AccountId, dict[tuple[SkuId, Location], int]] = {}
        self._senders: frozenset[str] | None = None
        self._shelves: dict[SkuId, Shelf] = {}
        self._kits_known: set[SkuId] = set()
        self._balances: dict[tuple[SkuId, Location], Balance] = {}
        self._movements: list[dict[str, Any]] = []
        self._writes: list[dict[str, Any]] = []

    def is_ahead(self, at: Instant) -> bool:
        """Say whether a moment that was noted by our clock lies ahead of this decision."""
        return is_ahead(at, self.now)

    # --- loading ---

    @cached_property
    def present(self) -> ledger.Present:
        """Return whether there is anything of what most shops have none of."""
        return ledger.present(self.conn)

    def load_skus(self, ids: Collection[SkuId]) -> None:
        """Have the SKUs, their kits and the kits that they are in, with the components of those."""
        fresh = [sku_id for sku_id in ids if sku_id not in self._kits_known]
        if not fresh:
            return
        self._kits_known.update(fresh)
        kits = ledger.kits_touching(self.conn, fresh) if self.present.kits else {}
        self.kits.update({kit: parts for kit, parts in kits.items() if kit not in self.kits})
        wanted = set(fresh).union(kits, (part for parts in kits.values() for part, _ in parts)).difference(self.skus)
        self.skus.update(ledger.skus_by_id(self.conn, wanted))

    def parts_of(self, sku_id: SkuId) -> Sequence[tuple[SkuId, int]]:
        """Return what a SKU is made of, with the units of each; what is no kit is made of itself."""
        return self.kits.get(sku_id) or ((sku_id, 1),)

    def shelf(self, sku_id: SkuId) -> Shelf:
        """Return the balances of a SKU by location."""
        if sku_id not in self._shelves:
            self.load_shelves((sku_id,))
        return self._shelves[sku_id]

    def load_shelves(self, ids: Iterable[SkuId]) -> None:
        """Have the balances of these SKUs."""
        fresh = [sku_id for sku_id in ids if sku_id not in self._shelves]
        if fresh:
            self._shelves.update(ledger.shelves(self.conn, fresh))

    def suppose(self, shelves: Mapping[SkuId, Shelf], opened: Collection[SkuId]) -> None:
        """Decide as if SKUs had these balances and these were counted: for what is only asked and never written."""
        self._shelves.update(shelves)
        self.opened.update(opened)

    def load_opened(self, ids: Collection[SkuId]) -> None:
        """Have the units of these SKUs that one channel alone shows, for those who wait there."""
        self.opened_for = waiting.opened_for(self.conn, ids)

    def policy(self, account: AccountId) -> Policy:
        """Return the policy of an account that holds now for a SKU without one of its own."""
        found = self._policies.get(account)
        if found is None:
            found = self._policies[account] = self.house.policy(account, self.now)
        return found

    def load_claims(self, ids: Collection[int]) -> None:
        """Have the claims of those of these listings that have an allotment."""
        fresh = [number for number in ids if number not in self._claims_known]
        if fresh:
            self._claims_known.update(fresh)
            found = claims.load(self.conn, fresh) if self.present.claims else {}
            self.claims.update({number: claim for number, claim in found.items() if number not in self.claims})

    def unclaim(self, ids: Iterable[int]) -> None:
        """Take the claims of listings away: they have no allotment any more."""
        mine = list(ids)
        self.load_claims(mine)
        gone = [number for number in mine if self.claims.pop(number, None) is not None]
        self.unclaimed.update(gone)

    def keep(self, found: Iterable[Listing]) -> list[Listing]:
        """Take listings into hand; one that is in hand already stays as it is there."""
        kept = []
        for listing in found:
            known = self.listings.setdefault(listing.id, listing)
            if known is listing:
                self.targets_before[listing.id] = listing.target
            kept.append(known)
        return kept

    # --- changing ---

    def want_orders(self, account: AccountId, remote_ids: Collection[str]) -> None:
        """Have orders fetched."""
        accounts.want_orders(self.conn, account, remote_ids, now=self.now)
        self.hints.add((account, Hint.FETCH))

    def post(self, posting: Posting, *, source: str, at: Instant, reason: str = "", actor: str = "") -> None:
        """Book a movement."""
        shelf = self.shelf(posting.sku_id)
        self.touch(posting.sku_id)
        balance = shelf.get(posting.location)
        if balance is None:
            balance = shelf[posting.location] = Balance()
        balance.on_hand += posting.on_hand
        balance.committed += posting.committed
        balance.held += posting.held
        self._balances[posting.sku_id, posting.location] = balance
        self._movements.append(
            ledger.movement_values(posting, source=source, at=at, now=self.now, reason=reason, actor=actor)
        )

    def guessed(self, sku_id: SkuId) -> tuple[int, int]:
        """Return how many units of a SKU suspect sales held before this decision, and after it."""
        moves = [x["held"] for x in self._movements if x["sku_id"] == sku_id and x["reference"].startswith("suspect:")]
        stored = doubts.guessed(self.conn, sku_id) if moves or self.present.suspects else 0
        # A new one stands in its table already; what an order has used up is written at the end.
        return stored - sum(x for x in moves if x > 0), stored + sum(x for x in moves if x < 0)

    def touch(self, sku_id: SkuId) -> None:
        """Have the targets of a SKU's listings computed anew."""
        if sku_id not in self.before:
            self.before[sku_id] = sum(balance.available for balance in self.shelf(sku_id).values())
        self.touched.add(sku_id)

    def stir(self, listing: Listing) -> None:
        """Have what a listing shows, and what is next for it, computed anew."""
        self.stirred.add(listing.id)
        listing.changed = True

    def rebase(self, listing: Listing, base: Base) -> None:
        """Give a listing a new base."""
        listing.base = base
        listing.stale = False
        self.bases[listing.id] = base
        self.stir(listing)

    def end_write(self, row: Mapping[str, Any]) -> None:
        """Note how a write ended (the columns of `history.end_writes`)."""
        self._writes.append(dict(row))

    def emit(self, event_type: str, *, key: str, body: bytes) -> None:
        """Send an event to the sinks that carry events."""
        if self.house.sinks:
            self.events += self.house.events(event_type, key=key, body=body)
            self.hints.add(_EVERYBODY)

    def alarm(self, kind: str, key: str, **values: str | int) -> None:
        """Raise an alert."""
        self.alarms.append(Alarm(kind=kind, key=key, values=values))
        self.hints.add(_EVERYBODY)

    def calm(self, kind: str, key: str) -> None:
        """Clear an alert that may stand."""
        self.alarms.append(Alarm(kind=kind, key=key, values=None))

    # --- writing ---

    def flush_effects(self) -> None:
        """Write new effects and forget spent ones, so that what is shown can be computed from the tables."""
        history.add_effects(self.conn, self.effects)
        self.effects = []
        history.end_writes(self.conn, self._writes)
        self._writes = []
        history.forget_spent(self.conn, self.bases)
        self.bases = {}

    def flush(self) -> None:
        """Write everything."""
        self.flush_effects()
        ledger.add_movements(self.conn, self._movements)
        ledger.set_balances(self.conn, self._balances)
        set_policies(self.conn, self.policy_rows)
        seasons.put(self.conn, self.season_rows)
        claims.drop(self.conn, self.unclaimed)
        claims.save(self.conn, self.claims.values())
        displays.save(self.conn, self.displays.values())
        ledger.open_skus(self.conn, self.opened, now=self.now)
        changed = [x for x in self.listings.values() if x.changed]
        listings.save(self.conn, changed, now=self.now)
        doubts.save_suspects(self.conn, self.suspects.values(), now=self.now)
        conduct.note(self.conn, self.cancels, now=self.now)
        if self.events:
            outbox.put(self.conn, self.events, now=self.now)
        for alarm in self.alarms:
            self._sound(alarm)
        self._measure(changed)

    def _measure(self, changed: Sequence[Listing]) -> None:
        """Have the lags learn from what was decided, once nothing of it can be refused any more."""
        lags = self.house.lags
        for sold in self.sold:
            self.house.outlook.book.heard(sold)
        for sku_id, open_ in self.crossed:
            self.house.outlook.book.opened(sku_id, open_=open_)
        for sale in self.sales:
            lags.learned(sale.account, sold_at=sale.at, by_message=sale.by_message, at=self.now)
        for answer in self.answers:
            lags.answered(answer.account, answer.listing_id, intended_at=answer.intended_at, at=answer.at)
        live = set()
        for name, account in self.accounts.items():
            lags.resume(name, account.since)
            if account.state is AccountState.LIVE and not self.house.shadow:
                live.add(name)
        for listing in changed:
            if listing.account in live:
                before, heard_at = self.targets_before[listing.id], self.heard.get(listing.id)
                lags.follow(listing, before=before, at=self.now, heard_at=heard_at)
            else:
                lags.forget(listing)

    def _sound(self, alarm: Alarm) -> None:
        if alarm.values is None:
            alerts.clear_alert(self.conn, kind=alarm.kind, key=alarm.key, now=self.now)
        else:
            text = alerts.text_of(alarm.values)
            alerts.raise_alert(self.conn, kind=alarm.kind, key=alarm.key, text=text, values=alarm.values, now=self.now)

    @property
    def senders(self) -> frozenset[str]:
        """Return the desks, and channels that write to customers, to which something is sent and that answer."""
        if self._senders is None:
            live = {name for name, desk in tickets.desks(self.conn).items() if desk.live and desk.down_since is None}
            rules = self.house.waiting
            own = {n for n in rules.writes if self.accounts.get(n) and self.accounts[n].state is AccountState.LIVE}
            self._senders = frozenset((live & rules.desks) | own)
        return self._senders

    def account_of(self, listing: Listing) -> accounts.KnownAccount | None:
        """Return the account of a listing as the store knows it."""
        return self.accounts.get(AccountId(listing.account))
