"""Tell why each listing of a SKU shows what it shows: the decision made once more, for trial, and told step by step.

Nothing of the rule is written down here: the targets come from `replan.retarget`, what is next from `replan.judge`,
and the numbers in between from the very functions that those two call. The trial reads and is dropped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final, Protocol

from sqlalchemy import Connection

from syncd.core.exposure import FIELDS, Exposure, decay
from syncd.core.facts import AccountState
from syncd.core.plan import decide
from syncd.core.season import in_force
from syncd.core.shown import Effect, Range
from syncd.core.terms import SECOND_US, AccountId, Instant, Location, Sku, SkuId
from syncd.engine.belief import range_of, watermark
from syncd.engine.channels import Account, Roster
from syncd.engine.demand import Book
from syncd.engine.gating import Gate
from syncd.engine.replan import MARGIN_QUANTILE, judge, margin_of, view_of
from syncd.engine.rooms import available_at, policy_of
from syncd.engine.rules import House, Rules
from syncd.engine.targets import retarget
from syncd.engine.whyexposure import told_aim
from syncd.engine.whys import (
    Belief,
    Change,
    Doubt,
    ListingWhy,
    Margin,
    Obstacle,
    OpenNumber,
    Place,
    Setting,
    Why,
)
from syncd.engine.whysteps import told_step
from syncd.engine.work import Work
from syncd.sdk.channel import Clock
from syncd.store import accounts, displays, doubts, history, inbox, ledger
from syncd.store.displays import Display
from syncd.store.history import Unsettled
from syncd.store.listings import Listing
from syncd.store.session import Store
from syncd.store.views import lane_name, moment, moment_or_none, opened_among

MOST_BRAKES: Final = 20
"""Among so many held changes those are looked for that concern the SKU."""
ALWAYS: Final = frozenset({"exposure", "safety_stock", "safety_percent", "cap"})
"""What is told of a policy in any case; the rest only where somebody set it."""
UNSET: Final = (None, "", 0, False)
MOST_EFFECTS: Final = 50
"""Most changes since the base that are told of one listing, the last ones."""


class Ground(Protocol):
    """The part of the running daemon that an explanation needs."""

    @property
    def store(self) -> Store:
        """Return the store."""

    @property
    def clock(self) -> Clock:
        """Return the clock."""

    @property
    def roster(self) -> Roster:
        """Return the open accounts."""

    @property
    def house(self) -> House:
        """Return what is the same for all of them."""


async def explain(ground: Ground, code: str, account: str = "") -> Why | None:
    """Return why the listings of a SKU, on one account or on all, show what they show; None for an unknown SKU."""
    now = ground.clock.now()
    return await ground.store.read(
        lambda conn: explained(conn, house=ground.house, roster=ground.roster, code=code, account=account, now=now)
    )


def explained(
    conn: Connection, *, house: House, roster: Mapping[AccountId, Account], code: str, account: str = "", now: Instant
) -> Why | None:
    """Return the same, on a connection that need not write."""
    known = ledger.skus_by_code(conn, [code]).get(Sku(code))
    if known is None:
        return None
    work = Work(conn, house=house, now=now)
    work.load_skus((known.sku_id,))
    work.touch(known.sku_id)
    retarget(work)
    work.stirred.clear()  # each listing is judged alone, after what is stored of it was noted
    parts = work.parts_of(known.sku_id)
    opened = opened_among(conn, [part for part, _ in parts])
    trial = _Trial(work, roster=roster, sku_id=known.sku_id, counted=all(part in opened for part, _ in parts))
    mine = [x for x in work.listings.values() if x.sku_id == known.sku_id and account in ("", x.account)]
    brakes = _brakes(conn, {code, *(work.skus[part].code for part, _ in parts)})
    return Why(
        sku=code,
        kit=known.sku_id in work.kits,
        counted=trial.counted,
        at=moment(now),
        available=available_at(work, known.sku_id, _everywhere(work, parts)),
        places=tuple(_places(work, parts)),
        doubts=tuple(_doubts(work, roster, [part for part, _ in parts])),
        listings=tuple(trial.told(sorted(mine, key=lambda x: (x.account, x.id)), brakes)),
    )


def _everywhere(work: Work, parts: Iterable[tuple[SkuId, int]]) -> list[Location]:
    return sorted({location for part, _ in parts for location in work.shelf(part)})


def _places(work: Work, parts: Iterable[tuple[SkuId, int]]) -> Iterator[Place]:
    for part, per_kit in parts:
        for location, units in sorted(work.shelf(part).items()):
            yield Place(
                sku=work.skus[part].code,
                per_kit=per_kit,
                location=location,
                on_hand=units.on_hand,
                committed=units.committed,
                held=units.held,
                available=units.available,
            )


def _doubts(work: Work, roster: Iterable[AccountId], ids: Sequence[SkuId]) -> Iterator[Doubt]:
    for account in sorted(roster):
        for found in doubts.suspects(work.conn, account, ids):
            yield Doubt(account=account, units=found.remaining, since=moment(found.since), until=moment(found.until))


def _brakes(conn: Connection, codes: set[str]) -> tuple[Obstacle, ...]:
    """Return the changes of these SKUs that the brake holds: they are not in any number yet."""
    return tuple(
        Obstacle(what="brake", detail=f"{row.id}: {row.cause}")
        for row in accounts.held(conn)[:MOST_BRAKES]
        if row.inbox_id == accounts.SETTINGS
        or any(getattr(one, "sku", None) in codes for one in getattr(inbox.one(conn, row.inbox_id).fact, "rows", ()))
    )


class _Trial:
    """The listings of one SKU under a decision that is never written; lives within one explanation."""

    def __init__(self, work: Work, *, roster: Mapping[AccountId, Account], sku_id: SkuId, counted: bool) -> None:
        self.work = work
        self.roster = roster
        self.sku_id = sku_id
        self.counted = counted

    def told(self, mine: Sequence[Listing], brakes: tuple[Obstacle, ...]) -> Iterator[ListingWhy]:
        """Yield every listing; what is stored is noted before the trial changes it."""
        ids = [listing.id for listing in mine]
        effects = history.effects(self.work.conn, ids)
        writes = history.open_writes(self.work.conn, ids)
        beside = {number: tuple(_beside(one)) for number, one in displays.load(self.work.conn, ids).items()}
        for listing in mine:
            rules = self.work.house.rules.get(listing.account)
            facts = effects.get(listing.id, []), writes.get(listing.id, [])
            made = self._closed(listing, facts) if rules is None else self._one(listing, rules, facts)
            yield replace(made, obstacles=(*made.obstacles, *beside.get(listing.id, ()), *brakes))

    def _closed(self, listing: Listing, facts: tuple[list[Effect], list[Unsettled]]) -> ListingWhy:
        """Tell a listing whose channel is not switched on: nothing is decided for it."""
        return ListingWhy(
            account=listing.account,
            remote_id=listing.ref.remote_id,
            remote_location=listing.ref.remote_location,
            active=listing.active,
            mode="",
            target=self.work.targets_before[listing.id],
            lane=lane_name(listing.lane),
            due_at=moment_or_none(listing.due_at),
            in_flight=listing.in_flight,
            attempts=listing.attempts,
            aim=None,
            belief=_belief(listing, None, *facts),
            margin=None,
            next=None,
            obstacles=(Obstacle(what="closed"),),
            renewing=False,
        )

    def _one(self, listing: Listing, rules: Rules, facts: tuple[list[Effect], list[Unsettled]]) -> ListingWhy:
        work, now = self.work, self.work.now
        before, lane, due_at = work.targets_before[listing.id], listing.lane, listing.due_at
        found = range_of(listing, rules, *facts, now=now)
        listing.low, listing.high = (None, None) if found is None else (found.low, found.high)
        mark = watermark(work, listing.account, {}) if rules.absolute else None
        allotted = listing.id in work.claims and listing.sku_id is not None
        limit = Gate(work).ceiling(listing, rules) if allotted else None
        book = work.house.outlook.book
        view = view_of(listing, rules, *facts, found=found, mark=mark, limit=limit, now=now, book=book)
        step = decide(view, now=now)
        work.stir(listing)
        judge(work)
        follows = told_step(view, step, listing)
        differs = not listing.in_flight and (
            before != listing.target or (lane != listing.lane and not _due(due_at, now))
        )
        return ListingWhy(
            account=listing.account,
            remote_id=listing.ref.remote_id,
            remote_location=listing.ref.remote_location,
            active=listing.active,
            mode=rules.profile.write_mode.value,
            target=before,
            lane=lane_name(lane),
            due_at=moment_or_none(due_at),
            in_flight=listing.in_flight,
            attempts=listing.attempts,
            aim=told_aim(self.work, listing, rules, policy=tuple(self._settings(rules.account))),
            belief=_belief(listing, found, *facts),
            margin=_margin(listing, rules, mark, now, book=book) if rules.absolute else None,
            next=follows,
            obstacles=tuple(self._obstacles(listing)),
            renewing=differs,
        )

    def _settings(self, name: AccountId) -> Iterator[Setting]:
        policy = policy_of(self.work, self.sku_id, name)
        rows = self.work.policies.get(self.sku_id) or {}
        account, now = self.roster.get(name), self.work.now
        holders: list[tuple[str, object]] = [
            ("channel", None if account is None else account.settings),
            *(("season", season) for season in in_force(self.work.house.seasons_of(name), account=name, now=now)),
            ("sku", rows.get("")),
            ("sku_channel", rows.get(name)),
            *(("sku_season", x) for x in in_force(self.work.seasons.get(self.sku_id, ()), account=name, now=now)),
        ]
        for field in FIELDS:
            origin, value = "settings", getattr(policy, field)
            value = value.value if isinstance(value, Exposure) else value
            for place, holder in holders:
                origin = place if getattr(holder, field, None) is not None else origin
            usual = field == "loss" and policy.exposure is not Exposure.ADAPTIVE
            if field in ALWAYS or origin != "settings" or (value not in UNSET and not usual):
                yield Setting(name=field, value=value, origin=origin)

    def _obstacles(self, listing: Listing) -> Iterator[Obstacle]:
        yield from self._of_account(listing)
        if listing.vanished:
            yield Obstacle(what="vanished")
        if not listing.managed:
            yield Obstacle(what="unmanaged")
        if not self.counted:
            yield Obstacle(what="not_counted")
        if listing.target is None and self.counted and listing.managed and not listing.vanished:
            yield Obstacle(what="no_place", detail=listing.ref.remote_location)
        if listing.parked:
            yield Obstacle(what="parked", detail=listing.parked)
        if listing.held:
            yield Obstacle(what="held", detail=listing.held)
        if listing.in_flight:
            yield Obstacle(what="in_flight")
        if listing.attempts > 1:
            yield Obstacle(what="unsent", detail=str(listing.attempts), until=moment_or_none(listing.due_at))

    def _of_account(self, listing: Listing) -> Iterator[Obstacle]:
        known, opened = self.work.account_of(listing), self.roster.get(AccountId(listing.account))
        if self.work.house.shadow:
            yield Obstacle(what="shadow")
        if known is None or known.state is AccountState.NEW:
            yield Obstacle(what="new")
        elif known.state is AccountState.PAUSED:
            yield Obstacle(what="paused", detail=known.reason)
        if opened is None:
            return
        if opened.pulse.maintenance_until is not None:
            yield Obstacle(what="maintenance", until=moment(opened.pulse.maintenance_until))
        if opened.pulse.down_since is not None:
            since = moment(opened.pulse.down_since).isoformat()
            yield Obstacle(what="down", detail=f"{opened.pulse.reason} ({since})")


def _beside(one: Display) -> Iterator[Obstacle]:
    """Tell of a page that is closed, and of what should stand beside a number and does not yet."""
    if one.there.hidden and "hidden" not in one.unsure:
        yield Obstacle(what="page_closed", detail=moment(one.since).isoformat())
    if one.wanted != one.there or one.unsure:
        yield Obstacle(what="beside", detail=one.reason, until=moment_or_none(one.due_at))


def _due(due_at: Instant | None, now: Instant) -> bool:
    """Say whether what is stored is to be decided anew by those who act: its time has come."""
    return due_at is not None and due_at <= now


def _belief(listing: Listing, found: Range | None, effects: list[Effect], writes: list[Unsettled]) -> Belief:
    base = listing.base
    last = sorted(effects, key=lambda effect: effect.span.earliest)[-MOST_EFFECTS:]
    return Belief(
        low=listing.low if found is None else found.low,
        high=listing.high if found is None else found.high,
        likely=None if found is None else found.likely,
        base=None if base is None else base.value,
        base_from=None if base is None else moment(base.since),
        base_until=None if base is None else moment(base.until),
        seen=listing.seen,
        seen_at=moment_or_none(listing.seen_at),
        changes=tuple(
            Change(
                quantity=effect.quantity,
                since=moment(effect.span.earliest),
                until=moment_or_none(effect.span.latest),
                maybe=effect.maybe,
            )
            for effect in last
        ),
        changes_count=len(effects),
        open_writes=tuple(
            OpenNumber(
                quantity=one.write.value,
                sent_at=moment(one.write.sent_at),
                until=moment(one.write.until),
                relative=one.relative,
            )
            for one in writes
        ),
    )


def _margin(listing: Listing, rules: Rules, mark: Instant | None, now: Instant, *, book: Book) -> Margin:
    elapsed_s = 0.0 if listing.demand_at is None else max(0, now - listing.demand_at) / SECOND_US
    since = now - rules.lateness_us if mark is None else mark
    return Margin(
        units=margin_of(listing, rules, mark, now, book=book),
        per_day=decay(listing.demand, units=0, elapsed_s=elapsed_s) * 86_400,
        window_s=max(0, now + rules.usual_effect_us - since) / SECOND_US,
        orders_known_until=moment_or_none(mark),
        quantile=MARGIN_QUANTILE,
    )
