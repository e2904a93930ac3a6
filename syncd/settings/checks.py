"""What a field alone cannot tell: addresses, and settings that need or exclude one another. Pure."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from syncd.sdk.address import LOOPBACK
from syncd.settings.policies import PolicyDefaults, SeasonSettings
from syncd.settings.report import Report
from syncd.settings.shape import (
    POSTGRES_SCHEMES,
    Alerts,
    ChannelSettings,
    Daemon,
    Http,
    Letters,
    Mqtt,
    Pages,
    ShipDateSettings,
    TimeRules,
)
from syncd.settings.shape_public import OrderPageSettings, WebhookSettings
from syncd.settings.shape_waiting import DeskSettings, Waitlist
from syncd.settings.windows import FORMS, WEEKDAYS, read_quiet, read_season, read_time, read_window, read_zone

TOKEN_MIN_CHARACTERS = 22
"""22 characters of base64 hold 128 bits."""

SOCKET_MAX_BYTES = 107
"""Linux, unix(7): `sun_path` has 108 bytes, the last one is NUL."""

PASSWORD_MIN_CHARACTERS = 12

HEADER_NAME = re.compile(r"[A-Za-z0-9-]{1,64}")

HOST_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9a-fA-F:]+\]")

CHANNEL_NAME = re.compile(r"[a-z][a-z0-9]*(?:[_-][a-z0-9]+)*")

CHANNEL_NAME_MAX = 32

LANGUAGES = ("ja", "en", "zh")
"""Languages of letters."""


def split_url(url: str) -> SplitResult | None:
    """Return the parts of a URL; None where it is none, has no host, or a port that cannot be."""
    try:
        parts = urlsplit(url)
        port_is_fine = parts.port != 0
    except ValueError:
        return None
    return parts if parts.hostname and port_is_fine else None


def is_safe_web(url: str) -> bool:
    """Return whether a URL is https, or http that does not leave this machine."""
    parts = split_url(url)
    if parts is None:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)


def check_daemon(daemon: Daemon, report: Report) -> None:
    """Check `[daemon]`."""
    scheme = daemon.database_url.partition("://")[0]
    if daemon.database_url and scheme not in POSTGRES_SCHEMES | {"sqlite"}:
        place = report.place("daemon", "database_url")
        report.problem(place, f"cannot store in {scheme!r}", "write postgresql://..., or leave it empty for SQLite")
    if len(os.fsencode(daemon.socket_path)) > SOCKET_MAX_BYTES:
        place = report.place("daemon", "socket")
        report.problem(place, f"longer than {SOCKET_MAX_BYTES} bytes", "name a shorter path for the socket")


def check_http(http: Http, report: Report) -> None:
    """Check `[http]`."""
    host, _, port = http.listen.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65_535:
        report.problem(report.place("http", "listen"), "expected an address and a port", 'write "127.0.0.1:8377"')
    if http.public_url and not is_safe_web(http.public_url):
        report.problem(report.place("http", "public_url"), "expected an https address", 'write "https://..."')
    token = http.api_token.reveal()
    if token and len(token) < TOKEN_MIN_CHARACTERS:
        place = report.place("http", "api_token")
        report.problem(place, f"shorter than {TOKEN_MIN_CHARACTERS} characters", "make one: openssl rand -base64 24")


def check_pages(pages: Pages, report: Report) -> None:
    """Check `[pages]`."""
    password = pages.password.reveal()
    if password and len(password) < PASSWORD_MIN_CHARACTERS:
        place = report.place("pages", "password")
        report.problem(place, f"shorter than {PASSWORD_MIN_CHARACTERS} characters", "make one: openssl rand -base64 18")
    if pages.user_header and not HEADER_NAME.fullmatch(pages.user_header):
        report.problem(report.place("pages", "user_header"), "not the name of a header", 'write "X-Forwarded-User"')
    for address in pages.proxies:
        if fault_of(ip_address, address):
            report.problem(report.place("pages", "proxies"), f"{address!r} is no address", 'write "127.0.0.1"')
    for host in pages.hosts:
        if not HOST_NAME.fullmatch(host):
            place = report.place("pages", "hosts")
            report.problem(place, f"{host!r} is no host name", 'write "stock.example.org", without https:// and port')
    if fault := fault_of(read_zone, pages.zone):
        remedy = 'write "Asia/Tokyo"; a machine that knows none needs the package tzdata'
        report.problem(report.place("pages", "zone"), fault, remedy)


def check_mqtt(mqtt: Mqtt, report: Report) -> None:
    """Check `[mqtt]`."""
    if not mqtt.url:
        return
    place = report.place("mqtt", "url")
    parts = split_url(mqtt.url)
    if parts is None or parts.scheme not in {"mqtt", "mqtts"}:
        report.problem(place, "expected a broker", 'write "mqtt://host:1883" or "mqtts://host:8883"')
    elif parts.username or parts.password:
        report.problem(place, "the login does not belong into the address", "use username and password_file")
    elif mqtt.password and parts.scheme == "mqtt" and parts.hostname not in LOOPBACK:
        report.warning(place, "the password crosses the network in the clear", 'write "mqtts://host:8883"')


def check_alerts(alerts: Alerts, report: Report) -> None:
    """Check `[alerts]`."""
    if alerts.smtp_url:
        parts = split_url(alerts.smtp_url)
        if parts is None or parts.scheme not in {"smtp", "smtps", "smtp+starttls"}:
            place = report.place("alerts", "smtp_url")
            report.problem(place, "expected a mail server", 'write "smtps://user:password@host:465"')
    mail = {"smtp_url": alerts.smtp_url, "mail_from": alerts.mail_from, "mail_to": alerts.mail_to}
    for key in [key for key, value in mail.items() if not value and any(mail.values())]:
        report.problem(report.place("alerts", key), "missing", "mail needs smtp_url, mail_from and mail_to")
    if (url := alerts.webhook_url.reveal()) and not is_safe_web(url):
        report.problem(report.place("alerts", "webhook_url"), "expected an https address", 'write "https://..."')


def check_letters(letters: Letters, report: Report) -> None:
    """Check `[letters]`."""
    if letters.quiet and (fault := fault_of(read_quiet, letters.quiet)):
        report.problem(report.place("letters", "quiet"), fault, 'write "21:00/08:00"')
    if fault := fault_of(read_zone, letters.zone):
        report.problem(report.place("letters", "zone"), fault, 'write "Asia/Tokyo"')
    for key, text in letters.shop.items():
        if not text.replace("\n", "").isprintable() and text:
            report.problem(report.place("letters", key), "holds a control character", "write it anew")


ORIGIN = re.compile(r"https://[a-z0-9.-]+(?::[0-9]{1,5})?")


def check_order_page(page: OrderPageSettings, report: Report) -> None:
    """Check `[orderpage]`."""
    for origin in page.embed_in:
        if not ORIGIN.fullmatch(origin):
            place = report.place("orderpage", "embed_in")
            report.problem(place, f"not an origin: {origin!r}", 'write "https://shop.example.org"')
    if page.smtp_url and not page.mail_from:
        report.problem(report.place("orderpage", "mail_from"), "missing", "mail needs smtp_url and mail_from")


WEBHOOK_MIN_CHARACTERS = 24


def check_webhooks(webhooks: Mapping[str, WebhookSettings], report: Report) -> None:
    """Check `[webhooks.*]`."""
    for name, webhook in webhooks.items():
        if not CHANNEL_NAME.fullmatch(name) or len(name) > CHANNEL_NAME_MAX:
            message, remedy = "not a name for an endpoint", f"use a-z, 0-9, - and _, at most {CHANNEL_NAME_MAX}"
            report.problem(report.place(f"webhooks.{name}"), message, remedy)
        parts = split_url(webhook.url)
        if not is_safe_web(webhook.url) or parts is None or parts.username or parts.password:
            report.problem(report.place(f"webhooks.{name}", "url"), "expected an https address", 'write "https://..."')
        if len(webhook.secret.reveal()) < WEBHOOK_MIN_CHARACTERS:
            message = f"shorter than {WEBHOOK_MIN_CHARACTERS} characters"
            report.problem(report.place(f"webhooks.{name}", "secret"), message, "make one: openssl rand -base64 24")


def check_time_rules(rules: TimeRules, report: Report) -> None:
    """Check `[timerules]`."""
    for language, zone in rules.zones.items():
        place = report.place("timerules", "zones")
        if language not in LANGUAGES:
            report.problem(place, f"no letters are written in {language}", f"use {', '.join(LANGUAGES)}")
        elif fault := fault_of(read_zone, zone):
            report.problem(place, fault, 'write zh = "Asia/Shanghai"')


def check_channel_names(names: list[str], reserved: frozenset[str], report: Report, *, what: str = "channel") -> None:
    """Check that accounts have names that fit in topics, file names and environment variables, and stay apart there."""
    taken: dict[str, str] = {}
    for name in names:
        place = report.place(f"{what}s.{name}")
        if not CHANNEL_NAME.fullmatch(name) or len(name) > CHANNEL_NAME_MAX:
            report.problem(place, f"not a name for a {what}", f"use a-z, 0-9, - and _, at most {CHANNEL_NAME_MAX}")
        elif name in reserved:
            report.problem(place, "this name is taken by syncd itself", f"call it {name}-shop, for example")
        elif (other := taken.setdefault(name.replace("-", "_"), name)) != name:
            report.problem(place, f"differs from {other} only in - and _", "choose names that differ more")


def check_desks(
    desks: Mapping[str, DeskSettings],
    channels: Mapping[str, ChannelSettings],
    waitlist: Waitlist | None,
    report: Report,
) -> None:
    """Check `[desks.*]`: their names are nobody else's, and the desk that opens tickets is one of them."""
    for name in sorted(set(desks) & set(channels)):
        report.problem(report.place(f"desks.{name}"), "a channel has this name", "choose another one for the desk")
    for name, desk in sorted(desks.items()):
        if desk.account and desk.account not in channels:
            place = report.place(f"desks.{name}", "account")
            report.problem(place, f"no channel is called {desk.account!r}", "name one of [channels.*], or leave it out")
    if waitlist is not None and waitlist.desk and waitlist.desk not in desks:
        place = report.place("waitlist", "desk")
        report.problem(place, f"no desk is called {waitlist.desk!r}", "name one of [desks.*], or leave it empty")


def check_channels(channels: Mapping[str, ChannelSettings], report: Report) -> None:
    """Check `[channels.*]`, each alone and all together."""
    counting = [channel.name for channel in channels.values() if channel.counting]
    if len(counting) > 1:
        place = report.place(f"channels.{counting[1]}", "counting")
        report.problem(place, f"{counting[0]} is the counting place already", "name one channel at most")
    for channel in channels.values():
        for key, message, remedy in channel_faults(channel):
            report.problem(report.place(f"channels.{channel.name}", key), message, remedy)
        for key, message, remedy in ship_date_faults(channel.ship_dates):
            report.problem(report.place(f"channels.{channel.name}.ship_dates", key), message, remedy)


def channel_faults(channel: ChannelSettings) -> Iterator[tuple[str, str, str]]:
    """Answer key, message and remedy of what does not fit together in one channel."""
    if len(set(channel.locations)) < len(channel.locations):
        yield "locations", "names a location twice", "name each once"
    for strange in sorted(set(channel.location_map.values()) - set(channel.locations)):
        yield "location_map", f"{strange} is not among the locations", "add it to locations, or map to one of them"
    if channel.drift == "adopt" and not channel.counting:
        yield "drift", '"adopt" is only for the channel where stock is counted', 'add counting = true, or "enforce"'
    for text in channel.maintenance:
        if fault := fault_of(read_window, text):
            yield "maintenance", fault, f"write {FORMS}"


def ship_date_faults(ship_dates: ShipDateSettings) -> Iterator[tuple[str, str, str]]:
    """Answer key, message and remedy of what cannot be a shop's calendar."""
    if fault := fault_of(read_time, ship_dates.cutoff):
        yield "cutoff", fault, 'write "15:00"'
    if set(ship_dates.closed) == set(WEEKDAYS):
        yield "closed", "the shop never ships", "leave one day of the week open"
    for text in ship_dates.holidays:
        if fault := fault_of(date.fromisoformat, text):
            yield "holidays", fault, 'write "2026-12-31"'
    if fault := fault_of(read_zone, ship_dates.zone):
        yield "zone", fault, 'write "Asia/Tokyo"; a machine that knows none needs the package tzdata'


def fault_of(read: Callable[[str], object], text: str) -> str:
    """Return why a text cannot be read, an empty text when it can."""
    try:
        read(text)
    except ValueError as error:
        return str(error)
    return ""


def check_seasons(
    seasons: Mapping[str, SeasonSettings],
    policy: PolicyDefaults | None,
    channels: Mapping[str, ChannelSettings],
    report: Report,
) -> None:
    """Check `[seasons.*]`, and what `[policy]` says of channels."""
    zone = "UTC" if policy is None or fault_of(read_zone, policy.zone) else policy.zone
    if policy is not None:
        if fault := fault_of(read_zone, policy.zone):
            report.problem(report.place("policy", "zone"), fault, 'write "Asia/Tokyo"')
        _check_names("policy", "priority", [policy.priority], channels, report)
    for name, season in seasons.items():
        title = f"seasons.{name}"
        try:
            read_season(season.since, season.until, zone=zone)
        except ValueError as error:
            report.problem(report.place(title, "since"), str(error), "write 2026-12-04T20:00+09:00 or 2026-12-04")
        _check_names(title, "channels", season.channels, channels, report)
        _check_names(title, "priority", [season.priority or ""], channels, report)


def _check_names(
    title: str, key: str, names: Iterable[str], channels: Mapping[str, ChannelSettings], report: Report
) -> None:
    for name in names:
        if name and name not in channels:
            known = ", ".join(channels) or "none"
            report.problem(report.place(title, key), f"no channel is called {name}", f"there is: {known}")
