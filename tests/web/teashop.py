"""A shop to look at: four channels, tea and what belongs to it, orders of weeks, and something of every trouble."""

from __future__ import annotations

import random
from typing import Any

from sqlalchemy import Connection, insert

from syncd.core.conduct import Finding
from syncd.core.facts import AccountFact, AccountState, SkuFact, SkuRow
from syncd.core.terms import SECOND_US, AccountId, FulfilmentStatus, Outcome, OutcomeKind, PaymentStatus, Sku
from syncd.core.tickets import EventId
from syncd.engine.channels import Conduct, Judgement
from syncd.engine.incidents import HELD, IncidentWatch
from syncd.sdk.features import CancelWish, HealthFigure, Key
from syncd.store import changes, ledger
from syncd.store.changes import ChangeKind, Content, NewChange
from syncd.store.figures import keep_hidden
from syncd.store.incidents import explain_held
from syncd.store.rows_waiting import ArrivalRow, EntryRow, NeedRow
from syncd.store.statements import table
from syncd.store.views_incidents import incidents
from tests.web.rig import Quiet, Rig

CHANNELS = ("shopify", "amazon", "rakuten", "qoo10")
GOODS = {
    "TEA-SEN-100": ("煎茶 100 g", 120),
    "TEA-GYO-050": ("玉露 50 g", 34),
    "TEA-HOJ-200": ("ほうじ茶 200 g", 80),
    "TEA-MAT-030": ("抹茶 30 g 缶", 9),
    "TEA-GEN-100": ("玄米茶 100 g", 0),
    "CUP-BLUE": ("湯呑 藍", 18),
    "CUP-WHITE": ("湯呑 白", 22),
    "POT-IRON": ("鉄瓶 0.9 L", 3),
    "WHISK": ("茶筅", 41),
    "TRAY-OAK": ("盆 楢", 12),
}
HOUR_US = 3_600 * SECOND_US


class Obliging(Quiet):
    """A channel that cancels orders."""

    async def cancel(self, wish: CancelWish) -> Outcome:
        return Outcome(key=wish.key, kind=OutcomeKind.APPLIED)


def channels() -> dict[str, Quiet]:
    """Return the channels of the shop; one of them cancels orders."""
    return {name: Obliging() if name == "shopify" else Quiet() for name in CHANNELS}


async def fill(rig: Rig) -> None:
    """Let the shop have traded for some weeks."""
    rows = [SkuRow(sku=Sku(code), title=title) for code, (title, _) in GOODS.items()]
    gift = (
        SkuRow(sku=Sku("GIFT-SET"), title="ギフトセット", components=((Sku("TEA-SEN-100"), 1), (Sku("CUP-BLUE"), 2))),
    )
    assert await rig.tell(SkuFact(rows=tuple(rows) + gift)) is None
    await rig.know("TEA-NEW-050")
    await rig.count(**{code: units for code, (_, units) in GOODS.items()})
    for name in CHANNELS:
        await rig.catalogue(name, *((f"{name[0]}-{code}", code) for code in GOODS))
        await rig.see(name, **{f"{name[0]}-{code}": units for code, (_, units) in GOODS.items()})
        await rig.tell(AccountFact(account=AccountId(name), state=AccountState.LIVE))
    await trade(rig, days=21)
    await quarrel(rig)
    judge(rig)
    await rig.plant.store.write(wait)
    await rig.plant.store.write(lambda conn: apologise(conn, rig.clock.instant))
    await rig.plant.store.write(lambda conn: hide(conn, rig.clock.instant))


async def trade(rig: Rig, *, days: int) -> None:
    """Sell for so many days up to now, a little of everything."""
    dice = random.Random(7)
    end = rig.clock.instant
    codes = [code for code, (_, units) in GOODS.items() if units > 15]
    for number in range(3 * days):
        name = CHANNELS[dice.choice((0, 0, 1, 1, 1, 2, 2, 3))]
        code = dice.choice(codes)
        rig.clock.instant = end - (days * 24 - number * 8) * HOUR_US + dice.randrange(4 * HOUR_US)
        at = rig.clock.instant - dice.randrange(3 * SECOND_US)
        line = (f"{name[0]}-{code}", code, dice.choice((1, 1, 1, 2)))
        await rig.order(
            name, f"{name[0].upper()}-{10_000 + number}", line, ordered_at=at, **state(dice, number < 3 * days - 9)
        )
    rig.clock.instant = end


def state(dice: random.Random, old: bool) -> dict[str, Any]:
    paid = PaymentStatus.PAID if old or dice.random() < 0.7 else PaymentStatus.PENDING
    sent = FulfilmentStatus.FULFILLED if old else FulfilmentStatus.UNFULFILLED
    return {"payment": paid, "fulfilment": sent, "amount": str(dice.randrange(800, 9_000, 20)), "currency": "JPY"}


async def quarrel(rig: Rig) -> None:
    """Let something be oversold, unknown, edited by hand and down."""
    await rig.order("rakuten", "R-20001", ("r-POT-IRON", "POT-IRON", 2), payment=PaymentStatus.PAID)
    await rig.order("amazon", "A-20002", ("a-POT-IRON", "POT-IRON", 2), payment=PaymentStatus.PAID)
    await rig.order("qoo10", "Q-20003", ("q-TEA-OLD", "TEA-OLD-1", 1), payment=PaymentStatus.PAID)
    rig.clock.instant += 900 * SECOND_US
    assert await IncidentWatch(rig.plant).step() == 1
    await rig.see("shopify", **{"s-WHISK": 99})
    rig.plant.roster[AccountId("qoo10")].pulse.down_since = rig.clock.instant - 240 * SECOND_US


def judge(rig: Rig) -> None:
    """Let channels judge the shop."""
    amazon, rakuten = (rig.plant.roster[AccountId(name)] for name in ("amazon", "rakuten"))
    figure = HealthFigure(name="preFulfillmentCancelRate", count=3, total=190, rate=0.0158, limit=0.025)
    late = HealthFigure(name="lateShipmentRate", count=1, total=190, rate=0.0053, limit=0.04)
    own = Finding(
        name="cancel_rate", count=3, total=190, unknown=1, value=0.0158, forecast=0.021, limit=0.025, rate=True
    )
    amazon.conduct = Conduct(at=rig.clock.instant, findings=(own,))
    amazon.judgement = Judgement(asked_at=rig.clock.instant - HOUR_US, figures=[figure, late])
    rakuten.keys = [Key(name="licenseKey", expires_at=rig.clock.instant + 9 * 24 * HOUR_US)]


def wait(conn: Connection) -> None:
    """Let people wait for the tea that is sold out."""
    sku_id = ledger.skus_by_code(conn, ["TEA-GEN-100"])[Sku("TEA-GEN-100")].sku_id
    at = 1_789_000_000_000_000
    for number, units in enumerate((2, 1, 4, 1, 3), 1_001):
        since = at + (number - 1_000) * HOUR_US
        entry = {"id": number, "source": "signup", "key": f"w{number}", "sku_id": sku_id, "quantity": units}
        more = {"state": "pending", "since": since, "expected": "2026-09-28", "account": "shopify"}
        conn.execute(insert(table(EntryRow)), [{**entry, **more}])
        need = {"entry_id": number, "sku_id": sku_id, "units": units, "tier": 1, "rank": since}
        conn.execute(insert(table(NeedRow)), [need])
    units = {"number": "PO-2026-118", "sku_id": sku_id, "location": "main", "quantity": 8}
    days = {"expected": "2026-09-28", "promised": "2026-09-30", "created_at": at, "changed_at": at}
    conn.execute(insert(table(ArrivalRow)), [{**units, **days}])


def apologise(conn: Connection, now: int) -> None:
    """Let an apology for the incident wait for a person."""
    (view,) = incidents(conn)
    values = {"product": "鉄瓶 0.9 L", "order_number": view.losers[0].order, "quantity": "1"}
    letter = NewChange(
        desk="local",
        key="t1:apology",
        event=EventId(view.event),
        kind=ChangeKind.UPDATE,
        entry_id=None,
        ticket_row=None,
        message="oversold_crossed",
        content=Content(values=values),
    )
    changes.add(conn, [letter], limit=0, now=now)
    explain_held(conn, view.event, reason=HELD)


def hide(conn: Connection, now: int) -> None:
    """Let some sales have been hidden, every day."""
    dice = random.Random(11)
    for day in range(22):
        hour = now // HOUR_US * HOUR_US - day * 24 * HOUR_US
        keep_hidden(conn, hour, {AccountId(name): dice.choice((0.0, 0.2, 0.6, 1.4)) for name in CHANNELS})


async def sell(rig: Rig, name: str, number: str, code: str, units: int = 1) -> None:
    """Sell something now."""
    at = rig.clock.instant - SECOND_US
    await rig.order(name, number, (f"{name[0]}-{code}", code, units), ordered_at=at, payment=PaymentStatus.PAID)
