"""What becomes of a write to Amazon: which are not sent, and what an answer means: pure."""

from __future__ import annotations

from collections.abc import Sequence

from adapters.amazon.feeds import reason
from adapters.amazon.wire import Offer, Submission, first_error
from syncd.sdk.channel import Outcome, OutcomeKind, Write
from syncd.sdk.errors import AuthError, ChannelError, RejectedError, TransientError

ACCEPTED_WORDS = frozenset({"ACCEPTED", "VALID"})
INVALID = "INVALID"
FULFILLED_BY_AMAZON = "fulfilled by Amazon (FBA): a quantity of ours would turn it into an offer that the shop ships"
NOT_THERE = "no listing with this SKU"


def refused(write: Write, offer: Offer | None) -> Outcome | None:
    """Return the outcome of a write that is never sent; `offer` is what is known after reading.

    A quantity for goods in Amazon's warehouses would turn the offer into one that the seller ships (SP-API docs,
    changelog, clarification on the inventory feed's quantity; selling-partner-api-models issue 2061).
    """
    if offer is None:
        return rejected(write, NOT_THERE)
    if offer.fulfilled_by_amazon:
        return rejected(write, FULFILLED_BY_AMAZON)
    return None


def waits_for_feed(write: Write, offer: Offer | None, in_feed: int | None) -> bool:
    """Say whether a write has to wait until the open feed that holds its SKU has ended.

    In which order a feed and a later patch take effect is not known (selling-partner-api-samples discussion 109).
    What lowers the number, or may lower it, never waits: it goes out at once, and is verified until the feed's
    deadline. Only what certainly raises it waits.
    """
    if in_feed is None or write.quantity <= in_feed:
        return False
    shown = offer.shown if offer is not None else None
    return shown is not None and write.quantity > shown


def rejected(write: Write, why: str) -> Outcome:
    """Return a refusal for good."""
    return Outcome(key=write.key, kind=OutcomeKind.REJECTED, reason=why)


def unsent(write: Write, why: str) -> Outcome:
    """Return that a write had certainly no effect and may be sent again."""
    return Outcome(key=write.key, kind=OutcomeKind.UNSENT, reason=why)


def unknown(write: Write, why: str, effect_s: float | None = None) -> Outcome:
    """Return that nobody knows how a write ended."""
    return Outcome(key=write.key, kind=OutcomeKind.INDETERMINATE, reason=why, effect_s=effect_s)


def taken(write: Write, effect_s: float, why: str = "") -> Outcome:
    """Return that Amazon took a write and it may be in effect within so many seconds."""
    return Outcome(key=write.key, kind=OutcomeKind.ACCEPTED, reason=why, effect_s=effect_s)


def every_unsent(writes: Sequence[Write], why: str) -> list[Outcome]:
    """Return the same for every write."""
    return [unsent(write, why) for write in writes]


def judged(write: Write, answer: Submission, *, effect_s: float) -> Outcome:
    """Return what the answer to a patch means: HTTP 200 says nothing, the status does."""
    if answer.status in ACCEPTED_WORDS:
        return taken(write, effect_s)
    if answer.status == INVALID:
        issue = first_error(answer.issues)
        if issue is None:
            return rejected(write, "refused as invalid, without a reason")
        return rejected(write, reason(issue.code, ", ".join(issue.attribute_names[:3]), issue.message))
    return unknown(write, f"the status {answer.status[:20]!r} is not known", effect_s)


def failed(write: Write, fault: ChannelError, *, effect_s: float) -> Outcome:
    """Return what a patch without a good answer means."""
    match fault:
        case RejectedError():
            return rejected(write, str(fault))
        case AuthError():
            return unsent(write, str(fault))
        case TransientError(sent=False):
            return unsent(write, str(fault))
    return unknown(write, str(fault), effect_s)
