"""Metrics in Prometheus' text form (prometheus.io/docs/instrumenting/exposition_formats, 2026-11).

Labels are accounts, lanes, outcomes, sinks and kinds; never a SKU or an order, so that their number does not grow with
the shop.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

from aiohttp import web

from syncd.core.plan import Lane
from syncd.core.terms import SECOND_US, AccountId, Instant
from syncd.store.driver import sqlite_path
from syncd.store.views_status import ended_writes, newest_write
from syncd.web.api_gate import API
from syncd.web.orderpage.page import COUNTED
from syncd.web.plant import Plant
from syncd.web.status import VERSION, Snapshot, Standings, Sums, feed_age_s, seconds, silent_s

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


Labels: TypeAlias = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One metric: its name without `syncd_`, what it tells, and a value for each set of labels."""

    name: str
    kind: Literal["gauge", "counter"]
    text: str
    values: Mapping[Labels, float]


def gauge(name: str, text: str, value: float) -> Family:
    """Return a gauge without labels."""
    return Family(name=name, kind="gauge", text=text, values={(): value})


def labelled(name: str, text: str, *, by: tuple[str, ...], values: Iterable[tuple[tuple[str, ...], float]]) -> Family:
    """Return a gauge with labels."""
    made = {tuple(zip(by, key, strict=True)): value for key, value in values}
    return Family(name=name, kind="gauge", text=text, values=made)


def render(families: Iterator[Family]) -> str:
    """Return metrics in the text form; one without values is left out."""
    lines: list[str] = []
    for family in families:
        if family.values:
            lines.append(f"# HELP syncd_{family.name} {family.text}")
            lines.append(f"# TYPE syncd_{family.name} {family.kind}")
            lines += [f"syncd_{family.name}{_labels(key)} {value:.15g}" for key, value in family.values.items()]
    return "\n".join(lines) + "\n"


def _labels(pairs: Labels) -> str:
    told = ",".join(f'{name}="{_escaped(value)}"' for name, value in pairs)
    return f"{{{told}}}" if told else ""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


class Metrics:
    """Answers `/metrics`. Writes are counted from the first time that somebody asks."""

    def __init__(self, plant: Plant, standings: Standings) -> None:
        self._plant = plant
        self._standings = standings
        self._counted: Counter[tuple[AccountId, str]] = Counter()
        self._upto: int | None = None

    def routes(self) -> list[web.RouteDef]:
        """Return the route."""
        return [web.get("/metrics", self.get)]

    async def get(self, _request: web.Request) -> web.Response:
        """Return all metrics."""
        return web.Response(body=(await self.text()).encode(), headers={"Content-Type": CONTENT_TYPE})

    async def text(self) -> str:
        """Return all metrics in the text form."""
        found, sums = await self._standings.read()
        await self._count_writes()
        now = self._plant.clock.now()
        return render(self._families(found, sums, now))

    async def _count_writes(self) -> None:
        if self._upto is None:
            self._upto = await self._plant.store.read(newest_write)
            return
        after = self._upto
        ended = await self._plant.store.read(lambda conn: ended_writes(conn, after))
        if after == self._upto:  # nobody else counted meanwhile
            self._counted.update(ended.counts)
            self._upto = ended.upto

    def _families(self, found: Snapshot, sums: Sums, now: Instant) -> Iterator[Family]:
        yield labelled("build_info", "Version of syncd.", by=("version",), values=[((VERSION,), 1)])
        yield gauge("uptime_seconds", "Time since the start.", seconds(now - self._plant.started_at))
        yield gauge("ready", "1 once the facts of the last run are decided.", self._plant.ready.is_set())
        yield gauge("shadow", "1 while nothing is written to any channel.", self._plant.house.shadow)
        yield gauge("inbox_depth", "Facts that wait to be decided, at most.", found.inbox_depth)
        yield gauge("quarantine_lines", "Order lines whose SKU is not known.", found.quarantine)
        yield gauge("oversold_units", "Units promised that are not there.", sums.oversold_units)
        yield gauge("brakes_held", "Changes that the brake holds.", len(found.brakes))
        yield from self._of_sinks(found, now)
        yield from self._of_accounts(found, sums, now)
        yield from self._of_lags(found, now)
        yield from self._of_features(now)
        yield from self._of_doors()
        yield from self._of_store()

    def _of_sinks(self, found: Snapshot, now: Instant) -> Iterator[Family]:
        waiting = {(sink,): float(count) for sink, (count, _) in found.outbox.items()}
        oldest = {(sink,): seconds(now - since) for sink, (_, since) in found.outbox.items()}
        yield labelled("outbox_depth", "Events that wait for a sink.", by=("sink",), values=waiting.items())
        yield labelled("outbox_oldest_seconds", "Age of the oldest event.", by=("sink",), values=oldest.items())
        kinds = Counter((alert.kind,) for alert in found.alerts)
        yield labelled("alerts_standing", "Alerts that stand.", by=("kind",), values=kinds.items())

    def _of_doors(self) -> Iterator[Family]:
        counts = self._plant.counts.items()
        api = {tuple(zip(("scope", "code"), key[1:], strict=True)): float(n) for key, n in counts if key[0] == API}
        yield Family(name="api_requests_total", kind="counter", text="Answers of the API on the network.", values=api)
        shown: dict[Labels, float] = {(("result", key[1]),): float(n) for key, n in counts if key[0] == COUNTED}
        yield Family(name="order_page_lookups_total", kind="counter", text="Look-ups on the order page.", values=shown)

    def _of_accounts(self, found: Snapshot, sums: Sums, now: Instant) -> Iterator[Family]:
        roster = self._plant.roster
        states = {(name, known.state.value): 1.0 for name, known in found.accounts.items()}
        yield labelled("account_state", "State of an account.", by=("account", "state"), values=states.items())
        up = {(name,): float(account.pulse.down_since is None) for name, account in roster.items()}
        yield labelled("channel_up", "1 while a channel answers.", by=("account",), values=up.items())
        ages = {(name,): age for name, feed in found.feeds.items() if (age := feed_age_s(feed, now)) is not None}
        yield labelled(
            "order_feed_age_seconds", "Age of what is known of orders.", by=("account",), values=ages.items()
        )
        waits = {
            (name, lane.name.lower()): float(found.waiting.get(name, {}).get(lane.name.lower(), 0))
            for name in roster
            for lane in Lane
        }
        yield labelled("writes_waiting", "Listings with work.", by=("account", "lane"), values=waits.items())
        resent = {(name,): float(sums.resent.get(name, 0)) for name in roster}
        text = "Accepted writes, among the last, that were not in effect and were sent again."
        yield labelled("writes_resent", text, by=("account",), values=resent.items())
        drift = {key: float(count) for key, count in found.drift.items()}
        yield labelled("drift", "Foreign changes that are kept.", by=("account", "state"), values=drift.items())
        listings = {
            (name, what): float(getattr(tally, what))
            for name, tally in sums.tallies.items()
            for what in ("listings", "unmapped", "parked", "held", "vanished")
        }
        yield labelled(
            "listings",
            "Listings, and those with something the matter.",
            by=("account", "what"),
            values=listings.items(),
        )
        ended: dict[Labels, float] = {
            (("account", str(name)), ("outcome", state)): float(n) for (name, state), n in self._counted.items()
        }
        yield Family(name="writes_total", kind="counter", text="Writes that ended.", values=ended)

    def _of_lags(self, found: Snapshot, now: Instant) -> Iterator[Family]:
        lags, roster = self._plant.house.lags, self._plant.roster
        silent = {(name,): age for name, feed in found.feeds.items() if (age := silent_s(feed, now)) is not None}
        text = "Time since the last whole scan of orders began."
        yield labelled("order_feed_silence_seconds", text, by=("account",), values=silent.items())
        measured = [(name, one) for name in roster for one in lags.figures(name, at=now)]
        quantiles = [
            ((name, one.stage.value, quantile), value)
            for name, one in measured
            for quantile, value in (("0.5", one.p50_s), ("0.95", one.p95_s), ("0.99", one.p99_s))
        ]
        text = "Sale to decision (feed, message), decision to answer, to fall, to raise in effect."
        yield labelled("lag_seconds", text, by=("account", "stage", "quantile"), values=quantiles)
        counts = [((name, one.stage.value), one.count) for name, one in measured]
        text = "Measurements behind these, each by what it still weighs."
        yield labelled("lag_measurements", text, by=("account", "stage"), values=counts)
        delayed = {(name,): float(lags.delayed(name)) for name in roster}
        text = "Lags not measured because the account was away when they began."
        yield labelled("lag_delayed", text, by=("account",), values=delayed.items())

    def _of_features(self, now: Instant) -> Iterator[Family]:
        roster = self._plant.roster
        silent = {(name,): float(account.pulse.maintenance_until is not None) for name, account in roster.items()}
        yield labelled("channel_maintenance", "1 in announced maintenance.", by=("account",), values=silent.items())
        left = {
            (name, key.name): (key.expires_at - now) / SECOND_US
            for name, account in roster.items()
            for key in account.keys
            if key.expires_at is not None
        }
        yield labelled("key_expires_seconds", "Time until a key ends.", by=("account", "key"), values=left.items())
        undated = {(name,): float(len(account.undated)) for name, account in roster.items()}
        yield labelled("orders_undated", "Orders given no ship-by date.", by=("account",), values=undated.items())
        figures = [
            (name, figure)
            for name, account in roster.items()
            if account.judgement is not None
            for figure in account.judgement.figures
        ]
        by = ("account", "figure")
        rates = [((name, one.name), one.rate) for name, one in figures if one.rate is not None]
        yield labelled("account_health_rate", "Rate by which a channel judges the shop.", by=by, values=rates)
        limits = [((name, one.name), one.limit) for name, one in figures if one.limit is not None]
        yield labelled("account_health_limit", "Limit of such a rate.", by=by, values=limits)
        counts = [((name, one.name), float(one.count)) for name, one in figures]
        yield labelled("account_health_count", "What such a rate counts.", by=by, values=counts)
        yield from self._of_conduct()

    def _of_conduct(self) -> Iterator[Family]:
        roster = self._plant.roster
        found = [
            ((name, one.name), one)
            for name, account in roster.items()
            if account.conduct is not None
            for one in account.conduct.findings
        ]
        by = ("account", "rule")
        used = [(key, one.used) for key, one in found if one.limit]
        yield labelled("conduct_used", "Part of a limit on own cancels that is used up.", by=by, values=used)
        coming = [(key, one.coming) for key, one in found if one.limit]
        text = "The same if every order at risk is cancelled."
        yield labelled("conduct_forecast", text, by=by, values=coming)
        counts = [(key, float(one.count)) for key, one in found]
        yield labelled("conduct_cancels", "Own cancels that count.", by=by, values=counts)
        factors = {(name,): self._plant.house.caution(name) for name in roster}
        text = "How many times as dear an oversold unit is there."
        yield labelled("conduct_caution", text, by=("account",), values=factors.items())

    def _of_store(self) -> Iterator[Family]:
        stats = self._plant.store.stats
        commits: dict[Labels, float] = {(): float(stats.commits)}
        yield Family(name="store_commits_total", kind="counter", text="Transactions written.", values=commits)
        yield gauge("store_queue_depth", "Works that wait for the writer.", stats.queue_depth)
        yield gauge("store_last_commit_seconds", "Duration of the last transaction.", stats.last_commit_s)
        yield gauge("store_longest_transaction_seconds", "Longest since the start.", stats.longest_s)
        yield gauge("disk_free_bytes", "Free space where the data lies.", _free(self._plant.settings.daemon.data_dir))
        path = sqlite_path(self._plant.settings.daemon.store_url)
        if path is not None:
            yield gauge("db_bytes", "Size of the database and its log.", _size(path))


def _free(folder: Path) -> int:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return 0


def _size(path: Path) -> int:
    return sum(_bytes(file) for file in (path, Path(f"{path}-wal")))


def _bytes(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0
