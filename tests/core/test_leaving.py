"""Words by which somebody leaves a list: they fit one mark and one key alone."""

from __future__ import annotations

import pytest

from syncd.core.leaving import keyed, leave_token, left_mark, mark_of

KEY = b"k" * 32
MARK = keyed("entry", key=KEY)


def test_a_word_leads_back_to_its_mark() -> None:
    """Whoever has the word leaves what it stands for."""
    assert left_mark(leave_token(MARK, key=KEY), key=KEY) == MARK
    assert mark_of(f"{MARK}.0a1b") == MARK


@pytest.mark.parametrize(
    "token", ["", MARK, f"{MARK}.{MARK}", leave_token(MARK, key=b"x" * 32), f"x{leave_token(MARK, key=KEY)}"]
)
def test_other_words_lead_nowhere(token: str) -> None:
    """A word that was made up, or under another key, is none."""
    assert left_mark(token, key=KEY) is None
