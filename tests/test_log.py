"""Log lines: their forms, their way from libraries, and what never is in them."""

from __future__ import annotations

import asyncio
import gc
import io
import json
import logging
import re
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from syncd import log
from syncd.sdk.secret import Secret

CANARY = "canary-in-the-log-42"
ENTRY = log.logger("engine.poll")  # made before anything is configured, as in production


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


class Broken(io.StringIO):
    """A stream whose reader is gone."""

    def write(self, _: str) -> int:
        raise BrokenPipeError(32, "gone")


class Shy:
    """An object that cannot be described."""

    def __repr__(self) -> str:
        raise RuntimeError("no")


class Chatty:
    """An object that tells a secret when it is described."""

    def __repr__(self) -> str:
        return f"<Chatty {CANARY}>"


@pytest.fixture(autouse=True)
def logging_as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Take back what `log.configure` sets for the whole process."""
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


@pytest.fixture
def secret() -> Iterator[Secret]:
    kept = Secret(CANARY)
    yield kept
    del kept


@pytest.fixture
def lines() -> io.StringIO:
    stream = io.StringIO()
    log.configure(form="json", level="debug", stream=stream)
    return stream


def fails(text: str) -> None:
    raise ValueError(text)


def events(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_one_json_object_that_begins_with_the_time(lines: io.StringIO) -> None:
    """Time, level, area and event come first, then the keys."""
    ENTRY.info("poll.done", account="shopify", orders=3, late_s=0.5, more=None, ok=True)
    (event,) = events(lines)
    assert list(event)[:4] == ["time", "level", "area", "event"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", event.pop("time"))
    assert event == {
        "level": "info", "area": "engine.poll", "event": "poll.done", "account": "shopify", "orders": 3,
        "late_s": 0.5, "more": None, "ok": True,
    }  # fmt: skip


def test_a_failure_is_told_without_local_variables(lines: io.StringIO, secret: Secret) -> None:
    """A traceback is one value of one line, shows no locals, and no secret of the error's own text."""
    token = "local-variable-" + "value"
    try:
        fails(f"bad {secret.reveal()}")
    except ValueError:
        ENTRY.exception("poll.failed")
    (event,) = events(lines)
    assert "ValueError: bad ***" in event["exception"]
    assert token not in lines.getvalue()
    assert CANARY not in lines.getvalue()


def test_no_value_holds_a_secret(lines: io.StringIO, secret: Secret) -> None:
    """Secrets are taken out of values, keys, nested values, objects, bytes and context."""
    value = secret.reveal()
    with structlog.contextvars.bound_contextvars(call=value):
        ENTRY.warning(
            f"poll.{value}",
            text=f"x {value} y",
            held=secret,
            nested={"a": [{"b": (value, {value})}], value: 1},
            chatty=Chatty(),
            raw=value.encode(),
            bearer="Bearer abcdefghijkl",
            **{value: 1},
        )
    assert CANARY not in lines.getvalue()
    assert "abcdefghijkl" not in lines.getvalue()
    assert events(lines)[0]["text"] == "x *** y"


def test_any_value_can_be_logged(lines: io.StringIO) -> None:
    """Odd numbers, texts, objects and structures become a line, and long ones are cut."""
    loop: list[Any] = []
    loop.append(loop)
    ENTRY.info(
        "odd.values", nan=float("nan"), big=1 << 80, lone="\ud800", shy=Shy(), loop=loop, long="x" * 20_000, kind=int
    )
    (event,) = events(lines)
    assert event["nan"] is None
    assert event["big"] == str(1 << 80)
    assert event["lone"] == "\\ud800"
    assert event["shy"] == "<Shy: RuntimeError>"
    assert event["long"].endswith(f" … {20_000 - log.MOST_TEXT} more")
    assert len(lines.getvalue()) < 10_000


def test_a_cut_does_not_save_half_a_secret(lines: io.StringIO, secret: Secret) -> None:
    """A secret that lies across the cut is taken out whole."""
    ENTRY.info("long.text", text="x" * (log.MOST_TEXT - 5) + secret.reveal())
    assert CANARY[:4] not in lines.getvalue()


def test_libraries_take_the_same_way(lines: io.StringIO, secret: Secret) -> None:
    """A line of the standard logging is the event `library.message`, with its area, level and failure, redacted."""
    try:
        fails(secret.reveal())
    except ValueError:
        logging.getLogger("some.package").exception("cannot %s: %s", "reach", secret.reveal())
    (first,) = events(lines)
    assert (first["event"], first["area"], first["level"]) == ("library.message", "some.package", "error")
    assert first["message"] == "cannot reach: ***"
    assert "ValueError: ***" in first["exception"]


def test_a_librarys_mistake_is_still_a_line(lines: io.StringIO) -> None:
    """A message that does not fit its arguments comes as it was written."""
    (bridge,) = [handler for handler in logging.getLogger().handlers if isinstance(handler, log._Bridge)]
    bridge.handle(logging.makeLogRecord({"name": "lib", "msg": "%d items", "args": ("three",), "levelname": "INFO"}))
    assert events(lines)[0]["message"] == "%d items"


def test_failures_that_nobody_awaited_are_kept(lines: io.StringIO) -> None:
    """A failure that nobody asked for comes as a line of asyncio."""

    async def forgets() -> None:
        future = asyncio.get_running_loop().create_future()
        future.set_exception(RuntimeError("lost and found"))
        del future
        gc.collect()

    asyncio.run(forgets())
    (event,) = [event for event in events(lines) if event["area"] == "asyncio" and event["level"] == "error"]
    assert "Future exception was never retrieved" in event["message"]
    assert "lost and found" in event["exception"]


def test_warnings_are_lines(lines: io.StringIO) -> None:
    """A warning comes as a line, not as loose text."""
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        log.configure(form="json", stream=lines)
        warnings.warn("old thing", DeprecationWarning, stacklevel=1)
    assert any("old thing" in event.get("message", "") for event in events(lines))


@pytest.mark.parametrize(("level", "written"), [("debug", 4), ("info", 3), ("warning", 2), ("ERROR", 1)])
def test_the_level_holds_for_us_and_for_libraries(level: str, written: int) -> None:
    """Lines below the level are not written, wherever they come from."""
    stream = io.StringIO()
    log.configure(form="json", level=level, stream=stream)
    for entry in (ENTRY, logging.getLogger("some.package")):
        for method in ("debug", "info", "warning", "error"):
            getattr(entry, method)("some.event")
    assert len(events(stream)) == 2 * written


def test_access_lines_of_the_server_are_for_warnings_only(lines: io.StringIO) -> None:
    """The web server's line per request is not written."""
    logging.getLogger("aiohttp.access").info("GET /")
    assert lines.getvalue() == ""


def test_a_level_that_does_not_exist_is_refused() -> None:
    """A misspelt level is named."""
    with pytest.raises(ValueError, match="loud"):
        log.configure(level="loud")


@pytest.mark.parametrize(("form", "journal", "terminal", "start"), [
    ("auto", False, False, "{"), ("auto", True, False, "<6>{"),
    ("auto", False, True, "\x1b["), ("auto", True, True, "\x1b["),
    ("json", False, False, "{"), ("json", True, False, "<6>{"), ("json", False, True, "{"), ("json", True, True, "{"),
    ("console", False, False, "2"), ("console", True, False, "2"),
])  # fmt: skip
def test_the_form_follows_where_the_lines_go(
    monkeypatch: pytest.MonkeyPatch, *, form: log.Form, journal: bool, terminal: bool, start: str
) -> None:
    """The journal gets priorities before JSON, a terminal colours, everything else JSON."""
    if journal:
        monkeypatch.setenv("JOURNAL_STREAM", "8:1234")
    stream = Terminal() if terminal else io.StringIO()
    log.configure(form=form, stream=stream)
    ENTRY.info("some.event", number=7)
    assert stream.getvalue().startswith(start)
    assert "some.event" in stream.getvalue()
    assert stream.getvalue().count("\n") == 1


@pytest.mark.parametrize(
    ("level", "priority"), [("debug", 7), ("info", 6), ("warning", 4), ("error", 3), ("critical", 2)]
)
def test_priorities_are_those_of_syslog(monkeypatch: pytest.MonkeyPatch, level: str, priority: int) -> None:
    """Each level has its syslog priority, for lines of libraries too."""
    monkeypatch.setenv("JOURNAL_STREAM", "8:1234")
    stream = io.StringIO()
    log.configure(level="debug", stream=stream)
    for entry in (ENTRY, logging.getLogger("some.package")):
        getattr(entry, level)("some.event")
    assert [line[:3] for line in stream.getvalue().splitlines()] == [f"<{priority}>"] * 2


def test_a_failure_on_a_console_is_readable_and_redacted(secret: Secret) -> None:
    """People get the traceback as text, without secrets and without warnings about it."""
    stream = io.StringIO()
    log.configure(form="console", stream=stream)
    try:
        fails(secret.reveal())
    except ValueError:
        ENTRY.exception("poll.failed", token=secret.reveal())
    assert "ValueError: ***" in stream.getvalue()
    assert CANARY not in stream.getvalue()


@pytest.mark.parametrize("stream", [Broken(), io.StringIO()])
def test_a_log_that_cannot_be_written_stops_nothing(stream: io.StringIO) -> None:
    """When the reader is gone, or the stream is closed, lines are lost and the daemon goes on."""
    log.configure(form="json", stream=stream)
    if not isinstance(stream, Broken):
        stream.close()
    ENTRY.error("some.event")
    logging.getLogger("some.package").error("some text")


def test_configuring_again_moves_all_loggers() -> None:
    """Loggers that were used already follow, and lines are never written twice."""
    first, second = io.StringIO(), io.StringIO()
    log.configure(form="json", stream=first)
    ENTRY.info("first.event")
    log.configure(form="json", stream=second)
    ENTRY.info("second.event")
    logging.getLogger("some.package").warning("text")
    assert [event["event"] for event in events(first)] == ["first.event"]
    assert [event["event"] for event in events(second)] == ["second.event", "library.message"]
