"""Topics and CloudEvents: nothing that a SKU may hold breaks a topic or a property."""

from __future__ import annotations

from urllib.parse import unquote

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.edges.cloudevents import Topics, event_message, level, rfc3339
from syncd.store.outbox import Waiting

TOPICS = Topics(instance="shop-1")

ESCAPED = [
    ("A-1", "A-1"),
    ("棚 1", "棚 1"),
    ("a/b", "a%2Fb"),
    ("+", "%2B"),
    ("#", "%23"),
    ("50%", "50%25"),
    ("%2F", "%252F"),
    ("\x00", "%00"),
    ("a\x1f\x7f\x9f", "a%1F%7F%C2%9F"),
    ("\ufffe\U0001ffff\ufdd0", "%EF%BF%BE%F0%9F%BF%BF%EF%B7%90"),
    ("\ud800", "%ED%A0%80"),
    ("", ""),
]


@pytest.mark.parametrize(("text", "escaped"), ESCAPED)
def test_a_text_is_one_topic_level(text: str, escaped: str) -> None:
    """What would split or break a topic is percent-encoded, everything else stays readable."""
    assert level(text) == escaped


@given(st.text(st.characters(exclude_categories=("Cs",))))
def test_any_url_decoder_gives_a_level_back(text: str) -> None:
    """An escaped level decodes to its text and holds nothing that MQTT forbids there."""
    escaped = level(text)
    assert unquote(escaped) == text
    assert not set(escaped) & set("/+#\0")


def waiting(kind: str, key: str = "A/1", body: bytes = b'{"n": 1}') -> Waiting:
    return Waiting(id=5, key=key, type=kind, body=body, created_at=1_700_000_000_000_001)


def test_topics_follow_the_type() -> None:
    """States go by SKU, events by type, replies by request id, and a reply without one to `invalid`."""
    assert TOPICS.event(waiting("state")) == "syncd/shop-1/state/A%2F1"
    assert TOPICS.event(waiting("channel.up")) == "syncd/shop-1/event/channel.up"
    assert (TOPICS.command("+"), TOPICS.status) == ("syncd/shop-1/in/+", "syncd/shop-1/status")
    assert (TOPICS.reply("r1"), TOPICS.reply("")) == ("syncd/shop-1/out/r1", "syncd/shop-1/out/invalid")


def test_a_structured_event_holds_its_data_as_it_was_written() -> None:
    """The body goes into the envelope byte by byte, beside the attributes that CloudEvents asks for."""
    message = event_message(waiting("sale"), topics=TOPICS, binary=False)
    assert message.content_type == "application/cloudevents+json; charset=utf-8"
    assert b'"data":{"n": 1}}' in message.payload
    assert msgspec.json.decode(message.payload) == {
        "specversion": "1.0",
        "id": waiting("sale").event_id,
        "source": "urn:syncd:shop-1",
        "type": "syncd.sale.v1",
        "subject": "A/1",
        "time": "2023-11-14T22:13:20.000001Z",
        "datacontenttype": "application/json",
        "data": {"n": 1},
    }


def test_a_binary_event_holds_the_same_in_properties() -> None:
    """The body is the payload, the attributes are properties, and controls in a subject are escaped."""
    message = event_message(waiting("sale", key="A\x00/1"), topics=TOPICS, binary=True)
    assert (message.payload, message.content_type, message.retain) == (b'{"n": 1}', "application/json", False)
    assert dict(message.properties)["subject"] == "A%00/1"


@pytest.mark.parametrize("binary", [True, False])
def test_an_empty_state_takes_the_retained_one_away(*, binary: bool) -> None:
    """A state without a body is an empty retained message, whatever the mode."""
    message = event_message(waiting("state", body=b""), topics=TOPICS, binary=binary)
    assert (message.topic, message.payload, message.retain) == ("syncd/shop-1/state/A%2F1", b"", True)


def test_times_are_whole_to_the_microsecond() -> None:
    """An instant keeps its microseconds, also far from 1970."""
    assert rfc3339(0) == "1970-01-01T00:00:00Z"
    assert rfc3339(4_102_444_799_999_999) == "2099-12-31T23:59:59.999999Z"
