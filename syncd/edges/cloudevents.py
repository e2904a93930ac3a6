"""Events as MQTT messages: topics, and CloudEvents 1.0 in binary (MQTT 5) or structured (MQTT 3.1.1) mode.

Pure. Facts from outside: CloudEvents core 1.0.2 and its MQTT protocol binding 1.0.2 (github.com/cloudevents/spec,
2022-02); MQTT 5.0 section 1.5.4 (characters that a UTF-8 string must not hold) and 4.7 (topics).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import quote

import msgspec

from syncd.core.terms import Instant
from syncd.store.outbox import STATE, Waiting

EVENT_EXPIRY_S: Final = 7 * 86_400
"""How long a broker keeps an event for a receiver that is away."""

MOST_TOPIC_BYTES: Final = 60_000
"""Longest topic that is sent; MQTT ends at 65,535 bytes."""

_UNFIT = "\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef" + "".join(
    chr(plane << 16 | last) for plane in range(17) for last in (0xFFFE, 0xFFFF)
)
_UNFIT_TEXT: Final = re.compile(f"[{_UNFIT}]")
_UNFIT_TOPIC: Final = re.compile(f"[%/+#{_UNFIT}]")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_JSON: Final = "application/json"
_STRUCTURED: Final = "application/cloudevents+json; charset=utf-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One MQTT message; `properties` are MQTT 5 user properties. `expiry_s` None never expires."""

    topic: str
    payload: bytes
    retain: bool = False
    expiry_s: int | None = None
    content_type: str = ""
    correlation: bytes = b""
    properties: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Topics:
    """The topics of one syncd. SKUs and types are escaped, so that they are always one level."""

    instance: str

    @property
    def root(self) -> str:
        """Return what all topics of this syncd start with."""
        return f"syncd/{self.instance}/"

    @property
    def status(self) -> str:
        """Return the retained topic that says `online` or `offline`."""
        return f"{self.root}status"

    def command(self, name: str) -> str:
        """Return where a command comes in; `+` stands for every command."""
        return f"{self.root}in/{name}"

    def reply(self, request_id: str) -> str:
        """Return where a request without a response topic is answered; one without an id on `out/invalid`."""
        return f"{self.root}out/{level(request_id) or 'invalid'}"

    def event(self, event: Waiting) -> str:
        """Return where an event goes."""
        if event.type == STATE:
            return f"{self.root}state/{level(event.key)}"
        return f"{self.root}event/{level(event.type)}"


def level(text: str) -> str:
    """Escape a text so that it is one topic level: `%`, `/`, `+`, `#`, controls and non-characters are percent-encoded.

    The encoding is that of URLs (the bytes of UTF-8), so any URL decoder gives the text back.
    """
    return _UNFIT_TOPIC.sub(_percent, text)


def event_message(event: Waiting, *, topics: Topics, binary: bool) -> Message:
    """Render an event. A state is retained and without expiry; one with an empty body takes a retained state away."""
    topic, lasting = topics.event(event), event.type == STATE
    expiry_s = None if lasting else EVENT_EXPIRY_S
    if lasting and not event.body:
        return Message(topic=topic, payload=b"", retain=True)
    if binary:
        attributes = _attributes(event, instance=topics.instance)
        return Message(
            topic=topic,
            payload=event.body,
            retain=lasting,
            expiry_s=expiry_s,
            content_type=_JSON,
            properties=tuple(attributes.items()),
        )
    body = structured(event, instance=topics.instance)
    return Message(topic=topic, payload=body, retain=lasting, expiry_s=expiry_s, content_type=_STRUCTURED)


def structured(event: Waiting, *, instance: str) -> bytes:
    """Return an event as one JSON object: its attributes, and what it says in `data`."""
    attributes = _attributes(event, instance=instance)
    return msgspec.json.encode({**attributes, "datacontenttype": _JSON, "data": msgspec.Raw(event.body)})


def rfc3339(instant: Instant) -> str:
    """Return an instant as RFC 3339 text in UTC."""
    return (_EPOCH + timedelta(microseconds=instant)).isoformat().replace("+00:00", "Z")


def _attributes(event: Waiting, *, instance: str) -> dict[str, str]:
    return {
        "specversion": "1.0",
        "id": event.event_id,
        "source": f"urn:syncd:{instance}",
        "type": f"syncd.{event.type}.v1",
        "subject": _UNFIT_TEXT.sub(_percent, event.key),
        "time": rfc3339(event.created_at),
    }


def _percent(match: re.Match[str]) -> str:
    return quote(match.group(), safe="", errors="surrogatepass")
