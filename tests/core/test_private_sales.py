"""How private sales go on by what a channel says of them."""

from __future__ import annotations

import pytest

from syncd.core.offers import OfferState, OfferWord, Sequel, Turn, turn

S, W, Q = OfferState, OfferWord, Sequel
MAKING = (S.WAITING, S.INTENDED, S.UNKNOWN)


def go(state: OfferState, word: OfferWord, *, recalled: bool = False, proven: bool = False) -> Turn:
    return turn(state, word, recalled=recalled, proven=proven)


@pytest.mark.parametrize("state", MAKING)
def test_what_is_made_is_told_or_ended_again(state: OfferState) -> None:
    """One that is there is told, unless nobody wants it any more."""
    assert go(state, W.MADE) == Turn(state=S.OPEN, sequel=Q.TELL)
    assert go(state, W.MADE, recalled=True) == Turn(state=S.WITHDRAWING)


@pytest.mark.parametrize("state", MAKING)
def test_what_is_refused_opens_the_channel(state: OfferState) -> None:
    """One that is refused for good opens the channel, or frees the units where nobody waits for them."""
    assert go(state, W.REFUSED) == Turn(state=S.ENDED, sequel=Q.OPEN_CHANNEL)
    assert go(state, W.REFUSED, recalled=True) == Turn(state=S.ENDED, sequel=Q.RELEASE)


def test_what_was_not_sent_is_sent_again() -> None:
    """Without an effect it waits again; one that is not wanted any more is over."""
    assert go(S.INTENDED, W.UNSENT) == Turn(state=S.WAITING, again=True)
    assert go(S.INTENDED, W.UNSENT, recalled=True) == Turn(state=S.ENDED, sequel=Q.RELEASE)


@pytest.mark.parametrize("recalled", [False, True])
def test_what_is_not_known_is_looked_for(recalled: bool) -> None:
    """A lost answer, and a look that failed or came too soon, decide nothing, whoever wants what."""
    look = Turn(state=S.UNKNOWN, again=True)
    assert go(S.INTENDED, W.UNKNOWN, recalled=recalled) == look
    assert go(S.UNKNOWN, W.UNKNOWN, recalled=recalled) == look
    assert go(S.UNKNOWN, W.UNSENT, recalled=recalled) == look
    assert go(S.UNKNOWN, W.ABSENT, recalled=recalled) == look


def test_what_is_not_found_for_long_enough_is_not_there() -> None:
    """Once that is proven the channel opens, or the units are free."""
    assert go(S.UNKNOWN, W.ABSENT, proven=True) == Turn(state=S.ENDED, sequel=Q.OPEN_CHANNEL)
    assert go(S.UNKNOWN, W.ABSENT, recalled=True, proven=True) == Turn(state=S.ENDED, sequel=Q.RELEASE)


@pytest.mark.parametrize("word", [W.WITHDRAWN, W.GONE])
def test_what_is_withdrawn_frees_its_units(word: OfferWord) -> None:
    """Only a certain end frees units."""
    assert go(S.WITHDRAWING, word, recalled=True) == Turn(state=S.ENDED, sequel=Q.RELEASE)


@pytest.mark.parametrize("word", [W.UNSENT, W.UNKNOWN, W.REFUSED])
def test_a_withdrawal_is_tried_until_it_is_certain(word: OfferWord) -> None:
    """While it is not certain that nobody can buy it is tried again."""
    assert go(S.WITHDRAWING, word, recalled=True) == Turn(state=S.WITHDRAWING, again=True)


def test_what_was_bought_waits_for_its_order() -> None:
    """Bought in the last moment it is the customer's."""
    assert go(S.WITHDRAWING, W.BOUGHT, recalled=True) == Turn(state=S.ENDED, sequel=Q.ORDER)


@pytest.mark.parametrize("state", [S.OPEN, S.ENDED])
@pytest.mark.parametrize("word", W)
def test_a_word_that_comes_too_late_changes_nothing(state: OfferState, word: OfferWord) -> None:
    """What is open or over stays so, whatever is told again."""
    assert go(state, word, recalled=True, proven=True) == Turn(state=state)


@pytest.mark.parametrize("word", [W.WITHDRAWN, W.GONE, W.BOUGHT])
@pytest.mark.parametrize("state", MAKING)
def test_an_end_of_what_is_being_made_changes_nothing(state: OfferState, word: OfferWord) -> None:
    """Nobody asked for the end of one that is not there yet."""
    assert go(state, word) == Turn(state=state)


@pytest.mark.parametrize("word", [W.MADE, W.ABSENT])
def test_a_late_word_does_not_bring_back_what_is_withdrawn(word: OfferWord) -> None:
    """One that is being ended is not open again because it was found."""
    assert go(S.WITHDRAWING, word, recalled=True) == Turn(state=S.WITHDRAWING)
