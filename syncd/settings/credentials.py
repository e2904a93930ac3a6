"""Where a secret comes from.

The first place that has it wins:

1. the file `<section>_<field>` in `$CREDENTIALS_DIRECTORY` (systemd's `LoadCredential`),
2. the file of the same name in `/run/secrets` (Docker and Podman),
3. the file that the key `<field>_file` of the settings file names,
4. the file that the environment variable `SYNCD_<SECTION>_<FIELD>_FILE` names,
5. the environment variable `SYNCD_<SECTION>_<FIELD>`,
6. the key `<field>` of the settings file: allowed, with a warning where others may read that file.

`<section>` is the name of the channel for the keys of `[channels.NAME.settings]`, else the table's own name.
"""

from __future__ import annotations

import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from syncd.settings.report import Report

SECRET_MAX_BYTES = 65_536

OTHERS = stat.S_IRWXG | stat.S_IRWXO


def env_name(section: str, key: str) -> str:
    """Return the environment variable of a secret: `SYNCD_SHOP_CLIENT_SECRET`."""
    return f"SYNCD_{section}_{key}".upper().replace("-", "_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One secret to look for: its table's title, the short name of that table, and the key."""

    table: str
    section: str
    key: str

    @property
    def file_name(self) -> str:
        """Return the name of the file in a directory of secrets."""
        return f"{self.section}_{self.key}"

    @property
    def env(self) -> str:
        """Return the environment variable that holds it."""
        return env_name(self.section, self.key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """The places that may hold secrets. `folder` is where relative paths start, `path` the settings file."""

    environ: Mapping[str, str]
    run_secrets: Path
    folder: Path
    path: Path | None
    report: Report

    def find(self, slot: Slot, given: Mapping[str, Any]) -> str | None:
        """Return the text of a secret, None where it is nowhere or cannot be read (then a problem is noted)."""
        if path := self._file(slot, given):
            return self._read(path, self.report.place(slot.table, slot.key))
        if slot.env in self.environ:
            return self.environ[slot.env]
        if slot.key not in given:
            return None
        return self._plain(slot, given[slot.key])

    def remedy(self, slot: Slot) -> str:
        """Return how a person gives this secret."""
        return f"set {slot.key}_file, or the environment variable {slot.env}_FILE, or the credential {slot.file_name}"

    def _file(self, slot: Slot, given: Mapping[str, Any]) -> Path | None:
        directories = [Path(found) for found in (self.environ.get("CREDENTIALS_DIRECTORY"),) if found]
        for directory in (*directories, self.run_secrets):
            if self._has(directory, slot.file_name):
                return directory / slot.file_name
        named = given.get(f"{slot.key}_file", self.environ.get(f"{slot.env}_FILE"))
        if named is None or named == "":
            return None
        if not isinstance(named, str):
            self.report.problem(self.report.place(slot.table, f"{slot.key}_file"), "expected the path of a file")
            return None
        return self.folder / Path(named)

    def _has(self, directory: Path, name: str) -> bool:
        try:
            return (directory / name).is_file()
        except OSError as error:
            place = str(directory)
            if all(warning.place != place for warning in self.report.warnings):
                self.report.warning(place, f"cannot be searched: {error.strerror}", "let syncd's user read it")
            return False

    def _read(self, path: Path, place: str) -> str | None:
        try:
            with path.open("rb") as file:
                raw = file.read(SECRET_MAX_BYTES + 1)
            text = raw.decode().rstrip("\r\n")
        except OSError as error:
            self.report.problem(place, f"cannot read {path}: {error.strerror}", "check that the file is there and ours")
            return None
        except UnicodeDecodeError:
            self.report.problem(place, f"{path} is not UTF-8 text")
            return None
        if not text or len(raw) > SECRET_MAX_BYTES:
            self.report.problem(place, f"{path} is {'too large' if text else 'empty'}", "write only the secret into it")
            return None
        return text

    def _plain(self, slot: Slot, value: Any) -> str | None:
        place = self.report.place(slot.table, slot.key)
        if not isinstance(value, str):
            self.report.problem(place, "expected a text", self.remedy(slot))
            return None
        if value and self.path and self.path.stat().st_mode & OTHERS:
            self.report.warning(place, "others may read the file that holds this secret", f"chmod 600 {self.path}")
        return value
