"""What deploys syncd names only what is there: paths, commands, options, settings, secrets; and takes rights away."""

from __future__ import annotations

import importlib
import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, get_type_hints

import pytest
import yaml

from syncd.sdk.errors import ConfigError
from syncd.settings import Settings, load, shape
from syncd.settings.adapters import Installed
from syncd.settings.loading import SYSTEM_FILE
from syncd.settings.reading import is_secret
from tests.real_servers import Missing, mosquitto, skip_or_fail

ROOT = Path(__file__).resolve().parent.parent.parent
UNIT = ROOT / "config" / "systemd" / "syncd.service"
MADE_BY_THE_SHOP = {"./syncd.toml", "./secrets", "./secrets/postgres_password"}
HARDENING = {
    "NoNewPrivileges": "yes",
    "CapabilityBoundingSet": "",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "PrivateDevices": "yes",
    "MemoryDenyWriteExecute": "yes",
    "RestrictAddressFamilies": "AF_INET AF_INET6 AF_UNIX",
    "LimitCORE": "0",
    "UMask": "0077",
    "DynamicUser": "yes",
}


def accepted(environ: Mapping[str, str], *, path: Path | None = None) -> Settings:
    """Return what syncd makes of an environment; an unknown or wrong variable raises."""
    return load(path, environ={"HOME": "/", **environ}, adapters={}, run_secrets=Path("/nowhere"))


def assert_command(words: list[str]) -> None:
    """Check that `syncd WORDS` is a command with these options."""
    command: Any = importlib.import_module("typer").main.get_command(importlib.import_module("syncd.cli").app)
    for word in words:
        if word.startswith("-"):
            assert any(word in option.opts for option in command.params), f"{words}: {word}"
        elif word in getattr(command, "commands", {}):
            command = command.commands[word]
        else:
            assert not hasattr(command, "commands"), f"{words}: no command {word}"


def secret_names() -> set[str]:
    """Return every name under which a secret may be handed over: of syncd itself, and of a channel `shopify`."""
    tables = {"daemon": shape.Daemon, "http": shape.Http, "mqtt": shape.Mqtt, "alerts": shape.Alerts}
    tables["shopify"] = Installed()["shopify"].settings
    return {
        f"{title}_{field.name}"
        for title, kind in tables.items()
        for field in fields(kind)
        if is_secret(field, get_type_hints(kind, include_extras=True)[field.name])
    }


def seconds(text: str) -> float:
    return float(text.removesuffix("s"))


# --- systemd -----------------------------------------------------------------------------------------------------


def unit() -> dict[str, list[str]]:
    """Return the values of each key of the unit."""
    values: dict[str, list[str]] = {}
    for line in UNIT.read_text(encoding="utf-8").splitlines():
        if not line.startswith(("#", "[")) and line.strip():
            key, _, value = line.partition("=")
            values.setdefault(key, []).append(value)
    return values


def test_the_unit_starts_what_is_there() -> None:
    """The unit calls a command that syncd has, with options that it has."""
    [start] = unit()["ExecStart"]
    program, *words = shlex.split(start)
    assert program == "/opt/syncd/bin/syncd"
    assert_command(words)
    assert str(SYSTEM_FILE) in words


def test_the_unit_gives_the_directories_that_settings_take() -> None:
    """State and runtime directory of the unit become data_dir and socket."""
    values = unit()
    environ = {"STATE_DIRECTORY": f"/var/lib/{values['StateDirectory'][0]}"}
    environ["RUNTIME_DIRECTORY"] = f"/run/{values['RuntimeDirectory'][0]}"
    daemon = accepted(environ).daemon
    assert (str(daemon.data_dir), str(daemon.socket)) == ("/var/lib/syncd", "/run/syncd/syncd.sock")
    assert f"/etc/{values['ConfigurationDirectory'][0]}" == str(SYSTEM_FILE.parent)


def test_the_unit_waits_for_the_drain() -> None:
    """A stop may take as long as the drain needs, and settings that are wrong are not tried again."""
    values = unit()
    assert seconds(values["TimeoutStopSec"][0]) >= shape.Daemon.__dataclass_fields__["drain_s"].default + 10
    assert (values["Type"], values["NotifyAccess"]) == (["notify"], ["main"])
    assert values["RestartPreventExitStatus"] == ["64 78"]
    assert seconds(values["WatchdogSec"][0]) >= 10


def test_the_unit_takes_rights_away() -> None:
    """The unit is hardened in every way that was tried with syncd."""
    values = unit()
    assert {key: values.get(key, ["absent"])[0] for key in HARDENING} == HARDENING
    assert len(values["SystemCallFilter"]) == 2


def test_the_unit_names_credentials_that_settings_read() -> None:
    """Each credential in the unit, also in its comments, is the name of a secret."""
    named = re.findall(r"LoadCredential=(\w+):/etc/syncd/credentials/(\w+)", UNIT.read_text(encoding="utf-8"))
    assert len(named) >= 3
    assert all(name == file for name, file in named)
    assert {name for name, _ in named} <= secret_names()


def test_files_that_deployment_names_exist() -> None:
    """Each file of this project that the unit, the compose file or the image names is there."""
    for name in ("config/systemd/syncd.service", "docker-compose.yml", "Dockerfile", "README.md", "README.ja.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        for path in re.findall(r"(?<![\w/.])((?:\./)?config/[\w./-]*\w|requirements[\w-]*\.lock)", text):
            assert (ROOT / path).exists(), f"{name}: {path}"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_the_unit_is_exposed_little() -> None:
    """Systemd rates the exposure of the unit at 1.1 or less."""
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=11", "--no-pager", str(UNIT)]
    rated = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert rated.returncode == 0, rated.stdout.splitlines()[-1:]


# --- the image ---------------------------------------------------------------------------------------------------


def instructions() -> list[tuple[str, str]]:
    """Return each instruction of the Dockerfile with its argument, lines joined."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.partition(" ")[0], " ".join(line.partition(" ")[2].split())) for line in lines]


def last(name: str) -> str:
    return [argument for instruction, argument in instructions() if instruction == name][-1]


def image_environ() -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in last("ENV").split(" "))


def test_the_image_is_made_of_what_is_there() -> None:
    """Each file that the image copies exists and gets past .dockerignore."""
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line[0] == "!"]
    copied = [argument.split() for name, argument in instructions() if name == "COPY" and "--from" not in argument]
    sources = [source.removeprefix("./") for *some, _ in copied for source in some]
    assert len(sources) >= 5
    assert [source for source in sources if not (ROOT / source).exists() or source not in allowed] == []


def test_the_image_is_pinned() -> None:
    """Base images have a tag that says the version, and pip takes only what the lock names."""
    bases = {argument.split()[0] for name, argument in instructions() if name == "FROM"}
    assert bases == {"python:3.11-slim-bookworm"}
    installs = [argument for name, argument in instructions() if name == "RUN" and " install --no-cache" in argument]
    assert len(installs) == 3
    assert all("--require-hashes" in line or "--no-deps" in line for line in installs)


def test_the_image_runs_as_a_user_without_rights() -> None:
    """The image runs as user 10001, and nothing after USER changes files."""
    names = [name for name, _ in instructions()]
    assert last("USER") == "10001:10001"
    assert not {"RUN", "COPY", "ADD"} & set(names[len(names) - names[::-1].index("USER") :])


def test_the_image_calls_commands_that_exist() -> None:
    """Start and health check of the image are commands of syncd."""
    assert json.loads(last("ENTRYPOINT")) == ["syncd"]
    assert_command(json.loads(last("CMD")))
    program, *words = json.loads(last("HEALTHCHECK").partition(" CMD ")[2])
    assert program == "syncd"
    assert_command(words)


def test_the_image_sets_only_settings() -> None:
    """The image's environment is accepted by syncd, writes into its volume and listens where it is exposed."""
    environ = image_environ()
    settings = accepted(environ)
    assert str(settings.daemon.data_dir) == last("VOLUME")
    assert settings.http.address == ("0.0.0.0", int(last("EXPOSE")))
    assert environ["SYNCD_CONFIG"] == str(SYSTEM_FILE)
    assert f"config/syncd.example.toml {SYSTEM_FILE}" in [argument for _, argument in instructions()]
    assert str(settings.daemon.socket_path.parent) in next(text for _, text in instructions() if "install -d" in text)


# --- compose -----------------------------------------------------------------------------------------------------


def compose() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))


def services() -> dict[str, dict[str, Any]]:
    return compose()["services"]


def filled(text: str, variables: Mapping[str, str]) -> str:
    """Return a value as compose reads it: `${NAME:-else}` and `${NAME:+then}`."""

    def value(match: re.Match[str]) -> str:
        there = variables.get(match[1], "")
        return (there or match[3]) if match[2] == "-" else (match[3] if there else "")

    return re.sub(r"\$\{(\w+):([-+])([^}]*)\}", value, text)


@pytest.mark.parametrize("name", ["syncd", "mosquitto", "postgres", "caddy"])
def test_every_service_is_hardened(name: str) -> None:
    """Each service has a read-only file system, no capabilities but what it must have, and limits."""
    service = services()[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service.get("cap_add", []) == (["NET_BIND_SERVICE"] if name == "caddy" else [])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert {"pids_limit", "mem_limit", "restart", "logging"} <= set(service)
    assert not {"privileged", "network_mode", "pid", "devices"} & set(service)
    assert re.fullmatch(r"[\w/-]+:[\w.-]*\d[\w.-]*", service["image"])
    assert "user" in service or name == "caddy"


def test_only_the_proxy_is_reachable_from_outside() -> None:
    """Ports are published on this machine's own address, but for those of the TLS proxy."""
    ports = {name: service.get("ports", []) for name, service in services().items()}
    assert ports.pop("caddy") == ["80:80", "443:443"]
    assert all(port.startswith("127.0.0.1:") for some in ports.values() for port in some)


def test_profiles_add_the_store_and_the_proxy() -> None:
    """Without a profile there are syncd and the broker; postgres and tls add one service each."""
    profiles = {name: service.get("profiles", []) for name, service in services().items()}
    assert profiles == {"syncd": [], "mosquitto": [], "postgres": ["postgres"], "caddy": ["tls"]}


def test_mounts_name_what_is_there() -> None:
    """What is mounted is in the project, made by the shop as the header says, or a declared volume."""
    header = (ROOT / "docker-compose.yml").read_text(encoding="utf-8").partition("\nname:")[0]
    mounts = [mount.split(":")[0] for service in services().values() for mount in service["volumes"]]
    paths = {mount for mount in mounts if mount.startswith(".")}
    assert [path for path in paths - MADE_BY_THE_SHOP if not (ROOT / path).is_file()] == []
    assert all(path.removeprefix("./") in header for path in MADE_BY_THE_SHOP)
    assert set(mounts) - paths == set(compose()["volumes"])
    assert {secret["file"] for secret in compose()["secrets"].values()} <= MADE_BY_THE_SHOP


@pytest.mark.parametrize("variables", [{}, {"SYNCD_DOMAIN": "stock.example.org"}])
def test_compose_sets_only_settings(variables: dict[str, str]) -> None:
    """The environment of the image and of compose together is accepted, with and without a domain."""
    service = services()["syncd"]
    environ = {name: filled(str(value), variables) for name, value in service["environment"].items()}
    settings = accepted({**image_environ(), **environ})
    assert settings.mqtt.url == "mqtt://mosquitto:1883"
    assert settings.http.public_url == ("https://stock.example.org" if variables else "")
    assert seconds(service["stop_grace_period"]) >= settings.daemon.drain_s + 10
    assert f"data:{settings.daemon.data_dir}" in service["volumes"]
    assert any(mount.startswith(f"{settings.daemon.socket_path.parent}:uid=10001") for mount in service["tmpfs"])
    assert f"./syncd.toml:{SYSTEM_FILE}:ro" in service["volumes"]


def test_a_variable_that_is_no_setting_would_be_seen() -> None:
    """The check of environments fails for a name that syncd does not know."""
    with pytest.raises(ConfigError):
        accepted({"SYNCD_MQTT__ADDRESS": "x"})


def test_secrets_in_the_header_are_secrets() -> None:
    """Each file of a secret that the compose file tells of is one that syncd or PostgreSQL reads."""
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    named = set(re.findall(r"secrets/(\w+)", text))
    assert "daemon_database_url" in named
    assert named - secret_names() == {"postgres_password"}


def test_the_proxy_lets_only_webhooks_in() -> None:
    """The proxy passes the path of webhooks to syncd's port and answers 404 to everything else."""
    text = (ROOT / "config" / "caddy" / "Caddyfile").read_text(encoding="utf-8")
    routes = re.findall(
        r'web\.post\("([^{"]+)\{account\}"', (ROOT / "syncd/edges/webhook.py").read_text(encoding="utf-8")
    )
    assert re.findall(r"^\s+path (\S+)$", text, flags=re.MULTILINE) == [f"{route}*" for route in routes]
    assert re.findall(r"reverse_proxy (\S+)", text) == [f"syncd:{last('EXPOSE')}"]
    assert "respond 404" in text


@pytest.mark.real
def test_the_broker_starts_with_its_configuration(tmp_path: Path) -> None:
    """A real mosquitto takes the shipped configuration and accepts connections."""
    assert "./config/mosquitto/mosquitto.conf:/mosquitto/config/mosquitto.conf:ro" in services()["mosquitto"]["volumes"]
    text = (ROOT / "config" / "mosquitto" / "mosquitto.conf").read_text(encoding="utf-8")
    lines = text.replace("/mosquitto/data/", f"{tmp_path}/").splitlines()
    given = {"listener 1883", "allow_anonymous true"}
    assert given <= set(lines)
    try:
        with mosquitto([line for line in lines if line not in given]) as broker:
            assert broker.process.poll() is None
    except Missing as missing:
        skip_or_fail(missing)
