"""The set-up of Zendesk at work: what its rules do with tickets, whose each message is, and what the shop changed."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.zendesk.rules_there import closes_early
from adapters.zendesk.wording import WORDS
from syncd.letters import load_texts
from syncd.sdk.channel import OutcomeKind
from syncd.sdk.desk import (
    Language,
    MessageKind,
    Priority,
    StepKind,
    TicketChange,
    TicketState,
    TicketStatus,
)
from syncd.sdk.errors import AuthError, RejectedError
from syncd.testing.desk_simulators import Wish
from syncd.testing.desk_stage import PlainTexts
from tests.adapters.zendesk_stage import HOOK, Scene, play

HOUR_S = 3_600.0
OWNED = {
    MessageKind.BUMP_FIRST,
    MessageKind.BUMP_SECOND,
    MessageKind.SOLVED_UNANSWERED,
    MessageKind.STILL_WAITING,
    MessageKind.CANCEL_FOLLOW_UP,
}


async def hours(scene: Scene, number: int) -> None:
    """Let hours pass, each with its automations."""
    for _ in range(number):
        scene.stage.clock.advance(HOUR_S)
        scene.account.settle()


def last_letters(scene: Scene, ticket_id: Any) -> list[str]:
    return [text.partition(" ")[0] for text in scene.stage.held(ticket_id).letters]


ASKED = {
    "この商品は再入荷しますか": "bo_lang_ja",
    "注文した商品がまだ届きません": "bo_lang_ja",
    "Is it still OUT OF STOCK?": "bo_lang_en",
    "My order is delayed again": "bo_lang_en",
    "请问什么时候发货": "bo_lang_zh",
    "这个缺货多久了": "bo_lang_zh",
    "Where is my invoice?": "",
    "領収書をください": "",
}


def test_words_are_known() -> None:
    """A new ticket that asks for goods that are out gets state, language, form and group; any other gets nothing."""

    async def scene(scene: Scene) -> None:
        await scene.provision(language=Language.JA)
        for text, tag in ASKED.items():
            ticket_id = scene.account.open_ticket(Wish(text=text, subject="お問い合わせ"))
            row = scene.account.store.get(int(ticket_id))
            assert row is not None
            assert {each for each in row.tags if each.startswith("bo_lang")} == ({tag} if tag else set()), text
            assert scene.stage.held(ticket_id).state is (TicketState.PENDING if tag else None)
            assert bool(row.group_id) is bool(row.form_id) is bool(tag)

    play(scene, bare=True)


def test_no_word_is_of_two_languages() -> None:
    """No word of one language is a piece of a word of another: a ticket would get the wrong one."""
    for language in Language:
        others = [word for other in Language if other is not language for word in WORDS[other]]
        assert not [word for word in WORDS[language] for other in others if word in other]


AMOUNTS = {"100": None, "30000": Priority.HIGH, "99999": Priority.HIGH, "100000": Priority.URGENT}


def test_the_amount_makes_the_priority() -> None:
    """An order amount above a limit of the settings sets the priority by a trigger, and a low one does not."""

    async def scene(scene: Scene) -> None:
        await scene.provision()
        ids = await scene.stage.waiting(len(AMOUNTS))
        pairs = dict(zip(ids, AMOUNTS, strict=True))
        event = scene.stage.event()
        await scene.stage.make(*(TicketChange(ticket_id=each, event=event, amount=pairs[each]) for each in ids))
        assert {pairs[each]: scene.stage.held(each).priority for each in ids} == AMOUNTS

    play(scene, bare=True)


def test_a_question_is_asked_again_twice_and_then_solved() -> None:
    """48 hours after a question there is a nudge, 48 later another, then the ticket is solved; the wait goes on."""

    async def scene(scene: Scene) -> None:
        await scene.provision()
        ticket_id = scene.account.open_ticket(Wish(state=TicketState.PENDING))
        scene.account.edit(ticket_id, status=TicketStatus.WAITING)
        seen = []
        for _ in range(8):
            await hours(scene, 24)
            seen.append(len(scene.stage.held(ticket_id).letters))
        assert seen[:7] == [0, 1, 1, 2, 2, 3, 3]
        assert last_letters(scene, ticket_id) == ["bump_first", "bump_second", "solved_unanswered"]
        held = scene.stage.held(ticket_id)
        assert (held.status, held.state) == (TicketStatus.SOLVED, TicketState.PENDING)

    play(scene, bare=True)


def test_an_answer_ends_the_nudging() -> None:
    """When the customer answers, the count begins anew with the next question."""

    async def scene(scene: Scene) -> None:
        await scene.provision()
        ticket_id = scene.account.open_ticket(Wish(state=TicketState.PENDING))
        scene.account.edit(ticket_id, status=TicketStatus.WAITING)
        await hours(scene, 49)
        scene.account.reply(ticket_id, "Yes, please")
        assert scene.stage.held(ticket_id).status is TicketStatus.OPEN
        await hours(scene, 49)
        scene.account.edit(ticket_id, status=TicketStatus.WAITING)
        await hours(scene, 49)
        assert last_letters(scene, ticket_id) == ["bump_first", "bump_first"]

    play(scene, bare=True)


def test_a_week_without_news_is_told_once() -> None:
    """Seven days on pending without news bring an honest word, once, and not where a question is open."""

    async def scene(scene: Scene) -> None:
        await scene.provision()
        ticket_id = scene.account.open_ticket(Wish(state=TicketState.PENDING))
        await hours(scene, 167)
        assert last_letters(scene, ticket_id) == []
        await hours(scene, 2)
        assert last_letters(scene, ticket_id) == ["still_waiting"]
        await hours(scene, 200)
        assert last_letters(scene, ticket_id) == ["still_waiting"]

    play(scene, bare=True)


def test_rules_write_nothing_to_customers_whom_a_person_answers() -> None:
    """Words of the law and anger mark a ticket; no reminder, no honest news and no word after a cancel goes to it."""

    async def scene(scene: Scene) -> None:
        await scene.provision()
        asked, silent, other = (scene.account.open_ticket(Wish(state=TicketState.PENDING)) for _ in range(3))
        scene.account.reply(asked, "I asked for a CHARGEBACK")
        scene.account.reply(silent, "I am fed up with waiting")
        scene.account.reply(other, "Are the lawyers of the garden, that book, back?")
        told = [scene.stage.held(name) for name in (asked, silent, other)]
        assert [(one.escalated, one.priority) for one in told] == [
            (True, Priority.URGENT),
            (True, Priority.HIGH),
            (False, None),
        ]
        for name in (asked, other):
            scene.account.edit(name, status=TicketStatus.WAITING)
        await hours(scene, 200)
        assert last_letters(scene, asked) == last_letters(scene, silent) == []
        assert last_letters(scene, other)[:2] == ["bump_first", "bump_second"]
        scene.account.edit(silent, state=TicketState.CANCELLED)
        await hours(scene, 200)
        assert last_letters(scene, silent) == []

    play(scene, bare=True)


def test_a_week_after_a_cancel() -> None:
    """A week after a cancel the customer hears once more, on a solved ticket too."""

    async def scene(scene: Scene) -> None:
        await scene.provision()
        (ticket_id,) = await scene.stage.waiting(state=TicketState.PENDING)
        change = TicketChange(
            ticket_id=ticket_id,
            event=scene.stage.event(),
            state=TicketState.CANCELLED,
            status=TicketStatus.SOLVED,
        )
        await scene.stage.make(change)
        await hours(scene, 170)
        assert last_letters(scene, ticket_id) == ["cancel_follow_up"]
        await hours(scene, 200)
        assert last_letters(scene, ticket_id) == ["cancel_follow_up"]

    play(scene, bare=True)


@pytest.mark.parametrize("language", [Language.JA, Language.EN])
def test_the_shops_texts_fill_rules_and_macros(language: Language) -> None:
    """With the texts that syncd delivers every rule and macro is whole, and names fields by Zendesk's placeholders."""

    async def scene(scene: Scene) -> None:
        texts = load_texts(None, shop={"name": "みどり茶舗", "signature": "みどり茶舗"})
        steps = await scene.desk.provision(language=language, texts=texts, webhook_url="")
        assert {step.kind for step in steps} == {StepKind.CREATE}
        told = [row["actions"][0]["value"] for row in scene.account.setup.rows("macros")]
        assert len(told) == 45
        sku = scene.account.field_ids()["sku"]
        assert all(f"{{{{ticket.ticket_field_{sku}}}}}" in text for text in told)
        for row in scene.account.setup.rows("automations"):
            (mail,) = [each["value"] for each in row["actions"] if each["field"] == "notification_user"]
            assert "みどり茶舗" in mail[1] + mail[2]
        again = await scene.desk.plan(language=language, texts=texts, webhook_url="")
        assert {step.kind for step in again} == {StepKind.KEEP}

    play(scene, bare=True)


# --- whose a message is ----------------------------------------------------------------------------------------------


def test_messages_of_rules_are_zendesks() -> None:
    """After the set-up the rules' messages are Zendesk's; one that the shop switches off comes back to syncd."""

    async def scene(scene: Scene) -> None:
        assert scene.desk.profile.owns == frozenset()
        await scene.provision()
        assert scene.desk.profile.owns == OWNED
        row = next(each for each in scene.account.setup.rows("automations") if "still_waiting" in each["title"])
        row["active"] = False
        await scene.stage.wait(HOUR_S + 1)
        await scene.desk.changed(None)
        assert scene.desk.profile.owns == OWNED - {MessageKind.STILL_WAITING}
        done = await scene.provision()
        assert [step.detail for step in done if step.detail] == ["switched off"]
        assert not row["active"]

    play(scene, bare=True)


def test_who_owns_what_is_known_at_the_start() -> None:
    """A desk that is opened again knows from its shelf whose the messages are, before it asked anybody."""

    async def scene(scene: Scene) -> None:
        await scene.provision()
        kit = scene.stage.kit
        settings = scene.desk._settings
        async with kit.adapter.open(settings, scene.stage.context) as again:
            assert again.profile.owns == OWNED

    play(scene, bare=True)


CLOSES: dict[str, Any] = {
    "title": "Close ticket 4 days after status is set to solved",
    "active": True,
    "actions": [{"field": "status", "value": "closed"}],
}
SOLVED = {"field": "SOLVED", "operator": "greater_than"}


@pytest.mark.parametrize(
    ("conditions", "active", "early"),
    [
        ([{**SOLVED, "value": "96"}], True, True),
        ([{**SOLVED, "value": 96}], True, True),
        ([{**SOLVED, "value": "96"}], False, False),
        ([{**SOLVED, "value": "168"}], True, False),
        ([{**SOLVED, "value": "96"}, {"field": "current_tags", "operator": "not_includes", "value": "a bo_cancelled"}],
         True, False),
        ([{**SOLVED, "value": "96"}, {"field": "current_tags", "operator": "not_includes", "value": "a"}], True, True),
    ],
)  # fmt: skip
def test_an_early_close_is_seen(conditions: list[Any], active: bool, early: bool) -> None:
    """An automation that closes within a week and does not spare cancelled tickets is seen as one."""
    row = {**CLOSES, "active": active, "conditions": {"all": conditions, "any": []}}
    assert bool(closes_early([row])) is early


def test_where_tickets_close_early_the_follow_up_is_syncds() -> None:
    """Where the shop's automation closes within a week, that message stays with syncd, and check says what to do."""

    async def scene(scene: Scene) -> None:
        conditions = [{**SOLVED, "value": "96"}, {"field": "status", "operator": "is", "value": "solved"}]
        scene.account.setup.add("automations", {**CLOSES, "all": conditions})
        await scene.provision(hook=HOOK)
        assert scene.desk.profile.owns == OWNED - {MessageKind.CANCEL_FOLLOW_UP}
        (advice,) = await scene.desk.check()
        assert "Close ticket 4 days" in advice
        assert "bo_cancelled" in advice

    play(scene, bare=True)


# --- what is the shop's ----------------------------------------------------------------------------------------------


def test_what_was_changed_by_hand_stays() -> None:
    """A macro whose text the shop changed keeps it, also when syncd has a new one; the plan says so."""

    async def scene(scene: Scene) -> None:
        await scene.provision()
        row = scene.account.setup.rows("macros")[0]
        row["actions"][0]["value"] = "Our own words"
        done = await scene.provision(edition=" (new)")
        mine = [step for step in done if step.title == row["title"]]
        assert [(step.kind, step.detail) for step in mine] == [(StepKind.KEEP, "changed by hand: left as it is")]
        assert row["actions"][0]["value"] == "Our own words"
        assert sum(step.kind is StepKind.UPDATE for step in done) > 20

    play(scene, bare=True)


def test_an_option_is_never_lost() -> None:
    """A field is brought up to date by adding options: those that the shop added to it stay."""

    async def scene(scene: Scene) -> None:
        await scene.provision()
        field = next(row for row in scene.account.setup.rows("ticket_fields") if row["type"] == "tagger")
        field["custom_field_options"].append({"id": 1, "name": "Lost", "value": "bo_lost"})
        await scene.provision(language=Language.JA)
        values = [option["value"] for option in field["custom_field_options"]]
        assert values[-1] == "bo_lost"
        assert len(values) == 6
        assert field["custom_field_options"][1]["name"] == "再入荷"

    play(scene, bare=True)


def test_fields_of_the_shop_can_be_used() -> None:
    """A field that the settings name is used as it is, and none of its kind is made."""

    async def scene(scene: Scene) -> None:
        own = scene.account._own_field
        done = await scene.provision()
        assert [step.detail for step in done if "settings.fields" in step.detail] == [
            "the shop's own, by settings.fields"
        ]
        (ticket_id,) = await scene.stage.waiting()
        change = TicketChange(ticket_id=ticket_id, event=scene.stage.event(), order_number="#1001")
        await scene.stage.make(change)
        row = scene.account.store.get(int(ticket_id))
        assert row is not None
        assert row.fields[own] == "#1001"
        assert (await scene.stage.read(ticket_id)).order_number == "#1001"

    play(scene, bare=True, fields={"number": 360_000_000_007})


@pytest.mark.parametrize(
    ("changes", "word"),
    [({"fields": {"number": 5}}, "settings.fields.number"), ({"group": "Nobody"}, "settings.group")],
)
def test_wrong_names_in_settings_are_told(changes: dict[str, Any], word: str) -> None:
    """A field or group that Zendesk does not have is told by the setting that names it."""

    async def scene(scene: Scene) -> None:
        with pytest.raises(RejectedError, match=word):
            await scene.desk.plan(language=Language.EN, texts=PlainTexts(), webhook_url="")

    play(scene, bare=True, **changes)


def _texts() -> Any:
    from syncd.testing.desk_stage import PlainTexts

    return PlainTexts()


def test_a_plan_with_one_form_does_without() -> None:
    """Where the plan of the account has one form only, the set-up says so and does the rest; tickets are moved."""

    async def scene(scene: Scene) -> None:
        scene.account.setup.forms_allowed = False
        done = await scene.provision()
        assert [step.detail for step in done if step.what == "form"] == ["Zendesk refuses another form"]
        (ticket_id,) = await scene.stage.waiting()
        change = TicketChange(ticket_id=ticket_id, event=scene.stage.event(), state=TicketState.RESTOCKED)
        assert [end.kind for end in await scene.stage.make(change)] == [OutcomeKind.APPLIED]

    play(scene, bare=True)


def test_an_agent_cannot_set_up() -> None:
    """Without an admin's client the set-up is refused with what to do, and nothing is made."""

    async def scene(scene: Scene) -> None:
        before = dict(scene.account.own_setup())
        with pytest.raises(AuthError, match="role"):
            await scene.provision()
        assert dict(scene.account.own_setup()) == before

    play(scene, bare=True, admin_client_id="", admin_client_secret="")


def test_a_shop_with_much_of_its_own() -> None:
    """Where the shop has more macros and webhooks than a page holds, what is syncd's is found behind them."""

    async def scene(scene: Scene) -> None:
        for number in range(110):
            action = {"field": "status", "value": "open"}
            scene.account.setup.add("macros", {"title": f"Own {number}", "actions": [action]})
        for number in range(45):
            scene.account.setup.add("webhooks", {"name": f"Own {number}", "endpoint": "https://own.example"})
        await scene.provision(hook=HOOK)
        again = await scene.provision(hook=HOOK)
        assert {step.kind for step in again} == {StepKind.KEEP}
        assert await scene.desk.check() == []

    play(scene, bare=True)
