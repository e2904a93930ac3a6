"""Answers, and the shapes in which each part of Rakuten says that something is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One HTTP answer; `body` None sends none at all, a text is sent as a web page."""

    status: int = 200
    body: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One entry of `errors[]` of the inventory and item APIs; `path` is its place in the request, `""` untold."""

    code: str
    message: str
    path: str = ""


DONE = Reply(status=204)


def refused(faults: Sequence[Fault], *, status: int = 400) -> Reply:
    """Answer as the inventory and item APIs do."""
    return Reply(status=status, body={"errors": [_entry(fault) for fault in faults]})


def _entry(fault: Fault) -> dict[str, Any]:
    place = {"metadata": {"propertyPath": fault.path}} if fault.path else {}
    return {"code": fault.code, "message": fault.message, **place}


def fault(code: str, message: str, *, status: int = 400) -> Reply:
    """Answer one fault of the inventory and item APIs that has no place."""
    return refused([Fault(code=code, message=message)], status=status)


def gateway(code: str, message: str, *, status: int) -> Reply:
    """Answer as the gateway in front of all APIs does."""
    return Reply(status=status, body={"Results": {"errorCode": code, "message": message}})


def message(kind: str, code: str, text: str, **more: str) -> dict[str, str]:
    """Return one entry of `MessageModelList`."""
    return {"messageType": kind, "messageCode": code, "message": text, **more}


def inquiry_fault(targets: Mapping[str, str], *, code: str = "IE001", status: int = 400) -> Reply:
    """Answer as the inquiry API does: with what is wrong in each field, or without any."""
    if targets:
        text = "bad parameter" if status == 400 else "not found"
        return Reply(status=status, body={"error": {"code": code, "message": text, "targets": dict(targets)}})
    return Reply(status=status, body={"error": {"code": code, "message": "400 Bad Request"}})


class BadBody(Exception):  # noqa: N818  (a verdict that an API turns into its own shape)
    """A body that is no JSON object; `empty` where there was none."""

    def __init__(self, *, empty: bool) -> None:
        super().__init__("no body" if empty else "no JSON object")
        self.empty = empty


def parsed(raw: bytes) -> dict[str, Any]:
    """Read a JSON object; raises `BadBody`."""
    if not raw.strip():
        raise BadBody(empty=True)
    try:
        return msgspec.json.decode(raw, type=dict[str, Any])
    except msgspec.DecodeError as wrong:
        raise BadBody(empty=False) from wrong
