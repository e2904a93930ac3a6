"""How QAPI answers: two envelopes, both with HTTP 200, as JSON or, where nobody asked for that, as XML.

Facts: the envelopes, `SUCCESS. But No Result`, the text of -90001 and those of unknown classes and methods are from
recorded calls, the meanings of the codes from the QAPI guide (2026). The guide's own English wording of most codes is
not known; here they say what they mean.
"""

from __future__ import annotations

from typing import Any
from xml.sax.saxutils import escape

import msgspec

from syncd.testing.chance import SeededRandom

SUCCESS = "SUCCESS"
NO_RESULT = "SUCCESS. But No Result"

MEANINGS = {
    -10: "Required parameter is blank",
    -99: "Required parameter is missing",
    -1: "There is at least one failure",
    -2: "More than 500 rows",
    -10000: "Check Seller Authorization Key",
    -10001: "Not found",
    -10002: "Invalid input",
    -10003: "The search period is longer than 90 days",
    -10004: "Not allowed",
    -10101: "Processing Error",
    -10011: "More than 500 rows",
    -10012: "Already confirmed",
    -10013: "Not in the status of delivery request",
    -10016: "EstShipDt is null",
    -10017: "EstShipDt is beyond the latest possible date",
    -10018: "EstShipDt must be today or later",
}
DENIALS = {
    -90000: "アクセスが拒否されました。",
    -90001: "存在しないAPIです。",
    -90002: "APIの使用権限がありません。",
    -90003: "APIの使用権限がありません。",
    -90004: "キーの有効期限が切れています。",
    -90005: "キーの有効期限が切れています。",
}


class Refused(Exception):  # noqa: N818  (a verdict, not a fault)
    """A business error: `ResultCode` below zero; `rows` is its ResultObject."""

    def __init__(self, code: int, detail: str = "", rows: Any = None) -> None:
        super().__init__(f"{MEANINGS[code]} {detail}".rstrip())
        self.code = code
        self.rows = rows


class Denied(Exception):  # noqa: N818  (a verdict, not a fault)
    """An error of the gateway, in its own envelope; -90001 is what most wrong keys get too."""

    def __init__(self, code: int) -> None:
        super().__init__(DENIALS[code])
        self.code = code


class NoSuch(Exception):  # noqa: N818  (a verdict, not a fault)
    """There is no such class or method; this is answered as a bare text."""


def done(result: Any) -> dict[str, Any]:
    """Return the envelope of a success."""
    return {"ResultCode": 0, "ResultMsg": NO_RESULT if result == [] else SUCCESS, "ResultObject": result}


def refused(verdict: Refused) -> dict[str, Any]:
    """Return the envelope of a business error."""
    return {"ResultCode": verdict.code, "ResultMsg": str(verdict), "ResultObject": verdict.rows}


def denied(verdict: Denied) -> dict[str, Any]:
    """Return the envelope of the gateway."""
    return {"ErrorCode": verdict.code, "ErrorMsg": str(verdict)}


def mixed(value: Any, random: SeededRandom, share: float) -> Any:
    """Write a share of the numbers as texts: answers of the real one mix both, the ResultCode included."""
    if isinstance(value, dict):
        return {name: mixed(entry, random, share) for name, entry in value.items()}
    if isinstance(value, list):
        return [mixed(entry, random, share) for entry in value]
    if isinstance(value, int) and not isinstance(value, bool) and random.happens(share):
        return str(value)
    return value


def as_json(envelope: dict[str, Any]) -> bytes:
    """Return an envelope as JSON."""
    return msgspec.json.encode(envelope)


def as_xml(envelope: dict[str, Any]) -> bytes:
    """Return an envelope as XML."""
    return f'<?xml version="1.0" encoding="utf-8"?><StdResult>{_element(envelope)}</StdResult>'.encode()


def _element(value: Any) -> str:
    if isinstance(value, dict):
        return "".join(f"<{name}>{_element(entry)}</{name}>" for name, entry in value.items())
    if isinstance(value, list):
        return "".join(f"<Item>{_element(entry)}</Item>" for entry in value)
    return "" if value is None else escape(str(value))
