"""The copy of codes and titles that searches look in: true of its version, and never used beyond it."""

from __future__ import annotations

from sqlalchemy import Connection

from syncd.core.terms import Sku
from syncd.store import ledger, skuwords
from syncd.store.session import Store
from syncd.store.skuwords import Gathering, SkuWords
from syncd.store.views_shelf import ShelfAsk, shelf_page

TITLES = {
    "TEA-1": "煎茶 100g",
    "tea-2": "玉露 Gyokuro",
    "CUP": "Blue cup 100% tea",
    "ODD": "one\ntwo\tthree",
    "WIDE": "ＴＥＡ　抹茶",
}
SOUGHT = ("tea", "TEA", "煎", "茶", "100%", "_", "0%", "zz", "ＴＥＡ", "抹", "cup", "%", "\\", "CUP\tBlue", "g玉")


async def copied(store: Store) -> SkuWords:
    gathering = Gathering()
    while await store.read(gathering.read):
        pass
    found = gathering.done()
    assert found is not None
    return found


def codes(conn: Connection, text: str, words: SkuWords | None) -> list[str]:
    return [row.stock.sku for row in shelf_page(conn, ShelfAsk(text=text), words=words).rows]


async def test_a_copy_finds_what_the_rows_have(store: Store) -> None:
    """For every text the copy finds the SKUs that a look at all rows finds, Japanese by part too."""
    await store.write(lambda conn: ledger.add_skus(conn, TITLES))
    words = await copied(store)
    assert words.version == await store.read(skuwords.version)
    for text in SOUGHT:
        plain = await store.read(lambda conn, t=text: codes(conn, t, None))
        assert await store.read(lambda conn, t=text: codes(conn, t, words)) == plain, text
    assert await store.read(lambda conn: codes(conn, "茶", words)) == ["TEA-1", "WIDE"]
    assert len(words.ids_of("tea", most=9) or ()) == 3
    assert words.ids_of("tea", most=2) is None


async def test_a_copy_of_another_version_is_not_used(store: Store) -> None:
    """A new SKU and a new title are found at once, whatever the copy knows; nothing else makes a copy old."""
    await store.write(lambda conn: ledger.add_skus(conn, TITLES))
    words = await copied(store)
    sku = (await store.read(lambda conn: ledger.skus_by_code(conn, ["CUP"])))[Sku("CUP")].sku_id
    await store.write(lambda conn: ledger.open_skus(conn, [sku], now=1))
    assert words.version == await store.read(skuwords.version)
    await store.write(lambda conn: ledger.set_title(conn, {sku: "Red cup"}))
    assert await store.read(lambda conn: codes(conn, "red", words)) == ["CUP"]
    words = await copied(store)
    await store.write(lambda conn: ledger.add_skus(conn, {"NEW": "Red pot"}))
    assert await store.read(lambda conn: codes(conn, "red", words)) == ["CUP", "NEW"]


async def test_a_copy_that_was_overtaken_is_thrown_away(store: Store) -> None:
    """What changes while a copy is made ends it: half of one version and half of another is no copy."""
    piece = skuwords.PIECE
    await store.write(lambda conn: ledger.add_skus(conn, {f"S{n:06d}": "" for n in range(piece + 1)}))
    gathering = Gathering()
    assert await store.read(gathering.read)
    await store.write(lambda conn: ledger.add_skus(conn, {"NEW": ""}))
    assert not await store.read(gathering.read)
    assert gathering.done() is None
    assert len((await copied(store)).ids) == piece + 2
