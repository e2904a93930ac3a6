"""The settings of what leaves the house: the pages for customers, and webhooks to the shop's own systems.

As in `shape`: the text under each field is also its comment in `config/syncd.example.toml`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Annotated

from msgspec import Meta

from syncd.sdk.secret import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderPageSettings:
    """The order status page for customers: `[orderpage]`."""

    enabled: bool = False
    """Serve the page at /order. Let the TLS proxy pass that path to the public."""

    embed_in: tuple[str, ...] = ()
    """Origins of the shop's own pages that may show it in a frame, by /order?embed=1: "https://shop.example.org"."""

    cancel: bool = True
    """Whether buyers may ask there to cancel an order that was not sent; a person decides about it."""

    tries_per_minute: Annotated[int, Meta(ge=1, le=100_000)] = 10
    """Most look-ups of one address in a minute."""

    misses_per_hour: Annotated[int, Meta(ge=1, le=1_000)] = 10
    """Look-ups of one order number that may fail in an hour; then it is answered as if it were not there."""

    smtp_url: str = field(default="", repr=False, metadata={"hidden": True})
    """Mail server as in [alerts], for the sign-up page at /back/SKU ("tell me when it is back"). A secret, for it may
    hold a password. Empty: no such page."""

    mail_from: str = ""
    """Sender of its mails."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSettings:
    """One endpoint that gets events by signed webhooks: `[webhooks.NAME]`."""

    name: str
    """The NAME in the table's title; events that wait know it, so do not change it once it is in use."""

    url: str
    """Address that events are posted to, with https."""

    secret: Secret
    """Secret that signs them, at least 24 characters (a secret); `whsec_` and base64 where the receiver wants that."""

    old_secret: Secret = field(default_factory=partial(Secret, ""))
    """The secret before it, while the receiver changes over: messages bear both signatures (a secret)."""

    events: tuple[str, ...] = ()
    """Types of events to send, a star for any letters: "sale", "channel.*". Empty: all of them."""

    private: bool = False
    """Whether the address may be one of this machine or of a local network."""
