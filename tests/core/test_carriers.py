"""Carriers by their many names, and the links by which parcels are followed."""

from __future__ import annotations

import pytest

from syncd.core.carriers import CARRIERS, OTHER, key_of, link_of, name_of


@pytest.mark.parametrize(
    ("word", "key"),
    [
        ("ヤマト運輸", "yamato"),
        ("ﾔﾏﾄ運輸", "yamato"),
        ("Yamato (JA)", "yamato"),
        ("クロネコヤマト 宅急便", "yamato"),
        ("TA-Q-BIN", "yamato"),
        ("佐川急便", "sagawa"),
        ("Sagawa (EN)", "sagawa"),
        ("日本郵便", "japan_post"),
        ("Japan Post (JA)", "japan_post"),
        ("ゆうパック", "japan_post"),
        ("EMS", "ems"),
        ("ＵＰＳ", "ups"),
        ("groups of carriers", OTHER),
        ("USPS", "usps"),
        ("somebody", OTHER),
        ("", ""),
        (" -- ", ""),
    ],
)
def test_a_carrier_is_known_by_what_channels_call_it(word: str, key: str) -> None:
    """Case, width, blanks and marks do not matter; a short name has to fit whole; a stranger is `other`."""
    assert key_of(word) == key


def test_every_word_leads_to_its_own_carrier() -> None:
    """No carrier hides another one, and no key stands twice."""
    assert [key_of(word) for carrier in CARRIERS for word in carrier.words] == [
        carrier.key for carrier in CARRIERS for _ in carrier.words
    ]
    assert len({carrier.key for carrier in CARRIERS}) == len(CARRIERS)


def test_names_are_told_in_the_language_of_the_reader() -> None:
    """A known carrier has a Japanese and an English name; another one keeps the channel's word."""
    assert name_of("sagawa", language="ja") == "佐川急便"
    assert name_of("sagawa", language="zh") == "Sagawa Express"
    assert name_of(OTHER, language="ja", word="鳩") == "鳩"


@pytest.mark.parametrize(
    ("key", "number", "url", "link"),
    [
        ("sagawa", "1234-5678-9012", "", "https://k2k.sagawa-exp.co.jp/p/web/okurijosearch.do?okurijoNo=123456789012"),
        ("sagawa", "1&x=<b>", "https://a.example/1", "https://a.example/1"),
        ("sagawa", "", "", ""),
        (OTHER, "12345", "https://a.example/?n=1", "https://a.example/?n=1"),
        (OTHER, "12345", "https://a.example", "https://a.example"),
        (OTHER, "12345", "http://a.example/", ""),
        (OTHER, "12345", "javascript:alert(1)", ""),
        (OTHER, "12345", "https://a.example@b.example/", ""),
        (OTHER, "12345", "https://", ""),
        (OTHER, "12345", "https://a.example/a b", ""),
        (OTHER, "12345", "https://a.example/" + "x" * 500, ""),
        ("nippon_express", "12345", "https://a.example/1", "https://a.example/1"),
        ("", "12345", "", ""),
    ],
)
def test_a_link_leads_to_the_carrier_or_safely_elsewhere(key: str, number: str, url: str, link: str) -> None:
    """The carrier's own page wins; a channel's link is shown only if it is plain https; a strange number makes none."""
    assert link_of(key, number=number, url=url) == link
