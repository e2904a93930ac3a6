"""Webhooks: only genuine ones of these minutes are taken, and they lead to the ticket."""

# ruff: noqa: D401  (the docstring of a case is a sentence of expected behaviour, as that of a test)

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from syncd.sdk.channel import Forged, RawRequest
from syncd.sdk.desk import DeskNotice, DeskWebhooks, TicketId, TicketState
from syncd.sdk.errors import ProtocolError
from syncd.testing.cases.webhooks import mailbox
from syncd.testing.desk_casebook import DeskGroup
from syncd.testing.desk_stage import DeskStage
from syncd.testing.stage import STEP_S, NotApplicable, hold, plain

WEBHOOKS = DeskGroup("webhooks")

QUIET_S = 4 * STEP_S
TOO_OLD_S = 3_600.0
UNAUTHORIZED, BAD_REQUEST = 401, 400
NONSENSE = (b"{", b"[]", b"null", b"\xff", b'{"id": {}}', b'{"type": "a", "id": "b", "detail": {"id": "../1"}}')


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """What came after a customer wrote."""

    hooks: DeskWebhooks
    requests: list[RawRequest]
    ticket_id: TicketId

    def notices(self) -> list[DeskNotice]:
        """Return what they say; holds that they are genuine."""
        for request in self.requests:
            try:
                self.hooks.verify(request)
            except Forged as verdict:
                raise AssertionError(f"a genuine webhook is refused: {verdict}") from verdict
        return [self.hooks.parse(request) for request in self.requests]


async def _written(stage: DeskStage) -> Post:
    """Set the webhook up, let a customer write, and return what was sent."""
    desk, hooks = stage.desk, stage.desk
    if not isinstance(hooks, DeskWebhooks):
        raise NotApplicable("the desk sends no webhooks")
    (ticket_id,) = await stage.waiting(state=TicketState.PENDING)
    async with mailbox() as box:
        stage.simulator.notify_url = box.url
        stage.simulator.prepare(webhook_url=box.url)
        await desk.changed(None)  # a desk may learn the signing secret by its first look
        stage.simulator.reply(ticket_id, "Any news?")
        requests = await box.emptied(QUIET_S)
    hold(requests, "no webhook came after a customer wrote")
    return Post(hooks=hooks, requests=requests, ticket_id=ticket_id)


@WEBHOOKS.case
async def genuine_ones_lead_to_the_ticket(stage: DeskStage) -> None:
    """What the desk itself sends is verified, names the ticket, and holds nothing of the customer."""
    post = await _written(stage)
    notices = post.notices()
    hold(post.ticket_id in {ticket_id for notice in notices for ticket_id in notice.ticket_ids}, "no ticket is named")
    stage.tells_nothing([plain(notice) for notice in notices], "a notice of a webhook")


@WEBHOOKS.case
async def forged_ones_are_refused(stage: DeskStage) -> None:
    """One changed byte makes it forged, and without a signature it is no webhook at all."""
    post = await _written(stage)
    for request in post.requests:
        middle = len(request.body) // 2
        changed = request.body[:middle] + bytes([request.body[middle] ^ 1]) + request.body[middle + 1 :]
        for body in (changed, b"", request.body + b" "):
            _is_refused(post.hooks, replace(request, body=body), UNAUTHORIZED)
        _is_refused(post.hooks, replace(request, headers={}), BAD_REQUEST)


@WEBHOOKS.case
async def old_ones_are_refused(stage: DeskStage) -> None:
    """A genuine webhook that somebody kept for an hour is refused."""
    post = await _written(stage)
    post.notices()
    await stage.wait(TOO_OLD_S)
    for request in post.requests:
        _is_refused(post.hooks, request, UNAUTHORIZED)


@WEBHOOKS.case
async def doubles_share_their_key(stage: DeskStage) -> None:
    """A webhook that is delivered twice has the same key both times, and another one has another."""
    stage.trouble(double_webhooks=1.0)
    post = await _written(stage)
    keys = Counter(notice.dedupe_key for notice in post.notices())
    hold(None not in keys, "a webhook has no key")
    hold(min(keys.values()) > 1, "the two deliveries of one webhook have different keys")


@WEBHOOKS.case
async def nonsense_is_not_understood(stage: DeskStage) -> None:
    """A body that is no message raises `ProtocolError`, and nothing else."""
    post = await _written(stage)
    for body in NONSENSE:
        try:
            notice = post.hooks.parse(replace(post.requests[0], body=body))
        except ProtocolError:
            continue
        hold(not notice.ticket_ids, "a ticket was read out of nonsense")


def _is_refused(hooks: DeskWebhooks, request: RawRequest, status: int) -> None:
    try:
        hooks.verify(request)
    except Forged as verdict:
        hold(verdict.status == status, f"a forged webhook is answered by {verdict.status} instead of {status}")
    else:
        raise AssertionError("a forged webhook is taken for genuine")
