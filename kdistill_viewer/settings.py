"""The viewer's settings: one JSON file in the user's configuration folder, no patient data in it beyond paths.

A file that cannot be read is set aside under another name, never overwritten, and the reader is told.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

VERSION = 1
_RECENT_KEPT = 10

Migration = Callable[[dict[str, Any]], dict[str, Any]]
# From the version that is the key to the one after it.
MIGRATIONS: Mapping[int, Migration] = {}


class OverlaySettings(msgspec.Struct):
    """opacity, threshold: in [0, 1]; below the threshold a map is not drawn."""

    opacity: float
    threshold: float
    color_map: str


class Settings(msgspec.Struct):
    """Every setting and its default."""

    version: int = VERSION
    geometry: str = ""  # Qt's saved window geometry, base64
    splitters: dict[str, list[int]] = msgspec.field(default_factory=dict)
    recent: list[str] = msgspec.field(default_factory=list)  # paths only, newest first
    last_folder: str = ""
    read_first: bool = False
    findings_order: str = ""  # empty: the panel's first
    overlay: OverlaySettings | None = None  # None: the canvas's own style
    keys: dict[str, list[str]] = msgspec.field(default_factory=dict)  # action id: its keys, instead of the usual ones

    def remember(self, path: Path) -> None:
        """Put a path at the top of the recent ones."""
        text = str(path.absolute())
        self.recent = [text, *(known for known in self.recent if known != text)][:_RECENT_KEPT]


class SettingsFile:
    """Reads and writes the settings file; ``message`` says what was wrong with it, empty when nothing was."""

    def __init__(self, path: Path, *, migrations: Mapping[int, Migration] = MIGRATIONS, version: int = VERSION) -> None:
        self.path = path
        self.message = ""
        self._migrations = migrations
        self._version = version

    def load(self) -> Settings:
        """Return the settings, or the defaults where there is no usable file."""
        try:
            text = self.path.read_bytes()
        except FileNotFoundError:
            return Settings()
        except OSError as error:
            self.message = f"The settings in {self.path} cannot be read ({error.strerror}). The usual ones are in use."
            return Settings()
        try:
            return msgspec.convert(self._migrated(msgspec.json.decode(text)), Settings)
        except (msgspec.DecodeError, ValueError) as error:
            self._set_aside(str(error))
            return Settings()

    def save(self, settings: Settings) -> None:
        """Write the settings; readers of the file see the old ones or the new ones, never half of them.

        Raises OSError when the folder cannot be written.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=self.path.parent, prefix=f"{self.path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(msgspec.json.format(msgspec.json.encode(settings), indent=2))
            Path(temporary).replace(self.path)
        except OSError:
            Path(temporary).unlink(missing_ok=True)
            raise

    def _migrated(self, values: object) -> dict[str, Any]:
        if not isinstance(values, dict) or not isinstance(values.get("version"), int):
            raise ValueError("no version in it")  # noqa: TRY004 - a fault of the file, reported like the others
        if values["version"] > self._version:
            raise ValueError("it was written by a newer version of the program")
        while values["version"] < self._version:
            if values["version"] not in self._migrations:
                raise ValueError(f"its version {values['version']} is not known")
            values = {**self._migrations[values["version"]](values), "version": values["version"] + 1}
        return values

    def _set_aside(self, reason: str) -> None:
        aside = self.path.with_suffix(f".broken{self.path.suffix}")
        number = 1
        while aside.exists():
            number += 1
            aside = self.path.with_suffix(f".broken-{number}{self.path.suffix}")
        try:
            self.path.rename(aside)
        except OSError as error:
            self.message = f"The settings in {self.path} cannot be used: {reason} ({error.strerror})."
            return
        self.message = (
            f"The settings could not be used: {reason}. They were kept as {aside}; the usual ones are in use."
        )


def settings_path() -> Path:
    """Return where the settings file lies on this system."""
    import platformdirs

    return platformdirs.user_config_path("kdistill", appauthor=False) / "viewer.json"
