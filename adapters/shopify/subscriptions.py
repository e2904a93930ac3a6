"""Keeps the webhook subscriptions of a shop as they should be."""

from __future__ import annotations

from adapters.shopify import topics, wire
from adapters.shopify.documents import SCOPES, WEBHOOK_CREATE, WEBHOOK_DELETE, WEBHOOK_LIST
from adapters.shopify.graphql import GraphQL
from adapters.shopify.topics import TOPICS, TOPICS_AND_OFFERS, Subscription, Topic
from syncd.sdk.channel import SubscriptionReport
from syncd.sdk.errors import ProtocolError


async def subscribe(graphql: GraphQL, url: str, *, offers: bool = False) -> SubscriptionReport:
    """Bring the subscriptions to the topics at `url`; what is right already is not touched."""
    answer = await graphql.ask(SCOPES, {}, wire.ScopesData)
    scopes = wire.scopes(answer.current_app_installation)
    wanted = TOPICS_AND_OFFERS if offers else TOPICS
    todo = topics.plan(await _existing(graphql), url=url, scopes=scopes, topics=wanted)
    for found in todo.delete:
        await _delete(graphql, found)
    restored: list[str] = []
    failed = [topic.name for topic in todo.forbidden]
    for topic in todo.create:
        made = await _create(graphql, topic, url=url)
        (restored if made else failed).append(topic.name)
    return SubscriptionReport(restored=tuple(restored), failed=tuple(failed))


async def _existing(graphql: GraphQL) -> list[Subscription]:
    found: list[Subscription] = []
    after: str | None = None
    more = True
    while more:
        answer = await graphql.ask(WEBHOOK_LIST, {"after": after}, topics.WebhooksData)
        page = answer.webhook_subscriptions
        found.extend(page.nodes)
        after, more = page.page_info.end_cursor, page.page_info.has_next_page
    return found


async def _delete(graphql: GraphQL, found: Subscription) -> None:
    """Delete a subscription of ours; one that is gone already is no fault."""
    await graphql.ask(WEBHOOK_DELETE, {"id": found.id}, topics.DeletedData)


async def _create(graphql: GraphQL, topic: Topic, *, url: str) -> bool:
    """Make a subscription and tell whether Shopify took it; a topic that it does not know is refused, not a fault."""
    try:
        answer = await graphql.ask(WEBHOOK_CREATE, topics.subscription(topic, url=url), topics.CreatedData)
    except ProtocolError:
        return False
    payload = answer.webhook_subscription_create
    return payload is not None and not payload.user_errors
