"""Explanations and post-mortems on SQLite and on PostgreSQL: the same shop, the same answers."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from syncd.core.crossings import incidents
from syncd.core.terms import SECOND_US
from syncd.engine.why import explain
from syncd.store.views_history import order_histories, resent_writes, sku_histories
from tests.real_servers import Missing, Postgres, postgres, skip_or_fail
from tests.web.rig import Rig, running, settings_of


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    try:
        with postgres() as found:
            yield found
    except Missing as missing:
        skip_or_fail(missing)


@pytest.fixture(params=["", pytest.param("postgres", marks=pytest.mark.real)], ids=["sqlite", "postgres"])
async def shop(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rig]:
    """Give a shop whose store is one or the other."""
    settings = settings_of(tmp_path, ["shop", "mall"])
    if not request.param:
        async with running(tmp_path, settings=settings) as rig:
            yield rig
        return
    with request.getfixturevalue("server").database(f"syncd_{secrets.token_hex(6)}") as url:
        settings = replace(settings, daemon=replace(settings.daemon, database_url=url))
        async with running(tmp_path, settings=settings) as rig:
            yield rig


async def test_both_stores_explain(shop: Rig) -> None:
    """A kit's sale that crosses one of its component is explained alike, whatever the store."""
    await shop.know("A", KIT={"A": 2})
    await shop.catalogue("shop", ("s1", "A"), ("s2", "KIT"))
    await shop.catalogue("mall", ("m1", "A"))
    await shop.see("shop", s1=9)
    await shop.count(A=3)
    told = await explain(shop.plant, "KIT")
    assert told is not None
    assert [(one.remote_id, one.target) for one in told.listings] == [("s2", 1)]
    shop.clock.instant += 100 * SECOND_US
    await shop.order("shop", "S-1", ("s2", "KIT", 1))
    await shop.order("mall", "M-1", ("m1", "A", 2), ordered_at=shop.clock.instant + 5 * SECOND_US)
    read = shop.plant.store.read
    (history,) = await read(lambda conn: sku_histories(conn, "A", since=None)) or []
    (incident,) = incidents(history)
    assert [(loser.sale.account, loser.lost, loser.cause) for loser in incident.losers] == [("mall", 1, "lag")]
    assert await read(lambda conn: order_histories(conn, "S-1", account="", since=None)) == (["shop/o-S-1"], [history])
    assert await read(resent_writes) == {}
    late = shop.clock.instant + SECOND_US
    (rest,) = await read(lambda conn: sku_histories(conn, "A", since=late)) or []
    assert (rest.movements, rest.before) == ((), (3, 4, 0))
