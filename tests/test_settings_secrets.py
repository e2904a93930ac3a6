"""Secrets of the settings: where they come from, and that they stay secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncd.sdk.secret import redact
from tests.settings_desk import TILL, Desk

SECRET_PLACES = ["credential", "run-secrets", "file-key", "env-file", "env", "plain"]


def plant(desk: Desk, place: str) -> str:
    """Put the secret into one place; answer what the settings file needs for it."""
    match place:
        case "credential":
            desk.environ["CREDENTIALS_DIRECTORY"] = str(desk.write(place, name="credentials/shop_key").parent)
        case "run-secrets":
            desk.write(f"{place}\n", name="run-secrets/shop_key")
        case "file-key":
            desk.write(place, name="keys/key")
            return 'key_file = "keys/key"\n'
        case "env-file":
            desk.environ["SYNCD_SHOP_KEY_FILE"] = str(desk.write(f"{place}\r\n", name="other-key"))
        case "env":
            desk.environ["SYNCD_SHOP_KEY"] = place
        case _:
            return f'key = "{place}"\n'
    return ""


@pytest.mark.parametrize("first", range(len(SECRET_PLACES)))
def test_secrets_come_from_the_first_place_that_has_them(desk: Desk, first: int) -> None:
    """Of all places that hold a secret, the one that comes first in the documented order wins."""
    lines = [plant(desk, place) for place in SECRET_PLACES[first:]]
    settings = desk.load(TILL.replace('key = "plain-secret"\n', "".join(lines)))
    assert settings.channels["shop"].settings.key.reveal() == SECRET_PLACES[first]


def test_secrets_of_syncd_itself_have_places_too(desk: Desk) -> None:
    """The token of the API and the address of the mail server are found like an adapter's secrets."""
    desk.write("t" * 22, name="run-secrets/http_api_token")
    desk.write("smtps://u:hunter2%21@h", name="run-secrets/alerts_smtp_url")
    settings = desk.load("[alerts]\nmail_from = 'a@example.org'\nmail_to = ['a@example.org']")
    assert settings.http.api_token.reveal() == "t" * 22
    assert settings.alerts.smtp_url == "smtps://u:hunter2%21@h"
    assert "hunter2" not in repr(settings)
    assert redact("login with hunter2%21 or hunter2! failed") == "login with *** or *** failed"


@pytest.mark.parametrize("content", [b"", b"\n", b"x" * 65_537, b"\xff\xfe"])
def test_a_secret_file_that_cannot_be_one_is_a_problem(desk: Desk, content: bytes) -> None:
    """An empty, huge or binary file is told as a problem, without its content."""
    (desk.folder / "key").write_bytes(content)
    problems = desk.problems(TILL.replace('key = "plain-secret"', 'key_file = "key"'))
    assert [problem.place for problem in problems] == ["syncd.toml: [channels.shop.settings] key"]
    assert "xxx" not in str(problems)


@pytest.mark.parametrize(("mode", "count"), [(0o600, 0), (0o640, 1), (0o604, 1)])
def test_a_plain_secret_in_a_file_for_others_is_a_warning(desk: Desk, mode: int, count: int) -> None:
    """A secret in a settings file that group or world may read gives a warning with a remedy."""
    settings = desk.load(TILL, mode=mode)
    assert len(settings.warnings) == count
    assert all(warning.remedy.startswith("chmod 600") for warning in settings.warnings)


def test_no_problem_shows_a_secret(desk: Desk) -> None:
    """Neither problems nor the repr of settings hold the value of a secret."""
    assert "plain-secret" not in str(desk.problems(TILL + "page = 0\n[http]\napi_token = 'plain-secret'"))
    assert "plain-secret" not in repr(desk.load(TILL))


def test_a_missing_secret_says_where_to_put_it(desk: Desk) -> None:
    """The remedy for a missing secret names the key, the variable and the credential."""
    [problem] = desk.problems(TILL.replace('key = "plain-secret"', ""))
    assert problem.message == "missing secret"
    assert all(name in problem.remedy for name in ("key_file", "SYNCD_SHOP_KEY_FILE", "shop_key"))


def test_an_empty_secret_is_a_missing_one(desk: Desk) -> None:
    """A variable that is set to nothing does not stand for a secret."""
    desk.environ["SYNCD_SHOP_KEY"] = ""
    assert desk.texts(TILL.replace('key = "plain-secret"', "")) == [
        "syncd.toml: [channels.shop.settings] key: missing secret"
    ]


def test_a_wrong_variable_for_a_required_key_is_told_once(desk: Desk) -> None:
    """A key that must be there and is given wrongly from outside is one problem, and not missing too."""
    desk.environ["SYNCD_DAEMON__DATA_DIR"] = ""
    assert [problem.place for problem in desk.problems()] == ["SYNCD_DAEMON__DATA_DIR"]


def test_a_closed_directory_of_secrets_is_one_warning(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory of secrets that may not be searched gives one warning, and secrets from elsewhere still count."""

    def refuse(path: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_file", refuse)
    settings = desk.load(TILL)
    assert [warning.message for warning in settings.warnings] == ["cannot be searched: Permission denied"]
    assert settings.channels["shop"].settings.key.reveal() == "plain-secret"
    assert desk.texts(TILL.replace('key = "plain-secret"', ""))[1:] == [
        "run-secrets: cannot be searched: Permission denied"
    ]


def test_a_password_in_the_clear_is_a_warning(desk: Desk) -> None:
    """A broker elsewhere without TLS gives a warning when it is given a password."""
    desk.environ["SYNCD_MQTT_PASSWORD"] = "broker-password"
    assert len(desk.load("[mqtt]\nurl = 'mqtt://broker.example.org'").warnings) == 1
    assert len(desk.load("[mqtt]\nurl = 'mqtt://127.0.0.1'").warnings) == 0
    assert len(desk.load("[mqtt]\nurl = 'mqtts://broker.example.org:8883'").warnings) == 0
