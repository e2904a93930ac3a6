"""Sign-up end to end: a daemon, a shop, a customer, and a real mail server; nobody gets the same thing twice."""

from __future__ import annotations

import asyncio
import re
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest

from syncd.core.terms import WriteMode
from syncd.testing.market import Habits
from tests.edges.mail_server import Mailbox, serving
from tests.system.processes import Daemon, daemon, free_port, until
from tests.system.street import street

MAIL = "hana@example.jp"
SHOP = {"shopify": (WriteMode.COMPARE_AND_SET, Habits())}
STILL_S = 5.0
"""How long it is looked whether another mail comes."""

pytestmark = pytest.mark.slow


def tables_of(made: Any, url: str, mails: Mailbox) -> dict[str, dict[str, Any]]:
    smtp = {"smtp_url": f"smtp://127.0.0.1:{mails.port}", "mail_from": "shop@example.jp"}
    return {
        **made.tables(url),
        "orderpage": {"enabled": True, **smtp},
        "letters": {"quiet": "", "name": "Midori"},
        "waitlist": {"tell_first_s": 30.0},
        "desks.local": {"adapter": "local"},
        "desks.local.settings": smtp,
    }


def link(mail: EmailMessage, name: str) -> str:
    found = re.search(rf"http://\S+/back/{name}\?t=[\w.=%-]+", mail.get_content())
    assert found is not None, mail.get_content()
    return found[0]


async def mails_are(mails: Mailbox, count: int) -> None:
    async def wrong() -> str:
        return "" if len(mails.mails) == count else f"{len(mails.mails)} mails"

    await until(wrong, what=f"{count} mails have come")


async def deliver(syncd: Daemon, sku: str, units: int) -> None:
    await syncd.post("/stock/move", move="receive", rows=[{"sku": sku, "quantity": units}], force=True)


async def test_a_customer_signs_up_is_told_once_and_leaves_by_one_click(tmp_path: Path) -> None:
    """Who confirms is told once of a restock, a kill -9 between, leaves by the click of RFC 8058, and hears no more."""
    port, mails = free_port(), Mailbox()
    async with serving(mails), street(skus=1, channels=SHOP) as made, aiohttp.ClientSession() as browser:
        (sku,) = (shown.sku for shown in made.shops["shopify"].shown())
        async with daemon(tmp_path, tables_of(made, f"http://127.0.0.1:{port}", mails), port=port) as syncd:
            await made.adopt(syncd, {sku: 0})
            await syncd.post("/desks/local/go")
            page = f"{syncd.url}/back/{quote(sku, safe='')}"
            async with browser.post(page, data={"mail": MAIL, "quantity": "2"}) as answer:
                assert answer.status == 200
            await mails_are(mails, 1)
            confirm = link(mails.mails[0], "confirm")
            assert (await syncd.get("/waitlist"))["rows"] == []
            async with browser.post(confirm.partition("?")[0], data={"t": confirm.partition("t=")[2]}) as answer:
                assert answer.status == 200
            (entry,) = (await syncd.get("/waitlist"))["rows"]
            assert (entry["sku"], entry["quantity"], entry["state"]) == (sku, 2, "pending")

            await deliver(syncd, sku, 2)
            await mails_are(mails, 2)
            await syncd.kill()
            await syncd.start()
            await syncd.ready()
            await asyncio.sleep(STILL_S)
            assert [mail["To"] for mail in mails.mails] == [MAIL, MAIL]
            told = mails.mails[1]
            assert "Midori" in str(told["Subject"])
            assert told["List-Unsubscribe"] == f"<{link(told, 'leave')}>"

            click = {"List-Unsubscribe": "One-Click"}
            async with browser.post(str(told["List-Unsubscribe"]).strip("<>"), data=click) as answer:
                assert answer.status == 200
            (entry,) = (await syncd.get("/waitlist?closed=true"))["rows"]
            assert entry["closed_at"] is not None
            await deliver(syncd, sku, 5)
            await asyncio.sleep(STILL_S)
            assert len(mails.mails) == 2
