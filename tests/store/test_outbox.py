"""The outbox and the alerts that stand, on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from uuid import RFC_4122, UUID

import msgspec
import pytest
from sqlalchemy import Connection

from syncd.store import alerts, outbox
from syncd.store.alerts import Alert, Standing
from syncd.store.outbox import Event, Waiting
from syncd.store.session import Store

NOW = 1_790_000_000_123_456


def event(key: str = "A", kind: str = "sale", sink: str = "mqtt") -> Event:
    return Event(sink=sink, key=key, type=kind, body=b'{"n":1}')


async def test_events_wait_in_order_until_they_are_delivered(store: Store) -> None:
    """Events of a sink come in the order in which they were put, page by page, without those that were delivered."""
    await store.write(lambda conn: outbox.put(conn, [event("A"), event("B", sink="alerts"), event("C")], now=NOW))
    await store.write(lambda conn: outbox.put(conn, [event("D")], now=NOW + 1))
    first = await store.read(lambda conn: outbox.waiting(conn, "mqtt", after_id=0, limit=2))
    assert [(one.key, one.type, one.body, one.created_at) for one in first] == [
        ("A", "sale", b'{"n":1}', NOW),
        ("C", "sale", b'{"n":1}', NOW),
    ]
    rest = await store.read(lambda conn: outbox.waiting(conn, "mqtt", after_id=first[-1].id, limit=2))
    assert [one.key for one in rest] == ["D"]
    await store.write(lambda conn: outbox.mark_delivered(conn, [first[0].id, rest[0].id], now=NOW + 2))
    left = await store.read(lambda conn: outbox.waiting(conn, "mqtt", after_id=0, limit=9))
    assert [one.key for one in left] == ["C"]


async def test_depth_tells_how_much_waits_and_since_when(store: Store) -> None:
    """Each sink with something waiting has its count and the time of its oldest event."""
    assert await store.read(outbox.depth) == {}
    await store.write(lambda conn: outbox.put(conn, [event(), event(sink="alerts")], now=NOW))
    await store.write(lambda conn: outbox.put(conn, [event()], now=NOW + 5))
    assert await store.read(outbox.depth) == {"mqtt": (2, NOW), "alerts": (1, NOW)}


async def test_more_ids_than_a_statement_holds_are_marked(store: Store) -> None:
    """Thousands of events are marked at once."""
    await store.write(lambda conn: outbox.put(conn, [event()] * 1_700, now=NOW))
    ids = await store.read(lambda conn: [one.id for one in outbox.waiting(conn, "mqtt", after_id=0, limit=2_000)])
    await store.write(lambda conn: outbox.mark_delivered(conn, ids, now=NOW))
    assert len(ids) == 1_700
    assert await store.read(outbox.depth) == {}


def test_event_ids_are_uuids_in_the_order_of_their_events() -> None:
    """An event id is a UUID version 7 made of time and row id only, so a repeat has the same one."""
    ids = [
        Waiting(id=number, key="A", type="sale", body=b"", created_at=at).event_id
        for at, number in ((NOW, 1), (NOW, 2), (NOW + 1, 1), (NOW + 1_000, 1), (NOW + 1_000, 2**61))
    ]
    assert ids == sorted(set(ids))
    assert {(UUID(one).version, UUID(one).variant) for one in ids} == {(7, RFC_4122)}
    assert UUID(ids[0]).int >> 80 == NOW // 1_000


async def test_an_alert_is_told_once_until_it_clears(store: Store) -> None:
    """However often an alert is raised it is one event, cleared it is one more, and then it can be raised anew."""

    def change(number: int, *, up: bool) -> Callable[[Connection], bool]:
        if not up:
            return lambda conn: alerts.clear_alert(conn, kind="low_stock", key="A", now=NOW + number)
        return lambda conn: alerts.raise_alert(
            conn, kind="low_stock", key="A", text="2 left", values={"available": 2}, now=NOW + number
        )

    steps = [(False, False), (True, True), (True, False), (False, True), (False, False), (True, True)]
    for number, (up, told) in enumerate(steps):
        assert await store.write(change(number, up=up)) is told, number
    events = await store.read(lambda conn: outbox.waiting(conn, alerts.SINK, after_id=0, limit=9))
    assert [(one.type, one.key) for one in events] == [
        ("raised", "low_stock/A"),
        ("cleared", "low_stock/A"),
        ("raised", "low_stock/A"),
    ]
    assert msgspec.json.decode(events[0].body, type=Alert) == Alert(
        kind="low_stock", key="A", text="2 left", values={"available": 2}
    )
    assert await store.read(alerts.standing) == [Standing(kind="low_stock", key="A", text="2 left", raised_at=NOW + 5)]


async def test_alerts_of_other_keys_and_kinds_stand_beside(store: Store) -> None:
    """What stands is listed oldest first, each kind and key for itself."""

    def work(conn: Connection) -> None:
        for number, (kind, key) in enumerate((("disk", "/"), ("low_stock", "B"), ("low_stock", "A"))):
            alerts.raise_alert(conn, kind=kind, key=key, text="", now=NOW + number)
        alerts.clear_alert(conn, kind="low_stock", key="B", now=NOW + 9)

    await store.write(work)
    assert [(one.kind, one.key) for one in await store.read(alerts.standing)] == [("disk", "/"), ("low_stock", "A")]


async def test_an_alert_kind_without_a_text_is_our_bug(store: Store) -> None:
    """A kind that nobody has a text for is refused where it is raised."""
    with pytest.raises(AssertionError, match="boredom"):
        await store.write(lambda conn: alerts.raise_alert(conn, kind="boredom", key="", text="", now=NOW))


async def test_what_nobody_reads_any_more_is_ended(store: Store) -> None:
    """Events of endpoints that are gone are ended; those of others and of other sinks go on waiting."""
    events = [event(sink=sink) for sink in ("webhook.a", "webhook.b", "mqtt")]
    await store.write(lambda conn: outbox.put(conn, events, now=NOW))
    kept = ["webhook.b"]
    gone = await store.write(lambda conn: outbox.abandon(conn, prefix="webhook.", kept=kept, now=NOW))
    assert gone == 1
    assert set(await store.read(outbox.depth)) == {"webhook.b", "mqtt"}
