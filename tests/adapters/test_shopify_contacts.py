"""Whose an order of Shopify is: proofs come, and nothing else."""

from __future__ import annotations

from graphql import parse, validate

from adapters.shopify.contacts import CONTACTS, ContactNode
from adapters.shopify.simulated import api
from syncd.core.proofs import ProofKind, Seal
from syncd.core.terms import AccountId
from syncd.sdk.features import Proofs
from syncd.testing.trade import CANARY_MAIL, CANARY_NAME, CANARY_PHONE
from tests.adapters.shopify_stage import Stage, play

SEAL = Seal(key=b"k" * 32, account=AccountId("shopify"))


def test_orders_are_told_by_proofs_alone() -> None:
    """The proofs are those of the order's mail and phone; an id that is none is left out; nothing personal comes."""

    async def scene(stage: Stage) -> None:
        assert isinstance(stage.channel, Proofs)
        receipt = stage.shop.buy([("SKU-00001", 1)])
        found = await stage.channel.proofs([receipt.order_id, "999999999", "x"], SEAL)
        assert {name: set(told) for name, told in found.items()} == {
            receipt.order_id: {
                SEAL(receipt.order_id, ProofKind.MAIL, CANARY_MAIL),
                SEAL(receipt.order_id, ProofKind.PHONE, CANARY_PHONE),
            }
        }
        assert not [word for word in (CANARY_MAIL, CANARY_NAME, CANARY_PHONE) if word in repr(found)]

    play(scene)


def test_what_was_read_is_not_shown() -> None:
    """The shape that holds mail and phone for a moment does not print them."""
    assert repr(ContactNode(id="1", email=CANARY_MAIL, phone=CANARY_PHONE)) == "ContactNode(id='1')"


def test_the_question_fits_the_schema() -> None:
    """The document is valid, and asks for nothing but id, mail and phone."""
    assert validate(api.schema(), parse(CONTACTS.text)) == []
    assert CONTACTS.text.endswith("{ id email phone } } }")
