"""Who brings parcels: one key for the many words that channels have for a carrier, and the link to follow a parcel."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

LONGEST_LINK: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Carrier:
    """A carrier: its names, and where its parcels are followed (`{number}`), empty where there is no such page.

    `words` are what channels call it, folded: without case, width, blanks and marks.
    """

    key: str
    name: str
    name_ja: str
    words: tuple[str, ...]
    page: str = ""


CARRIERS: Final[tuple[Carrier, ...]] = (
    Carrier(
        key="yamato",
        name="Yamato Transport",
        name_ja="ヤマト運輸",
        words=("yamato", "ヤマト", "クロネコ", "kuroneko", "ta-q-bin", "宅急便", "ネコポス"),
        page="https://jizen.kuronekoyamato.co.jp/jizen/servlet/crjz.b.NQ0010?id={number}",
    ),
    Carrier(
        key="sagawa",
        name="Sagawa Express",
        name_ja="佐川急便",
        words=("sagawa", "佐川", "飛脚"),
        page="https://k2k.sagawa-exp.co.jp/p/web/okurijosearch.do?okurijoNo={number}",
    ),
    Carrier(
        key="japan_post",
        name="Japan Post",
        name_ja="日本郵便",
        words=("japanpost", "日本郵便", "ゆうパック", "ゆうパケット", "ゆうメール", "レターパック", "クリックポスト",
               "郵便局", "yupack", "yupacket", "jppost"),
        page="https://trackings.post.japanpost.jp/services/srv/search/direct?reqCodeNo1={number}&locale=ja",
    ),
    Carrier(
        key="seino",
        name="Seino Transportation",
        name_ja="西濃運輸",
        words=("seino", "西濃", "セイノー", "カンガルー"),
        page="https://track.seino.co.jp/cgi-bin/gnpquery.pgm?GNPNO1={number}",
    ),
    Carrier(
        key="fukuyama",
        name="Fukuyama Transporting",
        name_ja="福山通運",
        words=("fukuyama", "福山通運", "福通"),
        page="https://corp.fukutsu.co.jp/situation/tracking_no_hunt/{number}",
    ),
    Carrier(
        key="nippon_express", name="Nippon Express", name_ja="日本通運", words=("nipponexpress", "nittsu", "日本通運")
    ),
    Carrier(key="meitetsu", name="Meitetsu Transport", name_ja="名鉄運輸", words=("meitetsu", "名鉄運輸")),
    Carrier(key="tonami", name="Tonami Transportation", name_ja="トナミ運輸", words=("tonami", "トナミ")),
    Carrier(key="daiichi", name="Daiichi Freight", name_ja="第一貨物", words=("第一貨物",)),
    Carrier(key="niigata", name="Niigata Unyu", name_ja="新潟運輸", words=("新潟運輸",)),
    Carrier(key="ecohai", name="Ecohai", name_ja="エコ配", words=("ecohai", "エコ配")),
    Carrier(key="rakuten_express", name="Rakuten Express", name_ja="楽天エクスプレス", words=("rakutenexpress",)),
    Carrier(key="amazon", name="Amazon", name_ja="Amazon", words=("amazon", "アマゾン")),
    Carrier(
        key="ems",
        name="EMS",
        name_ja="国際スピード郵便（EMS）",
        words=("ems", "国際スピード郵便"),
        page="https://trackings.post.japanpost.jp/services/srv/search/direct?reqCodeNo1={number}&locale=ja",
    ),
    Carrier(
        key="dhl",
        name="DHL",
        name_ja="DHL",
        words=("dhl",),
        page="https://www.dhl.com/jp-ja/home/tracking.html?tracking-id={number}",
    ),
    Carrier(
        key="fedex",
        name="FedEx",
        name_ja="FedEx",
        words=("fedex", "フェデックス"),
        page="https://www.fedex.com/fedextrack/?trknbr={number}",
    ),
    Carrier(key="ups", name="UPS", name_ja="UPS", words=("ups",), page="https://www.ups.com/track?tracknum={number}"),
    Carrier(key="sf_express", name="SF Express", name_ja="SFエクスプレス", words=("sfexpress", "順豊", "顺丰")),
    Carrier(key="ocs", name="OCS", name_ja="OCS", words=("ocs",)),
    Carrier(key="usps", name="USPS", name_ja="USPS", words=("usps",)),
)  # fmt: skip
"""Where the pages lead is from memory, not looked up; a page that moved is one line here."""

OTHER: Final = "other"
"""The key of a carrier that is named and not in the table."""

_BY_KEY: Final[Mapping[str, Carrier]] = {carrier.key: carrier for carrier in CARRIERS}
_MARKS: Final = re.compile(r"[^\w]|_")
_LINK: Final = re.compile(r"https://[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?(?:[/?#][!-~]*)?")
_NUMBER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 -]{2,49}")


def key_of(word: str) -> str:
    """Return the key of a carrier by what a channel calls it; `""` where nobody is named."""
    folded = _folded(word)
    if not folded:
        return ""
    return next((key for known, key in _KNOWN if _fits(folded, known)), OTHER)


def _folded(word: str) -> str:
    return _MARKS.sub("", unicodedata.normalize("NFKC", word).casefold())


def _fits(word: str, known: str) -> bool:
    """Say whether a carrier is called so; a short Latin name has to fit whole (`ups` is not in `groups`)."""
    is_telling = len(known) > _SHORT or not known.isascii()
    return word == known or (is_telling and known in word)


_SHORT: Final = 4
_KNOWN: Final = tuple((_folded(word), carrier.key) for carrier in CARRIERS for word in carrier.words)


def name_of(key: str, *, language: str, word: str = "") -> str:
    """Return what people call a carrier, in Japanese or else in English; the channel's own `word` for others."""
    carrier = _BY_KEY.get(key)
    if carrier is None:
        return word
    return carrier.name_ja if language == "ja" else carrier.name


def link_of(key: str, *, number: str, url: str = "") -> str:
    """Return where a parcel is followed: the carrier's own page, else the channel's link; `""` where there is none.

    A link is only ever https, and a number only letters, digits, blanks and hyphens: both are a stranger's text.
    """
    carrier = _BY_KEY.get(key)
    if carrier is not None and carrier.page and _NUMBER.fullmatch(number):
        return carrier.page.format(number=number.replace(" ", "").replace("-", ""))
    return url if len(url) <= LONGEST_LINK and _LINK.fullmatch(url) else ""
