"""Decide what people and the shop's own systems say of stock: counts, movements, SKUs, kits, mappings, policies."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from syncd.core.counts import Since, count_posting
from syncd.core.exposure import FIELDS, Exposure
from syncd.core.facts import (
    CountFact,
    Fact,
    MappingFact,
    MoveFact,
    PolicyFact,
    SkuFact,
    SkuRow,
    StockMove,
)
from syncd.core.facts import PolicyRow as PolicyFactRow
from syncd.core.kits import cycle, explode
from syncd.core.ledger import MovementKind, Posting
from syncd.core.season import Season
from syncd.core.terms import AccountId, Sku, SkuId
from syncd.engine import drifting
from syncd.engine.divided import parts_of_kits
from syncd.engine.orders import apply_mapped
from syncd.engine.rooms import load_policies
from syncd.engine.work import CameIn, Work
from syncd.store import counts, ledger, listings, open_lines
from syncd.store.ledger import KnownSku
from syncd.store.open_lines import OpenLine
from syncd.store.rows_exposure import PolicyRow

MOST_UNITS = 1_000_000_000
"""Most units that a count or a movement may have: more is a slip of the finger."""

OVERRULED = "not applied: it was counted anew after that"

StockFact = CountFact | MoveFact | SkuFact | MappingFact | PolicyFact
F = TypeVar("F", bound=StockFact)


class Refused(Exception):  # noqa: N818  (a verdict, not a fault)
    """A fact cannot be applied; nothing of it took effect. The text names every row that is wrong."""


def take_stock(work: Work, fact: StockFact, *, offset: int = 0, trial: bool = False) -> None:
    """Apply one such fact to the work, or raise `Refused`.

    `offset` is the number of its first row within the fact that it is a slice of. A `trial` writes nothing at all: it
    only finds what would become of targets.
    """
    match fact:
        case CountFact():
            _count(work, fact, offset, trial=trial)
        case MoveFact():
            _move(work, fact, offset)
        case SkuFact() if trial:
            _check_skus(work, fact)
        case SkuFact():
            _skus(work, fact)
        case MappingFact():
            _map(work, fact, trial=trial)
        case PolicyFact():
            _policies(work, fact)


def is_stock(fact: Fact) -> bool:
    """Say whether a fact is decided here."""
    return isinstance(fact, StockFact)


def rows_of(fact: StockFact) -> int:
    """Return how many rows a fact has."""
    return len(fact.rows)


def slice_of(fact: F, start: int, size: int) -> F:
    """Return the same fact with only some of its rows; each part is right by itself: kits come after all else."""
    if isinstance(fact, SkuFact):
        fact = replace(fact, rows=tuple(sorted(fact.rows, key=lambda row: bool(row.components))))
    return replace(fact, rows=fact.rows[start : start + size])  # type: ignore[arg-type]  # rows keep their own type


def known_skus(work: Work, codes: Collection[Sku]) -> dict[Sku, KnownSku]:
    """Return these SKUs, with their kits and balances in hand; refuses those that nobody knows."""
    found = ledger.skus_by_code(work.conn, codes)
    unknown = sorted(set(codes).difference(found))
    if unknown:
        raise Refused(f"unknown SKU: {some(unknown)}; make it known by `syncd skus import`")
    work.load_skus([known.sku_id for known in found.values()])
    work.load_shelves([known.sku_id for known in found.values()])
    return found


def some(names: Sequence[str], most: int = 10) -> str:
    """Return the first of many names, and how many more there are."""
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest


def _check_rows(rows: Iterable[Any], *, wrong: Callable[[Any], str]) -> None:
    problems = [f"row {number}, {row.sku}: {why}" for number, row in enumerate(rows, 1) if (why := wrong(row))]
    if problems:
        raise Refused(some(problems))


def _count(work: Work, fact: CountFact, offset: int, *, trial: bool) -> None:
    known = known_skus(work, {row.sku for row in fact.rows})
    _check_rows(fact.rows, wrong=lambda row: _wrong_count(work, row, known))
    applied = []
    for number, row in enumerate(fact.rows, offset):
        sku = known[row.sku]
        balance = work.shelf(sku.sku_id).get(row.location, ledger.Balance())
        since = counts.moved_since(work.conn, sku.sku_id, row.location, row.counted_at)
        overruled = counts.counted_since(work.conn, sku.sku_id, row.location, row.counted_at + 1)
        posting = count_posting(
            row,
            sku_id=sku.sku_id,
            reference=f"{fact.reference}:{number}:{row.sku}:{row.location}",
            on_hand=balance.on_hand,
            committed=balance.committed,
            held=balance.held,
            since=Since(on_hand=since[0], committed=since[1], held=since[2]),
            opened=sku.opened or sku.sku_id in work.opened,
            overruled=overruled,
        )
        if posting is not None:
            reason = OVERRULED if overruled else fact.reason
            work.post(posting, source=fact.source, at=row.counted_at, reason=reason, actor=fact.actor)
        if not sku.opened:
            work.opened.add(sku.sku_id)
            work.touch(sku.sku_id)
        if not overruled:
            applied.append((sku.sku_id, row))
    if not trial:
        drifting.end_by_counts(work, applied, actor=fact.actor)


def _wrong_count(work: Work, row: Any, known: Mapping[Sku, KnownSku]) -> str:
    if known[row.sku].sku_id in work.kits:
        return "a kit has no stock of its own; count its components"
    if row.quantity < 0:
        return "a count is at least 0"
    if row.quantity > MOST_UNITS:
        return f"a count is at most {MOST_UNITS}"
    if not row.location:
        return "the location is missing"
    return "" if row.counted_at <= work.now else "counted in the future"


def _move(work: Work, fact: MoveFact, offset: int) -> None:
    known = known_skus(work, {row.sku for row in fact.rows})
    _check_rows(fact.rows, wrong=lambda row: _wrong_move(work, fact, row, known))
    kinds = {
        StockMove.RECEIVE: MovementKind.RECEIVE,
        StockMove.ADJUST: MovementKind.ADJUST,
        StockMove.DAMAGE: MovementKind.DAMAGE,
    }
    for number, row in enumerate(fact.rows, offset):
        posting = Posting(
            reference=f"{fact.reference}:{number}:{row.sku}:{row.location}",
            sku_id=known[row.sku].sku_id,
            location=row.location,
            kind=kinds[fact.move],
            on_hand=row.quantity,
        )
        work.post(posting, source=fact.source, at=fact.at, reason=fact.reason, actor=fact.actor)
        if fact.move is StockMove.RECEIVE:
            reference = f"{fact.reference}:{number}"
            work.came_in.append(CameIn(posting=posting, source=fact.source, reference=reference, at=fact.at))


def _wrong_move(work: Work, fact: MoveFact, row: Any, known: Mapping[Sku, KnownSku]) -> str:
    if known[row.sku].sku_id in work.kits:
        return "a kit has no stock of its own; move its components"
    if row.quantity == 0 or abs(row.quantity) > MOST_UNITS:
        return f"a movement has 1 to {MOST_UNITS} units"
    if fact.move is StockMove.RECEIVE and row.quantity < 0:
        return "a delivery is positive; use adjust"
    if fact.move is StockMove.DAMAGE and row.quantity > 0:
        return "damage takes units away: its quantity is negative"
    return "" if row.location else "the location is missing"


def _skus(work: Work, fact: SkuFact) -> None:
    ledger.add_skus(work.conn, {row.sku: row.title for row in fact.rows})
    parts = {part for row in fact.rows for part, _ in row.components}
    known = known_skus(work, {row.sku for row in fact.rows} | parts)
    ledger.set_title(work.conn, {known[row.sku].sku_id: row.title for row in fact.rows if row.title})
    for row in fact.rows:
        if row.components:
            _make_kit(work, row, known)
    codes = {row.sku for row in fact.rows}
    for account in work.house.rules:
        apply_mapped(work, account, (), codes)


def _check_skus(work: Work, fact: SkuFact) -> None:
    """Refuse what `_skus` would refuse and have its kits in hand, without making anything known."""
    codes = [row.sku for row in fact.rows]
    parts = {part for row in fact.rows for part, _ in row.components}
    found = ledger.skus_by_code(work.conn, parts.union(codes))
    unknown = sorted(parts.difference(found).difference(codes))
    if unknown:
        raise Refused(f"unknown SKU: {some(unknown)}; make it known by `syncd skus import`")
    work.load_skus([known.sku_id for known in found.values()])
    # SKUs that are not known yet stand under numbers that no known one has.
    ids = {code: SkuId(-number) for number, code in enumerate(codes, 1)}
    ids.update({code: known.sku_id for code, known in found.items()})
    kits = dict(work.kits)
    for row in fact.rows:
        if row.components:
            _check_kit(work, row, found)
            kits[ids[row.sku]] = tuple((ids[part], quantity) for part, quantity in row.components)
    nested = cycle(kits)
    if nested is not None:
        names = {sku_id: code for code, sku_id in ids.items()} | {k: known.code for k, known in work.skus.items()}
        raise Refused(f"kits of kits are not possible: {', '.join(sorted(names[sku_id] for sku_id in nested))}")
    work.kits = kits
    for row in fact.rows:
        for part, _ in row.components:
            work.touch(ids[part])


def _check_kit(work: Work, row: SkuRow, known: Mapping[Sku, KnownSku]) -> None:
    if any(quantity < 1 for _, quantity in row.components):
        raise Refused(f"{row.sku}: a kit holds at least 1 of each component")
    if row.sku not in known:
        return
    kit_id = known[row.sku].sku_id
    if any(b.on_hand or b.committed for b in work.shelf(kit_id).values()):
        raise Refused(f"{row.sku} has stock of its own and cannot become a kit; count it to 0 first")
    if ledger.has_open_lines(work.conn, kit_id):
        raise Refused(f"{row.sku} has open orders; change what it is made of once they are shipped or cancelled")


def _make_kit(work: Work, row: Any, known: Mapping[Sku, KnownSku]) -> None:
    _check_kit(work, row, known)
    kit_id = known[row.sku].sku_id
    work.kits[kit_id] = tuple((known[part].sku_id, quantity) for part, quantity in row.components)
    nested = cycle(work.kits)
    if nested is not None:
        names = ", ".join(sorted(k.code for k in work.skus.values() if k.sku_id in nested))
        raise Refused(f"kits of kits are not possible: {names}")
    ledger.set_kit(work.conn, kit_id, work.kits[kit_id])
    for part, _ in work.kits[kit_id]:
        work.touch(part)


def _map(work: Work, fact: MappingFact, *, trial: bool) -> None:
    codes = {row.sku for row in fact.rows if row.sku is not None}
    known = known_skus(work, codes) if codes else {}
    for account in {row.account for row in fact.rows}:
        rows = [row for row in fact.rows if row.account == account]
        found = work.keep(listings.by_remote(work.conn, account, {row.ref.remote_id for row in rows}))
        by_ref = {listing.ref: listing for listing in found if listing.account == account}
        unknown = sorted(row.ref.remote_id for row in rows if row.ref not in by_ref)
        if unknown:
            raise Refused(f"{account} has no listing {some(unknown)}; refresh its catalogue")
        moves = [(by_ref[row.ref], None if row.sku is None else known[row.sku].sku_id) for row in rows]
        lines = open_lines.of_listings(work.conn, account, {row.ref.remote_id for row in rows})
        for listing, sku_id in moves:
            before = listing.sku_id
            _map_one(work, listing, sku_id)
            if before is not None and sku_id is not None and before != sku_id:
                mine = [line for line in lines if line.belongs(listing.ref.remote_id, before)]
                _move_lines(work, account, mine, sku_id, trial=trial)
        if trial:
            continue
        listings.save(work.conn, (x for x in found if x.changed), now=work.now)
        apply_mapped(work, account, {row.ref.remote_id for row in rows}, ())


def _move_lines(work: Work, account: AccountId, lines: Iterable[OpenLine], sku_id: SkuId, *, trial: bool) -> None:
    """Let what is still to be shipped of these lines be promised on the SKU that the listing belongs to now."""
    for line in lines:
        for kind, owner, sign in ((MovementKind.RELEASE, line.sku_id, -1), (MovementKind.COMMIT, sku_id, 1)):
            for part, units in explode(owner, line.units, work.kits):
                posting = Posting(
                    reference=f"{line.order_id}:{line.line_id}:remap:{sku_id}:{part}:{kind.value}@{work.now}",
                    sku_id=part,
                    location=line.location,
                    kind=kind,
                    committed=sign * units,
                )
                work.post(posting, source=account, at=work.now, reason="its listing was mapped to another SKU")
        if not trial:
            open_lines.move(work.conn, line, sku_id)
            work.stated.add(line.order_row)


def _map_one(work: Work, listing: Any, sku_id: SkuId | None) -> None:
    for touched in (listing.sku_id, sku_id):
        if touched is not None:
            work.load_skus((touched,))
            work.touch(touched)
    listing.sku_id = sku_id
    if sku_id is None:
        listing.target = None
    work.stir(listing)


def _policies(work: Work, fact: PolicyFact) -> None:
    known = known_skus(work, {row.sku for row in fact.rows})
    _check_rows(fact.rows, wrong=_wrong_policy)
    ids = [sku.sku_id for sku in known.values()]
    load_policies(work, ids)
    touched = set(ids)
    for row in fact.rows:
        sku_id, changes = known[row.sku].sku_id, {name: getattr(row, name) for name in FIELDS}
        if row.exposure is not None or any(x.exposure for x in work.policies.get(sku_id, {}).values()):
            work.load_skus((sku_id,))
            touched |= parts_of_kits(work, (sku_id,))
        if row.season:
            _set_season(work, sku_id, _dated(work, sku_id, row), changes)
            continue
        policy = PolicyRow(sku_id=sku_id, account=row.account or "", **changes)
        work.policies.setdefault(sku_id, {})[policy.account] = policy
        work.policy_rows.append(policy.model_dump())
    for sku_id in touched:
        work.touch(sku_id)


def _dated(work: Work, sku_id: SkuId, row: PolicyFactRow) -> PolicyFactRow:
    """Return a row with its dates; one that only has the name of a season is of that which is there."""
    if row.since is not None:
        return row
    accounts = (row.account,) if row.account else ()
    for season in work.seasons.get(sku_id, ()):
        if (season.name, season.accounts) == (row.season, accounts):
            return replace(row, since=season.since, until=season.until)
    raise Refused(f"{row.sku} has no season {row.season} {f'on {row.account}' if row.account else 'for all channels'}")


def _set_season(work: Work, sku_id: SkuId, row: PolicyFactRow, changes: Mapping[str, Any]) -> None:
    """Set a dated policy of a SKU; one without any change is over at once."""
    assert row.since is not None, "the caller checked it"  # noqa: S101  (our own invariant)
    assert row.until is not None, "the caller checked it"  # noqa: S101  (the same)
    until = row.until if any(value is not None for value in changes.values()) else row.since
    accounts = (row.account,) if row.account else ()
    season = Season(name=row.season, since=row.since, until=until, accounts=accounts, **changes)
    others = [x for x in work.seasons.get(sku_id, []) if (x.name, x.accounts) != (season.name, accounts)]
    work.seasons[sku_id] = [*others, season]
    work.season_rows.append(
        {"sku_id": sku_id, "account": row.account or "", "name": row.season, "since": row.since, "until": until}
        | dict(changes)
    )


def _wrong_policy(row: Any) -> str:
    if row.safety_percent is not None and not 0 <= row.safety_percent <= 100:
        return "safety_percent is 0 to 100"
    if row.share is not None and not 0 <= row.share <= 100:
        return "share is 0 to 100"
    if any(value is not None and value < 0 for value in (row.safety_stock, row.cap, row.priority_units)):
        return "safety_stock, cap and priority_units are at least 0"
    if any(value is not None and value < 1 for value in (row.loss, row.purchase_limit)):
        return "loss and purchase_limit are at least 1"
    if row.exposure is not None and row.exposure not in set(Exposure):
        return f"exposure is one of {', '.join(Exposure)}"
    return "" if _is_dated_well(row) else "a season has a name, a begin and a later end; its name alone takes it away"


def _is_dated_well(row: Any) -> bool:
    """Say whether a row has all that a season has, or nothing of it, or only the name of one that is taken away."""
    if row.since is None and row.until is None:
        return not row.season or all(getattr(row, name) is None for name in FIELDS)
    return bool(row.season) and row.since is not None and row.until is not None and row.until > row.since
