"""Makes, finds and ends private sales of one shop."""

from __future__ import annotations

from adapters.shopify import draft_orders, wire
from adapters.shopify.draft_orders import (
    COMPLETED,
    DRAFT,
    DRAFT_CREATE,
    DRAFT_DELETE,
    DRAFTS,
    ITEM_VARIANT,
    CreateData,
    DeleteData,
    DraftData,
    DraftNode,
    DraftsData,
    ItemVariantData,
)
from adapters.shopify.graphql import GraphQL, Written
from syncd.sdk.channel import ListingRef
from syncd.sdk.errors import ProtocolError, RejectedError, TransientError
from syncd.sdk.features import Offer, OfferRequest, Withdrawal, Withdrawn


class Offers:
    """The draft orders that syncd makes."""

    def __init__(self, graphql: GraphQL) -> None:
        self._graphql = graphql

    async def make(self, request: OfferRequest) -> Offer:
        """Make a draft that reserves its units; the request is sent once, for Shopify takes no key for it."""
        variables = draft_orders.create_variables(request, await self._variant(request.ref))
        return made(await self._graphql.write(DRAFT_CREATE, variables, again=False))

    async def _variant(self, ref: ListingRef) -> str:
        if not wire.is_number(ref.remote_id):
            raise RejectedError("not an inventory item of Shopify")
        asked = {"id": wire.gid("InventoryItem", ref.remote_id)}
        try:
            found = draft_orders.variant_of(await self._graphql.ask(ITEM_VARIANT, asked, ItemVariantData))
        except TransientError as fault:
            # Only looking the variant up failed: there is no draft that anybody would have to look for.
            raise TransientError(str(fault), retry_after_s=fault.retry_after_s, sent=False) from None
        if found is None:
            raise RejectedError("no variant sells this inventory item")
        return found

    async def find(self, key: str) -> Offer | None:
        """Look for the draft with a key; the search index is behind, so that nothing found proves nothing at once."""
        asked = {"query": draft_orders.search(key)}
        answer = await self._graphql.ask(DRAFTS, asked, DraftsData)
        node = draft_orders.named(answer.draft_orders.nodes, key)
        return None if node is None else draft_orders.offer(node)

    async def withdraw(self, offer_id: str) -> Withdrawn:
        """Delete a draft unless it is paid; whether it is, is read just before."""
        if not wire.is_number(offer_id):
            raise RejectedError("not a draft order of Shopify")
        ended = _ended(await self._read(offer_id))
        if ended is not None:
            return ended
        asked = {"input": {"id": draft_orders.draft_gid(offer_id)}}
        answer = (await self._graphql.ask(DRAFT_DELETE, asked, DeleteData, urgent=True)).draft_order_delete
        if answer is not None and answer.deleted_id and not answer.user_errors:
            return Withdrawn(end=Withdrawal.WITHDRAWN)
        node = await self._read(offer_id)
        if node is None:  # a first try of the same request has deleted it
            return Withdrawn(end=Withdrawal.WITHDRAWN)
        ended = _ended(node)
        if ended is None:
            reason = wire.said(answer.user_errors) if answer is not None else "no reason given"
            raise RejectedError(f"Shopify does not delete a draft order: {reason}")
        return ended

    async def _read(self, offer_id: str) -> DraftNode | None:
        asked = {"id": draft_orders.draft_gid(offer_id)}
        return (await self._graphql.ask(DRAFT, asked, DraftData, urgent=True)).draft_order


def _ended(node: DraftNode | None) -> Withdrawn | None:
    """Return the end that a draft has had, None while it is open."""
    if node is None:
        return Withdrawn(end=Withdrawal.GONE)
    if node.status == COMPLETED or node.order is not None:
        order_id = "" if node.order is None else wire.number(node.order.id)
        return Withdrawn(end=Withdrawal.BOUGHT, order_id=order_id)
    return None


def made(written: Written) -> Offer:
    """Return the private sale that was made; raises by whether it may be there although that is not what came back."""
    found = written.reply
    if found is None:
        raise TransientError(str(written.fault))
    fault = wire.failure(found)
    if fault is not None:
        if wire.untouched(found) and not written.doubtful:
            raise fault
        raise TransientError(str(fault))
    payload = wire.data(found, CreateData).draft_order_create
    if payload is None:
        raise ProtocolError("Shopify: an answer without a draft order")
    if payload.draft_order is not None:
        return draft_orders.offer(payload.draft_order)
    raise RejectedError(f"Shopify makes no draft order: {wire.said(payload.user_errors)}")
