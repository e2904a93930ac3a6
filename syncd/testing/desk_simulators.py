"""Simulated desks: what customers and agents do there, what stands on its tickets, and a control API the same for all.

A desk's simulator subclasses `DeskSimulator`: `routes` are its real API, `settings` opens an adapter on it, and what
happens beside the API is `open_ticket`, `reply`, `edit`, `close`, `delete`. `tickets` is the truth to compare with.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping

from aiohttp import web

from syncd.sdk.channel import Clock
from syncd.sdk.desk import Shelf, TicketId, TicketState, TicketStatus
from syncd.testing import desk_control
from syncd.testing.desk_trade import DeskBy, DeskEntry, DeskLog, Held, Wish
from syncd.testing.remotes import SimulatedRemote, serve
from syncd.testing.trade import Refusal, Unknown, Unsupported

__all__ = [
    "DeskBy",
    "DeskEntry",
    "DeskLog",
    "DeskSimulator",
    "Held",
    "Refusal",
    "Unknown",
    "Unsupported",
    "Wish",
    "serve",
]


class DeskSimulator(SimulatedRemote):
    """The simulated remote of one desk; `canaries` are its customers' names and addresses, and what they write.

    `shelf` is where an adapter opened on it has to keep its documents, for a desk whose tickets are documents; None
    leaves that to who opens it. `answers_reads` is off where reading a ticket asks nobody.
    """

    def __init__(self, *, seed: int, clock: Clock) -> None:
        super().__init__(seed=seed, clock=clock)
        self.log = DeskLog(clock)
        self.shelf: Shelf | None = None
        self.answers_reads = True

    def control_routes(self) -> list[web.RouteDef]:
        """Return the control API of a desk."""
        return desk_control.routes(self)

    @abstractmethod
    def open_ticket(self, wish: Wish) -> TicketId:
        """Let a customer write, and an agent enter what the wish says beyond the text."""

    @abstractmethod
    def tickets(self) -> list[Held]:
        """Return every ticket that was not deleted, in the order in which they came."""

    @abstractmethod
    def reply(self, ticket_id: TicketId, text: str) -> None:
        """Let the customer answer; raises `Unknown`, and `Refusal` where the ticket is closed."""

    @abstractmethod
    def edit(
        self, ticket_id: TicketId, *, status: TicketStatus | None = None, state: TicketState | None = None
    ) -> None:
        """Let an agent change a ticket; raises `Unknown`, and `Refusal` where the ticket is closed."""

    @abstractmethod
    def close(self, ticket_id: TicketId) -> None:
        """Let a ticket be closed for good; raises `Unknown`, and `Unsupported` where there is no such thing."""

    @abstractmethod
    def delete(self, ticket_id: TicketId) -> None:
        """Let an agent delete a ticket; raises `Unknown`, and `Unsupported` where there is no such thing."""

    def prepare(self, *, webhook_url: str = "") -> None:
        """Let there be what changes of tickets need, as an earlier set-up by the adapter would have left it.

        With a `webhook_url` only the webhook is added to what is there.
        """

    def own_setup(self) -> Mapping[str, str]:
        """Return everything that is set up here (rules, fields, ...) by its kind and id, each as one text."""
        return {}

    def stand_in_the_way(self) -> frozenset[str]:
        """Set up things of the shop's own where a set-up would put its own, before one; return their keys.

        Raises `Unsupported` where there is nothing to set up.
        """
        raise Unsupported("there is nothing to set up here")

    def held(self, ticket_id: TicketId) -> Held:
        """Return a ticket; raises `Unknown`."""
        found = next((held for held in self.tickets() if held.ticket_id == ticket_id), None)
        if found is None:
            raise Unknown(f"{ticket_id}: no such ticket")
        return found
