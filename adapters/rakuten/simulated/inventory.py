"""InventoryAPI 2.0 and 2.1. Rules and codes: RMS WEB SERVICE, InventoryAPI pages and their error table, 2.0 and 2.1.

What the pages leave open, and how it is here: whether one bad row keeps the others from being done is a knob; pairs
without a row are left out of bulk.get; a pair that bulk.get is asked for twice comes once.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from adapters.rakuten.simulated.goods import MOST_VARIANTS, Goods, Pair, Stock
from adapters.rakuten.simulated.reply import DONE, BadBody, Fault, Reply, fault, parsed, refused
from adapters.rakuten.simulated.rows import MOST_QUANTITY, Row, pair_faults, read_pairs, read_row, read_rows
from adapters.rakuten.simulated.times import stock_time
from adapters.rakuten.simulated.world import World
from syncd.sdk.channel import Instant

MOST_IN_RANGE: Final = 1_000
_BOUNDS: Final = ("minQuantity", "maxQuantity")


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """How a read is made: by which version, and how far back it looks."""

    version: str
    stale_us: int = 0


class Inventory:
    """The functions of the API; each answers a `Reply`. `version` is `2.0` or `2.1`."""

    def __init__(self, world: World, goods: Goods) -> None:
        self._world = world
        self._goods = goods

    # --- reading ---

    def get(self, read: Read, pair: Pair) -> Reply:
        """Answer one row."""
        faults = pair_faults({"manageNumber": pair[0], "variantId": pair[1]}, "")
        if faults:
            return refused(faults)
        found = (pair[0].lower(), pair[1])
        row = self._goods.row(found)
        at = self._as_of(read)
        return _not_found(*found) if row is None else Reply(body=_rendered(read.version, found, row, at))

    def bulk_get(self, read: Read, raw: bytes) -> Reply:
        """Answer the rows of up to 1,000 pairs; manage numbers come in lower case, unknown pairs not at all."""
        if not self._world.knobs.migrated:
            return _NOT_MIGRATED
        try:
            pairs = read_pairs(parsed(raw))
        except BadBody as wrong:
            return _unreadable(wrong)
        if isinstance(pairs, Reply):
            return pairs
        at = self._as_of(read)
        rows = ((pair, self._goods.row(pair)) for pair in dict.fromkeys(pairs))
        found = [_rendered(read.version, pair, row, at) for pair, row in rows if row is not None]
        return Reply(body={"inventories": found})

    def bulk_range(self, read: Read, query: Mapping[str, str]) -> Reply:
        """Answer all rows of a range of numbers, the newest change first; more than 1,000 are refused."""
        given = {name: query[name] for name in _BOUNDS if name in query}
        if not given:
            return fault("IE0105", "Either minQuantity or maxQuantity is required.")
        if not all(text.isascii() and text.isdigit() for text in given.values()):
            return fault("IE0002", "minQuantity and maxQuantity must be numbers.")
        low, high = (int(given.get(name, default)) for name, default in zip(_BOUNDS, (0, MOST_QUANTITY), strict=True))
        wrong = next((name for name in given if int(given[name]) > MOST_QUANTITY), None)
        if wrong is not None:
            return fault("IE0003", f"{wrong} must be between 0 and {MOST_QUANTITY}.")
        if low > high:
            return fault("IE0113", "minQuantity must not be larger than maxQuantity.")
        at = self._as_of(read)
        found = [(pair, row) for pair, row in self._goods.rows() if low <= row.as_of(at) <= high]
        if len(found) > MOST_IN_RANGE:
            return fault("IE0116", f"The number of inventories exceeds {MOST_IN_RANGE}.")
        found.sort(key=lambda entry: entry[1].updated, reverse=True)
        return Reply(body={"inventories": [_rendered(read.version, pair, row, at) for pair, row in found]})

    def variant_list(self, number: str) -> Reply:
        """Answer the variants that have a stock row under a manage number, made-up ones too (2.1 only)."""
        wanted = number.lower()
        rows = {name: row for (page, name), row in self._goods.rows_of(wanted)}
        if not rows:
            return fault("GE0014", f"Not found for inputs; manageNumber={wanted}", status=404)
        body = {
            "manageNumber": wanted,
            "variantList": list(rows),
            "created": stock_time(min(row.created for row in rows.values())),
            "updated": stock_time(max(row.updated for row in rows.values())),
        }
        return Reply(body=body)

    def _as_of(self, read: Read) -> Instant:
        return self._world.now() - read.stale_us - self._world.drawn_us(self._world.knobs.read_lag_s)

    # --- writing ---

    def put(self, version: str, pair: Pair, raw: bytes) -> Reply:
        """Write one row."""
        try:
            row = read_row(parsed(raw), version=version, pair=pair)
        except BadBody as wrong:
            return _unreadable(wrong)
        return row if isinstance(row, Reply) else self._written(version, [row])

    def bulk_put(self, version: str, raw: bytes) -> Reply:
        """Write up to 400 rows, each pair once."""
        try:
            rows = read_rows(parsed(raw), version=version)
        except BadBody as wrong:
            return _unreadable(wrong)
        return rows if isinstance(rows, Reply) else self._written(version, rows)

    def delete(self, pair: Pair) -> Reply:
        """Delete one row."""
        stopped = self._stopped()
        if stopped is not None:
            return stopped
        found = (pair[0].lower(), pair[1])
        return DONE if self._goods.delete(found) else _not_found(*found)

    def _stopped(self) -> Reply | None:
        knobs, chance = self._world.knobs, self._world.random
        if not knobs.migrated:
            return _NOT_MIGRATED
        if chance.happens(knobs.broken):
            return fault("X0000", "Unexpected error occurred.", status=500)
        if chance.happens(knobs.conflicts):
            return fault("CE0001", "Conflict with another process.", status=409)
        return None

    def _written(self, version: str, rows: Sequence[Row]) -> Reply:
        stopped = self._stopped()
        if stopped is not None:
            return stopped
        wrong = {row: found for row in rows if (found := self._rule_fault(row)) is not None}
        if not wrong or not self._world.knobs.atomic:
            self._take(version, [row for row in rows if row not in wrong])
        return refused(self._told(list(wrong.values()))) if wrong else DONE

    def _rule_fault(self, row: Row) -> Fault | None:
        known = self._goods.row(row.pair)
        if row.relative and known is None:
            return Fault(code="IE0500", message="RELATIVE cannot be used for a new inventory.", path=row.path)
        if row.relative and known is not None and not 0 <= known.quantity + row.quantity <= MOST_QUANTITY:
            text = f"The quantity after the update must be between 0 and {MOST_QUANTITY}."
            return Fault(code="IE0117", message=text, path=row.path)
        page = self._goods.by_number.get(row.pair[0])
        if known is None and page is not None and len(page.variants) >= MOST_VARIANTS:
            return Fault(code="IE0121", message=f"A manageNumber can have {MOST_VARIANTS} variants.", path=row.path)
        return None

    def _told(self, faults: Sequence[Fault]) -> list[Fault]:
        if self._world.knobs.rule_paths:
            return list(faults)
        return list({each.code: Fault(code=each.code, message=each.message) for each in faults}.values())

    def _take(self, version: str, rows: Sequence[Row]) -> None:
        if self._world.knobs.writes_dropped:
            return
        delay_us = self._world.drawn_us(self._world.knobs.effect_s)
        if not delay_us:
            self._apply(version, rows, self._world.now())
            return
        action = functools.partial(self._apply, version, rows)
        self._world.later((0.0, 0.0), action, at=self._world.now() + delay_us)

    def _apply(self, version: str, rows: Sequence[Row], at: Instant) -> None:
        for row in rows:
            known = self._goods.row(row.pair)
            quantity = row.quantity + (known.quantity if row.relative and known is not None else 0)
            if not 0 <= quantity <= MOST_QUANTITY:
                continue  # what was right when it was taken no longer fits: only with a delay until the effect
            written = self._goods.write(row.pair, quantity, at=at)
            if version == "2.1":
                # What a 2.1 request does not contain is erased (RMS, inventories.variants.upsert, 2.1).
                written.lead_time, written.ship_from = row.lead_time, row.ship_from


_NOT_MIGRATED: Final = fault("IE1105", "The shop has not been migrated to SKU.")


def _rendered(version: str, pair: Pair, row: Stock, at: Instant) -> dict[str, Any]:
    number, name = pair
    body: dict[str, Any] = {"manageNumber": number, "variantId": name, "quantity": row.as_of(at)}
    if version == "2.1" and row.lead_time is not None:
        body["operationLeadTime"] = row.lead_time
    if version == "2.1" and row.ship_from:
        body["shipFromIds"] = list(row.ship_from)
    return body | {"created": stock_time(row.created), "updated": stock_time(row.updated)}


def _not_found(number: str, name: str) -> Reply:
    return fault("GE0014", f"Not found for inputs; manageNumber={number}, variantId={name}", status=404)


def _unreadable(wrong: BadBody) -> Reply:
    if wrong.empty:
        return fault("GE0011", "Request body is missing.")
    return fault("IE0002", "Request body is invalid.")
