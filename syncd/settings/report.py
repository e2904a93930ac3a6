"""What was wrong while settings were read: collected, so that a person sees everything at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches

from syncd.sdk.errors import Problem


@dataclass(slots=True, kw_only=True)
class Report:
    """Problems, which stop the start, and warnings, which do not. `file` is how places name the settings file."""

    file: str
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    def place(self, section: str, key: str = "") -> str:
        """Return where something stands: `file.toml: [channels.shop] poll_s`."""
        return " ".join(part for part in (f"{self.file}:", f"[{section}]" if section else "", key) if part)

    def problem(self, place: str, message: str, remedy: str = "") -> None:
        """Note what stops the start."""
        self.problems.append(Problem(place=place, message=message, remedy=remedy))

    def warning(self, place: str, message: str, remedy: str = "") -> None:
        """Note what should be mended."""
        self.warnings.append(Problem(place=place, message=message, remedy=remedy))


def closest(word: str, known: Iterable[str]) -> str:
    """Return a remedy for an unknown word: the likeliest one, or all that there are."""
    candidates = sorted(known)
    if matches := get_close_matches(word, candidates, n=1, cutoff=0.6):
        return f"did you mean {matches[0]}?"
    return f"known: {', '.join(candidates)}" if candidates else "remove it"
