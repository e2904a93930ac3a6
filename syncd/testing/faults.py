"""What goes wrong between syncd and a channel: at a simulated remote (`Faults`), around an open one (`Hostile`)."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from syncd.testing.chance import SeededRandom
from syncd.testing.hostile import Hostile, Hostility

__all__ = ["MOST_S", "Faults", "Hostile", "Hostility", "Trouble", "draw", "merged"]

MOST_S = 3_600.0
"""The longest latency or lateness that can be asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """What a simulated remote does wrong: rates in [0, 1] per request or webhook, names in `_s` are seconds.

    `refuse` sends away before any effect: by 503, or by closing the connection. `cut_after_effect` does what was asked
    and closes the connection without an answer, `cut_writes` the same for all but GET. `error_5xx`, `too_many` (429)
    and `html` (a page with status 200) have no effect. `stale_reads` answers what was true a while ago. Webhooks are
    lost, sent twice, or up to so late.

    A remote with faults of its own has them in a class made of this one.

    Raises `ValueError`, with one line for each wrong value.
    """

    latency_s: float = 0.0
    refuse: float = 0.0
    cut_after_effect: float = 0.0
    cut_writes: float = 0.0
    error_5xx: float = 0.0
    too_many: float = 0.0
    html: float = 0.0
    stale_reads: float = 0.0
    lost_webhooks: float = 0.0
    late_webhooks_s: float = 0.0
    double_webhooks: float = 0.0

    def __post_init__(self) -> None:
        wrong = [
            fault for field in dataclasses.fields(self) if (fault := _wrong(field.name, getattr(self, field.name)))
        ]
        if wrong:
            raise ValueError("\n".join(wrong))


def _wrong(name: str, value: Any) -> str:
    most = MOST_S if name.endswith("_s") else 1.0
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return "" if number and 0.0 <= value <= most else f"{name}: not a number from 0 to {most:g}"


def merged(faults: Faults, changes: Mapping[str, Any]) -> Faults:
    """Return `faults` with the named ones changed; none named ends all of them.

    Raises `ValueError`, with one line for each unknown name and each wrong value.
    """
    if not changes:
        return type(faults)()
    known = {field.name for field in dataclasses.fields(faults)}
    strangers = [
        f"{name}: no such fault, known are {', '.join(sorted(known))}" for name in changes if name not in known
    ]
    wrong = [fault for name, value in changes.items() if name in known and (fault := _wrong(name, value))]
    if strangers or wrong:
        raise ValueError("\n".join(strangers + wrong))
    return dataclasses.replace(faults, **changes)


class Trouble(StrEnum):
    """What becomes of one request."""

    NONE = "none"
    DROPPED = "dropped"
    UNAVAILABLE = "unavailable"
    BROKEN = "broken"
    TOO_MANY = "too_many"
    HTML = "html"
    CUT = "cut"


def draw(faults: Faults, random: SeededRandom, *, writes: bool = False) -> Trouble:
    """Decide what becomes of one request; `writes` says that it may change something."""
    if random.happens(faults.refuse):
        return Trouble.DROPPED if random.happens(0.5) else Trouble.UNAVAILABLE
    chances = (
        (faults.error_5xx, Trouble.BROKEN),
        (faults.too_many, Trouble.TOO_MANY),
        (faults.html, Trouble.HTML),
        (faults.cut_after_effect, Trouble.CUT),
        (faults.cut_writes if writes else 0.0, Trouble.CUT),
    )
    return next((trouble for chance, trouble in chances if random.happens(chance)), Trouble.NONE)
