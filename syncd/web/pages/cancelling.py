"""Cancel an order at its channel: by a person's word, once, whatever becomes of the answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from syncd.core.terms import Outcome, OutcomeKind
from syncd.sdk.features import CancelReason, Cancels
from syncd.store.views_orders import OrderDetail, order_detail
from syncd.web.api_errands import LineBody, cancel_order
from syncd.web.api_listings import require_account
from syncd.web.api_wire import Fault
from syncd.web.pages.deed import Deed, Subject, number_of
from syncd.web.pages.frame import Ask, Frame
from syncd.web.pages.stock import one_of

LINE: Final = "line-"
"""Before the id of a line stands this in the name of its field."""
_SAID: Final[Mapping[OutcomeKind, str]] = {
    OutcomeKind.APPLIED: "order-cancel",
    OutcomeKind.ACCEPTED: "cancel-accepted",
    OutcomeKind.INDETERMINATE: "cancel-unknown",
}


async def _found(frame: Frame, ask: Ask) -> OrderDetail:
    plant = frame.plant
    name, order_id, now = require_account(plant, ask.query("account")), ask.query("id"), plant.clock.now()
    found = await plant.store.read(lambda conn: order_detail(conn, name, order_id, now=now))
    if found is None:
        raise Fault(404, ask.speech.say("orders.unknown"))
    return found


def can_cancel(frame: Frame, found: OrderDetail) -> bool:
    """Say whether the channel lets syncd cancel orders, and something of this one is left to be cancelled."""
    account = next((one for name, one in frame.plant.roster.items() if name == found.order.account), None)
    ended = found.order.cancelled or found.order.closed or found.order.ignored
    left = any(line.quantity > line.cancelled + line.shipped for line in found.lines)
    return account is not None and isinstance(account.channel, Cancels) and left and not ended


async def _find(frame: Frame, ask: Ask) -> Subject:
    found, speech = await _found(frame, ask), ask.speech
    if not can_cancel(frame, found):
        raise Fault(409, speech.say("do.order-cancel.not_here"))
    order = found.order
    rows = [
        ("orders.ordered", speech.full(order.ordered_at)),
        ("orders.amount", f"{speech.money(order.amount)} {order.currency}"),
        ("orders.units", speech.number(order.units - order.units_cancelled - order.units_shipped)),
    ]
    return Subject(
        name=f"{order.account} {order.number or order.order_id}",
        rows=rows,
        lines=[line for line in found.lines if line.quantity > line.cancelled + line.shipped],
        reasons=tuple(CancelReason),
    )


async def _cancel(frame: Frame, ask: Ask, fields: Mapping[str, str], request_id: str) -> str:
    found = await _found(frame, ask)
    reason = one_of(CancelReason, fields.get("why", ""), None)
    if reason is None:
        raise Fault(400, ask.speech.say("do.order-cancel.no_reason"))
    lines = [
        LineBody(line_id=name.removeprefix(LINE), quantity=units)
        for name, given in fields.items()
        if name.startswith(LINE) and given and (units := number_of(given, name)) > 0
    ]
    outcome: Outcome = await cancel_order(
        frame.plant, found, reason=reason, lines=lines, key=request_id, actor=ask.visitor.name
    )
    return _SAID[outcome.kind]


CANCELLING: Final = Deed(
    verb="order-cancel",
    api=("POST", "/orders/{account}/{order_id:.+}/cancel"),
    danger=True,
    find=_find,
    act=_cancel,
    back=lambda ask: f"/orders/{ask.query('account')}/{ask.query('id')}",
)
