"""What requests to the InventoryAPI may say: fields, types, lengths, ranges, and the words of each refusal."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from adapters.rakuten.simulated.goods import Pair
from adapters.rakuten.simulated.reply import Fault, Reply, fault, refused

MOST_QUANTITY: Final = 99_999
MOST_READ: Final = 1_000
MOST_WRITTEN: Final = 400
MOST_BYTES: Final = 32
LEAD_TIME_IDS: Final = frozenset(range(1, 21))
SHIP_FROM_IDS: Final = frozenset(range(1, 11))
"""The ids that the simulated shop has set up."""

_NUMBER: Final = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_PAIR: Final = frozenset({"manageNumber", "variantId"})
_VALUE: Final = frozenset({"mode", "quantity"})
_LEAD: Final = frozenset({"operationLeadTime", "shipFromIds"})
_LEAD_FIELDS: Final = frozenset({"normalDeliveryTimeId", "backOrderDeliveryTimeId"})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Row:
    """One write. `path` is where it stands in the request."""

    pair: Pair
    relative: bool
    quantity: int
    path: str
    lead_time: dict[str, int] | None = None
    ship_from: tuple[int, ...] = ()


def read_pairs(body: Mapping[str, Any]) -> list[Pair] | Reply:
    """Read the pairs of a bulk.get, or answer what is wrong."""
    listed = _listed(body, most=MOST_READ)
    if isinstance(listed, Reply):
        return listed
    faults = [wrong for place, entry in enumerate(listed) for wrong in _entry_faults(entry, place, known=_PAIR)]
    return refused(faults) if faults else [_pair(entry) for entry in listed]


def read_row(body: Mapping[str, Any], *, version: str, pair: Pair) -> Row | Reply:
    """Read the body of a single write, or answer what is wrong."""
    named = {"manageNumber": pair[0], "variantId": pair[1]}
    strangers = _strangers(body, _VALUE | (_LEAD if version == "2.1" else frozenset()), "")
    faults = [*strangers, *pair_faults(named, ""), *_value_faults(body, "", version=version)]
    return refused(faults) if faults else _row({**body, **named}, "")


def read_rows(body: Mapping[str, Any], *, version: str) -> list[Row] | Reply:
    """Read the rows of a bulk write, or answer what is wrong with it: every fault of form, or that a pair is double."""
    listed = _listed(body, most=MOST_WRITTEN)
    if isinstance(listed, Reply):
        return listed
    known = _PAIR | _VALUE | (_LEAD if version == "2.1" else frozenset())
    faults: list[Fault] = []
    for place, entry in enumerate(listed):
        wrong = _entry_faults(entry, place, known=known)
        faults += wrong
        if isinstance(entry, dict):
            faults += _value_faults(entry, f"inventories[{place}].", version=version)
    if faults:
        return refused(faults)
    rows = [_row(entry, f"inventories[{place}]") for place, entry in enumerate(listed)]
    return rows if len({row.pair for row in rows}) == len(rows) else fault("IE1102", "Duplicated inventories.")


def pair_faults(entry: Mapping[str, Any], prefix: str) -> list[Fault]:
    """Say what is wrong with the two names of a pair."""
    return [wrong for name in ("manageNumber", "variantId") for wrong in _name_faults(entry, name, f"{prefix}{name}")]


def _name_faults(entry: Mapping[str, Any], name: str, path: str) -> list[Fault]:
    given = entry.get(name)
    if given is None or given == "":
        return [Fault(code="IE0001", message=f"{name} is mandatory.", path=path)]
    if not isinstance(given, str):
        return [Fault(code="IE0002", message=f"{name} is invalid.", path=path)]
    if len(given.encode()) > MOST_BYTES:
        return [Fault(code="IE0004", message=f"Max length of {name} must be within {MOST_BYTES} bytes.", path=path)]
    if not _NUMBER.fullmatch(given):
        return [Fault(code="IE0002", message=f"{name} is invalid.", path=path)]
    return []


def _listed(body: Mapping[str, Any], *, most: int) -> list[Any] | Reply:
    strangers = _strangers(body, {"inventories"}, "")
    if strangers:
        return refused(strangers)
    listed = body.get("inventories")
    if not listed:
        return refused([Fault(code="IE0001", message="inventories is mandatory.", path="inventories")])
    if not isinstance(listed, list):
        return refused([Fault(code="IE0002", message="inventories is invalid.", path="inventories")])
    if len(listed) > most:
        return fault("IE1101", f"The number of inventories must be within {most}.")
    return listed


def _entry_faults(entry: Any, place: int, *, known: Collection[str]) -> list[Fault]:
    path = f"inventories[{place}]"
    if not isinstance(entry, dict):
        return [Fault(code="IE0002", message="inventories is invalid.", path=path)]
    return [*_strangers(entry, known, f"{path}."), *pair_faults(entry, f"{path}.")]


def _strangers(entry: Mapping[str, Any], known: Collection[str], prefix: str) -> list[Fault]:
    return [
        Fault(code="IE0002", message=f"Unrecognized field: {name}", path=f"{prefix}{name}")
        for name in entry
        if name not in known
    ]


def _value_faults(entry: Mapping[str, Any], prefix: str, *, version: str) -> list[Fault]:
    faults: list[Fault] = []
    mode, quantity = entry.get("mode"), entry.get("quantity")
    if mode is None:
        faults.append(Fault(code="IE0001", message="mode is mandatory.", path=f"{prefix}mode"))
    elif mode not in ("ABSOLUTE", "RELATIVE"):
        faults.append(Fault(code="IE0002", message="mode is invalid.", path=f"{prefix}mode"))
    if quantity is None:
        faults.append(Fault(code="IE0001", message="quantity is mandatory.", path=f"{prefix}quantity"))
    elif not _is_int(quantity):
        faults.append(Fault(code="IE0002", message="quantity is invalid.", path=f"{prefix}quantity"))
    elif not (-MOST_QUANTITY if mode == "RELATIVE" else 0) <= quantity <= MOST_QUANTITY:
        text = f"quantity must be between 0 and {MOST_QUANTITY}."
        faults.append(Fault(code="IE0003", message=text, path=f"{prefix}quantity"))
    return faults + (_lead_faults(entry, prefix) if version == "2.1" else [])


def _lead_faults(entry: Mapping[str, Any], prefix: str) -> list[Fault]:
    lead, ships = entry.get("operationLeadTime"), entry.get("shipFromIds")
    faults: list[Fault] = []
    if lead is not None and not (isinstance(lead, dict) and lead.keys() <= _LEAD_FIELDS and _are_ints(lead.values())):
        path = f"{prefix}operationLeadTime"
        faults.append(Fault(code="IE0002", message="operationLeadTime is invalid.", path=path))
    elif lead is not None and not set(lead.values()) <= LEAD_TIME_IDS:
        path = f"{prefix}operationLeadTime"
        faults.append(Fault(code="IE0118", message="The lead time id does not exist.", path=path))
    if ships is not None and not (isinstance(ships, list) and _are_ints(ships)):
        faults.append(Fault(code="IE0002", message="shipFromIds is invalid.", path=f"{prefix}shipFromIds"))
    elif ships is not None and not set(ships) <= SHIP_FROM_IDS:
        faults.append(Fault(code="IE0118", message="The ship-from id does not exist.", path=f"{prefix}shipFromIds"))
    return faults


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _are_ints(values: Collection[object]) -> bool:
    return all(_is_int(value) for value in values)


def _pair(entry: Mapping[str, Any]) -> Pair:
    return entry["manageNumber"].lower(), entry["variantId"]


def _row(entry: Mapping[str, Any], path: str) -> Row:
    return Row(
        pair=_pair(entry),
        relative=entry["mode"] == "RELATIVE",
        quantity=entry["quantity"],
        path=path,
        lead_time=entry.get("operationLeadTime"),
        ship_from=tuple(entry.get("shipFromIds") or ()),
    )
