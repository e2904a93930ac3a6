"""What the deciding room knows of each channel account: its profile and its settings, never its name's meaning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from syncd.core.brake import BrakeRule
from syncd.core.escalation import Limits
from syncd.core.exposure import Policy, overlay
from syncd.core.plan import Pace
from syncd.core.restock import Line
from syncd.core.season import Season, expected_demand, in_force
from syncd.core.terms import SECOND_US, AccountId, Instant, Location
from syncd.core.tickets import DeskId, Language
from syncd.engine.lags import Lags
from syncd.engine.outlook import Outlook
from syncd.sdk.channel import Profile, WriteMode
from syncd.store import outbox

DAY_US = 86_400 * SECOND_US
MAIN = Location("main")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How one account is treated.

    `hand_edit_us`: for so long after its first release a hand edit waits for a person. `adopts`: it is the one counting
    place, where a hand edit is a movement. `policy` is that of the settings, without seasons. `max_lateness_us` is the
    configured maximum lateness of orders; None: as the profile promises. `limits`, `pages` and `days` say whether the
    channel can limit the units of an order, close a page, and show from which day a unit leaves.
    """

    account: AccountId
    profile: Profile
    pace: Pace
    locations: tuple[Location, ...] = (MAIN,)
    location_map: Mapping[str, Location] = field(default_factory=dict)
    policy: Policy = field(default_factory=Policy)
    adopts: bool = False
    hand_edit_us: int = 0
    max_lateness_us: int | None = None
    limits: bool = False
    pages: bool = False
    days: bool = False

    @property
    def displays(self) -> bool:
        """Say whether the channel shows more than numbers."""
        return self.limits or self.pages or self.days

    def within(self, units: int) -> int:
        """Return what a listing of the channel can show of so many units."""
        most = self.profile.max_quantity
        return units if most is None else min(units, most)

    @property
    def passing_us(self) -> int:
        """Return how late an order may become known at most, for allotments, in microseconds."""
        return self.lateness_us if self.max_lateness_us is None else self.max_lateness_us

    @property
    def absolute(self) -> bool:
        """Say whether a write puts back own sales that were not read yet."""
        return self.profile.write_mode is WriteMode.ABSOLUTE

    @property
    def skew_us(self) -> int:
        """Return how far the channel's times may be off, in microseconds."""
        return int(self.profile.clock_skew_s * SECOND_US)

    @property
    def staleness_us(self) -> int:
        """Return how old a number may be that the channel answers, in microseconds."""
        return int(self.profile.staleness_s * SECOND_US)

    @property
    def effect_us(self) -> int:
        """Return the longest time until a write takes effect, in microseconds."""
        return int(self.profile.effect_delay_s * SECOND_US)

    @property
    def usual_effect_us(self) -> int:
        """Return the time within which nearly every write is in effect, in microseconds."""
        usual_s = self.profile.usual_effect_s
        return self.effect_us if usual_s is None else int(usual_s * SECOND_US)

    @property
    def lateness_us(self) -> int:
        """Return how late an order may be in the feed, in microseconds."""
        return int(self.profile.feed_lateness_s * SECOND_US)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What of the settings decides the targets of an account. `policy` is without seasons."""

    policy: Policy
    seasons: tuple[Season, ...]
    locations: tuple[Location, ...]
    location_map: Mapping[str, Location]


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitRules:
    """How those who wait are treated.

    `line` is who is served first. `hold_us` is for how long units are kept for an entry without an order, `tell_us` how
    long channels stay closed at most while those who wait are told. Above `most_messages` of one event a person
    decides. `margin_days` are laid on a supplier's day before it is promised. `authorised_us` is for how long a payment
    that is only authorised holds. `desk` opens tickets for those who have none (None: nobody does). `escalation` is
    from where on a person answers (None: nothing of it is looked for). `private` are the accounts that sell in private,
    `writes` those that can write to a customer by themselves. `homes` are the accounts at which those buy who ask at a
    desk.
    """

    line: Line = Line.OLDEST
    hold_us: int = 2 * DAY_US
    tell_us: int = 300 * SECOND_US
    most_messages: int = 500
    margin_days: int = 2
    authorised_us: int = 7 * DAY_US
    language: Language = Language.JA
    zone: str = "Asia/Tokyo"
    desk: DeskId | None = None
    desks: frozenset[DeskId] = frozenset()
    escalation: Limits | None = field(default_factory=Limits)
    private: frozenset[AccountId] = frozenset()
    writes: frozenset[AccountId] = frozenset()
    homes: Mapping[DeskId, AccountId] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """What is the same for all accounts. `sinks` are the outbox sinks that somebody reads; `low_stock` in units.

    `seasons` are those of the settings. `older` are accounts that go by earlier settings, until a person has released
    those of now. `lags` and `outlook` grow with what is decided; until enough was measured and
    learned they tell what the channels promise and what is usual.
    `cautions` are the accounts on which an oversold unit is dearer than elsewhere, for a limit of the channel is near
    (`core.conduct`).
    """

    rules: Mapping[AccountId, Rules] = field(default_factory=dict)
    sinks: frozenset[str] = frozenset()
    brake: BrakeRule = field(default_factory=BrakeRule)
    low_stock: int = 0
    shadow: bool = False
    waiting: WaitRules = field(default_factory=WaitRules)
    seasons: tuple[Season, ...] = ()
    older: Mapping[AccountId, Ruling] = field(default_factory=dict)
    lags: Lags = field(default_factory=Lags, compare=False)
    outlook: Outlook = field(default_factory=Outlook, compare=False)
    cautions: dict[AccountId, float] = field(default_factory=dict, compare=False)

    def events(self, kind: str, *, key: str, body: bytes) -> list[outbox.Event]:
        """Return something to tell, once for each sink that carries events."""
        return [outbox.Event(sink=sink, key=key, type=kind, body=body) for sink in sorted(self.sinks)]

    @property
    def senders(self) -> frozenset[AccountId]:
        """Return the names of all that may have something to send to customers."""
        return frozenset(AccountId(desk) for desk in self.waiting.desks) | self.waiting.writes

    def __post_init__(self) -> None:
        """Tell the lags what channels promise: how late an order is in the feed, how long a write usually takes."""
        for account, rules in self.rules.items():
            knowledge_s = (rules.pace.read_us + rules.lateness_us) / SECOND_US
            visible_s = rules.usual_effect_us / SECOND_US
            self.lags.expect(account, knowledge_s=knowledge_s, visible_s=visible_s)
            self.outlook.expect(account, knowledge_s=knowledge_s, visible_s=visible_s)
        if self.seasons:
            self.outlook.book.surge = lambda at: expected_demand(self.seasons, now=at)

    def policy(self, account: AccountId, now: Instant) -> Policy:
        """Return the policy of an account that holds now for every SKU without one of its own."""
        defaults = self.rules[account].policy
        seasons = self.seasons_of(account)
        return overlay(defaults, *in_force(seasons, account=account, now=now)) if seasons else defaults

    def seasons_of(self, account: AccountId) -> tuple[Season, ...]:
        """Return the seasons that an account goes by."""
        older = self.older.get(account)
        return self.seasons if older is None else older.seasons

    @property
    def turns(self) -> list[Instant]:
        """Return when a season of the settings begins or ends, on any account."""
        every = {*self.seasons, *(season for older in self.older.values() for season in older.seasons)}
        return sorted(at for season in every for at in (season.since, season.until))

    def caution(self, account: AccountId) -> float:
        """Return how many times as dear an oversold unit is on an account as it usually is; 1.0 while all is well."""
        return self.cautions.get(account, 1.0)


def pace_of(profile: Profile, *, raise_delay_s: float, poll_s: float) -> Pace:
    """Return the pace of a channel: a wide range is read again at most once per feed interval."""
    return Pace(
        visible_us=int((profile.visibility_delay_s + profile.staleness_s) * SECOND_US),
        read_us=int(poll_s * SECOND_US),
        raise_us=int(raise_delay_s * SECOND_US),
    )
