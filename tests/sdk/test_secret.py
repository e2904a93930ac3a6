"""Secrets do not show: not in texts, encoders, copies; and redaction finds them in every form."""

from __future__ import annotations

import base64
import copy
import gc
import json
import pickle
import time
from dataclasses import asdict, dataclass
from urllib.parse import quote, quote_plus, urlencode

import msgspec
import pytest

from syncd.sdk import secret as module
from syncd.sdk.secret import MASK, MOST_KEPT, SAMPLE_CHARS, Secret, redact, sample

CANARY = 'canary/7f"3a+c1=é b9'


@dataclass(frozen=True)
class Settings:
    shop: str
    password: Secret


def test_a_secret_shows_as_stars() -> None:
    """No text that is made of a secret holds it."""
    secret = Secret(CANARY)
    for text in (
        str(secret),
        repr(secret),
        f"{secret}",
        f"{secret!r:>40}",
        repr([secret]),
        str({1: secret}),
    ):
        assert CANARY not in text
        assert MASK in text
    assert secret.reveal() == CANARY


def test_a_secret_is_not_encoded_by_accident() -> None:
    """JSON encoders and pickle refuse a secret, on its own and inside of others."""
    for value in (Secret(CANARY), Settings(shop="s", password=Secret(CANARY))):
        with pytest.raises(TypeError):
            json.dumps(value)
        with pytest.raises(TypeError):
            msgspec.json.encode(value)
        with pytest.raises(TypeError):
            pickle.dumps(value)


def test_a_secret_survives_copies_of_its_settings() -> None:
    """Copying settings keeps the secret a secret."""
    settings = Settings(shop="s", password=Secret(CANARY))
    assert asdict(settings)["password"] is settings.password
    assert copy.deepcopy(settings).password is settings.password
    assert copy.copy(settings.password) is settings.password


def test_equality_and_truth_go_by_the_value() -> None:
    """Equal values are equal secrets, a text never is one, and an empty secret is false."""
    assert Secret("abcdef") == Secret("abcdef")
    assert Secret("abcdef") != Secret("abcdeg")
    assert Secret("abcdef") != "abcdef"
    assert len({Secret("abcdef"), Secret("abcdef")}) == 1
    assert not Secret("")
    assert Secret("x")


@pytest.mark.parametrize(
    "text",
    [
        f"the key is {CANARY}.",
        f"GET /?{urlencode({'key': CANARY})}",
        f"/path/{quote(CANARY, safe='')}/x",
        f"/path/{quote(CANARY)}/x",
        f"form={quote_plus(CANARY)}&a=1",
        json.dumps({"password": CANARY}),
        json.dumps({"password": CANARY}, ensure_ascii=False),
        repr({"password": CANARY}),
        base64.b64encode(CANARY.encode()).decode(),
        base64.urlsafe_b64encode(CANARY.encode()).decode(),
        *(base64.b64encode(f"{'u' * count}:{CANARY}:tail".encode()).decode() for count in range(1, 7)),
    ],
)
def test_redaction_finds_a_secret_in_every_form(text: str) -> None:
    """A registered secret is taken out as it is, quoted, escaped, and inside of Base64 at any offset."""
    secret = Secret(CANARY)
    clean = redact(text)
    assert MASK in clean
    assert shown(clean) == []
    del secret


def shown(text: str) -> list[bytes]:
    """Return the pieces of the canary that a text shows, plainly or in Base64."""
    pieces = [CANARY.encode()[at : at + 3] for at in range(len(CANARY) - 3)]
    readings = [text.encode()]
    for part in text.split(MASK):
        for offset in range(4):
            aligned = "".join(char for char in part[offset:] if char.isalnum() or char in "+/-_")
            readings.append(base64.urlsafe_b64decode(aligned[: len(aligned) // 4 * 4]))
    return [piece for piece in pieces for reading in readings if piece in reading]


def test_a_longer_secret_that_holds_a_shorter_one_leaves_no_rest() -> None:
    """Longer values are taken out first."""
    kept = Secret("inner-secret"), Secret("outer-inner-secret-outer")
    assert redact("x outer-inner-secret-outer y") == f"x {MASK} y"
    del kept


@pytest.mark.parametrize("value", ["", "a", "abc"])
def test_values_too_short_to_be_found_are_not_looked_for(value: str) -> None:
    """Nothing, and a value of a letter or three, would blank out ordinary words."""
    kept = Secret(value)
    assert redact("a cabbage, abc") == "a cabbage, abc"
    del kept


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        ("token shpat_0123456789abcdef0123456789abcdef", "0123456789"),
        ("Authorization: Bearer abc.def-ghi", "def"),
        ("authorization: basic dXNlcjpwYXNz", "dXNl"),
        ("Authorization: ESA c2VydmljZTpsaWNlbnNl", "c2Vy"),
        ("x Atza|IwEBIA-abcdef y", "IwEB"),
        ("id AKIAIOSFODNN7EXAMPLE z", "IOSFO"),
        ("https://user:hunter22@host/path", "hunter22"),
        ("/hook?access_token=0a1b2c3d&shop=a", "0a1b2c"),
        ('{"client_secret": "0a1b2c3d", "shop": "a"}', "0a1b2c"),
        ("{'refresh_token': '0a1b2c3d'}", "0a1b2c"),
        ("jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "hbGci"),
        ("password=hunter22;", "hunter22"),
    ],
)
def test_redaction_knows_the_shapes_of_tokens(text: str, gone: str) -> None:
    """What looks like a token goes, although nobody registered it."""
    clean = redact(text)
    assert gone not in clean
    assert MASK in clean


@pytest.mark.parametrize(
    "text",
    [
        "order 5551234567890 committed 3 units",
        "gid://shopify/InventoryItem/43729076?x=1",
        "https://shop.example/admin/api/2026-10/graphql.json",
        "token: null",
        "the key of a listing is its id",
        "basic data, bearer of news",
        "monkey: banana",
    ],
)
def test_redaction_leaves_ordinary_text_alone(text: str) -> None:
    """Ids, addresses and prose stay as they are."""
    assert redact(text) == text


def test_a_token_that_holds_a_short_secret_is_taken_out_whole() -> None:
    """What is registered goes first, and what is left of a token after it goes too."""
    kept = Secret("abcdef")
    for text in ("shpat_0123abcdef4567abcdef89", "Bearer 0123abcdef4567", "api_key=0123abcdef4567"):
        assert not any(digit in redact(text) for digit in "0123456789")
    del kept


def test_values_of_living_secrets_are_never_forgotten() -> None:
    """However many tokens come and go, a secret that is still held is still taken out."""
    kept = Secret("kept-for-good-1234")
    for number in range(MOST_KEPT * 2):
        Secret(f"passing-token-{number:06}")
    gc.collect()
    newest = f"passing-token-{MOST_KEPT * 2 - 1:06}"
    assert redact(f"{kept.reveal()} {newest}") == f"{MASK} {MASK}"
    assert len(module._registry._holders) <= MOST_KEPT + 1


def test_a_sample_is_short_and_holds_nobody() -> None:
    """A sample of an answer is one short line without secrets, mail addresses, phone numbers, names and addresses."""
    body = (
        '{"errors":[{"message":"Not found","code":42}],\n\t"email":"hanako@example.jp","access_token":"0a1b2c3d",'
        '"shippingAddress1":"1-2-3 Ginza","first_name":"花子","phone":"03-1234-5678","tel2":"+81 90 1234 5678"}'
    )
    text = sample(body.encode())
    assert len(text) <= SAMPLE_CHARS
    assert "Not found" in text
    assert "\n" not in text
    for gone in ("hanako", "0a1b2c", "Ginza", "花子", "1234-5678", "1234 5678"):
        assert gone not in text


def test_a_sample_of_xml_holds_nobody() -> None:
    """XML fields named like a person's are masked, in CDATA too."""
    text = sample("<Order><Id>12</Id><BuyerName>山田 太郎</BuyerName><zip><![CDATA[104-0061]]></zip></Order>")
    assert "山田" not in text
    assert "104-0061" not in text
    assert "<Id>12</Id>" in text


def test_a_sample_of_anything_is_a_text() -> None:
    """Bytes that are no text, and a value that is cut in the middle, do not break a sample, nor show."""
    assert sample(bytes(range(256)) * 100)
    assert "花" not in sample(('{"name":"' + "花" * 3_000).encode())
    assert sample(b"") == ""


@pytest.mark.parametrize("piece", ["a-", "token", "eyJ", '"name', "<name", "a.b@", "://a:", "0-", "Bearer ", 'key="'])
def test_redaction_takes_no_longer_for_hostile_text(piece: str) -> None:
    """The time for a text grows with its length, whatever it is made of."""
    began = time.perf_counter()
    redact(piece * (400_000 // len(piece)))
    sample(piece * 2_000)
    assert time.perf_counter() - began < 2
