"""The time rules at work: what is due by the clock becomes a change of a ticket, once, and never in quiet hours."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import Final

import structlog
from sqlalchemy import Connection

from syncd.core.terms import SECOND_US, AccountId, Instant
from syncd.core.tickets import DeskId, Priority, TicketState, TicketStatus
from syncd.core.timerules import MESSAGES, Case, Due, Limits, Quiet, Rule, due
from syncd.engine.moving import letter_values
from syncd.engine.plant import Plant
from syncd.engine.quiet import quiet_of
from syncd.engine.timing import nap
from syncd.engine.work import Hint
from syncd.sdk.desk import DeskProfile
from syncd.settings import TimeRules
from syncd.store import alerts, changes, clockwork, escalations
from syncd.store.changes import ChangeKind, Content, NewChange
from syncd.store.clockwork import Unheard, Waiter, event_for

LOOK_S: Final = 300.0
"""How often everybody who waits is looked at; first contact has an hour of slack before quiet hours."""
PIECE: Final = 200
"""Of whom so many are read, and acted on, in one transaction."""
MOST_MESSAGES: Final = 1_000_000
"""Each letter of a rule has an event of its own: the limit of letters per event does not bind them."""

_HOUR_US: Final = 3_600 * SECOND_US
_NOTES: Final[Mapping[Rule, str]] = {
    Rule.REFUND_DUE: "The refund of this cancel is due soon: begin it now.",
    Rule.REFUND_LATE: "The refund of this cancel is late.",
    Rule.UNANSWERED: "No answer after two reminders: solved by syncd. The wait for the goods goes on.",
}
_PRIORITIES: Final[Mapping[Rule, Priority]] = {
    Rule.REFUND_DUE: Priority.HIGH,
    Rule.REFUND_LATE: Priority.URGENT,
}
_log = structlog.get_logger("syncd.timerules")

Profiles = Callable[[], Mapping[DeskId, DeskProfile]]


class TimeKeeping:
    """The loop over everybody who waits. `profiles` are those of the open desks: of others nothing is due."""

    def __init__(self, plant: Plant, profiles: Profiles) -> None:
        self._plant = plant
        self._profiles = profiles
        self._limits = limits_of(plant.settings.timerules)

    async def run(self, stop: asyncio.Event) -> None:
        """Look every LOOK_S until told to stop."""
        await self._plant.ready.wait()
        while not stop.is_set():
            await self.step()
            await nap(LOOK_S, stop)

    async def step(self) -> int:
        """Look at everybody once; return how many changes were made."""
        await self._plant.store.write(lambda conn: _settle(conn, self._plant.clock.now()))
        made, after = 0, 0
        while True:
            page, last = await self._plant.store.read(
                lambda conn, after=after: clockwork.waiters(conn, after=after, limit=PIECE)  # type: ignore[misc]  # mypy cannot infer a lambda with a default
            )
            ids = [waiter.entry_id for waiter in page if self._due(waiter, self._plant.clock.now())]
            if ids:
                made += await self._act(ids)
            if last is None:
                return made + await self._greet()
            after = last

    async def _greet(self) -> int:
        """Open a ticket for those who have none and were told nothing in time: their first contact."""
        now, made, after = self._plant.clock.now(), 0, 0
        before = now - self._limits.first_contact_us // 2
        while self._limits.first_contact_us:
            last, count = await self._plant.store.write(
                lambda conn, after=after: self._open(conn, before, after, now)  # type: ignore[misc]  # mypy cannot infer a lambda with a default
            )
            made += count
            if last is None:
                break
            after = last
        if made:
            self._wake_desks()
            _log.info("timerule.due", rule=Rule.FIRST_CONTACT.value, count=made)
        return made

    def _wake_desks(self) -> None:
        for desk in self._plant.desks:
            self._plant.wake(AccountId(desk), Hint.WRITE)

    def _open(self, conn: Connection, before: Instant, after: int, now: Instant) -> tuple[int | None, int]:
        """Open tickets for a piece of those who never heard of the shop; return its last, and how many were opened."""
        found = clockwork.unheard(conn, before=before, after=after, limit=PIECE)
        new = [change for one in found if (change := self._opening(one, now)) is not None]
        changes.add(conn, new, limit=MOST_MESSAGES, now=now)
        return found[-1].entry_id if len(found) == PIECE else None, len(new)

    def _opening(self, one: Unheard, now: Instant) -> NewChange | None:
        """Return the ticket to be opened for somebody; None where it is quiet, or nobody could open one."""
        rules, quiet = self._plant.house.waiting, self._quiet(one.language, now)
        case = Case(since=one.since, state=TicketState.PENDING, status=TicketStatus.OPEN)
        desk = DeskId(one.account) if one.own and AccountId(one.account) in rules.writes else rules.desk
        wanted = [found for found in due(case, self._limits, quiet, now=now) if found.rule is Rule.FIRST_CONTACT]
        if desk is None or not wanted:
            return None
        event = event_for(Rule.FIRST_CONTACT.value, one.entry_id, one.since)
        return changes.opening(
            desk=desk,
            entry_id=one.entry_id,
            event=event,
            message=MESSAGES[Rule.FIRST_CONTACT],
            content=Content(
                state=TicketState.PENDING.value,
                sku=one.sku,
                quantity=one.quantity,
                order_number=one.order_number,
                expected=one.expected,
                amount=one.amount,
                language=one.language,
                values=letter_values(one, one.sku, one.title),
            ),
        )

    async def _act(self, entry_ids: Collection[int]) -> int:
        now = self._plant.clock.now()
        rules = await self._plant.store.write(lambda conn: self._write(conn, entry_ids, now))
        self._wake_desks()
        for rule in sorted(set(rules)):
            _log.info("timerule.due", rule=rule.value, count=rules.count(rule))
        return len(rules)

    def _write(self, conn: Connection, entry_ids: Collection[int], now: Instant) -> list[Rule]:
        """Decide anew on what is stored now, and store what follows, in one transaction."""
        page, _ = clockwork.waiters(conn, limit=PIECE, entry_ids=entry_ids)
        found = [(waiter, one) for waiter in page for one in self._due(waiter, now)]
        new = [_change(waiter, one) for waiter, one in found]
        there = changes.by_keys(conn, [change.key for change in new])
        fresh = [(change, one) for change, (_, one) in zip(new, found, strict=True) if change.key not in there]
        changes.add(conn, [change for change, _ in fresh], limit=MOST_MESSAGES, now=now)
        return [one.rule for _, one in fresh]

    def _due(self, waiter: Waiter, now: Instant) -> list[Due]:
        profile = self._profiles().get(waiter.desk)
        if profile is None:
            return []
        found = due(case_of(waiter, profile), self._limits, self._quiet(waiter.language, now), now=now)
        may_tell = profile.sends and waiter.reachable and not (waiter.busy or waiter.escalated)
        return [one for one in found if one.message is None or may_tell]

    def _quiet(self, language: str, now: Instant) -> Quiet | None:
        return quiet_of(self._plant.settings, language, now)


def _settle(conn: Connection, now: Instant) -> None:
    """End the escalations that are over: nobody waits, and no ticket is alive."""
    found = escalations.over(conn, limit=PIECE)
    for one in found:
        one.released_at, one.actor, one.note = now, "syncd", "nobody waits and no ticket is open any more"
        alerts.clear_alert(conn, kind="escalated", key=str(one.id), now=now)
    escalations.save(conn, found)


def limits_of(rules: TimeRules) -> Limits:
    """Return the settings as durations."""
    return Limits(
        first_contact_us=rules.first_contact_h * _HOUR_US,
        refund_us=rules.refund_h * _HOUR_US,
        silence_us=rules.silence_days * 24 * _HOUR_US,
        bump_us=rules.bump_h * _HOUR_US,
        follow_up_us=rules.follow_up_days * 24 * _HOUR_US,
    )


def case_of(waiter: Waiter, profile: DeskProfile) -> Case:
    """Return somebody who waits as the rules see them."""
    return Case(
        since=waiter.since,
        state=waiter.state,
        status=waiter.status,
        told=waiter.told,
        asked_at=waiter.asked_at,
        replied_at=waiter.replied_at,
        cancelled_at=waiter.cancelled_at,
        owed=waiter.owed,
        hears=profile.hears,
        owns=profile.owns,
    )


def _change(waiter: Waiter, one: Due) -> NewChange:
    event = event_for(one.rule.value, waiter.entry_id, one.anchor)
    priority = _PRIORITIES.get(one.rule)
    return NewChange(
        desk=waiter.desk,
        key=f"e{waiter.entry_id}:{event}",
        event=event,
        kind=ChangeKind.UPDATE,
        entry_id=waiter.entry_id,
        ticket_row=waiter.ticket_row,
        message="" if one.message is None else one.message.value,
        content=Content(
            status=TicketStatus.SOLVED.value if one.rule is Rule.UNANSWERED else "",
            priority="" if priority is None else priority.value,
            language=waiter.language,
            note=_NOTES.get(one.rule, ""),
            values=letter_values(waiter, waiter.sku, waiter.title),
        ),
    )
