"""The tables of the API: its tokens, and answers that are kept for repeats."""

from __future__ import annotations

from sqlalchemy import Column, Index, LargeBinary, UniqueConstraint
from sqlmodel import Field, SQLModel

from syncd.store.columns import identity, instant


class TokenRow(SQLModel, table=True):
    """A token of the API; of the token itself only a hash is kept."""

    __tablename__ = "api_token"
    __table_args__ = (
        UniqueConstraint("name", name="api_token_name"),
        UniqueConstraint("public_id", name="api_token_id"),
    )
    id: int | None = Field(default=None, sa_column=identity())
    name: str
    public_id: str
    scope: str
    digest: str
    created_at: int = Field(sa_column=instant())
    created_by: str = ""
    last_used_at: int | None = Field(default=None, sa_column=instant(nullable=True))
    revoked_at: int | None = Field(default=None, sa_column=instant(nullable=True))


class AnswerRow(SQLModel, table=True):
    """An answer that was given under an idempotency key of a token (`owner`)."""

    __tablename__ = "api_answer"
    __table_args__ = (UniqueConstraint("owner", "key", name="api_answer_once"), Index("api_answer_at", "at", "id"))
    id: int | None = Field(default=None, sa_column=identity())
    owner: str
    key: str
    fingerprint: str
    status: int
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    at: int = Field(sa_column=instant())
