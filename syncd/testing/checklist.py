"""The checklist of an adapter: every rule is done, or exempt with a reason that a reader can judge.

`checklist.toml` beside the adapter holds one entry per rule:

    [[rule]]
    id = "webhooks-verified"
    state = "exempt"
    reason = "the channel has no webhooks"
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

__all__ = ["DESK_RULES", "RULES", "problems"]

RULES: dict[str, str] = {
    "readme-setup": "README.md leads a shop owner through the set-up, step by step",
    "readme-permissions": "README.md names every right that the credentials need, and what for",
    "readme-settings": "README.md names every setting",
    "readme-limits": "README.md says what the channel cannot do and what syncd does about it",
    "settings-checked": "wrong settings are told all at once, each with its remedy",
    "secrets-typed": "every credential is a field of type Secret",
    "address-is-a-setting": "the address of the API can be set, so that simulators can stand in",
    "opens-without-effect": "opening the channel changes nothing there",
    "retries-by-sdk-only": "nothing is tried again but by syncd.sdk.http",
    "calls-are-bounded": "every call ends by itself, a push before the profile's effect_delay_s",
    "budgets-from-answers": "rate limits are budgets, corrected by what the channel answers",
    "strict-answers": "answers are decoded strictly into types; what does not fit is a ProtocolError",
    "error-table": "the channel's own error answers are mapped to the errors of syncd.sdk.errors, as a table in code",
    "redaction": "no secret is in a log, an error or a sample",
    "no-personal-data": "a buyer's data is not asked for where the API lets us choose, and never kept",
    "honest-times": "an interval is as wide as the API's times are coarse",
    "honest-outcomes": "a write whose answer is lost is INDETERMINATE, never guessed",
    "idempotent-writes": "a write that is sent again cannot be applied twice, by key, condition or reading",
    "whole-catalogue": "listings that are off sale or not tracked are told, and flagged",
    "complete-feed": "the order feed looks back far enough, and complete_until is never too late",
    "gives-told": "units that the channel puts back by itself are told as gives",
    "webhooks-verified": "webhooks are verified on their raw bytes, in constant time",
    "webhooks-restored": "missing webhook subscriptions are found and restored",
    "health-check": "credentials, rights and version can be checked without changing anything",
    "version-pinned": "the version of the API is fixed, stated in the profile, and its end is told ahead",
    "facts-have-sources": "a fact about the API names its page and date",
    "simulator-is-real": "the simulator speaks the real API over HTTP, with the channel's own faults",
    "conformance": "the kit of syncd.testing.conformance passes, over sockets and in virtual time",
    "wire-tables": "parsing and rendering are tested by tables, against the vendor's own samples where there are any",
}
"""What is asked of every adapter of a channel."""

_CHANNELS_ONLY = frozenset({"whole-catalogue", "complete-feed", "gives-told", "webhooks-restored", "version-pinned"})

DESK_RULES: dict[str, str] = {
    **{name: text for name, text in RULES.items() if name not in _CHANNELS_ONLY},
    "told-once": "a letter whose end is not known is looked up by its marker, and never sent twice",
    "texts-not-kept": "what customers write and who they are is not kept, but words that look like order numbers",
    "owners-named": "messages that the desk sends by rules of its own are in the profile, as they are switched on",
    "set-up-repeatable": "the set-up has a plan, can be repeated, and touches nothing of the shop's own",
}
"""What is asked of every adapter of a desk."""

STATES = ("done", "exempt")
_KEYS = {"id", "state", "reason"}


def problems(path: Path, *, rules: Mapping[str, str] = RULES) -> list[str]:
    """Return everything wrong with a checklist that is held against `rules`; empty when it is whole."""
    try:
        held = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return [f"{path}: is missing"]
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        return [f"{path}: cannot be read: {fault}"]
    entries = held.get("rule", [])
    if set(held) - {"rule"} or not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        return [f"{path}: holds something else than [[rule]]"]
    return [f"{path}: {problem}" for problem in _problems(entries, rules)]


def _problems(entries: list[dict[str, Any]], rules: Mapping[str, str]) -> Iterator[str]:
    ids = [str(entry.get("id", "")) for entry in entries]
    for entry, name in zip(entries, ids, strict=True):
        yield from (f"{name}: {problem}" for problem in _entry_problems(entry, rules))
    yield from (f"{name}: stands twice" for name, number in Counter(ids).items() if number > 1)
    yield from (f"{name}: is missing ({text})" for name, text in rules.items() if name not in ids)


def _entry_problems(entry: dict[str, Any], rules: Mapping[str, str]) -> Iterator[str]:
    if entry.get("id") not in rules:
        yield "no such rule"
    if entry.get("state") not in STATES:
        yield f"state is not one of {', '.join(STATES)}"
    reason = entry.get("reason", "")
    if not isinstance(reason, str) or (entry.get("state") == "exempt" and not reason.strip()):
        yield "exempt without a reason"
    yield from (f"unknown key {key}" for key in sorted(set(entry) - _KEYS))
