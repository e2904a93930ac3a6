"""Look an order up, show it to its buyer, and take a request to cancel it.

Whoever asks is told the same, and after the same time, whether there is no such order, the proof is wrong, or the
number was tried too often by others: nothing here says which orders exist.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import msgspec
import structlog
from aiohttp import web
from sqlalchemy import Connection

from syncd.core.carriers import name_of
from syncd.core.proofs import KEY_BYTES, ProofKind, Seal
from syncd.core.terms import Instant
from syncd.sdk.errors import SyncdError
from syncd.store import alerts, outbox, proofs
from syncd.store.proofs import Candidate
from syncd.store.views_customer import CustomerOrder, customer_order
from syncd.web.orderpage import tickets
from syncd.web.orderpage.shell import Shell, Visit, fields_of
from syncd.web.orderpage.tries import Tries
from syncd.web.plant import Plant

BASE: Final = "/order"
COUNTED: Final = "orderpage"
FLOOR_S: Final = 0.4
"""Every answer to a look-up takes at least so long, so that its time tells nothing."""
READ_S: Final = 10.0
MOST_NUMBER: Final = 100
MOST_FOUND: Final = 20
"""Orders of one number that are compared."""
MINUTE_S: Final = 60.0
HOUR_S: Final = 3_600.0

_log = structlog.get_logger("syncd.orderpage")


class OrderPage:
    """The page. `rest` waits, so that all answers take the same time."""

    def __init__(self, plant: Plant, shell: Shell, *, rest: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        settings = plant.settings.orderpage
        self._plant = plant
        self._settings = settings
        self._rest = rest
        self._shell = shell
        self._key = plant.proof_key
        if len(self._key) != KEY_BYTES:
            raise AssertionError("the order page needs the key of its proofs")
        key, clock = self._key, plant.clock
        self._by_address = Tries(most=settings.tries_per_minute, window_s=MINUTE_S, key=key, clock=clock)
        self._by_number = Tries(most=settings.misses_per_hour, window_s=HOUR_S, key=key, clock=clock)

    # --- requests ---

    async def show(self, request: web.Request) -> web.Response:
        """Show the form."""
        return self._shell.page(self._shell.visit(request), "ask.html", note="", number="")

    async def look(self, request: web.Request) -> web.Response:
        """Look an order up by its number and the proof that somebody is its buyer."""
        visit, began = self._shell.visit(request), self._plant.clock.monotonic()
        fields = await fields_of(request)
        number, proof = fields.get("number", "").strip()[:MOST_NUMBER], fields.get("proof", "")
        if self._shell.is_too_often(request, self._by_address):
            return self._shell.page(visit, "word.html", status=429, word="many", note="")
        try:
            found = await self._find(number, proof)
        except (SyncdError, TimeoutError) as error:
            _log.warning("orderpage.unread", reason=type(error).__name__)
            return self._shell.page(visit, "word.html", status=503, word="trouble", note="")
        await self._rest(max(0.0, FLOOR_S - (self._plant.clock.monotonic() - began)))
        self._plant.counts[COUNTED, "missed" if found is None else "shown"] += 1
        if found is None:
            return self._shell.page(visit, "ask.html", note="miss.text", number=number)
        return self._order(visit, found)

    async def ask_cancel(self, request: web.Request) -> web.Response:
        """Take a request to cancel: a person decides about it."""
        visit, now = self._shell.visit(request), self._plant.clock.now()
        fields = await fields_of(request)
        if self._shell.is_too_often(request, self._by_address):
            return self._shell.page(visit, "word.html", status=429, word="many", note="")
        row = tickets.read(self._key, fields.get("ticket", ""), now=now)
        if row is None:
            return self._shell.page(visit, "word.html", status=400, word="cancel", note="cancel.late")
        if fields.get("sure") != "1":
            return self._shell.page(visit, "word.html", status=400, word="cancel", note="cancel.unsure")
        taken = await self._plant.store.write(lambda conn: self._take_wish(conn, row, now))
        return self._shell.page(visit, "word.html", word="cancel", note="cancel.done" if taken else "cancel.late")

    # --- finding ---

    async def _find(self, number: str, proof: str) -> CustomerOrder | None:
        """Return the order whose number and proof fit; the work is the same whether there is one or not."""
        tried = number.casefold()
        full = self._by_number.is_full(tried)
        names = {number, number.removeprefix("#"), f"#{number.removeprefix('#')}"} - {"", "#"}
        now = self._plant.clock.now()
        async with asyncio.timeout(READ_S):
            found = await self._plant.store.read(lambda conn: self._read(conn, names, proof, now))
        if found is None or full:
            self._by_number.note(tried)
            return None
        return found

    def _read(self, conn: Connection, names: set[str], proof: str, now: Instant) -> CustomerOrder | None:
        known = [one for one in proofs.candidates(conn, names, limit=MOST_FOUND) if self._is_buyer(one, proof)]
        return customer_order(conn, known[0], now=now) if len(known) == 1 else None

    def _is_buyer(self, one: Candidate, proof: str) -> bool:
        seal = Seal(key=self._key, account=one.account)
        made = [seal(one.order_id, kind, proof) for kind in ProofKind]
        fits = [hmac.compare_digest(known, mine) for known in one.proofs for mine in made if mine]
        return any(fits)

    # --- cancelling ---

    def _take_wish(self, conn: Connection, row: int, now: Instant) -> bool:
        """Note the wish and tell people, once; return False where the order cannot be cancelled any more."""
        found = proofs.by_row(conn, row)
        order = None if found is None else customer_order(conn, found, now=now)
        if order is None or not (order.can_cancel or order.cancel_asked_at):
            return False
        if proofs.wish_cancel(conn, row, now=now):
            told: Mapping[str, str | int] = {"account": order.account, "order": order.number}
            sentence = f"account {order.account}, order {order.number}"
            key = f"{order.account}/{order.number}"
            alerts.tell(conn, alerts.Alert(kind="cancel_wish", key=key, text=sentence, values=told), now=now)
            body = msgspec.json.encode(told)
            outbox.put(conn, self._plant.house.events("order.cancel_wish", key=key, body=body), now=now)
        return True

    # --- showing ---

    def _order(self, visit: Visit, found: CustomerOrder) -> web.Response:
        parcels = [
            {
                "carrier": name_of(one.carrier, language=visit.language, word=one.carrier_raw),
                "number": one.number,
                "link": one.link,
                "delivered": one.delivered_at is not None,
            }
            for one in found.parcels
        ]
        offered = self._settings.cancel and found.can_cancel and found.cancel_asked_at is None
        ticket = tickets.make(self._key, found.row, now=self._plant.clock.now()) if offered else ""
        told = {**{name: getattr(found, name) for name in _PLAIN}, "parcels": parcels, "goods": found.items}
        return self._shell.page(visit, "order.html", order=told, ticket=ticket, note="")


_PLAIN: Final = ("number", "ordered_at", "stage", "expected", "ship_by", "deliver_by", "cancel_asked_at")
