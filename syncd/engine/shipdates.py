"""Promise ship-by dates: one per order, only where its units are there, and never twice while an end is not known."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import msgspec
import structlog
from sqlalchemy import Connection

from syncd.core.facts import AccountState
from syncd.core.terms import AccountId, Instant, OutcomeKind
from syncd.engine.channels import Account, NoDate
from syncd.engine.plant import Plant
from syncd.engine.shipdays import Calendar, calendar_of
from syncd.engine.sideline import Sideline, attempt
from syncd.engine.timing import nap
from syncd.engine.work import Hint
from syncd.sdk.features import ShipDates, Undated
from syncd.store import accounts, actions, alerts
from syncd.store.actions import Action, ActionKind
from syncd.store.coverage import Coverage, Lack, coverage

LOOK_S = 60.0
CALL_S = 60.0
MOST_PROMISES = 20
"""Most dates of one round: what comes in meanwhile is not kept waiting for long."""
MOST_LOOKED_AT = 500
"""Most orders of one round; those that are oldest at the channel come first."""
SETTLE_US = 60 * 1_000_000
"""How much longer than its longest effect an unknown end is waited for before the channel is believed."""

_log = structlog.get_logger("syncd.shipdates")
_DAY = msgspec.json.Decoder(date)


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """One date that is stored and about to be sent."""

    order_id: str
    number: str
    key: str
    day: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What one look found: the promises to make, and the orders that get none, with the reason."""

    promises: tuple[Promise, ...] = ()
    without: tuple[NoDate, ...] = ()
    unknown: tuple[str, ...] = ()


class ShipDating:
    """The loop over the ship-by dates of one account."""

    def __init__(self, plant: Plant, account: Account, channel: ShipDates) -> None:
        self._plant = plant
        self._account = account
        self._channel = channel
        self._calendar = calendar_of(account.settings.ship_dates)
        self._line = Sideline(account=account, name="ship_dates", random=plant.random)

    async def run(self, stop: asyncio.Event) -> None:
        """Look every LOOK_S until told to stop."""
        await self._plant.ready.wait()
        while not stop.is_set():
            await self.step(stop)
            await nap(max(LOOK_S, self._line.wait_s), stop)

    async def step(self, stop: asyncio.Event) -> int:
        """Look once and promise what can be promised; return how many dates were sent."""
        name, plant = self._account.name, self._plant
        if plant.house.shadow or not await plant.store.read(lambda conn: _is_live(conn, name)):
            return 0
        asked_at = plant.clock.now()
        answer = await self._line.ask(self._channel.undated, within_s=CALL_S, stop=stop)
        if answer is None:
            return 0
        found = await self._decide(answer.value, asked_at)
        self._account.undated = found.without
        if found.unknown:
            self._account.wake(Hint.FETCH)
        sent = 0
        for promise in found.promises:
            if stop.is_set() or not await self._send(promise):
                break
            sent += 1
        return sent

    async def _decide(self, undated: Sequence[Undated], asked_at: Instant) -> Round:
        """Settle what was not known, and store what is about to be sent, in one transaction."""
        plant, account = self._plant, self._account
        profile = account.rules.profile
        effect_us = account.rules.effect_us + int((profile.visibility_delay_s + profile.staleness_s) * 1_000_000)
        desk = _Desk(
            account=account.name,
            calendar=self._calendar,
            asked_at=asked_at,
            settled_before=asked_at - effect_us - SETTLE_US,
            now=plant.clock.now(),
            uuid=plant.uuid,
        )
        return await plant.store.write(lambda conn: desk.decide(conn, undated))

    async def _send(self, promise: Promise) -> bool:
        """Send one date and store how it ended; return whether the next one may follow at once."""
        day, order_id = promise.day, promise.order_id
        outcome = await attempt(lambda: self._channel.set_ship_date(order_id, day), key=promise.key, within_s=CALL_S)
        now, kind, reason = self._plant.clock.now(), outcome.kind, outcome.reason
        await self._plant.store.write(lambda conn: actions.end(conn, promise.key, state=kind, reason=reason, now=now))
        told = {"account": self._account.name, "order": promise.number, "day": day.isoformat(), "end": kind.value}
        if kind in _SENT:
            _log.info("ship_date.set", **told)
        else:
            _log.warning("ship_date.failed", **told, reason=reason)
        return kind not in {OutcomeKind.UNSENT, OutcomeKind.INDETERMINATE}


_SENT = frozenset({OutcomeKind.APPLIED, OutcomeKind.ACCEPTED})


def _is_live(conn: Connection, name: AccountId) -> bool:
    known = accounts.accounts(conn).get(name)
    return known is not None and known.state is AccountState.LIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class _Desk:
    """One decision about the orders of an account, on the writer's thread.

    An unknown end sent before `settled_before` has shown its effect by `asked_at`, or never will.
    """

    account: AccountId
    calendar: Calendar
    asked_at: Instant
    settled_before: Instant
    now: Instant
    uuid: Callable[[], str]

    def decide(self, conn: Connection, undated: Sequence[Undated]) -> Round:
        """Return what is to be done, with the promises stored."""
        self._settle(conn, {order.order_id: order for order in undated})
        looked_at = undated[:MOST_LOOKED_AT]
        ids = [order.order_id for order in looked_at]
        before = actions.latest(conn, self.account, ActionKind.SHIP_DATE, ids)
        known = coverage(conn, self.account, ids)
        promises: list[Promise] = []
        without: list[NoDate] = []
        for order in looked_at:
            state, last = known[order.order_id], before.get(order.order_id)
            if state.lack is Lack.OVER or not may_send(order, last):
                if last is not None and last.state == OutcomeKind.REJECTED.value:
                    without.append(_no_date(state, f"refused: {last.reason}"))
                continue
            day = self.calendar.day_for(ordered_at=state.ordered_at, now=self.now, delayed=order.delayed)
            if reason := reason_against(order, state, day):
                without.append(_no_date(state, reason))
            elif len(promises) < MOST_PROMISES:
                promises.append(self._intend(conn, state, day))
        unknown = tuple(state.order_id for state in known.values() if state.lack is Lack.UNKNOWN)
        accounts.want_orders(conn, self.account, unknown, now=self.now)
        _note_without(conn, self.account, without, self.now)
        return Round(promises=tuple(promises), without=tuple(without), unknown=unknown)

    def _settle(self, conn: Connection, undated: Mapping[str, Undated]) -> None:
        """End what was not known: by now the channel shows whether it took effect."""
        for action in actions.unsettled(conn, self.account, ActionKind.SHIP_DATE):
            order = undated.get(action.remote_id)
            if order is None or order.current == day_of(action):
                self._end(conn, action, OutcomeKind.APPLIED, "no longer without that date at the channel")
            elif (action.ended_at or action.intended_at) < self.settled_before:
                self._end(conn, action, OutcomeKind.UNSENT, "the channel does not show it")

    def _end(self, conn: Connection, action: Action, state: OutcomeKind, reason: str) -> None:
        # An answer that comes back while this is decided is later than what was asked before it was sent.
        if action.intended_at < self.asked_at:
            actions.end(conn, action.key, state=state, reason=reason, now=self.now)

    def _intend(self, conn: Connection, state: Coverage, day: date) -> Promise:
        key, body = self.uuid(), msgspec.json.encode(day)
        kind, order_id = ActionKind.SHIP_DATE, state.order_id
        actions.intend(
            conn, account=self.account, remote_id=order_id, kind=kind, key=key, body=body, actor="syncd", now=self.now
        )
        return Promise(order_id=order_id, number=state.number, key=key, day=day)


def day_of(action: Action) -> date:
    """Return the day that a stored promise names."""
    return _DAY.decode(action.body)


def may_send(order: Undated, last: Action | None) -> bool:
    """Say whether an order may be promised a day now: the first one, or another once the last has passed."""
    if last is None or last.state == OutcomeKind.UNSENT.value:
        return True
    if last.unsettled or not order.delayed or order.current is None:
        return False
    return day_of(last) <= order.current


def reason_against(order: Undated, state: Coverage, day: date) -> str:
    """Return why an order gets no date, an empty text where it gets one."""
    match state.lack:
        case Lack.UNKNOWN:
            return "not read yet"
        case Lack.UNMAPPED:
            return "has a line without a SKU"
        case Lack.UNCOUNTED:
            return f"{state.sku or 'a SKU'} was never counted"
        case Lack.SHORT:
            return f"short of {state.sku}"
        case _ if order.latest is not None and day > order.latest:
            return f"{day} is later than the channel takes ({order.latest})"
        case _:
            return ""


def _no_date(state: Coverage, reason: str) -> NoDate:
    return NoDate(order_id=state.order_id, number=state.number or state.order_id, reason=reason)


def _note_without(conn: Connection, account: AccountId, without: Sequence[NoDate], now: Instant) -> None:
    waiting = [one for one in without if one.reason != "not read yet"]
    if not waiting:
        alerts.clear_alert(conn, kind="no_ship_date", key=account, now=now)
        return
    first = waiting[0]
    values: dict[str, str | int] = {
        "account": account,
        "count": len(waiting),
        "order": first.number,
        "reason": first.reason,
    }
    text = f"account {account}: {len(waiting)} orders, the first is {first.number} ({first.reason})"
    alerts.raise_alert(conn, kind="no_ship_date", key=account, text=text, values=values, now=now)
