"""Which SKU a listing belongs to by its own code: Japanese codes as shops really type them, and what never fits."""

from __future__ import annotations

import pytest

from syncd.store.views_listings import ListingCode, SkuCode
from syncd.web.matching import Misfit, Reason, Report, Rule, report, rules_between

CASE, WIDTH, BLANK, HYPHEN, OPTION = Rule.CASE, Rule.WIDTH, Rule.BLANK, Rule.HYPHEN, Rule.OPTION


def shop(*rows: tuple[str, str, str], counted: tuple[str, ...] = (), unmapped: tuple[str, ...] = ()) -> Report:
    """Compare the listings (account, remote id, code) of a shop whose SKUs were made of the codes, as syncd does.

    `counted` codes are known and counted; `unmapped` remote ids have lost their SKU.
    """
    codes = list(dict.fromkeys([*counted, *(code for _, remote, code in rows if code and remote not in unmapped)]))
    skus = [
        SkuCode(sku_id=number, code=code, settled=code in counted, promised=0) for number, code in enumerate(codes, 1)
    ]
    ids = {sku.code: sku.sku_id for sku in skus}
    listings = [
        ListingCode(
            account=account,
            remote_id=remote,
            remote_location="",
            remote_sku=code,
            sku_id=None if remote in unmapped else ids.get(code),
        )
        for account, remote, code in rows
    ]
    return report(skus, listings)


def told(found: Report) -> list[tuple[str, str, tuple[Rule, ...]]]:
    return [(match.remote_id, match.sku, match.rules) for match in found.matches]


def reasons(found: Report) -> list[Reason]:
    return [misfit.reason for misfit in found.misfits]


@pytest.mark.parametrize(
    ("one", "other", "rules"),
    [
        ("りんご-01", "りんご-01", ()),
        ("ABC-1", "abc-1", (CASE,)),
        ("ABC-1", "ＡＢＣ－１", (WIDTH,)),
        ("abc-1", "ＡＢＣ－１", (CASE, WIDTH)),
        ("ﾘﾝｺﾞ-01", "リンゴ-01", (WIDTH,)),
        ("リンゴ　01", "リンゴ01", (BLANK,)),
        ("リンゴ　01", "リンゴ 01", (WIDTH,)),
        ("AB\u200b1", "AB1", (BLANK,)),
        ("AB-1", "AB1", (HYPHEN,)),
        ("AB_1", "AB-1", (HYPHEN,)),
        ("AB−1", "AB‐1", (HYPHEN,)),
        ("ABー1", "AB-1", (HYPHEN,)),
        ("ＡＢー１", "AB-1", (WIDTH, HYPHEN)),
        ("aＢ - 1", "AB1", (CASE, WIDTH, BLANK, HYPHEN)),
        ("カード1", "カド1", None),
        ("はっぴ", "ハッピ", None),
        ("AB1", "AB2", None),
    ],
)
def test_the_fewest_rules_are_named(one: str, other: str, rules: tuple[Rule, ...] | None) -> None:
    """Two codes are compared by exactly the rules that are needed, and different words stay different."""
    assert rules_between(one, other) == rules
    assert rules_between(other, one) == rules


def test_equal_codes_need_nobody() -> None:
    """Listings of the same code on several channels have their SKU already: there is nothing to tell."""
    assert shop(("rakuten", "1", "りんご-01"), ("amazon", "2", "りんご-01")) == Report(matches=(), misfits=())


def test_a_listing_without_a_sku_is_matched_exactly() -> None:
    """An exact match needs no rule, also where other codes look alike."""
    found = shop(("shop", "1", "梅干-1"), ("mall", "2", "梅干-1"), ("mall", "3", "梅干－1"), unmapped=("2",))
    assert told(found)[0] == ("2", "梅干-1", ())


def test_the_counted_sku_is_the_one() -> None:
    """Alike codes are suggested for the one SKU that was counted, whoever has more listings."""
    found = shop(
        ("rakuten", "1", "ＵＭＥ-01"), ("amazon", "2", "ＵＭＥ-01"), ("shop", "3", "UME-01"), counted=("UME-01",)
    )
    assert told(found) == [("1", "UME-01", (WIDTH,)), ("2", "UME-01", (WIDTH,))]


def test_before_any_count_most_channels_decide() -> None:
    """Without a count the code on most channels is the SKU, and of equal ones the first."""
    found = shop(("rakuten", "1", "ume 01"), ("amazon", "2", "UME01"), ("shop", "3", "UME01"))
    assert told(found) == [("1", "UME01", (CASE, BLANK))]
    assert told(shop(("rakuten", "1", "a"), ("amazon", "2", "A"))) == [("2", "a", (CASE,))]


def test_several_counted_skus_are_never_guessed() -> None:
    """Where two counted SKUs look alike nothing is suggested; the listing and the SKUs are told."""
    found = shop(("shop", "1", "ａ"), counted=("A", "a"))
    assert (found.matches, reasons(found)) == ((), [Reason.AMBIGUOUS, Reason.ALIKE])
    assert found.misfits[0].others == ("A", "a")


def test_a_counted_sku_keeps_its_listings() -> None:
    """A listing whose own SKU was counted is left alone, although another SKU looks alike."""
    found = shop(("shop", "1", "A"), ("mall", "2", "a"), counted=("A", "a"))
    assert (found.matches, reasons(found)) == ((), [Reason.ALIKE])


def test_a_mapping_by_hand_is_left_alone() -> None:
    """A listing that a person gave another SKU is neither matched nor told."""
    skus = [
        SkuCode(sku_id=1, code="A", settled=False, promised=0),
        SkuCode(sku_id=2, code="Z", settled=False, promised=0),
    ]
    listings = [ListingCode(account="shop", remote_id="1", remote_location="", remote_sku="a", sku_id=2)]
    assert report(skus, listings) == Report(matches=(), misfits=())


def test_promised_units_are_told() -> None:
    """A listing whose own SKU has promised units is told instead of suggested."""
    skus = [
        SkuCode(sku_id=1, code="A", settled=True, promised=0),
        SkuCode(sku_id=2, code="a", settled=False, promised=3),
    ]
    listings = [ListingCode(account="shop", remote_id="1", remote_location="", remote_sku="a", sku_id=2)]
    found = report(skus, listings)
    assert (found.matches, [(x.reason, x.sku) for x in found.misfits]) == ((), [(Reason.PROMISED, "A")])


def test_the_id_stands_for_a_missing_code() -> None:
    """Of an option row without a code of its own the last part of the id is compared, always by the rule option."""
    found = shop(
        ("shop", "1", "T100-赤"), ("qoo10", "998/T100-赤", ""), ("qoo10", "998:t100-赤", ""), ("qoo10", "7", "")
    )
    assert told(found) == [("998/T100-赤", "T100-赤", (OPTION,)), ("998:t100-赤", "T100-赤", (OPTION, CASE))]
    assert reasons(found) == [Reason.NO_CODE]


def test_option_rows_elsewhere_are_told() -> None:
    """A listing for the whole item is told where other channels have a row per option; nothing is suggested."""
    found = shop(
        ("qoo10", "1", "Ｔ100"), ("rakuten", "2", "T100-赤"), ("rakuten", "3", "t100_青"), ("rakuten", "4", "T1000-赤")
    )
    rows = [misfit for misfit in found.misfits if misfit.reason is Reason.OPTION_ROWS]
    assert [(row.account, row.remote_id, row.others) for row in rows] == [("qoo10", "1", ("T100-赤", "t100_青"))]
    assert [misfit.sku for misfit in found.misfits if misfit.reason is Reason.ONE_CHANNEL] == ["T1000-赤"]
    assert found.matches == ()


def test_an_item_beside_its_own_options_is_no_misfit() -> None:
    """A channel that has the item and its options, or shares the item's SKU with others, knows what it does."""
    rows = (("rakuten", "2", "T100-赤"), ("rakuten", "3", "T100-青"))
    assert Reason.OPTION_ROWS not in reasons(shop(("rakuten", "1", "T100"), *rows))
    assert Reason.OPTION_ROWS not in reasons(shop(("qoo10", "1", "T100"), ("amazon", "9", "T100"), *rows))


def test_a_code_twice_on_one_channel_is_told_once() -> None:
    """One code on several listings of a channel is told with their ids; the same code elsewhere is none of it."""
    found = shop(("shop", "1", "味噌"), ("shop", "2", "味噌"), ("mall", "3", "味噌"))
    assert found.misfits == (Misfit(reason=Reason.TWICE, account="shop", remote_sku="味噌", others=("1", "2")),)


def test_a_sku_on_one_channel_only_is_told() -> None:
    """Where the shop sells on several channels a SKU on one of them only is told; with a single channel none is."""
    found = shop(("shop", "1", "A"), ("mall", "2", "A"), ("mall", "3", "B"))
    assert found.misfits == (Misfit(reason=Reason.ONE_CHANNEL, account="mall", sku="B"),)
    assert shop(("mall", "2", "A"), ("mall", "3", "B")).misfits == ()


def test_a_sku_without_a_listing_is_no_misfit() -> None:
    """A SKU that no channel has, such as a component of kits, is not told."""
    found = shop(("shop", "1", "A"), ("mall", "2", "A"), counted=("箱",))
    assert found == Report(matches=(), misfits=())


def test_a_code_that_nobody_knows_is_told() -> None:
    """A listing that has no SKU and a code like no other is told as such."""
    assert reasons(shop(("shop", "1", "A"), ("shop", "2", "Q"), unmapped=("2",))) == [Reason.UNKNOWN]
