"""Letters to customers: the texts of each kind in each language, checked at the start and filled in.

The texts that come with syncd stand in `config/templates/{ja,en,zh}/`; a file of the same name in the shop's own folder
takes the place of one. A text is a first line `Subject: ...`, an empty line, and the body.
"""

from syncd.letters.texts import TextRow, Texts, load_texts
from syncd.letters.wordlists import load_lexicon

__all__ = ["TextRow", "Texts", "load_lexicon", "load_texts"]
