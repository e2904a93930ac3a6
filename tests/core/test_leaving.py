"""Words by which somebody leaves a list: they fit one mark and one key alone."""

from __future__ import annotations

from syncd.core.leaving import keyed, leave_token, mark_of

KEY = b"k" * 32
MARK = keyed("entry", key=KEY)


def test_a_word_leads_back_to_its_mark() -> None:
    """The mark is in the word, and in the keys of the entries that it stands for."""
    assert mark_of(leave_token(MARK, key=KEY)) == mark_of(f"{MARK}.0a1b") == MARK


def test_words_differ_by_mark_and_by_key() -> None:
    """Nobody can make the word of another mark, or without the key."""
    words = {
        leave_token(MARK, key=KEY),
        leave_token(MARK, key=b"x" * 32),
        leave_token(keyed("other", key=KEY), key=KEY),
        f"{MARK}.{keyed(MARK, key=KEY)}",
    }
    assert len(words) == 4
