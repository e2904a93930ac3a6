"""Open an incident for each oversell that lasts: cause, losing orders, offers; apologies as drafts or by rule."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

import msgspec
import structlog
from sqlalchemy import Connection

from syncd.core.crossings import incidents as dips_of
from syncd.core.history import History
from syncd.core.incidents import LETTERS, Alternative, Choice, Finding, OpenOrder, examine, lines_of, may_send, offer
from syncd.core.restock import event_of
from syncd.core.terms import SECOND_US, AccountId, Instant
from syncd.core.tickets import EventId, Priority
from syncd.engine.plant import Plant
from syncd.engine.timing import nap
from syncd.engine.work import Hint
from syncd.settings.windows import read_zone
from syncd.store import changes, incidents, outbox, tickets, waiting
from syncd.store.changes import Content, NewChange
from syncd.store.incidents import Dip
from syncd.store.views_history import sku_histories
from syncd.store.waiting import Entry

LOOK_S: Final = 30.0
MOST_DIPS: Final = 20
"""SKUs that one look examines."""
BACK_US: Final = 3 * 86_400 * SECOND_US
"""So much of a SKU's history before its alert is looked at."""
MOST_SENT: Final = 50
"""Apologies of one incident that go by themselves, where a rule lets them; the others wait for a person."""
MOST_TASKS: Final = 1_000_000
"""Tasks reach agents alone, so that no limit of letters binds them."""
HELD: Final = "an apology waits for a person"

_log = structlog.get_logger("syncd.incidents")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """An oversell that lasts, examined."""

    dip: Dip
    finding: Finding
    alternatives: tuple[Alternative, ...]
    event: EventId


class IncidentWatch:
    """The loop over oversells that last."""

    def __init__(self, plant: Plant) -> None:
        self._plant = plant
        self._rules = plant.settings.incidents

    async def run(self, stop: asyncio.Event) -> None:
        """Look every LOOK_S until told to stop."""
        await self._plant.ready.wait()
        while not stop.is_set():
            await self.step()
            await nap(LOOK_S, stop)

    async def step(self) -> int:
        """Look once; return how many incidents were opened."""
        plant, now = self._plant, self._plant.clock.now()
        if not self._rules.enabled:
            return 0
        before = now - int(self._rules.settle_s * SECOND_US)
        dips = await plant.store.read(lambda conn: incidents.dips(conn, before=before, limit=MOST_DIPS))
        opened = 0
        for dip in dips:
            opened += await self._look(dip)
        if await plant.store.read(incidents.stale):
            await plant.store.write(lambda conn: incidents.renew(conn, now=now))
        return opened

    async def _look(self, dip: Dip) -> int:
        case = await self._plant.store.read(lambda conn: self._examine(conn, dip))
        if case is None:
            return 0
        now = self._plant.clock.now()
        number = await self._plant.store.write(lambda conn: self._open(conn, case, now))
        if number is None:
            return 0
        for desk in self._plant.desks:
            self._plant.wake(AccountId(desk), Hint.WRITE)
        finding = case.finding
        told = {"sku": dip.sku, "cause": finding.cause.value, "short": finding.short, "orders": len(finding.losers)}
        _log.warning("incident.opened", incident=number, **told)
        return 1

    # --- reading ---

    def _examine(self, conn: Connection, dip: Dip) -> Case | None:
        """Return what an oversell came from, None where it is over or cannot be told."""
        history = _history(conn, dip)
        short = incidents.missing(conn, dip.sku_id)
        found = dips_of(history) if history is not None else []
        if not found or found[-1].ended_at is not None or short == 0:
            return None
        finding = examine(
            found[-1],
            incidents.open_orders(conn, dip.sku_id),
            short=short,
            choice=Choice(self._rules.losers),
            late_supplier=incidents.is_supplier_late(conn, dip.sku_id, today=self._today()),
        )
        least = min((loser.lost for loser in finding.losers), default=1)
        return Case(
            dip=dip,
            finding=finding,
            alternatives=offer(incidents.alternatives_of(conn, dip.sku_id), least),
            event=event_of("incident", dip.sku, str(finding.began_at)),
        )

    def _today(self) -> str:
        zone = read_zone(self._plant.settings.letters.zone)
        return datetime.fromtimestamp(self._plant.clock.now() / SECOND_US, UTC).astimezone(zone).date().isoformat()

    # --- writing ---

    def _open(self, conn: Connection, case: Case, now: Instant) -> int | None:
        """Open the incident once, with the apologies of those who lose, in one transaction."""
        finding, sku_id = case.finding, case.dip.sku_id
        number = incidents.open_incident(
            conn, sku_id, finding, event=case.event, alternatives=case.alternatives, now=now
        )
        if number is None:
            return None
        sends = may_send(finding.cause, self._rules.automatic)
        answered, tasks = self._apologise(conn, case, now, sends=sends)
        every = {f"{loser.account}/{loser.order_id}" for loser in finding.losers}
        incidents.note_told(
            conn,
            number,
            drafted=sorted(tasks if sends else answered | tasks),
            sent=sorted(answered if sends else ()),
            untold=sorted(every - answered - tasks),
        )
        body = {"incident": number, "sku": case.dip.sku, "cause": finding.cause.value, "short": finding.short}
        told = self._plant.house.events("incident", key=case.dip.sku, body=msgspec.json.encode(body))
        outbox.put(conn, told, now=now)
        return number

    def _apologise(self, conn: Connection, case: Case, now: Instant, *, sends: bool) -> tuple[set[str], set[str]]:
        """Write apologies on the tickets of those who lose, and tasks with them for those who have no ticket.

        Return the orders of both.
        """
        losers = {(loser.order_id, loser.line_id): loser for loser in case.finding.losers}
        orders = incidents.order_rows(conn, case.finding.losers)
        waits = [entry for entry in waiting.of_orders(conn, list(orders)) if entry.closed_at is None]
        known = tickets.of_entries(conn, [entry.id for entry in waits])
        letters: dict[str, list[NewChange]] = {}
        tasks: dict[str, list[NewChange]] = {}
        for entry in waits:
            loser = losers.get((orders[entry.order_row or 0], entry.line_id))
            if loser is None:
                continue
            name = f"{loser.account}/{loser.order_id}"
            content = _content(entry, loser, case)
            mine = [ticket for ticket in known.get(entry.id, ()) if not ticket.frozen]
            if mine:
                letters[name] = [_change(case, ticket.id, ticket.desk, entry, content) for ticket in mine]
            elif (desk := self._desk_of(entry)) is not None:
                reaches = desk == entry.account or entry.contact_id is not None
                (letters if reaches else tasks)[name] = [_opening(case, desk, entry, content)]
        changes.add(conn, [one for new in letters.values() for one in new], limit=MOST_SENT if sends else 0, now=now)
        if not sends:
            incidents.explain_held(conn, case.event, reason=HELD)
        changes.add(conn, [one for new in tasks.values() for one in new], limit=MOST_TASKS, now=now)
        return set(letters), set(tasks)

    def _desk_of(self, entry: Entry) -> str | None:
        """Return where a ticket is opened for somebody: at the channel of the order, or at the shop's desk."""
        rules = self._plant.house.waiting
        return entry.account if AccountId(entry.account) in rules.writes else rules.desk


def _history(conn: Connection, dip: Dip) -> History | None:
    found: Sequence[History] = sku_histories(conn, dip.sku, since=dip.raised_at - BACK_US) or ()
    return next((history for history in found if history.sku == dip.sku), None)


def _change(case: Case, ticket_row: int, desk: str, entry: Entry, content: Content) -> NewChange:
    return changes.of_ticket(
        desk=desk,
        ticket_row=ticket_row,
        event=case.event,
        entry_id=entry.id,
        content=content,
        message=LETTERS[case.finding.cause],
    )


def _opening(case: Case, desk: str, entry: Entry, content: Content) -> NewChange:
    return changes.opening(
        desk=desk,
        entry_id=entry.id,
        event=case.event,
        content=replace(content, sku=case.dip.sku, quantity=entry.quantity, order_number=entry.order_number),
        message=LETTERS[case.finding.cause],
    )


def _content(entry: Entry, loser: OpenOrder, case: Case) -> Content:
    values = {
        "product": case.dip.title or case.dip.sku,
        "quantity": str(loser.lost),
        "order_number": entry.order_number,
        "expected": entry.expected,
        "previous": entry.promised,
        "amount": entry.amount,
        "currency": entry.currency,
        "alternatives": lines_of(case.alternatives),
    }
    note = f"oversell of {case.dip.sku}: {case.finding.cause.value}, {loser.lost} of {loser.units} missing"
    return Content(priority=Priority.HIGH.value, language=entry.language, note=note, values=values)
