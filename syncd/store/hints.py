"""What a channel's message means as entries of the inbox: of a webhook and of a queue alike."""

from __future__ import annotations

from syncd.core.facts import AccountFact, AccountState, Fact, HintFact, OrderFact
from syncd.core.terms import AccountId
from syncd.sdk.channel import Notice
from syncd.store.inbox import Entry


def entries_of(account: AccountId, notice: Notice) -> list[Entry]:
    """Return the facts in a notice, each under a key made of the delivery's own id."""
    found: list[Fact] = [OrderFact(account=account, order=order) for order in notice.orders]
    if notice.order_ids or notice.refs or notice.catalogue:
        hint = HintFact(account=account, order_ids=notice.order_ids, refs=notice.refs, catalogue=notice.catalogue)
        found.append(hint)
    if notice.stop:
        reason = notice.text or "the channel asked to stop"
        found.append(AccountFact(account=account, state=AccountState.PAUSED, reason=reason, actor=account))
    key = notice.dedupe_key
    return [
        Entry(fact=fact, source=account, key=None if key is None else f"{key}#{number}" if number else key)
        for number, fact in enumerate(found)
    ]
