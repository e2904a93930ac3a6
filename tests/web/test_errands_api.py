"""Errands by the API: cancels, inquiries, account health, and what the status tells of features."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from syncd.core.facts import AccountFact, AccountState
from syncd.core.terms import SECOND_US, AccountId, Outcome, OutcomeKind
from syncd.engine.channels import Judgement, NoDate, Pulse
from syncd.engine.crew import recover
from syncd.engine.lags import Lags
from syncd.sdk.errors import AuthError, ChannelError, RejectedError, TransientError
from syncd.sdk.features import CancelLine, CancelWish, HealthFigure, Inquiry, InquiryPage, Key
from syncd.settings.windows import read_window
from syncd.store import accounts, actions, api_tokens
from syncd.store.accounts import ORDERS, Feed, save_feed
from syncd.store.api_tokens import Token
from syncd.web.api import public_app
from syncd.web.api_gate import digest_of
from tests.web.conftest import Api
from tests.web.rig import START, TOKEN, Quiet, Rig, running, served
from tests.web.test_api_gate import token_of

SHOP = AccountId("shop")
KEY = "01900000-0000-7000-8000-000000000001"


@dataclass
class Able(Quiet):
    """A channel that cancels orders, has an inbox and judges the shop."""

    end: Outcome | ChannelError | None = None
    wishes: list[CancelWish] = field(default_factory=list)
    gate: asyncio.Event | None = None
    questions: Sequence[Inquiry] = ()
    trouble: ChannelError | None = None

    async def cancel(self, wish: CancelWish) -> Outcome:
        self.wishes.append(wish)
        if self.gate is not None:
            await self.gate.wait()
        if isinstance(self.end, ChannelError):
            raise self.end
        return self.end or Outcome(key=wish.key, kind=OutcomeKind.APPLIED)

    async def inquiries(self, cursor: str | None) -> InquiryPage:
        if self.trouble is not None:
            raise self.trouble
        start = int(cursor or 0)
        more = str(start + 1) if start + 1 < len(self.questions) else None
        return InquiryPage(inquiries=tuple(self.questions[start : start + 1]), cursor=more)

    async def account_health(self) -> list[HealthFigure]:
        return []


@pytest.fixture
def able() -> Able:
    return Able()


@pytest.fixture
async def rig(tmp_path: Path, able: Able) -> AsyncIterator[Rig]:
    """Give a daemon with a channel that can do errands and one that cannot, and an order on each."""
    async with running(tmp_path, channels={"shop": able, "mall": Quiet()}) as made:
        await made.know("A")
        await made.catalogue("shop", ("r1", "A"))
        await made.order("shop", "S/1", ("r1", "A", 2), ("r1", "A", 1))
        await made.order("mall", "M-1", ("x", "A", 1))
        for name in ("shop", "mall"):
            await made.tell(AccountFact(account=AccountId(name), state=AccountState.LIVE))
        yield made


PATH = "/orders/shop/o-S%2F1/cancel"
BODY = {"reason": "out_of_stock", "request_id": KEY}


async def stored(rig: Rig) -> list[tuple[str, str, str]]:
    found = await rig.plant.store.read(lambda conn: actions.by_key(conn, KEY))
    return [] if found is None else [(found.remote_id, found.state, found.actor)]


async def wanted(rig: Rig) -> list[str]:
    now = rig.clock.now()
    return await rig.plant.store.read(lambda conn: accounts.wanted_orders(conn, SHOP, now=now, limit=9))


async def test_an_order_is_cancelled_once(rig: Rig, api: Api, able: Able) -> None:
    """A cancel is stored, sent once and fetched; the repeat of its request is answered and sends nothing."""
    for _ in range(2):
        status, told = await api.post(PATH, {**BODY, "actor": "anna"})
        assert (status, told) == (200, {"request_id": KEY, "outcome": "applied", "reason": ""})
    (wish,) = able.wishes
    assert (wish.key, wish.order_id, wish.reason.value, wish.lines) == (KEY, "o-S/1", "out_of_stock", ())
    assert await stored(rig) == [("o-S/1", "applied", "anna")]
    assert await wanted(rig) == ["o-S/1"]
    assert rig.plant.roster[SHOP].fetches.is_set()


async def test_units_of_lines_are_cancelled(rig: Rig, api: Api, able: Able) -> None:
    """A cancel may name lines; one that is not there, has fewer units, or stands twice is refused before anything."""
    bad = [{"line_id": "9", "quantity": 1}, {"line_id": "1", "quantity": 3}]
    status, told = await api.post(PATH, {**BODY, "lines": bad})
    assert status == 400
    assert [problem["place"] for problem in told["error"]["problems"]] == ["row 1", "row 2"]
    twice = [{"line_id": "1", "quantity": 1}] * 2
    assert (await api.post(PATH, {**BODY, "lines": twice}))[0] == 400
    assert able.wishes == []
    assert (await api.post(PATH, {**BODY, "lines": [{"line_id": "1", "quantity": 2}]}))[0] == 200
    assert able.wishes[0].lines == (CancelLine(line_id="1", quantity=2),)


ENDS = [
    (Outcome(key=KEY, kind=OutcomeKind.ACCEPTED), 202, "accepted", "accepted"),
    (TransientError("timeout", sent=True), 202, "indeterminate", "indeterminate"),
    (Outcome(key=KEY, kind=OutcomeKind.REJECTED, reason="it has shipped"), 409, "it has shipped", "rejected"),
    (RejectedError("parts cannot be cancelled here"), 409, "parts cannot be cancelled here", "rejected"),
    (TransientError("refused", sent=False), 409, "refused", "unsent"),
    (AuthError("no right to cancel"), 409, "no right to cancel", "unsent"),
]


@pytest.mark.parametrize(("end", "status", "told", "state"), ENDS)
async def test_each_end_is_told_as_it_is(
    rig: Rig, api: Api, able: Able, end: Outcome | ChannelError, status: int, told: str, state: str
) -> None:
    """What was not done is refused with the reason; what is not known is told as that, and the order is fetched."""
    able.end = end
    found, body = await api.post(PATH, BODY)
    assert found == status
    assert told in (body["outcome"] if status == 202 else body["error"]["message"])
    assert await stored(rig) == [("o-S/1", state, "")]
    assert await wanted(rig) == ["o-S/1"]


async def test_a_cancel_is_refused_before_it_is_sent(rig: Rig, api: Api, able: Able) -> None:
    """Without the feature, the order, a release, or in shadow and maintenance nothing is sent, and why is told."""
    status, told = await api.post("/orders/mall/o-M-1/cancel", BODY)
    assert (status, "cancel it there" in told["error"]["message"]) == (409, True)
    assert (await api.post("/orders/shop/none/cancel", BODY))[0] == 404
    assert (await api.post("/orders/nobody/x/cancel", BODY))[0] == 404
    assert (await api.post(PATH, {"reason": "because"}))[0] == 400
    assert (await api.post(PATH, {**BODY, "request_id": "again"}))[0] == 400
    rig.plant.house = replace(rig.plant.house, shadow=True)
    status, told = await api.post(PATH, BODY)
    assert (status, "shadow" in told["error"]["message"]) == (409, True)
    rig.plant.house = replace(rig.plant.house, shadow=False)
    rig.plant.roster[SHOP].pulse.windows = (read_window("2026-09-21T14:00+00:00/2026-09-21T15:00+00:00"),)
    status, told = await api.post(PATH, BODY)
    assert (status, "maintenance until 2026-09-21T15:00" in told["error"]["message"]) == (409, True)
    rig.plant.roster[SHOP].pulse.windows = ()
    await rig.plant.store.write(lambda conn: accounts.set_account(conn, SHOP, {"state": "new"}))
    status, told = await api.post(PATH, BODY)
    assert (status, "syncd go shop" in told["error"]["message"]) == (409, True)
    assert able.wishes == []


async def test_a_program_says_that_a_cancel_is_meant(rig: Rig, able: Able) -> None:
    """On the network a cancel needs the scope admin, the order's id once more, and a key; a repeat sends nothing."""
    made = token_of("till")
    token = Token(name="till", public_id=made[6:18], scope="operate", digest=digest_of(made), created_at=START)
    await rig.plant.store.write(lambda conn: api_tokens.add(conn, token))
    plain = {"reason": "out_of_stock"}
    meant = {**plain, "confirm": "o-S/1"}
    async with served(public_app(rig.plant)) as base, aiohttp.ClientSession() as session:

        async def ask(body: dict[str, str], *, token: str = TOKEN, key: str = "") -> tuple[int, Any]:
            headers = {"Authorization": f"Bearer {token}", **({"Idempotency-Key": key} if key else {})}
            async with session.post(f"{base}/api/v1{PATH}", json=body, headers=headers) as answer:
                return answer.status, await answer.json()

        assert (await ask({**meant, "request_id": KEY}, token=made))[0] == 403
        status, told = await ask({**plain, "request_id": KEY})
        assert (status, "o-S/1" in told["error"]["message"]) == (400, True)
        assert (await ask({**plain, "confirm": "S/1", "request_id": KEY}))[0] == 400
        status, told = await ask(meant)
        assert (status, "request_id" in told["error"]["message"]) == (400, True)
        assert able.wishes == []
        first = await ask(meant, key="k1")
        assert (first[0], first[1]["outcome"]) == (200, "applied")
        assert await ask(meant, key="k1") == first
        assert (await ask({**meant, "request_id": first[1]["request_id"]}))[0] == 200
    (wish,) = able.wishes
    assert wish.key == first[1]["request_id"]
    done = await rig.plant.store.read(lambda conn: actions.by_key(conn, wish.key))
    assert done is not None
    assert done.actor == "token:settings"


async def test_two_cancels_of_one_order_do_not_cross(rig: Rig, api: Api, able: Able) -> None:
    """While a cancel is on its way a second one is refused, whatever its id."""
    able.gate = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        first = group.create_task(api.post(PATH, BODY))
        while not able.wishes:
            await asyncio.sleep(0.01)
        for body in ({"reason": "other"}, BODY):
            status, told = await api.post(PATH, body)
            assert (status, "on its way" in told["error"]["message"]) == (409, True)
        able.gate.set()
    assert first.result()[0] == 200
    assert len(able.wishes) == 1


async def test_a_cancel_that_outlived_its_daemon_is_not_known(rig: Rig, api: Api, able: Able) -> None:
    """A cancel whose answer nobody heard is indeterminate at the next start, the order is fetched, nothing is sent."""
    wish = b"{}"
    kind, now = actions.ActionKind.CANCEL, rig.clock.now()
    await rig.plant.store.write(
        lambda conn: actions.intend(
            conn, account=SHOP, remote_id="o-S/1", kind=kind, key=KEY, body=wish, actor="anna", now=now
        )
    )
    await recover(rig.plant)
    assert await stored(rig) == [("o-S/1", "indeterminate", "anna")]
    assert await wanted(rig) == ["o-S/1"]
    assert able.wishes == []
    status, told = await api.post(PATH, BODY)
    assert (status, "another cancel" in told["error"]["message"]) == (409, True)


async def test_inquiries_are_read_from_the_channels(rig: Rig, api: Api, able: Able) -> None:
    """All pages of all inboxes come oldest first; an inbox that is away is named, and one that is none is refused."""
    able.questions = [
        Inquiry(inquiry_id=str(n), category="restock", asked_at=START - n * SECOND_US, about="r1") for n in range(3)
    ]
    status, told = await api.get("/inquiries")
    assert status == 200
    assert [row["inquiry_id"] for row in told["rows"]] == ["2", "1", "0"]
    assert told["rows"][0]["asked_at"] == "2026-09-21T14:13:18Z"
    assert (told["failed"], told["asked"]) == ({}, ["shop"])
    able.trouble = AuthError("no right to read")
    _, told = await api.get("/inquiries", account="shop")
    assert (told["rows"], told["failed"]) == ([], {"shop": "AuthError: no right to read"})
    assert (await api.get("/inquiries", account="mall"))[0] == 409
    assert (await api.get("/inquiries", account="nobody"))[0] == 404


async def test_account_health_is_told_from_memory(rig: Rig, api: Api) -> None:
    """The figures of the last answer are told with their age, and in the metrics."""
    assert (await api.get("/account-health"))[1]["accounts"][0]["asked_at"] is None
    figure = HealthFigure(name="cancels", count=3, total=100, rate=0.03, limit=0.025, status="BAD")
    rig.plant.roster[SHOP].judgement = Judgement(asked_at=START - 90 * SECOND_US, figures=(figure,))
    ((found,),) = [told["accounts"] for _, told in [await api.get("/account-health")]]
    assert (found["account"], found["age_s"], found["figures"][0]["rate"]) == ("shop", 90.0, 0.03)
    async with api.session.get("http://syncd/metrics") as answer:
        lines = (await answer.text()).splitlines()
    assert 'syncd_account_health_rate{account="shop",figure="cancels"} 0.03' in lines
    assert 'syncd_account_health_limit{account="shop",figure="cancels"} 0.025' in lines


async def test_the_status_tells_of_keys_maintenance_and_dates(rig: Rig, api: Api) -> None:
    """Keys with their ends, maintenance, and orders without a date are in the status and in the metrics."""
    account = rig.plant.roster[SHOP]
    account.keys = (Key(name="licence", expires_at=START + 3_600 * SECOND_US), Key(name="other", expires_at=None))
    account.undated = (NoDate(order_id="o1", number="N1", reason="short of A"),)
    account.pulse = Pulse(
        account=SHOP,
        clock=rig.clock,
        random=lambda: 0.5,
        report=lambda *_: None,
        windows=(read_window("mon 13:00/15:00 UTC"),),
    )
    _, told = await api.get("/status")
    shop = next(row for row in told["accounts"] if row["name"] == "shop")
    assert shop["maintenance_until"] == "2026-09-21T15:00:00Z"
    assert [(key["name"], key["left_s"]) for key in shop["keys"]] == [("licence", 3_600.0), ("other", None)]
    assert shop["undated"] == [{"order_id": "o1", "order": "N1", "reason": "short of A"}]
    assert shop["down_since"] is None
    async with api.session.get("http://syncd/metrics") as answer:
        lines = (await answer.text()).splitlines()
    assert 'syncd_key_expires_seconds{account="shop",key="licence"} 3600' in lines
    assert 'syncd_channel_maintenance{account="shop"} 1' in lines
    assert 'syncd_channel_maintenance{account="mall"} 0' in lines
    assert 'syncd_orders_undated{account="shop"} 1' in lines


async def test_the_status_tells_of_lags(rig: Rig, api: Api) -> None:
    """Measured lags and the silence of a feed are in the status and in the metrics, those of each account apart."""
    rig.plant.house = replace(rig.plant.house, lags=Lags())
    lags = rig.plant.house.lags
    for number in range(20):
        sold_at = START + number * SECOND_US
        lags.learned(SHOP, sold_at=sold_at, by_message=True, at=sold_at + 3 * SECOND_US)
    lags.resume(SHOP, START)
    lags.learned(SHOP, sold_at=START - 1, by_message=False, at=START)
    feed = Feed(cursor="c", complete_until=START - 60 * SECOND_US, scanned_at=START - 45 * SECOND_US)
    await rig.plant.store.write(lambda conn: save_feed(conn, SHOP, ORDERS, feed))
    _, told = await api.get("/status")
    shop, mall = (next(row for row in told["accounts"] if row["name"] == name) for name in ("shop", "mall"))
    assert [one["stage"] for one in shop["lags"]] == ["message"]
    assert shop["lags"][0]["p95_s"] == pytest.approx(3.0, rel=0.1)
    assert (shop["silent_s"], shop["lags_delayed"]) == (45.0, 1)
    assert (mall["silent_s"], mall["lags"], mall["lags_delayed"]) == (None, [], 0)
    async with api.session.get("http://syncd/metrics") as answer:
        lines = (await answer.text()).splitlines()
    assert 'syncd_order_feed_silence_seconds{account="shop"} 45' in lines
    assert 'syncd_lag_delayed{account="shop"} 1' in lines
    assert 'syncd_lag_delayed{account="mall"} 0' in lines
    quantiles = [line for line in lines if line.startswith("syncd_lag_seconds{")]
    assert len(quantiles) == 3
    assert 2.7 < float(quantiles[1].removeprefix(_P95)) < 3.3
    assert any(line.startswith('syncd_lag_measurements{account="shop",stage="message"} ') for line in lines)


_P95 = 'syncd_lag_seconds{account="shop",stage="message",quantile="0.95"} '
