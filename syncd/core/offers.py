"""A private sale for somebody who waits: how it stands, and what each word of the channel makes of it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class OfferState(StrEnum):
    """How a private sale stands."""

    WAITING = "waiting"
    """To be made."""
    INTENDED = "intended"
    """Stored, and sent or about to be."""
    UNKNOWN = "unknown"
    """Nobody knows whether it is there: it is looked for by its key."""
    OPEN = "open"
    """Whoever has the link can buy."""
    WITHDRAWING = "withdrawing"
    """To be ended; until that is certain somebody may still buy."""
    ENDED = "ended"


class OfferWord(StrEnum):
    """What a channel said of a private sale, or that it said nothing."""

    MADE = "made"
    REFUSED = "refused"
    UNSENT = "unsent"
    """Certainly without any effect."""
    UNKNOWN = "unknown"
    ABSENT = "absent"
    """It was looked for and not found."""
    WITHDRAWN = "withdrawn"
    GONE = "gone"
    BOUGHT = "bought"


class Sequel(StrEnum):
    """What follows for whoever waits."""

    NOTHING = "nothing"
    TELL = "tell"
    """They are told, with the link."""
    OPEN_CHANNEL = "open_channel"
    """There is no private sale: their channel opens for their units, and they are told without a link."""
    RELEASE = "release"
    """The units are free again."""
    ORDER = "order"
    """They have bought: the order takes the units as soon as it is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What a word makes of a private sale; `again` says that what was tried is tried once more, later."""

    state: OfferState
    sequel: Sequel = Sequel.NOTHING
    again: bool = False


MAKING = (OfferState.WAITING, OfferState.INTENDED, OfferState.UNKNOWN)
"""The states of one that is not certainly there: nobody was told of it."""
_NOT_ENDED = (OfferWord.UNSENT, OfferWord.UNKNOWN, OfferWord.REFUSED)


def turn(state: OfferState, word: OfferWord, *, recalled: bool, proven: bool) -> Turn:
    """Say how a private sale goes on.

    `recalled` says that it is not wanted any more, `proven` that what was not found now is not there at all. A word
    that does not fit, such as one that is told twice, changes nothing.
    """
    if state in MAKING:
        return _made(state, word, recalled=recalled, proven=proven)
    if state is OfferState.WITHDRAWING:
        return _withdrawn(word)
    return Turn(state=state)


def _made(state: OfferState, word: OfferWord, *, recalled: bool, proven: bool) -> Turn:
    unknown = state is OfferState.UNKNOWN
    if word is OfferWord.MADE:
        return Turn(state=OfferState.WITHDRAWING) if recalled else Turn(state=OfferState.OPEN, sequel=Sequel.TELL)
    if word is OfferWord.UNKNOWN or (unknown and word is OfferWord.UNSENT) or (word is OfferWord.ABSENT and not proven):
        return Turn(state=OfferState.UNKNOWN, again=True)
    if word is OfferWord.UNSENT and not recalled:
        return Turn(state=OfferState.WAITING, again=True)
    if word in (OfferWord.REFUSED, OfferWord.UNSENT, OfferWord.ABSENT):
        return Turn(state=OfferState.ENDED, sequel=Sequel.RELEASE if recalled else Sequel.OPEN_CHANNEL)
    return Turn(state=state)


def _withdrawn(word: OfferWord) -> Turn:
    if word in (OfferWord.WITHDRAWN, OfferWord.GONE):
        return Turn(state=OfferState.ENDED, sequel=Sequel.RELEASE)
    if word is OfferWord.BOUGHT:
        return Turn(state=OfferState.ENDED, sequel=Sequel.ORDER)
    return Turn(state=OfferState.WITHDRAWING, again=word in _NOT_ENDED)
