"""Log lines: one event per line, named `noun.verb` with keys, and nothing in them that must not leave the house.

Three forms: `console` for people, `json` for machines, and `auto`: JSON with the `<N>` priority prefix of syslog
under systemd (sd-daemon(3)), console on a terminal, JSON otherwise. Lines of libraries that use the standard
`logging` take the same way, as the event `library.message`.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import Any, Literal, TextIO, TypeAlias, cast

import msgspec
import structlog
from structlog.typing import FilteringBoundLogger, Processor

from syncd.sdk.secret import redact

__all__ = ["Form", "configure", "logger"]

Form: TypeAlias = Literal["auto", "json", "console"]
_Event: TypeAlias = MutableMapping[str, Any]

MOST_TEXT = 8_000
"""The longest text of one value; the rest of a longer one is cut off."""
MOST_NESTED = 6
"""How deep values inside values are shown."""
_PRIORITY = {"debug": 7, "info": 6, "warning": 4, "warn": 4, "error": 3, "exception": 3, "critical": 2}
_QUIET = {"aiohttp.access": logging.WARNING, "asyncio": logging.INFO}
_INT64 = 1 << 63


def logger(name: str) -> FilteringBoundLogger:
    """Return the logger of a part of syncd; it follows `configure`, also when it was made before."""
    return cast("FilteringBoundLogger", structlog.get_logger(area=name))


def configure(*, form: Form = "auto", level: str = "info", stream: TextIO | None = None) -> None:
    """Send all log lines of `level` and above to `stream` (standard error by default); may be called again.

    Raises `ValueError` for a level that does not exist.
    """
    number = _level(level)
    sink = _Sink(sys.stderr if stream is None else stream)
    chain = _chain(_renderers(form, sink.stream, os.environ))
    structlog.configure(
        processors=chain,
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=lambda *_: sink,
        cache_logger_on_first_use=False,  # loggers are made at import, before the settings are read
    )
    _route_libraries(_Bridge(chain, sink), number)


class _Sink:
    """Writes whole lines. A stream that fails (disk full, reader gone) loses lines, and never stops the daemon."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self._lock = threading.Lock()

    def msg(self, line: str) -> None:
        """Write a line."""
        try:
            with self._lock:
                self.stream.write(line + "\n")
                self.stream.flush()
        except (OSError, ValueError):  # ValueError: the stream is closed
            return

    debug = info = warning = warn = error = exception = critical = fatal = log = msg


class _Bridge(logging.Handler):
    """Takes the lines of libraries into the same chain."""

    def __init__(self, chain: Iterable[Processor], sink: _Sink) -> None:
        super().__init__()
        self._chain = tuple(chain)
        self._sink = sink

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        method = record.levelname.lower()
        event: Any = {"event": "library.message", "area": record.name, "message": _message(record)}
        if record.exc_info:
            event["exc_info"] = record.exc_info
        try:
            for step in self._chain:
                event = step(self._sink, method, event)
        except structlog.DropEvent:
            return
        self._sink.msg(event)


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError):  # the library's format does not fit its arguments
        return str(record.msg)


def _route_libraries(bridge: _Bridge, level: int) -> None:
    root = logging.getLogger()
    for old in [handler for handler in root.handlers if isinstance(handler, _Bridge)]:
        root.removeHandler(old)
    root.addHandler(bridge)
    root.setLevel(level)
    for name, lowest in _QUIET.items():
        logging.getLogger(name).setLevel(max(level, lowest))
    logging.captureWarnings(capture=True)


def _level(name: str) -> int:
    number = logging.getLevelNamesMapping().get(name.upper())
    if number is None:
        raise ValueError(f"no log level {name!r}: debug, info, warning, error or critical")
    return number


def _chain(renderers: list[Processor]) -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        structlog.processors.format_exc_info,  # the standard traceback: no local variables
        _scrub,
        *renderers,
    ]


def _renderers(form: Form, stream: TextIO, environ: Mapping[str, str]) -> list[Processor]:
    journal = "JOURNAL_STREAM" in environ
    terminal = stream.isatty()
    match form:
        case "console":
            return [_console(colors=terminal)]
        case "auto" if terminal:
            return [_console(colors=True)]
        case "json" | "auto":
            return [_json_for_journal if journal and not terminal else _json]


def _console(*, colors: bool) -> Processor:
    return structlog.dev.ConsoleRenderer(
        colors=colors, timestamp_key="time", exception_formatter=structlog.dev.plain_traceback
    )


def _json(_: Any, __: str, event: _Event) -> str:
    """Render one line of JSON that begins with time, level, area and event."""
    head = {key: event.pop(key) for key in ("time", "level", "area", "event") if key in event}
    return msgspec.json.encode({**head, **event}).decode()


def _json_for_journal(sink: Any, method: str, event: _Event) -> str:
    return f"<{_PRIORITY.get(method, 6)}>{_json(sink, method, event)}"


def _scrub(_: Any, __: str, event: _Event) -> _Event:
    """Make every value plain, short and free of secrets; the last step before a line is rendered."""
    plain = {str(key): _plain(value, MOST_NESTED) for key, value in event.items()}
    # One look at all texts together is enough for the lines that hold nothing to hide, which is nearly all.
    together = "\n".join(_texts(plain))
    return plain if redact(together) == together else _redacted(plain)


def _plain(value: Any, depth: int) -> Any:
    match value:
        case str():
            return _text(value)
        case bool() | float() | None:
            return value
        case int():
            return value if -_INT64 <= value < _INT64 else str(value)
        case dict() if depth:
            return {str(key): _plain(inner, depth - 1) for key, inner in value.items()}
        case list() | tuple() | set() | frozenset() if depth:
            return [_plain(inner, depth - 1) for inner in value]
    return _text(_described(value))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def _redacted(value: Any) -> Any:
    match value:
        case str():
            return redact(value)
        case dict():
            return {redact(key): _redacted(inner) for key, inner in value.items()}
        case list():
            return [_redacted(inner) for inner in value]
    return value


def _described(value: Any) -> str:
    try:
        return repr(value)
    except Exception as fault:  # noqa: BLE001  (a log line must not fail for a value that cannot be described)
        return f"<{type(value).__name__}: {type(fault).__name__}>"


def _text(value: str) -> str:
    if len(value) > MOST_TEXT:
        # Redacted before it is cut: half a secret would not be known as one.
        clean = redact(value)
        value = f"{clean[:MOST_TEXT]} … {len(clean) - MOST_TEXT} more"
    if value.isascii():
        return value
    return value.encode("utf-8", "backslashreplace").decode()  # lone surrogates cannot be written
