"""The resolvers of the mutations, with the rules that stand before all of them.

Facts: `@idempotent` and `changeFromQuantity` are enforced at run time only, as top-level errors (recorded responses of
2026-04); which mutations need a key: schema 2026-10; order cancels and their errors: schema and recordings.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    FieldNode,
    GraphQLError,
    StringValueNode,
    VariableNode,
    parse,
    print_ast,
    validate,
)

from adapters.shopify.simulated.access import granted, topic_scope
from adapters.shopify.simulated.bulk import BulkWritten
from adapters.shopify.simulated.drafts import DraftDeleted, DraftWritten
from adapters.shopify.simulated.idempotency import Verdict
from adapters.shopify.simulated.reads import Resolver, limit_size, request_of, shop_of
from adapters.shopify.simulated.sales import Order
from adapters.shopify.simulated.shop import Info, Request
from adapters.shopify.simulated.stock_writes import UserError, Written
from adapters.shopify.simulated.webhooks import SubscriptionWritten, topic_of

MAX_STAFF_NOTE = 255

Write = Callable[[Request, Mapping[str, Any]], Written]
Check = Callable[[Info, Mapping[str, Any]], None]


@dataclass(slots=True, kw_only=True)
class Job:
    """Work that Shopify does later; here it is done at once."""

    id: str
    done: bool = True


@dataclass(slots=True, kw_only=True)
class OrderCancelWritten:
    """The payload of `orderCancel`."""

    job: Job | None = None
    job_result: Mapping[str, object] | None = None
    order_cancel_user_errors: list[UserError] = field(default_factory=list)


# --- idempotent mutations --------------------------------------------------------------------------------------------


def _fault(info: Info, text: str, code: str) -> GraphQLError:
    return GraphQLError(text, info.field_nodes, path=info.path.as_list(), extensions={"code": code})


def _guarded(write: Write, check: Check) -> Resolver:
    """Return the resolver of a mutation that needs a key and happens once per key."""

    def resolve(_: object, info: Info, **args: Any) -> Written:
        request = request_of(info)
        key = _key(info, request)
        check(info, args)
        keys = request.shop.keys
        verdict = keys.begin(key, _fingerprint(info.field_nodes[0], request), busy_s=request.shop.knobs.write_time_s)
        if verdict is Verdict.REPLAY:
            answer: Written = keys.replay(key)
            return answer
        if verdict is not Verdict.NEW:
            return Written(user_errors=[UserError(message=verdict.value, code=verdict.name)])
        written = write(request, args)
        if written.inventory_adjustment_group is not None:
            request.shop.keep(written.inventory_adjustment_group)
        if not written.user_errors:
            keys.succeed(key, lambda: written)
        return written

    return resolve


def _key(info: Info, request: Request) -> str:
    directives = {directive.name.value: directive for directive in info.field_nodes[0].directives or ()}
    if "idempotent" not in directives:
        text = "The @idempotent directive is required for this mutation but was not provided."
        raise _fault(info, text, "BAD_REQUEST")
    value = next(argument.value for argument in directives["idempotent"].arguments or ())
    key = request.variables.get(value.name.value) if isinstance(value, VariableNode) else None
    key = value.value if isinstance(value, StringValueNode) else key
    if not isinstance(key, str) or not key.strip():
        raise _fault(info, "The idempotency key can't be blank.", "BAD_REQUEST")
    return key


def _fingerprint(node: FieldNode, request: Request) -> str:
    """Return the parameters of a mutation as they were sent; the order of their fields is part of it."""
    parts = [node.name.value]
    for argument in node.arguments or ():
        value = argument.value
        sent = request.variables.get(value.name.value) if isinstance(value, VariableNode) else print_ast(value)
        parts.append(json.dumps([argument.name.value, sent], separators=(",", ":")))
    return "\n".join(parts)


def _require(info: Info, rows: Iterable[Mapping[str, Any]], kind: str) -> None:
    if any("changeFromQuantity" not in row for row in rows):
        text = f"{kind} must include the following argument: changeFromQuantity."
        raise _fault(info, text, "INVALID_FIELD_ARGUMENTS")


def _check_set(info: Info, args: Mapping[str, Any]) -> None:
    limit_size(info, args["input"]["quantities"], "input", "quantities")
    _require(info, args["input"]["quantities"], "InventoryQuantityInput")


def _check_adjust(info: Info, args: Mapping[str, Any]) -> None:
    limit_size(info, args["input"]["changes"], "input", "changes")
    _require(info, args["input"]["changes"], "InventoryChangeInput")


def _check_move(info: Info, args: Mapping[str, Any]) -> None:
    changes: Sequence[Mapping[str, Any]] = args["input"]["changes"]
    limit_size(info, changes, "input", "changes")
    terminals = (change[end] for change in changes for end in ("from", "to"))
    _require(info, terminals, "InventoryMoveQuantityTerminalInput")


def _check_nothing(_: Info, __: Mapping[str, Any]) -> None:
    return


def _activate(request: Request, args: Mapping[str, Any]) -> Written:
    return request.shop.activation.activate(
        args["inventoryItemId"], args["locationId"], available=args.get("available"), on_hand=args.get("onHand")
    )


def _deactivate(_: object, info: Info, **args: Any) -> Written:
    return shop_of(info).activation.deactivate(args["inventoryLevelId"])


# --- orders, bulk operations, subscriptions ------------------------------------------------------------------------


def _cancel_order(_: object, info: Info, **args: Any) -> OrderCancelWritten:
    shop = shop_of(info)
    order = shop.find(args["orderId"])
    fault = _cancel_fault(order, args)
    if fault is not None:
        return OrderCancelWritten(order_cancel_user_errors=[fault])
    assert isinstance(order, Order), "checked before"  # noqa: S101  (see _cancel_fault)
    shop.orders.cancel(order, reason=args["reason"], restock=args["restock"], staff_note=args.get("staffNote"))
    job = Job(id=order.id.replace("Order", "Job"))
    result = {"id": job.id, "done": True, "status": "SUCCEEDED", "errors": [], "order": order}
    return OrderCancelWritten(job=job, job_result=result)


def _cancel_fault(order: object, args: Mapping[str, Any]) -> UserError | None:
    if not isinstance(order, Order):
        return UserError(field=("orderId",), message="Order does not exist", code="NOT_FOUND")
    if order.cancelled_at is not None:
        text = "Cannot cancel an order that has already been canceled"
    elif any(line.fulfilled for line in order.lines):
        text = "Cannot cancel an order that has fulfillments"
    elif any(entry.status in {"OPEN", "REQUESTED"} for entry in order.returns):
        text = "Cannot cancel an order that has active returns"
    elif len(args.get("staffNote") or "") > MAX_STAFF_NOTE:
        text = f"Staff note is too long (maximum is {MAX_STAFF_NOTE} characters)"
    elif args.get("refund") is not None and args.get("refundMethod") is not None:
        text = "Only one of refund and refundMethod can be given"
    else:
        return None
    return UserError(field=("orderId",), message=text, code="INVALID")


def _draft(_: object, info: Info, **args: Any) -> DraftWritten:
    return shop_of(info).drafts.create(args["input"])


def _undraft(_: object, info: Info, **args: Any) -> DraftDeleted:
    return shop_of(info).drafts.delete(args["input"]["id"])


def _run_bulk(_: object, info: Info, **args: Any) -> BulkWritten:
    shop = shop_of(info)
    faults = _schema_faults(info, args["query"])
    if faults:
        return BulkWritten(user_errors=faults)
    written = shop.bulk.create(args["query"])
    if written.bulk_operation is not None:
        written.bulk_operation.grouped = args["groupObjects"]
        shop.start_bulk(written.bulk_operation)
    return written


def _schema_faults(info: Info, query: str) -> list[UserError]:
    try:
        errors = validate(info.schema, parse(query))
    except GraphQLError as fault:
        errors = [fault]
    return [
        UserError(field=("query",), message=f"Invalid bulk query: {error.message}", code="INVALID") for error in errors
    ]


def _cancel_bulk(_: object, info: Info, **args: Any) -> BulkWritten:
    return shop_of(info).bulk.cancel(args["id"])


def _subscribe(_: object, info: Info, **args: Any) -> SubscriptionWritten:
    shop = shop_of(info)
    scope = topic_scope(topic_of(args["topic"]))
    if scope is not None and scope not in granted(shop.knobs.scopes):
        text = f"You do not have permission to create or update webhooks with {topic_of(args['topic'])} topic."
        return SubscriptionWritten(user_errors=[UserError(field=("topic",), message=text)])
    return shop.subscriptions.create(args["topic"], args["webhookSubscription"])


def _resubscribe(_: object, info: Info, **args: Any) -> SubscriptionWritten:
    return shop_of(info).subscriptions.update(args["id"], args["webhookSubscription"])


def _unsubscribe(_: object, info: Info, **args: Any) -> SubscriptionWritten:
    return shop_of(info).subscriptions.delete(args["id"])


RESOLVERS: dict[str, Resolver] = {
    "Mutation.bulkOperationCancel": _cancel_bulk,
    "Mutation.bulkOperationRunQuery": _run_bulk,
    "Mutation.draftOrderCreate": _draft,
    "Mutation.draftOrderDelete": _undraft,
    "Mutation.inventoryActivate": _guarded(_activate, _check_nothing),
    "Mutation.inventoryAdjustQuantities": _guarded(
        lambda request, args: request.shop.writes.adjust(args["input"]), _check_adjust
    ),
    "Mutation.inventoryDeactivate": _deactivate,
    "Mutation.inventoryMoveQuantities": _guarded(
        lambda request, args: request.shop.writes.move(args["input"]), _check_move
    ),
    "Mutation.inventorySetQuantities": _guarded(
        lambda request, args: request.shop.writes.set(args["input"]), _check_set
    ),
    "Mutation.orderCancel": _cancel_order,
    "Mutation.webhookSubscriptionCreate": _subscribe,
    "Mutation.webhookSubscriptionDelete": _unsubscribe,
    "Mutation.webhookSubscriptionUpdate": _resubscribe,
}
"""By `Type.field`."""
