"""Cancels, inquiries, account health, new keys and what the status tells of features, on the command line."""

from __future__ import annotations

import json
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from syncd.core.facts import AccountFact, AccountState
from syncd.core.terms import SECOND_US, AccountId, Outcome, OutcomeKind
from syncd.engine.channels import Judgement, NoDate
from syncd.engine.lags import Lags
from syncd.sdk.channel import Adapter, Context, SubscriptionReport
from syncd.sdk.errors import AuthError, ChannelError, TransientError
from syncd.sdk.features import CancelWish, HealthFigure, Inquiry, InquiryPage, IssuedKey, Key
from syncd.sdk.secret import Secret
from syncd.settings import adapters as installed
from syncd.settings.windows import read_window
from syncd.web.api import control_app, control_socket
from tests.cli.conftest import Shell
from tests.web.rig import START, Quiet, Rig, running, served

SHOP = AccountId("shop")


class Able(Quiet):
    """A channel that cancels orders and has an inbox."""

    def __init__(self) -> None:
        self.wishes: list[CancelWish] = []
        self.lost = False
        self.questions = (
            Inquiry(inquiry_id="q1", category="restock", asked_at=START, about="r1", url="https://shop.example.org/q1"),
        )
        self.trouble: ChannelError | None = None

    async def cancel(self, wish: CancelWish) -> Outcome:
        self.wishes.append(wish)
        if self.lost:
            raise TransientError("timeout", sent=True)
        return Outcome(key=wish.key, kind=OutcomeKind.APPLIED)

    async def inquiries(self, cursor: str | None) -> InquiryPage:
        if self.trouble is not None:
            raise self.trouble
        return InquiryPage(inquiries=self.questions, cursor=None)

    async def account_health(self) -> list[HealthFigure]:
        return []


@pytest.fixture
def able() -> Able:
    return Able()


@pytest.fixture
async def rig(shell: Shell, able: Able) -> AsyncIterator[Rig]:
    async with running(shell.folder, channels={"shop": able, "mall": Quiet()}) as made:
        path = made.plant.settings.daemon.socket_path
        async with served(control_app(made.plant), sock=control_socket(path)):
            await made.know("A")
            await made.catalogue("shop", ("r1", "A"))
            await made.order("shop", "S-1", ("r1", "A", 2))
            await made.tell(AccountFact(account=SHOP, state=AccountState.LIVE))
            yield made


CANCEL = ("orders", "cancel", "shop", "S-1", "--reason", "out_of_stock")


async def test_an_order_is_cancelled_by_its_number(rig: Rig, shell: Shell, able: Able) -> None:
    """A person names the number and the reason, sees the order, agrees, and is told that it is done."""
    ended = await shell.run(*CANCEL, "--yes")
    assert (ended.code, "S-1: cancelled." in ended.out) == (0, True)
    assert [(wish.order_id, wish.lines) for wish in able.wishes] == [("o-S-1", ())]
    argv = ("orders", "cancel", "shop", "o-S-1", "--reason", "buyer", "--line", "1=2", "--yes", "--json")
    told = json.loads((await shell.run(*argv)).out.splitlines()[-1])  # the daemon of a test logs there, too
    assert (told["outcome"], told["order"]) == ("applied", "S-1")
    assert [(line.line_id, line.quantity) for line in able.wishes[1].lines] == [("1", 2)]


async def test_nothing_is_cancelled_unasked(rig: Rig, shell: Shell, able: Able) -> None:
    """Without a person and without --yes, without a reason, or with a line that is none, nothing is sent."""
    assert (await shell.run(*CANCEL)).code == 64
    assert (await shell.run("orders", "cancel", "shop", "S-1", "--yes")).code == 64
    assert (await shell.run(*CANCEL, "--yes", "--line", "1")).code == 64
    assert (await shell.run(*CANCEL, "--yes", "--line", "9=1")).code == 1
    ended = await shell.run("orders", "cancel", "shop", "S-9", "--reason", "buyer", "--yes")
    assert (ended.code, "no order S-9" in ended.err) == (1, True)
    ended = await shell.run("orders", "cancel", "mall", "S-1", "--reason", "buyer", "--yes")
    assert ended.code == 1
    assert able.wishes == []


async def test_an_unknown_end_is_told_as_that(rig: Rig, shell: Shell, able: Able) -> None:
    """Where nobody knows whether it was cancelled the command fails and says to look at the channel first."""
    able.lost = True
    ended = await shell.run(*CANCEL, "--yes")
    assert ended.code == 1
    assert "NOT KNOWN" in ended.out
    assert "Look at shop itself before you try again" in ended.out


async def test_orders_alone_lists_them(rig: Rig, shell: Shell) -> None:
    """`syncd orders` and `syncd orders list` are one command."""
    assert await shell.json("orders") == await shell.json("orders", "list")
    assert [row["number"] for row in await shell.json("orders", "--text", "S-")] == ["S-1"]


async def test_inquiries_are_listed(rig: Rig, shell: Shell, able: Able) -> None:
    """Open inquiries are shown with their page; a channel that does not answer is named, and the command fails."""
    ended = await shell.run("inquiries")
    assert (ended.code, "q1" in ended.out, "https://shop.example.org/q1" in ended.out) == (0, True, True)
    assert (await shell.json("inquiries", "shop"))["rows"][0]["category"] == "restock"
    able.trouble = AuthError("no right")
    ended = await shell.run("inquiries")
    assert (ended.code, "shop could not be asked: AuthError: no right" in ended.out) == (1, True)
    able.trouble, able.questions = None, ()
    assert "No open inquiries" in (await shell.run("inquiries")).out


async def test_health_shows_rates_and_limits(rig: Rig, shell: Shell) -> None:
    """The figures are shown in percent; before the first answer that is said."""
    assert "not answered yet" in (await shell.run("health")).out
    figure = HealthFigure(name="late", count=1, total=80, rate=0.0125, limit=0.04)
    rig.plant.roster[SHOP].judgement = Judgement(asked_at=START, figures=(figure,), reason="AuthError: x")
    ended = await shell.run("health")
    assert all(word in ended.out for word in ("late", "1.25 %", "4.00 %", "AuthError: x"))
    assert (await shell.json("health"))["accounts"][0]["figures"][0]["count"] == 1


async def test_the_status_shows_keys_maintenance_and_dates(rig: Rig, shell: Shell) -> None:
    """Maintenance stands where the reason is, keys and orders without a date have lines of their own."""
    account = rig.plant.roster[SHOP]
    ends = (START + 3 * 86_400 * SECOND_US, START - SECOND_US)
    account.keys = (Key(name="licence", expires_at=ends[0]), Key(name="old", expires_at=ends[1]))
    account.undated = (NoDate(order_id="o1", number="N-77", reason="short of A"),)
    account.pulse.windows = (read_window("mon 14:00/15:00 UTC"),)
    out = (await shell.run("status")).out
    assert "maintenance until" in out
    assert "licence holds until" in out
    assert "3.0 d left" in out
    assert "old EXPIRED" in out
    assert "1 orders have no ship-by date" in out
    assert "short of A" in out


async def test_the_status_shows_lags(rig: Rig, shell: Shell) -> None:
    """Lags stand in a table of their own, the median, 95 and 99 % of each; without any there is no table."""
    rig.plant.house = replace(rig.plant.house, lags=Lags())
    assert "silent for" not in (await shell.run("status")).out
    lags = rig.plant.house.lags
    for number in range(20):
        sold_at = START + number * SECOND_US
        lags.learned(SHOP, sold_at=sold_at, by_message=False, at=sold_at + 90 * SECOND_US)
    out = (await shell.run("status")).out
    assert "silent for" in out
    assert out.count("1.5 min") == 3
    shop = next(row for row in (await shell.json("status"))["accounts"] if row["name"] == "shop")
    assert [one["stage"] for one in shop["lags"]] == ["feed"]


# --- keys -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class KeyedSettings:
    fault: str = ""


class Keyed(Quiet):
    def __init__(self, settings: KeyedSettings) -> None:
        self.settings = settings

    async def issue_key(self, user: str, password: Secret) -> IssuedKey:
        if (user, password.reveal()) != ("anna", "pass-word-of-anna"):
            raise AuthError("the login is refused")
        return IssuedKey(key=Secret("the-new-key-itself"), expires_at=START)


@asynccontextmanager
async def opened(settings: KeyedSettings, context: Context) -> AsyncIterator[Any]:
    yield Quiet() if settings.fault else Keyed(settings)


@pytest.fixture
def keyed(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a shop whose adapter makes keys, and a file with the password."""
    adapter = Adapter(name="keyed", settings=KeyedSettings, open=opened)
    monkeypatch.setattr(installed.Installed, "__getitem__", lambda _, name: {"keyed": adapter}[name])
    monkeypatch.setattr(installed.Installed, "__contains__", lambda _, name: name == "keyed")
    shell.config.write_text('[daemon]\ndata_dir = "."\n[channels.shop]\nadapter = "keyed"\n', encoding="utf-8")
    path = shell.folder / "password"
    path.write_text("pass-word-of-anna\n", encoding="utf-8")
    return path


def issue(password: Path, out: Path, *, user: str = "anna") -> list[str]:
    return ["key", "issue", "shop", "--user", user, "--out", str(out), "--password-file", str(password)]


async def test_a_new_key_goes_into_its_file_alone(shell: Shell, keyed: Path) -> None:
    """The key is in the file that only its owner reads, over the one before, and is printed nowhere."""
    out = shell.folder / "shop_key"
    out.write_text("the-old-key\n")
    out.chmod(0o644)
    ended = await shell.run(*issue(keyed, out))
    assert ended.code == 0, ended
    assert out.read_text() == "the-new-key-itself\n"
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert "the-new-key" not in ended.out + ended.err
    assert "2026-09-" in ended.out
    told = await shell.json(*issue(keyed, out))
    assert told == {"account": "shop", "file": str(out), "expires_at": "2026-09-21T14:13:20+00:00"}
    assert sorted(path.name for path in shell.folder.iterdir()) == ["password", "shop_key", "syncd.toml"]


async def test_provisioning_tells_what_was_set_up(shell: Shell, keyed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was set up is told, what failed ends with 1, and a channel without it is said to need nothing."""
    assert (await shell.run("provision", "shop")).code == 1
    assert (await shell.run("provision", "mall")).code == 1
    reports = [SubscriptionReport(restored=("ORDER_CHANGE",)), SubscriptionReport(), SubscriptionReport(failed=("X",))]

    async def provision(_: Keyed) -> SubscriptionReport:
        return reports.pop(0)

    monkeypatch.setattr(Keyed, "provision", provision, raising=False)
    ended = await shell.run("provision", "shop")
    assert (ended.code, "set up: ORDER_CHANGE" in ended.out) == (0, True)
    ended = await shell.run("provision", "shop")
    assert (ended.code, "there already" in ended.out) == (0, True)
    ended = await shell.run("provision", "shop")
    assert (ended.code, "could not be set up: X" in ended.out) == (1, True)


async def test_a_refused_login_leaves_the_old_key(shell: Shell, keyed: Path) -> None:
    """Without a new key the file stays as it was, and nothing is left beside it."""
    out = shell.folder / "shop_key"
    out.write_text("the-old-key\n")
    ended = await shell.run(*issue(keyed, out, user="bert"))
    assert (ended.code, "the login is refused" in ended.err) == (1, True)
    assert out.read_text() == "the-old-key\n"
    assert not list(shell.folder.glob(".shop_key*"))


async def test_no_key_is_made_that_could_not_be_kept(shell: Shell, keyed: Path) -> None:
    """Where the file cannot be written, no terminal is there, or the channel cannot do it, that is said before."""
    ended = await shell.run(*issue(keyed, shell.folder / "nowhere" / "key"))
    assert (ended.code, "no key was made" in ended.err) == (1, True)
    out = shell.folder / "key"
    assert (await shell.run("key", "issue", "shop", "--user", "anna", "--out", str(out))).code == 64
    assert (await shell.run("key", "issue", "mall", "--user", "anna", "--out", str(out))).code == 1
    text = shell.config.read_text() + '[channels.shop.settings]\nfault = "no"\n'
    shell.config.write_text(text)
    ended = await shell.run(*issue(keyed, out))
    assert (ended.code, "makes no keys" in ended.err) == (1, True)
    assert not out.exists()
    assert len(list(shell.folder.iterdir())) == 2
