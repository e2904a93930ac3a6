"""Reads orders: page by page as they changed, or by their ids, each of them whole."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from adapters.shopify import contacts, feed, order_nodes, orders, wire
from adapters.shopify.catalogue import Known
from adapters.shopify.contacts import CONTACTS, ContactsData
from adapters.shopify.documents import (
    FEED_LINES,
    FEED_PARTS,
    LIST_PAGE,
    ORDER_LINES,
    ORDER_TAILS,
    ORDERS,
    ORDERS_AND_OFFERS,
    ORDERS_AND_OFFERS_BY_ID,
    ORDERS_BY_ID,
    ORDERS_PAGE,
)
from adapters.shopify.graphql import GraphQL
from adapters.shopify.order_nodes import OrderNode
from syncd.sdk.channel import Clock, Instant, OrderPage, OrderSnapshot
from syncd.sdk.errors import ProtocolError, TransientError
from syncd.sdk.features import Seal

MOST_ROUNDS = 3
"""Readings of one order in several parts, until no change fell in between."""


class OrderReader:
    """Reads the orders of one shop. `overlap_us` is how late the search index may know of a change.

    `offers` has it look of which private sale an order comes.
    """

    def __init__(self, graphql: GraphQL, *, known: Known, clock: Clock, overlap_us: int, offers: bool = False) -> None:
        self._graphql = graphql
        self._known = known
        self._clock = clock
        self._overlap_us = overlap_us
        self._feed = ORDERS_AND_OFFERS if offers else ORDERS
        self._single = ORDERS_AND_OFFERS_BY_ID if offers else ORDERS_BY_ID

    async def page(self, text: str | None) -> OrderPage:
        """Read the page of the feed at a cursor."""
        read_at = self._clock.now()
        cursor = feed.resume(text, now=read_at)
        answer = await self._graphql.ask(
            self._feed, {"after": cursor.after, "query": feed.search(cursor)}, order_nodes.OrdersData
        )
        snapshots = self._snapshots(await self._whole(answer.orders.nodes), read_at=read_at)
        info = answer.orders.page_info
        if not info.has_next_page:
            end = feed.finished(cursor, overlap_us=self._overlap_us)
            return OrderPage(orders=snapshots, cursor=feed.text(end), more=False, complete_until=end.since)
        if info.end_cursor is None:
            raise ProtocolError("Shopify: the order feed goes on but does not say where")
        changed_at = max((wire.instant(node.updated_at) for node in answer.orders.nodes), default=None)
        following = feed.onward(cursor, after=info.end_cursor, count=len(answer.orders.nodes), changed_at=changed_at)
        return OrderPage(orders=snapshots, cursor=feed.text(following), more=True)

    async def fetch(self, order_ids: Sequence[str]) -> list[OrderSnapshot]:
        """Read these orders; those that do not exist are left out."""
        read_at = self._clock.now()
        numbers = [order_id for order_id in dict.fromkeys(order_ids) if wire.is_number(order_id)]
        found = await self._by_id([wire.gid("Order", order_id) for order_id in numbers])
        return list(self._snapshots(found, read_at=read_at, fresh=True))

    async def proofs(self, order_ids: Sequence[str], seal: Seal) -> dict[str, tuple[str, ...]]:
        """Read whose these orders are, and return nothing but proofs of it."""
        ids = [wire.gid("Order", order_id) for order_id in dict.fromkeys(order_ids) if wire.is_number(order_id)]
        found: dict[str, tuple[str, ...]] = {}
        for start in range(0, len(ids), ORDERS_PAGE):
            asked = {"ids": ids[start : start + ORDERS_PAGE]}
            found |= contacts.proofs(await self._graphql.ask(CONTACTS, asked, ContactsData), seal)
        return found

    def _snapshots(
        self, found: Iterable[OrderNode], *, read_at: Instant, fresh: bool = False
    ) -> tuple[OrderSnapshot, ...]:
        made = []
        for node in found:
            for variant, item in order_nodes.variants([node]):
                self._known.learn_variant(variant, item)
            made.append(orders.snapshot(order_nodes.facts(node), read_at=read_at, fresh=fresh))
        return tuple(made)

    async def _whole(self, nodes: Sequence[OrderNode]) -> list[OrderNode]:
        """Return the orders of a page, those that it cuts off read again by id; one deleted meanwhile is gone."""
        cut = [node.id for node in nodes if order_nodes.is_cut(node, lines=FEED_LINES, parts=FEED_PARTS)]
        if not cut:
            return list(nodes)
        again = {node.id: node for node in await self._by_id(cut)}
        return [again[node.id] if node.id in cut else node for node in nodes if node.id in again or node.id not in cut]

    async def _by_id(self, ids: Sequence[str]) -> list[OrderNode]:
        found: list[OrderNode] = []
        for start in range(0, len(ids), ORDERS_PAGE):
            for node in await self._read(ids[start : start + ORDERS_PAGE]):
                whole = await self._completed(node)
                if whole is not None:
                    found.append(whole)
        return found

    async def _read(self, ids: Sequence[str]) -> list[OrderNode]:
        answer = await self._graphql.ask(self._single, {"ids": list(ids)}, order_nodes.OrdersByIdData)
        return order_nodes.found(answer)

    async def _completed(self, node: OrderNode) -> OrderNode | None:
        """Return an order with all its parts of one moment; None where it was deleted meanwhile.

        Raises `TransientError` where it keeps changing while it is read.
        """
        for _ in range(MOST_ROUNDS):
            whole = await self._complete(node)
            if whole is not None:
                return whole
            again = await self._read([node.id])
            if not again:
                return None
            node = again[0]
        raise TransientError("Shopify: an order keeps changing while it is read")

    async def _complete(self, node: OrderNode) -> OrderNode | None:
        """Return an order with what its first page did not hold; None where it changed or went in between."""
        changed_at = node.updated_at
        inside = order_nodes.is_cut_inside(node, lines=LIST_PAGE, parts=LIST_PAGE)
        while node.line_items.page_info.has_next_page:
            after = node.line_items.page_info.end_cursor
            page = await self._graphql.ask(ORDER_LINES, {"id": node.id, "after": after}, order_nodes.OrderLinesData)
            if page.order is None or page.order.updated_at != changed_at:
                return None
            node = order_nodes.with_lines(node, page.order.line_items)
        if inside:
            tails = await self._graphql.ask(ORDER_TAILS, {"id": node.id}, order_nodes.OrderTailsData)
            if tails.order is None or tails.order.updated_at != changed_at:
                return None
            node = order_nodes.with_tails(node, tails.order)
        return node
