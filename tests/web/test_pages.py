"""The pages as they are served: what they tell, in both languages, and what the forms on them do."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from jinja2 import Environment, nodes

from syncd.core.brake import BrakeRule
from syncd.core.facts import AccountFact, AccountState
from syncd.core.terms import AccountId
from syncd.store.ledger import shelves, skus_by_code
from syncd.store.views_listings import brakes
from syncd.web.pages import words
from tests.web.looking import Looker, hidden, looking
from tests.web.rig import Rig, running

FOLDER = Path(words.__file__).parent


@pytest.fixture
async def look(rig: Rig) -> AsyncIterator[Looker]:
    async with looking(rig) as found:
        yield found


async def fill(rig: Rig) -> None:
    await rig.know("TEA", "CUP", "NEW", SET={"TEA": 1, "CUP": 2})
    await rig.count(TEA=12, CUP=7)
    await rig.catalogue("shop", ("s1", "TEA"), ("s2", "CUP"), ("s3", ""))
    await rig.catalogue("mall", ("m1", "TEA"))
    await rig.see("shop", s1=12, s2=9)
    await rig.order("shop", "1001", ("s1", "TEA", 2))


async def test_now_tells_channels_and_sales(rig: Rig, look: Looker) -> None:
    """The first page names each channel with its state, and the last sale with its SKU and units."""
    await fill(rig)
    page = await look.get("/")
    assert page.status == 200
    assert "not released" in page.text
    assert re.search(r'id="sale-shop-o-1001".*?/stock/TEA">TEA</a> <b>×2', page.text, re.DOTALL)


async def test_an_empty_daemon_has_calm_pages(tmp_path: Path) -> None:
    """Without channels, SKUs and sales each page says what is missing instead of showing nothing."""
    async with running(tmp_path, channels={}) as rig, looking(rig) as look:
        assert "No channel is set up yet" in (await look.get("/")).text
        assert "No SKU is known yet" in (await look.get("/stock")).text


async def test_a_daemon_that_starts_says_so(rig: Rig, look: Looker) -> None:
    """While facts of the last run are decided, each page warns that its numbers may be behind."""
    rig.plant.ready.clear()
    assert "syncd is starting" in (await look.get("/stock")).text


ACCEPTED = [
    ("ja", "在庫"),
    ("de-DE,ja;q=0.5,en;q=0.4", "在庫"),
    ("en-GB", "Stock"),
    ("fr", "Stock"),
    ("ja;q=0", "Stock"),
]


async def test_the_browser_chooses_the_language(look: Looker) -> None:
    """A page speaks the first language of the browser that it can, else that of the settings."""
    for accept, told in ACCEPTED:
        assert f"<h1>{told}</h1>" in (await look.get("/stock", **{"Accept-Language": accept})).text


async def test_a_chosen_language_stays(look: Looker) -> None:
    """The switch keeps its language whatever the browser prefers, and leads back to where one was."""
    back = await look.get("/language/ja?to=/stock%3Fq%3Dtea", **{"Accept-Language": "en"})
    assert back.url == "/stock?q=tea"
    assert '<html lang="ja">' in back.text
    assert '<html lang="ja">' in (await look.get("/", **{"Accept-Language": "en"})).text


async def test_nothing_leads_out_of_the_pages(look: Looker) -> None:
    """The address to go back to is one of these pages or the first of them."""
    for to in ("//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", ""):
        answer = await look.get(f"/language/en?to={to}", follow=False)
        assert answer.headers["Location"] == "/"


async def test_the_table_tells_what_differs(rig: Rig, look: Looker) -> None:
    """A row has the units of a SKU, and under each channel what it shows and should show."""
    await fill(rig)
    text = (await look.get("/stock")).text
    row = re.search(r'<tr id="sku-CUP">.*?</tr>', text, re.DOTALL)
    assert row is not None
    cells = [re.sub(r"<[^>]+>", "", cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", row[0], re.DOTALL)]
    assert [cell.strip() for cell in cells] == ["7", "0", "0", "7", "9→ should show 7", "–"]


async def test_the_table_is_searched_sorted_and_paged(rig: Rig, look: Looker) -> None:
    """Search, filter and order go by the address and stay in the links to the next page."""
    await rig.know(*(f"S{number:03d}" for number in range(120)))
    await rig.count(**{f"S{number:03d}": number for number in range(120)})
    first = await look.get("/stock?sort=available&falling=1")
    codes = re.findall(r'<tr id="sku-(\w+)">', first.text)
    assert codes == [f"S{number:03d}" for number in range(119, 69, -1)]
    onward = re.search(r'rel="next" href="([^"]+)"', first.text)
    assert onward is not None
    second = await look.get(onward[1].replace("&amp;", "&"))
    assert re.findall(r'<tr id="sku-(\w+)">', second.text)[0] == "S069"
    assert re.findall(r'<tr id="sku-(\w+)">', (await look.get("/stock?q=s11&only=all")).text) == [
        f"S{number}" for number in range(110, 120)
    ]
    assert "Nothing fits" in (await look.get("/stock?q=100%25")).text
    assert (await look.get("/stock?sort=available&after=S001")).status == 400


async def test_titles_are_told_as_text(rig: Rig, look: Looker) -> None:
    """What a channel calls its goods can put nothing into a page."""
    await rig.know("<script>alert(1)</script>")
    text = (await look.get("/stock")).text
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)" in text


# --- deeds ----------------------------------------------------------------------------------------------------------


async def test_a_count_is_edited(rig: Rig, look: Looker) -> None:
    """A count with its reason goes into the ledger by the same fact as on the command line."""
    await fill(rig)
    done = await look.do("/do/count?sku=CUP", location="main", quantity="5", reason="two were broken")
    assert done.url.startswith("/stock/CUP?said=count")
    known = await rig.plant.store.read(lambda conn: skus_by_code(conn, ["CUP"]))
    (cup,) = known.values()
    found = await rig.plant.store.read(lambda conn: shelves(conn, [cup.sku_id]))
    assert found[cup.sku_id]["main"].on_hand == 5


async def test_a_form_sent_twice_counts_once(rig: Rig, look: Looker) -> None:
    """The id in a form makes the second sending harmless."""
    await fill(rig)
    form = {**hidden(await look.get("/do/pause?account=shop")), "reason": "holiday"}
    first = await look.post("/do/pause?account=shop", form)
    second = await look.post("/do/pause?account=shop", form)
    assert (first.status, second.status) == (200, 200)
    assert "Paused." in second.text
    changed = {**form, "reason": "something else"}
    assert (await look.post("/do/pause?account=shop", changed)).status == 409


WRONG_COUNTS = (
    {"quantity": "", "location": "main", "reason": "x"},
    {"quantity": "-1", "location": "main", "reason": "x"},
    {"quantity": "9" * 30, "location": "main", "reason": "x"},
    {"quantity": "1", "location": "moon", "reason": "x"},
    {"quantity": "1", "location": "main", "reason": ""},
    {"quantity": "1", "location": "main", "reason": "x" * 300},
)


async def test_a_wrong_count_changes_nothing(rig: Rig, look: Looker) -> None:
    """A form that says nothing sensible is told so."""
    await rig.know("CUP")
    for fields in WRONG_COUNTS:
        assert (await look.do("/do/count?sku=CUP", **fields)).status == 400
    assert "not counted" in (await look.get("/stock")).text


async def test_accounts_are_released_and_paused(rig: Rig, look: Looker) -> None:
    """The page of a release tells what would be written, and then the channel is live."""
    await fill(rig)
    asked = await look.get("/do/go?account=shop")
    assert re.search(r"<dt>of them fall</dt><dd>2</dd>", asked.text)
    assert "Released." in (await look.do("/do/go?account=shop")).text
    assert ">live<" in (await look.get("/")).text
    assert (await look.get("/do/go?account=nowhere")).status == 404


async def test_a_brake_is_released_and_refused(tmp_path: Path) -> None:
    """What the brake holds is shown with its cause, and passes or is dropped by a person's word."""
    async with running(tmp_path, rule=BrakeRule(share=0.1, minimum=1, factor=10.0)) as rig, looking(rig) as look:
        await fill(rig)
        for name in ("shop", "mall"):
            await rig.tell(AccountFact(account=AccountId(name), state=AccountState.LIVE))
        held = await look.do("/do/count?sku=TEA", location="main", quantity="0", reason="none there")
        assert "The brake holds this change" in held.text
        (brake,) = await rig.plant.store.read(brakes)
        assert f"/do/brake-release?id={brake.id}" in held.text
        assert "The change was dropped." in (await look.do(f"/do/brake-refuse?id={brake.id}")).text
        assert (await look.get(f"/do/brake-release?id={brake.id}")).status == 404
        await look.do("/do/count?sku=TEA", location="main", quantity="0", reason="none there")
        (brake,) = await rig.plant.store.read(brakes)
        assert "The change was applied." in (await look.do(f"/do/brake-release?id={brake.id}")).text
        assert await rig.plant.store.read(brakes) == []


async def test_drift_is_overwritten(rig: Rig, look: Looker) -> None:
    """A number that somebody changed is listed with what it should be, and is decided there."""
    await fill(rig)
    await rig.tell(AccountFact(account=AccountId("shop"), state=AccountState.LIVE))
    rig.clock.instant += 60_000_000
    await rig.see("shop", s2=99)
    page = await look.get("/")
    found = re.search(r'href="(/do/drift-overwrite\?id=\d+)"', page.text)
    assert found is not None
    assert "Our number is written again." in (await look.do(found[1])).text
    assert "drift-overwrite" not in (await look.get("/")).text


async def test_an_unknown_deed_is_none(look: Looker) -> None:
    """A verb that is none has no page."""
    assert (await look.get("/do/dance")).status == 404


# --- words ----------------------------------------------------------------------------------------------------------


def templates() -> list[Path]:
    return sorted((FOLDER / "templates").rglob("*.html"))


def said_keys(tree: nodes.Template) -> list[str]:
    """Return the keys that a template says outright."""
    calls = [call for call in tree.find_all(nodes.Call) if isinstance(call.node, nodes.Name) and call.node.name == "t"]
    return [call.args[0].value for call in calls if isinstance(call.args[0], nodes.Const)]


def test_every_key_of_a_template_has_its_words() -> None:
    """Each text that a template asks for is there, in both languages and with the same values in braces."""
    for path in templates():
        for key in said_keys(Environment(autoescape=True).parse(path.read_text(encoding="utf-8"))):
            assert key in words.texts(), f"{path.name}: {key}"
    for key, found in words.texts().items():
        assert len(found) == len(words.LANGUAGES), key
        assert len({frozenset(re.findall(r"{(\w+)}", text)) for text in found}) == 1, key


def test_every_word_is_said_somewhere() -> None:
    """No text is left over: its key, or the family of it, is named in a template or a module."""
    sources = "".join(path.read_text(encoding="utf-8") for path in [*templates(), *FOLDER.glob("*.py")])
    families = ("do.", "said.", "state.", "alert.", "held.", "stock.filter.", "lag.", "stock.", "orders.", "word.")
    left = [k for k in words.texts() if f'"{k}"' not in sources and not k.startswith(families)]
    assert left == []
