"""The quiet hours of a customer, by the settings: in the zone of their language, else in the shop's."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from syncd.core.terms import SECOND_US, Instant
from syncd.core.tickets import Language
from syncd.core.timerules import Quiet
from syncd.settings import Settings
from syncd.settings.windows import read_quiet, read_zone

QuietOf = Callable[[str, Instant], Quiet | None]
"""Answers the quiet hours of customers of a language at a moment; None: there are none."""


def quiet_of(settings: Settings, language: str, now: Instant) -> Quiet | None:
    """Return the quiet hours of customers of a language (empty: not known) with the offset of `now`."""
    letters, zones = settings.letters, settings.timerules.zones
    if not letters.quiet:
        return None
    start, end = read_quiet(letters.quiet)
    zone = read_zone(zones.get(language or Language.JA.value, letters.zone))
    offset = datetime.fromtimestamp(now // SECOND_US, UTC).astimezone(zone).utcoffset()
    return Quiet(
        start_s=start.hour * 3_600 + start.minute * 60 + start.second,
        end_s=end.hour * 3_600 + end.minute * 60 + end.second,
        offset_s=0 if offset is None else int(offset.total_seconds()),
    )
