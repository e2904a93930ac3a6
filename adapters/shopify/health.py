"""What a person should mend in a shop, said in sentences: pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from adapters.shopify import scopes, wire
from adapters.shopify.settings import ShopifySettings
from syncd.sdk.channel import Instant

MOST_NAMED = 5
WARNED_DAYS = 60
"""How long before the end of a version a person is told."""
DAY_US = 86_400_000_000


def advice(
    found: wire.HealthData,
    *,
    settings: ShopifySettings,
    places: Sequence[wire.LocationNode] | None,
    doubles: Collection[str],
    versions: Collection[str],
    now: Instant,
) -> list[str]:
    """Return a sentence per thing to mend; empty when all is well.

    `places` are the locations of the shop, None where they cannot be read. `doubles` are SKUs that stand on several
    items, `versions` those that Shopify used without being asked for them.
    """
    return [
        *_shop(found.shop.myshopify_domain, settings),
        *scopes.advice(
            wire.scopes(found.current_app_installation),
            old_orders=settings.read_all_orders,
            private_sales=settings.private_sales,
        ),
        *_version(found.public_api_versions, settings, versions),
        *_ending(settings.api_version, now),
        *(() if places is None else _places(places, settings)),
        *_doubles(doubles),
        *_secret(settings),
    ]


def _shop(name: str, settings: ShopifySettings) -> Iterator[str]:
    if settings.shop and name.lower() != settings.shop.lower():
        yield f"The shop calls itself {name}, the settings say {settings.shop}: set shop to the former."


def _version(known: Sequence[wire.VersionNode], settings: ShopifySettings, versions: Collection[str]) -> Iterator[str]:
    supported = sorted(version.handle for version in known if version.supported)
    if settings.api_version not in supported:
        yield f"Shopify does not support API version {settings.api_version} (it does: {', '.join(supported)})."
    if versions:
        yield (
            f"Shopify answered with API version {', '.join(sorted(versions))}, {settings.api_version} was asked for: "
            "look for a newer syncd, and set the webhook version of the app to the same version."
        )


def _ending(version: str, now: Instant) -> Iterator[str]:
    """Tell ahead that a version ends: it is supported for a year from the first of its month (versioning, 2026-11)."""
    end = f"{int(version[:4]) + 1}{version[4:]}-01"
    left_us = wire.instant(f"{end}T00:00:00Z") - now
    if left_us < WARNED_DAYS * DAY_US:
        yield f"Shopify supports API version {version} until {end}: look for a newer syncd before."


def _places(places: Sequence[wire.LocationNode], settings: ShopifySettings) -> Iterator[str]:
    by_number = {wire.number(place.id): place for place in places}
    for number in sorted(settings.locations):
        place = by_number.get(number)
        if place is None:
            yield f"Location {number} of location_ids is not in this shop."
        elif not place.is_active:
            yield f"Location {place.name} ({number}) of location_ids is not active: its stock cannot be bought."
        elif place.is_fulfillment_service:
            yield f"Location {place.name} ({number}) belongs to a fulfilment service, which writes its stock as well."
    if not settings.locations and not any(place.is_active and place.ships_inventory for place in places):
        yield "No active location of this shop ships inventory, so that there is nothing to keep right."


def _doubles(doubles: Collection[str]) -> Iterator[str]:
    if doubles:
        named = ", ".join(sorted(doubles)[:MOST_NAMED])
        more = ", ..." if len(doubles) > MOST_NAMED else ""
        yield f"{len(doubles)} SKUs stand on more than one item ({named}{more}): map their listings by hand."


def _secret(settings: ShopifySettings) -> Iterator[str]:
    if not settings.secrets:
        yield "No client_secret is set: webhooks cannot be verified, and changes are known at the next poll only."
