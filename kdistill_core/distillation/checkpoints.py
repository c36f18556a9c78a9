"""Checkpoints that are whole or not there: written aside, sealed with a list of their files, put in place by a rename.

What a full disk or a kill leaves behind is never taken for a checkpoint. Each holds the configuration that it was made
with, so that a run does not go on from another one's.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from kdistill_core.distillation.errors import DistillationError

ARRIVING, SEAL = ".arriving", "seal.json"
_PREFIX = "checkpoint-"
_MOST_NAMED = 8


class Seal(msgspec.Struct, frozen=True):
    """What a checkpoint is made of.

    files: sizes in bytes. minutes: trained so far. configuration: of the run, flat. ended: nothing is to be trained on.
    """

    files: dict[str, int]
    minutes: float
    configuration: dict[str, Any]
    ended: bool = False

    @classmethod
    def of(cls, folder: Path, configuration: Mapping[str, Any], minutes: float, *, ended: bool = False) -> Seal:
        """Return the seal of the files that lie in ``folder``."""
        paths = (path for path in folder.rglob("*") if path.is_file())
        sizes = {str(path.relative_to(folder)): path.stat().st_size for path in paths}
        return cls(dict(sorted(sizes.items())), minutes, flat(configuration), ended)


def put_in_place(arrived: Path, seal: Seal, keep: int) -> Path:
    """Seal the folder ``arrived``, which lies aside under its final name, and rename it; return where it is.

    Of older checkpoints the newest are kept, ``keep`` in all. Raises OSError.
    """
    for name in seal.files:
        # Else a loss of power might leave names without contents.
        with (arrived / name).open("rb") as stream:
            os.fsync(stream.fileno())
    with (arrived / SEAL).open("wb") as stream:
        stream.write(msgspec.json.encode(seal))
        stream.flush()
        os.fsync(stream.fileno())
    place = arrived.parent.parent / arrived.name
    shutil.rmtree(place, ignore_errors=True)
    arrived.rename(place)
    for _, old in sorted(_numbered(place.parent), reverse=True)[keep:]:
        shutil.rmtree(old, ignore_errors=True)
    return place


def newest_checkpoint(folder: Path) -> tuple[Path, Seal] | None:
    """Return the newest whole checkpoint in ``folder`` and its seal; those that are not whole are passed over."""
    for _, path in sorted(_numbered(folder), reverse=True):
        seal = _seal_of(path)
        if seal is not None:
            return path, seal
    return None


def check_configuration(checkpoint: Path, seal: Seal, configuration: Mapping[str, Any]) -> None:
    """Raise DistillationError, with the differences, where a checkpoint was made by another configuration."""
    changed = differences(flat(seal.configuration), flat(configuration))
    if changed:
        more = f" and {len(changed) - _MOST_NAMED} more" if len(changed) > _MOST_NAMED else ""
        raise DistillationError(
            f"{checkpoint} was made by another configuration: {'; '.join(changed[:_MOST_NAMED])}{more}.",
            "Restore what was changed, or train into another folder by `out`.",
        )


def differences(earlier: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return what differs between two flat configurations, in words, in the order of their names."""
    absent = object()
    found = []
    for name in sorted({*earlier, *now}):
        then, today = earlier.get(name, absent), now.get(name, absent)
        if then != today:
            said = ["not set" if value is absent else f"{value}" for value in (then, today)]
            found.append(f"{name} was {said[0]} and is {said[1]}")
    return found


def flat(configuration: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested settings by dotted names, such as ``training.stages.0.steps``, as JSON would hold their values."""
    found: dict[str, Any] = {}
    for name, value in configuration.items():
        # There and back: a tuple comes out of a file as a list.
        plain = msgspec.json.decode(msgspec.json.encode(value, enc_hook=str))
        if isinstance(plain, list):
            plain = {str(place): item for place, item in enumerate(plain)}
        if isinstance(plain, dict) and plain:
            found |= flat(plain, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = plain
    return found


def _numbered(folder: Path) -> list[tuple[int, Path]]:
    """Return the checkpoints in ``folder`` by their steps."""
    paths = folder.glob(f"{_PREFIX}*") if folder.is_dir() else ()
    numbers = ((path.name.removeprefix(_PREFIX), path) for path in paths if path.is_dir())
    return [(int(number), path) for number, path in numbers if number.isdecimal()]


def _seal_of(checkpoint: Path) -> Seal | None:
    try:
        seal = msgspec.json.decode((checkpoint / SEAL).read_bytes(), type=Seal)
        whole = all((checkpoint / name).stat().st_size == size for name, size in seal.files.items())
    except (OSError, msgspec.DecodeError):
        return None
    return seal if whole else None
