"""The fields of a form, as browsers send them."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl

from syncd.web.api_wire import Fault

MOST_FIELDS: Final = 50


def fields_of(raw: bytes) -> dict[str, str]:
    """Return the fields of `application/x-www-form-urlencoded`; raises Fault for anything else."""
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, strict_parsing=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        raise Fault(400, "this is not a form") from None
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Fault(400, "a field stands twice")
    return {name: value.strip() for name, value in found.items()}
