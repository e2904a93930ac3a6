"""Which SKU a listing belongs to, by its own code: exact matches, suggestions with their rule, and what does not fit.

Pure. Codes are compared exactly; what differs only by the width of its signs, by case, blanks or hyphens is a
suggestion, for two codes that look alike may be two goods. A suggestion names every rule that it needs.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import combinations
from typing import Final

from syncd.store.views_listings import ListingCode, SkuCode


class Rule(StrEnum):
    """What is forgiven when two codes are compared."""

    CASE = "case"
    """Upper and lower case."""
    WIDTH = "width"
    """Full-width and half-width signs, and other forms of one sign (Unicode NFKC)."""
    BLANK = "blank"
    """Blanks anywhere, the ideographic and the invisible ones too."""
    HYPHEN = "hyphen"
    """Hyphens, dashes, minus signs and underscores anywhere, and a long vowel mark that stands for one."""
    OPTION = "option"
    """The listing has no code of its own: the last part of its id is taken for it."""


class Reason(StrEnum):
    """Why something does not match."""

    NO_CODE = "no_code"
    """The channel has no code for the listing."""
    UNKNOWN = "unknown"
    """The code of the listing is no SKU."""
    AMBIGUOUS = "ambiguous"
    """Several counted SKUs, or kits, look like the code."""
    PROMISED = "promised"
    """It would match, but orders hold units under its own code; they would stay there."""
    ALIKE = "alike"
    """SKUs that look alike were counted apart: two goods, or one that is counted twice."""
    OPTION_ROWS = "option_rows"
    """One listing here, several option rows elsewhere."""
    TWICE = "twice"
    """One code stands on several listings of one channel."""
    ONE_CHANNEL = "one_channel"
    """The SKU is on one channel only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A listing and the SKU that its code fits; `rules` are all that the fit needs, none for an exact one."""

    account: str
    remote_id: str
    remote_location: str
    remote_sku: str
    sku: str
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Misfit:
    """What does not match: a listing, or a SKU (then `remote_id` is empty). `others` are the codes or ids concerned."""

    reason: Reason
    account: str = ""
    remote_id: str = ""
    remote_location: str = ""
    remote_sku: str = ""
    sku: str = ""
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that matches by a rule or not at all; listings that have their SKU already are left out."""

    matches: tuple[Match, ...]
    misfits: tuple[Misfit, ...]


# --- codes ----------------------------------------------------------------------------------------------------------

_DASH: Final = re.compile(r"[-_‐‑‒–—―−﹘﹣－＿]")
_ALNUM: Final = "0-9A-Za-z０-９Ａ-Ｚａ-ｚ"
_VOWEL_DASH: Final = re.compile(rf"(?<=[{_ALNUM}])[ーｰ](?=[{_ALNUM}])")
"""A long vowel mark between letters or digits: typed with the key of the hyphen while the input method was on."""
_INVISIBLE: Final = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff"))
_FOLDING: Final = (Rule.WIDTH, Rule.CASE, Rule.BLANK, Rule.HYPHEN)
"""The rules that change a code, in the order in which they are applied."""
_TAIL: Final = re.compile(r"[^/:#|]+\Z")


def folded(code: str, rules: Collection[Rule]) -> str:
    """Return a code without what these rules forgive."""
    for rule in _FOLDING:
        if rule in rules:
            code = _without(code, rule)
    return code


def _without(code: str, rule: Rule) -> str:
    match rule:
        case Rule.WIDTH:
            return unicodedata.normalize("NFKC", code)
        case Rule.CASE:
            return code.casefold()
        case Rule.BLANK:
            return "".join(code.translate(_INVISIBLE).split())
        case _:
            return _DASH.sub("", _VOWEL_DASH.sub("", code))


def rules_between(one: str, other: str) -> tuple[Rule, ...] | None:
    """Return the fewest rules by which two codes are equal, none when they are; None when no rules make them so."""
    for number in range(len(_FOLDING) + 1):
        for rules in combinations((Rule.CASE, Rule.WIDTH, Rule.BLANK, Rule.HYPHEN), number):
            if folded(one, rules) == folded(other, rules):
                return rules
    return None


def _parents(code: str) -> Iterator[str]:
    """Yield what a code may be an option row of: `t100-red` and `t100` for T100-RED-S, as `_whole` writes them."""
    parts = _whole(code).split("-")
    for number in range(len(parts) - 1, 0, -1):
        yield "-".join(parts[:number])


def _whole(code: str) -> str:
    """Return a code with one sign between its parts; width and case forgiven."""
    return _DASH.sub("-", folded(code, (Rule.WIDTH, Rule.CASE))).replace(" ", "-")


# --- the report -----------------------------------------------------------------------------------------------------


def report(skus: Iterable[SkuCode], listings: Sequence[ListingCode]) -> Report:
    """Compare the codes of all listings with all SKUs."""
    made = _Matching(skus=list(skus), listings=listings)
    return Report(matches=tuple(made.matches()), misfits=tuple(made.misfits()))


@dataclass(slots=True)
class _Group:
    """SKUs that look alike."""

    skus: list[SkuCode] = field(default_factory=list)
    chosen: SkuCode | None = None
    """The one that the others are taken for: the only counted one, or without any the one on most channels."""


class _Matching:
    """One comparison; what is found out is kept for both halves of the report."""

    def __init__(self, *, skus: Sequence[SkuCode], listings: Sequence[ListingCode]) -> None:
        self._listings = listings
        self._by_id = {sku.sku_id: sku for sku in skus}
        self._by_code = {sku.code: sku for sku in skus}
        self._accounts: dict[int, set[str]] = defaultdict(set)
        for listing in listings:
            if listing.sku_id is not None:
                self._accounts[listing.sku_id].add(listing.account)
        self._groups: dict[str, _Group] = defaultdict(_Group)
        for sku in skus:
            self._groups[folded(sku.code, _FOLDING)].skus.append(sku)
        for group in self._groups.values():
            group.chosen = self._choose(group.skus)

    def _choose(self, skus: Sequence[SkuCode]) -> SkuCode | None:
        settled = [sku for sku in skus if sku.settled]
        if settled:
            return settled[0] if len(settled) == 1 else None
        return max(skus, key=lambda sku: (len(self._accounts[sku.sku_id]), -sku.sku_id))

    # --- what fits ---

    def matches(self) -> Iterator[Match]:
        """Yield exact matches and suggestions, in the order of the listings."""
        for listing in self._listings:
            found = self._fitting(listing)
            if found is not None and not self._promised(listing):
                yield _match(listing, found)

    def _fitting(self, listing: ListingCode) -> SkuCode | None:
        """Return the SKU that a listing should have and has not, None where it has one or none is certain."""
        if not self._is_free(listing):
            return None
        if listing.sku_id is None and (exact := self._by_code.get(_code(listing))) is not None:
            return exact
        group = self._group(listing)
        if group is None or group.chosen is None or group.chosen.sku_id == listing.sku_id:
            return None
        return group.chosen

    def _is_free(self, listing: ListingCode) -> bool:
        """Say whether a listing has no SKU, or one that was made of its own code and never counted."""
        own = self._own(listing)
        return own is None or (own.code == listing.remote_sku and not own.settled)

    def _own(self, listing: ListingCode) -> SkuCode | None:
        return None if listing.sku_id is None else self._by_id.get(listing.sku_id)

    def _promised(self, listing: ListingCode) -> bool:
        own = self._own(listing)
        return own is not None and own.promised > 0

    def _group(self, listing: ListingCode) -> _Group | None:
        code = _code(listing)
        return self._groups.get(folded(code, _FOLDING)) if code else None

    # --- what does not ---

    def misfits(self) -> Iterator[Misfit]:
        """Yield everything that a person should look at."""
        rows = {misfit.sku or misfit.remote_sku: misfit for misfit in self._option_rows()}
        for listing in self._listings:
            found = self._misfit(listing)
            if found is not None:
                yield found
        yield from self._twice()
        yield from self._alike()
        yield from rows.values()
        others = {code for row in rows.values() for code in row.others}
        yield from self._alone({*rows, *others, *(match.sku for match in self.matches())})

    def _misfit(self, listing: ListingCode) -> Misfit | None:
        if not self._is_free(listing):
            return None
        fitting = self._fitting(listing)
        if fitting is not None:
            return _misfit(listing, Reason.PROMISED, sku=fitting.code) if self._promised(listing) else None
        group = self._group(listing)
        if group is not None:
            alike = tuple(sku.code for sku in group.skus if sku.settled)
            return _misfit(listing, Reason.AMBIGUOUS, others=alike) if group.chosen is None else None
        return _misfit(listing, Reason.UNKNOWN if listing.remote_sku else Reason.NO_CODE)

    def _twice(self) -> Iterator[Misfit]:
        """Several locations of one offer are one listing to people."""
        ids: dict[tuple[str, str], dict[str, None]] = defaultdict(dict)
        for listing in self._listings:
            if listing.remote_sku:
                ids[listing.account, listing.remote_sku][listing.remote_id] = None
        for (account, code), found in ids.items():
            if len(found) > 1:
                yield Misfit(reason=Reason.TWICE, account=account, remote_sku=code, others=tuple(found))

    def _alike(self) -> Iterator[Misfit]:
        for group in self._groups.values():
            first, *others = [sku.code for sku in group.skus if sku.settled] or [""]
            if others:
                yield Misfit(reason=Reason.ALIKE, sku=first, others=tuple(others))

    def _option_rows(self) -> Iterator[Misfit]:
        """Yield listings whose code, elsewhere, is only the beginning of several others."""
        rows: dict[str, dict[str, dict[str, None]]] = defaultdict(lambda: defaultdict(dict))
        for listing in self._listings:
            for parent in _parents(listing.remote_sku):
                rows[parent][listing.account][listing.remote_sku] = None
        for listing in self._listings:
            elsewhere = rows.get(_whole(listing.remote_sku), {}) if listing.remote_sku else {}
            own = self._own(listing)
            if listing.account in elsewhere or (own is not None and len(self._accounts[own.sku_id]) > 1):
                continue
            found = sorted({code for codes in elsewhere.values() for code in codes})
            if len(found) > 1:
                yield _misfit(listing, Reason.OPTION_ROWS, sku="" if own is None else own.code, others=tuple(found))

    def _alone(self, told: Collection[str]) -> Iterator[Misfit]:
        """Yield SKUs on one channel only, where there are several and nothing else was told of them."""
        if len({listing.account for listing in self._listings}) < 2:
            return
        for sku_id, accounts in self._accounts.items():
            sku = self._by_id.get(sku_id)
            if sku is None or len(accounts) != 1 or sku.code in told:
                continue
            if len(self._groups[folded(sku.code, _FOLDING)].skus) == 1:
                yield Misfit(reason=Reason.ONE_CHANNEL, account=next(iter(accounts)), sku=sku.code)


def _code(listing: ListingCode) -> str:
    """Return the code of a listing; without one of its own, the last part of its id."""
    if listing.remote_sku:
        return listing.remote_sku
    tail = _TAIL.search(listing.remote_id)
    return tail[0] if tail is not None else ""


def _match(listing: ListingCode, sku: SkuCode) -> Match:
    rules = rules_between(_code(listing), sku.code) or ()
    return Match(
        account=listing.account,
        remote_id=listing.remote_id,
        remote_location=listing.remote_location,
        remote_sku=listing.remote_sku,
        sku=sku.code,
        rules=rules if listing.remote_sku else (Rule.OPTION, *rules),
    )


def _misfit(listing: ListingCode, reason: Reason, *, sku: str = "", others: tuple[str, ...] = ()) -> Misfit:
    return Misfit(
        reason=reason,
        account=listing.account,
        remote_id=listing.remote_id,
        remote_location=listing.remote_location,
        remote_sku=listing.remote_sku,
        sku=sku,
        others=others,
    )
