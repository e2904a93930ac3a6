"""Alerts by a real SMTP server and a real webhook receiver, each once on each route."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web
from sqlmodel import SQLModel
from structlog.testing import capture_logs

from syncd.clock import SystemClock
from syncd.core.retry import RetryRule
from syncd.edges.alerts import AlertSink, LogRoute, Route, WebhookRoute, alert_sink
from syncd.edges.letters import Letter, compose
from syncd.edges.mail import MailRoute
from syncd.engine.relay import Relay
from syncd.sdk import smtp
from syncd.sdk.errors import AuthError, ChannelError, ConfigError, TransientError
from syncd.sdk.secret import Secret
from syncd.settings import Alerts, Daemon, Settings
from syncd.store import alerts, outbox
from syncd.store.alerts import Alert
from syncd.store.driver import writer_engine
from syncd.store.outbox import Waiting
from syncd.store.session import Store
from syncd.testing.clock import ManualClock
from tests.edges.mail_server import Mailbox, self_signed, serving

CLOCK = ManualClock()


def waiting(number: int, kind: str = "low_stock", key: str = "A-1", *, over: bool = False, **values: Any) -> Waiting:
    body = msgspec.json.encode(Alert(kind=kind, key=key, text="plain words", values=values))
    change = alerts.CLEARED if over else alerts.RAISED
    return Waiting(id=number, key=f"{kind}/{key}", type=change, body=body, created_at=CLOCK.now())


LOW = waiting(1, sku="A-1", available=2)


def sink_of(*routes: Route, language: str = "en", clock: ManualClock = CLOCK) -> AlertSink:
    return AlertSink(instance="main", language=language, routes=routes, clock=clock)


def lines(message: EmailMessage) -> list[str]:
    return str(message.get_content()).splitlines()


def route_to(mailbox: Mailbox, *, user: str = "", scheme: str = "smtp", **more: Any) -> MailRoute:
    url = f"{scheme}://{user}127.0.0.1:{mailbox.port}"
    return MailRoute(url=url, sender="syncd <syncd@shop.test>", recipients=["owner@shop.test", "b@shop.test"], **more)


async def test_a_mail_says_shop_kind_and_what_happened() -> None:
    """One mail goes to all recipients, with instance and kind in its subject and one line for each alert."""
    async with serving(Mailbox()) as mailbox:
        sink = sink_of(route_to(mailbox))
        assert await sink.deliver([LOW]) == [1]
        assert await sink.deliver([waiting(2, "oversell", sku="B", units=3), waiting(3, over=True)]) == [2, 3]
    first, second = mailbox.mails
    assert first["Subject"] == "[syncd main] Low stock: A-1"
    assert lines(first) == ["Low stock: A-1: 2 left"]
    assert (first["From"], first["Message-ID"]) == ("syncd <syncd@shop.test>", f"<{LOW.event_id}@main.syncd.invalid>")
    assert mailbox.envelopes[0].rcpt_tos == ["owner@shop.test", "b@shop.test"]
    assert second["Subject"] == "[syncd main] 2 alerts: Oversold, Over: Low stock"
    assert lines(second) == ["Oversold: B: 3 more sold than there are", "Over: Low stock: A-1"]


async def test_a_mail_can_be_japanese() -> None:
    """Subject and lines arrive in Japanese where the settings say so."""
    async with serving(Mailbox()) as mailbox:
        await sink_of(route_to(mailbox), language="ja").deliver([LOW])
    assert mailbox.mails[0]["Subject"] == "[syncd main] 在庫わずか: A-1"
    assert lines(mailbox.mails[0]) == ["在庫わずか: A-1：残り2点"]


async def test_a_key_cannot_write_headers() -> None:
    """Line breaks in a key stay in their line."""
    async with serving(Mailbox()) as mailbox:
        await sink_of(route_to(mailbox)).deliver([waiting(1, key="A\r\nBcc: all@shop.test\r\n\r\n.\r\n")])
    assert mailbox.mails[0]["Bcc"] is None
    assert len(lines(mailbox.mails[0])) == 1


@pytest.mark.parametrize("scheme", ["smtps", "smtp+starttls"])
async def test_mail_goes_encrypted_with_a_login(scheme: str, tmp_path: Path) -> None:
    """By smtps:// and smtp+starttls:// login and mail are encrypted, and an unknown certificate gets neither."""
    certificate = self_signed(tmp_path)
    where = "tls" if scheme == "smtps" else "starttls"
    async with serving(Mailbox(), **{where: certificate.server}) as mailbox:
        user = "shop%40test:open%20sesame@"
        await route_to(mailbox, scheme=scheme, user=user, tls=certificate.client).send(letter())
        with pytest.raises(TransientError, match=r"(?i)certificate"):
            await route_to(mailbox, scheme=scheme, user=user).send(letter())
    assert (mailbox.logins, mailbox.encrypted) == ([b"shop@test"], [True])


def letter() -> Letter:
    return compose([LOW], instance="main", language="en")


async def test_starttls_that_is_asked_for_is_needed() -> None:
    """A server without STARTTLS gets nothing by smtp+starttls://, and no password in clear by smtp://."""
    async with serving(Mailbox()) as mailbox:
        with pytest.raises(AuthError, match="STARTTLS"):
            await route_to(mailbox, scheme="smtp+starttls").send(letter())
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(smtp, "LOOPBACK", frozenset())
            with pytest.raises(AuthError, match="in clear"):
                await route_to(mailbox, user="a:open%20sesame@").send(letter())
    assert (mailbox.logins, mailbox.mails) == ([], [])


async def test_a_wrong_password_is_for_a_person() -> None:
    """A refused login is an AuthError that tells neither user nor password."""
    async with serving(Mailbox()) as mailbox:
        with pytest.raises(AuthError) as raised:
            await route_to(mailbox, user="shop:wrong-word@").send(letter())
    assert "wrong-word" not in str(raised.value)
    assert mailbox.mails == []


async def test_a_mail_of_unknown_fate_is_not_repeated() -> None:
    """A connection that breaks off after the text leaves it open whether the mail went out: it is told and logged."""
    async with serving(Mailbox(on_data="")) as mailbox:
        sink = sink_of(route_to(mailbox))
        with capture_logs() as logs:
            assert await sink.deliver([LOW]) == [1]
    assert len(mailbox.mails) == 1
    assert [line["event"] for line in logs] == ["mail.uncertain"]


@pytest.mark.parametrize(
    ("answer", "outcome", "event"),
    [("451 later", TransientError, None), ("554 no", [1], "alert.rejected"), ("421 closing", TransientError, None)],
)
async def test_a_refused_mail_waits_or_ends(answer: str, outcome: Any, event: str | None) -> None:
    """A mail that is refused for now comes again, one that is refused for good does not."""
    async with serving(Mailbox(on_data=answer)) as mailbox:
        sink = sink_of(route_to(mailbox))
        with capture_logs() as logs:
            if isinstance(outcome, list):
                assert await sink.deliver([LOW]) == outcome
            else:
                with pytest.raises(outcome):
                    await sink.deliver([LOW])
    assert [line["event"] for line in logs] == ([event] if event else [])


async def test_a_recipient_who_is_refused_stops_no_other() -> None:
    """One unknown recipient is logged without the address; only when all are refused a person must act."""
    async with serving(Mailbox(unknown=("owner@shop.test",))) as mailbox:
        with capture_logs() as logs:
            await route_to(mailbox).send(letter())
        assert mailbox.envelopes[0].rcpt_tos == ["b@shop.test"]
        assert "shop.test" not in str(logs)
        mailbox.unknown += ("b@shop.test",)
        with pytest.raises(AuthError) as raised:
            await route_to(mailbox).send(letter())
    assert "shop.test" not in str(raised.value)


@pytest.mark.parametrize(
    ("url", "sender", "recipients"),
    [
        ("http://x", "a@b.c", ["a@b.c"]),
        ("smtp://", "a@b.c", ["a@b.c"]),
        ("smtp://x:port", "a@b.c", ["a@b.c"]),
        ("smtp://x", "nobody", ["a@b.c"]),
        ("smtp://x", "a@b.c\r\nBcc: d@e.f", ["a@b.c"]),
        ("smtp://x", "a@b.c", ["店主"]),
        ("smtp://x", "a@b.c", []),
    ],
)
def test_mail_settings_that_cannot_work_are_refused(url: str, sender: str, recipients: list[str]) -> None:
    """A server or an address that cannot be used is a problem of the settings."""
    with pytest.raises(ConfigError, match=r"alerts\."):
        MailRoute(url=url, sender=sender, recipients=recipients)


# --- webhook ------------------------------------------------------------------------------------------------------


@dataclass
class Chat:
    """A webhook receiver that answers `status`."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    posts: list[Any] = field(default_factory=list)
    url: Secret = field(default_factory=lambda: Secret(""))

    async def take(self, request: web.Request) -> web.Response:
        if self.status == 200:
            self.posts.append(await request.json())
        return web.Response(status=self.status, headers=self.headers)


@asynccontextmanager
async def chatting(**answers: Any) -> AsyncIterator[Chat]:
    chat = Chat(**answers)
    app = web.Application()
    app.router.add_post("/services/T0/B0/s3cr3tpath", chat.take)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        chat.url = Secret(f"http://127.0.0.1:{runner.addresses[0][1]}/services/T0/B0/s3cr3tpath")
        yield chat
    finally:
        await runner.cleanup()


async def test_a_webhook_gets_one_text() -> None:
    """The text has a line for each alert, and nothing in it can call everybody."""
    async with chatting() as chat:
        sink = sink_of(WebhookRoute(url=chat.url))
        await sink.deliver([LOW, waiting(2, "drift", key="<!channel>", account="a&b", listing="L", seen=4)])
    assert chat.posts == [
        {
            "text": "*[syncd main] 2 alerts: Low stock, Number changed elsewhere*\n"
            "• Low stock: A-1: 2 left\n"
            "• Number changed elsewhere: a&amp;b: listing L shows 4"
        }
    ]


@pytest.mark.parametrize(
    ("status", "headers", "error", "retry_after_s"),
    [
        (429, {"Retry-After": "7"}, TransientError, 7.0),
        (429, {"Retry-After": "soon"}, TransientError, None),
        (503, {}, TransientError, None),
        (404, {}, AuthError, None),
        (302, {"Location": "http://127.0.0.1/"}, AuthError, None),
    ],
)
async def test_a_webhook_that_fails_is_understood(
    status: int, headers: dict[str, str], error: type[ChannelError], retry_after_s: float | None
) -> None:
    """Each answer means waiting or a person, and the address stays secret."""
    async with chatting(status=status, headers=headers) as chat:
        with pytest.raises(error) as raised:
            await sink_of(WebhookRoute(url=chat.url)).deliver([LOW])
    assert getattr(raised.value, "retry_after_s", None) == retry_after_s
    assert "s3cr3tpath" not in repr(raised.value)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/s3cr3tpath", "nonsense s3cr3tpath", "https://s3cr3tpath.invalid/"])
async def test_a_webhook_that_is_not_there_is_transient(url: str) -> None:
    """Without anybody there the alert waits, and the address stays secret."""
    with pytest.raises(TransientError) as raised:
        await sink_of(WebhookRoute(url=Secret(url))).deliver([LOW])
    assert "s3cr3tpath" not in repr(raised.value)


async def test_an_alert_that_a_webhook_cannot_take_ends() -> None:
    """A text that is refused for good is logged and does not block what follows."""
    async with chatting(status=400) as chat:
        with capture_logs() as logs:
            assert await sink_of(WebhookRoute(url=chat.url)).deliver([LOW]) == [1]
    assert [line["event"] for line in logs] == ["alert.rejected"]


# --- the sink -----------------------------------------------------------------------------------------------------


async def test_a_route_that_is_down_repeats_nothing_on_the_others() -> None:
    """While the chat is down mails go out once each, and later the chat gets all that it missed."""
    async with serving(Mailbox()) as mailbox, chatting(status=503) as chat:
        sink = sink_of(route_to(mailbox), WebhookRoute(url=chat.url))
        second = waiting(2, "disk", free_mb=10)
        for batch in ([LOW], [LOW], [LOW, second], [LOW, second]):
            with pytest.raises(TransientError):
                await sink.deliver(batch)
        assert [one["Subject"] for one in mailbox.mails] == [
            "[syncd main] Low stock: A-1",
            "[syncd main] Disk almost full: A-1",
        ]
        chat.status = 200
        assert await sink.deliver([LOW, second]) == [1, 2]
    assert (len(mailbox.mails), len(chat.posts)) == (2, 1)


async def test_old_news_are_given_up() -> None:
    """What a route could not tell for a day is dropped there and logged; what is younger waits on."""
    clock = ManualClock()
    async with chatting(status=503) as chat:
        sink = sink_of(WebhookRoute(url=chat.url), clock=clock)
        clock.advance(25 * 3_600)
        young = replace(waiting(2), created_at=clock.now())
        with capture_logs() as logs:
            assert await sink.deliver([LOW, young]) == [1]
    assert [line["event"] for line in logs] == ["alert.given_up"]


async def test_alerts_are_in_the_log_without_any_route() -> None:
    """Without mail and webhook the log alone tells alerts, raised and over."""
    sink = alert_sink(Settings(daemon=Daemon(data_dir=Path("unused"))), clock=CLOCK)
    with capture_logs() as logs:
        assert await sink.deliver([LOW, waiting(2, over=True)]) == [1, 2]
    assert [(line["event"], line["kind"], line["key"]) for line in logs] == [
        ("alert.raised", "low_stock", "A-1"),
        ("alert.cleared", "low_stock", "A-1"),
    ]


async def test_an_alert_comes_from_the_ledger_to_the_mailbox_once(tmp_path: Path) -> None:
    """Raised twice and cleared once in the store, an alert is two mails, by the routes of the settings."""
    url = f"sqlite:///{tmp_path}/syncd.db"
    engine = writer_engine(url)
    with engine.begin() as conn:
        SQLModel.metadata.create_all(conn)
    engine.dispose()
    clock, stop, hint = SystemClock(), asyncio.Event(), asyncio.Event()
    async with serving(Mailbox()) as mailbox, chatting() as chat, Store.open(url, clock=clock) as store:
        told = Alerts(
            smtp_url=f"smtp://127.0.0.1:{mailbox.port}",
            mail_from="syncd@shop.test",
            mail_to=("owner@shop.test",),
            webhook_url=chat.url,
        )
        sink = alert_sink(Settings(daemon=Daemon(data_dir=tmp_path, language="ja"), alerts=told), clock=clock)
        rule = RetryRule(first_s=0.02, most_s=0.02)
        relay = Relay(store, sink=sink, clock=clock, random=lambda: 0.5, hint=hint, rule=rule)
        async with asyncio.timeout(30), asyncio.TaskGroup() as group:
            group.create_task(relay.run(stop))
            for change in (change_of(up=True), change_of(up=True), change_of(up=False)):
                await store.write(change)
                hint.set()
                while await store.read(outbox.depth):
                    await asyncio.sleep(0.01)
            stop.set()
    assert [one["Subject"] for one in mailbox.mails] == [
        "[syncd main] ディスク残量不足: data_dir",
        "[syncd main] 解消: ディスク残量不足: data_dir",
    ]
    assert len(chat.posts) == 2


def change_of(*, up: bool) -> Callable[[Any], bool]:
    where: dict[str, Any] = {"kind": "disk", "key": "data_dir", "now": SystemClock().now()}
    if up:
        return lambda conn: alerts.raise_alert(conn, **where, text="10 MB left", values={"free_mb": 10})
    return lambda conn: alerts.clear_alert(conn, **where)


def test_the_log_route_is_always_there() -> None:
    """Whatever the settings say, alerts go to the log."""
    sink = alert_sink(Settings(daemon=Daemon(data_dir=Path("unused"))), clock=CLOCK)
    assert [type(route) for route in sink._routes] == [LogRoute]
