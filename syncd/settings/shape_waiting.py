"""The settings of those who wait and of desks; as in `shape` the text under each field is also its comment there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta

from syncd.core.tickets import DeskId


@dataclass(frozen=True, slots=True, kw_only=True)
class Waitlist:
    """Those who wait for goods: `[waitlist]`."""

    line: Literal["oldest", "amount", "due"] = "oldest"
    """Who is served first when goods come in: who waits longest, the largest order, or the earliest promised day.
    Orders always come before those who wait without one."""

    hold_hours: Annotated[float, Meta(ge=1.0, le=720.0)] = 48.0
    """Hours for which units are kept for somebody who waits without an order, once they are told."""

    tell_first_s: Annotated[float, Meta(ge=0.0, le=86_400.0)] = 300.0
    """Seconds for which channels stay closed at most while those who wait are told of a delivery."""

    most_messages: Annotated[int, Meta(ge=0, le=1_000_000)] = 500
    """Most messages of one event (a delivery, a day that slips) that go out by themselves; above that a person decides
    by `syncd messages release`."""

    margin_days: Annotated[int, Meta(ge=0, le=90)] = 2
    """Days that are laid on a supplier's day before it is promised to a customer."""

    authorised_days: Annotated[int, Meta(ge=1, le=90)] = 7
    """Days for which a payment that is only authorised holds; an expected day behind that is a warning."""

    language: Literal["ja", "en", "zh"] = "ja"
    """Language of letters to customers whose own is not known."""

    desk: str = ""
    """The desk at which tickets are opened for those who have none. Empty: the only one there is, else none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalation:
    """Which tickets are for a person, and get no automatic letter until somebody releases them: `[escalation]`."""

    enabled: bool = True
    """Whether syncd looks for them. What a desk marks itself counts all the same."""

    words: Path | None = None
    """Folder with words of your own, in folders ja, en and zh: legal.txt, anger.txt, harmless.txt. They are added to
    ours; a line that begins with a minus takes one of ours out. Left out: ours."""

    amounts: Mapping[str, Annotated[float, Meta(gt=0.0)]] = field(
        default_factory=lambda: {"JPY": 100_000.0, "USD": 700.0, "EUR": 600.0, "CNY": 5_000.0}
    )
    """Order amounts from which on a person answers, by currency. A currency that is left out has no limit."""

    contacts: Annotated[int, Meta(ge=0, le=100)] = 3
    """How often a customer may get in touch in `contact_days` before a person answers; messages within an hour are one.
    0: any number of times."""

    contact_days: Annotated[int, Meta(ge=1, le=90)] = 7
    """Days over which contacts are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskSettings:
    """A desk: `[desks.NAME]`, its adapter's own keys in `[desks.NAME.settings]`."""

    name: DeskId
    """The NAME in the table's title: it names the desk everywhere, so do not change it once it is in use."""

    adapter: str
    """Which adapter speaks to it, see `syncd adapter list`. Left out: the one of the same name."""

    enabled: bool = True
    """Whether the desk is opened at all. To stop sending for a while use `syncd pause` instead."""

    poll_s: Annotated[float, Meta(ge=1.0, le=3_600.0)] = 60.0
    """Seconds between two reads of the tickets that changed."""

    account: str = ""
    """The channel on which those who ask here buy, such as the one whose inquiries are read. Empty: the first that
    sells the goods."""

    settings: Any = None
    """The adapter's own settings: an instance of its `DeskAdapter.settings`; None while the desk is disabled."""
