"""Titles of what a set-up makes, in English and Japanese, and the words by which customers ask, in three languages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeVar

from syncd.sdk.desk import Language, MessageKind

K = TypeVar("K")

Titles = Mapping[K, tuple[str, str]]

TRIGGERS: Final[Titles[str]] = {
    "words_ja": ("Backorder: asked in Japanese", "入荷待ち：日本語のお問い合わせ"),
    "words_en": ("Backorder: asked in English", "入荷待ち：英語のお問い合わせ"),
    "words_zh": ("Backorder: asked in Chinese", "入荷待ち：中国語のお問い合わせ"),
    "amount_urgent": ("Backorder: urgent by order amount", "入荷待ち：注文金額により至急"),
    "amount_high": ("Backorder: high by order amount", "入荷待ち：注文金額により高"),
    "answered": ("Backorder: the customer answered", "入荷待ち：お客様からの返信"),
    "legal_ja": ("Backorder: for a person, words of the law (Japanese)", "入荷待ち：要担当者対応（法律、日本語）"),
    "legal_en": ("Backorder: for a person, words of the law (English)", "入荷待ち：要担当者対応（法律、英語）"),
    "legal_zh": ("Backorder: for a person, words of the law (Chinese)", "入荷待ち：要担当者対応（法律、中国語）"),
    "anger_ja": ("Backorder: for a person, anger (Japanese)", "入荷待ち：要担当者対応（お怒り、日本語）"),
    "anger_en": ("Backorder: for a person, anger (English)", "入荷待ち：要担当者対応（お怒り、英語）"),
    "anger_zh": ("Backorder: for a person, anger (Chinese)", "入荷待ち：要担当者対応（お怒り、中国語）"),
    "group": ("Backorder: assign the group", "入荷待ち：グループに割り当て"),
}
AUTOMATIONS: Final[Titles[str]] = {
    "bump_first": ("Backorder: first reminder after 48 hours", "入荷待ち：48時間後に1回目の確認"),
    "bump_second": ("Backorder: second reminder after 48 hours more", "入荷待ち：さらに48時間後に2回目の確認"),
    "solved_unanswered": ("Backorder: solve without an answer", "入荷待ち：返信がないため解決にする"),
    "still_waiting": ("Backorder: seven days without news", "入荷待ち：7日間進展がない場合のご連絡"),
    "cancel_follow_up": ("Backorder: a week after a cancel", "入荷待ち：キャンセルの1週間後のご連絡"),
}
VIEWS: Final[Titles[str]] = {
    "waiting": ("Backorder: waiting", "入荷待ち"),
    "restocked": ("Backorder: goods are here", "入荷待ち：再入荷済み"),
    "escalated": ("Backorder: for a person", "入荷待ち：要担当者対応"),
    "drafts": ("Backorder: drafts to release", "入荷待ち：下書きの確認"),
    "refunds": ("Backorder: refunds due", "入荷待ち：返金待ち"),
}
MACROS: Final[Titles[MessageKind]] = {
    MessageKind.ACKNOWLEDGED: ("We look into it", "受付のご連絡"),
    MessageKind.RESTOCKED: ("Goods are here", "再入荷のご連絡"),
    MessageKind.EXPECTED: ("Expected date", "入荷予定日のご連絡"),
    MessageKind.SLIPPED: ("The date slipped", "入荷遅れのご連絡"),
    MessageKind.DUE_SOON: ("Due within days", "まもなく入荷のご連絡"),
    MessageKind.STILL_WAITING: ("Still working on it", "引き続き手配中のご連絡"),
    MessageKind.ALTERNATIVE: ("An alternative", "代替品のご提案"),
    MessageKind.CANCELLED: ("Cancelled", "キャンセルのご連絡"),
    MessageKind.REFUNDED: ("Refunded", "返金のご連絡"),
    MessageKind.OVERSOLD_CROSSED: ("Apology: orders crossed", "お詫び（ご注文の行き違い）"),
    MessageKind.OVERSOLD_DAMAGED: ("Apology: found damaged", "お詫び（商品の不良）"),
    MessageKind.OVERSOLD_LATE_SUPPLIER: ("Apology: the supplier is late", "お詫び（仕入れの遅れ）"),
    MessageKind.LATE: ("Late delivery", "お届け遅れのお詫び"),
    MessageKind.LATE_AND_OUT: ("Late and out of stock", "お届け遅れと欠品のお詫び"),
    MessageKind.PHONE_SCRIPT: ("Script for a call", "電話の台本"),
}
"""Texts that agents send; the others belong to rules or to sign-up pages."""

WORDS: Final[Mapping[Language, tuple[str, ...]]] = {
    Language.JA: (
        "入荷待ち", "在庫切れ", "売り切れ", "品切れ", "欠品", "再入荷", "入荷予定", "入荷はいつ", "取り寄せ",
        "いつ届", "いつ発送", "まだ届", "届きません", "発送が遅", "配送が遅", "納期",
    ),
    Language.EN: (
        "backorder", "back-order", "back order", "out of stock", "sold out", "back in stock", "restock", "delayed",
        "delay in", "not arrived", "when will it ship", "when does it ship", "still waiting",
    ),
    Language.ZH: (
        "缺货", "缺貨", "断货", "售罄", "补货", "補貨", "到货", "什么时候发货", "什麼時候發貨", "何时发货",
        "延迟", "延遲", "还没收到", "還沒收到", "没有收到",
    ),
}  # fmt: skip
"""Words for backorder, out of stock and delay; none of a language is a word of another in the same meaning."""


def title(titles: Titles[K], key: K, language: Language) -> str:
    """Return a title; a Chinese shop gets the English one."""
    return titles[key][1 if language is Language.JA else 0]
