"""What was measured of a model, kept under all that decides it, so that nothing is computed twice."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from kdistill_core.serialization import RecordError, from_json, to_json

Evidence = TypeVar("Evidence")
PARTIAL = ".partial"


class MeasuredStore:
    """A folder with one JSON a measurement. Its name holds a hash of the model, the settings and the data."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def kept_or(
        self, what: str, decided_by: dict[str, object], kind: type[Evidence], compute: Callable[[], Evidence]
    ) -> Evidence:
        """Return the evidence that is kept of ``what``, else what ``compute`` says, which is kept.

        decided_by: everything that the outcome depends on. A file that was cut off or is of another version of the
        program is computed again.
        """
        key = hashlib.sha256(msgspec.json.encode(decided_by, order="sorted")).hexdigest()[:32]
        path = self.folder / f"{what}-{key}.json"
        if path.is_file():
            try:
                return from_json(path.read_bytes(), kind)
            except RecordError:
                path.unlink()
        found = compute()
        self.folder.mkdir(parents=True, exist_ok=True)
        write_whole(path, to_json(found))
        return found


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that is there whole or not at all."""
    partial = path.with_suffix(PARTIAL)
    partial.write_bytes(content)
    partial.replace(path)
