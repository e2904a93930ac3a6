"""The API of listings: what channels show, which SKU each belongs to, and reading a catalogue again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Annotated, Final

import msgspec
from aiohttp import web
from msgspec import Meta

from syncd.core.facts import HintFact, MappingFact, MappingRow
from syncd.core.terms import AccountId, ListingRef, Sku
from syncd.sdk.errors import Problem
from syncd.store import views_listings
from syncd.store.views_listings import ListingFilter
from syncd.store.views_names import known_refs, sku_kinds
from syncd.web import matching
from syncd.web.api_facts import MOST_ROWS, Code, Forceable, Said, Word, repeated, submit
from syncd.web.api_shape import Decided, Page, shaped
from syncd.web.api_stock import MOST_PAGE, account_problems
from syncd.web.api_wire import Answer, Fault, Route, Service, bad_rows, body_of, query_of, row_problem
from syncd.web.matching import Misfit, Reason, Rule
from syncd.web.plant import Plant


class ListingQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which listings; `after` is the last id of the page before."""

    account: str = ""
    text: str = ""
    unmapped: bool | None = None
    parked: bool | None = None
    held: bool | None = None
    vanished: bool | None = None
    after: Annotated[int, Meta(ge=0)] = 0
    limit: Annotated[int, Meta(ge=1, le=MOST_PAGE)] = 100


@shaped(query=ListingQuery, answer=Page[views_listings.ListingView])
async def get_listings(service: Service, request: web.Request) -> Answer:
    """Return a page of listings."""
    asked = query_of(request, ListingQuery)
    wanted = ListingFilter(
        account=asked.account,
        text=asked.text,
        unmapped=asked.unmapped,
        parked=asked.parked,
        held=asked.held,
        vanished=asked.vanished,
    )
    found = await service.plant.store.read(
        lambda conn: views_listings.listings(conn, wanted, after=asked.after, limit=asked.limit)
    )
    return Answer(body={"rows": found, "next": found[-1].id if len(found) == asked.limit else None})


class MatchQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of which account (all when empty).

    `apply` are rules with commas between: what needs no others is among the rows to be mapped. At most `limit`
    suggestions, and misfits of each reason, are told.
    """

    account: str = ""
    apply: str = ""
    limit: Annotated[int, Meta(ge=1, le=MOST_PAGE)] = 100


@shaped(query=MatchQuery)
async def get_matches(service: Service, request: web.Request) -> Answer:
    """Return which listings their own codes match to which SKUs, and what does not match and why; changes nothing.

    `rows` are the exact matches and those of the rules asked for, `suggestions` the others, `misfits` what no rule
    fits; `counts` tells how many there are of each, also beyond the limit.
    """
    asked = query_of(request, MatchQuery)
    rules = _rules(asked.apply)
    # Compared where it is read, in a thread: a large shop takes seconds, in which the loops go on.
    made = await service.plant.store.read(lambda conn: matching.report(*views_listings.codes(conn)))
    matches = [match for match in made.matches if asked.account in ("", match.account)]
    misfits = [misfit for misfit in made.misfits if asked.account in ("", misfit.account)]
    rows = [match for match in matches if rules.issuperset(match.rules)]
    rest = [match for match in matches if not rules.issuperset(match.rules)]
    counts = Counter(misfit.reason.value for misfit in misfits)
    return Answer(
        body={
            "rows": rows[:MOST_ROWS],
            "suggestions": rest[: asked.limit],
            "misfits": list(_first(misfits, asked.limit)),
            "counts": {"rows": len(rows), "suggestions": len(rest), **counts},
        }
    )


def _rules(text: str) -> frozenset[Rule]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in set(Rule)]
    if unknown:
        raise Fault(400, f"no rule is called {', '.join(unknown)}; there is: {', '.join(Rule)}")
    return frozenset(Rule(name) for name in names)


def _first(misfits: Iterable[Misfit], limit: int) -> Iterator[Misfit]:
    """Yield the first of each reason."""
    told: Counter[Reason] = Counter()
    for misfit in misfits:
        told[misfit.reason] += 1
        if told[misfit.reason] <= limit:
            yield misfit


class MappedRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One listing and its SKU; null takes the mapping away."""

    account: Word
    remote_id: Code
    sku: Code | None
    remote_location: Word = ""


class MappingBody(Forceable, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Mappings to set."""

    rows: Annotated[tuple[MappedRow, ...], Meta(min_length=1, max_length=MOST_ROWS)]


@shaped(body=MappingBody, answer=Decided, accepts=(200, 202))
async def post_mappings(service: Service, request: web.Request) -> Answer:
    """Map listings to SKUs."""
    body = await body_of(request, MappingBody)
    bad_rows(await _mapping_problems(service.plant, body))
    rows = tuple(
        MappingRow(
            account=AccountId(row.account),
            ref=ListingRef(remote_id=row.remote_id, remote_location=row.remote_location),
            sku=None if row.sku is None else Sku(row.sku),
        )
        for row in body.rows
    )
    fact = MappingFact(rows=rows, actor=body.actor, forced=body.force)
    return await submit(service, fact, request_id=body.request_id)


async def _mapping_problems(plant: Plant, body: MappingBody) -> list[Problem]:
    numbered = list(enumerate(body.rows, 1))
    codes = {row.sku for row in body.rows if row.sku is not None}
    kinds = await plant.store.read(lambda conn: sku_kinds(conn, codes))
    unknown = [
        row_problem(number, f"unknown SKU {row.sku}", "make it known by `syncd skus import`")
        for number, row in numbered
        if row.sku is not None and row.sku not in kinds
    ]
    there = {
        name: await _there(plant, body, name) for name in {row.account for row in body.rows} if name in plant.roster
    }
    return [
        *account_problems(((number, row.account) for number, row in numbered), plant),
        *unknown,
        *_missing(numbered, there),
        *repeated((number, (row.account, row.remote_id, row.remote_location)) for number, row in numbered),
    ]


async def _there(plant: Plant, body: MappingBody, name: str) -> set[ListingRef]:
    refs = {_ref(row) for row in body.rows if row.account == name}
    return await plant.store.read(lambda conn: known_refs(conn, AccountId(name), refs))


def _ref(row: MappedRow) -> ListingRef:
    return ListingRef(remote_id=row.remote_id, remote_location=row.remote_location)


def _missing(numbered: list[tuple[int, MappedRow]], there: dict[str, set[ListingRef]]) -> Iterator[Problem]:
    for number, row in numbered:
        if row.account in there and _ref(row) not in there[row.account]:
            place = f" at {row.remote_location}" if row.remote_location else ""
            message = f"{row.account} has no listing {row.remote_id}{place}"
            yield row_problem(number, message, "read its catalogue again by `syncd listings refresh`")


class RefreshBody(Said, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of which account the catalogue is read again; of all when empty."""

    account: Word = ""


@shaped(body=RefreshBody, accepts=(202,))
async def post_refresh(service: Service, request: web.Request) -> Answer:
    """Have catalogues read again soon."""
    body = await body_of(request, RefreshBody)
    names = [AccountId(body.account)] if body.account else sorted(service.plant.roster)
    for name in names:
        require_account(service.plant, name)
    await service.plant.intake.put([HintFact(account=name, catalogue=True) for name in names], source=service.source)
    return Answer(body={"refreshing": names}, status=202)


def require_account(plant: Plant, name: str) -> AccountId:
    """Return the account of this name; raises Fault 404 with the names that there are."""
    known = AccountId(name)
    if known not in plant.roster:
        raise Fault(404, f"no account is called {name}; there is: {', '.join(sorted(plant.roster)) or 'none'}")
    return known


ROUTES: Final[tuple[Route, ...]] = (
    ("GET", "/listings", get_listings),
    ("GET", "/listings/matches", get_matches),
    ("POST", "/listings/refresh", post_refresh),
    ("POST", "/mappings", post_mappings),
)
