"""The API of errands at the channels: cancel an order, look at inquiries, and how the channels judge the shop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

import msgspec
from aiohttp import web
from msgspec import Meta

from syncd.core.terms import AccountId, Instant, Outcome, OutcomeKind
from syncd.sdk.errors import ChannelError, RejectedError
from syncd.sdk.features import AccountHealth, CancelLine, CancelReason, CancelWish, Inquiries, Inquiry
from syncd.store.views import moment
from syncd.store.views_orders import OrderDetail, order_detail
from syncd.web.api_facts import Code, Word
from syncd.web.api_listings import require_account
from syncd.web.api_shape import Scope, shaped
from syncd.web.api_wire import Answer, Fault, Route, Service, bad_rows, body_of, query_of, row_problem
from syncd.web.plant import Account, Plant

MOST_LINES: Final = 1_000
_UUID: Final = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z"


class LineBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """So many units of one line."""

    line_id: Code
    quantity: Annotated[int, Meta(ge=1, le=1_000_000)]


class CancelBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A cancel; no lines: the whole order. `request_id`, a UUID, is the idempotency key: a repeat sends nothing.

    On the network it has to be there, or an `Idempotency-Key`, and `confirm` has to be the order's id once more: a
    cancel cannot be undone.
    """

    reason: CancelReason
    lines: Annotated[tuple[LineBody, ...], Meta(max_length=MOST_LINES)] = ()
    request_id: Annotated[str, Meta(pattern=_UUID)] | None = None
    confirm: Word = ""
    actor: Word = ""


@shaped(body=CancelBody, scope=Scope.ADMIN, accepts=(200, 202))
async def post_cancel(service: Service, request: web.Request) -> Answer:
    """Cancel an order: 200 done, 202 taken or not known, 409 with the reason where it was not done.

    It cannot be undone, and syncd never does it by itself: whoever asks on the network confirms it by the order's id.
    """
    plant = service.plant
    name = require_account(plant, request.match_info["account"])
    order_id = request.match_info["order_id"]
    body = await body_of(request, CancelBody)
    if service.source != "cli":
        _check_meant(body, order_id)
    now = plant.clock.now()
    found = await plant.store.read(lambda conn: order_detail(conn, name, order_id, now=now))
    if found is None:
        raise Fault(404, f"{name} has no order {order_id}")
    key = body.request_id or plant.uuid()
    outcome = await cancel_order(plant, found, reason=body.reason, lines=body.lines, key=key, actor=body.actor)
    told = {"request_id": key, "outcome": outcome.kind, "reason": outcome.reason}
    return Answer(body=told, status=_STATUS[outcome.kind])


def _check_meant(body: CancelBody, order_id: str) -> None:
    if body.confirm != order_id:
        raise Fault(400, f"a cancel cannot be undone: say it is meant by `confirm`, with the order's id ({order_id})")
    if body.request_id is None:
        raise Fault(400, "give a `request_id` or an Idempotency-Key, so that a repeat cancels nothing twice")


async def cancel_order(
    plant: Plant, found: OrderDetail, *, reason: CancelReason, lines: Sequence[LineBody], key: str, actor: str
) -> Outcome:
    """Cancel an order, or units of its lines, once under this key; raises Fault with the reason where it was not."""
    _check_lines(found, lines)
    wanted = tuple(CancelLine(line_id=line.line_id, quantity=line.quantity) for line in lines)
    wish = CancelWish(key=key, order_id=found.order.order_id, reason=reason, lines=wanted)
    try:
        outcome = await plant.errands.cancel(AccountId(found.order.account), wish, actor=actor)
    except RejectedError as refused:
        raise Fault(409, str(refused)) from None
    if outcome.kind not in _STATUS:
        raise Fault(409, f"not cancelled: {outcome.reason or outcome.kind.value}")
    return outcome


_STATUS: Final[Mapping[OutcomeKind, int]] = {
    OutcomeKind.APPLIED: 200,
    OutcomeKind.ACCEPTED: 202,
    OutcomeKind.INDETERMINATE: 202,
}


def _check_lines(found: OrderDetail, lines: Sequence[LineBody]) -> None:
    """Raise Fault where a line is not there, or has fewer units left."""
    left = {line.line_id: line.quantity - line.cancelled - line.shipped for line in found.lines}
    problems = []
    for number, line in enumerate(lines, 1):
        if line.line_id not in left:
            known = ", ".join(sorted(left))
            problems.append(row_problem(number, f"the order has no line {line.line_id}", f"it has: {known}"))
        elif line.quantity > left[line.line_id]:
            message = f"line {line.line_id} has {left[line.line_id]} units that can be cancelled"
            problems.append(row_problem(number, message, "name fewer"))
    if len({line.line_id for line in lines}) < len(lines):
        raise Fault(400, "a line stands twice")
    bad_rows(problems)


class InquiryQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of which account; empty: of all that have an inbox."""

    account: str = ""


@shaped(query=InquiryQuery)
async def get_inquiries(service: Service, request: web.Request) -> Answer:
    """Return open inquiries about stock, oldest first, as the channels tell them now; no personal data.

    `failed` names the accounts that could not be asked, with the reason.
    """
    plant = service.plant
    asked = query_of(request, InquiryQuery).account
    names = [require_account(plant, asked)] if asked else _with_inbox(plant)
    rows: list[dict[str, Any]] = []
    failed: dict[str, str] = {}
    for name in names:
        try:
            rows += [_inquiry(name, one) for one in await plant.errands.inquiries(name)]
        except RejectedError as refused:
            raise Fault(409, str(refused)) from None
        except ChannelError as error:
            failed[name] = f"{type(error).__name__}: {error}"
    return Answer(body={"rows": sorted(rows, key=lambda row: row["asked_at"]), "failed": failed, "asked": names})


def _with_inbox(plant: Plant) -> Sequence[AccountId]:
    return [name for name, account in plant.roster.items() if isinstance(account.channel, Inquiries)]


def _inquiry(name: AccountId, one: Inquiry) -> dict[str, Any]:
    return {"account": name, **msgspec.to_builtins(one), "asked_at": moment(one.asked_at)}


@shaped()
async def get_account_health(service: Service, _request: web.Request) -> Answer:
    """Return how each channel judged the shop when it was asked last, and how its own cancels stand in the ledger."""
    now = service.plant.clock.now()
    asked = [
        _judged(name, account, now)
        for name, account in service.plant.roster.items()
        if isinstance(account.channel, AccountHealth)
    ]
    rules = [row for name, account in service.plant.roster.items() for row in _conduct(name, account)]
    return Answer(body={"accounts": asked, "rules": rules})


def _conduct(name: AccountId, account: Account) -> list[dict[str, Any]]:
    """Return the state of each rule that a channel has for the shop's own cancels, computed from the ledger."""
    found = account.conduct
    if found is None:
        return []
    at = moment(found.at)
    return [{"account": name, "at": at, "level": one.level.value, **msgspec.to_builtins(one)} for one in found.findings]


def _judged(name: AccountId, account: Account, now: Instant) -> dict[str, Any]:
    found = account.judgement
    if found is None:
        return {"account": name, "asked_at": None, "age_s": None, "figures": [], "reason": ""}
    figures = [msgspec.to_builtins(figure) for figure in found.figures]
    age_s = (now - found.asked_at) / 1_000_000
    return {"account": name, "asked_at": moment(found.asked_at), "age_s": age_s, "figures": figures,
            "reason": found.reason}  # fmt: skip


ROUTES: Final[tuple[Route, ...]] = (
    ("POST", "/orders/{account}/{order_id:.+}/cancel", post_cancel),
    ("GET", "/inquiries", get_inquiries),
    ("GET", "/account-health", get_account_health),
)
