"""Folders of finished work: what it was made with, what came out, and a marker that is written last.

A folder whose marker is missing is made again, from its newest checkpoint; one of other settings is refused.
"""

from __future__ import annotations

import os
import re
import shutil
from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import msgspec
import torch

from kdistill_core.distillation.checkpoints import differences, flat
from training.experiment.errors import ExperimentError
from training.experiment.settings import settings_sha256

MARKER, MADE_WITH, CHECKPOINTS = "finished.json", "settings.json", "checkpoints"
# What work was made on where no GPU was used; not recorded by the first runs.
_CPU = "CPU"
_MOST_NAMED = 6


def enter(folder: Path, made_with: Mapping[str, Any]) -> bool:
    """Prepare ``folder`` for work with these settings; return whether it is finished already.

    Raises ExperimentError, naming the differences, where work of other settings lies there.
    """
    earlier = folder / MADE_WITH
    now = msgspec.json.decode(msgspec.json.encode(dict(made_with)))
    if earlier.is_file():
        changed = differences(flat(msgspec.json.decode(earlier.read_bytes())), flat(now))
        if changed:
            more = f" and {len(changed) - _MOST_NAMED} more" if len(changed) > _MOST_NAMED else ""
            raise ExperimentError(
                f"{folder} was made with other settings: {'; '.join(changed[:_MOST_NAMED])}{more}.",
                "Restore what was changed, or give another folder as `out`.",
            )
        return (folder / MARKER).is_file()
    write_json(earlier, now)
    return False


def finish(folder: Path, made_with: Mapping[str, Any], seconds: float) -> None:
    """Mark ``folder`` as finished after so many seconds on this machine; remove what was needed only to go on."""
    shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else _CPU
    about = {"settings_sha256": settings_sha256(dict(made_with)), "seconds": round(seconds, 1), "device": device}
    write_json(folder / MARKER, about)


def is_finished(folder: Path) -> bool:
    """Return whether work in ``folder`` came to its end."""
    return (folder / MARKER).is_file()


def devices_of(folders: Collection[Path]) -> tuple[tuple[str, int], ...]:
    """Return what the finished work in ``folders`` was made on, by name, and how much of it on each."""
    return tuple(sorted(Counter(read_json(folder / MARKER).get("device", _CPU) for folder in folders).items()))


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` to ``path``, all of it or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    arriving = path.with_name(f".{path.name}.{os.getpid()}")
    arriving.write_bytes(msgspec.json.format(msgspec.json.encode(value, enc_hook=str)))
    arriving.replace(path)


def read_json(path: Path) -> Any:
    """Return what was written. Raises ExperimentError for a file that is missing or damaged."""
    try:
        return msgspec.json.decode(path.read_bytes())
    except (OSError, msgspec.DecodeError) as error:
        raise ExperimentError(f"{path} cannot be read: {error}.", "Remove its folder and run it again.") from error


def slug(name: str) -> str:
    """Return ``name`` as part of a path."""
    return re.sub(r"[^a-z0-9.+]+", "-", name.lower()).strip("-")
