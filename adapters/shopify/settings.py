"""The settings of one Shopify shop."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from syncd.sdk.address import address_problems, is_simulator
from syncd.sdk.errors import Problem
from syncd.sdk.secret import Secret

OLDEST_VERSION = "2026-04"
"""Before it, writes have another contract: no `changeFromQuantity`, no mandatory `@idempotent` (changelog 2026-04)."""
NEWEST_TRIED = "2026-10"
MOST_OVERLAP_S = 86_400.0

_SHOP = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9-]*\.myshopify\.com")
_VERSION = re.compile(r"20\d\d-(01|04|07|10)")
_LOCATION = re.compile(r"(gid://shopify/Location/)?[1-9]\d{0,19}")
_UNSET = Secret("")


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopifySettings:
    """What `[channels.NAME.settings]` says of a Shopify shop.

    `shop` is the shop's own `*.myshopify.com` name, not an alias. Either `client_id` with `client_secret` (an app of
    the Dev Dashboard in the shop's organisation) or `access_token` (an older custom app) opens it; webhooks are signed
    with the client secret in both cases, `old_client_secret` is taken too while a secret is rotated. `location_ids`
    (numbers or gids) are the locations that syncd reads and writes; empty means every active location that ships and
    belongs to no fulfilment service. `activate_levels` lets syncd stock an item at such a location where it is not
    stocked yet. `order_overlap_s` is how far a scan of orders looks back behind the one before: how late an order may
    be found. `read_all_orders` says that the app may read orders older than 60 days. `private_sales`
    lets syncd sell to those who wait by draft orders with an invoice link. `base_url` is for simulators.
    """

    shop: str
    client_id: str = ""
    client_secret: Secret = _UNSET
    old_client_secret: Secret = _UNSET
    access_token: Secret = _UNSET
    api_version: str = NEWEST_TRIED
    base_url: str = ""
    location_ids: tuple[str, ...] = ()
    activate_levels: bool = False
    order_overlap_s: float = 120.0
    read_all_orders: bool = False
    private_sales: bool = False

    @property
    def url(self) -> str:
        """Return where the shop's API is, without a slash at the end."""
        return (self.base_url or f"https://{self.shop}").rstrip("/")

    @property
    def locations(self) -> frozenset[str]:
        """Return the numbers of the chosen locations; empty where none is chosen."""
        return frozenset(text.rpartition("/")[2] for text in self.location_ids)

    @property
    def secrets(self) -> tuple[bytes, ...]:
        """Return the keys that webhooks may be signed with, the current one first."""
        return tuple(secret.reveal().encode() for secret in (self.client_secret, self.old_client_secret) if secret)

    def problems(self) -> list[Problem]:
        """Return everything that keeps these settings from being used."""
        return [*self._address_problems(), *self._credential_problems(), *self._value_problems()]

    def _address_problems(self) -> Iterator[Problem]:
        yield from address_problems("base_url", self.base_url)
        if not _SHOP.fullmatch(self.shop) and not (is_simulator(self.base_url) and not self.shop):
            yield Problem(
                place="settings.shop",
                message="is not a myshopify.com name",
                remedy="take it from the address of the admin: admin.shopify.com/store/NAME is NAME.myshopify.com",
            )

    def _credential_problems(self) -> Iterator[Problem]:
        if self.access_token and self.client_id:
            yield Problem(
                place="settings.access_token",
                message="stands beside client_id",
                remedy="keep client_id and client_secret of a Dev Dashboard app, or the access_token of an older one",
            )
        elif self.client_id and not self.client_secret:
            yield Problem(
                place="settings.client_secret",
                message="is missing",
                remedy="Dev Dashboard, your app, Settings, Credentials",
            )
        elif not self.access_token and not self.client_id:
            yield Problem(
                place="settings.client_id",
                message="is missing",
                remedy="Dev Dashboard, your app, Settings, Credentials: client_id and client_secret",
            )

    def _value_problems(self) -> Iterator[Problem]:
        if not _VERSION.fullmatch(self.api_version) or self.api_version < OLDEST_VERSION:
            yield Problem(
                place="settings.api_version",
                message=f"is not a version from {OLDEST_VERSION} on",
                remedy=f'"{NEWEST_TRIED}"',
            )
        for text in self.location_ids:
            if not _LOCATION.fullmatch(text):
                yield Problem(
                    place="settings.location_ids",
                    message=f"{text[:40]!r} is not a location id",
                    remedy="the number at the end of the location's address in the admin, in quotes",
                )
        if not 0 <= self.order_overlap_s <= MOST_OVERLAP_S:
            yield Problem(
                place="settings.order_overlap_s",
                message=f"is not between 0 and {MOST_OVERLAP_S:.0f} seconds",
                remedy="120",
            )
