"""Signing up for a notice: confirmed first, left by one click, and nobody learns who is on the list."""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from sqlalchemy import Connection, text

from syncd.core.waitlist import LeaveFact, WaitFact
from syncd.engine.intake import Receipt
from syncd.letters import Texts
from syncd.sdk.errors import AuthError, RejectedError, TransientError
from syncd.settings import OrderPageSettings
from syncd.store import ledger, waiting
from syncd.web.orderpage import install
from syncd.web.orderpage.signup import MAILS_A_DAY, PENDING_US
from tests.web.rig import Rig, running, served, settings_of

MAIL = "hana@example.jp"


@dataclass
class Postbox:
    """Takes mails instead of a server; `trouble` is raised instead."""

    sender: str = "shop@example.jp"
    mails: list[tuple[str, Any]] = field(default_factory=list)
    trouble: Exception | None = None

    async def send(self, recipient: str, mail: bytes) -> None:
        if self.trouble is not None:
            raise self.trouble
        self.mails.append((recipient, email.message_from_bytes(mail, policy=email.policy.default)))

    def link(self, name: str) -> str:
        """Return the path of a link in the last mail."""
        found = re.search(rf"https://shop\.example(/back/{name}\?t=[\w.=-]+)", self.mails[-1][1].get_content())
        assert found is not None
        return found[1]


@dataclass
class Noting:
    """An intake that keeps what comes."""

    facts: list[tuple[Any, str | None]] = field(default_factory=list)
    trouble: Exception | None = None

    async def put_one(self, fact: Any, *, source: str, key: str | None) -> Receipt:
        if self.trouble is not None:
            raise self.trouble
        self.facts.append((fact, key))
        return Receipt(inbox_id=len(self.facts), duplicate=False)

    async def settle(self, inbox_id: int, *, timeout_s: float) -> None: ...


@dataclass
class Reader:
    """Somebody with a browser."""

    session: aiohttp.ClientSession
    base: str
    rig: Rig
    post: Postbox
    intake: Noting

    async def get(self, path: str) -> tuple[int, str]:
        async with self.session.get(self.base + path, headers={"Accept-Language": "en"}) as answer:
            return answer.status, await answer.text()

    async def send(self, path: str, **form: str) -> tuple[int, str]:
        async with self.session.post(self.base + path, data=form, headers={"Accept-Language": "en"}) as answer:
            return answer.status, await answer.text()


@pytest.fixture
async def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Reader]:
    async with reading(tmp_path, monkeypatch) as made:
        yield made


@asynccontextmanager
async def reading(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Reader]:
    settings = settings_of(folder, ["shop", "mall"])
    page = OrderPageSettings(enabled=True, smtp_url="smtp://127.0.0.1", mail_from="shop@example.jp")
    http = replace(settings.http, public_url="https://shop.example")
    settings = replace(settings, orderpage=replace(page, tries_per_minute=1_000), http=http)
    post, intake = Postbox(), Noting()
    monkeypatch.setattr(install, "Post", lambda *_: post)
    async with running(folder, settings=settings) as rig, aiohttp.ClientSession() as session:
        await rig.know("TEA/1")
        plant: Any = replace(rig.plant, proof_key=b"k" * 32, intake=intake)
        app = web.Application()
        install.install_order_page(app, plant)
        async with served(app) as base:
            yield Reader(session, base, rig, post, intake)


async def test_an_address_is_on_the_list_once_it_confirmed(reader: Reader) -> None:
    """A mail comes first; opening its page does nothing yet, its button puts the address on the list, once."""
    status, page = await reader.get("/back/TEA%2F1")
    assert (status, "TEA/1" in page) == (200, True)
    status, page = await reader.send("/back/TEA%2F1", mail=f" {MAIL.upper()} ", quantity="3")
    assert (status, "We sent you a mail" in page, reader.intake.facts) == (200, True, [])
    link = reader.post.link("confirm")
    assert (reader.post.mails[0][0], (await reader.get(link))[0], reader.intake.facts) == (MAIL, 200, [])
    token = link.partition("t=")[2]
    assert "You are on the list" in (await reader.send("/back/confirm", t=token))[1]
    ((fact, _),) = reader.intake.facts
    assert isinstance(fact, WaitFact)
    (row,) = fact.rows
    assert (row.sku, row.quantity, row.language, row.contact.address) == ("TEA/1", 3, "en", MAIL)
    assert MAIL not in repr(fact)
    assert MAIL not in row.key
    assert (await reader.send("/back/confirm", t=token))[0] == 404


async def test_the_list_is_left_by_one_click(reader: Reader) -> None:
    """The link of the mail leaves by its button, a mail program by a POST alone; the entry is named by its key."""
    await reader.send("/back/TEA%2F1", mail=MAIL)
    await reader.send("/back/confirm", t=reader.post.link("confirm").partition("t=")[2])
    joined = reader.intake.facts[0][0].rows[0].key
    await enter(reader, joined)
    mail, link = reader.post.mails[0][1], reader.post.link("leave")
    assert mail["List-Unsubscribe"] == f"<https://shop.example{link}>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    status, page = await reader.get(link)
    assert (status, "Leave the list" in page, len(reader.intake.facts)) == (200, True, 1)
    status, page = await reader.send(link, **{"List-Unsubscribe": "One-Click"})
    assert (status, "You have left the list" in page) == (200, True)
    left = reader.intake.facts[1][0]
    assert isinstance(left, LeaveFact)
    assert (left.source, left.keys) == ("signup", (joined,))


async def enter(reader: Reader, key: str, *, closed: bool = False) -> None:
    """Have an entry as the deciding room makes it."""

    def work(conn: Connection) -> None:
        (sku,) = ledger.skus_by_code(conn, ["TEA/1"]).values()
        values = {"source": "signup", "key": key, "sku_id": sku.sku_id, "quantity": 1, "state": "pending", "since": 1}
        waiting.add_entry(conn, {**values, "closed_at": 2 if closed else None})

    await reader.rig.plant.store.write(work)


async def join(reader: Reader) -> str:
    """Sign up and confirm; return the key of the last entry."""
    await reader.send("/back/TEA%2F1", mail=MAIL)
    await reader.send("/back/confirm", t=reader.post.link("confirm").partition("t=")[2])
    key: str = reader.intake.facts[-1][0].rows[0].key
    return key


async def test_nobody_waits_twice_and_everybody_may_wait_again(reader: Reader) -> None:
    """Who waits already is not put on the list a second time; once it has come one may sign up for the next time."""
    first = await join(reader)
    await enter(reader, first)
    assert (await join(reader), len(reader.intake.facts)) == (first, 1)
    await reader.rig.plant.store.write(lambda conn: conn.execute(text("UPDATE entry SET closed_at = 2")))
    assert (await join(reader) != first, len(reader.intake.facts)) == (True, 2)


async def test_a_text_that_cannot_be_filled_is_told(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the shop's own text is broken no mail goes out, and the reader is not told that one did."""
    monkeypatch.setattr(Texts, "letter", broken)
    assert (await reader.send("/back/TEA%2F1", mail=MAIL))[0] == 503


def broken(*_: Any) -> None:
    raise RejectedError("lacks a word")


async def test_forged_and_old_links_do_nothing(reader: Reader) -> None:
    """A link that we did not make, or that is a day old, is told to be too old."""
    await reader.send("/back/TEA%2F1", mail=MAIL)
    confirm, leave = reader.post.link("confirm").partition("t=")[2], reader.post.link("leave").partition("t=")[2]
    for place, token in (("confirm", confirm + "x"), ("leave", leave[:-1] + "g"), ("leave", ""), ("confirm", "")):
        assert (await reader.send(f"/back/{place}", t=token))[0] == 404
    reader.rig.clock.instant += PENDING_US
    assert (await reader.send("/back/confirm", t=confirm))[0] == 404
    assert reader.intake.facts == []


async def test_nobody_is_troubled_by_many_mails(reader: Reader) -> None:
    """One address gets few mails a day, and whoever asks is told the same as before."""
    pages = {(await reader.send("/back/TEA%2F1", mail=MAIL)) for _ in range(MAILS_A_DAY + 2)}
    assert (len(reader.post.mails), len(pages)) == (MAILS_A_DAY, 1)


async def test_an_answer_does_not_tell_whether_somebody_is_there(reader: Reader) -> None:
    """A mailbox that the server does not know gets the same page as one that it knows."""
    good = await reader.send("/back/TEA%2F1", mail=MAIL)
    reader.post.trouble = RejectedError("550")
    assert await reader.send("/back/TEA%2F1", mail="nobody@example.jp") == good


@pytest.mark.parametrize("trouble", [TransientError("away"), AuthError("no login"), TimeoutError()])
async def test_a_server_that_is_away_is_told(reader: Reader, trouble: Exception) -> None:
    """Where no mail could be sent the reader is asked to try again."""
    reader.post.trouble = trouble
    assert (await reader.send("/back/TEA%2F1", mail=MAIL))[0] == 503


async def test_a_confirmation_that_could_not_be_kept_can_be_repeated(reader: Reader) -> None:
    """Where nothing can be committed the link stays good."""
    await reader.send("/back/TEA%2F1", mail=MAIL)
    token = reader.post.link("confirm").partition("t=")[2]
    reader.intake.trouble = TransientError("full")
    assert (await reader.send("/back/confirm", t=token))[0] == 503
    reader.intake.trouble = None
    assert (await reader.send("/back/confirm", t=token))[0] == 200


@pytest.mark.parametrize(
    ("path", "mail", "status"),
    [
        ("/back/NONE", MAIL, 404),
        ("/back/TEA%2F1", "hana", 400),
        ("/back/TEA%2F1", "", 400),
        ("/back/TEA%2F1", "a@b\nc", 400),
    ],
)
async def test_what_cannot_be_signed_up_is_refused(reader: Reader, path: str, mail: str, status: int) -> None:
    """A SKU that is not there and an address that is none get no mail."""
    assert (await reader.send(path, mail=mail))[0] == status
    assert reader.post.mails == []
