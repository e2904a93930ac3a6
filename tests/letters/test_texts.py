"""Texts of letters: those that are delivered, those of a shop, and what is said of a text that cannot be used."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from syncd.core.placeholders import PAYMENTS, PLACES, lacking
from syncd.core.tickets import Language, MessageKind
from syncd.letters import Texts, load_texts
from syncd.letters.reading import NAMES, SPACE, SUFFIX, delivered_folder
from syncd.letters.samples import sample
from syncd.letters.words import block, day_words, money_words, one_line
from syncd.sdk.errors import ConfigError, RejectedError

SHOP = {"name": "みどり茶舗", "phone": "03-0000-0000", "hours": "10-17", "url": "https://shop.example"}

EMPTY_LABEL = r"(Expected|Refund|said|date|番号|予定|返金額|到货|金额|日期)　?[：:]\s*\n"

EVERY = [(kind, language) for kind in MessageKind for language in Language]


@pytest.fixture(scope="module")
def texts() -> Texts:
    return load_texts(None, shop=SHOP)


def test_there_is_a_file_for_every_kind_and_language_and_no_other() -> None:
    """The delivered folder has one file per kind, frame and block of goods in each language."""
    found = {path.relative_to(delivered_folder()) for path in delivered_folder().rglob("*") if path.is_file()}
    assert found == {Path(language) / f"{name}{SUFFIX}" for language in Language for name in NAMES}


def test_every_kind_of_letter_has_places() -> None:
    """Each kind of message says what it is filled with."""
    assert set(PLACES) == set(MessageKind)


@pytest.mark.parametrize(("kind", "language"), EVERY)
def test_a_letter_is_whole(texts: Texts, kind: MessageKind, language: Language) -> None:
    """With all values and with the needed ones alone a letter names shop and goods and leaves no gap and no mark."""
    for bare in (False, True):
        letter = texts.letter(kind, language, sample(kind, language, bare=bare))
        assert SHOP["name"] in letter.subject
        assert sample(kind, language)["product"] in letter.body
        assert not re.search(EMPTY_LABEL + r"|[{}]|\n\n\n| \n|（）|\(\)", letter.body), letter.body
        assert letter.body.endswith("\n")
        assert not letter.body.startswith("\n")


@pytest.mark.parametrize(("kind", "language"), EVERY)
def test_every_value_that_a_kind_has_is_used(kind: MessageKind, language: Language) -> None:
    """A text says everything that its kind may know, so that nothing a customer should hear is lost."""
    source = (delivered_folder() / language / f"{kind}{SUFFIX}").read_text(encoding="utf-8")
    goods = (delivered_folder() / language / f"goods{SUFFIX}").read_text(encoding="utf-8")
    unused = {name for name in PLACES[kind].known - {"shop_signature", "goods"} if name not in source + goods}
    assert {name for name in unused if not name.startswith("shop_")} <= {"quantity", "order_number", "previous"}


@pytest.mark.parametrize("language", list(Language))
def test_three_causes_have_three_apologies(texts: Texts, language: Language) -> None:
    """The apology for an oversell differs by cause, in subject and in text."""
    kinds = [kind for kind in MessageKind if kind.startswith("oversold_")]
    letters = [texts.letter(kind, language, sample(kind, language)) for kind in kinds]
    assert len({letter.subject for letter in letters}) == len({letter.body for letter in letters}) == 3


@pytest.mark.parametrize("language", list(Language))
def test_a_refund_is_told_by_the_way_of_paying(texts: Texts, language: Language) -> None:
    """Each way of paying has its own words about the refund; cash on delivery names no amount to return."""
    kind = MessageKind.CANCELLED
    bodies = {way: texts.text(kind, language, sample(kind, language) | {"payment": way})[1] for way in PAYMENTS}
    assert len(set(bodies.values())) == len(PAYMENTS)
    assert {way for way, body in bodies.items() if "3,240" not in body} == {"cod"}


def test_an_order_is_promised_and_a_private_way_to_buy_is_shown(texts: Texts) -> None:
    """Who has an order hears that units are kept; who has none gets a private link with its end, or the shop."""
    kind, language = MessageKind.RESTOCKED, Language.EN
    goods = {"product": "Tea", "quantity": "1"}
    ordered = texts.text(kind, language, {**goods, "order_number": "7", "buy_url": "https://b.example"})[1]
    private = texts.text(
        kind, language, {**goods, "buy_url": "https://b.example", "hold_until": "2026-12-03T18:00+09:00"}
    )[1]
    plain = texts.text(kind, language, goods)[1]
    assert "set aside" in ordered
    assert "b.example" not in ordered
    assert "https://b.example" in private
    assert "3 December 2026, 18:00" in private
    assert "on sale again" in plain


def test_a_desks_own_marks_stay_as_they_are(texts: Texts) -> None:
    """A value that is a mark of the desk passes through unread."""
    marks = {"product": "{{ticket.ticket_field_1}}", "quantity": "{{ticket.ticket_field_2}}"}
    subject, body = texts.text(MessageKind.EXPECTED, Language.JA, {**marks, "expected": "{{ticket.ticket_field_3}}"})
    assert "みどり茶舗" in subject
    assert all(mark in body for mark in (*marks.values(), "{{ticket.ticket_field_3}}"))


def test_a_value_cannot_add_lines_or_code(texts: Texts) -> None:
    """A title with line breaks, control characters and template signs is told on one line and never run."""
    values = {
        "product": "Tea\r\nBcc: x@example.com\x00{{ 7 * 7 }}",
        "quantity": "1",
        "confirm_url": "https://c.example",
    }
    subject, body = texts.text(MessageKind.PHONE_SCRIPT, Language.EN, values)
    assert "\n" not in subject
    assert "Tea Bcc: x@example.com{{ 7 * 7 }}" in body


def test_a_lacking_value_is_refused(texts: Texts) -> None:
    """A letter without what it has to say is never written."""
    with pytest.raises(RejectedError, match="lacks expected, product"):
        texts.letter(MessageKind.EXPECTED, Language.JA, {"quantity": "1", "product": "  "})
    assert lacking(MessageKind.SIGN_UP_CONFIRM, {"product": "Tea"}) == ["confirm_url"]


@pytest.mark.parametrize(
    ("text", "ja", "en", "zh"),
    [
        ("2026-12-01", "2026年12月1日（火）", "1 December 2026", "2026年12月1日（星期二）"),
        (
            "2026-12-06T09:30",
            "2026年12月6日（日）09:30",
            "6 December 2026, 09:30",
            "2026年12月6日（星期日）09:30",
        ),
        ("2026-13-01", "2026-13-01", "2026-13-01", "2026-13-01"),
        ("in spring", "in spring", "in spring", "in spring"),
        ("", "", "", ""),
    ],
)
def test_days_are_told_in_words(text: str, ja: str, en: str, zh: str) -> None:
    """A day or a moment is told as people say it; anything else stays as it is."""
    assert [day_words(text, language) for language in Language] == [ja, en, zh]


@pytest.mark.parametrize(
    ("text", "currency", "ja", "en"),
    [
        ("12000", "JPY", "12,000円", "JPY 12,000"),
        ("12000.00", "JPY", "12,000円", "JPY 12,000"),
        ("9.5", "USD", "USD 9.50", "USD 9.50"),
        ("1200", "", "1,200", "1,200"),
        ("9.95", "", "9.95", "9.95"),
        ("{{amount}}", "JPY", "{{amount}}", "{{amount}}"),
        ("NaN", "JPY", "NaN", "NaN"),
    ],
)
def test_amounts_are_told_in_words(text: str, currency: str, ja: str, en: str) -> None:
    """An amount is told with its currency; what is no amount stays as it is."""
    assert [money_words(text, currency, language) for language in (Language.JA, Language.EN)] == [ja, en]


def test_values_are_cut_and_cleaned() -> None:
    """A value loses control characters and what is too long; a block keeps its lines."""
    assert one_line("  a\x07 b\n c  ") == "a b c"
    assert block("a\r\nb\x1b[0m\n") == "a\nb[0m"
    assert len(one_line("x" * 9_999)) == 2_000


# --- a shop's own folder ------------------------------------------------------------------------------------------


def own(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return folder


def test_a_shops_own_text_takes_the_place_of_ours(tmp_path: Path) -> None:
    """A file in the shop's folder is used, framed by ours, and the other texts stay ours."""
    own(tmp_path, "en/due_soon.txt", "Subject: {{ shop_name }}: soon\n\nSoon: {{ product }} on {{ expected }}.\n")
    texts = load_texts(tmp_path, shop=SHOP)
    values = {"product": "Tea", "quantity": "1", "expected": "2026-12-01"}
    subject, body = texts.text(MessageKind.DUE_SOON, Language.EN, values)
    assert subject == "みどり茶舗: soon"
    assert body.startswith("Soon: Tea on 1 December 2026.\n\n--\nみどり茶舗\n")
    assert [(row.kind, row.language) for row in texts.rows() if row.own] == [(MessageKind.DUE_SOON, Language.EN)]


def test_a_shops_own_frame_is_around_every_letter(tmp_path: Path) -> None:
    """The frame may be replaced alone, a byte order mark and Windows line ends included."""
    path = own(tmp_path, "en/frame.txt", "") / "en" / "frame.txt"
    path.write_bytes(b"\xef\xbb\xbf{{ body }}\r\nYours, {{ shop_name }}\r\n")
    body = load_texts(tmp_path, shop=SHOP).text(MessageKind.BUMP_FIRST, Language.EN, {"product": "T", "quantity": "1"})[
        1
    ]
    assert body.endswith("\nYours, みどり茶舗\n")


BAD = [
    ("Subject: a\n\n{{ product }}\n{{ colour }}\n", "en/late.txt:4: nothing is called colour"),
    ("Subject: a\n\n{{ prodct }}\n", "did you mean product?"),
    ("Subject: {{ oder_number }}\n\nb\n", "en/late.txt:1: nothing is called oder_number"),
    ("Subject: a\n\n{% if product %}\nb\n", "en/late.txt:4: Unexpected end of template"),
    ("Subject: a\n\n{{ product | shout }}\n", "en/late.txt:3: No filter named 'shout'"),
    ("Dear customer\n", "en/late.txt:1: the first line is no subject"),
    ("Subject:\n\nb\n", "en/late.txt:1: the first line is no subject"),
    ("Subject: a\n\n \n", "en/late.txt:1: there is no text below the subject"),
    ("Subject: a\n\n{{ product / 2 }}\n", "cannot be filled in"),
    ("Subject: a\n\n{{ product.__class__.__mro__ }}\n", "cannot be filled in"),
    ("Subject: a\n\n{{ ''.join([1].append(2)) }}\n", "cannot be filled in"),
    ("Subject: a\n\n{% include '/etc/passwd' %}\n", "cannot be filled in"),
    ("Subject: {{ expected }}\n\nb\n", "empty when optional values are"),
    ("Subject: a\n\n" + "x" * 64_001, "longer than 64000 bytes"),
]


@pytest.mark.parametrize(("text", "said"), BAD)
def test_a_text_that_cannot_be_used_stops_the_start(tmp_path: Path, text: str, said: str) -> None:
    """A fault is told with file, line and remedy before anything runs."""
    own(tmp_path, "en/late.txt", text)
    with pytest.raises(ConfigError) as caught:
        load_texts(tmp_path, shop=SHOP)
    assert any(said in str(problem) for problem in caught.value.problems), caught.value.problems
    assert all(problem.remedy for problem in caught.value.problems)


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    """Every file is read, and names of files that are no text are among the faults."""
    own(tmp_path, "en/late.txt", "Subject: a\n\n{{ x1 }}\n")
    own(tmp_path, "ja/late.txt", "Subject: a\n\n{{ x2 }}\n")
    own(tmp_path, "ja/restokced.txt", "Subject: a\n\nb\n")
    own(tmp_path, "de/late.txt", "Subject: a\n\nb\n")
    own(tmp_path, "en/sign_up_confirm.txt", "Subject: a\n\n{{ product }}\n")
    with pytest.raises(ConfigError) as caught:
        load_texts(tmp_path, shop=SHOP)
    told = " ".join(str(problem) for problem in caught.value.problems)
    assert len(caught.value.problems) == 5
    for said in ("x1", "x2", "did you mean restocked?", "no language of letters", "never tells confirm_url"):
        assert said in told


def test_a_folder_that_is_not_there_and_bytes_that_are_no_text_are_told(tmp_path: Path) -> None:
    """A missing folder, and a file in another encoding, are problems of the settings."""
    with pytest.raises(ConfigError, match="no such folder"):
        load_texts(tmp_path / "none", shop=SHOP)
    own(tmp_path, "ja/late.txt", "").joinpath("ja/late.txt").write_bytes("件名".encode("cp932"))
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_texts(tmp_path, shop=SHOP)


def test_a_text_that_fails_only_on_real_values_parks_that_letter(tmp_path: Path) -> None:
    """What no trial foresees is refused for the one letter and ends nothing."""
    own(tmp_path, "en/late.txt", "Subject: a\n\n{{ product[0] }}{{ 1 // (0 if quantity == '7' else 1) }}\n")
    texts = load_texts(tmp_path, shop=SHOP)
    assert texts.text(MessageKind.LATE, Language.EN, {"product": "T", "quantity": "6"})[1].startswith("T1")
    with pytest.raises(RejectedError, match="ZeroDivisionError"):
        texts.text(MessageKind.LATE, Language.EN, {"product": "T", "quantity": "7"})


def test_a_lost_delivered_text_stops_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation without a text says which and what to do."""
    monkeypatch.setattr("syncd.letters.reading.delivered_folder", lambda: tmp_path)
    with pytest.raises(ConfigError) as caught:
        load_texts(None, shop=SHOP)
    assert len(caught.value.problems) == len(NAMES) * len(Language)
    assert caught.value.problems[0].remedy == "install syncd again"


def test_texts_are_rendered_in_a_sandbox() -> None:
    """The room of the texts has no loader and escapes nothing, for letters are plain."""
    assert SPACE.loader is None
    assert SPACE.sandboxed
    assert SPACE.from_string("{{ a }}").render(a="<&>") == "<&>"
