"""Zendesk's shapes: tickets read, changes and new tickets rendered, markers, jobs, tokens, webhooks, as tables."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from adapters.zendesk import jobs, names, webhooks, wire
from adapters.zendesk.api import judge, verdict
from adapters.zendesk.fields import Field, Form, field_map, marked
from adapters.zendesk.reader import Place, settled_until
from adapters.zendesk.settings import ZendeskSettings
from adapters.zendesk.token import granted
from syncd.core.terms import Sku
from syncd.sdk.channel import Forged, OutcomeKind, RawRequest
from syncd.sdk.desk import (
    Contact,
    EventId,
    Language,
    Letter,
    MessageKind,
    NewTicket,
    Priority,
    TicketChange,
    TicketId,
    TicketState,
    TicketStatus,
)
from syncd.sdk.errors import AuthError, ProtocolError, RateLimited, RejectedError
from syncd.sdk.http import Answer
from syncd.sdk.secret import Secret

FIELDS = wire.FieldMap(ids={name: 100 + place for place, name in enumerate(names.FIELDS)}, form_id=7)
SETTINGS = ZendeskSettings(subdomain="shop", client_id="a", client_secret=Secret("b-secret"))
LETTER = Letter(kind=MessageKind.RESTOCKED, language=Language.JA, subject="再入荷", body="入荷しました。")
SECOND = 1_000_000


def remote(**values: Any) -> wire.RemoteTicket:
    """Return a ticket as Zendesk states it."""
    given: dict[str, Any] = {"id": 35436, "status": "open", "updated_at": "2026-11-22T00:41:10Z", **values}
    return msgspec.convert(given, wire.RemoteTicket)


def custom(**values: Any) -> list[dict[str, Any]]:
    return [{"id": FIELDS.ids[name], "value": value} for name, value in values.items()]


def read(**values: Any) -> Any:
    return wire.ticket(remote(**values), FIELDS, read_at=1, currency="JPY")


# --- reading ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"status": "new"}, {"status": TicketStatus.OPEN}),
        ({"status": "pending"}, {"status": TicketStatus.WAITING}),
        ({"status": "hold"}, {"status": TicketStatus.WAITING}),
        ({"status": "solved"}, {"status": TicketStatus.SOLVED}),
        ({"status": "closed"}, {"status": TicketStatus.CLOSED}),
        ({"status": "deleted"}, {"status": TicketStatus.GONE}),
        ({"custom_fields": custom(state="bo_refunded")}, {"state": TicketState.REFUNDED}),
        ({"custom_fields": custom(state="other")}, {"state": None}),
        ({"custom_fields": custom(sku=" A 1 ")}, {"sku": "A 1"}),
        ({"custom_fields": custom(sku="")}, {"sku": None}),
        ({"custom_fields": custom(quantity="3")}, {"quantity": 3}),
        ({"custom_fields": custom(quantity=None)}, {"quantity": 1}),
        ({"custom_fields": custom(quantity="many")}, {"quantity": 1}),
        ({"custom_fields": custom(amount="12800.00")}, {"amount": "12800", "currency": "JPY"}),
        ({"custom_fields": custom(amount=12.5)}, {"amount": "12.5"}),
        ({"custom_fields": custom(amount="NaN")}, {"amount": "", "currency": ""}),
        ({"custom_fields": custom(expected="2026-12-01")}, {"expected": "2026-12-01"}),
        ({"custom_fields": custom(number="#1001")}, {"order_number": "#1001"}),
        ({"custom_fields": [{"id": 9, "value": ["a"]}]}, {"order_number": ""}),
        ({"tags": ["bo_lang_zh", "vip"]}, {"language": Language.ZH}),
        ({"tags": ["bo_task"]}, {"reachable": False}),
        ({"tags": ["syncd_evt_abc", "syncd_evt_", "x"]}, {"markers": frozenset({"abc"})}),
        ({"subject": "About #1001", "description": "250-1234567-7654321"},
         {"order_numbers": ("#1001", "250-1234567-7654321")}),
        ({"via": {"channel": "web", "source": {"rel": "follow_up", "from": {"ticket_id": 12}}}},
         {"follow_up_of": "12"}),
        ({"via": {"channel": "web", "source": {"rel": None, "from": {}}}}, {"follow_up_of": None}),
        ({"via": {"channel": 0, "source": {"rel": "follow_up", "from": None}}}, {"follow_up_of": None}),
        ({"created_at": "2026-11-20T00:00:00Z"}, {"created_at": 1_795_132_800 * SECOND}),
        ({}, {"version": 1_795_308_070 * SECOND, "reachable": True, "ticket_id": "35436"}),
    ],
)  # fmt: skip
def test_a_ticket_is_read(given: dict[str, Any], told: dict[str, Any]) -> None:
    """Each field of a ticket is read as it stands, and what is none is left out."""
    ticket = read(**given)
    assert {name: getattr(ticket, name) for name in told} == told


@pytest.mark.parametrize(
    "wrong", [{"status": "odd"}, {"updated_at": "yesterday"}, {"updated_at": "2026-11-22T00:41:10"}]
)
def test_an_odd_ticket_is_not_understood(wrong: dict[str, Any]) -> None:
    """A status or a time that is none is a ProtocolError that quotes nothing."""
    with pytest.raises(ProtocolError) as fault:
        read(**wrong)
    assert fault.value.sample == ""


EVENTS = ["01jd-abc", "01JD8Z", "delivery:42/赤 L", "a" * 80, "a" * 81, "_x", "a_b", "-"]


@pytest.mark.parametrize("event", EVENTS)
def test_a_marker_names_its_event(event: str) -> None:
    """A marker is a tag in lower case without spaces, and its event comes out of it as it was."""
    tag = names.event_tag(EventId(event))
    assert tag == tag.lower()
    assert not set(tag) - set("abcdefghijklmnopqrstuvwxyz0123456789_-")
    assert names.events_of([tag]) == {event}


def test_markers_are_different() -> None:
    """No two events share a marker, and a tag that a person made up is no event."""
    assert len({names.event_tag(EventId(event)) for event in EVENTS}) == len(EVENTS)
    assert names.events_of(["syncd_evt__9", "syncd_evt__a0"]) == frozenset()


# --- writing ---------------------------------------------------------------------------------------------------------


def change(**values: Any) -> TicketChange:
    return TicketChange(ticket_id=TicketId("35436"), event=EventId("evt-1"), **values)


def body(made: TicketChange, *tags: str) -> dict[str, Any]:
    return dict(wire.row(made, remote(tags=list(tags)), FIELDS, SETTINGS).body)


GUARD = {"id": 35436, "updated_stamp": "2026-11-22T00:41:10Z", "safe_update": True}


@pytest.mark.parametrize(
    ("made", "tags", "told"),
    [
        (change(), (), {}),
        (change(state=TicketState.RESTOCKED), (), {"custom_fields": custom(state="bo_restocked")}),
        (change(status=TicketStatus.WAITING), (), {"status": "pending"}),
        (change(priority=Priority.URGENT), (), {"priority": "urgent"}),
        (change(expected=""), (), {"custom_fields": custom(expected=None)}),
        (change(quantity=2), (), {"custom_fields": custom(quantity=2)}),
        (change(note="5 left"), (), {
            "custom_fields": custom(note="5 left"), "comment": {"body": "5 left", "public": False}}),
        (change(letter=LETTER, note="5 left"), ("bo_draft", "vip"), {
            "custom_fields": custom(note="5 left"), "comment": {"body": "入荷しました。", "public": True},
            "remove_tags": ["bo_draft"]}),
        (change(letter=LETTER, draft=True), (), {
            "comment": {"body": f"{wire.DRAFT_HEAD}\n再入荷\n\n入荷しました。", "public": False},
            "additional_tags": ["syncd_evt_evt-1", "bo_draft"]}),
        (change(amount="30000"), ("bo_amount_urgent",), {
            "custom_fields": custom(amount="30000"), "additional_tags": ["syncd_evt_evt-1", "bo_amount_high"],
            "remove_tags": ["bo_amount_urgent"]}),
        (change(amount="10"), ("bo_amount_high",), {
            "custom_fields": custom(amount="10"), "remove_tags": ["bo_amount_high"]}),
        (change(sku=Sku("A")), ("bo_sku_000000000000", "bo_pending"), {
            "custom_fields": custom(sku="A"), "additional_tags": ["syncd_evt_evt-1", "bo_sku_559aead08264"],
            "remove_tags": ["bo_sku_000000000000"]}),
    ],
)  # fmt: skip
def test_a_change_is_rendered(made: TicketChange, tags: tuple[str, ...], told: dict[str, Any]) -> None:
    """A row is guarded by the time that was read, and names only the tags that come and go."""
    assert body(made, *tags) == {**GUARD, "additional_tags": ["syncd_evt_evt-1"], **told}


def test_what_cannot_be_written_is_told() -> None:
    """A ticket cannot be made closed or gone, and a task has nobody to write to."""
    assert "closed" in wire.unwritable(change(status=TicketStatus.CLOSED), remote())
    assert "no customer" in wire.unwritable(change(letter=LETTER), remote(tags=["bo_task"]))
    assert wire.unwritable(change(letter=LETTER, draft=True), remote(tags=["bo_task"])) == ""


NEW = NewTicket(
    key="order:1", event=EventId("evt-2"), subject="入荷待ち", note="stock 0", sku=Sku("A"), amount="200000",
    contact=Contact(address="taro@example.jp", name="太郎"), letter=LETTER,
)  # fmt: skip


def test_a_new_ticket_is_rendered() -> None:
    """A new ticket has its requester, its letter in public, its fields, tags, form and external id."""
    made = wire.new_ticket(NEW, FIELDS, SETTINGS)
    assert made["requester"] == {"name": "太郎", "email": "taro@example.jp"}
    assert made["comment"] == {"body": "入荷しました。", "public": True}
    assert made["tags"] == ["syncd_evt_evt-2", "bo_lang_ja", "bo_sku_559aead08264", "bo_amount_urgent"]
    assert (made["external_id"], made["ticket_form_id"], made["priority"]) == ("order:1", 7, "normal")
    assert {each["id"]: each["value"] for each in made["custom_fields"]}[FIELDS.ids["note"]] == "stock 0"


@pytest.mark.parametrize(
    ("wanted", "tag", "public"),
    [
        (NEW, "", True),
        (replace(NEW, draft=True), "bo_draft", False),
        (replace(NEW, contact=None), "bo_task", False),
        (replace(NEW, contact=None, follow_up_of=TicketId("5")), "", True),
    ],
)
def test_only_a_customer_is_written_to(wanted: NewTicket, tag: str, public: bool) -> None:
    """A draft and a task are private; a follow-up has the customer of the ticket that it follows."""
    made = wire.new_ticket(wanted, FIELDS, SETTINGS, kept_tags=["vip", "bo_pending", "syncd_evt_old"])
    assert made["comment"]["public"] is public
    assert made["tags"][0] == "vip"
    assert not {"bo_pending", "syncd_evt_old"} & set(made["tags"])
    assert not tag or tag in made["tags"]


@pytest.mark.parametrize("key", ["order 赤い", "x" * 201, ""])
def test_a_key_fits_a_header(key: str) -> None:
    """A key that a header or an external id cannot hold is a fingerprint, the same each time."""
    made = wire.external_id(key)
    assert made == wire.external_id(key)
    assert made.isascii()
    assert 6 < len(made) <= 255


# --- jobs ------------------------------------------------------------------------------------------------------------

ROW = wire.row(change(), remote(), FIELDS, SETTINGS)


@pytest.mark.parametrize(
    ("result", "kind", "reason"),
    [
        ({"id": 35436, "action": "update", "index": 0, "status": "Updated", "success": True}, OutcomeKind.APPLIED, ""),
        ({"index": 0, "success": False, "error": "UpdateConflict", "details": "x"}, OutcomeKind.STALE, "meanwhile"),
        ({"index": 0, "error": "x", "details": "Safe Update prevented the update due to outdated ticket data."},
         OutcomeKind.STALE, "meanwhile"),
        ({"index": 0, "error": "DatabaseConflict"}, OutcomeKind.UNSENT, "busy"),
        ({"index": 0, "error": "RecordNotFound", "details": "not found"}, OutcomeKind.REJECTED, "gone"),
        ({"index": 0, "error": "TicketUpdateFailed", "details": "Status: closed prevents ticket update"},
         OutcomeKind.REJECTED, "closed"),
        ({"index": 0, "errors": [{"description": "Priority: is not valid"}]}, OutcomeKind.REJECTED, "Priority"),
    ],
)  # fmt: skip
def test_a_row_of_a_job_is_judged(result: dict[str, Any], kind: OutcomeKind, reason: str) -> None:
    """What a job says of a row is its end: made, another by now, busy, closed, gone, or refused with its words."""
    end = jobs.judged(ROW, msgspec.convert(result, jobs.Result))
    assert end is not None
    assert (end.kind, reason in end.reason) == (kind, True)


def test_rows_are_told_by_their_place() -> None:
    """A row is told by its index, or without one by its ticket; what names another ticket is not believed."""
    other = replace(ROW, body={**ROW.body, "id": 2})
    told = jobs.told([ROW, other], [
        jobs.Result(id=2, success=True), jobs.Result(index=0, id=99, success=True), jobs.Result(index=5, success=True),
    ])  # fmt: skip
    assert sorted(told) == [1]
    assert jobs.judged(ROW, jobs.Result(index=0)) is None
    assert jobs.results(jobs.JobStatus(id="x", status="completed", results=[{"index": "a"}, 3, {"index": 1}])) == [
        jobs.Result(index=1)
    ]


# --- answers ---------------------------------------------------------------------------------------------------------


def answer(status: int, told: Any = None, **headers: str) -> Answer:
    return Answer(status=status, headers=headers, body=json.dumps(told).encode())


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        (answer(403, {"error": {"title": "Forbidden", "message": "x"}}), AuthError),
        (answer(429, {"error": "TooManyRequests"}), RateLimited),
        (answer(400, {"error": "Bad"}), RejectedError),
        (answer(415, None), RejectedError),
        (answer(422, {"error": "RecordInvalid", "details": {"base": [{"description": "taro"}]}}), RejectedError),
        (answer(500, None), type(None)),
        (answer(408, None), type(None)),
    ],
)
def test_an_error_answer_is_judged(given: Answer, kind: type[Any]) -> None:
    """Each status has its meaning, and details, which may quote what was sent, are not told."""
    fault = judge(given)
    assert type(fault) is kind
    assert "taro" not in str(fault)


def test_a_refusal_has_a_word() -> None:
    """The word of a refusal is found in both of its shapes, and there is none where the body is no JSON."""
    assert verdict(answer(409, {"error": "UpdateConflict", "description": "d"})).word == "UpdateConflict"
    assert verdict(answer(403, {"error": {"title": "Forbidden"}})).word == "Forbidden"
    assert verdict(Answer(status=502, body=b"<html>")).text == ""


def test_a_token_is_granted_or_not() -> None:
    """A grant is a secret with its life, an answer without one is not understood, a refusal says what to do."""
    made = granted(answer(200, {"access_token": "t-1234567", "expires_in": 600}))
    assert (made.token.reveal(), made.life_s, str(made.token)) == ("t-1234567", 600, "***")
    assert granted(answer(200, {"access_token": "t-1234567", "expires_in": None})).life_s > 60
    with pytest.raises(ProtocolError):
        granted(answer(200, {"token": "x"}))
    with pytest.raises(AuthError, match="client_id or client_secret is wrong"):
        granted(answer(401, {"error": "invalid_client"}))
    with pytest.raises(AuthError, match="check client_id"):
        granted(Answer(status=400, body=b"<"))


def test_the_running_second_is_known() -> None:
    """The second before which nothing changes any more is Zendesk's own, less what the answer took."""
    told = Answer(
        status=200, headers={"date": "Sun, 22 Nov 2026 00:41:12 GMT"}, asked_at=0, answered_at=1_500_000
    )  # fmt: skip
    assert settled_until(told) == 1_795_308_070 * SECOND
    assert settled_until(Answer(status=200, asked_at=5_700_000, answered_at=5_900_000)) == 5 * SECOND


# --- fields and cursors ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("syncd [syncd:sku@1a2b]", "sku"), ("[syncd:sku]", "sku"), ("sku", ""), (None, ""), ("[syncd:sku@1] mine", ""),
        ("a [other] [syncd:bump_first@9]", "bump_first"),
    ],
)  # fmt: skip
def test_a_mark_is_known(text: str | None, key: str) -> None:
    """A mark at the end of a text names its key."""
    assert marked(text) == key


def test_fields_are_found_by_their_marks() -> None:
    """Fields and the form are syncd's by their marks, or because the settings name them; switched off ones are not."""
    rows = [
        Field(id=1, type="tagger", title="A", agent_description="[syncd:state@1]"),
        Field(id=2, type="text", title="B", agent_description="[syncd:sku@1]", active=False),
        Field(id=3, type="text", title="Mine"),
    ]
    found = field_map(rows, [Form(id=9, name="Backorder [syncd:form@1]")], adopted={"number": 3, "note": 4})
    assert (dict(found.ids), found.form_id) == ({"state": 1, "number": 3}, 9)
    assert found.missing == ("sku", "quantity", "expected", "amount", "note")


@pytest.mark.parametrize("text", ["", "export", "other 1 2 x", "export a 0 ", "open 1"])
def test_a_cursor_that_is_none(text: str) -> None:
    """A cursor that we did not make is not understood."""
    with pytest.raises(ProtocolError):
        Place.of(text)


def test_a_cursor_comes_back() -> None:
    """A cursor keeps its phase, its times and Zendesk's own mark, whatever is in it."""
    place = Place.of("export 5 6 MTU1 x==")
    assert Place.of(place.text()) == place
    assert place.mark == "MTU1 x=="


# --- webhooks --------------------------------------------------------------------------------------------------------

SECRET = Secret("dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ==")
AT = "2026-11-22T00:41:10Z"
NOW = 1_795_308_070 * SECOND


def request(told: Any, *, at: str = AT, secret: str = SECRET.reveal()) -> RawRequest:
    raw = told if isinstance(told, bytes) else json.dumps(told).encode()
    digest = base64.b64encode(hmac.new(secret.encode(), at.encode() + raw, hashlib.sha256).digest()).decode()
    return RawRequest(headers={webhooks.SIGNATURE: digest, webhooks.TIMESTAMP: at}, body=raw)


EVENT = {"type": "zen:event-type:ticket.status_changed", "id": "u-1", "detail": {"id": "35436"}, "event": {}}


@pytest.mark.parametrize(
    ("given", "now", "status"),
    [
        (request(EVENT), NOW, 0),
        (request(EVENT), NOW + 299 * SECOND, 0),
        (request(EVENT), NOW - 299 * SECOND, 0),
        (request(EVENT), NOW + 301 * SECOND, 401),
        (request(EVENT), NOW - 301 * SECOND, 401),
        (request(EVENT, secret="another"), NOW, 401),
        (request(EVENT, at="now"), NOW, 401),
        (request(EVENT, at="2026-11-22T00:41:10"), NOW, 401),
        (RawRequest(headers={}, body=b"{}"), NOW, 400),
        (RawRequest(headers={webhooks.SIGNATURE: "x"}, body=b"{}"), NOW, 400),
        (RawRequest(headers={webhooks.SIGNATURE: "é", webhooks.TIMESTAMP: AT}, body=b"{}"), NOW, 401),
    ],
)
def test_a_webhook_is_verified(given: RawRequest, now: int, status: int) -> None:
    """Only what was signed with the secret within five minutes is taken."""
    if not status:
        webhooks.verify(given, secret=SECRET, now=now)
        return
    with pytest.raises(Forged) as verdict_:
        webhooks.verify(given, secret=SECRET, now=now)
    assert verdict_.value.status == status


def test_without_a_secret_it_comes_again() -> None:
    """Where the secret is not known yet the answer is one after which Zendesk tries again."""
    with pytest.raises(Forged) as verdict_:
        webhooks.verify(request(EVENT), secret=Secret(""), now=NOW)
    assert verdict_.value.status == 503


@pytest.mark.parametrize(
    ("event", "ids"),
    [
        ({"tags_added": ["syncd_evt_a"]}, ()),
        ({"tags_added": ["syncd_evt_a"], "tags_removed": ["bo_pending"]}, ("35436",)),
        ({"tags_added": ["syncd_evt_a", "vip"]}, ("35436",)),
        ({"tags_added": []}, ("35436",)),
        ({"tags_added": 3}, ("35436",)),
        (None, ("35436",)),
    ],
)
def test_our_own_marks_lead_nowhere(event: Any, ids: tuple[str, ...]) -> None:
    """A webhook that only tells of our own marker is no reason to read; every other one is."""
    told = {**EVENT, "type": "zen:event-type:ticket.tags_changed", "event": event}
    notice = webhooks.parse(request(told))
    assert (notice.dedupe_key, notice.ticket_ids) == ("u-1", ids)


# --- settings --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "places"),
    [
        ({}, []),
        ({"subdomain": ""}, ["subdomain"]),
        ({"subdomain": "https://shop.zendesk.com"}, ["subdomain"]),
        ({"base_url": "http://other.example"}, ["base_url"]),
        ({"client_id": "", "client_secret": Secret("")}, ["client_id"]),
        ({"client_secret": Secret("")}, ["client_secret"]),
        ({"admin_client_id": "x"}, ["admin_client_secret"]),
        ({"api_token": Secret("t")}, ["email"]),
        ({"client_id": "", "client_secret": Secret(""), "email": "a@example.jp", "api_token": Secret("t")}, []),
        ({"calls_per_minute": 5}, ["calls_per_minute"]),
        ({"amount_high": 5.0, "amount_urgent": 4.0}, ["amount_high"]),
        ({"fields": {"state": 1, "sku": 2}}, ["fields.state"]),
        ({"subdomain": "", "calls_per_minute": 0}, ["subdomain", "calls_per_minute"]),
    ],
)
def test_settings_are_checked(given: dict[str, Any], places: list[str]) -> None:
    """Everything wrong is told at once, each with a remedy."""
    found = replace(SETTINGS, **given).problems()
    assert [problem.place for problem in found] == [f"settings.{place}" for place in places]
    assert all(problem.remedy for problem in found)
