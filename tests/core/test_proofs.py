"""Proofs of a buyer: what counts as the same, and what must not be told from them."""

from __future__ import annotations

import pytest

from syncd.core.proofs import ProofKind, Seal, normalised
from syncd.core.terms import AccountId

SEAL = Seal(key=b"k" * 32, account=AccountId("shop"))


@pytest.mark.parametrize(
    ("kind", "text", "known"),
    [
        (ProofKind.MAIL, " Hana@Example.JP ", "hana@example.jp"),
        (ProofKind.MAIL, "ｈａｎａ＠example.jp", "hana@example.jp"),
        (ProofKind.MAIL, "hana", ""),
        (ProofKind.MAIL, "a@b c", ""),
        (ProofKind.MAIL, "", ""),
        (ProofKind.MAIL, "a@" + "b" * 300, ""),
        (ProofKind.PHONE, "+81 3-5550-0012", "0012"),
        (ProofKind.PHONE, "０３（５５５０）００１２", "0012"),
        (ProofKind.PHONE, "0012", "0012"),
        (ProofKind.PHONE, "012", ""),
        (ProofKind.PHONE, "", ""),
    ],
)
def test_what_people_type_is_evened_out(kind: ProofKind, text: str, known: str) -> None:
    """Case, width and blanks of a mail do not matter, and of a phone only its last four digits count."""
    assert normalised(kind, text) == known


def test_a_proof_is_of_one_order_alone() -> None:
    """The same buyer has other proofs for another order, account, kind or key, and none without mail or phone."""
    plain = SEAL("1", ProofKind.PHONE, "0012")
    others = {
        SEAL("2", ProofKind.PHONE, "0012"),
        SEAL("1", ProofKind.PHONE, "0013"),
        Seal(key=SEAL.key, account=AccountId("mall"))("1", ProofKind.PHONE, "0012"),
        Seal(key=b"x" * 32, account=AccountId("shop"))("1", ProofKind.PHONE, "0012"),
        SEAL("1", ProofKind.MAIL, "0012@a"),
    }
    assert plain == SEAL("1", ProofKind.PHONE, "+81-3-5550-0012")
    assert (len(others), plain in others, SEAL("1", ProofKind.MAIL, "no mail")) == (5, False, "")


def test_parts_cannot_run_into_each_other() -> None:
    """Where one part ends and the next begins is part of the proof."""
    one = Seal(key=SEAL.key, account=AccountId("a"))("bc", ProofKind.PHONE, "0012")
    assert one != Seal(key=SEAL.key, account=AccountId("ab"))("c", ProofKind.PHONE, "0012")


def test_a_key_has_a_name_and_is_never_shown() -> None:
    """Keys are told apart without telling them."""
    assert SEAL.key_id != Seal(key=b"x" * 32, account=AccountId("shop")).key_id
    assert "kkk" not in repr(SEAL)
