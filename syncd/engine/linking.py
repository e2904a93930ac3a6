"""Links of one who waits: by which a customer leaves the list, and where a person of the shop finds the order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from syncd.core.leaving import SOURCE, leave_token, mark_of
from syncd.core.terms import AccountId
from syncd.core.tickets import EventId
from syncd.engine.channels import Roster
from syncd.sdk.features import SellerScreens
from syncd.store.waiting import Entry

LEAVE = "/back/leave"
"""Where the sign-up page lets somebody leave."""


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """Whom a change is about: an entry, and the id of its order at the channel (empty: it has none).

    `links` are those of its private sales, by the event of which it is told: secrets of the customer.
    """

    entry: Entry
    order_id: str = ""
    links: Mapping[EventId, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Makes links. `public_url` is where the shop's customers reach syncd, `key` that of the sign-up page's words."""

    public_url: str = ""
    key: bytes = field(default=b"", repr=False)
    screens: Mapping[AccountId, SellerScreens] = field(default_factory=dict)

    def leave(self, about: About | None) -> str:
        """Return where somebody leaves the list by one click; empty for who did not sign up by the page."""
        if about is None or about.entry.source != SOURCE or not (self.public_url and self.key):
            return ""
        token = leave_token(mark_of(about.entry.key), key=self.key)
        return f"{self.public_url.rstrip('/')}{LEAVE}?t={quote(token)}"

    def screen(self, about: About | None) -> str:
        """Return where a person writes to the customer of an order by hand; empty where no link is known."""
        screen = None if about is None or not about.order_id else self.screens.get(AccountId(about.entry.account))
        return "" if screen is None or about is None else screen.order_screen(about.order_id, about.entry.order_number)


def screens_of(roster: Roster) -> dict[AccountId, SellerScreens]:
    """Return the channels whose seller screens are known."""
    return {name: one.channel for name, one in roster.items() if isinstance(one.channel, SellerScreens)}
