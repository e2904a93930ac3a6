"""The settings of one Zendesk account."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from syncd.sdk.address import address_problems
from syncd.sdk.errors import Problem
from syncd.sdk.secret import Secret

TOKEN_END: Final = "2027-04-30"  # noqa: S105  (a day)
"""After this day no API token works any more (Zendesk, migrating to OAuth, 2026)."""
ADOPTABLE: Final = frozenset({"sku", "quantity", "expected", "amount", "number", "note"})
"""Fields that may be the shop's own; the state's options are syncd's."""
LEAST_CALLS, MOST_CALLS = 10, 2_500

_SUBDOMAIN = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_UNSET = Secret("")


@dataclass(frozen=True, slots=True, kw_only=True)
class ZendeskSettings:
    """What `[desks.NAME.settings]` says of a Zendesk account.

    `subdomain` is NAME in `https://NAME.zendesk.com`. `client_id` and `client_secret` are an OAuth client of the kind
    confidential, made by the agent as whom syncd works; `admin_client_id` and `admin_client_secret` one that an admin
    made, for the set-up and for the export of changes (empty: the first one is tried). `email` and `api_token` are the
    old way in, which ends on 2027-04-30. `webhook_secret` is the signing secret of the webhook; without it the admin's
    client is asked for it.

    `calls_per_minute` is the limit of the plan until Zendesk states it. `currency` is that of order amounts;
    `amount_high` and `amount_urgent` are the amounts from which a ticket is of high and of urgent priority. `group` is
    the name of the group that gets tickets of those who wait. `fields` names fields of the shop's own by their ids, to
    be used instead of new ones: sku, quantity, expected, amount, number, note. `base_url` is for simulators.
    """

    subdomain: str = ""
    client_id: str = ""
    client_secret: Secret = _UNSET
    admin_client_id: str = ""
    admin_client_secret: Secret = _UNSET
    email: str = ""
    api_token: Secret = _UNSET
    webhook_secret: Secret = _UNSET
    calls_per_minute: int = 200
    currency: str = "JPY"
    amount_high: float = 30_000.0
    amount_urgent: float = 100_000.0
    group: str = ""
    fields: Mapping[str, int] = field(default_factory=dict)
    base_url: str = ""

    @property
    def url(self) -> str:
        """Return where Zendesk is, without a slash at the end."""
        return (self.base_url or f"https://{self.subdomain}.zendesk.com").rstrip("/")

    @property
    def by_token(self) -> bool:
        """Say whether the old API token is the way in."""
        return not self.client_id

    def problems(self) -> list[Problem]:
        """Return everything that keeps these settings from being used."""
        return [*self._place_problems(), *self._key_problems(), *self._value_problems()]

    def _place_problems(self) -> Iterator[Problem]:
        yield from address_problems("base_url", self.base_url)
        if not self.base_url and not _SUBDOMAIN.fullmatch(self.subdomain):
            yield Problem(
                place="settings.subdomain",
                message="is missing or no name of an account",
                remedy="take NAME from https://NAME.zendesk.com",
            )

    def _key_problems(self) -> Iterator[Problem]:
        remedy = "Admin Centre, Apps and integrations, APIs, OAuth clients"
        if not self.client_id and not (self.email and self.api_token):
            yield Problem(place="settings.client_id", message="is missing", remedy=remedy)
        for name, value, secret in (
            ("client", self.client_id, self.client_secret),
            ("admin_client", self.admin_client_id, self.admin_client_secret),
        ):
            if bool(value) != bool(secret):
                missing = f"{name}_secret" if value else f"{name}_id"
                yield Problem(place=f"settings.{missing}", message="is missing beside the other one", remedy=remedy)
        if bool(self.email) != bool(self.api_token):
            missing = "api_token" if self.email else "email"
            yield Problem(
                place=f"settings.{missing}",
                message="is missing beside the other one",
                remedy="give both, or better an OAuth client: tokens end on " + TOKEN_END,
            )

    def _value_problems(self) -> Iterator[Problem]:
        if not LEAST_CALLS <= self.calls_per_minute <= MOST_CALLS:
            yield Problem(
                place="settings.calls_per_minute",
                message=f"is not between {LEAST_CALLS} and {MOST_CALLS}",
                remedy="leave it out: Zendesk states the limit of the plan",
            )
        if not 0.0 < self.amount_high <= self.amount_urgent:
            yield Problem(
                place="settings.amount_high",
                message="is not above 0 and at most amount_urgent",
                remedy="amount_high = 30000, amount_urgent = 100000",
            )
        for name in sorted(set(self.fields) - ADOPTABLE):
            yield Problem(
                place=f"settings.fields.{name}",
                message="is no field that may be the shop's own",
                remedy=f"known are {', '.join(sorted(ADOPTABLE))}",
            )
