"""Secrets that do not print, and the one place that takes secrets and personal data out of text.

Every `Secret` registers its value, process-wide, for `redact`. Logs, exception texts and samples all pass through here.
"""

from __future__ import annotations

import base64
import hmac
import json
import re
import threading
import weakref
from typing import NoReturn
from urllib.parse import quote, quote_plus

MASK = "***"
SHORTEST_REDACTED = 4
"""A shorter value is not looked for in text: it would blank out ordinary words, and hides nothing."""
MOST_KEPT = 256
"""Values kept for redaction after the last `Secret` that held them is gone; the oldest leave first."""
SAMPLE_CHARS = 200
_SCANNED_BYTES = 2_000  # enough to mask a value whole before the sample is cut
_SHORTEST_CORE = 8  # a shorter piece of Base64 would hit ordinary words


class Secret:
    """A text that shows as `***`: in `str`, `repr`, formats, and therefore in logs and error texts.

    Equality takes the same time wherever the values differ. JSON encoders and pickle refuse it. It is false when empty.
    """

    __slots__ = ("__weakref__", "_value")

    def __init__(self, value: str) -> None:
        self._value = value
        if value:
            _registry.add(value, self)

    def reveal(self) -> str:
        """Return the value; do so only where it leaves for the service that it belongs to."""
        return self._value

    def __str__(self) -> str:
        return MASK

    def __repr__(self) -> str:
        return f"Secret('{MASK}')"

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret cannot be pickled")


class _Registry:
    """The values to take out of text, each with the forms in which it may appear.

    A value leaves only when more than `MOST_KEPT` are known and no `Secret` holds it any more: access tokens that are
    renewed every hour would otherwise grow it without end.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()  # finalizers may run while it is held by the same thread
        self._holders: dict[str, int] = {}
        self._forms: dict[str, set[str]] = {}
        self.forms: tuple[str, ...] = ()

    def add(self, value: str, holder: Secret) -> None:
        """Look for `value` in text from now on."""
        with self._lock:
            known = value in self._holders
            self._holders[value] = self._holders.get(value, 0) + 1
            weakref.finalize(holder, self._let_go, value).atexit = False
            if not known:
                self._forms[value] = _forms(value) if len(value) >= SHORTEST_REDACTED else set()
                self._evict()
                # Longer forms first: one may hold a shorter one.
                forms = set().union(*self._forms.values())
                self.forms = tuple(sorted(forms, key=lambda form: (-len(form), form)))

    def _let_go(self, value: str) -> None:
        with self._lock:
            if value in self._holders:
                self._holders[value] -= 1

    def _evict(self) -> None:
        surplus = len(self._holders) - MOST_KEPT
        gone = [value for value, holders in self._holders.items() if holders <= 0]
        for value in gone[: max(surplus, 0)]:
            del self._holders[value], self._forms[value]


def _forms(value: str) -> set[str]:
    """Return how a value may appear: itself, quoted for URLs, escaped for JSON, in Base64 at each of three offsets."""
    quoted = {quote(value, safe=""), quote(value), quote_plus(value)}
    escaped = {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1], repr(value)[1:-1]}
    cores = {core for offset in range(3) for core in _base64_cores(value.encode(), offset)}
    return {value, *quoted, *escaped, *cores}


def _base64_cores(value: bytes, offset: int) -> tuple[str, ...]:
    """Return the part of the Base64 text that `value` alone decides when `offset` bytes stand before it.

    An `Authorization: Basic` header encodes `user:password`, so that the password starts at any offset modulo 3.
    """
    first, last = -(-8 * offset // 6), 8 * (offset + len(value)) // 6
    padded = b"\0" * offset + value
    cores = (encode(padded).decode()[first:last] for encode in (base64.b64encode, base64.urlsafe_b64encode))
    return tuple(core for core in cores if len(core) >= _SHORTEST_CORE)


_registry = _Registry()

# Shapes of tokens that were never registered: an answer that states a new one, a key in somebody else's message.
# Stars count as part of a token: a registered secret may have been taken out of its middle.
_TOKENS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(?i)\b(Bearer|Basic|ESA)\s+[A-Za-z0-9+/._~=|*-]{6,}"), rf"\1 {MASK}"),
    (re.compile(r"\bshp[a-z]{2}_[A-Za-z0-9*]{6,}"), MASK),  # Shopify: shpat_, shpca_, shpua_, shpss_
    (re.compile(r"\bAtz[ar]\|[A-Za-z0-9+/=_*-]{6,}"), MASK),  # Login with Amazon: access and refresh tokens
    (re.compile(r"\bamzn1\.(?:oa2-cs|application-oa2-client)\.[A-Za-z0-9.*]{6,}"), MASK),
    (re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"), MASK),
    (re.compile(r"\beyJ[A-Za-z0-9_*-]{8,}\.[A-Za-z0-9_*-]{3,}\.[A-Za-z0-9_*-]{3,}"), MASK),  # JSON web tokens
    (re.compile(r"://[^/\s:@\"']+:[^/\s@\"']+@"), f"://{MASK}@"),  # user and password in a URL
    (
        re.compile(
            r"""(?ix)
            ( ["']? \b [\w.-]{0,40} (?: token | secret | passw(?:or)?d | api_?key | license_?key | signature | hmac
                | authorization ) ["']? \s* [=:] \s* ["']? )
            (?! (?:true|false|null|none|bearer|basic|esa) \b )
            [^\s"'&,;<>{}\[\]]{4,}"""
        ),
        rf"\1{MASK}",
    ),
)
# One of these stands in every text that a pattern above can match; looking for them costs far less than the patterns.
_HINTS = (
    "token", "secret", "passw", "key", "signature", "hmac", "auth", "bearer", "basic", "esa", "shp", "atz", "amzn1",
    "akia", "asia", "eyj", "://",
)  # fmt: skip

_PERSONAL_WORDS = """(?: name | mail | phone | tel | addr | zip | postal | city | street | province | prefecture | buyer
    | customer | recipient | receiver | company | birth | memo | comment | note )"""
_PERSONAL: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+"), MASK),
    (re.compile(r"(?<![\w-])(?:\+\d{1,3}[ -]?\d|0)\d{0,4}[ -]?\d{1,4}[ -]?\d{3,4}(?![\w-])"), MASK),  # telephone
    (
        re.compile(rf'(?ix) ( "[^"]{{0,60}}? {_PERSONAL_WORDS} [^"]{{0,60}}" \s* : \s* " ) (?:[^"\\]|\\.)* ( "|$ )'),
        rf"\1{MASK}\2",
    ),
    (
        re.compile(rf"(?ix) ( < [\w:.-]{{0,60}}? {_PERSONAL_WORDS} [\w:.-]{{0,60}} > (?:<!\[CDATA\[)? ) [^<\]]+"),
        rf"\1{MASK}",
    ),
)


def redact(text: str) -> str:
    """Return `text` with every registered secret, in all its forms, and everything shaped like a token as `***`."""
    for form in _registry.forms:
        if form in text:
            text = text.replace(form, MASK)
    low = text.lower()
    if not any(hint in low for hint in _HINTS):
        return text
    for pattern, instead in _TOKENS:
        text = pattern.sub(instead, text)
    return text


def sample(body: bytes | str) -> str:
    """Return the start of an answer for a person to look at: one line, at most `SAMPLE_CHARS` characters.

    Secrets are taken out, and what looks personal: mail addresses, phone numbers, JSON and XML fields named like a
    person's name or address.
    """
    head = body[: _SCANNED_BYTES * 4] if isinstance(body, str) else body[:_SCANNED_BYTES].decode("utf-8", "replace")
    text = redact(head[:_SCANNED_BYTES])
    for pattern, instead in _PERSONAL:
        text = pattern.sub(instead, text)
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line[:SAMPLE_CHARS]
