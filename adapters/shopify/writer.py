"""Writes stock: refuses what cannot work, stocks levels where it is allowed to, sends the rest as one request."""

from __future__ import annotations

from collections.abc import Sequence

from adapters.shopify import push, wire
from adapters.shopify.catalogue import Known
from adapters.shopify.documents import ACTIVATE, SET_QUANTITIES
from adapters.shopify.graphql import GraphQL, Written
from adapters.shopify.settings import ShopifySettings
from syncd.sdk.channel import Outcome, OutcomeKind, Write
from syncd.sdk.errors import ProtocolError, RateLimited, TransientError

MOST_ACTIVATIONS = 20
"""Levels that one push stocks: each is a request of its own."""
LONGEST_DELAY_S = 2.0
"""A push that would wait longer for its budget is not begun: it would take effect later than anybody reckons with."""


class Writer:
    """Writes the stock of one shop."""

    def __init__(self, graphql: GraphQL, *, settings: ShopifySettings, known: Known) -> None:
        self._graphql = graphql
        self._settings = settings
        self._known = known

    async def push(self, writes: Sequence[Write]) -> list[Outcome]:
        """Bring these numbers to the shop, one outcome per write, in order."""
        delay_s = self._graphql.delay_s(SET_QUANTITIES)
        if delay_s > LONGEST_DELAY_S:
            raise RateLimited("Shopify: the budget of this shop is spent", retry_after_s=delay_s)
        known = {write.key: outcome for write in writes if (outcome := self._refused(write))}
        idle = [write for write in writes if write.key not in known and write.ref in self._known.inactive]
        for place, write in enumerate(idle):
            known[write.key] = await self._wake(write, allowed=place < MOST_ACTIVATIONS)
        rest = [write for write in writes if write.key not in known]
        if rest:
            known.update((outcome.key, outcome) for outcome in await self._send(rest))
        return [known[write.key] for write in writes]

    def _refused(self, write: Write) -> Outcome | None:
        """Return the outcome of a write that is not to be sent at all."""
        ref = write.ref
        chosen = self._settings.locations
        reason = ""
        if not (wire.is_number(ref.remote_id) and wire.is_number(ref.remote_location)):
            reason = "not an inventory item and a location of Shopify"
        elif chosen and ref.remote_location not in chosen:
            reason = "the location is not in location_ids"
        elif ref in self._known.inactive and not self._settings.activate_levels:
            reason = "not stocked at this location (the level is not active); stock it there, or set activate_levels"
        return Outcome(key=write.key, kind=OutcomeKind.REJECTED, reason=reason) if reason else None

    async def _wake(self, write: Write, *, allowed: bool) -> Outcome:
        """Stock an item at a location, keeping its number there; the write itself is made again after a reading."""
        if not allowed:
            return Outcome(key=write.key, kind=OutcomeKind.UNSENT, reason="waits to be stocked at this location")
        try:
            answer = await self._graphql.ask(ACTIVATE, push.activation(write), push.ActivateData, urgent=True)
        except TransientError as fault:
            return Outcome(key=write.key, kind=OutcomeKind.UNSENT, reason=str(fault))
        errors = answer.inventory_activate.user_errors if answer.inventory_activate else []
        if errors:
            return Outcome(key=write.key, kind=OutcomeKind.REJECTED, reason=f"not stocked: {wire.said(errors)}")
        self._known.learn_level(write.ref, active=True)
        return Outcome(key=write.key, kind=OutcomeKind.UNSENT, reason="stocked at this location; to be read first")

    async def _send(self, writes: Sequence[Write]) -> list[Outcome]:
        written = await self._graphql.write(SET_QUANTITIES, push.variables(writes))
        return judged(writes, written)


def judged(writes: Sequence[Write], written: Written) -> list[Outcome]:
    """Return how each write ended; raises where the request was refused and no try of it can have worked."""
    found = written.reply
    if found is None:
        return push.every(writes, OutcomeKind.INDETERMINATE, str(written.fault))
    fault = wire.failure(found)
    if fault is not None:
        if wire.untouched(found) and not written.doubtful:
            raise fault
        return push.every(writes, OutcomeKind.INDETERMINATE, str(fault))
    try:
        payload = wire.data(found, push.SetData).inventory_set_quantities
    except ProtocolError as unclear:
        return push.every(writes, OutcomeKind.INDETERMINATE, str(unclear))
    if payload is None:
        return push.every(writes, OutcomeKind.INDETERMINATE, "an answer without a result")
    if push.is_our_fault(payload.user_errors):
        raise ProtocolError(f"Shopify refuses the request: {wire.said(payload.user_errors)}")
    return push.outcomes(writes, payload.user_errors)
