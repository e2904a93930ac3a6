"""Tokens of the API: of each only a hash is kept, with what it may do."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, select, update

from syncd.core.terms import Instant
from syncd.store.rows_web import TokenRow
from syncd.store.statements import insert_one, table

_TOKEN = table(TokenRow)


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token as the store knows it. `digest` is the SHA-256 of all of it, `public_id` the part that names it."""

    name: str
    public_id: str
    scope: str
    digest: str
    created_at: Instant
    created_by: str = ""
    last_used_at: Instant | None = None
    revoked_at: Instant | None = None


def add(conn: Connection, token: Token) -> bool:
    """Keep a new token; return False where its name or id is taken, also by a revoked one."""
    values = {
        "name": token.name,
        "public_id": token.public_id,
        "scope": token.scope,
        "digest": token.digest,
        "created_at": token.created_at,
        "created_by": token.created_by,
    }
    return insert_one(conn, TokenRow, values) is not None


def by_id(conn: Connection, public_id: str) -> Token | None:
    """Return the token that has this id and was not revoked."""
    c = _TOKEN.c
    row = conn.execute(select(_TOKEN).where(c.public_id == public_id, c.revoked_at.is_(None))).mappings().first()
    return None if row is None else _token(row)


def all_of_them(conn: Connection) -> list[Token]:
    """Return every token, revoked ones too, the oldest first."""
    return [_token(row) for row in conn.execute(select(_TOKEN).order_by(_TOKEN.c.id)).mappings()]


def revoke(conn: Connection, name: str, *, now: Instant) -> bool:
    """End a token; return False where none of this name is in use."""
    c = _TOKEN.c
    done = conn.execute(update(_TOKEN).where(c.name == name, c.revoked_at.is_(None)).values(revoked_at=now))
    return done.rowcount > 0


def used(conn: Connection, public_id: str, *, now: Instant) -> None:
    """Note when a token was used."""
    conn.execute(update(_TOKEN).where(_TOKEN.c.public_id == public_id).values(last_used_at=now))


def _token(row: object) -> Token:
    values = dict(row)  # type: ignore[call-overload]  # a row mapping is one, and SQLAlchemy does not say so
    values.pop("id")
    return Token(**values)
