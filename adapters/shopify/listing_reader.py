"""Reads what is for sale and what it shows: by pages in small shops, by bulk operations in large ones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import msgspec

from adapters.shopify import bulk, catalogue, wire
from adapters.shopify.catalogue import Good, Known
from adapters.shopify.documents import BULK_LEVELS, BULK_VARIANTS, LEVELS, LOCATIONS, VARIANTS
from adapters.shopify.graphql import GraphQL
from adapters.shopify.settings import ShopifySettings
from syncd.sdk.channel import AsyncSeen, Clock, ListingInfo, ListingPage, ListingRef, Seen
from syncd.sdk.errors import ProtocolError
from syncd.sdk.strict import decode

PAGES_BEFORE_BULK = 20
"""A catalogue longer than this (5,000 variants) is read by bulk operations instead."""
BATCH = 1_000
"""Listings or readings per page of a bulk file."""
LINES_PER_STEP = 5_000
"""Lines of a bulk file that one call reads at most before it answers."""
LONGEST_PAUSE_S = 10.0
"""The longest wait for a bulk operation within one call; the next call goes on waiting."""


class Place(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a reading of the catalogue stands: a page, or the number of a step of a bulk reading."""

    after: str | None = None
    pages: int = 0
    step: int = 0


class ListingReader:
    """Reads the listings of one shop."""

    def __init__(self, graphql: GraphQL, *, settings: ShopifySettings, known: Known, clock: Clock) -> None:
        self._graphql = graphql
        self._settings = settings
        self._known = known
        self._clock = clock
        self._bulk = bulk.Bulk(graphql, clock)
        self._places: tuple[wire.LocationNode, ...] | None = None
        self._steps: AsyncGenerator[list[ListingInfo], None] | None = None
        self._step = 0

    async def locations(self) -> tuple[str, ...]:
        """Return the numbers of the locations that syncd works on, in a stable order."""
        if self._settings.locations:
            return tuple(sorted(self._settings.locations))
        return tuple(
            wire.number(place.id)
            for place in await self.places()
            if place.is_active and place.ships_inventory and not place.is_fulfillment_service
        )

    async def places(self) -> tuple[wire.LocationNode, ...]:
        """Return all locations of the shop, as they were when they were read last."""
        if self._places is None:
            found: list[wire.LocationNode] = []
            after: str | None = None
            more = True
            while more:
                answer = await self._graphql.ask(LOCATIONS, {"after": after}, wire.LocationsData)
                found.extend(answer.locations.nodes)
                after, more = answer.locations.page_info.end_cursor, answer.locations.page_info.has_next_page
            self._places = tuple(found)
        return self._places

    def forget_places(self) -> None:
        """Have the locations read again when they are wanted next."""
        self._places = None

    async def page(self, text: str | None) -> ListingPage:
        """Read a page of the catalogue. A page without listings is no end: a bulk operation is still running."""
        place = _place(text)
        if text is None:
            self.forget_places()
        if place.step:
            return await self._next_step(place.step)
        if place.pages >= PAGES_BEFORE_BULK:
            return ListingPage(listings=(), cursor=_text(Place(step=1)))
        answer = await self._graphql.ask(VARIANTS, {"after": place.after}, catalogue.VariantsData)
        self._known.learn_goods(answer.product_variants.nodes)
        listings = await self._listings(catalogue.items(answer.product_variants.nodes))
        info = answer.product_variants.page_info
        following = Place(after=info.end_cursor, pages=place.pages + 1)
        return ListingPage(listings=tuple(listings), cursor=_text(following) if info.has_next_page else None)

    async def _listings(self, goods: dict[str, Good]) -> list[ListingInfo]:
        ids = [wire.gid("InventoryItem", item) for item in goods]
        found: list[ListingInfo] = []
        for location in await self.locations() if ids else ():
            answer = await self._graphql.ask(
                LEVELS, {"ids": ids, "locationId": wire.gid("Location", location)}, wire.LevelsData
            )
            for ref, active in catalogue.levels(answer.nodes, location):
                found.append(self._listing(ref, goods[ref.remote_id], active=active))
        return found

    def _listing(self, ref: ListingRef, good: Good, *, active: bool) -> ListingInfo:
        self._known.learn_level(ref, active=active)
        return catalogue.listing(ref, good, stocked=active or self._settings.activate_levels)

    # --- in bulk -----------------------------------------------------------------------------------------------------

    async def _next_step(self, step: int) -> ListingPage:
        """Go on with the bulk reading that is at this step; one that is not there any more begins anew."""
        if self._steps is None or self._step != step:
            await self.close()
            self._steps = self._run()
        steps, self._steps = self._steps, None
        listings = await anext(steps, None)
        if listings is None:
            return ListingPage(listings=(), cursor=None)
        # Kept only after a step that went well: after a fault the next call begins anew.
        self._steps, self._step = steps, step + 1
        return ListingPage(listings=tuple(listings), cursor=_text(Place(step=self._step)))

    async def close(self) -> None:
        """End a bulk reading that is still open."""
        steps, self._steps = self._steps, None
        if steps is not None:
            await steps.aclose()

    async def _run(self) -> AsyncGenerator[list[ListingInfo], None]:
        """Yield the catalogue out of two bulk files; empty lists while there is nothing yet."""
        chosen = frozenset(await self.locations())
        jobs = [await self._bulk.start(query) for query in (BULK_VARIANTS, BULK_LEVELS)]
        ended: list[bulk.Operation] = []
        pause_s = bulk.FIRST_POLL_S
        while len(ended) < len(jobs):
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * bulk.POLL_GROWTH, LONGEST_PAUSE_S)
            operation = await self._bulk.look(jobs[len(ended)])
            if operation is not None:
                ended.append(operation)
            yield []
        goods: dict[str, Good] = {}
        async with aclosing(self._read_goods(ended[0], goods)) as steps:
            async for _ in steps:
                yield []
        async with aclosing(self._read_levels(ended[1], goods, chosen)) as batches:
            async for batch in batches:
                yield batch

    async def _read_goods(self, operation: bulk.Operation, goods: dict[str, Good]) -> AsyncGenerator[None, None]:
        """Fill `goods` from the file of BULK_VARIANTS, yielding now and then."""
        count = 0
        async with aclosing(self._bulk.lines(operation)) as lines:
            async for line in lines:
                variant = wire.shape(line, catalogue.VariantNode)
                self._known.learn_goods([variant])
                goods.setdefault(wire.number(variant.inventory_item.id), catalogue.good(variant))
                count += 1
                if count % LINES_PER_STEP == 0:
                    yield

    async def _read_levels(
        self, operation: bulk.Operation, goods: dict[str, Good], chosen: frozenset[str]
    ) -> AsyncGenerator[list[ListingInfo], None]:
        """Yield the listings of the file of BULK_LEVELS; fewer, or none, where many lines are of other locations."""
        batch: list[ListingInfo] = []
        count = 0
        async with aclosing(self._bulk.levels(operation)) as lines:
            async for line in lines:
                ref = _ref(line)
                good = goods.get(ref.remote_id)
                if good is not None and ref.remote_location in chosen:
                    batch.append(self._listing(ref, good, active=line.is_active))
                count += 1
                if len(batch) == BATCH or count % LINES_PER_STEP == 0:
                    yield batch
                    batch = []
        yield batch

    # --- what is shown -----------------------------------------------------------------------------------------------

    async def seen(self, refs: Sequence[ListingRef]) -> list[Seen]:
        """Read what is shown, one request per location. What has no level there, or is no listing of ours, is gone."""
        found: dict[ListingRef, Seen] = {}
        for location in dict.fromkeys(ref.remote_location for ref in refs):
            group = [ref for ref in refs if ref.remote_location == location]
            found.update(await self._seen_at(location, group))
        return [found[ref] for ref in refs]

    async def _seen_at(self, location: str, refs: Sequence[ListingRef]) -> dict[ListingRef, Seen]:
        asked_at = self._clock.now()
        askable = [ref for ref in refs if wire.is_number(ref.remote_id) and wire.is_number(location)]
        nodes: Sequence[wire.ItemNode | None] = ()
        if askable:
            ids = [wire.gid("InventoryItem", ref.remote_id) for ref in askable]
            answer = await self._graphql.ask(
                LEVELS, {"ids": ids, "locationId": wire.gid("Location", location)}, wire.LevelsData
            )
            nodes = answer.nodes
        if len(nodes) != len(askable):
            raise ProtocolError(f"Shopify: {len(nodes)} items for {len(askable)} that were asked for")
        levels = {ref: node.inventory_level if node else None for ref, node in zip(askable, nodes, strict=True)}
        return {ref: self._seen(ref, levels.get(ref), asked_at=asked_at) for ref in refs}

    def _seen(self, ref: ListingRef, level: wire.LevelNode | None, *, asked_at: int) -> Seen:
        active = level is not None and level.is_active
        if level is not None:
            self._known.learn_level(ref, active=active)
        return Seen(
            ref=ref,
            quantity=None if level is None else wire.available(level.quantities),
            asked_at=asked_at,
            answered_at=self._clock.now(),
            active=active,
        )

    async def seen_all(self) -> AsyncSeen:
        """Start a bulk operation over all levels and return an iterator of what it found.

        What a row shows was true at some moment between the start of the operation and its end.
        """
        chosen = frozenset(await self.locations())
        return _Batches(self._seen_in(await self._bulk.start(BULK_LEVELS), chosen))

    async def _seen_in(self, job: bulk.Job, chosen: frozenset[str]) -> AsyncGenerator[list[Seen], None]:
        operation = await self._bulk.wait(job)
        answered_at = self._clock.now()
        batch: list[Seen] = []
        async with aclosing(self._bulk.levels(operation)) as lines:
            async for line in lines:
                ref = _ref(line)
                if ref.remote_location in chosen:
                    self._known.learn_level(ref, active=line.is_active)
                    batch.append(_row(line, ref, asked_at=job.asked_at, answered_at=answered_at))
                if len(batch) == BATCH:
                    yield batch
                    batch = []
        if batch:
            yield batch


class _Batches:
    """A generator of batches in the form of the contract."""

    def __init__(self, batches: AsyncGenerator[list[Seen], None]) -> None:
        self._batches = batches

    def __aiter__(self) -> _Batches:
        return self

    async def __anext__(self) -> list[Seen]:
        return await anext(self._batches)

    async def aclose(self) -> None:
        """End the reading early."""
        await self._batches.aclose()


def _ref(line: bulk.LevelLine) -> ListingRef:
    return ListingRef(remote_id=wire.number(line.parent), remote_location=wire.number(line.location.id))


def _row(line: bulk.LevelLine, ref: ListingRef, *, asked_at: int, answered_at: int) -> Seen:
    return Seen(
        ref=ref,
        quantity=wire.available(line.quantities),
        asked_at=asked_at,
        answered_at=answered_at,
        active=line.is_active,
    )


def _place(text: str | None) -> Place:
    return Place() if text is None else decode(text, Place)


def _text(place: Place) -> str:
    return msgspec.json.encode(place).decode()
