"""The simulated Zendesk: one account over real HTTP, its customers and agents, its rules, jobs and webhooks.

It speaks `/api/v2` and `/oauth/tokens`, with and without `.json`. Beside the control API that every simulated desk has
(`syncd.testing.desk_control`; its faults are `ZendeskFaults`) there is, for what only Zendesk does:

    POST /_sim/zendesk/tokens    {"end": true} ends access tokens; {"allow_api_tokens": false} refuses the old way in
    GET  /_sim/zendesk/setup     everything that is set up: fields, form, triggers, automations, macros, views, webhooks

Not the real one's: plain http to this machine, and a search that knows no more than the words that are used here.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from aiohttp import web

from adapters.zendesk.simulated import remote
from adapters.zendesk.simulated.access import Access, OAuthClient
from adapters.zendesk.simulated.bulk import Bulk
from adapters.zendesk.simulated.hooks import Hooks
from adapters.zendesk.simulated.rules import Rules
from adapters.zendesk.simulated.search import Search
from adapters.zendesk.simulated.setup import KINDS, SetUp
from adapters.zendesk.simulated.tickets import AGENT, CUSTOMER, RULE, Happened, Ticket, Tickets
from adapters.zendesk.simulated.world import SECOND_US, Problem, World, ZendeskFaults
from syncd.sdk.channel import Clock
from syncd.sdk.desk import EventId, Priority, TicketId, TicketState, TicketStatus
from syncd.testing.control import answer, read_body
from syncd.testing.desk_simulators import DeskBy, DeskSimulator, Held, Refusal, Unknown, Wish
from syncd.testing.trade import CANARY_MAIL, CANARY_NAME, sku_name

AGENT_ID, ADMIN_ID = 9_000_001, 9_000_002
CLIENT_ID, ADMIN_CLIENT_ID = "syncd_run", "syncd_setup"
EMAIL: Final = "agent@example.jp"
OWN_TAG: Final = "vip"
GROUP: Final = "入荷待ち"
_MARK: Final = re.compile(r"\[syncd:(\w+)@?\w*\]\s*$")
_FIELDS: Final = {
    "state": "tagger", "sku": "text", "quantity": "integer", "expected": "date", "amount": "decimal", "number": "text",
    "note": "textarea",
}  # fmt: skip
_EVENT: Final = "syncd_evt_"
_STATUSES: Final = {
    "new": TicketStatus.OPEN, "open": TicketStatus.OPEN, "pending": TicketStatus.WAITING, "hold": TicketStatus.WAITING,
    "solved": TicketStatus.SOLVED, "closed": TicketStatus.CLOSED,
}  # fmt: skip
_WRITTEN: Final = {TicketStatus.OPEN: "open", TicketStatus.WAITING: "pending", TicketStatus.SOLVED: "solved"}
_BY: Final = {CUSTOMER: DeskBy.CUSTOMER, AGENT: DeskBy.AGENT, RULE: DeskBy.RULE, "api": DeskBy.API}


class ZendeskSimulator(DeskSimulator):
    """One simulated account. `access`, `setup`, `store`, `bulk`, `hooks` are its inside, for tests in this process."""

    def __init__(self, *, skus: int, seed: int, clock: Clock) -> None:
        super().__init__(seed=seed, clock=clock)
        self.faults: ZendeskFaults = ZendeskFaults()
        self.client_secret, self.admin_secret = self.random.bytes(16).hex(), self.random.bytes(16).hex()
        self.api_token = self.random.bytes(20).hex()
        self.world = World(
            clock=clock, happens=self.random.happens, faults=lambda: self.faults, scale=lambda: self.time_scale
        )
        self.access = Access(
            self.world,
            clients=(
                OAuthClient(client_id=CLIENT_ID, secret=self.client_secret, user_id=AGENT_ID, role="agent"),
                OAuthClient(client_id=ADMIN_CLIENT_ID, secret=self.admin_secret, user_id=ADMIN_ID, role="admin"),
            ),
            basic=(EMAIL, self.api_token),
            number=self.random.bytes,
        )
        self.setup = SetUp(self.world)
        self.store = Tickets(self.world, self.setup)
        self.rules = Rules(self.world, self.setup, self.store)
        self.bulk = Bulk(self.world, self.store, number=self.random.bytes)
        self.search = Search(self.world, self.store)
        self.hooks = Hooks(self.world, self.setup, send=self.notify, number=self.random.bytes)
        self.store.on_change = self._changed
        for system in ("subject", "description", "status", "priority", "group"):
            self.setup.add_system(system, system.capitalize())
        self.setup.add("groups", {"name": GROUP})
        self._own_field = self.setup.add("ticket_fields", {"type": "text", "title": "Shop's own"})["id"]
        for number in range(skus):
            self.open_ticket(Wish(text=f"Is {sku_name(number)} coming back? Order #{1000 + number}"))

    def settings(self, url: str) -> dict[str, Any]:
        """Return adapter settings with both OAuth clients."""
        return {
            "client_id": CLIENT_ID,
            "client_secret": self.client_secret,
            "admin_client_id": ADMIN_CLIENT_ID,
            "admin_client_secret": self.admin_secret,
            "group": GROUP,
            "base_url": url,
        }

    # --- what happens beside the API ---------------------------------------------------------------------------------

    def open_ticket(self, wish: Wish) -> TicketId:
        """Let a customer write; raises `Refusal` for a state where nothing is set up yet."""
        self.settle()
        given = {
            "subject": wish.subject,
            "comment": {"body": f"{wish.text or 'Hello'}\n{CANARY_NAME} <{CANARY_MAIL}>", "public": True},
            "tags": [OWN_TAG, *([f"bo_lang_{wish.language.value}"] if wish.language else [])],
            "custom_fields": [{"id": self._own_field, "value": "gold"}, *self._entered(wish)],
            "requester": {"name": CANARY_NAME, "email": CANARY_MAIL},
        }
        try:
            ticket = self.store.open(given, by=CUSTOMER)
        except Problem as problem:
            raise Refusal(f"the account does not take this: {problem.body}") from None
        return TicketId(str(ticket.ticket_id))

    def _entered(self, wish: Wish) -> list[dict[str, Any]]:
        ids = self.field_ids()
        told = {
            "state": None if wish.state is None else f"bo_{wish.state.value}", "sku": wish.sku,
            "number": wish.order_number, "expected": wish.expected, "amount": wish.amount,
            "quantity": wish.quantity if wish.sku else None,
        }  # fmt: skip
        wanted = {name: value for name, value in told.items() if value}
        if wanted and not set(wanted) <= set(ids):
            raise Refusal("the account has no such fields yet: set it up first")
        return [{"id": ids[name], "value": value} for name, value in wanted.items()]

    def field_ids(self) -> dict[str, int]:
        """Return the fields that syncd set up here, by the names in their marks."""
        rows = self.setup.rows("ticket_fields")
        marks = ((_MARK.search(str(row.get("agent_description") or "")), row["id"]) for row in rows)
        return {match[1]: field_id for match, field_id in marks if match}

    def reply(self, ticket_id: TicketId, text: str) -> None:
        """Let the customer answer."""
        self._do(ticket_id, {"comment": {"body": text or "Thank you", "public": True}}, by=CUSTOMER)

    def edit(
        self, ticket_id: TicketId, *, status: TicketStatus | None = None, state: TicketState | None = None
    ) -> None:
        """Let an agent change a ticket."""
        given: dict[str, Any] = {} if status is None else {"status": _WRITTEN.get(status, status.value)}
        if state is not None:
            given["custom_fields"] = self._entered(Wish(state=state))
        self._do(ticket_id, given, by=AGENT)

    def rate(self, ticket_id: TicketId, score: str) -> None:
        """Let the customer say how it was: good or bad."""
        self.settle()
        self.store.rate(self._ticket(ticket_id), score)

    def close(self, ticket_id: TicketId) -> None:
        """Let the account's own automation close a ticket."""
        self._do(ticket_id, {"status": "closed"}, by=RULE)

    def delete(self, ticket_id: TicketId) -> None:
        """Let an agent delete a ticket."""
        self.settle()
        self.store.delete(self._ticket(ticket_id), by=AGENT)

    def _do(self, ticket_id: TicketId, given: Mapping[str, Any], *, by: str) -> None:
        self.settle()
        try:
            self.store.change(self._ticket(ticket_id), given, by=by)
        except Problem as problem:
            raise Refusal(f"{ticket_id}: {problem.body.get('error')}") from None

    def _ticket(self, ticket_id: TicketId) -> Ticket:
        found = self.store.get(int(ticket_id)) if ticket_id.isdecimal() else None
        if found is None:
            raise Unknown(f"{ticket_id}: no such ticket")
        return found

    # --- the truth ---------------------------------------------------------------------------------------------------

    def tickets(self) -> list[Held]:
        """Return every ticket as it stands."""
        self.settle()
        ids = self.field_ids()
        return [self._held(row, ids) for row in self.store.all() if not row.deleted]

    def _held(self, row: Ticket, ids: Mapping[str, int]) -> Held:
        given = {name: row.fields.get(field_id) for name, field_id in ids.items()}
        hidden = [each.body for each in row.comments if not each.public]
        ours = set(ids.values())
        own = {f"tag {tag}" for tag in row.tags if not tag.startswith(("bo_", "syncd_"))}
        own |= {
            f"field {field_id}: {value}" for field_id, value in row.fields.items() if value and field_id not in ours
        }
        state = str(given.get("state") or "").removeprefix("bo_")
        return Held(
            ticket_id=TicketId(str(row.ticket_id)),
            status=_STATUSES[row.status],
            state=TicketState(state) if state else None,
            sku=given.get("sku") or "",
            quantity=int(given.get("quantity") or 1),
            order_number=given.get("number") or "",
            expected=given.get("expected") or "",
            amount=str(given.get("amount") or ""),
            priority=Priority(row.priority) if row.priority else None,
            events=frozenset(EventId(tag.removeprefix(_EVENT)) for tag in row.tags if tag.startswith(_EVENT)),
            letters=tuple(row.mails),
            drafts=tuple(text for text in hidden if "draft" in text.partition("\n")[0]),
            notes=(
                *(text for text in hidden if "draft" not in text.partition("\n")[0]),
                *filter(None, [given.get("note")]),
            ),
            own=frozenset(own),
            escalated="bo_escalated" in row.tags,
            follow_up_of=TicketId(str(row.followup_of)) if row.followup_of else None,
        )

    def prepare(self, *, webhook_url: str = "") -> None:
        """Make the fields, each with syncd's mark, and no rules; or only the webhook."""
        if webhook_url:
            events = ["created", "status_changed", "custom_field_changed", "tags_changed", "comment_added"]
            hook = {"name": "syncd", "description": "[syncd:webhook@0]", "status": "active", "endpoint": webhook_url}
            self.setup.add("webhooks", {**hook, "subscriptions": [f"zen:event-type:ticket.{name}" for name in events]})
            return
        options = [{"name": state.value.capitalize(), "value": f"bo_{state.value}"} for state in TicketState]
        for name, kind in _FIELDS.items():
            field: dict[str, Any] = {
                "type": kind,
                "title": f"Backorder {name}",
                "agent_description": f"[syncd:{name}@0]",
            }
            self.setup.add("ticket_fields", field | ({"custom_field_options": options} if kind == "tagger" else {}))

    def own_setup(self) -> Mapping[str, str]:
        """Return everything that is set up, each thing as one text."""
        return {
            f"{kind} {row['id']}": msgspec.json.encode(row, order="sorted").decode()
            for kind in KINDS
            for row in self.setup.rows(kind)
        }

    def stand_in_the_way(self) -> frozenset[str]:
        """Set up a field, a trigger and a macro of the shop's own with titles that syncd's would have."""
        before = set(self.own_setup())
        for title in ("Backorder SKU", "入荷待ちSKU"):
            self.setup.add("ticket_fields", {"type": "text", "title": title})
        conditions = {"all": [{"field": "update_type", "operator": "is", "value": "Create"}], "any": []}
        for title in ("Backorder: urgent by order amount", "入荷待ち：注文金額により至急"):
            self.setup.add(
                "triggers",
                {"title": title, "conditions": conditions, "actions": [{"field": "priority", "value": "low"}]},
            )
        return frozenset(set(self.own_setup()) - before)

    # --- the real API ------------------------------------------------------------------------------------------------

    def routes(self) -> list[web.RouteDef]:
        """Return the API, and the control of what only Zendesk does."""
        api = remote.Remote(
            self.world, access=self.access, setup=self.setup, tickets=self.store, bulk=self.bulk, search=self.search,
            hooks=self.hooks, settle=self.settle, look_at=self._look_at,
        )  # fmt: skip
        return [
            *api.routes(),
            web.post("/_sim/zendesk/tokens", self._tokens),
            web.get("/_sim/zendesk/setup", self._set_up),
        ]

    def too_many(self, _: web.Request) -> web.StreamResponse:
        """Answer 429 as Zendesk does."""
        body = {"error": "TooManyRequests", "description": "API rate limit exceeded"}
        return web.json_response(body, status=429, headers={"Retry-After": "1"})

    async def _tokens(self, request: web.Request) -> web.Response:
        wish = await read_body(request, dict[str, bool])
        if wish.get("end"):
            self.access.end_tokens()
        self.access.tokens_allowed = wish.get("allow_api_tokens", self.access.tokens_allowed)
        return answer({"allow_api_tokens": self.access.tokens_allowed})

    async def _set_up(self, _: web.Request) -> web.Response:
        return answer({kind: self.setup.rows(kind) for kind in KINDS})

    def settle(self) -> None:
        """Do the rows of jobs that are due, and the automations of the hours that have begun."""
        self.world.url = self.url
        self.bulk.settle()
        self.rules.hourly()

    def _look_at(self, at: int) -> None:
        """See to it that somebody looks then, so that what a job does is told in time."""

        async def look() -> None:
            await asyncio.sleep(max(at - self.clock.now(), 0) / SECOND_US)
            self.settle()

        self.courier.spawn(look, name="job")

    def _changed(self, happened: Happened) -> None:
        self._note(happened)
        self.hooks.tell(happened)
        self.rules.after(happened)

    def _note(self, happened: Happened) -> None:
        ticket_id, by = TicketId(str(happened.ticket.ticket_id)), _BY[happened.by]
        if happened.created:
            self.log.add(ticket_id, "opened", "", by)
        if happened.deleted:
            self.log.add(ticket_id, "deleted", "", by)
        if happened.status is not None:
            self.log.add(ticket_id, "closed" if happened.status[1] == "closed" else "status", happened.status[1], by)
        for _, _, value in happened.fields:
            if isinstance(value, str) and value in {f"bo_{state.value}" for state in TicketState}:
                self.log.add(ticket_id, "state", value.removeprefix("bo_"), by)
        comment = happened.comment
        if comment is not None:
            what = "reply" if happened.by == CUSTOMER else "letter" if comment.mailed else "note"
            self.log.add(ticket_id, what, "", by)


def make(*, skus: int, seed: int, clock: Clock) -> ZendeskSimulator:
    """Return an account with a ticket for each of `skus` goods."""
    return ZendeskSimulator(skus=skus, seed=seed, clock=clock)
