"""What a request names: which SKUs, kits and listings are there, so that every wrong row can be told at once."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from sqlalchemy import Connection, select

from syncd.core.terms import AccountId, ListingRef
from syncd.store import ledger, listings
from syncd.store.rows import KitRow, SkuRow
from syncd.store.statements import chunks, table
from syncd.store.views import components

_SKU = table(SkuRow)
_KIT = table(KitRow)

Parts: TypeAlias = Sequence[tuple[str, int]]
"""Codes of components and units of each in one kit."""


def sku_kinds(conn: Connection, codes: Collection[str]) -> dict[str, bool]:
    """Return those of these SKUs that are known, with whether each is a kit."""
    known = ledger.skus_by_code(conn, codes)
    made = ledger.kits(conn, [sku.sku_id for sku in known.values()])
    return {str(code): sku.sku_id in made for code, sku in known.items()}


def known_refs(conn: Connection, account: AccountId, refs: Collection[ListingRef]) -> set[ListingRef]:
    """Return those of these places that are listings of the account."""
    found = listings.by_remote(conn, account, {ref.remote_id for ref in refs})
    return {listing.ref for listing in found}.intersection(refs)


@dataclass(frozen=True, slots=True, kw_only=True)
class KitCheck:
    """Why kits cannot be made, by code, and which of them are made so already."""

    faults: Mapping[str, str]
    unchanged: frozenset[str]


def check_kits(conn: Connection, kits: Mapping[str, Parts], *, plain: Collection[str]) -> KitCheck:
    """Judge kits that are to be made; `plain` are SKUs that are made known with them."""
    if not kits:
        return KitCheck(faults={}, unchanged=frozenset())
    unchanged = _unchanged(conn, kits)
    kinds = sku_kinds(conn, {*kits, *(part for parts in kits.values() for part, _ in parts)})
    busy, used = _busy(conn, kits), _used(conn, kits)
    faults = {}
    for code, parts in kits.items():
        names = [part for part, _ in parts]
        unknown = [part for part in names if part not in kinds and part not in plain]
        nested = [part for part in names if part in kits or kinds.get(part)]
        if code in unchanged:
            continue
        if unknown:
            faults[code] = f"unknown component {', '.join(unknown)}"
        elif len(set(names)) < len(names):
            faults[code] = "names a component twice"
        elif nested or code in used:
            faults[code] = f"kits of kits are not possible: {', '.join(nested) or 'it is part of another kit'}"
        elif code in busy:
            faults[code] = "has stock or open orders of its own; count it to 0 and ship them first"
    return KitCheck(faults=faults, unchanged=unchanged)


def _unchanged(conn: Connection, kits: Mapping[str, Parts]) -> frozenset[str]:
    known = ledger.skus_by_code(conn, kits)
    made = components(conn, [sku.sku_id for sku in known.values()])
    now = {
        str(code): sorted((part.sku, part.quantity) for part in made.get(sku.sku_id, ())) for code, sku in known.items()
    }
    return frozenset(code for code, parts in kits.items() if now.get(code) == sorted(parts))


def _busy(conn: Connection, codes: Collection[str]) -> set[str]:
    """Return those SKUs that have units of their own, or are kits with lines that are still to be shipped."""
    known = ledger.skus_by_code(conn, codes)
    ids = [sku.sku_id for sku in known.values()]
    made, shelves = ledger.kits(conn, ids), ledger.shelves(conn, ids)
    return {
        str(code)
        for code, sku in known.items()
        if any(balance.on_hand or balance.committed for balance in shelves[sku.sku_id].values())
        or (sku.sku_id in made and ledger.has_open_lines(conn, sku.sku_id))
    }


def _used(conn: Connection, codes: Collection[str]) -> set[str]:
    """Return those SKUs that are components of a kit."""
    found: set[str] = set()
    for piece in chunks(codes):
        query = select(_SKU.c.code).join(_KIT, _KIT.c.component_id == _SKU.c.id).where(_SKU.c.code.in_(piece))
        found.update(conn.execute(query).scalars())
    return found
