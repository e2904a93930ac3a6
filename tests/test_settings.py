"""Settings: file and environment into frozen values, or every problem at once."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from syncd.sdk.channel import Adapter
from syncd.sdk.errors import ConfigError
from syncd.sdk.secret import Secret
from syncd.settings import load, load_daemon, locate
from syncd.settings.adapters import Installed
from tests.settings_desk import ADAPTERS, HOME, TILL, Desk, TillSettings


def test_nothing_given_gives_defaults(desk: Desk) -> None:
    """Without a file and an environment there are defaults, no channels and no warnings."""
    settings = desk.load()
    assert settings.daemon.data_dir == Path("/home/shop/.local/state/syncd")
    assert settings.daemon.socket == settings.daemon.socket_path == settings.daemon.data_dir / "syncd.sock"
    assert settings.daemon.store_url == "sqlite:////home/shop/.local/state/syncd/syncd.db"
    assert settings.http.address == ("127.0.0.1", 8377)
    assert not settings.http.api_token
    assert settings.channels == {}
    assert settings.warnings == ()


def test_an_empty_file_is_like_none(desk: Desk) -> None:
    """An empty file gives the defaults and is remembered."""
    path = desk.folder / "syncd.toml"
    assert desk.load("") == dataclasses.replace(desk.load(), path=path)


def test_every_kind_of_value_is_read(desk: Desk) -> None:
    """Numbers, texts, lists, tables and choices of the file arrive in their types."""
    settings = desk.load("""
        [daemon]
        data_dir = "state"
        drain_s = 5
        language = "ja"
        shadow = true
        [alerts]
        smtp_url = "smtp://localhost"
        mail_from = "a@example.org"
        mail_to = ["b@example.org", "c@example.org"]
        [policy]
        cap = 7
        [channels.shop]
        adapter = "till"
        locations = ["tokyo", "osaka"]
        location_map = { "gid/1" = "tokyo" }
        drift = "adopt"
        counting = true
        settings = { shop = "one", key = "k", regions = ["jp"] }
    """)
    shop = settings.channels["shop"]
    assert settings.daemon.data_dir == desk.folder / "state"
    assert (settings.daemon.drain_s, settings.daemon.language, settings.daemon.shadow) == (5.0, "ja", True)
    assert settings.alerts.mail_to == ("b@example.org", "c@example.org")
    assert settings.policy.cap == 7
    assert (shop.name, shop.locations, shop.location_map) == ("shop", ("tokyo", "osaka"), {"gid/1": "tokyo"})
    assert (shop.drift, shop.counting, shop.cap) == ("adopt", True, None)
    assert shop.settings == TillSettings(shop="one", key=Secret("k"), regions=("jp",))


def test_all_problems_are_told_at_once(desk: Desk) -> None:
    """Mistakes in different tables, of different kinds, come in one error, each with its place."""
    desk.environ |= {"SYNCD_BRAKE__SHARE": "7", "SYNCD_DAEMON__SHADOWS": "1"}
    text = """
        [daemon]
        langage = "ja"
        drain_s = "soon"
        [alert]
        [policy]
        cap = -1
        [http]
        listen = "nowhere"
        [channels.shop]
        adapter = "till"
        poll_s = 0
        [channels.shop2]
        adapter = "tull"
    """
    assert sorted(desk.texts(text)) == [
        "SYNCD_BRAKE__SHARE: expected a number <= 1.0",
        "SYNCD_DAEMON__SHADOWS: overrides no setting",
        "syncd.toml: [alert]: unknown table",
        "syncd.toml: [channels.shop2] adapter: no adapter is called 'tull'",
        "syncd.toml: [channels.shop] poll_s: expected a number >= 1.0",
        "syncd.toml: [daemon] drain_s: expected a number, got a text",
        "syncd.toml: [daemon] langage: unknown key",
        "syncd.toml: [http] listen: expected an address and a port",
        "syncd.toml: [policy] cap: expected a whole number >= 0",
    ]
    remedies = {problem.place: problem.remedy for problem in desk.problems(text)}
    assert remedies["syncd.toml: [daemon] langage"] == "did you mean language?"
    assert remedies["syncd.toml: [alert]"] == "did you mean alerts?"
    assert remedies["syncd.toml: [channels.shop2] adapter"] == "did you mean till?"
    assert remedies["SYNCD_DAEMON__SHADOWS"] == "did you mean SYNCD_DAEMON__SHADOW?"
    assert remedies["syncd.toml: [channels.shop] poll_s"] == "for example: 15.0"
    assert all(remedies.values())


WRONG = [
    ("[daemon]\ninstance = 'a/b'", "[daemon] instance"),
    ("[daemon]\nshadow = 1", "[daemon] shadow"),
    ("[daemon]\nlog_form = 'xml'", "[daemon] log_form"),
    ("[daemon]\ndrain_s = nan", "[daemon] drain_s"),
    ("[daemon]\ndrain_s = inf", "[daemon] drain_s"),
    ("[daemon]\ndata_dir = ''", "[daemon] data_dir"),
    ("[daemon]\ndata_dir = 3", "[daemon] data_dir"),
    ("[daemon]\ndatabase_url = 'mysql://x'", "[daemon] database_url"),
    (f"[daemon]\nsocket = '/{'x' * 107}'", "[daemon] socket"),
    ("daemon = 3", "[daemon]"),
    ("[http]\nlisten = '8377'", "[http] listen"),
    ("[http]\nlisten = 'localhost:66000'", "[http] listen"),
    ("[http]\npublic_url = 'http://shop.example.org'", "[http] public_url"),
    ("[http]\napi_token = 'short'", "[http] api_token"),
    ("[http]\napi_token = 5", "[http] api_token"),
    ("[mqtt]\nurl = 'https://broker'", "[mqtt] url"),
    ("[mqtt]\nurl = 'mqtt://user:secret@broker'", "[mqtt] url"),
    ("[mqtt]\nurl = 'mqtt://broker:99999'", "[mqtt] url"),
    ("[mqtt]\nprotocol = '4'", "[mqtt] protocol"),
    ("[alerts]\nsmtp_url = 'smtps://h'\nmail_from = 'a@b'", "[alerts] mail_to"),
    ("[alerts]\nmail_to = ['a@b']\nmail_from = 'a@b'", "[alerts] smtp_url"),
    ("[alerts]\nsmtp_url = 'http://h'\nmail_from = 'a@b'\nmail_to = ['a@b']", "[alerts] smtp_url"),
    ("[alerts]\nmail_to = 'a@b'", "[alerts] mail_to"),
    ("[alerts]\nwebhook_url = 'http://hooks.example.org'", "[alerts] webhook_url"),
    ("[letters]\nquiet = '21:00'", "[letters] quiet"),
    ("[letters]\nquiet = '08:00/08:00'", "[letters] quiet"),
    ("[letters]\nquiet = 'night/day'", "[letters] quiet"),
    ("[letters]\nzone = 'Asia/Atlantis'", "[letters] zone"),
    ("[timerules]\nzones = { de = 'Europe/Berlin' }", "[timerules] zones"),
    ("[timerules]\nzones = { zh = 'Asia/Atlantis' }", "[timerules] zones"),
    ("[incidents]\nautomatic = ['unknown']", "[incidents] automatic"),
    ('[letters]\nname = "a\\u0007b"', "[letters] name"),
    ("[brake]\nshare = 0", "[brake] share"),
    ("[retention]\ninbox_days = 0", "[retention] inbox_days"),
    ("channels = []", "[channels]"),
    ("[channels]\nshop = 1", "[channels.shop]"),
    ("[channels.Shop]\nadapter = 'till'\nenabled = false", "[channels.Shop]"),
    ("[channels.mqtt]\nadapter = 'till'\nenabled = false", "[channels.mqtt]"),
    ("[channels.a-b]\nenabled = false\n[channels.a_b]\nenabled = false", "[channels.a_b]"),
    ("[channels.shop]\nenabled = false\nlocations = []", "[channels.shop] locations"),
    ("[channels.shop]\nenabled = false\nlocations = ['a', 'a']", "[channels.shop] locations"),
    ("[channels.shop]\nenabled = false\nlocation_map = { '1' = 'tokyo' }", "[channels.shop] location_map"),
    ("[channels.shop]\nenabled = false\ndrift = 'adopt'", "[channels.shop] drift"),
    ("[channels.a]\nenabled=false\ncounting=true\n[channels.b]\nenabled=false\ncounting=true", "[channels.b] counting"),
    (TILL.replace('"one"', '"closed"'), "[channels.shop.settings] shop"),
    (TILL.replace('shop = "one"', ""), "[channels.shop.settings] shop"),
    (TILL + "page = 0", "[channels.shop.settings] page"),
    (TILL + "regions = [1]", "[channels.shop.settings] regions"),
    (TILL + "kez = 0", "[channels.shop.settings] kez"),
    (TILL.replace('key = "plain-secret"', ""), "[channels.shop.settings] key"),
    (TILL + 'old_key_file = "nowhere"', "[channels.shop.settings] old_key"),
    (TILL + "old_key_file = 3", "[channels.shop.settings] old_key_file"),
]


@pytest.mark.parametrize(("text", "place"), WRONG)
def test_each_wrong_value_is_told_once_with_its_place(desk: Desk, text: str, place: str) -> None:
    """One mistake gives exactly one problem, at the place where it stands."""
    assert [problem.place for problem in desk.problems(text)] == [f"syncd.toml: {place}"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[daemon", "is not TOML"),
        ("a = 1\na = 2", "is not TOML"),
        (None, "cannot be read: No such file or directory"),
    ],
)
def test_a_file_that_cannot_be_read_is_a_problem(desk: Desk, text: str | None, message: str) -> None:
    """A file that is missing or is not TOML is one problem that names the file."""
    path = desk.folder / "none.toml" if text is None else desk.write(text)
    with pytest.raises(ConfigError) as caught:
        load(path, environ=HOME)
    assert [problem.place for problem in caught.value.problems] == [str(path)]
    assert caught.value.problems[0].message.startswith(message)


def test_a_file_in_another_encoding_is_a_problem(desk: Desk) -> None:
    """A file in Shift_JIS is refused by name and not by a traceback."""
    path = desk.folder / "syncd.toml"
    path.write_bytes('# 在庫\n[policy]\ncap = 3 # "店"\n'.encode("shift_jis"))
    with pytest.raises(ConfigError, match="is not UTF-8 text"):
        load(path, environ=HOME)


def test_the_environment_wins_over_the_file(desk: Desk) -> None:
    """Every scalar, list and table can be set by an environment variable of its own."""
    desk.environ |= {
        "SYNCD_DAEMON__DATA_DIR": "/data",
        "SYNCD_DAEMON__SHADOW": "true",
        "SYNCD_POLICY__CAP": "",
        "SYNCD_ALERTS__MAIL_TO": "a@example.org, b@example.org",
        "SYNCD_ALERTS__MAIL_FROM": "c@example.org",
        "SYNCD_ALERTS_SMTP_URL": "smtp://localhost",
        "SYNCD_CHANNELS__SHOP__POLL_S": "3",
        "SYNCD_CHANNELS__SHOP__LOCATION_MAP": "1=main, 2=main",
        "SYNCD_CHANNELS__SHOP__CAP": "9",
        "SYNCD_CHANNELS__SHOP__SETTINGS__PAGE": "20",
    }
    settings = desk.load("[daemon]\ndata_dir = '/elsewhere'\n[policy]\ncap = 5\n" + TILL)
    shop = settings.channels["shop"]
    assert (settings.daemon.data_dir, settings.daemon.shadow, settings.policy.cap) == (Path("/data"), True, None)
    assert settings.alerts.mail_to == ("a@example.org", "b@example.org")
    assert (shop.poll_s, shop.cap, shop.location_map) == (3.0, 9, {"1": "main", "2": "main"})
    assert shop.settings.page == 20


def test_a_variable_that_sets_nothing_is_a_problem(desk: Desk) -> None:
    """A misspelt variable, one for a channel that is not there and one for a secret are all told."""
    desk.environ |= {
        "SYNCD_DAEMON__DATADIR": "/x",
        "SYNCD_CHANNELS__SHAP__POLL_S": "1",
        "SYNCD_HTTP__API_TOKEN": "x" * 30,
        "SYNCD_CHANNELS__SHOP__SETTINGS__KEY": "x",
    }
    remedies = {problem.place: problem.remedy for problem in desk.problems(TILL)}
    assert remedies == {
        "SYNCD_DAEMON__DATADIR": "did you mean SYNCD_DAEMON__DATA_DIR?",
        "SYNCD_CHANNELS__SHAP__POLL_S": "did you mean SYNCD_CHANNELS__SHOP__POLL_S?",
        "SYNCD_HTTP__API_TOKEN": "call it SYNCD_HTTP_API_TOKEN",
        "SYNCD_CHANNELS__SHOP__SETTINGS__KEY": "call it SYNCD_SHOP_KEY",
    }


def test_paths_of_systemd_are_used(desk: Desk) -> None:
    """Under systemd data and socket lie in the first of the directories that it made."""
    desk.environ |= {"STATE_DIRECTORY": "/var/lib/syncd:/var/lib/other", "RUNTIME_DIRECTORY": "/run/syncd"}
    daemon = desk.load().daemon
    assert (daemon.data_dir, daemon.socket) == (Path("/var/lib/syncd"), Path("/run/syncd/syncd.sock"))


def test_paths_start_at_home_and_at_the_file(desk: Desk) -> None:
    """A tilde is the home of the environment, and XDG_STATE_HOME moves the default."""
    desk.environ["XDG_STATE_HOME"] = "/state"
    assert desk.load().daemon.data_dir == Path("/state/syncd")
    assert desk.load("[daemon]\ndata_dir = '~/stock'").daemon.data_dir == Path("/home/shop/stock")


@pytest.mark.parametrize(
    ("url", "store"),
    [
        ("postgres://u:p@h/d", "postgresql+psycopg://u:p@h/d"),
        ("postgresql://h/d", "postgresql+psycopg://h/d"),
        ("sqlite:////tmp/x.db", "sqlite:////tmp/x.db"),
    ],
)
def test_the_store_url_names_the_driver(desk: Desk, url: str, store: str) -> None:
    """A PostgreSQL address gets the driver that syncd uses."""
    assert desk.load(f"[daemon]\ndatabase_url = '{url}'").daemon.store_url == store


def test_a_disabled_channel_needs_no_secrets(desk: Desk) -> None:
    """The adapter's own keys of a disabled channel are not read, nor missed."""
    desk.environ["SYNCD_CHANNELS__SHOP__SETTINGS__PAGE"] = "0"
    settings = desk.load("[channels.shop]\nadapter = 'till'\nenabled = false")
    assert settings.channels["shop"].settings is None


def test_the_adapter_may_follow_from_the_name(desk: Desk) -> None:
    """A channel with the name of an adapter need not name it."""
    settings = desk.load("[channels.till.settings]\nshop = 'one'\nkey = 'k'")
    assert settings.channels["till"].adapter == "till"


def test_a_command_that_only_talks_reads_only_the_daemon(desk: Desk) -> None:
    """The socket is found although secrets of channels are out of reach, and mistakes in [daemon] are told."""
    path = desk.write("[daemon]\nsocket = 'here.sock'\n[channels.shop]\nadapter = 'unknown'")
    assert load_daemon(path, environ=HOME).socket_path == desk.folder / "here.sock"
    with pytest.raises(ConfigError):
        load_daemon(desk.write("[daemon]\nsocket = 3"), environ=HOME)


def test_the_file_is_found_by_a_fixed_order(desk: Desk) -> None:
    """$SYNCD_CONFIG comes first, then the directories of systemd and of the person."""
    systemd, person = desk.write("", name="etc/syncd.toml"), desk.write("", name="syncd/syncd.toml")
    environ = {"XDG_CONFIG_HOME": str(desk.folder), "CONFIGURATION_DIRECTORY": str(systemd.parent)}
    assert locate({**environ, "SYNCD_CONFIG": "/named.toml"}) == Path("/named.toml")
    assert locate(environ) == systemd
    systemd.unlink()
    assert locate(environ) == person


def test_an_adapter_that_fails_to_load_is_a_problem(desk: Desk) -> None:
    """An adapter whose import fails is told by name and the rest is still checked."""

    class Broken(dict[str, Adapter]):
        def __getitem__(self, name: str) -> Adapter:
            raise ImportError("no module named 'till'")

    with pytest.raises(ConfigError, match="cannot be loaded: no module named 'till'"):
        desk.load(TILL, adapters=Broken(till=ADAPTERS["till"]))


def test_endpoints_for_events_are_read_and_checked(desk: Desk) -> None:
    """An endpoint has an https address and a long secret, and its name is one for files and variables."""
    good = '[webhooks.books]\nurl = "https://a.example/x"\nsecret = "0123456789012345678901234"\nevents = ["sale"]\n'
    (found,) = desk.load(good).webhooks.values()
    assert (found.name, found.events, found.private, found.old_secret.reveal()) == ("books", ("sale",), False, "")
    bad = '[webhooks.Books]\nurl = "http://a.example/"\nsecret = "short"\n[webhooks.two]\nurl = "https://u:p@a.example/"\n'
    assert desk.texts(bad) == [
        "syncd.toml: [webhooks.two] secret: missing secret",
        "syncd.toml: [webhooks.Books]: not a name for an endpoint",
        "syncd.toml: [webhooks.Books] url: expected an https address",
        "syncd.toml: [webhooks.Books] secret: shorter than 24 characters",
    ]


def test_installed_adapters_are_the_entry_points() -> None:
    """The adapters that come with syncd are known by name without importing them."""
    assert {"memory", "shopify"} <= set(Installed())
    assert "amazonas" not in Installed()


def test_settings_cannot_be_changed(desk: Desk) -> None:
    """Settings are frozen."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        desk.load().daemon.shadow = True  # type: ignore[misc]
