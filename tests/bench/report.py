"""How a benchmark says what it found."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping


def arguments(description: str) -> argparse.ArgumentParser:
    """Return a parser with the options that every benchmark has."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", action="store_true", help="end with one JSON object on the last line")
    return parser


def report(name: str, figures: Mapping[str, float], settings: Mapping[str, object], *, as_json: bool) -> None:
    """Print the figures as a table, and as one JSON object on the last line when asked."""
    width = max(len(key) for key in figures)
    for key, value in figures.items():
        sys.stdout.write(f"{key:<{width}}  {value:,.3f}\n")
    if as_json:
        rounded = {key: round(value, 4) for key, value in figures.items()}
        sys.stdout.write(json.dumps({"name": name, "figures": rounded, "settings": dict(settings)}) + "\n")
