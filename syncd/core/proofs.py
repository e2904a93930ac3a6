"""Proofs that somebody is the buyer of an order, without keeping who that is.

What is kept is a keyed hash (BLAKE2b) of the normalised mail, or of the last four digits of the phone, together with
account and order: equal for one order only, so that two orders of one buyer have nothing in common. Without the key,
which lies beside the store and not in it, a proof tells nothing; with it a phone's four digits could be tried out.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from syncd.core.terms import AccountId

TAIL: Final = 4
"""Digits of a phone that are asked for."""
KEY_BYTES: Final = 32
LONGEST: Final = 254
"""Longest mail address (RFC 5321)."""

_MAIL: Final = re.compile(r"[^@\s]{1,64}@[^@\s]+")
_NOT_A_DIGIT: Final = re.compile(r"[^0-9]")


class ProofKind(StrEnum):
    """What proves it."""

    MAIL = "mail"
    PHONE = "phone"


def normalised(kind: ProofKind, text: str) -> str:
    """Return a mail address, or the tail of a phone, as everybody who types it would; `""` for what is neither."""
    plain = unicodedata.normalize("NFKC", text[: LONGEST + 1]).strip()
    if kind is ProofKind.MAIL:
        folded = plain.casefold()
        return folded if len(folded) <= LONGEST and _MAIL.fullmatch(folded) else ""
    digits = _NOT_A_DIGIT.sub("", plain)
    return digits[-TAIL:] if len(digits) >= TAIL else ""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Seal:
    """Turns personal data of an order into a proof, and keeps nothing of it."""

    key: bytes
    account: AccountId

    def __call__(self, order_id: str, kind: ProofKind, text: str) -> str:
        """Return the proof; `""` where the text is no mail address or no phone."""
        known = normalised(kind, text)
        if not known:
            return ""
        parts = (self.account, order_id, kind.value, known)
        data = b"".join(len(raw).to_bytes(4) + raw for raw in (part.encode("utf-8", "surrogatepass") for part in parts))
        return hashlib.blake2b(data, key=self.key, digest_size=20).hexdigest()

    @property
    def key_id(self) -> str:
        """Return what names the key: proofs under another one are made anew."""
        return hashlib.blake2b(b"name", key=self.key, digest_size=8).hexdigest()
