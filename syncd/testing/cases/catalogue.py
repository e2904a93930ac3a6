"""The profile, and the catalogue of listings."""

# ruff: noqa: D401  (the docstring of a case is a sentence of expected behaviour, as that of a test)

from __future__ import annotations

import math

from syncd.core.terms import ListingInfo
from syncd.sdk.channel import Profile
from syncd.testing.casebook import Group
from syncd.testing.simulators import Unsupported
from syncd.testing.stage import NotApplicable, Stage, hold

PROFILE = Group("profile")
LISTINGS = Group("listings")


@PROFILE.case
async def limits_are_sane(stage: Stage) -> None:
    """Rows per call are at least one, times are finite and not negative, an effect has at least a second."""
    profile = stage.profile
    hold(min(profile.max_push, profile.max_seen, profile.max_fetch) >= 1, "a call takes less than one row")
    hold(all(math.isfinite(time) and time >= 0.0 for time in _times(profile)), "a time is negative or endless")
    hold(profile.effect_delay_s >= 1.0, "no time is left for a write to take effect")


def _times(profile: Profile) -> list[float]:
    return [
        profile.staleness_s,
        profile.clock_skew_s,
        profile.effect_delay_s,
        profile.visibility_delay_s,
        profile.feed_lateness_s,
    ]


@PROFILE.case
async def it_stays_as_it_is(stage: Stage) -> None:
    """The profile is the same before and after the channel was used."""
    before = stage.profile
    await stage.catalogue()
    await stage.scan(None)
    hold(stage.profile == before, "the profile changed by reading")


@PROFILE.case
async def opening_changes_nothing(stage: Stage) -> None:
    """Opening a channel and reading all of it writes nothing."""
    before = stage.simulator.shown()
    await stage.catalogue()
    await stage.scan(None)
    await stage.channel.seen([shown.ref for shown in before][: stage.profile.max_seen])
    hold(stage.simulator.shown() == before and not len(stage.simulator.log), "something was written")


@LISTINGS.large
async def every_listing_comes(stage: Stage) -> None:
    """The pages of the catalogue together hold every listing that is shown."""
    found = {listing.ref for listing in await stage.catalogue()}
    missing = [shown.ref for shown in stage.simulator.shown() if shown.ref not in found]
    hold(not missing, f"{len(missing)} listings are missing, the first is {missing[:1]}")


@LISTINGS.large
async def none_comes_twice(stage: Stage) -> None:
    """No listing is in the catalogue twice."""
    found = [listing.ref for listing in await stage.catalogue()]
    hold(len(found) == len(set(found)), "a listing came twice")


@LISTINGS.case
async def ids_are_stable(stage: Stage) -> None:
    """A second reading of the catalogue has the same ids."""
    first = {listing.ref for listing in await stage.catalogue()}
    hold(first == {listing.ref for listing in await stage.catalogue()}, "the ids changed between two readings")


@LISTINGS.case
async def skus_are_exact(stage: Stage) -> None:
    """Every listing has the shop's SKU, letter by letter."""
    skus = {listing.ref: listing.sku for listing in await stage.catalogue()}
    wrong = [shown.sku for shown in stage.simulator.shown() if skus.get(shown.ref) != shown.sku]
    hold(not wrong, f"the SKU of {wrong[:1]} came differently")


@LISTINGS.case
async def hidden_ones_are_included(stage: Stage) -> None:
    """A listing that is off sale stays in the catalogue and is not active."""
    shown = stage.goods(1)[0]
    try:
        stage.simulator.hide(shown.sku)
    except Unsupported as reason:
        raise NotApplicable(str(reason)) from reason
    listing = await _listing(stage, shown.sku)
    hold(not listing.active, "a listing that is off sale is said to be active")


@LISTINGS.case
async def untracked_ones_are_flagged(stage: Stage) -> None:
    """A listing whose stock the channel does not track is not managed."""
    shown = stage.goods(1)[0]
    try:
        stage.simulator.unmanage(shown.sku)
    except Unsupported as reason:
        raise NotApplicable(str(reason)) from reason
    listing = await _listing(stage, shown.sku)
    hold(not listing.managed, "a listing whose stock is not tracked is said to be managed")


async def _listing(stage: Stage, sku: str) -> ListingInfo:
    found = [listing for listing in await stage.catalogue() if listing.sku == sku]
    hold(found, f"{sku} left the catalogue")
    return found[0]
