"""The pages as they are served: what they tell, in both languages, and what the forms on them do."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from jinja2 import Environment, nodes

from syncd.core.brake import BrakeRule
from syncd.core.conduct import Finding
from syncd.core.facts import AccountFact, AccountState
from syncd.core.terms import AccountId, PaymentStatus
from syncd.engine.channels import Conduct, Judgement
from syncd.engine.incidents import IncidentWatch
from syncd.sdk.features import HealthFigure, Key
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


async def test_a_sku_tells_why_and_what_happened(rig: Rig, look: Looker) -> None:
    """The page of a SKU has each listing with the steps to its number, and its timeline, newest first."""
    await fill(rig)
    page = await look.get("/stock/TEA")
    assert page.status == 200
    assert re.search(r"Available at main</span><b>10</b>.*Should show</span><b>10</b>", page.text, re.DOTALL)
    assert "channel not released" in page.text
    timeline = page.text[page.text.index('id="timeline"') :]
    assert re.findall(r">(Sale|Opening count)<", timeline) == ["Sale", "Opening count"]
    assert 'href="/do/count?sku=TEA"' in page.text
    kit = await look.get("/stock/SET", **{"Accept-Language": "ja"})
    assert "セット内容" in kit.text
    assert "/do/count" not in kit.text
    assert (await look.get("/stock/NONE")).status == 404


async def test_a_sku_may_have_any_name(rig: Rig, look: Looker) -> None:
    """Signs that mean something in an address are carried through links and forms."""
    await rig.know("a/b ?&#%é")
    listed = re.search(r'<a href="(/stock/[^"]+)">a/b', (await look.get("/stock")).text)
    assert listed is not None
    page = await look.get(listed[1])
    assert page.status == 200
    form = re.search(r'href="(/do/count[^"]+)"', page.text)
    assert form is not None
    done = await look.do(form[1].replace("&amp;", "&"), location="main", quantity="3", reason="found")
    assert "The count is in the ledger." in done.text


async def test_orders_of_all_channels_stand_in_one_table(rig: Rig, look: Looker) -> None:
    """Orders have the same words whatever their channel, and are chosen by them."""
    await fill(rig)
    await rig.order("mall", "M1", ("m1", "TEA", 1), payment=PaymentStatus.PAID, amount="12300", currency="JPY")
    await rig.order("mall", "M2", ("mx", "TEAX", 1), payment=PaymentStatus.PENDING)

    async def numbers(query: str) -> list[str]:
        text = (await look.get(f"/orders?{query}")).text
        return re.findall(r'<th scope="row"><a href="/orders/[^"]+">(\w+)</a>', text)

    assert await numbers("") == ["M2", "M1", "1001"]
    assert await numbers("account=mall&payment=paid") == ["M1"]
    assert await numbers("q=100") == ["1001"]
    assert await numbers("state=closed") == []
    assert await numbers("delay=late") == []
    assert await numbers("carrier=yamato") == []
    page = (await look.get("/orders?payment=paid")).text
    assert "12,300" in page
    assert '<option value="paid" selected>' in page
    assert "unknown SKU" in (await look.get("/orders")).text
    one = (await look.get("/orders/mall/o-M2")).text
    assert "TEAX" in one
    assert (await look.get("/orders/mall/none")).status == 404
    assert (await look.get("/orders?before=x")).status == 400


async def test_orders_are_a_file_too(rig: Rig, look: Looker) -> None:
    """The chosen orders come as CSV with the heads of the page's language, in either encoding."""
    await fill(rig)
    file = await look.get("/orders.csv?account=shop", **{"Accept-Language": "ja"})
    assert file.headers["Content-Disposition"].startswith("attachment;")
    assert "注文番号" in file.text
    assert "1001" in file.text
    assert "1001" not in (await look.get("/orders.csv?account=mall&encoding=shift_jis")).text


async def test_incidents_tell_who_lost_and_why(rig: Rig, look: Looker) -> None:
    """An oversold SKU is listed while it lasts, with the order that lost, by how much, and a remedy."""
    assert "Nothing was ever oversold" in (await look.get("/incidents")).text
    await fill(rig)
    await rig.order("mall", "M1", ("m1", "TEA", 12))
    listed = await look.get("/incidents")
    assert re.search(r'href="/incidents/TEA">TEA</a>.*?>lasts<.*?<td class="num bad">2</td>', listed.text, re.DOTALL)
    told = (await look.get("/incidents/TEA")).text
    assert 'mall <a href="/orders/mall/o-M1">M1</a>' in told
    assert "Lacks 2 of its 12 units" in told
    assert "shop 1001 had sold 2" in told
    assert "What would have prevented it" in told
    assert "was not oversold" in (await look.get("/incidents/CUP")).text
    assert (await look.get("/incidents/NONE")).status == 404


async def test_an_incident_is_closed(rig: Rig, look: Looker) -> None:
    """An oversell that lasts is an open incident with the orders that lack units, until a person closes it."""
    await fill(rig)
    await rig.order("mall", "M1", ("m1", "TEA", 12))
    rig.clock.instant += 3_600_000_000
    await IncidentWatch(rig.plant).step()
    listed = (await look.get("/incidents")).text
    (close,) = re.findall(r'href="(/do/incident-close\?id=\d+)"', listed)
    told = (await look.get("/incidents/TEA")).text
    assert re.search(r"lacks 2 of 12\b.*?not told", told, re.DOTALL)
    done = await look.do(close, reason="told by phone")
    assert "The incident is closed." in done.text
    assert "/do/incident-close" not in done.text
    assert "told by phone" in (await look.get("/incidents/TEA")).text
    assert (await look.get(close)).status == 404


async def test_health_tells_keys_rates_and_what_waits(rig: Rig, look: Looker) -> None:
    """A rate stands beside its limit, a key that ends soon is marked, a channel that was not asked says why."""
    shop, mall = (rig.plant.roster[AccountId(name)] for name in ("shop", "mall"))
    rate = HealthFigure(name="late shipments", count=3, total=100, rate=0.03, limit=0.04)
    shop.judgement = Judgement(asked_at=rig.clock.instant, figures=[rate])
    finding = Finding(name="cancels", count=2, total=50, unknown=1, value=0.04, forecast=0.06, limit=0.05, rate=True)
    mall.conduct = Conduct(at=rig.clock.instant, findings=(finding,))
    mall.judgement = Judgement(asked_at=rig.clock.instant, reason="it refused")
    shop.keys = [Key(name="licence", expires_at=rig.clock.instant + 86_400_000_000)]
    page = (await look.get("/health")).text
    assert re.search(r'late shipments<meter .*?value="0.75".*?lamp warn">3.00 %</span>.*?/ 4.00 %', page, re.DOTALL)
    assert "it refused" in page
    assert re.search(r'2 of 50 orders.*?lamp warn">4.00 %</span>.*?/ 5.00 %.*?at worst 6.00 %', page, re.DOTALL)
    assert re.search(r'licence</td>.*?lamp warn">24 h<', page, re.DOTALL)


async def test_nobody_waits_at_first(rig: Rig, look: Looker) -> None:
    """Without those who wait, both pages of them say so."""
    await rig.know("TEA")
    assert "Nobody waits." in (await look.get("/waiting")).text
    assert "Nobody waits for it." in (await look.get("/waiting/TEA")).text
    assert (await look.get("/waiting/NONE")).status == 404
    assert (await look.get("/waiting?after=x")).status == 400


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
    families = {*re.findall(r'word\("(\w+)"', sources), *re.findall(r'"([\w.]+)\." ~', sources)}
    families |= {*re.findall(r'f"([\w.]+)\.{', sources), "do", "flag", "payment", "fulfilment", "returns"}
    starts = tuple(f"{family}." for family in families)
    left = [key for key in words.texts() if f'"{key}"' not in sources and not key.startswith(starts)]
    assert left == []
