"""The local desk: tickets on a shelf, letters by SMTP that go once or are told to be uncertain, replies by IMAP."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from adapters.local.book import Book
from adapters.local.settings import LocalSettings
from adapters.local.simulated.post import bounced, written
from adapters.local.simulator import LocalSimulator, MemoryShelf
from syncd.sdk.channel import OutcomeKind
from syncd.sdk.desk import Desk, Forgetting, Sign, TicketId, TicketState, TicketStatus
from syncd.sdk.errors import AuthError, NoTurn, ProtocolError, TransientError
from syncd.sdk.secret import Secret
from syncd.testing import checklist
from syncd.testing.clock import ManualClock
from syncd.testing.desk_simulators import Wish, serve
from syncd.testing.faults import Faults
from syncd.testing.trade import CANARY_MAIL, CANARY_NAME
from tests.adapters.local_stage import LETTER, Stage, change, documents, opened, settings_of, staged, wish
from tests.edges.mail_server import Mailbox, serving

APPLIED, STALE, REJECTED = OutcomeKind.APPLIED, OutcomeKind.STALE, OutcomeKind.REJECTED
UNSENT, UNKNOWN = OutcomeKind.UNSENT, OutcomeKind.INDETERMINATE


async def first(stage: Stage, **more: Any) -> TicketId:
    """Open one ticket; return its id."""
    (outcome,) = await stage.desk.create([wish(**more)])
    assert outcome.kind is APPLIED, outcome
    return outcome.ticket_id


async def all_changed(desk: Desk, cursor: str | None) -> tuple[list[Any], str]:
    """Read pages until there are no more."""
    found: list[Any] = []
    while True:
        page = await desk.changed(cursor)
        found += page.tickets
        cursor = page.cursor
        if not page.more:
            return found, cursor


async def test_a_ticket_is_opened_and_its_customer_told() -> None:
    """An opening makes a ticket that states everything, and sends its letter once, to the customer alone."""
    async with staged() as stage:
        ticket_id = await first(stage, quantity=2, order_number="1001", expected="2026-12-01")
        (ticket,) = await stage.desk.find([ticket_id, TicketId("L999999")])
        (item,) = stage.simulator.post.delivered
    assert (ticket.state, ticket.status) == (TicketState.PENDING, TicketStatus.OPEN)
    assert (ticket.quantity, ticket.order_number, ticket.expected) == (2, "1001", "2026-12-01")
    assert ticket.reachable
    assert ticket.asked_at == ticket.created_at is not None
    assert (item.recipient, str(item.mail["Subject"])) == (CANARY_MAIL, LETTER.subject)
    assert str(item.mail["To"]) == f"{CANARY_NAME} <{CANARY_MAIL}>"
    assert item.mail["Auto-Submitted"] == "auto-generated"
    assert str(item.mail.get_content()).replace("\r\n", "\n") == LETTER.body


async def test_a_repeat_changes_nothing() -> None:
    """The same key and the same event again answer the same ticket, and nobody is written to twice."""
    async with staged() as stage:
        ticket_id = await first(stage)
        (again,) = await stage.desk.create([wish()])
        for _ in range(2):
            (outcome,) = await stage.desk.update([change(ticket_id, state=TicketState.RESTOCKED, letter=LETTER)])
            assert outcome.kind is APPLIED
        mails = len(stage.simulator.post.delivered)
        (held,) = stage.simulator.tickets()
    assert (again.ticket_id, again.kind, mails) == (ticket_id, APPLIED, 2)
    assert (held.state, held.events) == (TicketState.RESTOCKED, {"e1", "e2"})


async def test_letters_of_one_ticket_are_a_thread() -> None:
    """A second letter answers the first, so that mail programs keep them together."""
    async with staged() as stage:
        ticket_id = await first(stage)
        await stage.desk.update([change(ticket_id, letter=LETTER)])
        one, two = (item.mail for item in stage.simulator.post.delivered)
    assert two["In-Reply-To"] == one["Message-ID"] != two["Message-ID"]


async def test_a_change_is_guarded_by_the_version() -> None:
    """A change for another version is stale and has no effect; one for the present version goes through."""
    async with staged() as stage:
        ticket_id = await first(stage)
        (ticket,) = await stage.desk.find([ticket_id])
        stage.simulator.edit(ticket_id, state=TicketState.CANCELLED)
        (stale,) = await stage.desk.update([change(ticket_id, version=ticket.version, letter=LETTER)])
        (now,) = await stage.desk.find([ticket_id])
        (right,) = await stage.desk.update([change(ticket_id, version=now.version, note="n")])
    assert (stale.kind, stale.version, right.kind) == (STALE, now.version, APPLIED)
    assert len(stage.simulator.post.delivered) == 1


async def test_closed_and_lost_tickets_refuse() -> None:
    """A closed ticket and one that is not there take no change, and the reasons say which."""
    async with staged() as stage:
        closed, gone = await first(stage), await first(stage, key="k2", event="e9")
        stage.simulator.close(closed)
        stage.simulator.delete(gone)
        outcomes = await stage.desk.update([change(closed), change(gone), change("L777777")])
        (follow,) = await stage.desk.create([wish("k3", "e3", contact=None, follow_up_of=closed)])
        recipients = {item.recipient for item in stage.simulator.post.delivered}
    assert [(outcome.kind, outcome.reason) for outcome in outcomes] == [
        (REJECTED, "closed"),
        (REJECTED, "gone"),
        (REJECTED, "gone"),
    ]
    assert follow.kind is APPLIED
    assert recipients == {CANARY_MAIL}


async def test_drafts_and_tasks_reach_nobody() -> None:
    """A draft and a ticket without a customer are for agents; a letter to nobody is refused."""
    async with staged() as stage:
        task = await first(stage, contact=None, letter=None)
        drafted = await first(stage, key="k2", event="e2", draft=True)
        (nobody,) = await stage.desk.update([change(task, "e3", letter=LETTER)])
        tasks, drafts = stage.simulator.tickets()
        (ticket,) = await stage.desk.find([task])
    assert stage.simulator.post.delivered == []
    assert (drafts.ticket_id, drafts.drafts, tasks.notes) == (drafted, (LETTER.body,), ("from the ledger",))
    assert (nobody.kind, ticket.reachable) == (REJECTED, False)


# --- letters that may have gone out ------------------------------------------------------------------------------


async def test_a_cut_after_the_text_is_uncertain_and_never_repeated() -> None:
    """A lost last word leaves the letter's end unknown; whatever comes again, the customer has it once."""
    async with staged() as stage:
        ticket_id = await first(stage)
        stage.simulator.faults = Faults(cut_after_effect=1.0)
        kinds = []
        for _ in range(3):
            (outcome,) = await stage.desk.update([change(ticket_id, state=TicketState.RESTOCKED, letter=LETTER)])
            kinds.append(outcome.kind)
            stage.simulator.faults = Faults()
        (ticket,) = await stage.desk.find([ticket_id])
    assert kinds == [UNKNOWN] * 3
    assert len(stage.simulator.post.delivered) == 2
    assert ticket.state is TicketState.RESTOCKED
    assert "e2" not in ticket.markers
    assert not stage.desk.profile.certain


async def test_a_stop_between_begin_and_end_is_uncertain() -> None:
    """A letter that was begun before a stop is told as not known and is not sent again."""
    async with staged() as stage:
        ticket_id = await first(stage)
        doc = await Book(stage.simulator.shelf).find(ticket_id)
        assert doc is not None
        assert await stage.desk._begin(doc, change(ticket_id).event)
        (outcome,) = await stage.desk.update([change(ticket_id, letter=LETTER)])
    assert outcome.kind is UNKNOWN
    assert len(stage.simulator.post.delivered) == 1


async def test_greylisting_and_refusals_are_told_apart() -> None:
    """A 4xx certainly sent nothing and may come again, a 5xx is refused for good, and neighbours are not touched."""
    async with staged() as stage:
        ticket_id = await first(stage)
        other = await first(stage, key="k2", event="f1")
        stage.simulator.faults = Faults(too_many=1.0)
        with pytest.raises(TransientError) as caught:
            await stage.desk.update([change(ticket_id, letter=LETTER)])
        outcomes = await stage.desk.update([change(other, "f2", note="x"), change(ticket_id, letter=LETTER)])
        stage.simulator.faults = Faults(html=1.0)
        (refused,) = await stage.desk.update([change(ticket_id, letter=LETTER)])
        stage.simulator.faults = Faults()
        (right,) = await stage.desk.update([change(ticket_id, letter=LETTER)])
    assert not caught.value.sent
    assert [outcome.kind for outcome in outcomes] == [APPLIED, UNSENT]
    assert (refused.kind, right.kind) == (REJECTED, APPLIED)
    assert len(stage.simulator.post.delivered) == 3


async def test_an_unknown_recipient_is_refused_for_this_ticket_alone() -> None:
    """A customer's address that the server refuses parks that change, and nothing else."""
    async with staged() as stage:
        ticket_id = await first(stage)
        stage.simulator.post.unknown.add(CANARY_MAIL)
        refused, note = await stage.desk.update([change(ticket_id, letter=LETTER), change(ticket_id, "e3", note="n")])
    assert (refused.kind, note.kind) == (REJECTED, APPLIED)
    assert CANARY_MAIL not in refused.reason


async def test_letters_keep_to_the_budget() -> None:
    """Above the budget letters are not sent, certainly, and a later call sends them."""
    async with staged(mails_per_minute=6) as stage:
        outcomes = await stage.desk.create([wish(f"k{number}", f"e{number}") for number in range(3)])
        stage.clock.advance(60.0)
        again = await stage.desk.create([wish("k2", "e2")])
        with pytest.raises(NoTurn):
            await stage.desk.create([wish("k9", "e9")])
    assert [outcome.kind for outcome in (*outcomes, *again)] == [APPLIED, UNSENT, UNSENT, APPLIED]
    assert len(stage.simulator.post.delivered) == 2


@pytest.mark.parametrize(
    ("mood", "kind"), [("250 OK", APPLIED), ("", UNKNOWN), ("451 greylisted", None), ("554 spam", REJECTED)]
)
async def test_a_real_server_is_understood(mood: str, kind: OutcomeKind | None) -> None:
    """A real SMTP server that takes, breaks off, greylists or refuses a letter ends it as it should."""
    clock = ManualClock()
    async with serving(Mailbox(on_data=mood)) as mailbox:
        settings = settings_of({"smtp_url": f"smtp://127.0.0.1:{mailbox.port}", "mail_from": "shop@shop.test"})
        async with opened(settings, shelf=MemoryShelf(), clock=clock) as desk:
            assert not desk.profile.hears
            if kind is None:
                with pytest.raises(TransientError):
                    await desk.create([wish()])
                return
            (outcome,) = await desk.create([wish()])
    assert outcome.kind is kind
    assert [mail["From"] for mail in mailbox.mails] == ["shop@shop.test"] * (kind is not REJECTED)


# --- what customers write ----------------------------------------------------------------------------------------


async def test_a_reply_opens_a_solved_ticket() -> None:
    """A customer's reply is found by its headers, dated, told as a change, and not read to people's cost."""
    async with staged() as stage:
        ticket_id = await first(stage)
        stage.simulator.edit(ticket_id, status=TicketStatus.SOLVED)
        _, cursor = await all_changed(stage.desk, None)
        stage.clock.advance(60.0)
        stage.simulator.reply(ticket_id, "待ちます")
        tickets, cursor = await all_changed(stage.desk, cursor)
        again, _ = await all_changed(stage.desk, cursor)
    assert [(ticket.status, ticket.replied_at) for ticket in tickets] == [(TicketStatus.OPEN, stage.clock.now())]
    assert again == []
    assert set().union(*stage.simulator.post.flags.values()) == set()
    assert "待ちます" not in str(documents(stage.simulator.shelf))


async def test_what_a_reply_shows_is_kept_and_its_words_are_not() -> None:
    """A reply is looked through once, without what it quotes, in any spelling and over the ends of lines."""
    async with staged() as stage:
        ticket_id = await first(stage)
        await all_changed(stage.desk, None)
        texts = ["Thanks\n\n> call a lawyer", "My LAWYERS are fed up", "弁護\n士です"]
        for text in texts:
            stage.clock.advance(60.0)
            stage.simulator.reply(ticket_id, text)
        for _ in texts:
            await all_changed(stage.desk, None)
        (ticket,) = await stage.desk.find([ticket_id])
        assert [one.signs for one in ticket.inbound] == [frozenset(), frozenset(Sign), {Sign.LEGAL}]
        kept = str(documents(stage.simulator.shelf))
    assert "LAWYERS" not in kept
    assert "弁護" not in kept


@pytest.mark.parametrize("marks", ["plus", "subject"])
async def test_a_reply_without_headers_is_known_by_its_mark(marks: str) -> None:
    """A mail program that drops references is still understood, by plus-address or subject."""
    async with staged(marks=marks) as stage:
        ticket_id = await first(stage)
        mail = stage.simulator.post.delivered[0].mail
        to = str(mail["Reply-To"] or mail["From"])
        text = written(
            sender=CANARY_MAIL, subject=f"Re: {mail['Subject']}", text="ok", mail_id="<x@y.invalid>", recipient=to
        )
        stage.simulator.post.arrive(text)
        await all_changed(stage.desk, None)
        (ticket,) = await stage.desk.find([ticket_id])
    assert ticket.replied_at is not None


async def test_machines_are_not_taken_for_customers() -> None:
    """Automatic answers, lists, our own mails and strangers change no ticket."""
    async with staged() as stage:
        ticket_id = await first(stage)
        ours = str(stage.simulator.post.delivered[0].mail["Message-ID"])
        for number, headers in enumerate(
            [
                {"Auto_Submitted": "auto-replied"},
                {"Precedence": "bulk"},
                {"X_Autoreply": "yes"},
                {"Return_Path": "<>"},
                {"List_Id": "<a.b>"},
            ]
        ):
            mail = written(
                sender=CANARY_MAIL, subject="Re:", text="", mail_id=f"<{number}@x.invalid>", In_Reply_To=ours, **headers
            )
            stage.simulator.post.arrive(mail)
        for sender, subject in [
            ("shop@mail.invalid", "x"),
            ("no-reply@x.invalid", "x"),
            (CANARY_MAIL, "自動返信: 不在"),
        ]:
            stage.simulator.post.arrive(
                written(sender=sender, subject=subject, text="", mail_id="<z@x.invalid>", In_Reply_To=ours)
            )
        stage.simulator.post.arrive(written(sender=CANARY_MAIL, subject="hello", text="", mail_id="<s@x.invalid>"))
        await all_changed(stage.desk, None)
        (ticket,) = await stage.desk.find([ticket_id])
    assert (ticket.replied_at, ticket.reachable) == (None, True)


async def test_a_mail_that_came_back_ends_the_route() -> None:
    """A final bounce makes the customer unreachable, a delayed one does not, and later letters are refused."""
    async with staged() as stage:
        ticket_id = await first(stage)
        raw = stage.simulator.last_mail()
        stage.simulator.post.arrive(bounced(raw, status="4.4.1", action="delayed", number=1))
        await all_changed(stage.desk, None)
        (before,) = await stage.desk.find([ticket_id])
        stage.simulator.post.arrive(bounced(raw, status="5.1.1", number=2))
        await all_changed(stage.desk, None)
        (after,) = await stage.desk.find([ticket_id])
        (refused,) = await stage.desk.update([change(ticket_id, letter=LETTER)])
    assert (before.reachable, after.reachable) == (True, False)
    assert (refused.kind, "5.1.1" in refused.reason) == (REJECTED, True)


async def test_a_mailbox_that_counts_anew_is_read_again() -> None:
    """When the server numbers its mails anew nothing is missed, and nothing is taken twice."""
    async with staged() as stage:
        ticket_id = await first(stage)
        stage.simulator.reply(ticket_id, "one")
        await all_changed(stage.desk, None)
        (before,) = await stage.desk.find([ticket_id])
        stage.simulator.post.rebuild()
        stage.clock.advance(5.0)
        await all_changed(stage.desk, None)
        (same,) = await stage.desk.find([ticket_id])
        stage.simulator.reply(ticket_id, "two")
        await all_changed(stage.desk, None)
        (after,) = await stage.desk.find([ticket_id])
    assert before.version == same.version
    assert after.replied_at == stage.clock.now() != before.replied_at


async def test_more_mails_than_one_look_takes_are_all_taken() -> None:
    """A full mailbox is read in parts, oldest first."""
    async with staged() as stage:
        ticket_id = await first(stage)
        for number in range(60):
            stage.simulator.post.arrive(written(sender="a@b.invalid", subject="x", text="", mail_id=f"<n{number}@b>"))
        stage.simulator.reply(ticket_id, "at last")
        page = await stage.desk.changed("change:0")
        assert page.more
        await all_changed(stage.desk, page.cursor)
        (ticket,) = await stage.desk.find([ticket_id])
    assert ticket.replied_at is not None


# --- around ------------------------------------------------------------------------------------------------------


async def test_changes_are_told_once_and_in_order() -> None:
    """The first reading tells every ticket, the next only those that changed since, and a strange cursor is refused."""
    async with staged() as stage:
        ids = [await first(stage, key=f"k{number}", event=f"e{number}") for number in range(3)]
        tickets, cursor = await all_changed(stage.desk, None)
        stage.simulator.edit(ids[1], state=TicketState.SHIPPED)
        changed, cursor = await all_changed(stage.desk, cursor)
        with pytest.raises(ProtocolError):
            await stage.desk.changed("yesterday")
    assert {ticket.ticket_id for ticket in tickets} == set(ids)
    assert [ticket.ticket_id for ticket in changed] == [ids[1]]


async def test_a_deleted_ticket_leaves_nothing_of_its_customer() -> None:
    """A ticket that is deleted takes address, letters, key and mark with it, twice is once, and others stay."""
    async with staged() as stage:
        gone, kept = await first(stage), await first(stage, key="k2", contact=None, letter=None)
        _, cursor = await all_changed(stage.desk, None)
        assert isinstance(stage.desk, Forgetting)
        assert await stage.desk.forget([gone, TicketId("L999999")]) == [gone, "L999999"]
        assert await stage.desk.forget([gone]) == [gone]
        assert [ticket.ticket_id for ticket in await stage.desk.find([gone, kept])] == [kept]
        assert await all_changed(stage.desk, cursor) == ([], cursor)
        text = str(stage.simulator.shelf.kept)
        assert not [word for word in (CANARY_MAIL, CANARY_NAME, LETTER.subject, gone) if word in text]
        assert await first(stage, key="k3") not in (gone, kept)


async def test_a_ticket_that_changes_while_it_is_deleted_stays() -> None:
    """A reply that comes at that very moment keeps the ticket."""
    async with staged() as stage:
        ticket_id = await first(stage)
        book = stage.desk._book
        read = stage.simulator.shelf.get

        async def get(key: str) -> tuple[bytes, int] | None:
            found = await read(key)
            if key.startswith("ticket/"):
                stage.simulator.shelf.get = read  # type: ignore[method-assign]
                await book.edit(ticket_id, lambda doc: msgspec.structs.replace(doc, status=TicketStatus.SOLVED))
            return found

        stage.simulator.shelf.get = get  # type: ignore[method-assign]
        assert await stage.desk.forget([ticket_id]) == []
        assert await stage.desk.find([ticket_id])


async def test_logins_are_checked_and_trouble_is_named() -> None:
    """A check logs in and sends nothing; wrong logins are for a person, silence is for later."""
    async with staged() as stage:
        assert await stage.desk.check() == []
        stage.simulator.imap.sulks = True
        with pytest.raises(TransientError, match="mailbox"):
            await stage.desk.changed(None)
        stage.simulator.imap.sulks = False
        given = stage.simulator.settings("")
        for name in ("smtp_url", "imap_url"):
            wrong = settings_of({**given, name: given[name].replace("made", "wrong")})
            async with opened(wrong, shelf=MemoryShelf(), clock=stage.clock) as desk:
                with pytest.raises(AuthError):
                    await desk.check()
        async with opened(settings_of({**given, "folder": "None"}), shelf=MemoryShelf(), clock=stage.clock) as desk:
            with pytest.raises((AuthError, TransientError)):
                await desk.check()
    assert stage.simulator.post.delivered == []


async def test_what_the_desk_says_names_nobody() -> None:
    """Tickets and outcomes hold nothing of whom they are for; the shelf alone does."""
    async with staged() as stage:
        ticket_id = await first(stage)
        stage.simulator.post.unknown.add(CANARY_MAIL)
        said = [*await stage.desk.find([ticket_id]), *await stage.desk.update([change(ticket_id, letter=LETTER)])]
    for canary in stage.simulator.canaries:
        assert canary not in str([dataclasses.asdict(one) for one in said])
        assert canary in str(documents(stage.simulator.shelf))


async def test_the_simulator_has_the_control_api_of_desks() -> None:
    """Tickets are opened and answered over HTTP as at every simulated desk."""
    simulator = LocalSimulator(seed=3, clock=ManualClock())
    async with serve(simulator) as url, aiohttp.ClientSession() as session:
        async with session.post(f"{url}/_sim/tickets", json={"subject": "?", "sku": "A-1"}) as answer:
            made = await answer.json()
        async with session.post(f"{url}/_sim/tickets/{made['ticket_id']}/reply", json={"text": "yes"}) as answer:
            assert answer.status == 200
        async with session.get(f"{url}/_sim/log") as answer:
            log = await answer.json()
    assert (made["sku"], [entry["what"] for entry in log]) == ("A-1", ["opened", "reply"])
    assert simulator.held(made["ticket_id"]).sku == Wish(sku="A-1").sku


async def test_the_provider_alone_tells_and_answers_mails() -> None:
    """What was delivered can be read over HTTP and answered, without knowing the desk's tickets."""
    async with staged() as stage:
        ticket_id = await first(stage)
        async with aiohttp.ClientSession(stage.simulator.url) as session:
            async with session.get("/_sim/mails") as answer:
                (mail,) = await answer.json()
            async with session.post("/_sim/mails/0/reply") as answer:
                assert answer.status == 200
            async with session.post("/_sim/mails/7/reply") as answer:
                assert answer.status == 404
        await all_changed(stage.desk, "change:0")
        (ticket,) = await stage.desk.find([ticket_id])
    assert (mail["to"], mail["subject"]) == (CANARY_MAIL, LETTER.subject)
    assert ticket.replied_at is not None


WRONG = [
    ({"smtp_url": "http://x"}, "settings.smtp_url"),
    ({"mail_from": "nobody"}, "settings.mail_from"),
    ({"imap_url": "imaps://host"}, "settings.imap_url"),
    ({"imap_url": "pop://a:b@host"}, "settings.imap_url"),
    ({"imap_url": "imaps://a:b@host:x"}, "settings.imap_url"),
]


@pytest.mark.parametrize(("more", "place"), WRONG)
def test_wrong_settings_are_told(more: dict[str, str], place: str) -> None:
    """Each wrong address is a problem with its place and a remedy, and no secret is in it."""
    given = {"smtp_url": "smtps://a:sesame@h", "mail_from": "a@b.c", "imap_url": "imaps://a:sesame@h", **more}
    settings = settings_of(given)
    (problem,) = settings.problems()
    assert (problem.place, bool(problem.remedy)) == (place, True)
    assert "sesame" not in f"{problem} {settings}"


def test_right_settings_have_no_problems() -> None:
    """A mail server, an address and a mailbox are all that is needed, and the mailbox may be missing."""
    plain = LocalSettings(smtp_url=Secret("smtp+starttls://h:587"), mail_from="Shop <a@b.c>")
    assert plain.problems() == []
    assert dataclasses.replace(plain, imap_url=Secret("imaps://u:p@h")).problems() == []


def test_the_checklist_is_whole() -> None:
    """Every rule of desk adapters is done, or exempt with a reason."""
    folder = Path(__file__).resolve().parents[2] / "adapters" / "local"
    assert checklist.problems(folder / "checklist.toml", rules=checklist.DESK_RULES) == []
    told = (folder / "README.md").read_text(encoding="utf-8")
    assert [field.name for field in dataclasses.fields(LocalSettings) if f"`{field.name}`" not in told] == []
