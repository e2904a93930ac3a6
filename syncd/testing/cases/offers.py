"""Private sales: units for whoever has the link, and for nobody else; for channels that have them."""

# ruff: noqa: D401  (the docstring of a case is a sentence of expected behaviour, as that of a test)

from __future__ import annotations

from syncd.core.terms import SECOND_US, Instant, ListingRef, OrderSnapshot
from syncd.sdk.errors import RejectedError, TransientError
from syncd.sdk.features import Offer, OfferRequest, PrivateSale, Withdrawal
from syncd.testing.casebook import Group
from syncd.testing.simulators import Refusal, Shown
from syncd.testing.stage import NotApplicable, Stage, hold

OFFERS = Group("offers")
NOBODY = ListingRef(remote_id="syncd/no-such-listing")
LIFE_S = 7_200.0
FOUND_WITHIN_S = 600.0
"""How long a channel may take until what is there is found by its key."""
TRIES = 6


@OFFERS.case
async def it_takes_its_units_off_the_listing(stage: Stage) -> None:
    """A private sale takes its units off what is shown, below zero too, and is found by its key."""
    channel, shown = _selling(stage), _goods(stage, 1)
    made = await channel.make_offer(_request(stage, "one", shown, 3))
    hold(made.offer_id and made.link, "a private sale has no id or no link")
    hold(stage.truth(shown.ref) == -2, "a private sale did not take its units off the listing")
    await stage.comes_true(
        lambda: _shows(stage, shown.ref, -2), "the units of a private sale are still read", within_s=FOUND_WITHIN_S
    )
    await stage.comes_true(
        lambda: _is_found(channel, "one", made), "a private sale is not found by its key", within_s=FOUND_WITHIN_S
    )
    hold(await channel.find_offer("two") is None, "a key that nobody has is found")


@OFFERS.case
async def whoever_has_the_link_buys_it_once(stage: Stage) -> None:
    """The order states the key and takes nothing more off the listing; other orders state none; it cannot be ended."""
    channel, shown = _selling(stage), _goods(stage, 5)
    cursor = await stage.start()
    made = await channel.make_offer(_request(stage, "one", shown, 2))
    stage.simulator.pay_offer(made.offer_id)
    other = stage.simulator.buy([(shown.sku, 1)])
    hold(stage.truth(shown.ref) == 2, "paying a private sale took its units once more")
    await stage.comes_true(lambda: _told(stage, cursor, "one"), "no order states its private sale", within_s=600.0)
    fetched = await stage.channel.fetch([order.order_id for order in await _orders(stage, cursor)])
    offers = {order.number: (order.offer, sum(line.quantity for line in order.lines)) for order in fetched}
    hold(offers.pop(other.number) == ("", 1), "an order of nobody's private sale states one")
    hold(list(offers.values()) == [("one", 2)], "an order that was read does not state its private sale")
    ended = await channel.withdraw_offer(made.offer_id)
    hold(ended.end is Withdrawal.BOUGHT, f"a private sale that is bought ended as {ended.end.value}")
    hold(ended.order_id in ("", fetched[0].order_id, fetched[-1].order_id), "the order that came of it is another")
    hold(not _buys(stage, made), "a private sale was bought twice")


@OFFERS.case
async def ended_it_gives_its_units_back(stage: Stage) -> None:
    """A private sale that is ended puts its units back once, sells nothing, and is gone when it is ended again."""
    channel, shown = _selling(stage), _goods(stage, 5)
    made = await channel.make_offer(_request(stage, "one", shown, 2))
    ends = [(await channel.withdraw_offer(made.offer_id)).end for _ in range(2)]
    hold(ends == [Withdrawal.WITHDRAWN, Withdrawal.GONE], f"it ended as {', '.join(end.value for end in ends)}")
    hold(stage.truth(shown.ref) == 5, "the units of a private sale that was ended are not back")
    hold(not _buys(stage, made), "a private sale that was ended was bought")


@OFFERS.case
async def it_lapses_by_itself(stage: Stage) -> None:
    """After its time the units are back on the listing without anybody's doing."""
    channel, shown = _selling(stage), _goods(stage, 5)
    await channel.make_offer(_request(stage, "one", shown, 2))
    await stage.wait(LIFE_S + 1.0)
    hold(stage.truth(shown.ref) == 5, "the units of a private sale whose time is over are not back")


@OFFERS.case
async def what_is_not_there_is_refused(stage: Stage) -> None:
    """A listing that is not there is refused for good, and nothing changes."""
    channel, before = _selling(stage), [shown.quantity for shown in stage.simulator.shown()]
    request = OfferRequest(key="one", ref=NOBODY, quantity=1, until=_later(stage))
    error = await stage.attempt(channel.make_offer(request))
    hold(isinstance(error, RejectedError), f"a listing that is not there ended as {type(error).__name__}")
    hold([shown.quantity for shown in stage.simulator.shown()] == before, "a refused private sale changed a number")


@OFFERS.case
async def lost_answers_make_each_at_most_once(stage: Stage) -> None:
    """Where answers are lost a private sale is there once or not at all, and what was not sent is not there."""
    channel, shown = _selling(stage), _goods(stage, 50)
    doubtful = 0
    for number in range(TRIES):
        before = stage.truth(shown.ref)
        stage.trouble(cut_after_effect=0.6)
        found = await stage.attempt(channel.make_offer(_request(stage, f"key{number}", shown, 1)))
        stage.trouble()
        after = stage.truth(shown.ref)
        hold(before - after in (0, 1), "one request made several private sales")
        if isinstance(found, Offer):
            hold(after == before - 1, "a private sale that was made took nothing")
        elif isinstance(found, TransientError) and found.sent:
            doubtful += 1
        else:
            hold(after == before, "what was said not to be sent took units")
        if after < before:
            await stage.comes_true(
                lambda key=f"key{number}": channel.find_offer(key),  # type: ignore[misc]  # mypy cannot infer a lambda with a default
                "a private sale whose answer was lost is not found",
                within_s=FOUND_WITHIN_S,
            )
    hold(doubtful < TRIES, "every answer got lost: the case has shown nothing")


def _selling(stage: Stage) -> PrivateSale:
    channel = stage.channel
    if not isinstance(channel, PrivateSale) or not channel.sells_privately:
        raise NotApplicable("the channel sells nothing in private, or its settings do not say so")
    hold(stage.profile.shows_negative, "private sales go below zero, and the profile denies that")
    return channel


def _goods(stage: Stage, quantity: int) -> Shown:
    """Return the first listing, which shows so many units from now on."""
    shown = stage.goods(1)[0]
    stage.simulator.set_shown(shown.ref, quantity)
    return Shown(ref=shown.ref, sku=shown.sku, quantity=quantity)


def _later(stage: Stage) -> Instant:
    return stage.clock.now() + round(LIFE_S * SECOND_US)


def _request(stage: Stage, key: str, shown: Shown, quantity: int) -> OfferRequest:
    return OfferRequest(key=key, ref=shown.ref, quantity=quantity, until=_later(stage))


async def _shows(stage: Stage, ref: ListingRef, quantity: int) -> bool:
    return await stage.numbers([ref]) == [quantity]


async def _is_found(channel: PrivateSale, key: str, made: Offer) -> bool:
    return await channel.find_offer(key) == made


async def _orders(stage: Stage, cursor: str) -> tuple[OrderSnapshot, ...]:
    return (await stage.scan(cursor)).orders


async def _told(stage: Stage, cursor: str, key: str) -> bool:
    told = await _orders(stage, cursor)
    return sorted(order.offer for order in told) == ["", key]


def _buys(stage: Stage, made: Offer) -> bool:
    try:
        stage.simulator.pay_offer(made.offer_id)
    except Refusal:
        return False
    return True
