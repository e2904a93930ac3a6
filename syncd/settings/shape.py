"""The settings as frozen values. The text under each field is also its comment in `config/syncd.example.toml`.

Durations carry their unit in the name. A field with `hidden` metadata is a text that may hold a password: it is read
like a secret and left out of every `repr`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from msgspec import Meta

from syncd.core.terms import AccountId
from syncd.sdk.errors import Problem
from syncd.sdk.secret import Secret
from syncd.settings.policies import Brake, ExposureName, Limit, Loss, Percent, PolicyDefaults, SeasonSettings, Units
from syncd.settings.shape_public import OrderPageSettings, WebhookSettings
from syncd.settings.shape_waiting import DeskSettings, Escalation, Waitlist

POSTGRES_SCHEMES = frozenset({"postgres", "postgresql", "postgresql+psycopg"})
SQLITE_FILE = "syncd.db"

Days: TypeAlias = Annotated[int, Meta(ge=1, le=3_650)]
Word: TypeAlias = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")]
"""Safe in a topic, a path and an event source."""
Place: TypeAlias = Annotated[str, Meta(min_length=1, max_length=64)]
"""The shop's own name of a stock location."""


def unset() -> Secret:
    """Return the secret that was not given."""
    return Secret("")


@dataclass(frozen=True, slots=True, kw_only=True)
class Daemon:
    """The process itself: `[daemon]`."""

    instance: Word = "main"
    """Name of this syncd in MQTT topics and in the source of events. Two syncds on one broker need two names."""

    data_dir: Path
    """Where the ledger, its backups and kept samples lie. Left out: $STATE_DIRECTORY, else $XDG_STATE_HOME/syncd, else
    ~/.local/state/syncd. A relative path starts at this file."""

    database_url: str = field(default="", repr=False, metadata={"hidden": True})
    """PostgreSQL instead of the embedded SQLite: postgresql://user:password@host/name. A secret, for it may hold a
    password. Empty: SQLite in data_dir."""

    socket: Path | None = None
    """Unix socket over which the other commands reach the running daemon. Left out: $RUNTIME_DIRECTORY/syncd.sock,
    else syncd.sock in data_dir."""

    drain_s: Annotated[float, Meta(ge=1.0, le=300.0)] = 20.0
    """Seconds that a stop may take to finish what is under way. Whatever is left is in the ledger and goes on at the
    next start."""

    log_form: Literal["auto", "console", "json"] = "auto"
    """Form of the log: "console" for people, "json" one object per line, "auto" by where it goes."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least level that is logged."""

    language: Literal["en", "ja"] = "en"
    """Language of messages to people."""

    shadow: bool = False
    """Write nothing to any channel and log what would be written: to run beside another tool and compare."""

    @property
    def store_url(self) -> str:
        """Return the SQLAlchemy URL of the store."""
        if not self.database_url:
            return f"sqlite:///{self.data_dir / SQLITE_FILE}"
        scheme, separator, rest = self.database_url.partition("://")
        return f"{'postgresql+psycopg' if scheme in POSTGRES_SCHEMES else scheme}{separator}{rest}"

    @property
    def socket_path(self) -> Path:
        """Return where the control socket is."""
        return self.socket or self.data_dir / "syncd.sock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Http:
    """The HTTP server for webhooks, health, metrics and the stock API: `[http]`."""

    listen: str = "127.0.0.1:8377"
    """Address and port to listen on. Keep it on loopback and put a TLS proxy in front of it."""

    public_url: str = ""
    """Public https address under which channels reach this server. Empty: no webhooks, orders are polled only."""

    api_token: Secret = field(default_factory=unset)
    """A token of the API with the scope admin, at least 22 characters (a secret). `syncd token new` makes others."""

    requests_per_minute: Annotated[int, Meta(ge=1, le=1_000_000)] = 600
    """Most requests to the API with one token in a minute."""

    stranger_requests_per_minute: Annotated[int, Meta(ge=5, le=1_000_000)] = 60
    """Most requests of one address in a minute to the API without a valid token, and to the pages without a login.
    Webhooks and health are not counted."""

    metrics: bool = True
    """Serve /metrics for Prometheus."""

    @property
    def address(self) -> tuple[str, int]:
        """Return host and port of `listen`, the host without brackets."""
        host, _, port = self.listen.rpartition(":")
        return host.removeprefix("[").removesuffix("]"), int(port)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """The pages for the staff: `[pages]`."""

    enabled: bool = True
    """Serve the pages at `listen` of [http]. Without a login they answer on this machine only."""

    password: Secret = field(default_factory=unset)
    """Password of the pages, at least 12 characters (a secret). Needed where they are looked at from elsewhere."""

    user_header: str = ""
    """Header in which a proxy names who has logged in there, instead of a password. Empty: none."""

    proxies: tuple[str, ...] = ("127.0.0.1", "::1")
    """Addresses of proxies whose headers are believed."""

    hosts: tuple[str, ...] = ()
    """Names under which the pages are reached, besides this machine's own and that of `public_url`."""

    session_h: Annotated[float, Meta(ge=0.1, le=168.0)] = 12.0
    """Hours without a look after which a login ends."""

    zone: str = "Asia/Tokyo"
    """Time zone of the times on the pages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mqtt:
    """The broker that gets states and events, and brings movements and counts: `[mqtt]`."""

    url: str = ""
    """Broker as mqtt://host:1883 or, with TLS, mqtts://host:8883. Empty: no MQTT."""

    username: str = ""
    """User name at the broker. Empty: anonymous."""

    password: Secret = field(default_factory=unset, repr=False)
    """Password at the broker (a secret)."""

    protocol: Literal["5", "3.1.1"] = "5"
    """MQTT version that the broker speaks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alerts:
    """What people are told, each thing once until it clears: `[alerts]`."""

    smtp_url: str = field(default="", repr=False, metadata={"hidden": True})
    """Mail server as smtps://user:password@host:465 (TLS) or smtp://host:587 (STARTTLS where the server offers it).
    A secret, for it may hold a password. Empty: no mail."""

    mail_from: str = ""
    """Sender of the mails."""

    mail_to: tuple[str, ...] = ()
    """Who gets the mails."""

    webhook_url: Secret = field(default_factory=unset)
    """Slack-compatible webhook address (a secret). Empty: none."""

    low_stock: Units = 3
    """Alert when this many units of a SKU or fewer are available."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letters:
    """What customers read, and when nothing is sent: `[letters]`."""

    templates: Path | None = None
    """Folder with texts of your own, in folders ja, en and zh; a file of the same name takes the place of ours. See
    `syncd letters list`. Left out: ours."""

    name: str = ""
    """The shop's name in subjects and letters."""

    signature: str = ""
    """What stands under a letter, several lines where you like. Empty: the name."""

    phone: str = ""
    """Telephone number under a letter. Empty: none."""

    hours: str = ""
    """When somebody answers there, in words."""

    url: str = ""
    """Address of the shop under a letter. Empty: none."""

    quiet: str = "21:00/08:00"
    """Time of day in which nothing is sent to customers. Empty: letters go out at any time."""

    zone: str = "Asia/Tokyo"
    """Time zone of customers whose own is not known."""

    @property
    def shop(self) -> Mapping[str, str]:
        """Return the shop's own words as letters and desks are given them."""
        return {key: getattr(self, key) for key in ("name", "signature", "phone", "hours", "url")}


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeRules:
    """What is due by the clock for those who wait: `[timerules]`. Each may be 0: never."""

    first_contact_h: Annotated[int, Meta(ge=0, le=168)] = 24
    """Hours from an order within which a customer who waits is told of it. Half of them are left to your staff."""

    refund_h: Annotated[int, Meta(ge=0, le=720)] = 48
    """Hours from a confirmed cancel within which the money is returned. Your staff is called before they end."""

    silence_days: Annotated[int, Meta(ge=0, le=90)] = 7
    """Days without news after which somebody who waits is told that they are not forgotten."""

    bump_h: Annotated[int, Meta(ge=0, le=720)] = 48
    """Hours after which a question to a customer is repeated, twice, and then closed. Who waits goes on waiting."""

    follow_up_days: Annotated[int, Meta(ge=0, le=90)] = 7
    """Days after a cancel when the customer is asked whether everything is in order."""

    zones: Mapping[str, str] = field(default_factory=dict)
    """Time zones of customers by their language (ja, en, zh), for quiet hours. Others: as in [letters]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Incidents:
    """What follows an oversell that lasts: `[incidents]`."""

    enabled: bool = True
    """Whether an incident is opened: cause, orders that lose, what to offer, what would have prevented it."""

    settle_s: Annotated[float, Meta(ge=0.0, le=86_400.0)] = 120.0
    """Seconds that an oversell has to last before it is one: many a suspect sale explains itself."""

    losers: Literal["latest", "smallest"] = "latest"
    """Which orders lose: those that came last, or the smallest by amount."""

    automatic: tuple[Literal["crossed", "count", "supplier"], ...] = ()
    """Causes for which the apology goes out by itself. For all others it waits for a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long what is no longer needed is kept: `[retention]`. The ledger itself is never deleted."""

    inbox_days: Days = 30
    """Days that raw facts are kept after they were decided. Only they may hold personal data."""

    writes_days: Days = 90
    """Days that ended writes are kept."""

    events_days: Days = 7
    """Days that delivered events are kept."""

    addresses_days: Days = 30
    """Days that a desk which keeps its tickets here (the local one) keeps one after the wait is over: the customer's
    address and letters go with it. Keep more than `timerules.follow_up_days`, or that letter reaches nobody."""

    figures_days: Days = 800
    """Days that the hourly figures of hidden sales are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipDateSettings:
    """Ship-by dates that syncd promises by itself: `[channels.NAME.ship_dates]`."""

    enabled: bool = False
    """Whether orders without a ship-by date get one as soon as their units are there. It tells the customer and cannot
    be undone; an order that is short of stock is shown to you instead."""

    days: Annotated[int, Meta(ge=0, le=60)] = 1
    """Working days from the order to the day that is promised."""

    cutoff: str = "15:00"
    """Time of day from which an order counts as one of the next working day."""

    closed: tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...] = ("sat", "sun")
    """Days of the week on which the shop does not ship."""

    holidays: tuple[str, ...] = ()
    """Other days on which the shop does not ship, as 2026-12-31."""

    zone: str = "Asia/Tokyo"
    """Time zone of the shop's calendar."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelSettings:
    """One account of a channel: `[channels.NAME]`, its adapter's own keys in `[channels.NAME.settings]`."""

    name: AccountId
    """The NAME in the table's title: it names the account everywhere, so do not change it once it is in use."""

    adapter: str
    """Which adapter speaks to it, see `syncd check`. Left out: the one of the same name."""

    enabled: bool = True
    """Whether the channel is opened at all. To stop writing for a while use `syncd pause` instead."""

    locations: Annotated[tuple[Place, ...], Meta(min_length=1)] = ("main",)
    """Stock locations whose units this channel sells."""

    location_map: Mapping[str, Place] = field(default_factory=dict)
    """The channel's own location ids and the location of ours that each one is. Empty: all of it is the first of
    `locations`."""

    poll_s: Annotated[float, Meta(ge=1.0, le=3_600.0)] = 15.0
    """Seconds between two reads of the order feed."""

    catalogue_s: Annotated[float, Meta(ge=60.0, le=7 * 86_400.0)] = 3_600.0
    """Seconds between two reads of the catalogue."""

    sweep_s: Annotated[float, Meta(ge=60.0, le=7 * 86_400.0)] = 3_600.0
    """Seconds in which every listing is read once and compared with what it should show."""

    exposure: ExposureName | None = None
    """How units are shared here; "allotment" on one channel of a SKU means all. Left out: as in [policy]."""

    loss: Loss | None = None
    """How many sold units one oversold unit costs here. Left out: as in [policy]."""

    safety_stock: Units | None = None
    """Units kept back on this channel. Left out: as in [policy]."""

    safety_percent: Percent | None = None
    """Percent kept back on this channel. Left out: as in [policy]."""

    cap: Units | None = None
    """The most that this channel shows. Left out: as in [policy]."""

    share: Percent | None = None
    """The most that this channel shows, in percent of what is available. Left out: no share."""

    preorder: bool | None = None
    """Sell units that are on their way here. Left out: as in [policy]."""

    hide: bool | None = None
    """Close pages that show 0 here. Left out: as in [policy]."""

    purchase_limit: Limit | None = None
    """The most units that one order may have here. Left out: as in [policy]."""

    max_lateness_s: Annotated[float, Meta(ge=0.0, le=2 * 86_400.0)] | None = None
    """How late an order may become known at most, for allotments. Left out: as the adapter promises."""

    drift: Literal["enforce", "adopt"] = "enforce"
    """A number that somebody changed on the channel: "enforce" writes ours again, "adopt" takes it as a movement once
    two readings have shown it; an order or a restore that is told later takes the movement back."""

    counting: bool = False
    """Whether this channel is the place where people count stock. One at most; `drift = "adopt"` needs it. A number
    that is typed there is taken as the change of what was shown; where not all units are shown (safety stock, a cap,
    careful exposure) it may be a count as well, so it waits for a person: count the SKU, or `syncd drift accept` the
    change.
    """

    hand_edit_days: Annotated[int, Meta(ge=0, le=365)] = 14
    """Days after the first `syncd go` in which hand edits wait for `syncd drift accept` or `overwrite`."""

    maintenance: tuple[str, ...] = ()
    """Announced maintenance, once or weekly: the channel is neither asked nor written while it lasts. A weekly window
    that ends at or before its start ends on the next day."""

    ship_dates: ShipDateSettings = field(default_factory=ShipDateSettings)
    """Ship-by dates that syncd promises by itself; a table of its own."""

    settings: Any = None
    """The adapter's own settings: an instance of its `Adapter.settings`; None while the channel is disabled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings. `warnings` are things that work and should be mended; `path` is the file, None without one.

    `kept` are passwords that stand in texts, held so that the log keeps them out.
    """

    daemon: Daemon
    http: Http = field(default_factory=Http)
    pages: Pages = field(default_factory=Pages)
    mqtt: Mqtt = field(default_factory=Mqtt)
    alerts: Alerts = field(default_factory=Alerts)
    letters: Letters = field(default_factory=Letters)
    timerules: TimeRules = field(default_factory=TimeRules)
    incidents: Incidents = field(default_factory=Incidents)
    policy: PolicyDefaults = field(default_factory=PolicyDefaults)
    seasons: Mapping[str, SeasonSettings] = field(default_factory=dict)
    brake: Brake = field(default_factory=Brake)
    retention: Retention = field(default_factory=Retention)
    waitlist: Waitlist = field(default_factory=Waitlist)
    escalation: Escalation = field(default_factory=Escalation)
    orderpage: OrderPageSettings = field(default_factory=OrderPageSettings)
    webhooks: Mapping[str, WebhookSettings] = field(default_factory=dict)
    channels: Mapping[str, ChannelSettings] = field(default_factory=dict)
    desks: Mapping[str, DeskSettings] = field(default_factory=dict)
    path: Path | None = None
    warnings: tuple[Problem, ...] = ()
    kept: tuple[Secret, ...] = ()
