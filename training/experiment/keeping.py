"""Finished runs as small archives, without weights, so that an experiment goes on where its folder of runs is not.

An archive holds what a run answered, its curves and its settings: all that the page of results is made of.
"""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from training.experiment.answers import ANSWERS, PREDICTIONS
from training.experiment.errors import ExperimentError
from training.experiment.folders import MADE_WITH, MARKER, enter, is_finished
from training.experiment.running import CURVES

_FILES = (MADE_WITH, CURVES, PREDICTIONS, ANSWERS, MARKER)


def archive_of(folder: Path, out: Path, kept: Path) -> Path:
    """Return where in ``kept`` the run in ``folder``, a folder in ``out``, is archived."""
    where = folder.relative_to(out)
    return kept / where.with_name(f"{where.name}.tar.xz")


def keep(folder: Path, archive: Path) -> None:
    """Write the finished run in ``folder`` to ``archive``, all of it or nothing; the same run gives the same bytes."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    arriving = archive.with_name(f".{archive.name}.{os.getpid()}")
    with tarfile.open(arriving, "w:xz") as tar:
        for name in _FILES:
            content = (folder / name).read_bytes()
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    arriving.replace(archive)


def restore(archive: Path, folder: Path, made_with: Mapping[str, Any]) -> bool:
    """Put the run in ``archive`` to ``folder`` if it was made with these settings; return whether that was so.

    A folder in which a run has begun stays as it is. Raises ExperimentError for a damaged archive.
    """
    if folder.exists() or not archive.is_file():
        return False
    try:
        with tarfile.open(archive) as tar:
            content = {name: _member(tar, name) for name in _FILES}
            earlier = msgspec.json.decode(content[MADE_WITH])
    except (tarfile.TarError, EOFError, OSError, KeyError, msgspec.DecodeError) as error:
        raise ExperimentError(f"{archive} cannot be read: {error}.", "Remove it, and the run is made again.") from error
    if earlier != msgspec.json.decode(msgspec.json.encode(dict(made_with))):
        return False
    arriving = folder.with_name(f".{folder.name}.arriving-{os.getpid()}")
    arriving.mkdir(parents=True)
    for name, data in content.items():
        (arriving / name).write_bytes(data)
    arriving.rename(folder)
    return is_finished(folder)


def was_finished(folder: Path, out: Path, made_with: Mapping[str, Any], kept: Path | None) -> bool:
    """Return whether the work in ``folder``, in ``out``, came to its end, after a look into the archives in ``kept``.

    Finished work that has no archive gets one. Raises ExperimentError where work of other settings lies there, and for
    a damaged archive.
    """
    if kept is None:
        return folder.exists() and enter(folder, made_with)
    archive = archive_of(folder, out, kept)
    restore(archive, folder, made_with)
    finished = folder.exists() and enter(folder, made_with)
    if finished and not archive.is_file():
        keep(folder, archive)
    return finished


def _member(tar: tarfile.TarFile, name: str) -> bytes:
    file = tar.extractfile(name)
    if file is None:
        raise KeyError(name)
    return file.read()
