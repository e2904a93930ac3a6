"""Writing stock: what is sent, and what every answer means for each row."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from adapters.rakuten import stock, wire
from adapters.rakuten.api import Function, Rms
from adapters.rakuten.goods import Known, Pair
from adapters.rakuten.writer import Writer
from syncd.sdk.answer import Answer
from syncd.sdk.channel import ListingRef, OutcomeKind, Write
from syncd.sdk.errors import AuthError, ProtocolError, RateLimited, SyncdError, TransientError
from syncd.testing.clock import ManualClock
from syncd.testing.loop import run_virtual

LONG_AGO = "2020-01-01T00:00:00+09:00"
SENT_AT = wire.instant("2026-11-22T12:00:00+0900")
JUST_NOW = "2026-11-22T11:59:30+09:00"


def write(name: str, quantity: int, delta: int | None = None) -> Write:
    return Write(key=f"key-{name}", ref=ListingRef(remote_id=f"m/{name}"), quantity=quantity, delta=delta)


def row(name: str, quantity: int, updated: str | None = LONG_AGO) -> dict[str, Any]:
    return {"manageNumber": "m", "variantId": name, "quantity": quantity, "updated": updated, "shipFromIds": [3]}


def shown(*rows: dict[str, Any]) -> dict[Pair, stock.Row]:
    return stock.found(wire_decode({"inventories": list(rows)}), [Pair("m", each["variantId"]) for each in rows])


def wire_decode(body: Any) -> stock.Rows:
    return Answer(status=200, body=json.dumps(body).encode()).decode(stock.Rows)


def fault(code: str, path: str | None = None) -> dict[str, Any]:
    return {"code": code, "message": "no", **({} if path is None else {"metadata": {"propertyPath": path}})}


def refusal(*faults: dict[str, Any], status: int = 400) -> Answer:
    return Answer(status=status, body=json.dumps({"errors": list(faults)}).encode())


def test_body_has_exactly_the_documented_keys() -> None:
    """A difference is RELATIVE, anything else ABSOLUTE, and no other key is sent (the sample of bulk-upsert)."""
    body = stock.body([write("sku1", 70), write("sku2", 3, 3), write("sku5", 1, -2)])
    assert json.loads(body) == {
        "inventories": [
            {"manageNumber": "m", "variantId": "sku1", "mode": "ABSOLUTE", "quantity": 70},
            {"manageNumber": "m", "variantId": "sku2", "mode": "RELATIVE", "quantity": 3},
            {"manageNumber": "m", "variantId": "sku5", "mode": "RELATIVE", "quantity": -2},
        ]
    }


@pytest.mark.parametrize(
    ("asked", "rows", "quantities"),
    [
        (["Sku"], [row("Sku", 4, None)], [4]),
        (["Sku"], [row("sku", 4)], [4]),
        (["Sku", "sku"], [row("sku", 4)], [None, 4]),
        (["Sku", "sku"], [row("sku", 4), row("Sku", 5)], [5, 4]),
        (["other"], [row("sku", 4)], [None]),
        (["sku"], [], [None]),
    ],
)
def test_rows_are_found(asked: list[str], rows: list[dict[str, Any]], quantities: list[int | None]) -> None:
    """A row belongs to the pair that was asked for; where only the case differs it does so if to no other."""
    answer = wire_decode({"inventories": [{**each, "manageNumber": "M"} for each in rows]})
    pairs = [Pair("m", name) for name in asked]
    found = stock.found(answer, pairs)
    assert [found[pair].quantity if pair in found else None for pair in pairs] == quantities


S, R, U, I = OutcomeKind.STALE, OutcomeKind.REJECTED, OutcomeKind.UNSENT, OutcomeKind.INDETERMINATE  # noqa: E741


@pytest.mark.parametrize(
    ("faults", "rows", "kinds"),
    [
        # The row is named.
        ([fault("IE0117", "inventories[1].quantity")], [row("a", 1), row("b", 1), row("c", 1)], [U, S, U]),
        ([fault("IE0004", "inventories[0].manageNumber")], [row("a", 1), row("b", 1), row("c", 1)], [R, U, U]),
        ([fault("IE0117", "inventories[1]"), fault("IE0500", "inventories[2]")], [row("a", 1)], [U, S, R]),
        # A neighbour that changed around the call, or cannot be read, is left open.
        ([fault("IE0117", "inventories[1]")], [row("a", 1, JUST_NOW), row("b", 1)], [I, S, I]),
        ([fault("IE0117", "inventories[1]")], None, [I, S, I]),
        # It is not named: what the rows show tells.
        ([fault("IE0117")], [row("a", 5), row("b", 1), row("c", 5)], [U, S, U]),
        ([fault("IE0500")], [row("a", 5), row("c", 5)], [U, R, U]),
        ([fault("IE0117")], [row("a", 5), row("b", 5), row("c", 5)], [U, U, U]),
        ([fault("IE0117")], None, [I, I, I]),
        ([fault("CE0001")], [row("a", 5), row("b", 5), row("c", 5, JUST_NOW)], [U, U, I]),
        ([fault("CE0001", "inventories[0]")], [row("a", 5), row("b", 5), row("c", 5)], [U, U, U]),
        ([], [row("a", 5)], [U, I, I]),
    ],
)
def test_rows_of_a_refused_call(
    faults: list[dict[str, Any]], rows: list[dict[str, Any]] | None, kinds: list[OutcomeKind]
) -> None:
    """The row that is to blame ends for itself; of others nothing is said that Rakuten's own times do not prove."""
    writes = [write("a", 6, 1), write("b", 0, -2), write("c", 6, 1)]
    found = None if rows is None else shown(*rows)
    outcomes = stock.judged(writes, wire.faults(refusal(*faults).body), found, sent_at=SENT_AT)
    assert [outcome.kind for outcome in outcomes] == kinds
    assert [outcome.key for outcome in outcomes] == [each.key for each in writes]


@pytest.mark.parametrize(
    ("code", "kind"), [("IE0117", S), ("IE0500", R), ("IE0003", R), ("IE0121", R), ("IE9999", R), ("CE0001", U)]
)
def test_a_row_alone_is_certain(code: str, kind: OutcomeKind) -> None:
    """A call of one row that was refused has had no effect, and the row is to blame unless it was a conflict."""
    (outcome,) = stock.judged([write("a", 0, -1)], wire.faults(refusal(fault(code)).body), None, sent_at=SENT_AT)
    assert outcome.kind is kind


# --- the writer, with an API that answers as it is told ---------------------------------------------------------------


@dataclass
class Api:
    """Answers in turn; the last answer is repeated. `shelf` is what bulk-get shows."""

    answers: Sequence[Answer | SyncdError]
    shelf: list[dict[str, Any]] = field(default_factory=list)
    calls: list[list[dict[str, Any]]] = field(default_factory=list)
    looks: int = 0
    repeatable: list[bool] = field(default_factory=list)
    delay: float = 0.0
    blind: SyncdError | None = None

    def delay_s(self, _: Function) -> float:
        return self.delay

    async def read(self, function: Function, kind: type[stock.Rows], *, json: Any, quick: bool = False) -> stock.Rows:
        assert (function, kind) == (Function.STOCK_READ, stock.Rows)
        self.looks += 1
        if self.blind is not None:
            raise self.blind
        wanted = {pair["variantId"] for pair in json["inventories"]}
        return wire_decode({"inventories": [each for each in self.shelf if each["variantId"] in wanted]})

    async def write(self, function: Function, body: bytes, *, repeatable: bool, expect: Sequence[int]) -> Answer:
        assert function is Function.STOCK_WRITE
        assert 204 in expect
        self.calls.append(json.loads(body)["inventories"])
        self.repeatable.append(repeatable)
        answer = self.answers[min(len(self.calls), len(self.answers)) - 1]
        if isinstance(answer, SyncdError):
            raise answer
        return answer


OK = Answer(status=204)


def pushed(api: Api, *pushes: Sequence[Write]) -> list[list[OutcomeKind]]:
    """Push these in turn, on one writer, and return the kinds."""
    ends: list[list[OutcomeKind]] = []

    async def main() -> None:
        clock = ManualClock()
        writer = Writer(cast("Rms", api), known=Known(), clock=clock)
        for writes in pushes:
            outcomes = await writer.push(writes)
            assert [outcome.key for outcome in outcomes] == [each.key for each in writes]
            ends.append([outcome.kind for outcome in outcomes])

    run_virtual(main)
    return ends


def test_pairs_are_looked_up_once() -> None:
    """A pair that is not known is looked up before its first write; one that is not there is rejected unsent."""
    api = Api([OK], shelf=[row("a", 5)])
    assert pushed(api, [write("a", 6, 1), write("ghost", 3)], [write("a", 7, 1)]) == [
        [OutcomeKind.APPLIED, R],
        [OutcomeKind.APPLIED],
    ]
    assert [[each["variantId"] for each in call] for call in api.calls] == [["a"], ["a"]]
    assert api.looks == 1


def test_no_look_no_write() -> None:
    """Where pairs cannot be looked up, writes to them wait; where the keys are refused, the push is."""
    assert pushed(Api([OK], blind=TransientError("down")), [write("a", 0)]) == [[U]]
    with pytest.raises(AuthError):
        pushed(Api([OK], blind=AuthError("over")), [write("a", 0)])


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (OK, OutcomeKind.APPLIED),
        (TransientError("cut", sent=True), I),
        (ProtocolError("a page"), I),
        (Answer(status=400, doubtful=True), I),
        (refusal(fault("IE0117")), S),
        (refusal(fault("CE0001"), status=409), U),
    ],
)
def test_ends_of_a_write(answer: Answer | SyncdError, kind: OutcomeKind) -> None:
    """What is not certain is INDETERMINATE."""
    assert pushed(Api([answer], shelf=[row("a", 5)]), [write("a", 6, 1)]) == [[kind]]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (TransientError("nobody there", sent=False), TransientError),
        (RateLimited("429"), RateLimited),
        (AuthError("401"), AuthError),
        (refusal(fault("IE1105")), AuthError),
        (refusal(fault("IE1102")), ProtocolError),
    ],
)
def test_refused_as_a_whole(answer: Answer | SyncdError, error: type[Exception]) -> None:
    """What had certainly no effect, through no fault of a row, is raised."""
    with pytest.raises(error):
        pushed(Api([answer], shelf=[row("a", 5)]), [write("a", 6, 1)])


def test_only_zeros_are_repeated() -> None:
    """A call may be sent twice only where all of it is zero: a difference would count double."""
    api = Api([OK], shelf=[row("a", 5), row("b", 5)])
    pushed(api, [write("a", 0), write("b", 0)], [write("a", 0), write("b", 6, 1)], [write("a", 4)])
    assert api.repeatable == [True, False, False]


def test_what_is_not_sent() -> None:
    """Impossible numbers and ids are rejected, a repeated pair waits, no difference is no call."""
    api = Api([OK], shelf=[row("a", 5)])
    twin = Write(key="twin", ref=ListingRef(remote_id="M/a"), quantity=1, delta=1)
    bad = Write(key="bad", ref=ListingRef(remote_id="nothing"), quantity=1)
    ends = pushed(api, [write("a", 5, 0), twin, bad, write("b", 100_000)])
    assert ends == [[OutcomeKind.APPLIED, U, R, R]]
    assert api.calls == []


def test_spent_budget_is_said_ahead() -> None:
    """A push that would have to wait long is refused with the time."""
    with pytest.raises(RateLimited) as caught:
        pushed(Api([OK], delay=9.0), [write("a", 0)])
    assert caught.value.retry_after_s == 9.0


def test_a_row_that_nothing_names_is_found_by_halves() -> None:
    """Where a refusal tells no row, calls get smaller until the row is alone, and grow again after it."""
    rows = [row(name, 5) for name in "abcd"]
    api = Api([refusal(fault("IE7777"))] * 3 + [OK], shelf=rows)
    writes = [write(name, 6, 1) for name in "abcd"]
    ends = pushed(api, writes, writes, writes, writes[1:], writes[1:])
    assert [len(call) for call in api.calls] == [4, 2, 1, 1, 2]
    assert ends[0] == ends[1] == [U, U, U, U]
    assert ends[2] == [R, U, U, U]
    assert ends[3] == [OutcomeKind.APPLIED, U, U]
    assert ends[4] == [OutcomeKind.APPLIED, OutcomeKind.APPLIED, U]
