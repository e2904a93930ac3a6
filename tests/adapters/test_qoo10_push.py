"""Writing numbers to Qoo10: in one call, in halves, by rows; what each outcome means."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from adapters.qoo10.channel import Qoo10Channel
from adapters.qoo10.writer import MOST_CALLS, PUSH_S
from syncd.sdk.channel import Outcome, OutcomeKind, Write
from syncd.sdk.errors import AuthError, RateLimited, TransientError
from tests.adapters.qoo10_stub import Cut, Request, Stub, code, detail, ok, option_row, play, writes

DETAIL = "ItemsLookup.GetItemDetailInfo"
ROWS = "ItemsLookup.GetGoodsInventoryInfo"
ONE = "ItemsOrder.SetGoodsPriceQty"
BULK = "ItemsOrder.SetGoodsPriceQtyBulk"
ROW = "ItemsOptions.UpdateInventoryQtyUnit"
ITEMS = [f"100000000{place}" for place in range(1, 8)]


def kinds(outcomes: list[Outcome]) -> list[OutcomeKind]:
    return [outcome.kind for outcome in outcomes]


def bulk_rows(request: Request) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(request.fields["ItemInfoJson"])
    return found


def test_items_go_in_one_call() -> None:
    """Several items are one call, each with its own end of sale; a single one goes by the plain method."""

    async def scene(stub: Stub, channel: Qoo10Channel) -> None:
        stub.says(DETAIL, detail(3), detail(4, ExpireDate="2031-01-01"), detail(5))
        given = writes(*((item, 9) for item in ITEMS[:3]))
        assert kinds(await channel.push(given)) == [OutcomeKind.ACCEPTED] * 3
        (bulk,) = stub.of(BULK)
        assert [(row["ItemCode"], row["Qty"], row["ExpireDate"], row["Price"]) for row in bulk_rows(bulk)] == [
            (ITEMS[0], "9", "2027-11-22", ""),
            (ITEMS[1], "9", "2031-01-01", ""),
            (ITEMS[2], "9", "2027-11-22", ""),
        ]
        assert kinds(await channel.push(given[:1])) == [OutcomeKind.ACCEPTED]
        assert len(stub.of(DETAIL)) == 3  # the ends of sale are still known
        assert stub.of(ONE)[0].fields["Qty"] == "9"

    play(scene)


def test_headers_hold_key_and_version() -> None:
    """The key stands in a header, with the version of each method."""

    async def scene(stub: Stub, channel: Qoo10Channel) -> None:
        stub.says(DETAIL, detail(3))
        await channel.push(writes((ITEMS[0], 9)))
        versions = [(one.headers["GiosisCertificationKey"][:4], one.headers["QAPIVersion"]) for one in stub.requests]
        assert versions == [("stub", "1.2"), ("stub", "1.1")]
        assert all(one.fields["returnType"] == "application/json" for one in stub.requests)

    play(scene)


def test_end_of_sale_is_read_again_after_hours() -> None:
    """A person may have extended the sale: what was read long ago is not sent back."""

    async def scene(stub: Stub, channel: Qoo10Channel) -> None:
        stub.says(DETAIL, detail(3), detail(3, ExpireDate="2028-05-05"))
        await channel.push(writes((ITEMS[0], 9)))
        await asyncio.sleep(7 * 3_600)
        await channel.push(writes((ITEMS[0], 8)))
        assert [one.fields["ExpireDate"] for one in stub.of(ONE)] == ["2027-11-22", "2028-05-05"]

    play(scene)


def test_failed_row_is_found_by_halves() -> None:
    """Of a bulk write that failed in part the bad row alone is refused, the others are taken."""

    async def scene(stub: Stub, channel: Qoo10Channel) -> None:
        stub.says(DETAIL, detail(3))
        bad = ITEMS[4]
        stub.says(BULK, lambda asked: code(-1) if bad in asked.fields["ItemInfoJson"] else ok())
        stub.says(ONE, lambda asked: code(-10004) if asked.fields["ItemCode"] == bad else ok())
        outcomes = await channel.push(writes(*((item, 9) for item in ITEMS)))
        refused = [outcome.key for outcome in outcomes if outcome.kind is OutcomeKind.REJECTED]
        assert refused == ["key-4"]
        assert "-10004" in outcomes[4].reason
        assert {outcome.kind for outcome in outcomes} == {OutcomeKind.REJECTED, OutcomeKind.ACCEPTED}

    play(scene)


def test_row_of_a_failed_bulk_is_never_called_unsent() -> None:
    """After a bulk write that failed in part a later fault leaves its rows open: some may be in effect."""

    async def scene(stub: Stub, channel: Qoo10Channel) -> None:
        stub.says(DETAIL, detail(3))
        stub.says(BULK, code(-1))
        stub.says(ONE, {"ErrorCode": -90005, "ErrorMsg": "expired"})
        assert kinds(await channel.push(writes((ITEMS[0], 9), (ITEMS[1], 9)))) == [OutcomeKind.INDETERMINATE] * 2

    play(scene)


def test_option_rows_are_written_one_by_one() -> None:
    """An option row is sent as it was read; a row that the item does not have is refused alone."""

    async def scene(stub: Stub, channel: Qoo10Channel) -> None:
        stub.says(ROWS, ok([option_row("RED", 1), option_row("", 2, Value1="BLUE")]))
        given = writes((f"{ITEMS[0]}:RED", 5), (f"{ITEMS[0]}:GONE", 5), (f"{ITEMS[0]}:=カラー:BLUE", 6))
        assert kinds(await channel.push(given)) == [OutcomeKind.ACCEPTED, OutcomeKind.REJECTED, OutcomeKind.ACCEPTED]
        sent = [(one.fields["OptionCode"], one.fields["OptionValue"], one.fields["Qty"]) for one in stub.of(ROW)]
        assert sent == [("RED", "RED", "5"), ("", "BLUE", "6")]
        assert not stub.of(ONE) + stub.of(BULK)

    play(scene)


def test_zero_goes_first() -> None:
    """Falls to zero are sent before anything else of the push, and answered in the order of the push."""

    async def scene(stub: Stub, channel: Qoo10Channel) -> None:
        stub.says(DETAIL, detail(3))
        stub.says(ROWS, ok([option_row("RED", 1)]))
        outcomes = await channel.push(writes((ITEMS[0], 9), (f"{ITEMS[1]}:RED", 0), (ITEMS[2], 0), (ITEMS[3], 8)))
        sent = [one.method for one in stub.requests if one.method in (ONE, BULK, ROW)]
        assert sent == [ONE, ROW, BULK]
        assert stub.of(ONE)[0].fields["ItemCode"] == ITEMS[2]
        assert [outcome.key for outcome in outcomes] == ["key-0", "key-1", "key-2", "key-3"]

    play(scene)


@pytest.mark.parametrize("answer", [Cut(), "<html>busy</html>", {"ResultCode": 0.5}, code(-10101)])
def test_lost_answer_is_indeterminate(answer: Any) -> None:
    """A write whose answer is lost, or not understood, is neither claimed nor denied."""

    async def scene(stub: Stub, channel: Qoo10Channel) -> None:
        stub.says(DETAIL, detail(3))
        stub.says(ONE, answer)
        assert kinds(await channel.push(writes((ITEMS[0], 9)))) == [OutcomeKind.INDETERMINATE]

    play(scene)


def test_refusal_after_a_cut_is_indeterminate() -> None:
    """When the first try was cut off, the refusal of the second does not say what became of the first."""

    async def scene(stub: Stub, channel: Qoo10Channel) -> None:
        stub.says(DETAIL, detail(3))
        stub.says(ONE, Cut(), code(-10004))
        assert kinds(await channel.push(writes((ITEMS[0], 9)))) == [OutcomeKind.INDETERMINATE]

    play(scene)


def test_fault_stops_what_is_not_sent_yet() -> None:
    """After a lost answer nothing more is sent: the rest is unsent, what was taken stays taken."""

    async def scene(stub: Stub, channel: Qoo10Channel) -> None:
        stub.says(ROWS, ok([option_row("A", 1), option_row("B", 1), option_row("C", 1)]))
        stub.says(ROW, ok(), Cut(), Cut(), Cut(), ok())
        given = writes((f"{ITEMS[0]}:A", 5), (f"{ITEMS[0]}:B", 5), (f"{ITEMS[0]}:C", 5))
        assert kinds(await channel.push(given)) == [
            OutcomeKind.ACCEPTED,
            OutcomeKind.INDETERMINATE,
            OutcomeKind.UNSENT,
        ]

    play(scene)


def test_wrong_key_raises_where_nothing_was_sent() -> None:
    """A refused key stops the channel: nothing of the push had an effect."""

    async def scene(stub: Stub, channel: Qoo10Channel) -> None:
        stub.says(DETAIL, {"ErrorCode": -90001, "ErrorMsg": "存在しないAPIです。"})
        with pytest.raises(AuthError):
            await channel.push(writes((ITEMS[0], 9), (ITEMS[1], 9)))
        assert not stub.of(BULK)

    play(scene)


def test_unread_page_means_unsent() -> None:
    """Where the end of sale cannot be read nothing is written, and this is said."""

    async def scene(stub: Stub, channel: Qoo10Channel) -> None:
        stub.says(DETAIL, "<html>busy</html>")
        with pytest.raises(TransientError) as caught:
            await channel.push(writes((ITEMS[0], 9)))
        assert not caught.value.sent
        assert not stub.of(ONE)

    play(scene)


@pytest.mark.parametrize("remote_id", ["nothing", "", "1000000001:"])
def test_foreign_listing_is_refused_without_a_call(remote_id: str) -> None:
    """What is no listing of Qoo10 is refused here."""

    async def scene(stub: Stub, channel: Qoo10Channel) -> None:
        assert kinds(await channel.push(writes((remote_id, 1)))) == [OutcomeKind.REJECTED]
        assert not stub.requests

    play(scene)


def test_push_ends_in_time() -> None:
    """A channel that becomes slow does not hold a push: what was under way is open, the rest unsent."""

    async def slow(_: Request) -> Any:
        await asyncio.sleep(9.5)
        return ok()

    async def scene(stub: Stub, channel: Qoo10Channel) -> None:
        stub.says(ROWS, ok([option_row(f"R{place}", 1) for place in range(20)]))
        stub.says(ROW, slow)
        began_s = asyncio.get_running_loop().time()
        outcomes = await channel.push(writes(*((f"{ITEMS[0]}:R{place}", 5) for place in range(20))))
        took_s = asyncio.get_running_loop().time() - began_s
        assert took_s <= PUSH_S
        assert took_s < channel.profile.effect_delay_s
        found = kinds(outcomes)
        assert found == sorted(found, key=[OutcomeKind.ACCEPTED, OutcomeKind.INDETERMINATE, OutcomeKind.UNSENT].index)
        assert found.count(OutcomeKind.INDETERMINATE) == 1
        assert found[-1] is OutcomeKind.UNSENT

    play(scene)


def test_spent_budget_is_a_limit() -> None:
    """A push that would have to wait long for its turn is not begun."""

    async def scene(stub: Stub, channel: Qoo10Channel) -> None:
        stub.says(ROWS, ok([option_row(f"R{place}", 1) for place in range(40)]))
        given: list[Write] = writes(*((f"{ITEMS[0]}:R{place}", 5) for place in range(6)))
        await channel.push(given)
        assert channel.push_delay_s() > 5.0
        with pytest.raises(RateLimited):
            await channel.push(given)

    play(scene, calls_per_s=0.1)


def test_what_needs_many_calls_stands_back() -> None:
    """A push makes few calls beside its bulk write: other rows stand back, zeros go first, items all go at once."""

    async def scene(stub: Stub, channel: Qoo10Channel) -> None:
        stub.says(ROWS, ok([option_row(f"R{place}", 1) for place in range(40)]))
        rows = [(f"{ITEMS[0]}:R{place}", 5 if place < 30 else 0) for place in range(40)]
        outcomes = await channel.push(writes(*rows))
        deferred = [end.deferred for end in outcomes]
        assert all(end.kind is OutcomeKind.UNSENT for end in outcomes if end.deferred)
        assert deferred.count(False) <= MOST_CALLS
        assert not any(deferred[30:39])
        assert all(deferred[:30])

    play(scene)
