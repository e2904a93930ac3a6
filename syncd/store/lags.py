"""Measured lags over a restart: what each class of a distribution weighs, by account and stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
from sqlalchemy import Connection, select

from syncd.core.terms import AccountId, Instant
from syncd.store.rows import LagRow
from syncd.store.statements import table, upsert

_LAG = table(LagRow)
_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(dict[int, float])


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptLag:
    """A distribution of `core.lag` at rest: weights of its classes as of `latest`; `stage` is a `core.lag.Stage`."""

    account: AccountId
    stage: str
    latest: Instant
    weights: Mapping[int, float]


def save(conn: Connection, kept: Sequence[KeptLag]) -> None:
    """Write distributions, each in the place of what was kept of it before."""
    rows = [
        {"account": one.account, "stage": one.stage, "latest": one.latest, "weights": _ENCODER.encode(one.weights)}
        for one in kept
    ]
    upsert(conn, LagRow, keys=("account", "stage"), values=rows)


def load(conn: Connection) -> list[KeptLag]:
    """Return every distribution that is kept."""
    return [
        KeptLag(account=row.account, stage=row.stage, latest=row.latest, weights=_DECODER.decode(row.weights))
        for row in conn.execute(select(_LAG).order_by(_LAG.c.account, _LAG.c.stage))
    ]
