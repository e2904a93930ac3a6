"""The least engine that follows the one rule (`syncd.core.shown`, `syncd.core.plan`), on the bazaar.

What it does is what the daemon does, without tables and loops: beliefs from bases, effects and open writes, suspect
sales, a sweep, one write in flight per listing, and no look at what a channel really shows but by reading it. `echoes`
counts units that were suspected sold and never were: nobody else writes on the bazaar, so they are its own writes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from syncd.core import shown as belief
from syncd.core.exposure import decay, margin
from syncd.core.plan import Idle, Lane, Look, Pace, Send, Step, View, Wait, decide
from syncd.core.shown import Base, Effect, History, OpenWrite, Reading
from syncd.core.suspects import Missing, explained
from syncd.core.terms import SECOND_US, Instant, OutcomeKind, Span, WriteMode
from tests.bench.bazaar import Market, Order, Timeline

RAISE_US = 5 * SECOND_US
SWEEP_US = 1_800 * SECOND_US
QUANTILE = 0.99


@dataclass(slots=True)
class Suspect:
    """Units missing in a span of time."""

    since: Instant
    until: Instant
    units: int


@dataclass(slots=True)
class Kept:
    """What is kept of one listing."""

    market: Market
    base: Base | None = None
    effects: dict[str, Effect] = field(default_factory=dict)
    open: list[tuple[OpenWrite, int | None]] = field(default_factory=list)
    flying: tuple[OpenWrite, int | None] | None = None
    stale: bool = False
    suspects: list[Suspect] = field(default_factory=list)
    heard: dict[str, bool] = field(default_factory=dict)
    raise_at: Instant | None = None
    read_at: Instant | None = None
    reading: bool = False
    watermark: Instant = 0
    demand: float = 0.0
    demand_at: Instant = 0
    wake_at: Instant = 0

    @property
    def writes(self) -> list[tuple[OpenWrite, int | None]]:
        """Return open writes, the one in flight included, with what a relative one changes."""
        return self.open if self.flying is None else [*self.open, self.flying]


def effect_of(write: OpenWrite, delta: int | None) -> tuple[Effect, ...]:
    """Return what a relative write may do as long as its end is not known."""
    if delta is None:
        return ()
    return (Effect(quantity=delta, span=Span(earliest=write.sent_at, latest=write.until), maybe=True),)


def _never_sold(kept: Kept, suspect: Suspect) -> int:
    """Return how many units of a suspect sale nobody really bought there in that time."""
    sold = sum(o.quantity for o in kept.market.orders if suspect.since <= o.at <= suspect.until)
    return max(0, suspect.units - sold)


class Keeper:
    """Keeps all listings of one SKU right."""

    sweep_us = SWEEP_US

    def __init__(self, line: Timeline, markets: list[Market]) -> None:
        self.line = line
        self.on_hand = 0
        self.committed = 0
        self.kept = [Kept(market=market) for market in markets]
        self.echoes = 0
        for kept in self.kept:
            kept.market.hint = lambda order, kept=kept: self._hear(kept, order)  # type: ignore[misc]  # mypy cannot infer a lambda with a default
            self._sweep(kept)

    def history(self, kept: Kept) -> History:
        """Return everything that says what a listing shows."""
        assert kept.base is not None
        flying = () if kept.flying is None else effect_of(*kept.flying)
        return History(
            base=kept.base,
            effects=(*kept.effects.values(), *flying),
            writes=[write for write, delta in kept.writes if delta is None],
        )

    @property
    def available(self) -> int:
        """Return what may be sold, as far as is known."""
        held = sum(suspect.units for kept in self.kept for suspect in kept.suspects)
        return self.on_hand - self.committed - held

    def changed(self) -> None:
        """Forget what was derived: something that is known has changed."""

    def target(self, kept: Kept) -> int:
        """Return what a listing should show."""
        return max(0, self.available)

    def receive(self, units: int) -> None:
        """Take a delivery."""
        self.on_hand += units
        self.changed()
        self.plan()

    # --- hearing ---

    def sold(self, kept: Kept, order: Order) -> None:
        """Have an order told of by the feed once it has it, at the next poll that gets through, and its cancel too."""
        for moment in (order.told_at, order.cancel_at):
            if moment is not None:
                self._poll_after(kept, max(moment, order.told_at), order)

    def _poll_after(self, kept: Kept, moment: Instant, order: Order) -> None:
        every = kept.market.habits.poll_us
        due = moment + every - moment % every
        if due < kept.market.silent_until:
            self.line.at(due, lambda: self._poll_after(kept, max(due, kept.market.silent_until), order))
        else:
            self.line.at(due, lambda: self._scan(kept, order))

    def _scan(self, kept: Kept, order: Order) -> None:
        if self.line.now < kept.market.silent_until:
            self._poll_after(kept, kept.market.silent_until, order)
            return
        self._hear(kept, order)

    def _hear(self, kept: Kept, order: Order) -> None:
        if self.line.now < kept.market.silent_until:
            return
        self.changed()
        if order.name not in kept.heard:
            kept.heard[order.name] = True
            self.committed += order.quantity
            self._take(kept, order)
        if kept.heard[order.name] and not order.lives(self.line.now):
            kept.heard[order.name] = False
            self.committed -= order.quantity
            span = kept.market.given(order)
            if span is not None:
                kept.effects[f"{order.name}:give"] = Effect(quantity=order.quantity, span=span)
        self.plan()

    def _take(self, kept: Kept, order: Order) -> None:
        span = kept.market.span(order)
        effect = Effect(quantity=-order.quantity, span=span)
        if kept.base is None or not belief.spent(effect, kept.base):
            kept.effects[f"{order.name}:take"] = effect
        elapsed = max(0, order.at - kept.demand_at) / SECOND_US
        kept.demand = decay(kept.demand, units=order.quantity, elapsed_s=elapsed)
        kept.demand_at = max(order.at, kept.demand_at)
        missing = [Missing(since=x.since, until=x.until, units=x.units) for x in kept.suspects]
        back = not order.lives(self.line.now) and kept.market.given(order) is not None
        for suspect, used in zip(kept.suspects, explained(span, 0 if back else order.quantity, missing), strict=True):
            suspect.units -= used

    def passed(self, kept: Kept) -> Instant:
        """Return up to when the feed of a listing's channel is complete."""
        habits, before = kept.market.habits, self.line.now - 1
        scan = before - before % habits.poll_us
        if scan >= kept.market.silent_until:
            kept.watermark = max(kept.watermark, scan - habits.told_us)
        return kept.watermark

    def _release(self, kept: Kept) -> None:
        if kept.suspects:
            mark = self.passed(kept)
            self.echoes += sum(_never_sold(kept, x) for x in kept.suspects if x.until < mark)
            kept.suspects = [x for x in kept.suspects if x.units > 0 and x.until >= mark]
            self.changed()
        if kept.suspects:
            last = max(x.until for x in kept.suspects) + kept.market.habits.told_us
            poll_us = kept.market.habits.poll_us
            self._wake(kept, max(last, kept.market.silent_until, self.line.now) + poll_us)

    # --- deciding ---

    def plan(self) -> None:
        """Decide what is next for every listing, and do it."""
        for kept in self.kept:
            self._release(kept)
        for kept in self.kept:
            self._plan(kept)

    def _plan(self, kept: Kept) -> None:
        if kept.flying is None:
            self._act(kept, decide(self.view(kept), now=self.line.now))

    def view(self, kept: Kept) -> View:
        """Return a listing as the rule sees it."""
        now, habits = self.line.now, kept.market.habits
        opened = [write for write, _ in kept.open]
        return View(
            mode=habits.mode,
            target=self.target(kept),
            shown=None if kept.base is None else belief.shown(self.history(kept)),
            pace=Pace(visible_us=habits.stale_us, read_us=habits.poll_us, raise_us=RAISE_US),
            margin=self.margin(kept),
            gives_until=belief.gives_until((e for e in kept.effects.values() if not e.maybe), now=now),
            raise_at=kept.raise_at,
            read_at=kept.read_at,
            last_open=max(opened, key=lambda write: write.sent_at, default=None),
            settled_at=max(write.until for write in opened) + habits.stale_us if opened else None,
            stale=kept.stale,
        )

    def margin(self, kept: Kept) -> int:
        """Return what own sales may have taken unread (absolute mode only)."""
        if kept.market.habits.mode is not WriteMode.ABSOLUTE or kept.demand <= 0:
            return 0
        now, mark, base = self.line.now, self.passed(kept), kept.base
        if base is not None and base.value <= 0 and base.until <= mark and belief.shown(self.history(kept)).high <= 0:
            return 0
        rate = decay(kept.demand, units=0, elapsed_s=max(0, now - kept.demand_at) / SECOND_US)
        window_s = max(0, now + kept.market.habits.effect_us - mark) / SECOND_US
        return margin(rate_per_s=rate, window_s=window_s, quantile=QUANTILE)

    def _act(self, kept: Kept, step: Step) -> None:
        match step:
            case Idle():
                kept.raise_at = None
            case Wait(lane=lane, at=at):
                kept.raise_at = at if lane is Lane.RAISE else None
                self._wake(kept, at)
            case Look(at=at) if at > self.line.now:
                self._wake(kept, at)
            case Look():
                self._read(kept)
            case Send():
                kept.raise_at = None
                self.push(kept, step)

    def _wake(self, kept: Kept, at: Instant) -> None:
        if self.line.now < kept.wake_at <= at:
            return
        kept.wake_at = at
        self.line.at(at, lambda: self.plan() if kept.wake_at <= self.line.now else None)

    # --- reading ---

    def _sweep(self, kept: Kept) -> None:
        self._read(kept)
        self.line.at(self.line.now + self.sweep_us, lambda: self._sweep(kept))

    def _read(self, kept: Kept) -> None:
        if kept.reading or kept.flying is not None:
            return
        kept.reading = True
        asked_at = self.line.now
        answered = asked_at + kept.market.dice.randint(0, kept.market.habits.answer_us)
        self.line.at(answered, lambda: self._seen(kept, asked_at))

    def _seen(self, kept: Kept, asked_at: Instant) -> None:
        kept.reading = False
        if self.line.now < kept.market.silent_until:
            self.line.at(kept.market.silent_until, self.plan)
            return
        value, now = kept.market.read(asked_at), self.line.now
        at = Span(earliest=asked_at - kept.market.habits.stale_us, latest=now)
        kept.read_at = now
        if kept.base is None:
            self.rebase(kept, Base(value=value, since=at.earliest, until=now))
        else:
            reading = belief.judge(self.history(kept), value=value, at=at)
            if reading is not None:
                self.rebased(kept, reading)
                if reading.missing:
                    self.changed()
                    kept.suspects.append(Suspect(reading.since, reading.until, reading.missing))
                    self.plan()
        self._plan(kept)

    def rebased(self, kept: Kept, reading: Reading) -> None:
        """Take a reading for what is shown."""
        self.rebase(kept, reading.base)

    def rebase(self, kept: Kept, base: Base) -> None:
        """Believe a number from now on."""
        self.changed()
        kept.base = base
        kept.effects = {k: e for k, e in kept.effects.items() if not belief.spent(e, base)}
        kept.open = [(write, delta) for write, delta in kept.open if write.until >= base.since]
        kept.stale = False

    # --- writing ---

    def push(self, kept: Kept, send: Send) -> None:
        """Write."""
        now = self.line.now
        write = OpenWrite(value=send.quantity, sent_at=now, until=now + kept.market.habits.effect_us)
        kept.flying = (write, send.delta)
        self.changed()
        kept.market.push(send, lambda kind: self.ended(kept, send, kind))

    def ended(self, kept: Kept, send: Send, kind: OutcomeKind) -> None:
        """Take the end of a write."""
        assert kept.flying is not None
        write, delta = kept.flying
        kept.flying = None
        self.changed()
        match kind:
            case OutcomeKind.APPLIED:
                self._confirm(kept, write, send)
            case OutcomeKind.STALE:
                kept.stale = True
            case OutcomeKind.ACCEPTED | OutcomeKind.INDETERMINATE:
                lost = kind is OutcomeKind.INDETERMINATE
                doubt = OpenWrite(value=write.value, sent_at=write.sent_at, until=write.until, lost=lost)
                kept.open.append((doubt, delta))
                for effect in effect_of(write, delta):
                    kept.effects[f"delta:{write.sent_at}"] = effect
            case _:
                self._wake(kept, self.line.now + SECOND_US)
                return
        self._plan(kept)

    def _confirm(self, kept: Kept, write: OpenWrite, send: Send) -> None:
        span = Span(earliest=write.sent_at, latest=self.line.now)
        if send.delta is not None:
            kept.effects[f"delta:{write.sent_at}"] = Effect(quantity=send.delta, span=span)
        else:
            self.rebase(kept, Base(value=send.quantity, since=write.sent_at, until=self.line.now))
