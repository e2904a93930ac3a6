"""What a snapshot of an order says, from the feed and by id."""

# ruff: noqa: D401  (the docstring of a case is a sentence of expected behaviour, as that of a test)

from __future__ import annotations

from collections.abc import Callable

from syncd.core.terms import SECOND_US, ListingRef, OrderLine, OrderSnapshot
from syncd.testing.casebook import Group
from syncd.testing.simulators import By, Receipt, Unsupported
from syncd.testing.stage import NotApplicable, Stage, hold, plain, span_holds

ORDERS = Group("orders")
FETCH = Group("fetch")

TOLERANCE_US = 60 * SECOND_US
"""How far the time of an order, which is only for people, may be off."""
MOST_FETCHED = 60


@ORDERS.case
async def lines_have_the_quantities(stage: Stage) -> None:
    """Each line names the listing that was bought from, and how many."""
    since = await stage.start()
    first, second = stage.goods(2)
    order = await stage.told(stage.simulator.buy([(first.sku, 2), (second.sku, 3)]), since)
    hold(len(order.lines) == 2, "an order of two goods has not two lines")
    hold(_line(order, first.ref).quantity == 2, "a line has another quantity than was bought")
    hold(_line(order, second.ref).quantity == 3, "a line has another quantity than was bought")
    hold(len({line.line_id for line in order.lines}) == 2, "two lines share an id")


@ORDERS.case
async def a_new_line_is_open(stage: Stage) -> None:
    """A new order is neither cancelled nor shipped nor returned."""
    since = await stage.start()
    order = await stage.told(_buy(stage), since)
    hold(not (order.cancelled or order.closed or order.test or order.fresh), "a new order is not simply open")
    done = [line for line in order.lines if line.cancelled or line.shipped or line.returned or line.gives]
    hold(not done, "a line of a new order has been cancelled, shipped or returned")


@ORDERS.case
async def the_take_contains_the_sale(stage: Stage) -> None:
    """The interval in which units were taken off contains the moment when they were."""
    since = await stage.start()
    low = stage.clock.now()
    receipt = _buy(stage)
    high = stage.clock.now()
    for line in (await stage.told(receipt, since)).lines:
        if line.take is None:
            raise AssertionError("units that were taken off are said not to be")
        fits = span_holds(line.take.earliest, line.take.latest, low=low, high=high)
        hold(fits, "the interval of a sale does not contain the sale")


@ORDERS.case
async def the_order_time_is_true(stage: Stage) -> None:
    """An order says when it was placed."""
    since = await stage.start()
    at = stage.clock.now()
    order = await stage.told(_buy(stage), since)
    hold(abs(order.ordered_at - at) <= TOLERANCE_US, "the time of the order is off by more than a minute")


@ORDERS.case
async def a_cancel_is_visible(stage: Stage) -> None:
    """A cancelled order is told as cancelled, with every unit."""
    since = await stage.start()
    receipt = _buy(stage, quantity=2)
    await stage.told(receipt, since)
    stage.simulator.cancel(receipt.order_id)
    order = await stage.told(receipt, since, lambda order: order.cancelled)
    hold(all(line.cancelled == line.quantity for line in order.lines), "a line of a cancelled order is not cancelled")


@ORDERS.case
async def a_partial_cancel_is_visible(stage: Stage) -> None:
    """One cancelled unit of two is told, and the order stands."""
    since = await stage.start()
    receipt = _buy(stage, quantity=2)
    await stage.told(receipt, since)
    try:
        stage.simulator.cancel(receipt.order_id, quantity=1)
    except Unsupported as reason:
        raise NotApplicable(str(reason)) from reason
    order = await stage.told(receipt, since, lambda order: _sum(order, lambda line: line.cancelled) == 1)
    hold(not order.cancelled, "an order of which a unit is left is said to be cancelled")
    hold(_sum(order, lambda line: line.quantity) == 2, "the ordered quantity fell by a cancel")


@ORDERS.case
async def a_shipment_is_visible(stage: Stage) -> None:
    """A shipped order is told with its units shipped."""
    since = await stage.start()
    receipt = _buy(stage, quantity=2)
    await stage.told(receipt, since)
    stage.simulator.ship(receipt.order_id)
    order = await stage.told(receipt, since, lambda order: _sum(order, lambda line: line.shipped) == 2)
    hold(not order.cancelled, "a shipped order is said to be cancelled")


@ORDERS.case
async def a_parcel_can_be_followed(stage: Stage) -> None:
    """A shipped order tells its parcels, each under an id of its own and with the number by which it is followed."""
    since = await stage.start()
    receipt = _buy(stage)
    order = await stage.told(receipt, since)
    if order.delivery is None:
        raise NotApplicable("the channel tells nothing of parcels")
    hold(not order.delivery.shipments, "an order that was not shipped has a parcel")
    stage.simulator.ship(receipt.order_id)
    order = await stage.told(
        receipt, since, lambda order: order.delivery is not None and bool(order.delivery.shipments)
    )
    parcels = order.delivery.shipments if order.delivery else ()
    hold(all(parcel.carrier and parcel.number for parcel in parcels), "a parcel has no carrier or no number")
    hold(len({parcel.shipment_id for parcel in parcels}) == len(parcels), "two parcels share an id")


@ORDERS.case
async def gives_are_what_the_shop_gave(stage: Stage) -> None:
    """Units that the channel puts back by itself are told as gives, in an interval that contains the moment."""
    since = await stage.start()
    receipt = _buy(stage, quantity=2)
    await stage.told(receipt, since)
    stage.simulator.cancel(receipt.order_id)
    await stage.calm()
    given = stage.changes(By.CANCEL)
    units = sum(entry.after - entry.before for entry in given)
    certain = await stage.told(receipt, since, lambda order: order.cancelled and _gave(order, units))
    spans = [give.span for line in certain.lines for give in line.gives if give.quantity]
    for entry in given:
        fits = any(span_holds(span.earliest, span.latest, low=entry.at, high=entry.at) for span in spans)
        hold(fits, "no give has an interval that contains the restore")


@ORDERS.case
async def no_personal_data_comes_along(stage: Stage) -> None:
    """A snapshot holds nothing of the buyer."""
    since = await stage.start()
    receipt = _buy(stage)
    order = await stage.told(receipt, since)
    fetched = await stage.channel.fetch([order.order_id])
    stage.tells_nothing([plain(order), plain(fetched)], "a snapshot of an order")


@FETCH.case
async def it_is_fresh(stage: Stage) -> None:
    """An order that was read by id says so, and what the feed brings does not."""
    order = await _known(stage)
    fetched = await stage.channel.fetch([order.order_id])
    hold([found.order_id for found in fetched] == [order.order_id], "the order that was asked for did not come")
    hold(fetched[0].fresh and not order.fresh, "fresh is not set for exactly what was read by id")
    hold(fetched[0].number == order.number, "the order has another number by id than by the feed")


@FETCH.case
async def unknown_ids_are_left_out(stage: Stage) -> None:
    """An id that does not exist is left out, and its neighbour comes."""
    order = await _known(stage)
    fetched = await stage.channel.fetch([f"{order.order_id}999999", order.order_id])
    hold([found.order_id for found in fetched] == [order.order_id], "an unknown id spoils the reading")


@FETCH.case
async def it_is_current(stage: Stage) -> None:
    """An order that was cancelled a moment ago is read as cancelled."""
    since = await stage.start()
    receipt = _buy(stage)
    order = await stage.told(receipt, since)
    stage.simulator.cancel(receipt.order_id)

    async def cancelled() -> bool:
        return all(found.cancelled for found in await stage.channel.fetch([order.order_id]))

    within_s = stage.profile.staleness_s + 1.0
    await stage.comes_true(cancelled, "an order that was cancelled is read as open", within_s=within_s)


@FETCH.large
async def it_takes_as_many_as_it_says(stage: Stage) -> None:
    """A call with `max_fetch` ids brings them all."""
    since = await stage.start()
    number = min(stage.profile.max_fetch, MOST_FETCHED)
    receipts = [stage.simulator.buy([(shown.sku, 1)]) for shown in stage.goods(number)]
    ids = sorted({order.order_id for order in await stage.all_told(receipts, since)})
    hold(len(ids) == number, "two orders share an id")
    hold({order.order_id for order in await stage.channel.fetch(ids)} == set(ids), "some orders did not come")


@FETCH.case
async def nothing_asked_nothing_read(stage: Stage) -> None:
    """No ids bring no orders."""
    hold(await stage.channel.fetch([]) == [], "orders came that nobody asked for")


def _buy(stage: Stage, *, quantity: int = 1) -> Receipt:
    return stage.simulator.buy([(stage.goods(1)[0].sku, quantity)])


async def _known(stage: Stage) -> OrderSnapshot:
    since = await stage.start()
    return await stage.told(_buy(stage), since)


def _line(order: OrderSnapshot, ref: ListingRef) -> OrderLine:
    """Return the line of a listing; a line without a location stands for any location."""
    found = [
        line
        for line in order.lines
        if line.remote_id == ref.remote_id and line.remote_location in ("", ref.remote_location)
    ]
    hold(found, "no line names the listing that was bought from")
    return found[0]


def _sum(order: OrderSnapshot, quantity: Callable[[OrderLine], int]) -> int:
    return sum(quantity(line) for line in order.lines)


def _gave(order: OrderSnapshot, units: int) -> bool:
    """Say whether so many units came back: all that certainly did, and none that cannot have."""
    gives = [give for line in order.lines for give in line.gives]
    certain = sum(give.quantity for give in gives if give.span.latest is not None)
    return certain <= units <= sum(give.quantity for give in gives)
