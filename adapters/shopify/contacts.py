"""Whose an order is: mail and phone are read to make proofs of them, and forgotten before the call ends.

`Order.email` and `Order.phone` are protected customer data of level 2 (shopify.dev, "Protected customer data", 2026):
an app without that right is refused, and then there are no proofs.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from adapters.shopify.documents import Document
from adapters.shopify.wire import number
from syncd.sdk.features import ProofKind, Seal
from syncd.sdk.strict import decode

CONTACTS: Final = Document(
    name="SyncdOrderContacts",
    cost=1,
    text="query SyncdOrderContacts($ids: [ID!]!) { nodes(ids: $ids) { ... on Order { id email phone } } }",
)


class ContactNode(msgspec.Struct, frozen=True):
    """Whose an order is; never kept, never shown."""

    id: str
    email: str | None = None
    phone: str | None = None

    def __repr__(self) -> str:
        """Show the order alone."""
        return f"ContactNode(id={self.id!r})"


class ContactsData(msgspec.Struct, frozen=True):
    """Answer of SyncdOrderContacts: one entry per id; what is no order comes as null or as an empty object."""

    nodes: list[msgspec.Raw]


def proofs(answer: ContactsData, seal: Seal) -> dict[str, tuple[str, ...]]:
    """Return the proofs of each order that is there, by its id."""
    return {number(node.id): tuple(_of(node, seal)) for node in _nodes(answer)}


def _nodes(answer: ContactsData) -> Iterable[ContactNode]:
    return (decode(bytes(raw), ContactNode) for raw in answer.nodes if bytes(raw) not in {b"null", b"{}"})


def _of(node: ContactNode, seal: Seal) -> Iterable[str]:
    for kind, text in ((ProofKind.MAIL, node.email), (ProofKind.PHONE, node.phone)):
        if text and (made := seal(number(node.id), kind, text)):
            yield made
