"""Escalation: which words of which customers make a ticket one for a person, and which do not."""

from __future__ import annotations

from decimal import Decimal
from itertools import product
from pathlib import Path

import pytest

from syncd.core.escalation import (
    Lexicon,
    Limits,
    Reason,
    UnusableWord,
    contacts,
    exceeds,
    own_words,
    plain,
    priority,
    reasons,
    word,
)
from syncd.core.tickets import Language, Priority, Sign

MINUTE = 60 * 1_000_000
HOUR = 60 * MINUTE
FOLDER = Path(__file__).resolve().parents[2] / "config" / "escalation"
L, A = frozenset({Sign.LEGAL}), frozenset({Sign.ANGER})
NONE: frozenset[Sign] = frozenset()


def lines(language: Language, name: str) -> list[str]:
    text = (FOLDER / language / f"{name}.txt").read_text()
    return [line for line in text.splitlines() if line and not line.startswith("#")]


SHIPPED = Lexicon(
    {(language, sign): lines(language, sign) for language, sign in product(Language, Sign)},
    harmless=[line for language in Language for line in lines(language, "harmless")],
)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("消費者センターに相談します。", L),
        ("消費者\nセンターに相談することにしました", L),
        ("弁護士に依頼しました", L),
        ("これはサギだと思います", L),
        ("これはｻｷﾞです!", L),
        ("カード会社に連絡してチャージ\r\nバックします", L),
        ("ﾁｬｰｼﾞﾊﾞｯｸを申請しました", L),
        ("内容証明を送ります。責任者を出してください。", L | A),
        ("いい加減にしてください", A),
        ("もう二度と買いません。最悪です", A),
        ("I will talk to my LAWYERS about this", L),
        ("I have asked my bank for a Charge\nback", L),
        ("ｃｈａｒｇｅｂａｃｋ", L),
        ("We\u2019ll see you in court!", L),
        ("you are scammers", L),
        ("I'm fed   up. Speak to a manager!!", A),
        ("我要投诉你们", L),
        ("再不发货我就打12315了", L),
        ("已經找律師了", L),
        ("你们什么态度，差评！", A),
        ("如果不退款我就报警，太过分了", L | A),
        ("La chargeback est en cours", L),
    ],
)
def test_words_of_real_customers_are_found(text: str, wanted: frozenset[Sign]) -> None:
    """The law and anger are found in three languages, in any width, kana and case, over the ends of lines."""
    assert SHIPPED.signs(text) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "いつ発送されますか?よろしくお願いします。",
        "うさぎのぬいぐるみはいつ入荷しますか",
        "ウサギ柄の傘です",
        "最低でも2本ほしいです",
        "警察犬のフィギュアを注文しました",
        "怒っていませんので、ゆっくりで大丈夫です",
        "Where is my order? My name is Sue, from Lawrence.",
        "Is the tennis court net in stock? Thanks!",
        "Do you have the Angry Birds mug again?",
        "I paid by card, your fraud prevention page was slow",
        "The lawn chair, the flawless one, the policeman cup... no: the polices",
        "My order is #12315, thank you",
        "Order 4512315 or A-12315 or 12315-2",
        "请问什么时候发货?谢谢",
        "相机的曝光补偿正常吗",
        "",
    ],
)
def test_words_that_only_look_so_are_left_alone(text: str) -> None:
    """Parts of longer words, names of goods, order numbers and polite letters are no sign."""
    assert SHIPPED.signs(text) == NONE


QUOTES = {
    "marked": "Thanks!\n\n> we told our lawyer\n＞ 弁護士",
    "gmail": "Thanks!\n\nOn Sat, Nov 28, 2026 at 10:00 AM Midori Tea\n<a@b.example> wrote:\n\nour lawyer says",
    "gmail ja": "ありがとうございます。\n\n2026年11月28日(土) 10:00 みどり茶舗 <a@b.example>:\n\n弁護士",
    "gmail zh": "谢谢\n\n在 2026年11月28日 10:00，绿茶铺 <a@b.example> 写道：\n\n律师",
    "outlook": "Thanks\n\nFrom: Midori Tea\nSent: Saturday\nTo: me\n\nlawyer",
    "outlook ja": "ありがとう\n\n差出人: みどり茶舗\n件名: 注文\n宛先: 私\n弁護士",
    "original": "Thanks\r\n\r\n-----Original Message-----\r\nlawyer",
    "signature": "Thanks\n\n-- \nA. Smith, Attorney at Law",
    "rule": "よろしくお願いします。\n\n━━━━━━━━━━\n弁護士 山田太郎\nさくら法律事務所\n━━━━━━━━━━",
}


@pytest.mark.parametrize("text", QUOTES.values(), ids=QUOTES)
def test_what_is_quoted_and_signatures_do_not_count(text: str) -> None:
    """A mail of ours below the customer's own words, and what they sign with, are not read for signs."""
    assert SHIPPED.signs(text) == NONE
    assert SHIPPED.signs(f"弁護士です。\n{text}") == L


def test_what_is_written_between_and_below_quotes_counts() -> None:
    """A customer who answers below our words is heard."""
    assert SHIPPED.signs("On Sat, 28 Nov 2026 Shop <a@b.example> wrote:\n> Sorry\n\nMy lawyer will write.") == L
    assert SHIPPED.signs("Hello\nOn Sat, 28 Nov 2026 Shop <a@b.example> wrote:\n> Sorry\nI will sue you") == L
    assert SHIPPED.signs("On Sat, 28 Nov 2026 Shop <a@b.example> wrote:\nSorry\nI will sue you") == L


def test_a_drawn_line_with_much_below_it_is_no_signature() -> None:
    """Who draws lines between paragraphs is read to the end."""
    text = "注文について\n==========\n" + "質問です\n" * 12 + "訴えます"
    assert "訴えます" in own_words(text)
    assert own_words("=====\n弁護士") == "=====\n弁護士"


def test_texts_are_read_in_one_spelling() -> None:
    """Width, case, kana, quotes, spaces and invisible signs make no difference."""
    assert plain("ＡＢＣ\u3000ｻｷﾞ　サギ\u200b Don\u2019t") == "abc さぎ さぎ don't"


@pytest.mark.parametrize("text", ["a*b", "x", "*", "弁護*"])
def test_a_word_that_cannot_be_looked_for_is_refused(text: str) -> None:
    """A star within, a single sign, and a star behind signs that need none are slips of a list."""
    with pytest.raises(UnusableWord):
        word(text)


def test_a_lexicon_tells_its_words() -> None:
    """Words are told by language and sign as they were listed; an empty lexicon finds nothing."""
    assert Lexicon({(Language.EN, Sign.LEGAL): ["Lawyer*"]}).words(Language.EN, Sign.LEGAL) == ("Lawyer*",)
    assert Lexicon().words(Language.JA, Sign.ANGER) == ()
    careful = Lexicon({(Language.JA, Sign.LEGAL): ["警察", "詐欺"]}, harmless=["警察犬"])
    assert careful.sure_words(Language.JA, Sign.LEGAL) == (word("詐欺"),)
    assert Lexicon().signs("lawyer") == NONE


LIMITS = Limits(amounts={"JPY": Decimal(100_000), "USD": Decimal("700.5")}, contacts=3)


@pytest.mark.parametrize(
    ("amount", "currency", "wanted"),
    [
        ("100000", "JPY", True),
        ("99999.99", "JPY", False),
        ("700.50", "USD", True),
        ("1000000", "EUR", False),
        ("", "JPY", False),
        ("much", "JPY", False),
        ("NaN", "JPY", False),
    ],
)
def test_an_amount_counts_from_the_limit_of_its_currency_on(amount: str, currency: str, wanted: bool) -> None:
    """Without a limit, or where it is no number, an amount is no reason."""
    assert exceeds(amount, currency, LIMITS) is wanted


def test_messages_within_an_hour_are_one_contact() -> None:
    """Who writes twice in a row got in touch once; what was before the span does not count."""
    times = [0, 10 * MINUTE, 65 * MINUTE, 3 * HOUR, 3 * HOUR, 5 * HOUR]
    assert contacts(times, since=-1) == 3
    assert contacts(times, since=3 * HOUR) == 1
    assert contacts([], since=0) == 0


def test_reasons_make_the_priority() -> None:
    """The law and several reasons are urgent, one other reason is high, nothing is no escalation."""
    assert reasons(limits=LIMITS) == frozenset()
    assert reasons(touched=2, amount="1", currency="JPY", limits=LIMITS) == frozenset()
    assert reasons(touched=9, limits=Limits()) == frozenset()
    every = reasons(signs=Sign, amount="100000", currency="JPY", touched=3, limits=LIMITS)
    assert every == {Reason.LEGAL, Reason.ANGER, Reason.AMOUNT, Reason.REPEAT}
    assert priority(every) is priority({Reason.LEGAL}) is priority({Reason.AMOUNT, Reason.REPEAT}) is Priority.URGENT
    assert priority({Reason.ANGER}) is priority({Reason.DESK}) is Priority.HIGH
