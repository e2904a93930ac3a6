"""The API of policies: what channels may show of a SKU, now and for a season."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Annotated, Any, Final, Literal

import msgspec
from aiohttp import web
from msgspec import Meta
from sqlalchemy import Connection

from syncd.core.exposure import FIELDS, overlay
from syncd.core.facts import PolicyFact, PolicyRow
from syncd.core.season import Season, in_force
from syncd.core.terms import AccountId, Instant, Sku
from syncd.sdk.errors import Problem
from syncd.settings.windows import read_season
from syncd.store import ledger, policies, seasons
from syncd.store.views import moment
from syncd.store.views_names import sku_kinds
from syncd.web.api_facts import MOST_ROWS, MOST_UNITS, Code, Forceable, Word, repeated, submit
from syncd.web.api_shape import Decided, shaped
from syncd.web.api_stock import account_problems, unknown_skus
from syncd.web.api_wire import Answer, Fault, Route, Service, bad_rows, body_of, row_problem
from syncd.web.plant import Plant

Units = Annotated[int, Meta(ge=0, le=MOST_UNITS)]
Percent = Annotated[int, Meta(ge=0, le=100)]
Dated = Annotated[str, Meta(min_length=10, max_length=40)]
Positive = Annotated[int, Meta(ge=1, le=1_000_000)]


class PolicyValues(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may be set; what is left out falls back to what comes before."""

    exposure: Literal["pool", "allotment", "adaptive"] | None = None
    loss: Positive | None = None
    safety_stock: Units | None = None
    safety_percent: Percent | None = None
    cap: Units | None = None
    share: Percent | None = None
    priority: Word | None = None
    priority_units: Units | None = None
    preorder: bool | None = None
    hide: bool | None = None
    purchase_limit: Positive | None = None


class PolicySet(PolicyValues, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one SKU may show on one account, or on all.

    With `season`, `since` and `until` it holds for that time only and ends by itself; without any value it takes the
    season away, also without its dates. Each is a time with its offset, 2026-12-04T20:00+09:00, or a whole day of the
    zone in the settings, 2026-12-04.
    """

    sku: Code
    account: Word | None = None
    season: Word = ""
    since: Dated | None = None
    until: Dated | None = None


class PolicyBody(Forceable, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Policies to set; a row replaces the one that was there."""

    rows: Annotated[tuple[PolicySet, ...], Meta(min_length=1, max_length=MOST_ROWS)]


@shaped(body=PolicyBody, answer=Decided, accepts=(200, 202))
async def post_policy(service: Service, request: web.Request) -> Answer:
    """Set policies."""
    body = await body_of(request, PolicyBody)
    codes, zone = {row.sku for row in body.rows}, service.plant.settings.policy.zone
    kinds = await service.plant.store.read(lambda conn: sku_kinds(conn, codes))
    numbered = list(enumerate(body.rows, 1))
    named = [(n, name) for n, row in numbered for name in (row.account, row.priority) if name]
    bad_rows(
        [
            *unknown_skus(((number, row.sku) for number, row in numbered), kinds),
            *account_problems(iter(named), service.plant),
            *repeated((number, (row.sku, row.account or "", row.season)) for number, row in numbered),
            *_date_problems(numbered, zone),
        ]
    )
    fact = PolicyFact(rows=tuple(_row(row, zone) for row in body.rows), actor=body.actor, forced=body.force)
    return await submit(service, fact, request_id=body.request_id)


def _date_problems(numbered: Iterable[tuple[int, PolicySet]], zone: str) -> Iterator[Problem]:
    for number, row in numbered:
        try:
            _dates(row, zone)
        except ValueError as error:
            yield row_problem(number, str(error))


def _dates(row: PolicySet, zone: str) -> tuple[Instant | None, Instant | None]:
    """Return begin and end, as in the settings; raises ValueError that says what is wrong."""
    if row.since is None and row.until is None:
        return None, None
    if row.since is None or row.until is None:
        raise ValueError("a season has a begin and an end")
    return read_season(row.since, row.until, zone=zone)


def _row(row: PolicySet, zone: str) -> PolicyRow:
    since, until = _dates(row, zone)
    return PolicyRow(
        sku=Sku(row.sku),
        account=AccountId(row.account) if row.account else None,
        season=row.season,
        since=since,
        until=until,
        **{name: getattr(row, name) for name in FIELDS},
    )


class PolicyTold(msgspec.Struct, frozen=True, kw_only=True):
    """Values that somebody set for a SKU on an account (empty: on all), and for a season where it has a name."""

    account: str
    values: dict[str, int | str | bool]
    season: str = ""
    since: datetime | None = None
    until: datetime | None = None
    holds: bool = True


class PolicyView(msgspec.Struct, frozen=True, kw_only=True):
    """The policies of a SKU: what was set for it, and what is in force on each account."""

    sku: str
    own: tuple[PolicyTold, ...]
    in_force: tuple[PolicyTold, ...]


@shaped(answer=PolicyView)
async def get_policy(service: Service, request: web.Request) -> Answer:
    """Return the policies of a SKU, and what is in force on each account."""
    code, plant = request.match_info["sku"], service.plant
    found = await plant.store.read(lambda conn: policy_view(conn, plant, code))
    if found is None:
        raise Fault(404, f"unknown SKU: {code}")
    return Answer(body=found)


def policy_view(conn: Connection, plant: Plant, code: str) -> PolicyView | None:
    """Return the policies of a SKU, None where it is not known."""
    known = ledger.skus_by_code(conn, [code]).get(Sku(code))
    if known is None:
        return None
    now, sku_id = plant.clock.now(), known.sku_id
    rows = policies.policies(conn, [sku_id]).get(sku_id, {})
    dated = seasons.of_skus(conn, [sku_id]).get(sku_id, [])
    own = [PolicyTold(account=name, values=_values(row)) for name, row in sorted(rows.items())]
    force = []
    for name in sorted(plant.roster):
        base = plant.house.policy(name, now)
        policy = overlay(
            base, *(rows[key] for key in ("", name) if key in rows), *in_force(dated, account=name, now=now)
        )
        force.append(PolicyTold(account=name, values=_values(policy)))
    return PolicyView(sku=code, own=(*own, *(_told(season, now) for season in dated)), in_force=tuple(force))


def _told(season: Season, now: Instant) -> PolicyTold:
    return PolicyTold(
        account=next(iter(season.accounts), ""),
        values=_values(season),
        season=season.name,
        since=moment(season.since),
        until=moment(season.until),
        holds=season.since <= now < season.until,
    )


def _values(holder: Any) -> dict[str, int | str | bool]:
    found = {name: getattr(holder, name) for name in FIELDS}
    return {name: value for name, value in found.items() if value is not None}


ROUTES: Final[tuple[Route, ...]] = (
    ("POST", "/policy", post_policy),
    ("GET", "/policy/{sku:.+}", get_policy),
)
